#![no_main]

resilience_fuzz::target!("pth_pickle");

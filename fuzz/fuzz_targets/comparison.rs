#![no_main]

resilience_fuzz::target!("comparison");

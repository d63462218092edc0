#![no_main]

resilience_fuzz::target!("torchscript");

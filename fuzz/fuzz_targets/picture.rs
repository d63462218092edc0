#![no_main]

resilience_fuzz::target!("picture");

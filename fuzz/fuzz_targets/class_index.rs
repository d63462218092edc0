#![no_main]

resilience_fuzz::target!("class_index");

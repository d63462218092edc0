#![no_main]

resilience_fuzz::target!("idx_gz");

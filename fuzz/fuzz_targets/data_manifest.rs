#![no_main]

resilience_fuzz::target!("data_manifest");

#![no_main]

resilience_fuzz::target!("arrays_safetensors");

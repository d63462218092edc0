#![no_main]

resilience_fuzz::target!("cifar10_binary");

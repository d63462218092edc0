#![no_main]

resilience_fuzz::target!("cifar100_binary");

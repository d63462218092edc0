#![no_main]

resilience_fuzz::target!("onnx");

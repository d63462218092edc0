//! Where networks compute.
//!
//! A network lives on one device, and takes images from the host and gives logits and gradients to it:
//! attacks, geometry and verdicts stay on the host, so that they are the same to the bit wherever the
//! network is. Only networks and their optimiser know the device.

use std::sync::OnceLock;

use tch::{Cuda, Device};

use crate::error::EngineError;

/// What was chosen; nothing before anything was.
static CHOSEN: OnceLock<Device> = OnceLock::new();

/// What a device may be called.
const NAMES: &str = "cpu, cuda, or cuda:N";

/// Lets networks compute on the device of that name: `cpu`, `cuda` (the first), `cuda:1`. Call it before
/// anything else; a later call with another name is an error.
pub fn set_device(name: &str) -> Result<(), EngineError> {
    let device = parse(name)?;
    if let Device::Cuda(number) = device {
        check(number as i64, Cuda::is_available(), Cuda::device_count())?;
    }
    if *CHOSEN.get_or_init(|| device) == device {
        return Ok(());
    }
    Err(error(NAMES, format!("{name}, after another one was chosen")))
}

/// The name of the device that networks compute on: `cpu`, `cuda:0`.
#[must_use]
pub fn device_name() -> String {
    match device() {
        Device::Cuda(number) => format!("cuda:{number}"),
        _ => "cpu".to_owned(),
    }
}

/// The device that networks compute on.
pub(crate) fn device() -> Device {
    CHOSEN.get().copied().unwrap_or(Device::Cpu)
}

fn parse(name: &str) -> Result<Device, EngineError> {
    let number = match name.split_once(':') {
        None if name == "cpu" => return Ok(Device::Cpu),
        None if name == "cuda" => Some(0),
        Some(("cuda", number)) => number.parse::<u16>().ok(),
        _ => None,
    };
    let number = number.ok_or_else(|| error(NAMES, name.to_owned()))?;
    Ok(Device::Cuda(number.into()))
}

fn check(number: i64, available: bool, count: i64) -> Result<(), EngineError> {
    if !available {
        return Err(error(
            "a CUDA device that libtorch sees",
            "none: either there is none, or the program was built with a libtorch that is for \
             processors alone (install PyTorch 2.11 for CUDA and build again, see README)"
                .to_owned(),
        ));
    }
    if number >= count {
        return Err(error(
            "a device that is there",
            format!("cuda:{number}, and there are {count} CUDA devices, from cuda:0"),
        ));
    }
    Ok(())
}

fn error(expected: &str, found: String) -> EngineError {
    EngineError::Input { what: "device", expected: expected.to_owned(), found }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a name that is taken for another device, and an error that does not say what to write.
    #[test]
    fn devices_have_pytorchs_names() {
        for (name, device) in
            [("cpu", Device::Cpu), ("cuda", Device::Cuda(0)), ("cuda:3", Device::Cuda(3))]
        {
            assert_eq!(parse(name).unwrap(), device);
        }
        for wrong in ["", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:99999", "cpu:0", "CUDA"] {
            let said = parse(wrong).unwrap_err().to_string();
            assert!(said.contains(NAMES), "{said}");
        }
        check(1, true, 2).unwrap();
        assert!(check(2, true, 2).unwrap_err().to_string().contains("there are 2"));
        assert!(check(0, false, 0).unwrap_err().to_string().contains("build again"));
    }
}

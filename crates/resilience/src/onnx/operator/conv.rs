//! Convolutions.

use super::super::translation::{Args, Role, Translation};
use super::super::{OnnxError, Site};
use super::Operator;
use super::window::Sliding;
use crate::error::EngineError;
use crate::layer;

/// `Conv`, in any number of dimensions.
pub static CONV: Operator = Operator::new("Conv", 2, conv).summing(kernel);
/// `ConvTranspose`, with as much cut off on both sides.
pub static CONV_TRANSPOSE: Operator = Operator::new("ConvTranspose", 2, transpose);

/// Products that one number of the result is summed from: those of one kernel.
fn kernel(args: &Args) -> u64 {
    let kernels = args.maybe(1).map_or_else(Vec::new, tch::Tensor::size);
    kernels.iter().skip(1).map(|&side| side as u64).product()
}

fn conv(site: &Site) -> Result<Translation, OnnxError> {
    let sliding = Sliding::read(site)?;
    // The kernels have it too.
    site.ignore(&["kernel_shape"]);
    let groups = site.int_or("group", 1)?;
    let size = site.known(1).map(tch::Tensor::size);
    let window = match (size.as_deref(), sliding.square()) {
        (Some(&[_, _, height, width]), Some([stride, padding])) if height == width => {
            Some(layer::Window { size: height, stride, padding }).filter(|_| groups == 1)
        }
        _ => None,
    };
    let run = move |args: &Args| {
        let (image, weight, bias) = (args.get(0)?, args.get(1)?, args.maybe(2));
        let window = sliding.on(&spatial(image), &spatial(weight))?;
        let none = vec![0; window.begin.len()];
        let convolve = |image: &tch::Tensor, padding: &[i64]| -> Result<_, EngineError> {
            let (strides, dilations) = (&window.strides[..], &window.dilations[..]);
            Ok(image.f_convolution(
                weight,
                bias,
                strides,
                padding,
                dilations,
                false,
                &none[..],
                groups,
            )?)
        };
        if window.is_even() && window.begin.iter().all(|&pad| pad >= 0) {
            return convolve(image, &window.begin);
        }
        convolve(&window.padded(image, 0.0)?, &none)
    };
    Ok(Translation::flowing(run).with_role(Role::Convolution(window)))
}

fn transpose(site: &Site) -> Result<Translation, OnnxError> {
    let sliding = Sliding::read(site)?;
    site.ignore(&["kernel_shape"]);
    let groups = site.int_or("group", 1)?;
    let more = site.ints("output_padding")?;
    if let Some(shape) = site.ints("output_shape")? {
        let found = format!("{shape:?}");
        return Err(site.wrong("attribute 'output_shape'", "pads in its place", &found));
    }
    if !matches!(site.text_or("auto_pad", "NOTSET")?, "NOTSET" | "VALID") {
        return Err(site.wrong("attribute 'auto_pad'", "NOTSET or VALID", "another"));
    }
    if let Some(pads) = site.ints("pads")?
        && pads[..pads.len() / 2] != pads[pads.len() / 2..]
    {
        return Err(site.wrong("attribute 'pads'", "as many on both sides", &format!("{pads:?}")));
    }
    Ok(Translation::flowing(move |args| {
        let (image, weight, bias) = (args.get(0)?, args.get(1)?, args.maybe(2));
        let window = sliding.on(&spatial(image), &spatial(weight))?;
        let more = more.clone().unwrap_or_else(|| vec![0; window.begin.len()]);
        let (strides, padding) = (&window.strides[..], &window.begin[..]);
        let dilations = &window.dilations[..];
        Ok(image.f_convolution(
            weight,
            bias,
            strides,
            padding,
            dilations,
            true,
            &more[..],
            groups,
        )?)
    }))
}

/// The sides of an image or a kernel.
fn spatial(tensor: &tch::Tensor) -> Vec<i64> {
    tensor.size().into_iter().skip(2).collect()
}

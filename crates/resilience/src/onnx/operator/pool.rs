//! Pools over windows, and over whole images.

use tch::{Kind, Tensor};

use super::super::translation::{Args, Role, Translation};
use super::super::{OnnxError, Site};
use super::Operator;
use super::window::{FARTHEST, Sliding, Window};
use crate::error::EngineError;

/// `MaxPool` over one or two dimensions.
pub static MAX: Operator = Operator::new("MaxPool", 1, max);
/// `AveragePool` over one or two dimensions.
pub static AVERAGE: Operator = Operator::new("AveragePool", 1, average);
/// `GlobalAveragePool`.
pub static GLOBAL_AVERAGE: Operator = Operator::new("GlobalAveragePool", 1, |_| {
    let run = |args: &Args| {
        let image = args.get(0)?;
        Ok(image.f_mean_dim(&spatial(image)[..], true, None::<Kind>)?)
    };
    Ok(Translation::flowing(run).with_role(Role::Average))
});
/// `GlobalMaxPool`.
pub static GLOBAL_MAX: Operator = Operator::new("GlobalMaxPool", 1, |_| {
    Ok(Translation::flowing(|args| {
        let image = args.get(0)?;
        Ok(image.f_amax(&spatial(image)[..], true)?)
    }))
});

/// The places of an image's sides among its dimensions.
fn spatial(image: &Tensor) -> Vec<i64> {
    (2..image.dim() as i64).collect()
}

/// A pool as a node states it.
struct Pool {
    sliding: Sliding,
    kernel: Vec<i64>,
    ceil: bool,
}

impl Pool {
    fn read(site: &Site) -> Result<Self, OnnxError> {
        let kernel = site.ints("kernel_shape")?.unwrap_or_default();
        if !(1..=2).contains(&kernel.len())
            || kernel.iter().any(|side| !(1..=FARTHEST).contains(side))
        {
            let found = format!("{kernel:?}");
            return Err(site.wrong("attribute 'kernel_shape'", "one or two sides", &found));
        }
        site.at_most_outputs(1)?;
        let ceil = site.int_or("ceil_mode", 0)? != 0;
        Ok(Self { sliding: Sliding::read(site)?, kernel, ceil })
    }

    /// The window on an image, and whether libtorch can add the margin by itself.
    fn on(&self, image: &Tensor) -> Result<(Window, bool), EngineError> {
        let sides: Vec<i64> = image.size().into_iter().skip(2).collect();
        let window = self.sliding.on(&sides, &self.kernel)?;
        let fits = |(&pad, &side): (&i64, &i64)| (0..=side / 2).contains(&pad);
        let by_itself = window.is_even() && window.begin.iter().zip(&self.kernel).all(fits);
        Ok((window, by_itself))
    }
}

fn max(site: &Site) -> Result<Translation, OnnxError> {
    let pool = Pool::read(site)?;
    let order = site.int_or("storage_order", 0)?;
    if order != 0 {
        return Err(site.wrong("attribute 'storage_order'", "0", &order.to_string()));
    }
    Ok(Translation::flowing(move |args| {
        let image = args.get(0)?;
        let (window, by_itself) = pool.on(image)?;
        let none = vec![0; window.begin.len()];
        let over = |image: &Tensor, padding: &[i64]| -> Result<Tensor, EngineError> {
            let (kernel, strides) = (&pool.kernel[..], &window.strides[..]);
            let dilations = &window.dilations[..];
            Ok(if kernel.len() == 1 {
                image.f_max_pool1d(kernel, strides, padding, dilations, pool.ceil)?
            } else {
                image.f_max_pool2d(kernel, strides, padding, dilations, pool.ceil)?
            })
        };
        if by_itself {
            return over(image, &window.begin);
        }
        over(&window.padded(image, f64::NEG_INFINITY)?, &none)
    }))
}

fn average(site: &Site) -> Result<Translation, OnnxError> {
    let pool = Pool::read(site)?;
    let with_margin = site.int_or("count_include_pad", 0)? != 0;
    if site.ints("dilations")?.is_some_and(|all| all.iter().any(|&one| one != 1)) {
        return Err(site.wrong("attribute 'dilations'", "1", "others"));
    }
    Ok(Translation::flowing(move |args| {
        let image = args.get(0)?;
        let (window, by_itself) = pool.on(image)?;
        let none = vec![0; window.begin.len()];
        let over = |image: &Tensor, padding: &[i64]| -> Result<Tensor, EngineError> {
            let (kernel, strides, ceil) = (&pool.kernel[..], &window.strides[..], pool.ceil);
            Ok(if kernel.len() == 1 {
                image.f_avg_pool1d(kernel, strides, padding, ceil, with_margin)?
            } else {
                image.f_avg_pool2d(kernel, strides, padding, ceil, with_margin, None)?
            })
        };
        if by_itself {
            return over(image, &window.begin);
        }
        let sums = over(&window.padded(image, 0.0)?, &none)?;
        if with_margin {
            return Ok(sums);
        }
        // The margin does not count: the share of a window that lies in the image divides.
        let shares = over(&window.padded(&image.f_detach()?.f_ones_like()?, 0.0)?, &none)?;
        Ok(sums.f_div(&shares)?)
    }))
}

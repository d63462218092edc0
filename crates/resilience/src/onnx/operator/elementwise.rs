//! Arithmetic on pairs of numbers; shapes broadcast as in NumPy.

use tch::{TchError, Tensor};

use super::super::Site;
use super::super::convert::is_float;
use super::super::translation::{Role, Translation};
use super::Operator;

/// `Add`.
pub static ADD: Operator =
    Operator::new("Add", 2, |_| Ok(pair(Tensor::f_add).with_role(Role::Add)));
/// `Sub`.
pub static SUB: Operator = Operator::new("Sub", 2, |_| Ok(pair(Tensor::f_sub)));
/// `Mul`.
pub static MUL: Operator = Operator::new("Mul", 2, |_| Ok(pair(Tensor::f_mul)));
/// `Div`, which cuts off the fraction of whole numbers.
pub static DIV: Operator = Operator::new("Div", 2, |_| {
    Ok(pair(|a, b| if is_float(a.kind()) { a.f_div(b) } else { a.f_div_tensor_mode(b, "trunc") }))
});
/// `Mod`.
pub static MOD: Operator = Operator::new("Mod", 2, |site| {
    // The sign of the first with fmod, else that of the second.
    let first = site.int_or("fmod", 0)? != 0;
    let run: Pair = if first { Tensor::f_fmod_tensor } else { Tensor::f_remainder_tensor };
    // What is taken off is a rounded multiple: of pixels it would hide their gradient (x - Mod(x, c)).
    Ok(Translation::stopping(move |args| Ok(run(args.get(0)?, args.get(1)?)?)))
});
/// `Pow`.
pub static POW: Operator = Operator::new("Pow", 2, |site| Ok(pow(site)));
/// `Max` of any number of values.
pub static MAX: Operator =
    Operator::new("Max", 1, |site| Ok(many(site, Tensor::f_maximum, Then::Nothing)));
/// `Min` of any number of values.
pub static MIN: Operator =
    Operator::new("Min", 1, |site| Ok(many(site, Tensor::f_minimum, Then::Nothing)));
/// `Sum` of any number of values.
pub static SUM: Operator =
    Operator::new("Sum", 1, |site| Ok(many(site, Tensor::f_add, Then::Nothing)));
/// `Mean` of any number of values.
pub static MEAN: Operator =
    Operator::new("Mean", 1, |site| Ok(many(site, Tensor::f_add, Then::Divide)));

/// An operation on two tensors.
type Pair = fn(&Tensor, &Tensor) -> Result<Tensor, TchError>;

fn pair(run: Pair) -> Translation {
    Translation::flowing(move |args| Ok(run(args.get(0)?, args.get(1)?)?))
}

/// What is done to the result of many.
#[derive(Clone, Copy)]
enum Then {
    Nothing,
    Divide,
}

fn many(site: &Site, run: Pair, then: Then) -> Translation {
    let places = site.inputs();
    Translation::flowing(move |args| {
        let mut value = args.get(0)?.shallow_clone();
        for place in 1..places {
            value = run(&value, args.get(place)?)?;
        }
        Ok(match then {
            Then::Nothing => value,
            Then::Divide => value.f_div_scalar(places as f64)?,
        })
    })
}

fn pow(site: &Site) -> Translation {
    let known = site.known(1).filter(|exponent| exponent.numel() == 1);
    let exponent = known.and_then(|_| site.scalar(1, "the exponent").ok().flatten());
    Translation::flowing(move |args| {
        let base = args.get(0)?;
        Ok(match exponent {
            Some(exponent) if is_float(base.kind()) && args.get(1)?.dim() <= base.dim() => {
                base.f_pow_tensor_scalar(exponent)?
            }
            _ => base.f_pow(args.get(1)?)?.f_to_kind(base.kind())?,
        })
    })
}

//! Functions of single numbers.

use tch::{TchError, Tensor};

use super::super::translation::Translation;
use super::Operator;

/// `Abs`.
pub static ABS: Operator = Operator::new("Abs", 1, |_| Ok(each(Tensor::f_abs)));
/// `Cos`.
pub static COS: Operator = Operator::new("Cos", 1, |_| Ok(each(Tensor::f_cos)));
/// `Erf`.
pub static ERF: Operator = Operator::new("Erf", 1, |_| Ok(each(Tensor::f_erf)));
/// `Exp`.
pub static EXP: Operator = Operator::new("Exp", 1, |_| Ok(each(Tensor::f_exp)));
/// `Log`.
pub static LOG: Operator = Operator::new("Log", 1, |_| Ok(each(Tensor::f_log)));
/// `Neg`.
pub static NEG: Operator = Operator::new("Neg", 1, |_| Ok(each(Tensor::f_neg)));
/// `Reciprocal`.
pub static RECIPROCAL: Operator =
    Operator::new("Reciprocal", 1, |_| Ok(each(Tensor::f_reciprocal)));
/// `Sin`.
pub static SIN: Operator = Operator::new("Sin", 1, |_| Ok(each(Tensor::f_sin)));
/// `Sqrt`.
pub static SQRT: Operator = Operator::new("Sqrt", 1, |_| Ok(each(Tensor::f_sqrt)));

fn each(run: fn(&Tensor) -> Result<Tensor, TchError>) -> Translation {
    Translation::flowing(move |args| Ok(run(args.get(0)?)?))
}

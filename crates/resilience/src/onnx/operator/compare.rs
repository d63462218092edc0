//! Comparisons, what is made of them, and choices by them.

use tch::{TchError, Tensor};

use super::super::translation::{Gradient, Translation};
use super::Operator;

/// `Equal`.
pub static EQUAL: Operator = Operator::new("Equal", 2, |_| Ok(pair(Tensor::f_eq_tensor)));
/// `Greater`.
pub static GREATER: Operator = Operator::new("Greater", 2, |_| Ok(pair(Tensor::f_gt_tensor)));
/// `GreaterOrEqual`.
pub static GREATER_OR_EQUAL: Operator =
    Operator::new("GreaterOrEqual", 2, |_| Ok(pair(Tensor::f_ge_tensor)));
/// `Less`.
pub static LESS: Operator = Operator::new("Less", 2, |_| Ok(pair(Tensor::f_lt_tensor)));
/// `LessOrEqual`.
pub static LESS_OR_EQUAL: Operator =
    Operator::new("LessOrEqual", 2, |_| Ok(pair(Tensor::f_le_tensor)));
/// `And`.
pub static AND: Operator = Operator::new("And", 2, |_| Ok(pair(Tensor::f_logical_and)));
/// `Or`.
pub static OR: Operator = Operator::new("Or", 2, |_| Ok(pair(Tensor::f_logical_or)));
/// `Xor`.
pub static XOR: Operator = Operator::new("Xor", 2, |_| Ok(pair(Tensor::f_logical_xor)));
/// `Not`.
pub static NOT: Operator = Operator::new("Not", 1, |_| {
    Ok(Translation::stopping(|args| Ok(args.get(0)?.f_logical_not()?)))
});
/// `IsNaN`.
pub static IS_NAN: Operator =
    Operator::new("IsNaN", 1, |_| Ok(Translation::stopping(|args| Ok(args.get(0)?.f_isnan()?))));
/// `Where`: gradients come from what is chosen, and from nothing that chooses.
pub static WHERE: Operator = Operator::new("Where", 3, |_| {
    let choose = Translation::flowing(|args| {
        let (condition, yes, no) = (args.get(0)?, args.get(1)?, args.get(2)?);
        Ok(yes.f_where_self(condition, no)?)
    });
    Ok(choose.with_gradient(Gradient::FlowsExcept(0)))
});

fn pair(run: fn(&Tensor, &Tensor) -> Result<Tensor, TchError>) -> Translation {
    Translation::stopping(move |args| Ok(run(args.get(0)?, args.get(1)?)?))
}

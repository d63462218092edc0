//! Products of matrices.

use tch::Tensor;

use super::super::translation::{Args, Role, Translation};
use super::super::{OnnxError, Site};
use super::Operator;

/// `Gemm`: `alpha A B + beta C`.
pub static GEMM: Operator = Operator::new("Gemm", 2, gemm).summing(inner);
/// `MatMul`, which broadcasts as NumPy does.
pub static MATMUL: Operator = Operator::new("MatMul", 2, |_| {
    Ok(Translation::flowing(|args| Ok(args.get(0)?.f_matmul(args.get(1)?)?)))
})
.summing(inner);
/// `Einsum`.
pub static EINSUM: Operator = Operator::new("Einsum", 1, einsum);

/// Products that one number of the result is summed from: the length of a row of the left matrix.
fn inner(args: &Args) -> u64 {
    args.maybe(0).and_then(|left| left.size().last().copied()).map_or(0, |side| side as u64)
}

fn gemm(site: &Site) -> Result<Translation, OnnxError> {
    let (alpha, beta) = (site.float_or("alpha", 1.0)?, site.float_or("beta", 1.0)?);
    let turned = [site.int_or("transA", 0)? != 0, site.int_or("transB", 0)? != 0];
    let plain = [alpha, beta].iter().all(|factor| factor.to_bits() == 1.0_f64.to_bits());
    // `broadcast` is from before opset 7, and stayed in some files.
    site.ignore(&["broadcast"]);
    let run = move |args: &Args| {
        let matrix = |place: usize| -> Result<Tensor, crate::EngineError> {
            let matrix = args.get(place)?;
            Ok(if turned[place] { matrix.f_transpose(0, 1)? } else { matrix.shallow_clone() })
        };
        let (left, right) = (matrix(0)?, matrix(1)?);
        if plain {
            return Ok(match args.maybe(2) {
                Some(more) => more.f_addmm(&left, &right)?,
                None => left.f_mm(&right)?,
            });
        }
        let product = left.f_mm(&right)?.f_mul_scalar(alpha)?;
        Ok(match args.maybe(2) {
            Some(more) => product.f_add(&more.f_mul_scalar(beta)?)?,
            None => product,
        })
    };
    let layer = plain && turned == [false, true] && site.known(1).is_some();
    let role = if layer { Role::Linear } else { Role::Other };
    Ok(Translation::flowing(run).with_role(role))
}

fn einsum(site: &Site) -> Result<Translation, OnnxError> {
    let equation = site.text_or("equation", "")?.replace(' ', "");
    let places = site.inputs();
    Ok(Translation::flowing(move |args| {
        let tensors = (0..places).map(|at| args.get(at)).collect::<Result<Vec<_>, _>>()?;
        Ok(Tensor::f_einsum(&equation, &tensors, None::<i64>)?)
    }))
}

//! Tensors whose first dimension is the sample: picking rows, and numbers of one a row.

use tch::{Device, Tensor};

use crate::error::EngineError;

/// The rows numbered `index` `[m]`, in that order. Where the channels of a pixel lie side by side
/// they go on doing so.
pub fn select(tensor: &Tensor, index: &Tensor) -> Result<Tensor, EngineError> {
    if tensor.dim() == 4 {
        let planes = tensor.f_permute([0, 2, 3, 1])?;
        return Ok(planes.f_index_select(0, index)?.f_permute([0, 3, 1, 2])?);
    }
    Ok(tensor.f_index_select(0, index)?)
}

/// Numbers of one a row, `[n]`, in a shape that multiplies images: `[n,1,1,1]`.
pub fn per_row(values: &Tensor) -> Result<Tensor, EngineError> {
    Ok(values.f_view([-1, 1, 1, 1])?)
}

/// Rows of `yes` where `mask` `[n]` holds, of `no` else; both of any equal shape.
pub fn choose(mask: &Tensor, yes: &Tensor, no: &Tensor) -> Result<Tensor, EngineError> {
    if yes.dim() == 4 && mask.device() == Device::Cpu {
        return choose_rows(&Vec::try_from(mask)?, yes, no);
    }
    let mut shape = vec![1; yes.dim()];
    shape[0] = -1;
    Ok(yes.f_where_self(&mask.f_view(shape.as_slice())?, no)?)
}

/// The same for images on the host: whole rows are copied, those that are fewer, and none at all where
/// one side has them all.
fn choose_rows(mask: &[bool], yes: &Tensor, no: &Tensor) -> Result<Tensor, EngineError> {
    let chosen = mask.iter().filter(|&&chosen| chosen).count();
    let (many, few, fewer) =
        if 2 * chosen <= mask.len() { (no, yes, true) } else { (yes, no, false) };
    if mask.iter().all(|&chosen| chosen != fewer) {
        return Ok(many.shallow_clone());
    }
    let mut chosen = copied(many)?;
    lay_over(&mut chosen, mask.iter().map(|&chosen| chosen == fewer), few)?;
    Ok(chosen)
}

/// The same numbers in memory of their own.
pub fn copied(tensor: &Tensor) -> Result<Tensor, EngineError> {
    let mut copy = tensor.f_empty_like()?;
    copy.f_copy_(tensor)?;
    Ok(copy)
}

/// Writes the rows of `new` where the mask holds over those of `old`, whose memory must be nobody
/// else's.
pub fn lay_over(
    old: &mut Tensor,
    mask: impl Iterator<Item = bool>,
    new: &Tensor,
) -> Result<(), EngineError> {
    for (row, _) in (0..).zip(mask).filter(|&(_, covered)| covered) {
        old.f_get(row)?.f_copy_(&new.f_get(row)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Kind;

    /// Would catch rows taken from the wrong side, or written into a tensor that was handed in.
    #[test]
    fn rows_are_chosen_one_by_one() {
        let yes = Tensor::arange(4 * 6, (Kind::Float, Device::Cpu)).view([4, 1, 2, 3]);
        let (no, before): (Tensor, Tensor) = (-&yes - 1.0, yes.copy());
        for bits in 0..16_u32 {
            let mask: Vec<bool> = (0..4).map(|row| bits >> row & 1 == 1).collect();
            let found = choose(&Tensor::from_slice(&mask), &yes, &no).unwrap();
            for (row, chosen) in (0..).zip(mask) {
                let expected = if chosen { yes.get(row) } else { no.get(row) };
                assert_eq!(found.get(row), expected, "{bits:b}");
            }
        }
        assert_eq!(yes, before);
    }
    /// Would catch rows written that are not to be, and a copy that shares its memory.
    #[test]
    fn rows_are_written_into_a_copy_alone() {
        let old = Tensor::arange(3 * 6, (Kind::Float, Device::Cpu)).view([3, 1, 2, 3]);
        let (new, before): (Tensor, Tensor) = (-&old - 1.0, old.copy());
        let mut found = copied(&old).unwrap();
        lay_over(&mut found, [false, true, false].into_iter(), &new).unwrap();
        for (row, expected) in [&old, &new, &old].into_iter().enumerate() {
            assert_eq!(found.get(row as i64), expected.get(row as i64));
        }
        assert_eq!(old, before);
    }
}

//! Tensors whose first dimension is the sample: picking rows, and numbers of one a row.

use tch::Tensor;

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
    let mut shape = vec![1; yes.dim()];
    shape[0] = -1;
    Ok(yes.f_where_self(&mask.f_view(shape.as_slice())?, no)?)
}

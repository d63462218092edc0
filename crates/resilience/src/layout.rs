//! Where the channels of a pixel lie in memory.

use tch::Tensor;

use crate::error::EngineError;

/// The same tensor `[n,c,h,w]` with the channels of a pixel side by side in memory, which
/// libtorch's CPU convolutions compute fastest in; the logical shape stays.
pub fn channels_last(tensor: &Tensor) -> Result<Tensor, EngineError> {
    Ok(tensor.f_permute([0, 2, 3, 1])?.f_contiguous()?.f_permute([0, 3, 1, 2])?)
}

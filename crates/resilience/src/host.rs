//! Images and parameters as plain numbers on the host, without copies where libtorch has them so.

use std::ops::Deref;

use tch::kind::Element;
use tch::{Device, Kind, Tensor};

use crate::error::EngineError;

/// The numbers of images, pixel by pixel with the channels side by side: `[n,h,w,c]`, flat.
#[derive(Debug)]
pub struct Pixels {
    tensor: Tensor,
}

impl Pixels {
    /// Those of `[n,c,h,w]`, shared with the tensor where they lie so already.
    pub fn of(images: &Tensor) -> Result<Self, EngineError> {
        let tensor = images.f_detach()?.f_permute([0, 2, 3, 1])?.f_contiguous()?;
        Ok(Self { tensor: tensor.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)? })
    }

    /// The images `[n,c,h,w]` that such numbers are, in the shape of others.
    pub fn tensor(numbers: &[f32], like: &Tensor) -> Result<Tensor, EngineError> {
        let [n, c, h, w] = [0, 1, 2, 3].map(|dim| like.size()[dim]);
        Ok(Tensor::f_from_slice(numbers)?.f_view([n, h, w, c])?.f_permute([0, 3, 1, 2])?)
    }
}

/// The numbers of a tensor in the order of memory, to be changed: one on the host, of numbers of that
/// kind, without gaps.
#[expect(unsafe_code, reason = "the numbers of a tensor, which nothing else gives as a slice")]
pub fn numbers_mut<T: Element>(tensor: &mut Tensor) -> Result<&mut [T], EngineError> {
    let (size, stride) = (tensor.size(), tensor.stride());
    let last: i64 = size.iter().zip(stride).map(|(size, stride)| (size - 1) * stride).sum();
    let dense = last + 1 == tensor.numel() as i64;
    if tensor.kind() != T::KIND || tensor.device() != Device::Cpu || !dense {
        return Err(EngineError::Input {
            what: "parameter",
            expected: format!("{:?} on the host, without gaps", T::KIND),
            found: format!("{tensor:?}"),
        });
    }
    // SAFETY: so many numbers of that kind lie there, and live as long as the tensor. Nothing in the
    // engine looks at a parameter while its optimiser changes it.
    Ok(unsafe { std::slice::from_raw_parts_mut(tensor.data_ptr().cast(), tensor.numel()) })
}

impl Deref for Pixels {
    type Target = [f32];

    #[expect(unsafe_code, reason = "the numbers of a tensor, which nothing else gives as a slice")]
    fn deref(&self) -> &[f32] {
        // SAFETY: the tensor is contiguous, in f32 and on the host, and lives as long as the slice.
        // Nothing in the engine changes images in place that it has handed to this function.
        unsafe { std::slice::from_raw_parts(self.tensor.data_ptr().cast(), self.tensor.numel()) }
    }
}

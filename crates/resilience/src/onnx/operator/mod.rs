//! The operators of ONNX that are translated, a family a file, and the registry of them.

mod activation;
mod compare;
mod constant;
mod conv;
mod elementwise;
mod join;
mod linear;
mod no_gradient;
mod norm;
mod pad;
mod pool;
mod reduce;
mod resize;
mod select;
mod shape;
mod softmax;
mod unary;
mod window;

use resilience_core::format::onnx::Node;

use super::translation::{Args, Translation};
use super::{At, OnnxError, Site};

/// An operator and what becomes of its nodes.
pub struct Operator {
    /// Its name in ONNX.
    pub name: &'static str,
    /// How many inputs have to be there; what follows them may be left out.
    pub inputs: usize,
    /// What a node becomes.
    pub translate: fn(&Site) -> Result<Translation, OnnxError>,
    /// How many products each number of the result is summed from, for the count of operations; none where
    /// none are.
    pub summed: Option<fn(&Args) -> u64>,
}

impl Operator {
    /// An operator that adds up no products.
    const fn new(
        name: &'static str,
        inputs: usize,
        translate: fn(&Site) -> Result<Translation, OnnxError>,
    ) -> Self {
        Self { name, inputs, translate, summed: None }
    }

    /// The same with the products that each number of the result is summed from.
    const fn summing(self, summed: fn(&Args) -> u64) -> Self {
        Self { summed: Some(summed), ..self }
    }
}

/// The operators that a graph may have. One line each.
pub static OPERATORS: &[&Operator] = &[
    &unary::ABS,
    &elementwise::ADD,
    &compare::AND,
    &no_gradient::ARG_MAX,
    &no_gradient::ARG_MIN,
    &pool::AVERAGE,
    &norm::BATCH,
    &constant::CAST,
    &constant::CAST_LIKE,
    &no_gradient::CEIL,
    &activation::CELU,
    &activation::CLIP,
    &join::CONCAT,
    &constant::CONSTANT,
    &constant::CONSTANT_OF_SHAPE,
    &conv::CONV,
    &conv::CONV_TRANSPOSE,
    &unary::COS,
    &shape::DEPTH_TO_SPACE,
    &no_gradient::DEQUANTIZE,
    &elementwise::DIV,
    &shape::DROPOUT,
    &no_gradient::DYNAMIC_QUANTIZE,
    &linear::EINSUM,
    &activation::ELU,
    &compare::EQUAL,
    &unary::ERF,
    &unary::EXP,
    &shape::EXPAND,
    &shape::FLATTEN,
    &no_gradient::FLOOR,
    &select::GATHER,
    &select::GATHER_ELEMENTS,
    &activation::GELU,
    &linear::GEMM,
    &pool::GLOBAL_AVERAGE,
    &pool::GLOBAL_MAX,
    &compare::GREATER,
    &compare::GREATER_OR_EQUAL,
    &norm::GROUP,
    &activation::HARD_SIGMOID,
    &activation::HARD_SWISH,
    &shape::IDENTITY,
    &norm::INSTANCE,
    &compare::IS_NAN,
    &norm::LAYER,
    &activation::LEAKY_RELU,
    &compare::LESS,
    &compare::LESS_OR_EQUAL,
    &unary::LOG,
    &softmax::LOG_SOFTMAX,
    &norm::LP,
    &linear::MATMUL,
    &elementwise::MAX,
    &pool::MAX,
    &elementwise::MEAN,
    &elementwise::MIN,
    &activation::MISH,
    &elementwise::MOD,
    &elementwise::MUL,
    &unary::NEG,
    &compare::NOT,
    &compare::OR,
    &activation::PRELU,
    &pad::PAD,
    &elementwise::POW,
    &no_gradient::QUANTIZE,
    &norm::RMS,
    &constant::RANGE,
    &unary::RECIPROCAL,
    &reduce::L1,
    &reduce::L2,
    &reduce::LOG_SUM,
    &reduce::LOG_SUM_EXP,
    &reduce::MAX,
    &reduce::MEAN,
    &reduce::MIN,
    &reduce::PROD,
    &reduce::SUM,
    &reduce::SUM_SQUARE,
    &activation::RELU,
    &shape::RESHAPE,
    &resize::RESIZE,
    &no_gradient::ROUND,
    &activation::SELU,
    &shape::SHAPE,
    &activation::SIGMOID,
    &no_gradient::SIGN,
    &unary::SIN,
    &shape::SIZE,
    &select::SLICE,
    &softmax::SOFTMAX,
    &activation::SOFTPLUS,
    &activation::SOFTSIGN,
    &shape::SPACE_TO_DEPTH,
    &join::SPLIT,
    &unary::SQRT,
    &shape::SQUEEZE,
    &elementwise::SUB,
    &elementwise::SUM,
    &activation::SWISH,
    &activation::TANH,
    &activation::THRESHOLDED_RELU,
    &shape::TILE,
    &shape::TRANSPOSE,
    &select::TRILU,
    &shape::UNSQUEEZE,
    &resize::UPSAMPLE,
    &compare::WHERE,
    &compare::XOR,
];

/// The operator of a node.
pub(super) fn find(node: &Node, opset: i64) -> Result<&'static Operator, OnnxError> {
    let own = node.domain.is_empty();
    let known = OPERATORS.iter().copied().find(|operator| own && operator.name == node.operator);
    known.ok_or_else(|| {
        let operator = match node.domain.as_str() {
            "" => node.operator.clone(),
            domain => format!("{domain}.{}", node.operator),
        };
        OnnxError::Operator(Box::new(At { node: node.label().to_owned(), operator, opset }))
    })
}

/// An axis counted from the front, of a value with so many dimensions.
fn axis(axis: i64, rank: usize) -> i64 {
    if axis < 0 { axis + rank as i64 } else { axis }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch an operator that is listed twice, or out of its place.
    #[test]
    fn each_is_listed_once_and_in_order() {
        let names: Vec<_> = OPERATORS.iter().map(|operator| operator.name).collect();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    }
}

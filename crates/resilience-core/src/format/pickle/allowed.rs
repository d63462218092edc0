//! The names that a pickle may use.

use std::fmt;

/// A function or class that honest weights and data files name. None is ever called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each variant is the Python name; the table below has the modules")]
pub enum Function {
    OrderedDict,
    Set,
    Bytes,
    ByteArray,
    CodecsEncode,
    RebuildTensor,
    RebuildTensorV2,
    RebuildParameter,
    Size,
    Device,
    DoubleStorage,
    FloatStorage,
    HalfStorage,
    BFloat16Storage,
    LongStorage,
    IntStorage,
    ShortStorage,
    CharStorage,
    ByteStorage,
    BoolStorage,
    NumpyReconstruct,
    NumpyScalar,
    NumpyFromBuffer,
    NumpyArray,
    NumpyDtype,
    BuildList,
    Script,
}

/// Modules (old and new places of the same thing), name, meaning.
const ALLOWED: &[(&[&str], &str, Function)] = &[
    (&["collections"], "OrderedDict", Function::OrderedDict),
    (&["builtins", "__builtin__"], "set", Function::Set),
    (&["builtins", "__builtin__"], "bytes", Function::Bytes),
    (&["builtins", "__builtin__"], "bytearray", Function::ByteArray),
    (&["_codecs"], "encode", Function::CodecsEncode),
    (&["torch._utils"], "_rebuild_tensor", Function::RebuildTensor),
    (&["torch._utils"], "_rebuild_tensor_v2", Function::RebuildTensorV2),
    (&["torch._utils"], "_rebuild_parameter", Function::RebuildParameter),
    (&["torch"], "Size", Function::Size),
    (&["torch"], "device", Function::Device),
    (&["torch", "torch.cuda"], "DoubleStorage", Function::DoubleStorage),
    (&["torch", "torch.cuda"], "FloatStorage", Function::FloatStorage),
    (&["torch", "torch.cuda"], "HalfStorage", Function::HalfStorage),
    (&["torch", "torch.cuda"], "BFloat16Storage", Function::BFloat16Storage),
    (&["torch", "torch.cuda"], "LongStorage", Function::LongStorage),
    (&["torch", "torch.cuda"], "IntStorage", Function::IntStorage),
    (&["torch", "torch.cuda"], "ShortStorage", Function::ShortStorage),
    (&["torch", "torch.cuda"], "CharStorage", Function::CharStorage),
    (&["torch", "torch.cuda"], "ByteStorage", Function::ByteStorage),
    (&["torch", "torch.cuda"], "BoolStorage", Function::BoolStorage),
    (&MULTIARRAY, "_reconstruct", Function::NumpyReconstruct),
    (&MULTIARRAY, "scalar", Function::NumpyScalar),
    (&["numpy.core.numeric", "numpy._core.numeric"], "_frombuffer", Function::NumpyFromBuffer),
    (&["numpy"], "ndarray", Function::NumpyArray),
    (&["numpy"], "dtype", Function::NumpyDtype),
    (&[JIT], "build_intlist", Function::BuildList),
    (&[JIT], "build_doublelist", Function::BuildList),
    (&[JIT], "build_boollist", Function::BuildList),
    (&[JIT], "build_tensorlist", Function::BuildList),
    (&[JIT], "restore_type_tag", Function::BuildList),
];

/// Where TorchScript has the functions that tell a list's elements.
const JIT: &str = "torch.jit._pickle";
/// Under which name TorchScript has the classes that a file defines itself.
const SCRIPT: &str = "__torch__";

const MULTIARRAY: [&str; 2] = ["numpy.core.multiarray", "numpy._core.multiarray"];

impl Function {
    /// What `module.name` stands for, if it is on the list.
    pub(super) fn find(module: &str, name: &str) -> Option<Self> {
        if module == SCRIPT || module.strip_prefix(SCRIPT).is_some_and(|rest| rest.starts_with('.'))
        {
            return Some(Self::Script);
        }
        ALLOWED
            .iter()
            .find(|(modules, known, _)| *known == name && modules.contains(&module))
            .map(|(_, _, function)| *function)
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = ALLOWED.iter().find(|(_, _, function)| function == self);
        match known {
            Some((modules, name, _)) => write!(f, "{}.{name}", modules[0]),
            None if *self == Self::Script => f.write_str("a TorchScript module"),
            None => fmt::Debug::fmt(self, f),
        }
    }
}

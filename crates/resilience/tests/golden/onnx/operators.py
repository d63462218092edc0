"""The operators of ONNX, one small graph after the other, in float64.

    python operators.py       (onnx 1.23, onnxruntime 1.32, numpy; writes <family>.json beside it)

A case is a graph whose only input is `x`, float64, of the shape given, element i = signed(stream, i) with the
formulas of ../formula.py, times `scale`. The graph is in the fixture as the hexadecimal bytes of its file, so
that the case is what a file says. The output is that of onnx.reference.ReferenceEvaluator, ONNX's own in NumPy,
in float64. Another runtime is asked too: onnxruntime, the same graph in float32; where the two do not agree
within 2e-5 the generator fails, unless the case says by `only` which of them is asked: in old versions and
odd settings ReferenceEvaluator is wrong (it takes an opset before 9 for a newer one, and puts uneven pads on
the wrong side), or onnxruntime has no kernel.

Fixture: a list of cases: `name`, `model`, `shape`, `stream`, `scale`, `tolerance` (1e-9 but for constants that
the reference has in float32, or 2e-6 where the float32 of onnxruntime is the only reference), `size` (the output's shape), `output` (its numbers in
row-major order).
"""

import os
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import formula  # noqa: E402

ALL = {}


def node(operator, inputs, outputs=("y",), **attributes):
    return helper.make_node(operator, list(inputs), list(outputs), **attributes)


def graph(nodes, tensors, shape, opset, floats):
    """A model of these nodes; floats among the tensors are of the kind given."""
    kind = np.dtype(floats)

    def cast(array):
        array = np.asarray(array)
        return array.astype(kind) if array.dtype.kind == "f" else array

    def cast_node(n):
        n = onnx.NodeProto.FromString(n.SerializeToString())
        for a in n.attribute:
            if a.type == onnx.AttributeProto.TENSOR:
                value = numpy_helper.to_array(a.t)
                if a.t.name != "float32":
                    a.t.CopyFrom(numpy_helper.from_array(cast(value), a.t.name))
            if n.op_type == "Cast" and a.name == "to" and a.i == TensorProto.DOUBLE:
                a.i = helper.np_dtype_to_tensor_dtype(kind)
        return n

    element = helper.np_dtype_to_tensor_dtype(kind)
    made = helper.make_graph(
        [cast_node(n) for n in nodes],
        "g",
        [helper.make_tensor_value_info("x", element, shape)],
        [helper.make_tensor_value_info("y", element, None)],
        [numpy_helper.from_array(cast(value), name) for name, value in tensors.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return model


def case(family, name, nodes, shape, tensors=None, opset=13, scale=2.0, only=None, tolerance=1e-9):
    nodes, tensors = ([nodes] if not isinstance(nodes, list) else nodes), tensors or {}
    cases = ALL.setdefault(family, [])
    stream = 9000 + 100 * len(ALL) + len(cases)
    x = formula.signed(stream, shape).numpy() * scale
    model = graph(nodes, tensors, shape, opset, np.float64)
    found = {}
    try:
        found["reference"] = ReferenceEvaluator(model).run(None, {"x": x})[0]
    except Exception as error:  # noqa: BLE001
        found["reference"] = error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        single = graph(nodes, tensors, shape, opset, np.float32)
        session = onnxruntime.InferenceSession(single.SerializeToString(), options)
        found["onnxruntime"] = session.run(None, {"x": x.astype(np.float32)})[0]
    except Exception as error:  # noqa: BLE001
        found["onnxruntime"] = error
    missing = [who for who, value in found.items() if isinstance(value, Exception)]
    if only is None and missing:
        raise SystemExit(f"{family}, {name}, opset {opset}: {missing[0]}: {found[missing[0]]}")
    if only is None:
        a, b = found["reference"], found["onnxruntime"]
        if a.shape != b.shape or np.abs(a - b).max() > 2e-5 * max(1, np.abs(a).max()):
            raise SystemExit(f"{family}, {name}, opset {opset}: {a} is not {b}")
    value = found[only or "reference"]
    if isinstance(value, Exception) or not np.isfinite(value).all():
        raise SystemExit(f"{family}, {name}, opset {opset}: {value}")
    cases.append(
        {
            "name": f"{name}, opset {opset}" + (", float32" if only == "onnxruntime" else ""),
            "model": model.SerializeToString().hex(),
            "shape": list(shape),
            "stream": stream,
            "scale": scale,
            "tolerance": 2e-6 if only == "onnxruntime" else tolerance,
            "size": list(value.shape),
            "output": value.astype(np.float64).reshape(-1).tolist(),
        }
    )


def numbers(stream, *shape):
    return formula.signed(stream, shape).numpy()


def ints(*values):
    return np.array(values, dtype=np.int64)


def convolutions():
    f, i = "conv", (2, 4, 6, 5)
    w, b = numbers(1, 3, 4, 3, 3), numbers(2, 3)
    t = {"w": w, "b": b}
    case(f, "plain", node("Conv", "xw"), i, t, 7)
    case(f, "bias", node("Conv", "xwb", pads=[1, 1, 1, 1]), i, t, 11)
    case(f, "stride", node("Conv", "xwb", strides=[2, 1], pads=[1, 0, 1, 0]), i, t, 13)
    case(f, "uneven pads", node("Conv", "xwb", strides=[2, 2], pads=[0, 1, 2, 0]), i, t, 13)
    case(f, "dilation", node("Conv", "xw", dilations=[2, 1]), i, t, 13)
    case(f, "groups", node("Conv", "xw", group=2), i, {"w": numbers(3, 6, 2, 3, 3)}, 13)
    case(f, "depthwise", node("Conv", "xw", group=4, pads=[1] * 4), i, {"w": numbers(4, 4, 1, 3, 3)}, 22)
    case(f, "same upper", node("Conv", "xw", auto_pad="SAME_UPPER", strides=[2, 2]), i, t, 13)
    case(f, "same lower", node("Conv", "xw", auto_pad="SAME_LOWER", strides=[2, 2]), i, t, 13)
    case(f, "valid", node("Conv", "xw", auto_pad="VALID"), i, t, 13)
    case(f, "one dimension", node("Conv", "xw", pads=[1, 1]), (2, 4, 7), {"w": numbers(5, 3, 4, 3)}, 13)
    v = {"w": numbers(6, 4, 2, 3, 3), "b": numbers(7, 2)}
    case(f, "transposed", node("ConvTranspose", "xwb", strides=[2, 2]), (2, 4, 3, 3), v, 11)
    case(
        f,
        "transposed with pads",
        node("ConvTranspose", "xw", strides=[2, 2], pads=[1] * 4, output_padding=[1, 1]),
        (2, 4, 3, 3),
        v,
        13,
    )


def products():
    f = "linear"
    t = {"w": numbers(10, 5, 4), "v": numbers(11, 4, 5), "b": numbers(12, 5), "c": numbers(13, 3, 5)}
    case(f, "gemm turned", node("Gemm", "xwb", transB=1), (3, 4), t, 7)
    case(f, "gemm", node("Gemm", "xvb"), (3, 4), t, 13)
    case(f, "gemm of everything", node("Gemm", "xvc", transA=1, alpha=0.5, beta=2.0), (4, 3), t, 13)
    case(f, "gemm without bias", node("Gemm", "xv", alpha=0.5), (3, 4), t, 11)
    case(f, "matmul", node("MatMul", "xv"), (2, 3, 4), t, 13)
    case(f, "matmul of batches", node("MatMul", "xu"), (2, 3, 4), {"u": numbers(14, 2, 4, 3)}, 13)
    case(f, "matmul of a row", node("MatMul", "xu"), (2, 3, 4), {"u": numbers(15, 4)}, 13)
    case(f, "einsum", node("Einsum", "xu", equation="bij, bkj -> bik"), (2, 3, 4), {"u": numbers(16, 2, 5, 4)}, 13)


def norms():
    f, i = "norm", (2, 4, 3, 3)
    t = {
        "s": numbers(20, 4),
        "b": numbers(21, 4),
        "m": numbers(22, 4),
        "v": np.abs(numbers(23, 4)) + 0.3,
    }
    case(f, "batch norm", node("BatchNormalization", "xsbmv", epsilon=1e-3), i, t, 9, only="onnxruntime")
    case(f, "batch norm", node("BatchNormalization", "xsbmv"), i, t, 15)
    case(f, "batch norm of features", node("BatchNormalization", "xsbmv"), (3, 4), t, 15)
    case(f, "instance norm", node("InstanceNormalization", "xsb", epsilon=1e-3), i, t, 13)
    w = {"s": numbers(24, 3), "b": numbers(25, 3), "u": numbers(26, 3, 3), "c": numbers(27, 3, 3)}
    case(f, "layer norm", node("LayerNormalization", "xsb"), i, w, 17)
    case(f, "layer norm without bias", node("LayerNormalization", "xs", epsilon=1e-3), i, w, 17)
    case(f, "layer norm over two", node("LayerNormalization", "xuc", axis=2), i, w, 17)
    g = {"s": numbers(28, 4), "b": numbers(29, 4)}
    # The reference takes means in float32, as `stash_type` says.
    case(f, "group norm", node("GroupNormalization", "xsb", num_groups=2), i, g, 21, tolerance=1e-6)
    h = {"s": numbers(28, 2), "b": numbers(29, 2)}
    case(f, "group norm", node("GroupNormalization", "xsb", num_groups=2), i, h, 18)
    case(f, "rms norm", node("RMSNormalization", "xs"), i, w, 23)
    case(f, "vectors of length 1", node("LpNormalization", "x", axis=1), i, {}, 13)
    empty = [node("Sub", "xx", "e"), node("LpNormalization", "e", "n", axis=1), node("Add", "nx")]
    case(f, "vectors of length 0", empty, i, {}, 13, only="onnxruntime")


def activations():
    f, i = "activation", (2, 3, 4)
    for name, opset, attributes in [
        ("Relu", 7, {}),
        ("Relu", 14, {}),
        ("LeakyRelu", 13, {"alpha": 0.2}),
        ("LeakyRelu", 16, {}),
        ("ThresholdedRelu", 13, {"alpha": 0.5}),
        ("Elu", 13, {"alpha": 0.7}),
        ("Selu", 13, {}),
        ("Celu", 13, {"alpha": 0.7}),
        ("Sigmoid", 13, {}),
        ("HardSigmoid", 13, {}),
        ("HardSigmoid", 13, {"alpha": 1 / 6, "beta": 0.5}),
        ("HardSwish", 14, {}),
        ("Softplus", 13, {}),
        ("Softsign", 13, {}),
        ("Tanh", 13, {}),
        ("Gelu", 20, {}),
        ("Gelu", 20, {"approximate": "tanh"}),
        ("Mish", 18, {}),
        ("Clip", 7, {"min": -0.5, "max": 0.75}),
        ("Swish", 24, {"alpha": 1.5}),
    ]:
        # The reference has 1/6 and erf in float32.
        near = 1e-7 if name in ("HardSwish", "Gelu") else 1e-9
        case(f, f"{name} {attributes}", node(name, "x", **attributes), i, {}, opset, 4.0, tolerance=near)
    case(f, "PRelu", node("PRelu", "xs"), i, {"s": numbers(30, 3, 1)}, 13, 4.0)
    low, high = np.float64(-0.5), np.float64(0.75)
    case(f, "Clip", node("Clip", ["x", "l", "h"]), i, {"l": low, "h": high}, 13)
    case(f, "Clip from above", node("Clip", ["x", "", "h"]), i, {"h": high}, 13)
    case(f, "Softmax", node("Softmax", "x", axis=1), i, {}, 13)
    case(f, "Softmax over the rest", node("Softmax", "x", axis=1), i, {}, 11, only="onnxruntime")
    case(f, "LogSoftmax", node("LogSoftmax", "x"), i, {}, 13)
    case(f, "LogSoftmax over the rest", node("LogSoftmax", "x"), i, {}, 9, only="onnxruntime")


def pools():
    f, i = "pool", (2, 2, 6, 5)
    k = {"kernel_shape": [3, 3]}
    case(f, "max", node("MaxPool", "x", strides=[2, 2], **k), i, {}, 8)
    case(f, "max with pads", node("MaxPool", "x", strides=[2, 2], pads=[1] * 4, **k), i, {}, 12)
    case(f, "max with uneven pads", node("MaxPool", "x", pads=[0, 1, 2, 0], **k), i, {}, 12, only="onnxruntime")
    case(f, "max with dilation", node("MaxPool", "x", dilations=[2, 1], **k), i, {}, 12)
    case(f, "max rounded up", node("MaxPool", "x", strides=[2, 2], ceil_mode=1, kernel_shape=[2, 2]), i, {}, 12)
    case(f, "max same", node("MaxPool", "x", strides=[2, 2], auto_pad="SAME_UPPER", **k), i, {}, 12)
    case(f, "max in one dimension", node("MaxPool", "x", kernel_shape=[2]), (2, 3, 6), {}, 12)
    case(f, "mean", node("AveragePool", "x", strides=[2, 2], **k), i, {}, 7)
    case(f, "mean with pads", node("AveragePool", "x", pads=[1] * 4, **k), i, {}, 11)
    case(f, "mean with pads that count", node("AveragePool", "x", pads=[1] * 4, count_include_pad=1, **k), i, {}, 19)
    case(f, "mean with uneven pads", node("AveragePool", "x", pads=[0, 0, 1, 1], **k), i, {}, 11)
    case(f, "mean same", node("AveragePool", "x", strides=[2, 2], auto_pad="SAME_UPPER", **k), i, {}, 11)
    case(f, "mean in one dimension", node("AveragePool", "x", kernel_shape=[2]), (2, 3, 6), {}, 11)
    case(f, "mean of all", node("GlobalAveragePool", "x"), i, {}, 7)
    case(f, "max of all", node("GlobalMaxPool", "x"), i, {}, 7)


def margins():
    f, i = "pad", (1, 2, 4, 3)
    pads = [0, 0, 1, 2, 0, 1, 2, 0]
    case(f, "constant", node("Pad", "x", pads=pads, value=0.5), i, {}, 7)
    case(f, "constant", node("Pad", ["x", "p", "v"]), i, {"p": ints(*pads), "v": np.float64(0.5)}, 13)
    case(f, "cut", node("Pad", ["x", "p"]), i, {"p": ints(0, 0, -1, 0, 0, 0, 2, -1)}, 13, only="onnxruntime")
    inner = [0, 0, 1, 2, 0, 0, 2, 0]
    case(f, "reflect", node("Pad", ["x", "p"], mode="reflect"), i, {"p": ints(*inner)}, 13)
    case(f, "edge", node("Pad", ["x", "p"], mode="edge"), i, {"p": ints(*inner)}, 13)
    case(f, "wrap", node("Pad", ["x", "p"], mode="wrap"), i, {"p": ints(*inner)}, 19)
    case(f, "axes", node("Pad", ["x", "p", "", "a"]), i, {"p": ints(1, 2, 0, 1), "a": ints(3, -2)}, 18)


def sizes():
    f, i = "resize", (1, 2, 3, 4)
    to = {"z": ints(1, 2, 5, 7)}
    half = {"z": ints(1, 2, 2, 3)}
    for name, attributes in [
        ("nearest", {"mode": "nearest"}),
        ("nearest asymmetric floor", {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}),
        ("nearest ceil", {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "ceil"}),
        ("nearest prefer ceil", {"mode": "nearest", "nearest_mode": "round_prefer_ceil"}),
        ("linear", {"mode": "linear"}),
        ("linear aligned", {"mode": "linear", "coordinate_transformation_mode": "align_corners"}),
        ("linear pytorch", {"mode": "linear", "coordinate_transformation_mode": "pytorch_half_pixel"}),
        ("linear asymmetric", {"mode": "linear", "coordinate_transformation_mode": "asymmetric"}),
        ("cubic", {"mode": "cubic"}),
        ("cubic excluding", {"mode": "cubic", "exclude_outside": 1, "cubic_coeff_a": -0.5}),
        ("cubic aligned", {"mode": "cubic", "coordinate_transformation_mode": "align_corners"}),
    ]:
        # The reference has the weights of the cubic in float32.
        near = 5e-6 if attributes["mode"] == "cubic" else 1e-9
        case(f, f"{name} larger", node("Resize", ["x", "", "", "z"], **attributes), i, to, 13, tolerance=near)
        case(f, f"{name} smaller", node("Resize", ["x", "", "", "z"], **attributes), i, half, 18, tolerance=near)
    # Factors are float32 whatever the image is: as a constant that no cast touches.
    for name, scale in [("nearest", [1, 1, 2, 2]), ("linear", [1, 1, 2, 1.5]), ("cubic", [1, 1, 0.7, 1.6])]:
        fixed = numpy_helper.from_array(np.array(scale, np.float32), "float32")
        factors = node("Constant", [], "s", value=fixed)
        near = 5e-6 if name == "cubic" else 1e-9
        by_factors = [factors, node("Resize", ["x", "", "s"], mode=name)]
        case(f, f"{name} by factors", by_factors, i, {}, 13, tolerance=near)
        if name != "cubic":
            case(f, f"{name} as it was", [factors, node("Resize", "xs", mode=name)], i, {}, 10, only="onnxruntime")
            case(f, f"{name} upsampled", [factors, node("Upsample", "xs", mode=name)], i, {}, 9, only="onnxruntime")
    # Ten times 0.7 is 7 in float32, and less in float64; the other way round with 10/6.
    fixed = numpy_helper.from_array(np.array([1, 1, 0.7, 10 / 6], np.float32), "float32")
    factors = node("Constant", [], "s", value=fixed)
    for mode in ("nearest", "linear"):
        rounded = [factors, node("Resize", ["x", "", "s"], mode=mode)]
        case(f, f"{mode} by factors that round", rounded, (1, 2, 10, 6), {}, 13, only="onnxruntime")
    old = [factors, node("Resize", "xs", mode="nearest")]
    case(f, "nearest as it was, by factors that round", old, (1, 2, 10, 6), {}, 10, only="onnxruntime")
    axes = {"z": ints(5, 7)}
    case(f, "axes", node("Resize", ["x", "", "", "z"], mode="linear", axes=[2, 3]), i, axes, 18)


def shapes():
    f, i = "shape", (2, 3, 4)
    case(f, "reshape", node("Reshape", "xs"), i, {"s": ints(0, -1)}, 7)
    case(f, "reshape", node("Reshape", "xs"), i, {"s": ints(4, 0, 2)}, 13)
    case(f, "flatten", node("Flatten", "x"), i, {}, 9)
    case(f, "flatten all", node("Flatten", "x", axis=0), i, {}, 13)
    case(f, "flatten from behind", node("Flatten", "x", axis=-1), i, {}, 13)
    case(f, "squeeze", node("Squeeze", "x", axes=[1]), (2, 1, 3, 1), {}, 11)
    case(f, "squeeze", node("Squeeze", "xa"), (2, 1, 3, 1), {"a": ints(-1, 1)}, 13)
    case(f, "squeeze all", node("Squeeze", "x"), (2, 1, 3, 1), {}, 13)
    case(f, "unsqueeze", node("Unsqueeze", "x", axes=[0, 3]), i, {}, 11)
    case(f, "unsqueeze", node("Unsqueeze", "xa"), i, {"a": ints(-1, 1)}, 13)
    case(f, "transpose", node("Transpose", "x", perm=[2, 0, 1]), i, {}, 13)
    case(f, "transpose all", node("Transpose", "x"), i, {}, 13)
    case(f, "expand", node("Expand", "xs"), (2, 1, 4), {"s": ints(3, 1)}, 13)
    case(f, "expand further", node("Expand", "xs"), (3, 1), {"s": ints(2, 1, 4)}, 13)
    case(f, "tile", node("Tile", "xs"), i, {"s": ints(1, 2, 2)}, 13)
    case(f, "identity", node("Identity", "x"), i, {}, 13)
    case(f, "dropout", node("Dropout", "x", ratio=0.5), i, {}, 10)
    case(f, "dropout", node("Dropout", "xr"), i, {"r": np.float32(0.5)}, 13, only="reference")
    case(f, "depth to space", node("DepthToSpace", "x", blocksize=2), (1, 8, 2, 3), {}, 13)
    case(f, "depth to space by columns", node("DepthToSpace", "x", blocksize=2, mode="CRD"), (1, 8, 2, 3), {}, 13)
    case(f, "space to depth", node("SpaceToDepth", "x", blocksize=2), (1, 2, 4, 6), {}, 13)
    chain = [
        node("Shape", "x", "s"),
        node("Gather", ["s", "zero"], "n"),
        node("Unsqueeze", ["n", "front"], "u"),
        node("Concat", ["u", "rest"], "t", axis=0),
        node("Reshape", ["x", "t"]),
    ]
    t = {"zero": np.int64(0), "front": ints(0), "rest": ints(-1)}
    case(f, "reshape by a computed shape", chain, i, t, 13)
    size = [node("Size", "x", "s"), node("Cast", "s", "f", to=TensorProto.DOUBLE), node("Div", "xf")]
    case(f, "size", size, i, {}, 13)
    part = [node("Shape", "x", "s", start=1), node("ConstantOfShape", "s", "o"), node("Add", "xo")]
    part[1].attribute.append(
        helper.make_attribute("value", numpy_helper.from_array(np.array([1.5])))
    )
    case(f, "constant of a computed shape", part, i, {}, 15)
    case(f, "floor of a computed shape", [
        node("Shape", "x", "s"),
        node("Cast", "s", "f", to=TensorProto.DOUBLE),
        node("Mul", ["f", "half"], "h"),
        node("Floor", "h", "d"),
        node("Cast", "d", "i", to=TensorProto.INT64),
        node("Slice", ["x", "begin", "i"]),
    ], i, {"half": np.float64(0.7), "begin": ints(0, 0, 0)}, 13)
    masked = [node("Dropout", "x", ("d", "mask")), node("Identity", "d")]
    case(f, "dropout with a mask that nobody reads", masked, (2, 3, 4), {}, 13)


def joins():
    f, i = "join", (2, 3, 4)
    c = {"c": numbers(40, 2, 3, 2)}
    case(f, "concat", node("Concat", "xc", axis=2), i, c, 7)
    case(f, "concat from behind", node("Concat", "cxc", axis=-1), i, c, 13)
    split = ["a", "b"]
    case(f, "split", [node("Split", "x", split, axis=2, split=[1, 3]), node("Concat", "ba", axis=2)], i, {}, 11)
    case(f, "split", [node("Split", "xs", split, axis=2), node("Concat", "ba", axis=2)], i, {"s": ints(3, 1)}, 13)
    case(f, "split in equal parts", [node("Split", "x", split, axis=2), node("Sub", "ba")], i, {}, 13)
    case(
        f,
        "split in unequal parts",
        [node("Split", "x", split, axis=1, num_outputs=2), node("Concat", "ba", axis=1)],
        i,
        {},
        18,
    )
    case(f, "slice", node("Slice", "x", axes=[1, 2], starts=[0, -3], ends=[2, 1000]), i, {}, 9)
    t = {"s": ints(0, -1), "e": ints(2, -1000), "a": ints(1, 2), "p": ints(1, -2)}
    case(f, "slice backwards", node("Slice", ["x", "s", "e", "a", "p"]), i, t, 13)
    case(f, "slice of the first", node("Slice", ["x", "s", "e"]), i, {"s": ints(1), "e": ints(2)}, 11)
    case(f, "gather", node("Gather", "xi", axis=1), i, {"i": ints(2, 0, -1)}, 13)
    case(f, "gather one", node("Gather", "xi", axis=1), i, {"i": np.int64(1)}, 13)
    case(f, "gather a table", node("Gather", "xi", axis=-1), i, {"i": ints(0, 1, 2, -4).reshape(2, 2)}, 11)
    case(f, "gather elements", node("GatherElements", "xi", axis=2), i, {"i": ints(0, 1, 2, 3, -1, 0).reshape(2, 3, 1)}, 13)
    case(f, "upper side", node("Trilu", "xk"), i, {"k": np.int64(1)}, 14)
    case(f, "lower side", node("Trilu", "x", upper=0), i, {}, 14)


def arithmetic():
    f, i = "arithmetic", (2, 3, 4)
    t = {"c": numbers(50, 3, 1) + 1.5, "d": numbers(51, 2, 3, 4)}
    for name in ("Add", "Sub", "Mul", "Div"):
        case(f, name, node(name, "xc"), i, t, 7)
    case(f, "Sub turned", node("Sub", "cx"), i, t, 14)
    # Of constants alone: of pixels it is refused.
    case(f, "Mod", [node("Mod", "dc", "m", fmod=1), node("Add", "xm")], i, t, 13)
    case(f, "Pow", node("Pow", "xe"), i, {"e": np.float64(3.0)}, 13)
    case(f, "Pow with whole numbers", node("Pow", "xe"), i, {"e": np.int64(2)}, 15)
    case(f, "Pow of all", [node("Exp", "x", "e"), node("Pow", "ed")], i, t, 13)
    for name in ("Max", "Min", "Sum", "Mean"):
        case(f, name, node(name, "xdx"), i, t, 13)
    for name in ("Abs", "Cos", "Erf", "Exp", "Neg", "Reciprocal", "Sin"):
        case(f, name, node(name, "x"), i, {}, 13, tolerance=1e-7 if name == "Erf" else 1e-9)
    for name in ("Log", "Sqrt"):
        case(f, name, [node("Exp", "x", "e"), node(name, "e")], i, {}, 13)
    for name, opset in (("Greater", 9), ("Less", 13), ("GreaterOrEqual", 16), ("LessOrEqual", 16)):
        case(f, name, [node(name, "xd", "m"), node("Where", "mxd")], i, t, opset)
    for name in ("And", "Or", "Xor"):
        both = [node("Greater", "xd", "m"), node("Less", "xc", "n"), node(name, "mn", "k"), node("Where", "kxd")]
        case(f, name, both, i, t, 13)
    case(f, "Not", [node("Greater", "xd", "m"), node("Not", "m", "k"), node("Where", "kxd")], i, t, 13)
    case(f, "Equal", [node("Equal", "aa", "m"), node("Where", "mxd")], i, {**t, "a": ints(1)}, 13)
    case(f, "IsNaN", [node("IsNaN", "x", "m"), node("Where", "mdx")], i, t, 13)
    cast = [node("Cast", "a", "f", to=TensorProto.DOUBLE), node("Mul", "xf")]
    case(f, "Cast", cast, i, {"a": ints(3)}, 13)
    case(f, "CastLike", [node("CastLike", "ax", "f"), node("Mul", "xf")], i, {"a": ints(3)}, 15, only="reference")
    fixed = node("Constant", [], "c", value=numpy_helper.from_array(numbers(52, 3, 1)))
    case(f, "Constant", [fixed, node("Add", "xc")], i, {}, 13)
    ramp = [node("Range", "abc", "r"), node("Cast", "r", "f", to=TensorProto.DOUBLE), node("Add", "xf")]
    case(f, "Range", ramp, i, {"a": np.int64(7), "b": np.int64(-1), "c": np.int64(-2)}, 13)
    whole = [node("Div", "ab", "q"), node("Cast", "q", "f", to=TensorProto.DOUBLE), node("Add", "xf")]
    case(f, "Div of whole numbers", whole, i, {"a": ints(7), "b": ints(2)}, 13)
    dequantised = [node("DequantizeLinear", "qsz", "f", axis=0), node("Add", "xf")]
    q = {"q": np.array([[1, -3], [7, 100], [0, -128]], np.int8).repeat(2, 1), "z": np.array([1, 0, -5], np.int8)}
    case(f, "weights stored as int8", dequantised, i, {**q, "s": np.abs(numbers(53, 3))}, 21)


def reductions():
    f, i = "reduce", (2, 3, 4)
    for name in ("Mean", "Sum", "Max", "Min", "Prod", "L1", "L2", "SumSquare", "LogSumExp"):
        case(f, name, node(f"Reduce{name}", "x", axes=[1, -1]), i, {}, 11)
        case(f, f"{name} of all", node(f"Reduce{name}", "x", keepdims=0), i, {}, 13)
        case(f, name, node(f"Reduce{name}", "xa", keepdims=0), i, {"a": ints(1)}, 18)
    logs = [node("Exp", "x", "e"), node("ReduceLogSum", "ea")]
    case(f, "LogSum", logs, i, {"a": ints(2)}, 18)
    case(f, "nothing", node("ReduceSum", "x", noop_with_empty_axes=1), i, {}, 13)
    case(f, "squares over nothing", node("ReduceSumSquare", "x", noop_with_empty_axes=1), i, {}, 18, only="onnxruntime")


if __name__ == "__main__":
    for family in (
        convolutions, products, norms, activations, pools, margins, sizes, shapes, joins, arithmetic, reductions
    ):
        family()
    for family, cases in ALL.items():
        formula.write(os.path.join(HERE, f"{family}.json"), cases)
        print(family, len(cases))

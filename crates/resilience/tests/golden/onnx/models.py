"""Whole networks as exporters write them: weights by PyTorch's own initialisation, seed 0.

    python models.py          (PyTorch 2.11, onnx 1.23, onnxscript 0.7, onnxruntime 1.32; writes <name>.onnx and
                               models.json beside it)

Small networks of the kinds that are common: a multilayer perceptron, a residual network, the blocks of
MobileNetV2 and V3, a vision transformer, a ConvNeXt block, and the residual network as a graph that takes
[n,h,w,c]. Batch norm has statistics that do something. Each is exported by one or both exporters of
torch.onnx.export (TorchScript, dynamo), for one image or any number. Images [3,3,16,16] = unit(stream 9900, i).

Fixture: for each file `name`; `logits` [3, 7] of onnxruntime, image by image where the file is for one image;
`float64`: the logits of the network in PyTorch in float64, and the digest (sum, norm, product with
signed(9901, i), first eight) of the gradient of its cross-entropy at the labels 1, 4, 6 with respect to the
images; `together`: whether three images at once can be computed.
"""

import os
import sys
import warnings

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import formula  # noqa: E402

CLASSES = 7


class Mlp(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.AvgPool2d(2), nn.Flatten(), nn.Linear(192, 16), nn.Tanh(), nn.Linear(16, 12), nn.LeakyReLU(),
            nn.Dropout(), nn.Linear(12, CLASSES)
        )


class Block(nn.Module):
    def __init__(self, before, after):
        super().__init__()
        stride = 1 if before == after else 2
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.around = nn.Sequential()
        if stride == 2:
            self.around = nn.Sequential(nn.Conv2d(before, after, 1, 2, bias=False), nn.BatchNorm2d(after))

    def forward(self, x):
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + self.around(x))


class ResNet(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Conv2d(3, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(3, 2, 1),
            Block(8, 8), Block(8, 12), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, CLASSES)
        )


class PreActivation(nn.Module):
    """Batch norm before the convolution stays batch norm."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, 2, 1)
        self.bn1 = nn.BatchNorm2d(8)
        self.inner = nn.Conv2d(8, 8, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(8)
        self.last = nn.Linear(8, CLASSES)

    def forward(self, x):
        x = self.conv(x)
        x = x + self.inner(F.relu(self.bn1(x)))
        return self.last(F.relu(self.bn2(x)).mean((2, 3)))


class Inverted(nn.Module):
    """The block of MobileNetV2, or with squeeze and excitation and hard swish that of V3."""

    def __init__(self, width, act, squeeze):
        super().__init__()
        inner = 2 * width
        self.expand = nn.Sequential(nn.Conv2d(width, inner, 1, bias=False), nn.BatchNorm2d(inner), act())
        self.depth = nn.Sequential(
            nn.Conv2d(inner, inner, 3, 1, 1, groups=inner, bias=False), nn.BatchNorm2d(inner), act()
        )
        self.squeeze = None
        if squeeze:
            self.squeeze = nn.Sequential(
                nn.AdaptiveAvgPool2d(1), nn.Conv2d(inner, 4, 1), nn.ReLU(), nn.Conv2d(4, inner, 1), nn.Hardsigmoid()
            )
        self.project = nn.Sequential(nn.Conv2d(inner, width, 1, bias=False), nn.BatchNorm2d(width))

    def forward(self, x):
        y = self.depth(self.expand(x))
        if self.squeeze is not None:
            y = y * self.squeeze(y)
        return x + self.project(y)


class MobileNet(nn.Sequential):
    def __init__(self, act, squeeze):
        super().__init__(
            nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), act(), Inverted(8, act, squeeze),
            Inverted(8, act, squeeze), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, CLASSES)
        )


class Layer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x):
        n, t, c = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(n, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        a = (q @ k.transpose(-2, -1) * (c // self.heads) ** -0.5).softmax(-1)
        x = x + self.out((a @ v).transpose(1, 2).reshape(n, t, c))
        return x + self.mlp(self.norm2(x))


class Vit(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(3, 12, 4, 4)
        self.token = nn.Parameter(torch.randn(1, 1, 12))
        self.place = nn.Parameter(torch.randn(1, 17, 12) / 4)
        self.layers = nn.Sequential(Layer(12, 2), Layer(12, 2))
        self.norm, self.last = nn.LayerNorm(12), nn.Linear(12, CLASSES)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.place
        return self.last(self.norm(self.layers(x))[:, 0])


class TorchVit(nn.Module):
    """PyTorch's own layer, whose attention has the images in the second dimension."""

    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(3, 12, 4, 4)
        self.layer = nn.TransformerEncoderLayer(12, 2, 24, activation="gelu", batch_first=True, norm_first=True)
        self.last = nn.Linear(12, CLASSES)

    def forward(self, x):
        return self.last(self.layer(self.patch(x).flatten(2).transpose(1, 2)).mean(1))


class ConvNext(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 2, 2)
        self.depth = nn.Conv2d(8, 8, 7, 1, 3, groups=8)
        self.norm = nn.LayerNorm(8, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(8, 32), nn.GELU(), nn.Linear(32, 8))
        self.scale = nn.Parameter(torch.full((8,), 0.5))
        self.last = nn.Linear(8, CLASSES)

    def forward(self, x):
        x = self.stem(x)
        y = self.mlp(self.norm(self.depth(x).permute(0, 2, 3, 1))) * self.scale
        x = x + y.permute(0, 3, 1, 2)
        x = F.interpolate(x, size=(5, 5), mode="bilinear", align_corners=False)
        return self.last(F.pad(x, (1, 0, 0, 1)).mean((2, 3)))


def made(make):
    torch.manual_seed(0)
    network = make()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.3)
    return network.eval()


def last_channels(path):
    """The same network for [n,h,w,c], as converters from other frameworks write it."""
    model = onnx.load(path)
    given = model.graph.input[0]
    name = given.name
    turn = helper.make_node("Transpose", ["nhwc"], [name], perm=[0, 3, 1, 2])
    model.graph.node.insert(0, turn)
    batch = given.type.tensor_type.shape.dim[0]
    sides = [batch.dim_param or batch.dim_value, 16, 16, 3]
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("nhwc", TensorProto.FLOAT, sides))
    onnx.checker.check_model(model)
    onnx.save(model, path)


def export(name, make, *, dynamo, free, opset, nhwc=False, folding=True):
    network, path = made(make), os.path.join(HERE, f"{name}.onnx")
    x = formula.unit(9900, (3, 3, 16, 16))
    first = x[:1].float() if not free else x[:2].float()
    arguments = {"input_names": ["images"], "output_names": ["logits"], "opset_version": opset}
    if dynamo:
        shapes = ({0: torch.export.Dim("n", min=1)},) if free else None
        torch.onnx.export(network, (first,), path, dynamo=True, dynamic_shapes=shapes, external_data=False,
                          verbose=False, **arguments)
    else:
        axes = {"images": {0: "n"}, "logits": {0: "n"}} if free else None
        training = torch.onnx.TrainingMode.EVAL if folding else torch.onnx.TrainingMode.PRESERVE
        torch.onnx.export(network, first, path, dynamo=False, dynamic_axes=axes, training=training,
                          do_constant_folding=folding, **arguments)
    model = onnx.load(path)
    # What a person reads, and what tells where it was made.
    for one in [model, model.graph, *model.graph.node]:
        one.ClearField("doc_string")
        del one.metadata_props[:]
    for value in [*model.graph.input, *model.graph.output, *model.graph.initializer]:
        value.ClearField("doc_string")
        del value.metadata_props[:]
    del model.graph.value_info[:]
    onnx.save(model, path)
    if nhwc:
        last_channels(path)
    session = onnxruntime.InferenceSession(path)
    feed = x.float().permute(0, 2, 3, 1).contiguous() if nhwc else x.float()
    ask = lambda rows: session.run(None, {session.get_inputs()[0].name: rows.numpy()})[0]  # noqa: E731
    logits = ask(feed) if free else np.concatenate([ask(row) for row in feed.split(1)])
    double, x = network.double(), x.clone().requires_grad_()
    z = double(x)
    (gradient,) = torch.autograd.grad(F.cross_entropy(z, torch.tensor([1, 4, 6])), x)
    apart = np.abs(z.detach().numpy() - logits).max()
    print(name, os.path.getsize(path), sorted({n.op_type for n in onnx.load(path).graph.node}), apart)
    assert apart < 1e-4 * np.abs(logits).max(), apart
    return {
        "name": name,
        "logits": logits.astype(float).tolist(),
        "float64": {"logits": z.tolist(), "gradient": formula.digest(gradient, 9901)},
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    old, new = {"dynamo": False}, {"dynamo": True}
    six, swish = nn.ReLU6, nn.Hardswish
    cases = [
        export("mlp-one", Mlp, **old, free=False, opset=9),
        export("mlp", Mlp, **new, free=True, opset=18),
        export("resnet-one", ResNet, **old, free=False, opset=11),
        export("resnet-unfolded", ResNet, **old, free=True, opset=13, folding=False),
        export("resnet", ResNet, **new, free=True, opset=20),
        export("resnet-nhwc", ResNet, **old, free=False, opset=13, nhwc=True),
        export("preact", PreActivation, **old, free=False, opset=7),
        export("mobilenet-v2", lambda: MobileNet(six, False), **old, free=True, opset=10),
        export("mobilenet-v3-one", lambda: MobileNet(swish, True), **old, free=False, opset=14),
        export("mobilenet-v3", lambda: MobileNet(swish, True), **new, free=True, opset=18),
        export("vit-one", Vit, **old, free=False, opset=14),
        export("vit-old", Vit, **old, free=True, opset=17),
        export("vit", Vit, **new, free=True, opset=20),
        export("vit-torch-one", TorchVit, **old, free=False, opset=17),
        export("vit-torch", TorchVit, **old, free=True, opset=17),
        export("convnext-one", ConvNext, **old, free=False, opset=13),
        export("convnext", ConvNext, **new, free=True, opset=18),
    ]
    formula.write(os.path.join(HERE, "models.json"), cases)

"""Writes the PyTorch files of this folder; made with PyTorch 2.11 and Python 3.11.

Each holds the same state dict, with what real files have: every kind of number, a transposed
view, an offset into a storage, two tensors on one storage, a scalar, an empty tensor, a parameter.
"""

from collections import OrderedDict
from pathlib import Path

import torch

HERE = Path(__file__).parent
base = torch.arange(24, dtype=torch.float32) / 8
state = OrderedDict(
    transposed=base.view(4, 6).t(),
    offset=base[5:11].view(2, 3),
    strided=base.view(4, 6)[::2, 1::3],
    expanded=base[3:4].expand(2, 3),
    parameter=torch.nn.Parameter(torch.tensor([1.5, -2.5])),
    half=torch.tensor([0.5, -3.0], dtype=torch.float16),
    bfloat=torch.tensor([0.25, 7.0], dtype=torch.bfloat16),
    double=torch.tensor([[0.1], [0.2]], dtype=torch.float64),
    long=torch.tensor(-(2**40)),
    int=torch.tensor([-5, 6], dtype=torch.int32),
    short=torch.tensor([-300], dtype=torch.int16),
    char=torch.tensor([-3], dtype=torch.int8),
    byte=torch.tensor([200], dtype=torch.uint8),
    bool=torch.tensor([True, False]),
    empty=torch.zeros(0, 3),
)
wrapped = OrderedDict(("module." + name, tensor) for name, tensor in state.items())
torch.save(state, HERE / "zip.pth")
torch.save(state, HERE / "legacy.pth", _use_new_zipfile_serialization=False)
torch.save(
    {"epoch": 3, "best": torch.tensor(0.5), "optimizer": {"state": {}}, "state_dict": [wrapped]},
    HERE / "zip_wrapped_protocol_4.pth",
    pickle_protocol=4,
)
torch.save(
    {"net": {"_orig_mod." + name: tensor for name, tensor in state.items()}},
    HERE / "legacy_wrapped_protocol_5.pth",
    pickle_protocol=5,
    _use_new_zipfile_serialization=False,
)
torch.save(
    {"model_state_dict": state}, HERE / "legacy_protocol_3.pth", pickle_protocol=3,
    _use_new_zipfile_serialization=False,
)

# As certified training (Wong and Kolter) saves a network: layer numbers for names, the state dict
# alone in a list, and beside it a tensor that belongs to no network.
layers = OrderedDict(
    [("0.weight", base.view(2, 3, 2, 2)), ("0.bias", base[:2]), ("2.weight", base[4:8].view(1, 4))]
)
beside = {"err": torch.tensor(0.25), "epoch": 119, "sampler_indices": []}
torch.save({"state_dict": [layers], **beside}, HERE / "list_of_one.pth")
torch.save({"state_dict": [layers, layers], **beside}, HERE / "list_of_two.pth")
torch.save({"state_dict": [layers, 119], **beside}, HERE / "list_with_number.pth")

# Wrapped as often as it happens: a training script's key, a framework's, a list; a compiled model, saved
# in parallel, inside of another.
halves = {
    "conv.weight": torch.tensor([0.5, -3.0, 65504.0, 6e-8], dtype=torch.float16),
    "conv.bias": torch.tensor([0.25, -(2.0**100)], dtype=torch.bfloat16),
}


def prefixed(prefix):
    return {prefix + name: tensor for name, tensor in halves.items()}


torch.save(
    {"state_dict": {"model": [prefixed("_orig_mod.module.model.")]}, "epoch": 3},
    HERE / "nested_deep.pth",
)
torch.save(
    {
        "model": prefixed("module."),
        "ema": prefixed("module."),
        "last": halves,
        "optimizer": {"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"lr": 0.1}]},
    },
    HERE / "model_and_ema.pth",
    _use_new_zipfile_serialization=False,
)
torch.save({"ema": prefixed("model._orig_mod."), "decay": 0.999}, HERE / "ema_alone.pth")

"""Writes the seeds: for every fuzz target small files of the form, as the form's own library writes them.

    python3 fuzz/seeds/generate.py      (PyTorch 2.11, NumPy, ONNX 1.23, safetensors, Pillow)

The test `hostile::seeds` holds that each of them is taken by the parser of its folder's name, so that a form
that changes is noticed. Seeds that programs cannot write in a small form are put together here by hand.
"""

import gzip
import io
import json
import pickle
import sqlite3
import struct
import tarfile
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy
import onnx
import torch
from onnx import TensorProto, helper
from PIL import Image
from safetensors.numpy import save as save_safetensors

HERE = Path(__file__).parent
CORE = HERE.parent.parent / "crates" / "resilience-core"
ONES = (1980, 1, 1, 0, 0, 0)


def write(target: str, name: str, content: bytes | str) -> None:
    folder = HERE / target
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)


def zipped(entries: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """An archive whose bytes are the same each time."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name, ONES), content, method)
    return out.getvalue()


def saved(value: object, **options: object) -> bytes:
    out = io.BytesIO()
    torch.save(value, out, **options)
    return out.getvalue()


def repacked(file: bytes) -> bytes:
    """PyTorch's archive without the padding, which is most of a small one."""
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        wanted = [name for name in archive.namelist() if name.endswith(("data.pkl", "byteorder")) or "/data/" in name]
        entries = {name: archive.read(name) for name in wanted}
    return zipped(entries)


def weights() -> None:
    base = torch.arange(12, dtype=torch.float32) / 8
    state = OrderedDict(weight=base.reshape(3, 4).t(), bias=base[2:5].half(), n=torch.tensor(7))
    nested = {"state_dict": [OrderedDict(("module." + name, value) for name, value in state.items())], "epoch": 3}
    write("pth", "state.pth", repacked(saved(state)))
    write("pth", "nested.pth", repacked(saved(nested, pickle_protocol=4)))
    write("pth", "parameter.pth", repacked(saved({"w": torch.nn.Parameter(base[:2])})))
    for protocol in (2, 3, 5):
        legacy = saved(nested, _use_new_zipfile_serialization=False, pickle_protocol=protocol)
        write("pth_legacy", f"protocol{protocol}.pth", legacy)
    arrays = {"weight": numpy.arange(6, dtype="<f4").reshape(2, 3), "n": numpy.array(7)}
    write("safetensors", "two.safetensors", save_safetensors(arrays, {"format": "pt"}))
    values = [1, -2, 2**70, 1.5, True, None, "text", b"bytes", (1,), [2], {3}, {"a": "b"}]
    for protocol in range(6):
        write("pickle", f"protocol{protocol}.pkl", pickle.dumps(values, protocol))
    write("pickle", "bytearray.pkl", pickle.dumps(bytearray(b"b"), 5))
    write("pickle", "numpy.pkl", pickle.dumps({"data": numpy.arange(4, dtype="u1")}, 2))
    write("pickle", "ordered.pkl", pickle.dumps(OrderedDict(a=1), 2))
    # The storage 0 that the parser puts beside it has 64 bytes.
    floats = torch.zeros(16)
    with zipfile.ZipFile(io.BytesIO(saved({"w": floats[1:7].reshape(2, 3).t()}))) as archive:
        name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
        write("pth_pickle", "view.pkl", archive.read(name))
    with zipfile.ZipFile(io.BytesIO(saved({"model": {"module.w": floats}}))) as archive:
        name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
        write("pth_pickle", "nested.pkl", archive.read(name))


def graphs() -> None:
    def model(nodes: list, tensors: list, opset: int) -> bytes:
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in
                (("x", ["n", 3, 4, 4]), ("y", ["n", 2]))]
        graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], tensors)
        made = helper.make_model(graph, producer_name="seed", opset_imports=[helper.make_opsetid("", opset)])
        made.ir_version = 8
        onnx.checker.check_model(made)
        return made.SerializeToString()

    raw = helper.make_tensor("w", TensorProto.FLOAT, [2, 3, 1, 1], struct.pack("<6f", *range(6)), raw=True)
    shape = helper.make_tensor("s", TensorProto.INT64, [2], [0, -1])
    fc = helper.make_tensor("f", TensorProto.FLOAT, [32, 2], [0.5] * 64)
    write("onnx", "convolution.onnx", model(
        [helper.make_node("Conv", ["x", "w"], ["a"], "conv", kernel_shape=[1, 1], pads=[0, 0, 0, 0]),
         helper.make_node("Relu", ["a"], ["b"]),
         helper.make_node("Reshape", ["b", "s"], ["c"]),
         helper.make_node("MatMul", ["c", "f"], ["y"])], [raw, shape, fc], 17))
    half = helper.make_tensor("h", TensorProto.FLOAT16, [2], [0.5, 1.5])
    constant = helper.make_node("Constant", [], ["k"], value=helper.make_tensor("", TensorProto.FLOAT, [], [2.0]))
    write("onnx", "attributes.onnx", model(
        [constant,
         helper.make_node("Cast", ["h"], ["h1"], to=1),
         helper.make_node("ReduceMean", ["x"], ["m"], axes=[2, 3], keepdims=0),
         helper.make_node("Gemm", ["m", "g", "h1"], ["z"], alpha=1.0, transB=1),
         helper.make_node("Mul", ["z", "k"], ["y"])],
        [half, helper.make_tensor("g", TensorProto.FLOAT, [2, 3], [0.25] * 6)], 13))


class Module(torch.nn.Module):
    """Modules within a module, a buffer, a list of numbers, weights that are shared."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Linear(2, 2)
        self.second = torch.nn.Linear(2, 2)
        self.second.weight = self.first.weight
        self.register_buffer("scale", torch.ones(1))
        self.sizes = [1, 2]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x)) * self.scale * self.sizes[0]


def scripts() -> None:
    out = io.BytesIO()
    torch.jit.save(torch.jit.script(Module().eval()), out)
    with zipfile.ZipFile(out) as archive:
        # What only says where the module was made is left out.
        wanted = [name for name in archive.namelist() if not name.endswith(".debug_pkl")]
        entries = {name: archive.read(name) for name in wanted}
    write("torchscript", "scripted.pt", zipped(entries))
    write("torchscript", "deflated.pt", zipped(entries, zipfile.ZIP_DEFLATED))
    tensor = b"X\x06\x00\x00\x00weight" + TENSOR
    nested = module(b"X\x04\x00\x00\x00conv" + module(tensor) + tensor)
    write("torchscript_pickle", "nested.pkl", b"\x80\x02" + nested + b".")


# A matrix of two by two numbers in the storage 0 of sixteen.
TENSOR = (
    b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000"
    b"X\x03\x00\x00\x00cpuK\x10tQK\x00(K\x02K\x02t(K\x02K\x01t\x89ccollections\nOrderedDict\n)RtR"
)


def module(attributes: bytes) -> bytes:
    """A module with these attributes."""
    return b"c__torch__\nModule\n)\x81}(" + attributes + b"ub"


def batches() -> None:
    pixels = (numpy.arange(2 * 3072) % 251).astype("u1").reshape(2, 3072)
    write("cifar10_binary", "two.bin", b"".join(bytes([label]) + image.tobytes() for label, image in zip((9, 0), pixels)))
    write("cifar100_binary", "two.bin", b"".join(bytes([3, label]) + image.tobytes() for label, image in zip((99, 0), pixels)))
    plain = numpy.zeros((2, 3072), "u1")
    ten = {"batch_label": "testing batch 1 of 1", "labels": [9, 0], "data": plain, "filenames": ["a", "b"]}
    hundred = {"coarse_labels": [3, 19], "fine_labels": [99, 0], "data": plain}
    for protocol in (2, 4, 5):
        write("cifar10_python", f"protocol{protocol}", pickle.dumps(ten, protocol))
        write("cifar100_python", f"protocol{protocol}", pickle.dumps(hundred, protocol))


def archives() -> None:
    def tar(form: int) -> bytes:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=form) as archive:
            for name, content in (("cifar-10-batches-py/readme.html", b"x"), ("a/" + "b" * 120 + "/c", b"y")):
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
            link = tarfile.TarInfo("a/link")
            link.type, link.linkname = tarfile.SYMTYPE, "readme.html"
            archive.addfile(link)
        # Without the zeros that fill the last record.
        return out.getvalue().rstrip(b"\0") + bytes(1024)

    for name, form in (("gnu", tarfile.GNU_FORMAT), ("pax", tarfile.PAX_FORMAT), ("ustar", tarfile.USTAR_FORMAT)):
        write("tar", f"{name}.tar", tar(form))
        write("archive", f"{name}.tar.gz", gzip.compress(tar(form), 9, mtime=0))


def arrays() -> None:
    def npy(array: numpy.ndarray, version: tuple[int, int] = (1, 0)) -> bytes:
        out = io.BytesIO()
        numpy.lib.format.write_array(out, array, version)
        return out.getvalue()

    images = (numpy.arange(48) * 5 % 256).astype("u1").reshape(2, 3, 2, 4)
    labels = numpy.array([0, 2], "<i8")
    write("npy", "bytes.npy", npy(images))
    write("npy", "floats.npy", npy((images / 255).astype("<f4")))
    write("npy", "doubles_nhwc.npy", npy((images / 255).transpose(0, 2, 3, 1).copy(), (2, 0)))
    write("npy", "grey.npy", npy(images[:, 0].copy()))
    for kind in ("<i8", "|u1", "<i4", "<u2"):
        write("npy_labels", f"{kind[1:]}.npy", npy(labels.astype(kind)))
    write("npy_labels", "column.npy", npy(labels.reshape(2, 1)))
    entries = {"x.npy": npy(images), "y.npy": npy(labels)}
    write("npz", "stored.npz", zipped(entries))
    write("npz", "packed.npz", zipped(entries, zipfile.ZIP_DEFLATED))
    write("npz", "splits.npz", zipped({"x_test.npy": npy((images / 255).astype("<f4")), "y_test.npy": npy(labels)}))
    write("arrays_safetensors", "bytes.safetensors", save_safetensors({"x": images, "y": labels}))
    write("arrays_safetensors", "floats.safetensors", save_safetensors({"x_test": (images / 255).astype("<f4"), "y_test": labels.astype("<i4")}))
    idx = struct.pack(">4B3I", 0, 0, 8, 3, 2, 2, 4) + images[:, 0].tobytes()
    colours = struct.pack(">4B4I", 0, 0, 8, 4, 2, 3, 2, 4) + images.tobytes()
    for name, content in (("grey", idx), ("colours", colours)):
        write("idx", name + ".idx", content)
        write("idx_gz", name + ".idx.gz", gzip.compress(content, 9, mtime=0))


def pictures() -> None:
    y, x = numpy.mgrid[:9, :12]
    rgb = Image.fromarray(numpy.stack([x * 20, y * 25, x * y * 2], 2).astype("u1"))
    forms = {
        "rgb.png": (rgb, {}), "grey.png": (rgb.convert("L"), {}), "palette.png": (rgb.convert("P"), {}),
        "alpha.png": (rgb.convert("RGBA"), {}), "bits.png": (rgb.convert("1"), {}),
        "plain.jpg": (rgb, {"quality": 50}), "progressive.jpg": (rgb, {"quality": 50, "progressive": True}),
        "grey.jpg": (rgb.convert("L"), {"quality": 50}),
    }
    for name, (image, options) in forms.items():
        out = io.BytesIO()
        image.save(out, "JPEG" if name.endswith("jpg") else "PNG", **options)
        write("picture", name, out.getvalue())
    write("picture_list", "names.txt", "# a list\na/1.png cat\nb/1.png,dog\n")
    write("picture_list", "numbers.txt", "a/1.png\t0\n./b/1.png 1\n")
    write("class_index", "index.json", '{"0": ["n01", "tench"], "1": ["n02", "goldfish"]}')
    write("class_index", "list.json", '["n01", "n02"]')
    write("class_index", "lines.txt", "n01 tench, Tinca tinca\nn02\tgoldfish\n")
    write("data_manifest", "arrays.toml", 'path = "a.npz"\nname = "mine"\nsplit = "test"\nx = "x"\ny = "y"\n'
          'layout = "NCHW"\nrange = "0-255"\nclasses = 2\n')
    write("data_manifest", "pictures.toml", 'path = "all"\nresize = [9, 8]\ncrop = 8\nchannels = 1\nclasses = ["a", "b"]\n')
    write("data_manifest", "list.toml", 'path = "all"\nlabels = "list.txt"\nclasses = ["a", "b"]\nresize = 9\n')
    write("data_manifest", "splits.toml", 'train = "all"\ntest = "all"\n')
    write("data_manifest", "known.toml", 'path = "a.npz"\nclasses = "cifar10"\n')


def written() -> None:
    """What people write: the files of the repository are examples enough."""
    repository = HERE.parent.parent
    write("manifest", "one.toml", 'name = "ResNet-32"\nfile = "a.pt"\nsha256 = "' + "5f" * 32 + '"\n'
          'architecture = "resnet32:classes=10"\nparameters = { activation = "silu", size = 32, width = 1.5 }\n'
          'mean = [0.5, 0.5, 0.5]\nstd = [0.25, 0.25, 0.25]\nsource = "a paper"\nlicense = "MIT"\ndataset = "cifar10"\n'
          'input_noise = 0.1\ninput_levels = 8\nnotes = "none"\n')
    write("manifest", "network.toml", 'name = "N"\nfile = "a.onnx"\ninput_size = [32, 32]\nmean = [0]\nstd = [1]\nsource = "a"\n')
    write("ensemble", "two.toml", 'name = "Both"\nmembers = ["a.toml", "b.toml"]\nvote = "majority"\nsource = "a test"\nnotes = "none"\n')
    write("ensemble", "one.toml", "name = 'A'\nfile = 'a.pt'\narchitecture = 'resnet32'\nmean = [0.5]\nstd = [0.5]\nsource = 'a'\n")
    for path in sorted((repository / "recipes").glob("*.toml"))[:3]:
        write("method", path.name, path.read_bytes())
    write("method", "everything.toml", 'version = 1\nrecipe = "pgd-at"\nsettings = { steps = 10, step_size = "2/255" }\n'
          'norm = "l2"\neps = 0.5\nepochs = 3\nbatch = 8\nmean = [0, 0, 0]\nstd = [1, 1, 1]\nlabel_smoothing = 0.1\ncutmix = 1.0\n'
          'inner = "bf16"\nvalidation = 10\nselect = "last"\npatience = 2\nguard = true\n'
          '[optimiser]\nname = "adamw"\nlearning_rate = 0.1\n[schedule]\nname = "piecewise"\nepochs = [1, 2]\nfactor = 0.1\n'
          '[augmentation]\nflip = true\ncrop = 4\nrotation = 15\ninterpolation = "bilinear"\n'
          '[awp]\ngamma = 0.01\nwarmup = 1\n[ema]\ndecay = 0.995\nwarmup = 1\n')
    for path in sorted((repository / "suites").glob("*.toml")):
        text = path.read_text()
        kind = "comparison" if "[[train]]" in text else "suite"
        if len(text) < 4000:
            write(kind, path.name, text)
    write("comparison", "small.toml", 'version = 1\nabout = "a test"\nseeds = [0, 1]\n[evaluation]\neps = "8/255"\nclaim = 0.1\n'
          'curve = ["1/255", 0.02]\n[defaults]\nepochs = 2\n[[train]]\nname = "a"\nrecipe = "standard"\narchitecture = "resilience-cnn"\n'
          '[[train]]\nname = "b"\ntitle = "B"\nrecipe = "standard"\nwith = ["a"]\nshown = false\n'
          '[[ensemble]]\nname = "c"\nof = "a"\nvote = "majority"\n')
    write("claim", "one.toml", 'id = "Somebody2026"\ndataset = "cifar10"\nthreat = "linf"\neps = "8/255"\nsuite = "autoattack-standard"\n'
          'robust = 50.12\nbest_known = 49.00\nunreliable = true\nclean = 85.0\nreported = 51.0\nn = 10000\npasses = 2\n'
          'architecture = "ResNet-18"\nadditional_data = false\ntitle = "A defence"\nvenue = "ICML 2026"\nfootnote = "none"\n'
          'link = "https://example.org/"\nsource = "the paper\'s table 1"\n')
    for word in ("8/255", "0.5", "1e-3", "linf", "2/8", "test", "majority"):
        write("words", word.replace("/", "_"), word)


def rows() -> list[list]:
    """A run of one model on two images: a table's name and its columns each."""
    digest = "5f" * 32
    dataset = {"name": "mine", "split": "test", "n": 2, "sha256": digest, "classes": ["a", "b", "c"]}
    machine = {"cpu": "Example", "threads": 2, "os": "linux x86_64", "device": "cpu"}
    provenance = {"tool": {"name": "resilience", "version": "0.1.0", "libtorch": "2.11.0"}, "command": "resilience eval",
                  "started": "2026-01-02T03:04:05Z", "seed": 0, "machine": machine, "notices": []}
    kinds = (("fgsm", "0.1", "all", False, None, "break"), ("fgsm", "8/255", "all", True, None, "break"),
             ("apgd-ce", "0.1", "survivors", False, "quick", "break"), ("ddn", "0.1", "correct", False, None, "nearest"))
    stages, attacks = [], []
    for stage, (name, eps, scope, curve, suite, goal) in enumerate(kinds):
        settings = {"steps": 10}
        common = {"labels": "true", "scope": scope, "goal": goal, "curve": curve, "suite": suite, "n": 2, "settings": settings}
        stages.append({"attack": name, "threat": {"norm": "linf", "eps": eps}, **common})
        attacks.append({"stage": stage, "id": name, "norm": "linf", "eps": 8 / 255 if "/" in eps else float(eps), "eps_text": eps,
                        "attacked": 2, "forwards": 4, "backwards": 2, "seconds": 0.5, "finished": True, **common})
    model = {"name": "M", "architecture": "resnet32", "weights_sha256": digest, "mean": [0.0] * 3, "std": [1.0] * 3, "passes": 1}
    plan = {"kind": "eval", "seed": 0, "dataset": dataset, "stages": stages, "headline": {"norm": "linf", "eps": "0.1"},
            "models": [{**model, "request": "m.toml", "input_noise": 0.0, "view": "folded", "chunk": 8, "forward_seconds": 0.01,
                        "backward_seconds": 0.02, "reference_forward_seconds": 0.01, "reference_backward_seconds": 0.02}],
            "keep": "broken", "block": 256, "chunk": 8, "threads": 2, "shard": {"index": 1, "of": 1}}
    training = {"recipe": "fgsm-joint", "seed": 0, "dataset": {**dataset, "split": "train"}, "settings": [["batch", "8"]],
                "epochs": [{"epoch": 1, "of": 1, "loss": 2.5, "scalars": [["clean_loss", 1.5]], "seconds": 1.0,
                            "images_per_second": 8.0, "validation": {"n": 2, "clean": 0.5, "fgsm": 0.5, "pgd": 0.0}}]}
    record = {**model, "source": "a test", "parameters": 464, "training": training, "ensemble": None, "dataset": dataset,
              "layers": [{"name": "conv1", "kind": "conv 3x3", "output": [3, 4, 4], "parameters": 464}]}
    finding = {"id": "zero-gradients", "title": "zero gradients", "judgement": "doubt", "what": "It was seen.", "why": "It matters.",
               "remedy": "Look.", "numbers": [["share", 0.5]]}
    audit = {"images": 2, "threat": "linf 0.1", "seconds": 0.5, "findings": [finding]}
    image = list(range(12))
    floats = list(struct.pack("<12f", *(level / 16 for level in image)))
    made = [["run", 1, provenance, plan, 1], ["picture", 0, 3, 2, 2, image], ["picture", 1, 3, 2, 2, image],
            ["model", 1, record], ["clean", 1, 0, 1, 1, 0.75, 1.0], ["clean", 1, 1, 2, 2, 0.5, 1.0], ["audit", 1, audit]]
    for number, attack in enumerate(attacks, 1):
        made += [["attack", number, 1, number - 1, attack], ["unit", number, 0, 0],
                 ["outcome", number, 0, 2, 0.5, 0.03, -0.5, 0.0, 0, 1, 2, 1], ["outcome", number, 1, 2, 0.75, 0.03, 0.5, 1.0, 0, 1, 2, 1],
                 ["example", number, 0, 3, 2, 2, floats]]
    return made + [["nearest", 4, 0, 0.02, 2, -0.1, 0, 3], ["nearest_example", 4, 0, 3, 2, 2, floats]]


def runs() -> None:
    """The seed of `summary` is counted of these records: cargo test -p resilience-core --test hostile write_summary -- --ignored"""
    write("records", "run.jsonl", "".join(json.dumps(row) + "\n" for row in rows()))
    path = HERE / "store" / "run.sqlite"
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    with sqlite3.connect(path) as database:
        # The smallest pages that there are: a table takes one.
        database.execute("PRAGMA page_size = 512")
        database.executescript((CORE / "src" / "store" / "schema.sql").read_text())
        for table, *row in rows():
            cells = [json.dumps(cell) if isinstance(cell, dict) else bytes(cell) if isinstance(cell, list) else cell for cell in row]
            database.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(cells))})", cells)
        database.execute(f"PRAGMA application_id = {0x72657369}")
        database.execute("PRAGMA user_version = 3")
    database.close()


if __name__ == "__main__":
    for make in (weights, graphs, scripts, batches, archives, arrays, pictures, written, runs):
        make()

"""Bad models: `eval` and `map` refuse each with one sentence that names the place and the remedy."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper, parser

from rxsim.cli import main
from rxsim.config import load_settings
from rxsim.load import load_network
from rxsim.pipeline import take_inventory

ROOT = Path(__file__).resolve().parents[1]
IMAGES = """<ir_version: 8, opset_import: ["" : 17]>
net (float[N,2,8,8] x) => (float[N,5] y)
{
    [conv] c = Conv<kernel_shape=[3,3], group=1>(x, w, b)
    [norm] n = BatchNormalization(c, gamma, beta, mean, var)
    [act] a = Relu(n)
    [flat] f = Flatten(a)
    [fc] y = Gemm<transB=1>(f, v, d)
}"""
SHAPES = {"w": (4, 2, 3, 3), "b": (4,), "gamma": (4,), "beta": (4,), "mean": (4,), "var": (4,)}
SHAPES |= {"v": (5, 144), "d": (5,)}
OUTSIDE = b"a secret that lies outside of the model's folder " * 20


def images() -> onnx.ModelProto:
    """A valid network that every fault starts from."""
    model = parser.parse_model(IMAGES)
    rng = np.random.default_rng(0)
    for name, shape in SHAPES.items():
        value = rng.uniform(0.1, 1, shape).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(value, name))
    return model


def tensor(model: onnx.ModelProto, name: str) -> onnx.TensorProto:
    return next(item for item in model.graph.initializer if item.name == name)


def node(model: onnx.ModelProto, name: str) -> onnx.NodeProto:
    return next(item for item in model.graph.node if item.name == name)


Change = Callable[[onnx.ModelProto], None]


@dataclass(frozen=True)
class Fault:
    """One kind of bad model.

    Attributes:
        name: what is wrong.
        change: how the valid network becomes bad.
        phrases: what the sentence must say.
        commands: which commands refuse it.
    """

    name: str
    change: Change
    phrases: tuple[str, ...]
    commands: tuple[str, ...] = ("eval", "map")


FAULTS: list[Fault] = []


def fault(
    name: str, *phrases: str, commands: tuple[str, ...] = ("eval", "map")
) -> Callable[[Change], Change]:
    """Enter a change into the table."""

    def enter(change: Change) -> Change:
        FAULTS.append(Fault(name, change, phrases, commands))
        return change

    return enter


def put(name: str, value: np.ndarray) -> Change:
    return lambda model: tensor(model, name).CopyFrom(numpy_helper.from_array(value, name))


def spoilt(name: str, value: float) -> Change:
    """Set one entry of a constant."""

    def change(model: onnx.ModelProto) -> None:
        values = numpy_helper.to_array(tensor(model, name)).copy()
        values.flat[3] = value
        put(name, values)(model)

    return change


def set_ints(where: str, name: str, value: object) -> Change:
    def change(model: onnx.ModelProto) -> None:
        kept = [item for item in node(model, where).attribute if item.name != name]
        del node(model, where).attribute[:]
        node(model, where).attribute.extend([*kept, helper.make_attribute(name, value)])

    return change


def external(location: str, **entries: str) -> Change:
    def change(model: onnx.ModelProto) -> None:
        item = tensor(model, "v")
        item.ClearField("raw_data")
        item.data_location = TensorProto.EXTERNAL
        for key, value in {"location": location, **entries}.items():
            item.external_data.add(key=key, value=value)

    return change


def input_shape(*axes: int) -> Change:
    def change(model: onnx.ModelProto) -> None:
        shape = model.graph.input[0].type.tensor_type.shape
        del shape.dim[:]
        for length in axes:
            shape.dim.add(dim_value=length)

    return change


def dims(name: str, *lengths: int) -> Change:
    def change(model: onnx.ModelProto) -> None:
        tensor(model, name).dims[:] = lengths

    return change


def stored_as(name: str, data_type: int) -> Change:
    """Write a constant in another type."""

    def change(model: onnx.ModelProto) -> None:
        values = numpy_helper.to_array(tensor(model, name))
        tensor(model, name).CopyFrom(
            helper.make_tensor(name, data_type, values.shape, values.ravel().tolist())
        )

    return change


def opset(version: int, domain: str = "") -> Change:
    def change(model: onnx.ModelProto) -> None:
        model.opset_import[0].CopyFrom(helper.make_opsetid(domain, version))

    return change


def reads(where: str, place: int, name: str) -> Change:
    def change(model: onnx.ModelProto) -> None:
        node(model, where).input[place] = name

    return change


def table(*faults: tuple[str, Change, tuple[str, ...]]) -> None:
    FAULTS.extend(Fault(*item) for item in faults)


table(
    (
        "weights file missing",
        external("absent.bin"),
        ("tensor v", "no file 'absent.bin'", "copy it"),
    ),
    (
        "weights at an absolute path",
        external("/etc/passwd"),
        ("tensor v", "'/etc/passwd'", "folder"),
    ),
    (
        "weights above the folder",
        external("../outside.bin"),
        ("tensor v", "'../outside.bin'", "put it"),
    ),
    ("weights above by detour", external("sub/../../outside.bin"), ("tensor v", "model's folder")),
    ("weights through a link", external("link.bin"), ("tensor v", "model's folder", "put it")),
    (
        "weights through a link inside",
        external("inner.bin"),
        ("tensor v", "is a link", "copy the file"),
    ),
    (
        "weights below a linked folder",
        external("linked/outside.bin"),
        ("tensor v", "model's folder"),
    ),
    ("weights in a folder", external("sub"), ("tensor v", "no file 'sub'")),
    ("weights in a device", external("/dev/zero"), ("tensor v", "model's folder")),
    ("weights in no file", external(""), ("tensor v", "a file without a name")),
    ("weights under a zero byte", external("a\0b"), ("tensor v", "a file without a name")),
    ("weights under an endless name", external("x" * 5000), ("tensor v", "too long", "check it")),
    ("weights file too short", external("short.bin"), ("tensor v", "takes 100 bytes", "2880")),
    (
        "weights beyond their file",
        external("short.bin", offset="50", length="2880"),
        ("tensor v", "bytes 50 to 2930", "found 100 bytes", "copy that file again"),
    ),
    ("offset that is no number", external("short.bin", offset="-4"), ("tensor v", "offset '-4'")),
    ("length that is no number", external("short.bin", length="1e3"), ("tensor v", "length '1e3'")),
    ("operator set 0", opset(0), ("operator set 0", "export it at operator set 17")),
    ("operator set 99", opset(99), ("operator set 99", "export")),
    ("NaN in a Conv", spoilt("w", np.nan), ("layer conv", "NaN or infinity", "export")),
    ("infinity in a Gemm", spoilt("v", np.inf), ("layer fc", "NaN or infinity", "export")),
    ("minus infinity in a Gemm", spoilt("v", -np.inf), ("layer fc", "NaN or infinity")),
    ("weights beyond use", spoilt("v", -3e38), ("layer fc", "reach 3e+38", "at most 1e+20")),
    ("circle", reads("act", 0, "y"), ("acyclic", "export")),
    ("circle of one node", reads("act", 0, "a"), ("acyclic", "export")),
    ("tensor from nowhere", reads("act", 0, "nothing"), ("'nothing'", "export")),
    ("channels that do not fit", put("w", np.ones((4, 3, 3, 3), "f")), ("conv", "export")),
    ("bias of another length", put("b", np.ones(3, "f")), ("conv", "export")),
    ("kernel of another size", put("w", np.ones((4, 2, 5, 5), "f")), ("conv", "export")),
    ("K that does not fit", put("v", np.ones((5, 143), "f")), ("fc", "export")),
    ("weights of rank 1", put("v", np.ones(144, "f")), ("fc", "export")),
    ("groups that do not divide", set_ints("conv", "group", 3), ("conv", "group", "export")),
    ("no groups", set_ints("conv", "group", 0), ("conv", "export")),
    ("negative groups", set_ints("conv", "group", -1), ("conv", "export")),
    ("huge groups", set_ints("conv", "group", 2**40), ("conv", "export")),
    ("strides of 0", set_ints("conv", "strides", [0, 0]), ("conv", "export")),
    ("kernel of three axes", set_ints("conv", "kernel_shape", [3, 3, 3]), ("conv", "export")),
    ("pads of the wrong count", set_ints("conv", "pads", [1]), ("conv", "export")),
    ("group as text", set_ints("conv", "group", "two"), ("conv", "group", "export")),
    ("input of rank 0", input_shape(), ("x", "export")),
    ("input of rank 2", input_shape(1, 128), ("conv", "export")),
    ("input of another number of channels", input_shape(1, 3, 8, 8), ("conv", "export")),
    ("input smaller than its kernel", input_shape(1, 2, 2, 2), ("fc", "export")),
    ("huge batch", input_shape(2**40, 2, 8, 8), ("its tensor", "GiB", "free batch axis")),
    ("negative length", dims("v", -5, 144), ("tensor v", "[-5, 144]", "0 and above", "export")),
    ("huge tensor", dims("v", 2**31, 2**31), ("tensor v", "holds 2880 bytes", "export")),
    ("huge tensor of int64 overflow", dims("v", 2**62, 2**62, 4), ("tensor v", "2880 bytes")),
    ("more values than the shape", dims("v", 5, 143), ("tensor v", "2880 bytes", "2860", "export")),
    (
        "type that is none",
        lambda model: setattr(tensor(model, "v"), "data_type", 77),
        ("v", "export"),
    ),
    ("weights of complex numbers", stored_as("v", TensorProto.COMPLEX64), ("fc", "export")),
    ("weights of integers", stored_as("v", TensorProto.INT32), ("fc", "export")),
    ("weights of bfloat16", stored_as("v", TensorProto.BFLOAT16), ("fc", "export")),
    ("weights of float16 in a float32 net", stored_as("v", TensorProto.FLOAT16), ("fc", "export")),
    ("weights of int4", stored_as("v", TensorProto.INT4), ("v", "export")),
    ("weights of float8", stored_as("v", TensorProto.FLOAT8E4M3FN), ("v", "export")),
)


@fault("an operator of an unknown domain", "fc", "mine", "export")
def _custom_operator(model: onnx.ModelProto) -> None:
    model.opset_import.append(helper.make_opsetid("mine", 1))
    node(model, "fc").domain = "mine"


@fault("an operator of a domain without a set", "fc", "export")
def _domain_without_set(model: onnx.ModelProto) -> None:
    node(model, "fc").domain = "mine"


@fault("an unknown operator", "act", "Rleu", "export")
def _unknown_operator(model: onnx.ModelProto) -> None:
    node(model, "act").op_type = "Rleu"


@fault("an operator newer than the set", "act", "Gelu", "export")
def _newer_operator(model: onnx.ModelProto) -> None:
    node(model, "act").op_type = "Gelu"


@fault("no nodes", "empty graph", "export")
def _no_nodes(model: onnx.ModelProto) -> None:
    del model.graph.node[:]


@fault("no outputs", "computes nothing", "export")
def _no_outputs(model: onnx.ModelProto) -> None:
    del model.graph.output[:]


@fault("no inputs", "export")
def _no_inputs(model: onnx.ModelProto) -> None:
    del model.graph.input[:]


@fault("no graph", "no graph", "export")
def _no_graph(model: onnx.ModelProto) -> None:
    model.ClearField("graph")


@fault("an input without a shape", "input x has no shape", "export")
def _no_shape(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.ClearField("shape")
    for where in ("conv", "norm", "act", "flat"):
        model.graph.node.remove(node(model, where))
    node(model, "fc").input[0] = "x"


@fault("an input without a type", "x", "export")
def _no_type(model: onnx.ModelProto) -> None:
    model.graph.input[0].ClearField("type")


@fault("an input of text", "x", "export")
def _text_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.STRING


@fault("an input of whole numbers", "x", "export")
def _integer_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64


@fault("a sequence as input", "x", "export")
def _sequence_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.sequence_type.elem_type.tensor_type.elem_type = 1


@fault("a sequence as input that fits", "input s", "type sequence", "expected a tensor")
def _valid_sequence_input(model: onnx.ModelProto) -> None:
    model.graph.input.append(
        helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, [1, 2, 8, 8])
    )
    model.graph.input.append(helper.make_tensor_value_info("i", TensorProto.INT64, []))
    model.graph.node.insert(0, helper.make_node("SequenceAt", ["s", "i"], ["x"], "at"))
    del model.graph.input[0]


@fault("weights cut short", "tensor v", "holds 2877 bytes", "expected 2880", "export")
def _short_weights(model: onnx.ModelProto) -> None:
    tensor(model, "v").raw_data = tensor(model, "v").raw_data[:-3]


@fault("weights without values", "tensor v", "holds 0 values", "expected 720", "export")
def _no_values(model: onnx.ModelProto) -> None:
    tensor(model, "v").ClearField("raw_data")


@fault("a missing constant", "'v'", "export")
def _no_constant(model: onnx.ModelProto) -> None:
    model.graph.initializer.remove(tensor(model, "v"))


@fault("a tensor made twice", "a", "export")
def _made_twice(model: onnx.ModelProto) -> None:
    node(model, "norm").output[0] = "a"


@fault("two constants of one name", "constant v", "twice", "export")
def _two_constants(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(tensor(model, "v"))


@fault("an output that nothing makes", "nothing", "export")
def _missing_output(model: onnx.ModelProto) -> None:
    model.graph.output[0].name = "nothing"


@fault("digital operators only", "no layer", "expected a Conv, ")
def _digital_only(model: onnx.ModelProto) -> None:
    del model.graph.node[:]
    model.graph.node.append(helper.make_node("Flatten", ["x"], ["y"], "flat"))
    del model.graph.output[0].type.tensor_type.shape.dim[:]
    model.graph.output[0].type.tensor_type.shape.dim.add(dim_param="N")
    model.graph.output[0].type.tensor_type.shape.dim.add(dim_param="M")


@fault("quantised activations only", "no layer", "product of two activations", "expected a Conv, ")
def _integers_only(model: onnx.ModelProto) -> None:
    text = """<ir_version: 8, opset_import: ["" : 17]>
        net (uint8[N,4] x) => (int32[N,N] y) { t = Transpose(x) [m] y = MatMulInteger(x, t) }"""
    model.CopyFrom(parser.parse_model(text))


@fault("a node without inputs", "conv", "export")
def _no_node_inputs(model: onnx.ModelProto) -> None:
    del node(model, "conv").input[:]


@fault("a node without outputs", "'c'", "export")
def _no_node_outputs(model: onnx.ModelProto) -> None:
    del node(model, "conv").output[:]


@fault("training-mode BatchNormalization", "norm", "training", "export the model in evaluation")
def _training(model: onnx.ModelProto) -> None:
    set_ints("norm", "training_mode", 1)(model)
    node(model, "norm").output.extend(["running_mean", "running_var"])


@fault("an axis of 0", "fc", "export")
def _zero_axis(model: onnx.ModelProto) -> None:
    input_shape(1, 2, 0, 8)(model)


@fault("a name that is not text", "do not parse", "export")
def _bad_text(model: onnx.ModelProto) -> None:
    node(model, "act").name = "QQQQQQ"


@fault("a constant that takes all memory", "grown", "GiB", "export")
def _bomb(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.array([2**36, 144]), "size"))
    model.graph.node.insert(0, helper.make_node("ConstantOfShape", ["size"], ["grown"], "bomb"))
    node(model, "fc").input[1] = "grown"


def bytes_of(item: Fault) -> bytes:
    model = images()
    item.change(model)
    return model.SerializeToString().replace(b"QQQQQQ", b"\xff\xfe\xfd\xfc\xfb\xfa")


FILES: list[tuple[str, bytes, tuple[str, ...]]] = [
    ("no bytes", b"", ("not an ONNX model", "export")),
    ("one zero byte", b"\0", ("not an ONNX file", "export")),
    ("text format", str(images()).encode(), ("not an ONNX file", "export")),
    ("ONNX text", IMAGES.encode(), ("not an ONNX file", "export")),
    ("gzip", gzip.compress(images().SerializeToString(), mtime=0), ("not an ONNX file", "export")),
    ("zip", b"PK\x03\x04" + bytes(60), ("not an ONNX file", "export")),
    (
        "pickle of PyTorch",
        b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.",
        ("not an ONNX file", "export"),
    ),
    ("page of the web", b"<!DOCTYPE html><html><body>404</body></html>", ("not an ONNX file",)),
    (
        "pointer of Git LFS",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
        ("ONNX",),
    ),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for the model, with files beside it, and one above it."""
    inside = tmp_path / "models"
    (inside / "sub").mkdir(parents=True)
    (tmp_path / "outside.bin").write_bytes(OUTSIDE * 10)
    (inside / "short.bin").write_bytes(bytes(100))
    (inside / "plain.bin").write_bytes(bytes(2880))
    (inside / "link.bin").symlink_to(tmp_path / "outside.bin")
    (inside / "inner.bin").symlink_to(inside / "plain.bin")
    (inside / "linked").symlink_to(tmp_path)
    return inside


def refusal(command: str, path: Path, capfd: pytest.CaptureFixture[str]) -> str:
    """Run a command on a model, check that it refuses in one sentence, and return that."""
    with pytest.raises(SystemExit) as ended:
        main([command, str(path)])
    text, error = capfd.readouterr()
    assert ended.value.code == 2, error
    assert text == ""
    assert error.startswith("rxsim: ")
    assert error.count("\n") == 1
    assert len(error) < 700
    for word in ("Traceback", "onnxruntime_src", "internal error", "Exception"):
        assert word not in error
    assert path.name in error or "layer " in error
    return error


@pytest.mark.parametrize("command", ["eval", "map"])
@pytest.mark.parametrize("item", FAULTS, ids=lambda item: item.name)
def test_a_bad_model_is_refused_in_one_sentence(
    item: Fault, command: str, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    if command not in item.commands:
        pytest.skip(f"{command} can use it")
    (folder / "net.onnx").write_bytes(bytes_of(item))
    error = refusal(command, folder / "net.onnx", capfd)
    for phrase in item.phrases:
        assert phrase in error
    assert OUTSIDE[:10].decode() not in error


@pytest.mark.parametrize("command", ["eval", "map"])
@pytest.mark.parametrize(("content", "phrases"), [pytest.param(c, p, id=n) for n, c, p in FILES])
def test_a_file_that_is_no_model_is_refused_in_one_sentence(
    content: bytes,
    phrases: tuple[str, ...],
    command: str,
    folder: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (folder / "net.onnx").write_bytes(content)
    error = refusal(command, folder / "net.onnx", capfd)
    for phrase in phrases:
        assert phrase in error


def test_a_folder_and_a_missing_file_are_refused(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert "is a folder" in refusal("map", folder / "sub", capfd)
    assert "does not exist" in refusal("eval", folder / "absent.onnx", capfd)
    (folder / "circle.onnx").symlink_to(folder / "circle.onnx")
    assert "circle.onnx" in refusal("map", folder / "circle.onnx", capfd)


def test_a_model_cut_anywhere_is_refused(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    whole = images().SerializeToString()
    for length in [*range(0, 700, 23), *range(700, len(whole), 211), len(whole) - 1]:
        (folder / "net.onnx").write_bytes(whole[:length])
        refusal("map", folder / "net.onnx", capfd)


def test_the_network_that_the_faults_start_from_is_good(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    onnx.save(images(), folder / "net.onnx")
    external("plain.bin")(beside := images())
    onnx.save(beside, folder / "beside.onnx")
    for name in ("net.onnx", "beside.onnx"):
        with pytest.raises(SystemExit) as ended:
            main(["map", str(folder / name)])
        text, error = capfd.readouterr()
        assert ended.value.code == 0, error
        assert "conv" in text


def _residual_network() -> onnx.ModelProto:
    """ResNet-50's layers with BatchNormalization and random weights: 25.5 million parameters."""
    rng = np.random.default_rng(0)
    nodes: list[onnx.NodeProto] = []
    constants: list[onnx.TensorProto] = []

    def constant(name: str, *shape: int) -> str:
        value = rng.random(shape, dtype=np.float32) + np.float32(0.5)
        constants.append(numpy_helper.from_array(value, name))
        return name

    def conv(x: str, c_in: int, c_out: int, kernel: int, stride: int = 1) -> str:
        name = f"n{len(nodes)}"
        weight = constant(f"{name}.w", c_out, c_in, kernel, kernel)
        sizes: dict[str, Any] = {"strides": [stride] * 2, "pads": [kernel // 2] * 4}
        nodes.append(helper.make_node("Conv", [x, weight], [f"{name}.c"], f"{name}.conv", **sizes))
        norm = [constant(f"{name}.{part}", c_out) for part in ("gamma", "beta", "mean", "var")]
        nodes.append(helper.make_node("BatchNormalization", [f"{name}.c", *norm], [f"{name}.b"]))
        nodes.append(helper.make_node("Relu", [f"{name}.b"], [name]))
        return name

    x, channels = conv("x", 3, 64, 7, 2), 64
    nodes.append(helper.make_node("MaxPool", [x], ["pooled"], kernel_shape=[3, 3], strides=[2, 2]))
    x = "pooled"
    for blocks, width in ((3, 64), (4, 128), (6, 256), (3, 512)):
        for block in range(blocks):
            stride = 2 if block == 0 and width > 64 else 1
            y = conv(conv(x, channels, width, 1), width, width, 3, stride)
            y = conv(y, width, 4 * width, 1)
            short = conv(x, channels, 4 * width, 1, stride) if block == 0 else x
            x = f"sum{len(nodes)}"
            nodes.append(helper.make_node("Add", [y, short], [x]))
            channels = 4 * width
    nodes.append(helper.make_node("GlobalAveragePool", [x], ["mean"]))
    nodes.append(helper.make_node("Flatten", ["mean"], ["flat"]))
    last = ["flat", constant("fc.w", 1000, 2048), constant("fc.b", 1000)]
    nodes.append(helper.make_node("Gemm", last, ["y"], "fc", transB=1))
    graph = helper.make_graph(
        nodes,
        "resnet",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 224, 224])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 1000])],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.slow
def test_a_network_of_25_million_parameters_is_listed_within_a_second(tmp_path: Path) -> None:
    path = tmp_path / "resnet.onnx"
    onnx.save(_residual_network(), path)
    settings = load_settings()
    seconds = []
    for _ in range(7):
        start = time.process_time()  # of this process alone: others may keep the machine busy
        network = load_network(path)
        inventory = take_inventory(network, settings, {"x": (1, 3, 224, 224)})
        seconds.append(time.process_time() - start)
        assert sum(place.parameters for place in inventory.layers) > 25_000_000
        assert inventory.shares["macs_mapped"] == 1
    assert min(seconds) < 1  # the median is, where nothing else shares caches and memory

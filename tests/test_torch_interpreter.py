"""ONNX graphs as torch Modules: whole networks, inner tensors, hooks, gradients, refusals."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper, parser

from rxsim.config import load_settings
from rxsim.errors import InputError, ModelError
from rxsim.load import load_network
from rxsim.onnx_graph import with_outputs
from rxsim.pipeline import DataOptions, open_study, patched_chip
from rxsim.session import Session

torch = pytest.importorskip("torch")
OnnxModule = pytest.importorskip("rxsim.retrain.interpreter").OnnxModule

ROOT = Path(__file__).parent.parent
DIGITS = ["digits_mlp", "digits_cnn", "digits_dsconv", "digits_resnet"]
ASSETS = Path(os.environ.get("RXSIM_ASSETS", ""))
needs_assets = pytest.mark.skipif(
    "RXSIM_ASSETS" not in os.environ, reason="RXSIM_ASSETS names no folder of real networks"
)
CIFAR = {
    "data_layout": "NHWC",
    "model_layout": "NCHW",
    "scale": "1/255",
    "mean": [0.485, 0.456, 0.406],
    "std": [0.229, 0.224, 0.225],
}
Feeds = dict[str, np.ndarray]


def built(
    nodes: str, x: Sequence[int] = (2, 3), opset: int = 20, **constants: Any
) -> onnx.ModelProto:
    shape = ",".join(map(str, x))
    head = f'<ir_version: 10, opset_import: ["": {opset}, "com.microsoft": 1]>'
    model = parser.parse_model(f"{head} g (float[{shape}] x) => (float y) {{{nodes}}}")
    for name, value in constants.items():
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    return model


def floats(*values: float) -> np.ndarray:
    return np.asarray(values, dtype=np.float32)


def ran(module: Any, feeds: Feeds, names: list[str]) -> list[np.ndarray]:
    with torch.no_grad():
        results = module({name: torch.from_numpy(value) for name, value in feeds.items()}, names)
    return [results[name].numpy() for name in names]


def chip(
    name: str, settings: list[str], count: int
) -> tuple[onnx.ModelProto, onnx.ModelProto, Feeds]:
    """Return a float network, its patched form on a chip, and inputs."""
    path, options = ROOT / "models" / f"{name}.onnx", DataOptions(limit=count)
    if name == "resnet20":
        path = ASSETS / "cifar10" / "resnet20_cifar10.onnx"
        data = ASSETS / "cifar10" / "cifar10_test.npz"
        options = DataOptions(limit=count, data=data, preprocess=CIFAR)
    files = [ROOT / "configs" / item for item in settings if item.endswith(".yaml")]
    sizes = [item for item in settings if item[0].isdigit()]
    chosen = load_settings(
        files[0] if files else None,
        xbar=sizes[0] if sizes else None,
        assignments=[item for item in settings if "=" in item],
    )
    study = open_study(path, chosen, options, threads=1)
    return study.network.model, patched_chip(study).model, study.inputs.feeds(0, count)


def compare_patched(model: onnx.ModelProto, feeds: Feeds) -> tuple[int, int]:
    """Compare a patched network in torch and onnxruntime; return inputs that part, and all.

    An output differs by more than 1e-4 of the outputs' range only where a converter gave another code:
    sums in two orders came to lie on two sides of a threshold. At the first converter, in the graph's
    order, at which an input parts, all before is the same, so that the current has to be within
    rounding of a threshold there, and the codes are neighbours.
    """
    rounds = [node for node in model.graph.node if node.op_type == "Round"]
    output = model.graph.output[0].name
    names = [output, *(name for node in rounds for name in (node.input[0], node.output[0]))]
    (wanted, *theirs) = Session(with_outputs(model, names), "patched").run(names, feeds)
    (result, *ours) = ran(OnnxModule(model), feeds, names)
    count = len(wanted)
    off = np.abs(result - wanted).reshape(count, -1).max(axis=1) > 1e-4 * np.ptp(wanted)
    parted = np.zeros(count, dtype=bool)
    for k in range(0, len(ours), 2):
        codes, others, currents = ours[k + 1], theirs[k + 1], ours[k]
        new = (codes != others) & ~parted.reshape(-1, *[1] * (codes.ndim - 1))
        assert (np.abs(codes - others)[new] == 1).all()
        to_threshold = np.abs(np.abs(currents - np.floor(currents)) - 0.5)[new]
        assert (to_threshold <= 2e-6 * np.abs(currents).max(initial=1)).all()
        parted |= (codes != others).reshape(count, -1).any(axis=1)
    assert not (off & ~parted).any()
    return int(parted.sum()), count


@pytest.mark.parametrize("name", DIGITS)
def test_a_shipped_network_gives_what_onnxruntime_gives_as_float_and_patched(name: str) -> None:
    network, patched, feeds = chip(name, ["64x64"], 12)
    output = network.graph.output[0].name
    (wanted,) = Session(network, name).run([output], feeds)
    (result,) = ran(OnnxModule(network), feeds, [output])
    np.testing.assert_allclose(result, wanted, atol=1e-6 * np.ptp(wanted))
    parted, count = compare_patched(patched, feeds)
    assert parted <= count // 4


@pytest.mark.parametrize(
    ("name", "settings", "count"),
    [
        ("digits_mlp", ["isaac.yaml"], 8),
        ("digits_cnn", ["64x64", "adc.n_bits=5", "mapping.scheme=offset"], 16),
        pytest.param("digits_cnn", ["isaac.yaml"], 128, marks=pytest.mark.slow),
        pytest.param("digits_resnet", ["isaac.yaml"], 128, marks=pytest.mark.slow),
        *(
            pytest.param("resnet20", settings, 64, marks=[pytest.mark.slow, needs_assets])
            for settings in (["harsh-128.yaml"], ["rxnn-64.yaml", "adc.n_bits=5"])
        ),
    ],
)
def test_a_patched_network_parts_from_onnxruntime_at_thresholds_only(
    name: str, settings: list[str], count: int
) -> None:
    _, patched, feeds = chip(name, settings, count)
    parted, count = compare_patched(patched, feeds)
    print(f"{name} {settings}: {parted} of {count} inputs part at a threshold")


@pytest.mark.parametrize(("bits", "off"), [((None, None), 1e-4), ((12, 14), 0.01)])
def test_a_patched_network_has_the_gradient_of_the_float_network(
    bits: tuple[int | None, int | None], off: float
) -> None:
    """On perfect arrays it is the float network; fine converters add little to that.

    A ReLU or the largest of a pool may go the other way for one code of the converters: 12 bits leave
    errors of about 1e-3 of the activations, of which few are so near to 0 or to another.
    """
    wires = [f"crossbar.{name}=0" for name in ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense")]
    written = ["null" if item is None else str(item) for item in bits]
    converters = [f"dac.n_bits={written[0]}", f"adc.n_bits={written[1]}", "input.percentile=100"]
    settings = ["64x64", *wires, "device.n_bits=null", *converters]
    network, patched, feeds = chip("digits_cnn", settings, 12)
    ((name, x),) = feeds.items()
    output, grads = network.graph.output[0].name, []
    for model in (network, patched):
        source = torch.from_numpy(x.copy()).requires_grad_()
        scores = OnnxModule(model)({name: source})[output]
        torch.nn.functional.cross_entropy(scores, torch.arange(12) % 10).backward()
        grads.append(source.grad.numpy())
    wanted, result = grads
    assert np.linalg.norm(result - wanted) <= off * np.linalg.norm(wanted)


@pytest.mark.slow
@needs_assets
@pytest.mark.parametrize("path", sorted(ASSETS.rglob("*.onnx")), ids=lambda path: path.stem)
def test_a_real_network_gives_what_onnxruntime_gives(path: Path) -> None:
    network = load_network(path)
    (spec,) = network.inputs
    (value,) = (item for item in network.model.graph.input if item.name == spec.name)
    shape = [axis.dim_value or 2 for axis in value.type.tensor_type.shape.dim]
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    (wanted,) = Session(network.model, path.stem).run([network.output], {spec.name: x})
    (result,) = ran(OnnxModule(network.model), {spec.name: x}, [network.output])
    np.testing.assert_allclose(result, wanted, atol=1e-5 * np.ptp(wanted))


def test_fresh_noise_has_the_distribution_of_onnx_and_the_callers_generator() -> None:
    """Mean and deviation of 40,000 numbers, each within 4 standard errors."""
    model = built(
        "n = RandomNormalLike<scale=0.5, mean=2.0, seed=3.0>(x) y = Add(x, n)", (200, 200)
    )
    zeros = {"x": torch.zeros(200, 200)}

    def drawn(seed: int) -> np.ndarray:
        module = OnnxModule(model, generator=torch.Generator().manual_seed(seed))
        values: np.ndarray = module(zeros)["y"].numpy()
        return values

    values = drawn(5)
    assert abs(values.mean() - 2) < 4 * 0.5 / 200
    assert abs(values.std() - 0.5) < 4 * 0.5 / 200 / np.sqrt(2)
    np.testing.assert_array_equal(values, drawn(5))
    assert (values != drawn(6)).mean() > 0.9
    with pytest.raises(ModelError, match=r"RandomNormalLike: random numbers.*generator"):
        OnnxModule(model)


def test_initialisers_are_parameters_and_buffers_under_their_names() -> None:
    """Names with dots, and of the module's own members, too."""
    model = built("a = Mul(x, w) y = Add(a, forward)", w=floats(1, 2, 3), forward=floats(4))
    model.graph.node[0].input[1] = model.graph.initializer[0].name = "layer.1.weight"
    module = OnnxModule(model, trainable=["layer.1.weight"])
    assert list(module.trained()) == ["layer.1.weight"]
    assert [item.numel() for item in module.parameters()] == [3]
    assert not module.value("forward").requires_grad
    module({"x": torch.ones(2, 3)})["y"].sum().backward()
    np.testing.assert_array_equal(module.value("layer.1.weight").grad, [2, 2, 2])
    # Values that move are values that count, after a state went through a file too.
    with torch.no_grad():
        module.value("layer.1.weight").fill_(5)
        module.value("forward").fill_(1)
    other = OnnxModule(model, trainable=lambda name: name == "forward")
    other.load_state_dict(module.state_dict())
    np.testing.assert_array_equal(other({"x": torch.ones(2, 3)})["y"].detach(), np.full((2, 3), 6))
    for wrong in (["layer.1.bias"], "forward"):
        with pytest.raises(InputError, match="expected names of float initialisers"):
            OnnxModule(model, trainable=wrong)
    with pytest.raises(InputError, match="found no initialiser 'no'"):
        module.value("no")


def test_float64_initialisers_stay_float64() -> None:
    third = np.asarray(1 / 3)
    model = built("w = Cast<to=11>(x) s = Mul(w, c) y = Cast<to=1>(s)", c=third)
    module = OnnxModule(model)
    assert module.value("c").dtype == torch.float64
    inner = module({"x": torch.ones(2, 3)}, ["s"])["s"]
    np.testing.assert_array_equal(inner, np.full((2, 3), third))


def test_inner_tensors_can_be_read_given_and_alone_computed() -> None:
    model = built(
        "[one] a = Relu(x) [two] b, c = Split<axis=1, num_outputs=2>(a) [three] y = Neg(b)"
    )
    module, x = OnnxModule(model), torch.tensor([[1.0, -2, 3]])
    results = module({"x": x}, ["a", "c", "x"])
    assert {name: item.tolist() for name, item in results.items()} == {
        "a": [[1, 0, 3]],
        "c": [[3]],
        "x": [[1, -2, 3]],
    }
    assert module({"b": x})["y"].tolist() == [[-1, 2, -3]]  # nothing before is run
    both = module({"x": x, "b": 2 * x}, ["y", "c"])  # a sibling of what is given is
    assert [both["y"].tolist(), both["c"].tolist()] == [[[-2, 4, -6]], [[3]]]


def test_a_tensor_goes_after_its_last_use() -> None:
    """At each node of a chain only its input is there, and what the caller holds."""
    model = built("a = Relu(x) b = Neg(a) c = Abs(b) [last] y = Exp(c)")
    alive: list[Any] = []

    def watched(node: onnx.NodeProto, inputs: Sequence[Any]) -> Any:
        gc.collect()
        dead = [reference() is None for reference in alive]
        result = inputs[0] + 1
        alive.append(weakref.ref(result))
        seen.append(dead)
        return result

    seen: list[list[bool]] = []
    for node, name in zip(model.graph.node, "pqrs", strict=True):
        node.name = name
    with torch.no_grad():
        OnnxModule(model)({"x": torch.ones(2, 3)}, hooks=dict.fromkeys("pqrs", watched))
    assert seen == [[], [False], [True, False], [True, True, False]]


def test_a_hook_stands_for_its_node() -> None:
    model = built("[conv] a = MatMul(x, w) [end] y = Relu(a)", w=np.eye(3, dtype=np.float32))
    module = OnnxModule(model, trainable=["w"])
    seen = []

    def analog(node: onnx.NodeProto, inputs: Sequence[Any]) -> Any:
        seen.append((node.name, len(inputs)))
        return inputs[0] @ (2 * inputs[1])

    x = torch.tensor([[1.0, -2, 3], [0, 1, 0]])
    result = module({"x": x}, hooks={"conv": analog})["y"]
    np.testing.assert_array_equal(result.detach(), [[2, 0, 6], [0, 2, 0]])
    result.sum().backward()
    assert module.value("w").grad is not None
    assert seen == [("conv", 2)]
    with pytest.raises(InputError, match="found no node 'cnov' to hook"):
        module({"x": x}, hooks={"cnov": analog})


def gradient(model: onnx.ModelProto, x: Sequence[float], **options: Any) -> list[float]:
    source = torch.tensor([float(value) for value in x], requires_grad=True)
    (result,) = OnnxModule(model, **options)({"x": source}, ["y"]).values()
    if not result.requires_grad:
        return [0.0] * len(x)
    result.backward(torch.arange(1.0, 1 + result.numel()).reshape(result.shape))
    values: list[float] = source.grad.tolist()
    return values


ROUNDED: dict[str, tuple[str, dict[str, Any]]] = {
    "round": ("y = Round(x)", {}),
    "floor and ceil": ("a = Floor(x) y = Ceil(a)", {}),
    "cast and back": ("a = Cast<to=6>(x) y = Cast<to=1>(a)", {}),
    "moved integers": (
        """
        a = Cast<to=6>(x) b = Unsqueeze(a, e) c = Cast<to=7>(b) d = Transpose<perm=[1,0]>(c)
        f = Squeeze(d, o) y = Cast<to=1>(f)
        """,
        {"e": np.asarray([0]), "o": np.asarray([1])},
    ),
    "added integers": (
        "a = Cast<to=6>(x) b = Add(a, k) c = Relu(b) y = Cast<to=1>(c)",
        {"k": np.asarray([5, 5, 5], dtype=np.int32)},
    ),
}


@pytest.mark.parametrize("name", ROUNDED)
def test_rounding_passes_a_gradient_as_it_is(name: str) -> None:
    nodes, constants = ROUNDED[name]
    model = built(nodes, (3,), **constants)
    assert gradient(model, [-1.6, 0.5, 2.4]) == [1, 2, 3]
    assert gradient(model, [-1.6, 0.5, 2.4], straight_through=False) == [0, 0, 0]


def test_what_saturates_passes_no_gradient() -> None:
    """A DAC: code = round(clip(x / step)); outside of the codes the slope is 0."""
    model = built(
        "a = Mul(x, s) b = Clip(a, l, h) c = Round(b) y = Mul(c, t)",
        (3,),
        **{"s": floats(4)[0], "l": floats(-3)[0], "h": floats(3)[0], "t": floats(0.25)[0]},
    )
    assert gradient(model, [-0.8, 0.3, 0.6]) == [0, 2, 3]


def test_quantised_steps_pass_a_gradient_inside_their_range() -> None:
    nodes = "q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z)"
    model = built(nodes, (3,), s=floats(0.1)[0], z=np.asarray(0, dtype=np.int8))
    assert gradient(model, [-1.23, 5.0, 13.0]) == pytest.approx([1, 2, 0])


def test_a_table_passes_the_gradient_beside_it_only() -> None:
    """ADC curves: current + table[round(current)]."""
    nodes = "a = Round(x) i = Cast<to=6>(a) t = Gather(c, i) y = Add(x, t)"
    assert gradient(built(nodes, (3,), c=floats(0.1, 0.2, 0.3)), [0.2, 1.1, 1.9]) == [1, 2, 3]


def test_a_root_of_nothing_passes_no_gradient() -> None:
    """The deviation of a current without variance: 0 times infinity would be no number."""
    assert gradient(built("a = Relu(x) y = Sqrt(a)", (3,)), [-1, 0, 4]) == [0, 0, 0.75]
    pool = "u = Reshape(x, s) r = Relu(u) y = LpPool<kernel_shape=[1]>(r)"
    model = built(pool, (3,), s=np.asarray([1, 1, 3]))
    assert gradient(model, [-1, 0, 4]) == [0, 0, 3]


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ("[a] y = Hardmax(x)", r"1 node that.*a \(Hardmax: an operator that is not known\)"),
        ("[a] b = Hardmax(x) [c] y = NonZero(b)", r"2 nodes.*a \(Hardmax.*c \(NonZero"),
        ("[a] y = com.microsoft.FastGelu(x)", r"a \(FastGelu: an operator of com.microsoft\)"),
        ('[a] y = Resize<mode="cubic">(x, , s)', r"a \(Resize: mode cubic\)"),
        ("[a] y, i = MaxPool<kernel_shape=[1]>(x)", r"a \(MaxPool: its output i\)"),
        ("[a] y = Cast<to=16>(x)", r"a \(Cast: the type bfloat16\)"),
        ("[a] y = BatchNormalization<training_mode=1>(x, s, s, s, s)", "training_mode 1"),
        ('y = Constant<value_string="a">()', "found value_string in the Constant"),
    ],
)
def test_what_can_not_be_computed_is_told_when_the_module_is_built(nodes: str, words: str) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        OnnxModule(built(nodes, s=floats(1, 2)))
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


def test_wrong_inputs_are_told_in_a_sentence() -> None:
    module = OnnxModule(built("[n] y = MatMul(x, w)", w=np.ones((3, 2), np.float32)))
    x = torch.ones(2, 3)
    for feeds, outputs, words in (
        ({}, None, "found no tensor 'x', expected an input that is fed"),
        ({"x": x}, ["z"], "found no tensor 'z'"),
        ({"x": np.ones((2, 3))}, None, "found a ndarray for x, expected a torch.Tensor"),
    ):
        with pytest.raises(InputError, match=words):
            module(feeds, outputs)
    with pytest.raises(
        ModelError, match=r"node n \(MatMul\) can't compute with .*\[2, 4\], \[3, 2\]"
    ):
        module({"x": torch.ones(2, 4)})
    model = built("y = Add(x, w)", w=floats(1))
    model.graph.initializer[0].data_type = onnx.TensorProto.STRING
    with pytest.raises(ModelError, match="found the type string of the constant w"):
        OnnxModule(model)


def test_without_torch_a_sentence_says_how_to_get_it() -> None:
    script = (
        "import sys; sys.modules['torch'] = None\n"
        "import rxsim, rxsim.cli, rxsim.retrain\n"
        "from rxsim.errors import InputError\n"
        "try:\n    import rxsim.retrain.interpreter\n"
        "except InputError as error:\n    print(error.exit_code, error)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.startswith("2 found no torch, expected version 2.4 or later")
    assert "pip install 'rxsim[retrain]'" in done.stdout
    assert done.stderr == ""

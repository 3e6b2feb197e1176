"""Number types, operator sets, sizes, odd places of constants: the network is that of the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper, parser
from test_load import (
    C1,
    ROWS,
    TABLE,
    Form,
    bfloat16,
    conv_matrix,
    difference,
    feed_sets,
    load,
    old_model,
    random_feeds,
    run,
)
from test_patch_float import TOLERANCE, assert_equal_results, perfect, study_of

import rxsim
from rxsim.cli import main
from rxsim.errors import InputError, ModelError
from rxsim.load import Network, load_network, write_onnx
from rxsim.onnx_graph import large
from rxsim.patch import PatchedNetwork
from rxsim.pipeline import patched_chip

EXACT = [
    *("--xbar", "16x16", "--limit", "4", "--set", "calibration.samples=4"),
    *(f"--set=crossbar.{name}=0" for name in ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense")),
    *(f"--set={section}.n_bits=null" for section in ("device", "dac", "adc")),
]


def plain(weights: dict[str, np.ndarray]) -> list[tuple[str, np.ndarray]]:
    return [("m", weights["w"][None])]


def chip_of(network: Network) -> PatchedNetwork:
    return patched_chip(study_of(network, perfect("8x4"), feed_sets(network)[0]))


def assert_exact(network: Network) -> None:
    """The patched network of exact hardware computes what onnxruntime makes of the original."""
    chip = chip_of(network)
    for feeds in feed_sets(network):
        assert_equal_results(network, chip, feeds, TOLERANCE)


def command(*arguments: object) -> None:
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    assert left.value.code == 0


def evaluated(path: Path) -> dict[str, Any]:
    """What `rxsim eval --json` writes, with exact hardware."""
    result = path.with_suffix(".json")
    command("eval", path, *EXACT, "--json", result, "--quiet")
    read: dict[str, Any] = json.loads(result.read_text())
    return read


# Number types


BRAIN = """<ir_version: 10, opset_import: ["": 22]> g (bfloat16[N,2,5,5] x) => (bfloat16[N,3] y) {
  [c] a = Conv<pads=[1,1,1,1]>(x, w, b) r = Relu(a) p = GlobalAveragePool(r) f = Flatten(p)
  h = Constant<value = float[3,3] {1,2,3,-1,-2,-3,0.5,0.25,0.125}>() v = Cast<to=16>(h)
  [m] y = MatMul(f, v) }"""


def brain_model() -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    model = parser.parse_model(BRAIN)
    rng = np.random.default_rng(5)
    values = {
        name: bfloat16(rng.standard_normal(shape))
        for name, shape in {"w": (3, 2, 3, 3), "b": (3,)}.items()
    }
    for name, value in values.items():
        raw = (value.view(np.uint32) >> 16).astype("<u2").tobytes()
        model.graph.initializer.append(
            helper.make_tensor(name, TensorProto.BFLOAT16, value.shape, raw, raw=True)
        )
    return model, values


def test_bfloat16_is_run_as_float32_and_the_report_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, values = brain_model()
    network = load(model, tmp_path)
    assert network.as_float32 == ("bfloat16",)
    assert {spec.dtype for spec in network.inputs} == {np.dtype(np.float32)}
    assert difference(network.layers[0].matrices, conv_matrix(values["w"]).astype(np.float32)) == 0
    x = random_feeds(network.model, 3)["x"]
    padded = np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)]).astype(np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))
    maps = np.einsum("nchwij,ocij->nohw", windows, values["w"]) + values["b"][:, None, None]
    head = np.array([[1, 2, 3], [-1, -2, -3], [0.5, 0.25, 0.125]])
    wanted = (np.maximum(maps, 0).mean(axis=(2, 3)) @ head).astype(np.float32)
    assert difference(run(network.original, {"x": x})[0], wanted) < 1e-5
    assert difference(run(chip_of(network).model, {"x": x})[0], wanted) < TOLERANCE
    path = network.path
    said = "bfloat16 is run as float32"
    for arguments in (["map", path], ["eval", path, *EXACT]):
        command(*arguments)
        assert said in capsys.readouterr().out
    assert evaluated(path)["provenance"]["as_float32"] == ["bfloat16"]


def test_bfloat16_in_an_operator_set_that_did_not_know_it(tmp_path: Path) -> None:
    """As PyTorch's legacy exporter writes it."""
    model = brain_model()[0]
    model.ir_version = 8
    model.opset_import[0].version = 17
    assert load(model, tmp_path).as_float32 == ("bfloat16",)


def test_weights_kept_in_bfloat16_for_float_products_stay_as_they_are(tmp_path: Path) -> None:
    form = Form(ROWS, TABLE, "[k] v = Cast<to=1>(w) [m] y = MatMul(x, v)", {}, plain)
    model = form.model()
    value = bfloat16(np.random.default_rng(0).standard_normal((9, 5)))
    raw = (value.view(np.uint32) >> 16).astype("<u2").tobytes()
    model.graph.initializer.append(helper.make_tensor("w", TensorProto.BFLOAT16, (9, 5), raw, True))
    network = load(model, tmp_path)
    assert network.as_float32 == ()
    assert difference(network.layers[0].matrices[0], value) == 0
    assert_exact(network)


def test_a_conv_of_float64_is_run_as_float32(tmp_path: Path) -> None:
    form = Form(
        "double[N,4,7,6] x",
        "double[N,C,H,W] y",
        "[c] t = Conv(x, w, b) y = Tanh(t)",
        C1 | {"b": (6,)},
        lambda w: [],
        dtype=np.float64,
    )
    network = load(form.model(), tmp_path)
    assert network.as_float32 == ("float64",)
    weights = form.weights()
    feeds = random_feeds(network.model, 2)
    windows = np.lib.stride_tricks.sliding_window_view(feeds["x"].astype(float), (3, 3), (2, 3))
    maps = np.einsum("nchwij,ocij->nohw", windows, weights["w"]) + weights["b"][:, None, None]
    assert difference(run(network.original, feeds)[0], np.tanh(maps).astype(np.float32)) < 1e-5
    assert_exact(network)


def test_a_model_of_mixed_types_that_fit_nowhere_is_still_refused(tmp_path: Path) -> None:
    model = Form(ROWS, TABLE, "[m] y = MatMul(x, w)", {}, plain).model()
    model.graph.initializer.append(numpy_helper.from_array(np.zeros((9, 5)), "w"))
    with pytest.raises(ModelError, match="onnxruntime can't load"):
        load(model, tmp_path)


MIXED = Form(
    "float16[N,4,7,6] x",
    "float16[N,C] y, float[N,C] z",
    "[c] t = Conv(x, w, b) r = Relu(t) p = GlobalAveragePool(r) f = Flatten(p) g = Cast<to=1>(f) "
    "[m] z = MatMul(g, v) h = Cast<to=10>(z) [g] y = Gemm<beta=0.5>(h, u, d)",
    C1 | {"b": (6,), "u": (5, 4), "d": (4,)},
    lambda w: [],
    dtype=np.float16,
)


def test_float16_and_float32_in_one_network(tmp_path: Path) -> None:
    model = MIXED.model()
    head = np.random.default_rng(1).standard_normal((6, 5)).astype(np.float32)
    model.graph.initializer.append(numpy_helper.from_array(head, "v"))
    network = load(model, tmp_path)
    assert [(layer.name, str(layer.dtype)) for layer in network.layers] == [
        *[("c", "float16"), ("m", "float32"), ("g", "float16")]
    ]
    chip = chip_of(network)
    for feeds in feed_sets(network):
        assert_equal_results(network, chip, feeds, 5e-3)
    ladder = evaluated(network.path)
    assert "as_float32" not in ladder["provenance"]


# Operator sets


NEWEST = onnx.defs.onnx_opset_version()


@pytest.mark.parametrize("opset", range(7, NEWEST + 1))
def test_every_operator_set_is_evaluated(opset: int, tmp_path: Path) -> None:
    table = {item[2]: item[1] for item in helper.VERSION_TABLE}
    model = old_model(opset, max(table.get(opset, 3), 4))
    network = load(model, tmp_path)
    chip = chip_of(network)
    onnx.checker.check_model(chip.model, full_check=True)
    for feeds in feed_sets(network):
        (wanted,), (got,) = run(model, feeds), run(chip.model, feeds)
        assert difference(got, wanted) < TOLERANCE


@pytest.mark.parametrize("opset", range(13, 17))
def test_a_model_that_can_not_be_upgraded_is_patched_at_its_operator_set(
    opset: int, tmp_path: Path
) -> None:
    """Upsample ended with set 9; a domain of its own keeps the converter out."""
    model = old_model(opset, 8)
    model.opset_import.add(domain="com.microsoft", version=1)
    node = next(node for node in model.graph.node if node.op_type == "Relu")
    node.op_type, node.domain = "Gelu", "com.microsoft"
    network = load(model, tmp_path)
    chip = chip_of(network)
    for feeds in feed_sets(network):
        (wanted,), (got,) = run(model, feeds), run(chip.model, feeds)
        assert difference(got, wanted) < TOLERANCE


# Constants in odd places


def test_constants_of_every_form_are_found(tmp_path: Path) -> None:
    form = Form(
        "float[N,2] x",
        TABLE,
        "f = Constant<value_floats=[1.5,-2.0,0.25,3.0]>() s = Constant<value_ints=[2,2]>() "
        "r = Reshape(f, s) k = Constant<value_float=0.5>() v = Mul(r, k) [a] t = MatMul(x, v) "
        "n = Constant<value = int64[2] {2,3}>() c = ConstantOfShape<value = float[1] {0.75}>(n) "
        "[b] u = MatMul(t, c) e = Shape(c) z = Identity(c) o = Transpose(z) [d] w = MatMul(u, o) "
        "[i] y = MatMul(w, r)",
        {},
        lambda w: [],
    )
    network = load(form.model(), tmp_path)
    r = np.array([[1.5, -2], [0.25, 3]])
    wanted = [r / 2, np.full((2, 3), 0.75), np.full((3, 2), 0.75), r]
    for layer, value in zip(network.layers, wanted, strict=True):
        assert difference(layer.matrices[0].astype(float), value) == 0
    assert [layer.name for layer in network.layers] == ["a", "b", "d", "i"]
    assert_exact(network)


def test_a_sparse_value_of_a_constant_node(tmp_path: Path) -> None:
    model = Form(ROWS, TABLE, "[m] y = MatMul(x, w)", {}, plain).model()
    dense = np.zeros((9, 5), dtype=np.float32)
    dense[[0, 3, 8], [1, 4, 2]] = [2, -1, 0.5]
    places = np.flatnonzero(dense)
    sparse = helper.make_sparse_tensor(
        numpy_helper.from_array(dense.ravel()[places], "v"),
        numpy_helper.from_array(places, "p"),
        dense.shape,
    )
    model.graph.node.insert(0, helper.make_node("Constant", [], ["w"], sparse_value=sparse))
    network = load(model, tmp_path)
    assert difference(network.layers[0].matrices[0], dense) == 0
    assert_exact(network)


def test_one_weight_of_several_nodes_is_folded_for_each_by_itself(tmp_path: Path) -> None:
    form = Form(
        ROWS,
        TABLE,
        "[a] s = MatMul(x, w) t = Mul(s, f) [b] u = MatMul(t, w) [d] y = MatMul(u, w)",
        {"w": (9, 9), "f": (9,)},
        lambda w: [],
    )
    network = load(form.model(), tmp_path)
    w = form.weights()
    for layer, wanted in zip(network.layers, (w["w"] * w["f"], w["w"], w["w"]), strict=True):
        assert difference(layer.matrices[0], wanted) < 1e-6
    assert_exact(network)


# If whose condition is known

BRANCHES = (
    "<then_branch = a () => (float[N,M] p) {{ {then} }}, else_branch = b () => (float[N,M] q) "
    "{{ {other} }}>"
)
CONDITIONS = {
    "a constant": ("c = Constant<value = bool {1}>()", True),
    "a computed constant": ("i = Constant<value = bool {1}>() c = Not(i)", False),
    "a fixed axis": (
        "s = Shape(x) i = Constant<value = int64[1] {1}>() l = Gather(s, i) "
        "n = Constant<value = int64[1] {9}>() c = Equal(l, n)",
        True,
    ),
    "a fixed axis by its place": (
        "l = Shape<start=1>(x) n = Constant<value = int64 {1}>() d = Squeeze(l) c = Equal(d, n)",
        False,
    ),
    "the free axis": (
        "l = Shape<start=0, end=1>(x) n = Constant<value = int64[1] {2}>() c = Equal(l, n)",
        None,
    ),
    "an index that is the free axis": (
        "s = Shape(x) l = Shape<start=0, end=1>(x) m = Sub(l, l) d = Gather(s, m) "
        "n = Constant<value = int64[1] {2}>() c = Equal(d, n)",
        None,
    ),
    "a random number": (
        "l = RandomUniform<shape=[1]>() n = Constant<value = float[1] {0.5}>() d = Less(l, n) "
        "s = Not(d) c = Or(s, d)",
        None,
    ),
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_the_branch_of_a_known_condition_joins_the_network(name: str, tmp_path: Path) -> None:
    condition, value = CONDITIONS[name]
    then = "k = Neg(u) [m2] e = MatMul(h, k) p = Add(e, h)"
    other = "k = Neg(v) [m3] r = MatMul(h, k) q = Relu(r)"
    form = Form(
        ROWS,
        TABLE,
        f"{condition} [m1] h = MatMul(x, w) z = If(c) {BRANCHES.format(then=then, other=other)} "
        "k = Mul(z, z) [m4] y = MatMul(k, w4)",
        {"w": (9, 5), "u": (5, 5), "v": (5, 5), "w4": (5, 3)},
        lambda w: [],
    )
    network = load(form.model(), tmp_path)
    inside = {True: ["m2"], False: ["m3"], None: ["m2", "m3"]}[value]
    assert [layer.name for layer in network.layers] == ["m1", *inside, "m4"]
    assert ("If" in {node.op_type for node in network.model.graph.node}) == (value is None)
    if value is not None:
        key = "u" if value else "v"
        assert difference(network.layers[1].matrices[0], -form.weights()[key]) == 0
    onnx.checker.check_model(network.model, full_check=True)
    assert_exact(network)


def test_branches_with_weights_inside_another_and_shared_results(tmp_path: Path) -> None:
    model = parser.parse_model(
        """<ir_version: 8, opset_import: ["": 17]> g (float[N,4] x) => (float[N,4] y, float[N,4] z) {
        c = Constant<value = bool {1}>()
        y, z = If(c) <then_branch = a () => (float[N,4] p, float[N,4] o)
          <float[4,4] w = {1,2,3,4,5,6,7,8,-1,-2,-3,-4,0.5,0.25,0,1}> {
            h = MatMul(x, w)
            p = If(c) <then_branch = b () => (float[N,4] r) { k = Identity(h) r = Add(k, x) },
                       else_branch = d () => (float[N,4] s) { s = Identity(x) }> o = Identity(p) },
          else_branch = e () => (float[N,4] t, float[N,4] u) { t = Identity(x) u = Identity(x) }> }"""
    )
    network = load(model, tmp_path)
    assert not {"If"} & {node.op_type for node in network.model.graph.node}
    assert len(network.layers) == 1
    x = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    w = np.array([1, 2, 3, 4, 5, 6, 7, 8, -1, -2, -3, -4, 0.5, 0.25, 0, 1]).reshape(4, 4)
    for got in (*run(network.model, {"x": x}), *run(chip_of(network).model, {"x": x})):
        assert difference(got, (x @ w + x).astype(np.float32)) < TOLERANCE


# More than a file of ONNX can hold


def wide() -> onnx.ModelProto:
    form = Form(
        "float[N,40] x",
        TABLE,
        "[a] s = MatMul(x, w) t = Relu(s) [b] u = MatMul(t, v) y = Add(u, d)",
        {"w": (40, 60), "v": (60, 50), "d": (50,)},
        lambda w: [],
    )
    return form.model()


@pytest.fixture
def small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let 8 KiB stand for ONNX's 2 GiB."""
    monkeypatch.setattr(large, "LIMIT", 8192)


def saved_apart(model: onnx.ModelProto, path: Path) -> None:
    onnx.save(
        model, path, save_as_external_data=True, location=f"{path.name}.data", size_threshold=9
    )


@pytest.mark.usefixtures("small_limit")
def test_a_large_network_gives_the_same_results(tmp_path: Path) -> None:
    path = tmp_path / "wide.onnx"
    saved_apart(wide(), path)
    given = rxsim.patched(wide(), "8x4")
    got = evaluated(path)
    large.LIMIT = 2**31 - 1
    wanted = evaluated(path)
    for part in (got, wanted):
        del part["timing"]
    assert got == wanted
    same = rxsim.patched(path, "8x4")
    for model in (given, same):  # a file has another name and hash than a model in memory
        del model.metadata_props[:]
    assert given.SerializeToString() == same.SerializeToString()


def test_a_heavy_network_gives_the_same_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its weights are handed over beside its graph, and are not there when it is judged."""
    path = tmp_path / "wide.onnx"
    write_onnx(path, wide())
    wanted, chip = evaluated(path), rxsim.patched(path, "8x4").SerializeToString()
    monkeypatch.setattr(large, "HEAVY", 8192)
    got = evaluated(path)
    for part in (got, wanted):
        del part["timing"]
    assert got == wanted
    assert rxsim.patched(path, "8x4").SerializeToString() == chip


def test_a_heavy_network_that_is_refused_gets_the_same_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = wide()
    model.graph.node[1].op_type = "Rely"
    write_onnx(tmp_path / "wrong.onnx", model)
    said = []
    for heavy in (large.HEAVY, 8192):
        monkeypatch.setattr(large, "HEAVY", heavy)
        with pytest.raises(ModelError) as refused:
            load_network(tmp_path / "wrong.onnx")
        said.append(str(refused.value))
    assert "Rely" in said[0]
    assert said[0] == said[1]


@pytest.mark.usefixtures("small_limit")
def test_a_large_patched_network_is_two_files(tmp_path: Path) -> None:
    path, out = tmp_path / "wide.onnx", tmp_path / "chip.onnx"
    saved_apart(wide(), path)
    for _ in range(2):  # the second time over the first
        command("patch", path, *EXACT, "-o", out, "--quiet")
    names = sorted(item.name for item in tmp_path.iterdir())
    assert names == ["chip.onnx", "chip.onnx.data", "wide.onnx", "wide.onnx.data"]
    assert out.stat().st_size < 8192
    feeds = random_feeds(wide(), 3)
    session = onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    (got,), (wanted,) = session.run(None, feeds), run(wide(), feeds)
    assert difference(got, wanted) < TOLERANCE
    locations = {
        entry.value
        for tensor in onnx.load(out, load_external_data=False).graph.initializer
        for entry in tensor.external_data
        if entry.key == "location"
    }
    assert locations == {"chip.onnx.data"}
    assert load_network(out).layers


@pytest.mark.usefixtures("small_limit")
def test_a_file_of_someone_else_beside_the_output_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "chip.onnx.data").write_bytes(b"mine")
    with pytest.raises(InputError, match="belongs to no such model"):
        write_onnx(tmp_path / "chip.onnx", wide())
    assert [item.name for item in tmp_path.iterdir()] == ["chip.onnx.data"]
    assert (tmp_path / "chip.onnx.data").read_bytes() == b"mine"


def test_a_network_below_the_limit_is_one_file(tmp_path: Path) -> None:
    write_onnx(tmp_path / "chip.onnx", wide())
    assert [item.name for item in tmp_path.iterdir()] == ["chip.onnx"]
    assert (tmp_path / "chip.onnx").read_bytes() == wide().SerializeToString()

"""The batch of a network: which axis it is, and that the inputs along it are independent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from chips import found
from onnx import numpy_helper, parser

import rxsim
from rxsim.cli import main
from rxsim.config import Settings, load_settings
from rxsim.data import MadeUpInputs
from rxsim.errors import InputError
from rxsim.load import InputSpec, load_network
from rxsim.load.inputs import named_batch
from rxsim.load.steps_first import steps_first
from rxsim.pipeline import DataOptions, Study, open_study, patched_chip
from rxsim.pipeline.ladder.runner import Runner
from rxsim.report.work_shares import work_share

N = 6
"""So many inputs are made up."""


def weights(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32) / 2


def built(text: str, **tensors: np.ndarray) -> onnx.ModelProto:
    """Return a model of ONNX text; its weight `w` is (16, 16) where none is given."""
    model = parser.parse_model(f'<ir_version: 8, opset_import: ["": 17]> g {text}')
    for name, value in {"w": weights(16, 16), **tensors}.items():
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    return model


def settings() -> Settings:
    ideal = [f"crossbar.{name}=0" for name in ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense")]
    ideal += [f"{section}.n_bits=null" for section in ("device", "dac", "adc")]
    return load_settings(None, xbar="16x16", assignments=[*ideal, "calibration.samples=4"])


def opened(model: onnx.ModelProto, **options: Any) -> Study:
    return open_study(model, settings(), DataOptions(**{"limit": N, **options}), threads=1)


def made_up(study: Study, name: str = "x") -> np.ndarray:
    assert isinstance(study.inputs, MadeUpInputs)
    return study.inputs.tensors[name]


def onnx_run(model: onnx.ModelProto, **feeds: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return np.asarray(session.run(None, feeds)[0])


# --- inputs that are not independent --------------------------------------------------------------

ATTENTION = (
    "(float[{shape}] x) => (float[{shape}] y) {{q = MatMul(x, w) k = Transpose<perm=[{swap}]>(x)"
    " s = MatMul(q, k) a = Softmax(s) y = MatMul(a, q)}}"
)


def attention(shape: str, swap: str = "1,0") -> onnx.ModelProto:
    return built(ATTENTION.format(shape=shape, swap=swap))


def test_tokens_that_are_taken_for_a_batch_are_run_one_at_a_time_and_it_is_said() -> None:
    study = opened(attention("T,16"))
    assert (study.batch, study.output_axis, study.provenance.one_by_one) == (1, None, True)
    (note,) = study.notes
    assert all(word in note for word in ("axis 0 (T) of x", "one at a time", "--batch-axis x=none"))
    # A token alone attends to itself only.
    alone = made_up(study) @ weights(16, 16)
    np.testing.assert_allclose(found(study), alone, rtol=1e-4, atol=1e-5)
    whole = opened(attention("T,16"), input_batch_axes={"x": None}, fix_axes={"T": 5})
    assert not whole.notes
    x = made_up(whole)
    assert x.shape == (N, 5, 16)
    wanted = np.array([onnx_run(attention("T,16"), x=one).ravel() for one in x])
    np.testing.assert_allclose(found(whole), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [2, 6])
def test_tokens_that_are_taken_for_a_fixed_batch_are_refused_or_believed(size: int) -> None:
    model = attention(f"{size},16")
    study = opened(model)
    with pytest.raises(InputError, match=r"axis 0 of x.*state --batch-axis x=none"):
        Runner(study)
    assert patched_chip(study).taps  # patching evaluates nothing, but says it
    options = DataOptions(limit=N)
    patching = open_study(model, settings(), options, threads=1, evaluates=False)
    assert patching.notes[0].startswith("warning: ")
    believed = opened(model, input_batch_axes={"x": 0})
    assert believed.output_axis == 0
    assert believed.notes[0].startswith("warning: ")
    Runner(believed)
    whole = opened(model, input_batch_axes={"x": None})
    wanted = np.array([onnx_run(model, x=one).ravel() for one in made_up(whole)])
    np.testing.assert_allclose(found(whole), wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found(whole, patched_chip(whole).model), wanted, atol=1e-3)


# Each takes something of the inputs beside it along axis 0; the last of their places.
MIXED = {
    "their mean": "m = ReduceMean<axes=[0]>(p) y = Sub(p, m)",
    "those before": "k = Constant<value_int=0>() y = CumSum(p, k)",
    "those behind": "k = Constant<value_int=0>() y = CumSum<reverse=1>(p, k)",
    "the place": "k = Constant<value_int=0>() o = Sub(p, p) e = Exp(o) c = CumSum(e, k) y = Mul(p, c)",
}


@pytest.mark.parametrize("shape", ["N,16", "2,16", "3,16", "N,2,16", "4,5,16"])
@pytest.mark.parametrize("mixed", MIXED.values(), ids=MIXED.keys())
def test_whatever_mixes_inputs_is_found(mixed: str, shape: str) -> None:
    model = built(f"(float[{shape}] x) => (float[{shape}] y) {{p = MatMul(x, w) {mixed}}}")
    study = opened(model)
    said = f"{study.no_output} {' '.join(study.notes)}"
    assert "axis 0" in said
    if len(shape.split(",")) == 3:  # along axis 1 nothing is mixed
        assert "state --batch-axis x=1, along which inputs are independent" in study.no_output
        stated = opened(model, input_batch_axes={"x": 1}, **(
            {"fix_axes": {"N": 3}} if "N" in shape else {}))  # fmt: skip
        assert not stated.notes
        assert not stated.no_output
        assert stated.output_axis == 1
    else:
        assert bool(study.no_output) == ("N" not in shape)
        assert study.provenance.one_by_one == ("N" in shape)


@pytest.mark.parametrize(
    "text",
    [
        "(float[N,16] x) => (float[N,16] y) {y = MatMul(x, w)}",
        "(float[4,16] x) => (float[4,16] y) {y = MatMul(x, w)}",
        "(float[4,5,16] x) => (float[4,5,16] y) {y = MatMul(x, w)}",
        "(float[N,16] x) => (float[N,16] y) {p = MatMul(x, w) r = RandomNormalLike(p) y = Add(p, r)}",
        "(float[4,16] x) => (float[4,16] y) {p = MatMul(x, w) r = RandomNormalLike(p) y = Add(p, r)}",
    ],
)
def test_independent_and_random_networks_are_left_alone(text: str) -> None:
    study = opened(built(text))
    assert not any("batch" in note for note in study.notes)
    assert not study.no_output
    assert study.output_axis == 0
    assert not study.provenance.one_by_one


def test_one_input_is_tried_beside_those_that_calibrate() -> None:
    assert "axis 0 of x" in opened(attention("6,16"), limit=1).no_output


DYNAMIC = (
    "(float[{n},16] x) => (float[{n},16] y) {{a = MatMul(x, w) q, s, z = DynamicQuantizeLinear(a)"
    " y = DequantizeLinear(q, s, z)}}"
)


def test_a_scale_of_the_whole_batch_is_told_by_its_operator() -> None:
    free = opened(built(DYNAMIC.format(n="N")))
    assert free.provenance.one_by_one
    assert "DynamicQuantizeLinear takes its scale from the whole batch" in free.notes[0]
    model = built(DYNAMIC.format(n="N"))
    alone = np.concatenate([onnx_run(model, x=one[np.newaxis]) for one in made_up(free)])
    np.testing.assert_allclose(found(free), alone, rtol=1e-4, atol=1e-5)
    fixed = opened(built(DYNAMIC.format(n="4")))
    assert fixed.output_axis == 0
    assert not fixed.no_output
    assert fixed.notes[0].startswith("warning: ")


# --- which axis -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("axes", "shape", "kind", "batch"),
    [
        (("T", "N", ""), (None, None, 8), "f4", 1),
        (("T", "Batch_Size", ""), (None, None, 8), "f4", 1),
        (("N", "batch", ""), (None, None, 8), "f4", 1),
        (("b", "N", ""), (None, None, 8), "f4", 0),
        (("T", "bs"), (None, None), "i8", 1),
        (("M", "N"), (None, None), "f4", None),
        (("", "N", ""), (1, None, 3), "f4", None),
        (("", "batch", ""), (1, None, 3), "f4", 1),
        (("H", "W", ""), (None, None, 3), "f4", None),
        (("N",), (None,), "f4", 0),
    ],
)
def test_names_of_the_batch(
    axes: tuple[str, ...], shape: tuple[int | None, ...], kind: str, batch: int | None
) -> None:
    assert named_batch(InputSpec("x", np.dtype(kind), shape, 0, axes)) == batch


def lstm(shape: str, last: str = "n", before: str = "z = Identity(x)") -> onnx.ModelProto:
    text = (
        f"(float[{shape}] x) => (float[{last},16] y) <int64[1] k = {{0}}>"
        f" {{{before} h, l = LSTM<hidden_size=16>(z, wi, wr) s = Squeeze(l, k) y = MatMul(s, w)}}"
    ).replace("h, l = LSTM", "h, l, c = LSTM")
    model = built(text, wi=weights(1, 64, 16), wr=weights(1, 64, 16, seed=1))
    model.graph.output[0].type.tensor_type.ClearField("shape")
    return model


@pytest.mark.parametrize("shape", ["6,1,16", "6,3,16", "6,M,16", "T,M,16", "6,N,16"])
def test_recurrent_nodes_go_along_the_first_axis(shape: str) -> None:
    model = lstm(shape, before="z = Identity(x)")
    study = opened(model, **({"fix_axes": {"T": 6}} if "T" in shape else {}))
    (spec,) = study.network.inputs
    assert spec.batch_axis == 1
    said = "LSTM goes along axis 0 of x step by step: axis 1 is taken for the batch"
    assert any(said in note for note in study.notes) == ("N" not in shape)
    x = made_up(study)
    assert x.shape == (N, 6, 16)
    free = lstm("6,M,16", before="z = Identity(x)")
    wanted = onnx_run(free, x=np.ascontiguousarray(x.transpose(1, 0, 2)))
    np.testing.assert_allclose(found(study), wanted.reshape(N, 16), rtol=1e-4, atol=1e-5)


def test_steps_that_are_named_or_stated_a_batch_are_found() -> None:
    named = opened(lstm("batch,3,16"))
    assert "state --batch-axis x=1" in named.no_output
    stated = opened(lstm("6,3,16"), input_batch_axes={"x": 0})
    assert stated.no_output  # its output is as long as the other axis
    assert "x=1" in stated.no_output


def test_only_what_goes_along_the_first_axis_counts() -> None:
    assert steps_first(lstm("6,1,16", before="z = Cast<to=1>(x)")) == {"x": "LSTM"}
    turned = lstm("1,6,16", before="z = Transpose<perm=[1,0,2]>(x)")
    assert steps_first(turned) == {}
    layout = lstm("1,6,16")
    node = next(node for node in layout.graph.node if node.op_type == "LSTM")
    node.attribute.append(onnx.helper.make_attribute("layout", 1))
    assert steps_first(layout) == {}
    body = parser.parse_graph(
        "body (float[M,16] s, float[M,16] i) => (float[M,16] o, float[M,16] e)"
        " {o = Add(s, i) e = Identity(o)}"
    )
    for axis, steps in ((0, {"x": "Scan"}), (1, {})):
        scan = onnx.helper.make_node(
            *("Scan", ["h", "x"], ["f", "y"]), body=body, num_scan_inputs=1, scan_input_axes=[axis]
        )
        model = built("(float[5,M,16] x, float[M,16] h) => (float[5,M,16] y) {y = Identity(x)}")
        model.graph.node[0].CopyFrom(scan)
        assert steps_first(model) == steps


def test_labels_of_sequences_are_hit_as_often_as_in_onnxruntime(tmp_path: Path) -> None:
    """Stored [n, steps, values]; the network takes [steps, N, values]."""
    model = lstm("6,N,16")
    x = weights(10, 6, 16, seed=5) * 4
    y = onnx_run(model, x=np.ascontiguousarray(x.transpose(1, 0, 2))).argmax(axis=1)
    y[:4] = (y[:4] + 1) % 16
    study = opened(model, data=(x, y), limit=None)
    assert Runner(study).score_float().mean("accuracy") == pytest.approx(0.6)


def test_free_axes_are_asked_for_with_the_batch_as_another_answer() -> None:
    text = "(float[S,M,16] x) => (float[S,M,16] y) {y = MatMul(x, w)}"
    with pytest.raises(InputError, match=r"--fix-axis M=16 .*state --batch-axis x=1"):
        opened(built(text))
    with pytest.raises(InputError) as error:
        opened(built(text.replace("S,M", "N,M")))
    assert "--batch-axis" not in str(error.value)


def test_an_output_without_the_fixed_batch_is_told_with_what_works() -> None:
    text = (
        "(float[3,6,6] x) => (float[1,4] y) <int64[1] k = {0}> {u = Unsqueeze(x, k)"
        " a = Conv(u, c) b = GlobalAveragePool(a) y = Flatten(b)}"
    )
    model = built(text, c=weights(4, 3, 3, 3))
    with pytest.raises(InputError, match=r"\[1, 4\] for its fixed batch of 3.*x=none"):
        Runner(opened(model))
    whole = opened(model, input_batch_axes={"x": None})
    wanted = np.array([onnx_run(model, x=one).ravel() for one in made_up(whole)])
    np.testing.assert_allclose(found(whole), wanted, rtol=1e-4, atol=1e-5)


def test_a_constant_output_says_nothing_of_the_batch() -> None:
    text = (
        "(float[N,16] x) => (float[3] y, float[N,16] m) <float[3] k = {1,2,3}>"
        " {m = MatMul(x, w) y = Identity(k)}"
    )
    notes = opened(built(text), output="y").notes
    assert not any("free in name" in note for note in notes)
    assert any("y has no axis for them" in note for note in notes)


# --- shapes, counts, metrics ----------------------------------------------------------------------


def shapeless() -> onnx.ModelProto:
    model = built("(float[N,16] x) => (float[N,16] y) {a = Relu(x) y = MatMul(a, w)}")
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.ClearField("shape")
    return model


def test_an_input_without_a_shape_takes_the_stated_one() -> None:
    for stated in ({"x": (1, 16)}, {"": (16,)}):
        study = opened(shapeless(), input_shapes=stated)
        assert study.network.inputs[0].shape == (None, 16)
        assert study.plan.layers["y"].macs == 16 * 16
        wanted = np.maximum(made_up(study), 0) @ weights(16, 16)
        np.testing.assert_allclose(found(study), wanted, rtol=1e-4, atol=1e-5)
    assert opened(shapeless(), input_shapes={"x": (4, 16)}).network.fixed_batch == 4
    with pytest.raises(InputError, match=r"x has no shape.*--input-shape x="):
        opened(shapeless())
    with pytest.raises(InputError, match=r"x has no shape.*--input-shape x="):
        rxsim.inventory(shapeless())
    (place,) = rxsim.inventory(shapeless(), input_shapes={"x": (1, 16)}).layers
    assert place.macs == 16 * 16


def map_json(net: Path, folder: Path, *options: str) -> dict[str, Any]:
    with pytest.raises(SystemExit) as end:
        main(["map", str(net), "-q", "--json", str(folder / "m.json"), *options])
    assert end.value.code == 0
    values: dict[str, Any] = json.loads((folder / "m.json").read_text())
    return values


def test_counts_of_a_fixed_batch_are_for_one_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A constant product of 16 x 16, and attention over 3 tokens beside it: 2 x 3 x 3 x 16."""
    net = tmp_path / "net.onnx"
    onnx.save(attention("4,3,16", "0,2,1"), net)
    mapped = map_json(net, tmp_path)
    assert mapped["layers"][0]["macs"] == 3 * 16 * 16
    assert sum(row["macs"] for row in mapped["digital"]) == 2 * 3 * 3 * 16
    text = capsys.readouterr().out
    assert "MACs for one input" in text
    assert "axis 0 of x is taken for a batch fixed to 4; --batch-axis x=K" in text
    whole = map_json(net, tmp_path, "--batch-axis", "x=none")
    assert whole["layers"][0]["macs"] == 4 * 3 * 16 * 16
    assert "fixed to" not in capsys.readouterr().out
    second = map_json(net, tmp_path, "--batch-axis", "x=1")
    assert second["layers"][0]["macs"] == 4 * 16 * 16
    (place,) = rxsim.inventory(net, input_shapes={"x": (4, 3, 16)}).layers
    assert place.macs == 3 * 16 * 16
    assert load_network(net).fixed_batch == 4


def test_a_fixed_axis_of_a_further_input_is_no_batch() -> None:
    """Rows of x by 4 rows of z, which --fix-axis states."""
    text = (
        "(float[N,16] x, float[M,16] z) => (float[N,M] y)"
        " {a = MatMul(x, w) t = Transpose<perm=[1,0]>(z) y = MatMul(a, t)}"
    )
    for stated in ({"fix_axes": {"M": 4}}, {"input_shapes": {"z": (4, 16)}}):
        study = opened(built(text), **stated)
        assert [spec.batch_axis for spec in study.network.inputs] == [0, None]
        assert isinstance(study.inputs, MadeUpInputs)
        z = study.inputs.whole["z"]
        assert z.shape == (4, 16)
        assert not study.provenance.one_by_one
        wanted = made_up(study) @ weights(16, 16) @ z.T
        np.testing.assert_allclose(found(study), wanted, rtol=1e-4, atol=1e-5)


def test_an_input_that_nothing_reads_needs_no_axes() -> None:
    model = built("(float[N,16] x, float[A,B] unused) => (float[N,16] y) {y = MatMul(x, w)}")
    study = opened(model)
    np.testing.assert_allclose(found(study), made_up(study) @ weights(16, 16), rtol=1e-4, atol=1e-5)


def test_samples_that_fit_along_another_axis_are_told_which() -> None:
    tokens = weights(N, 6, 16)
    with pytest.raises(InputError, match=r"state --batch-axis x=none"):
        opened(attention("T,16"), data=tokens, metric="none")
    steps = built("(float[5,7,16] x) => (float[5,7,16] y) {y = MatMul(x, w)}")
    with pytest.raises(InputError, match=r"state --batch-axis x=1"):
        opened(steps, data=weights(N, 5, 16), metric="none")


def test_an_output_that_no_layer_stands_before_is_told() -> None:
    text = "(float[N,16] x) => (float[N,16] y, float[N,16] m) {y = Relu(x) m = MatMul(x, w)}"
    assert "no layer on crossbars stands before y" in opened(built(text)).notes[0]
    assert not opened(built(text), output="m").notes


def test_tables_in_bodies_and_masks_of_what_is_left_out() -> None:
    text = "(int64[N] x) => (float[N,16] y) {z = Cast<to=1>(x) y = Identity(z)}"
    model = built(text, e=weights(20, 16), zero=np.zeros((1, 16), np.float32))
    model.graph.initializer.append(numpy_helper.from_array(np.array(2), "trips"))
    body = parser.parse_graph(
        "body (int64 i, bool c, int64[N] ids, float[A,16] s) => (bool d, int64[N] ids2, float[A,16] t)"
        " {d = Identity(c) ids2 = Identity(ids) g = Gather(e, ids) t = Add(s, g)}"
    )
    del model.graph.node[:]
    loop = onnx.helper.make_node("Loop", ["trips", "", "x", "start"], ["last", "sum"], body=body)
    start = parser.parse_graph("s (float[1] k) => (float[1] o) {start = Gather(e, x)}").node[0]
    product = parser.parse_graph("p (float[1] k) => (float[1] o) {y = MatMul(sum, w)}").node[0]
    start.input[0] = "more"
    model.graph.initializer.append(numpy_helper.from_array(weights(30, 16, seed=3), "more"))
    model.graph.node.extend([start, loop, product])
    assert "whole numbers from 0 to 19" in opened(model).notes[0]
    masked = built(
        "(float[N,16] x, bool[N,16] src_key_padding_mask) => (float[N,16] y) <float zero = {0}>"
        " {a = Where(src_key_padding_mask, zero, x) y = MatMul(a, w)}"
    )
    study = opened(masked)
    assert "zeros, a mask of what is left out" in study.notes[0]
    assert not made_up(study, "src_key_padding_mask").any()


def test_a_metric_that_needs_data_is_not_dropped_silently() -> None:
    model = built("(float[N,16] x) => (float[N,16] y) {y = MatMul(x, w)}")
    for metric in ("top5", "mse"):
        (note,) = opened(model, metric=metric).notes
        assert all(word in note for word in (metric, "not measured", "--data"))
    assert not opened(model).notes


def test_all_that_is_known_on_crossbars_is_all() -> None:
    assert work_share({"macs_mapped": None, "macs_mapped_at_least": 1.0}) == "100 %"
    assert work_share({"macs_mapped": None, "macs_mapped_at_least": 0.5}) == "at least 50 %"

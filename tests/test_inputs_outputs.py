"""Inputs of every kind and outputs of any axis order: fed, found and made up as the network needs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from chips import found
from onnx import numpy_helper, parser

from rxsim.cli import main
from rxsim.config import Settings, load_settings
from rxsim.data import InputSet, MadeUpInputs
from rxsim.errors import InputError
from rxsim.load import load_network
from rxsim.pipeline import DataOptions, Study, open_study, patched_chip, take_inventory
from rxsim.pipeline.ladder.runner import Runner
from rxsim.pipeline.study.calibration_match import data_record
from rxsim.pipeline.study.make_up import example_feeds
from rxsim.run import predict
from rxsim.sweep.plan import read_plan

PERFECT = [
    *(f"crossbar.{name}=0" for name in ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense")),
    *(f"{section}.n_bits=null" for section in ("device", "dac", "adc")),
    "calibration.samples=4",
]
N = 6
"""So many inputs are made up."""


def weights(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32) / 2


def built(
    text: str, tensors: Mapping[str, np.ndarray] | None = None, more: str = ""
) -> onnx.ModelProto:
    """Return a model of ONNX text; its weight `w` is (16, 8) where no tensors are given."""
    model = parser.parse_model(f'<ir_version: 8, opset_import: ["": 17{more}]> g {text}')
    for name, value in ({"w": weights(16, 8)} if tensors is None else tensors).items():
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    return model


def perfect(*more: str) -> Settings:
    return load_settings(None, xbar="8x8", assignments=[*PERFECT, *more])


def opened(model: onnx.ModelProto, **options: Any) -> Study:
    chosen = DataOptions(**{"limit": N, **options})
    return open_study(model, perfect(), chosen, threads=1)


def onnx_run(model: onnx.ModelProto, name: str, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
    """What onnxruntime gives for a tensor of the model as it was given."""
    extended = onnx.ModelProto()
    extended.CopyFrom(model)
    if name not in [value.name for value in extended.graph.output]:
        extended.graph.output.append(onnx.ValueInfoProto(name=name))
    session = onnxruntime.InferenceSession(extended.SerializeToString())
    (values,) = session.run([name], dict(feeds))
    return np.asarray(values)


def stacked(
    model: onnx.ModelProto,
    output: str,
    study: Study,
    axes: Mapping[str, int | None],
    axis: int | None,
) -> np.ndarray:
    """Run inputs one at a time, fed as the test says; rows of the output, (inputs, values)."""
    assert isinstance(study.inputs, MadeUpInputs)
    held, rows = study.inputs, []
    for i in range(len(held)):
        feeds = {}
        for name, place in axes.items():
            if name in held.whole:
                feeds[name] = held.whole[name]
            elif place is None:
                feeds[name] = np.asarray(held.tensors[name][i])
            else:
                feeds[name] = np.expand_dims(held.tensors[name][i], place)
        values = onnx_run(model, output, feeds)
        rows.append((values if axis is None else values.take(0, axis=axis)).ravel())
    return np.array(rows, dtype=np.float32)


# --- outputs: which tensor ------------------------------------------------------------------------


CHOICES = [
    (
        "(float[N,16] x) => (seq(float[]) s) {a = MatMul(x, w) s = SequenceConstruct(a, a)}",
        "a",
        "no tensor",
    ),
    (
        "(float[N,16] x) => (seq(float[]) s) {a = MatMul(x, w) s = SplitToSequence(a)}",
        "a",
        "no tensor",
    ),
    (
        "(float[N,16] x) => (int64[N] y) {a = MatMul(x, w) y = ArgMax<axis=1,keepdims=0>(a)}",
        "a",
        "ArgMax",
    ),
    (
        "(float[N,16] x) => (int32[N] y) {a = MatMul(x, w) b = ArgMax<axis=1,keepdims=0>(a)"
        " c = Cast<to=6>(b) y = Identity(c)}",
        "a",
        "ArgMax",
    ),
    (
        "(float[N,16] x) => (int64[N,2] y) <int64[1] k = {2}>"
        " {a = MatMul(x, w) v, y = TopK<axis=1>(a, k)}",
        "a",
        "TopK",
    ),
    ("(float[N,16] x) => (int32[N,8] y) {a = MatMul(x, w) y = Cast<to=6>(a)}", "y", ""),
    (
        "(float[N,16] x) => (int32[N,8] i, float[N,8] y) {y = MatMul(x, w) i = Cast<to=6>(y)}",
        "y",
        "",
    ),
    (
        "(float[N,16] x) => (int64[N] i, float[N,8] y)"
        " {a = MatMul(x, w) y = Relu(a) i = ArgMax<axis=1,keepdims=0>(y)}",
        "y",
        "",
    ),
]


@pytest.mark.parametrize(
    ("text", "tensor", "note"), CHOICES, ids=[text[16:60] for text, _, _ in CHOICES]
)
def test_an_output_leads_to_the_tensor_that_is_evaluated(text: str, tensor: str, note: str) -> None:
    model = built(text)
    study = opened(model)
    assert study.output == tensor
    assert len(study.notes) == (1 if note else 0)
    assert note in " ".join(study.notes)
    wanted = stacked(model, tensor, study, {"x": 0}, 0)
    np.testing.assert_allclose(found(study), wanted, rtol=1e-5, atol=1e-6)
    patched = found(study, patched_chip(study).model)
    if tensor != "y" or "int32" not in text:  # whole numbers may differ by one where they round
        np.testing.assert_allclose(patched, wanted, atol=1e-4)


ZIPPED = (
    "(float[N,16] x) => (int64[N] label, seq(map(int64, float[])) p)"
    " {a = MatMul(x, w) s = Softmax(a)"
    " i = ArgMax<axis=1,keepdims=0>(s) label = ai.onnx.ml.ArrayFeatureExtractor(k, i)"
    " p = ai.onnx.ml.ZipMap<classlabels_int64s=[0,1,2,3,4,5,6,7]>(s)}"
)


ML = ', "ai.onnx.ml": 1'


def zipped() -> onnx.ModelProto:
    """A classifier as scikit-learn's converter writes it: a label, and a map from label to share."""
    tensors = {"w": weights(16, 8), "k": np.arange(8, dtype=np.int64)}
    model = built(ZIPPED, tensors, ML)
    model.graph.output[0].type.tensor_type.ClearField("shape")
    return model


def test_the_probabilities_behind_a_map_are_evaluated() -> None:
    model = zipped()
    study = opened(model)
    assert study.output == "s"
    assert "p is no tensor" in study.notes[0]
    wanted = stacked(model, "s", study, {"x": 0}, 0)
    np.testing.assert_allclose(found(study), wanted, rtol=1e-5)
    np.testing.assert_allclose(found(study, patched_chip(study).model), wanted, atol=1e-4)
    assert opened(model, output="label").output == "s"


def test_names_of_classes_lead_to_the_shares_that_they_are_picked_by() -> None:
    text = ZIPPED.replace("int64[N] label", "string[N] label").replace("p = ai", "q = ai")
    text = text.replace(", seq(map(int64, float[])) p", "")
    model = built(text, {"w": weights(16, 8), "k": np.array(list("abcdefgh"), dtype=object)}, ML)
    model.graph.output[0].type.tensor_type.ClearField("shape")
    study = opened(model)
    assert study.output == "s"
    np.testing.assert_allclose(found(study), stacked(model, "s", study, {"x": 0}, 0), rtol=1e-5)


def test_labels_of_a_classifier_with_a_map_are_hit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The accuracy of the float rung is that of the labels that the model itself gives."""
    x = weights(40, 16, seed=3) * 4
    y = onnx_run(zipped(), "label", {"x": x}).astype(np.int64).ravel()
    y[:10] = (y[:10] + 1) % 8
    onnx.save(zipped(), tmp_path / "net.onnx")
    np.savez(tmp_path / "d.npz", x=x, y=y)
    arguments = ["eval", str(tmp_path / "net.onnx"), "--data", str(tmp_path / "d.npz"), "-q"]
    path = tmp_path / "r.json"
    with pytest.raises(SystemExit) as end:
        main([*arguments, "--scale=1", "--json", str(path), *(f"--set={item}" for item in PERFECT)])
    assert end.value.code == 0
    result = json.loads(path.read_text())
    assert "0.7500" in capsys.readouterr().out
    assert np.mean(result["ladder"]["float32"]["accuracy"]["mean"]) == 0.75


INNER = (
    "(float[N,16] x) => (float[N,8] y)"
    " {a = MatMul(x, w) b = Relu(a) c = Add(k, k) d = Mul(b, c) y = Tanh(d)}"
)


def test_any_tensor_of_the_graph_can_be_evaluated(capsys: pytest.CaptureFixture[str]) -> None:
    model = built(INNER, {"w": weights(16, 8), "k": np.array([0.3], np.float32)})
    for name in ("a", "b", "d", "y"):
        study = opened(model, output=name)
        assert study.output == name
        wanted = stacked(model, name, study, {"x": 0}, 0)
        np.testing.assert_allclose(found(study), wanted, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(found(study, patched_chip(study).model), wanted, atol=1e-4)


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("c", ["c", "folded", "--output"]),
        ("x", ["x is an input or a constant", "--output"]),
        ("w", ["w is an input or a constant", "--output"]),
        ("zzz", ["no output zzz", "one of y", "--output"]),
    ],
)
def test_a_tensor_that_cannot_be_evaluated_is_refused(output: str, words: list[str]) -> None:
    with pytest.raises(InputError) as error:
        opened(built(INNER, {"w": weights(16, 8), "k": np.array([0.3], np.float32)}), output=output)
    assert all(word in str(error.value) for word in words)


def test_a_tensor_before_batch_normalisation_is_folded_away() -> None:
    ones = np.ones(8, np.float32)
    tensors = {"w": weights(16, 8), "b": ones, "s": ones * 2, "m": ones, "v": ones}
    model = built(
        "(float[N,16] x) => (float[N,8] y)"
        " {a = Gemm(x, w, b) y = BatchNormalization(a, s, b, m, v)}",
        tensors,
    )
    with pytest.raises(InputError, match="tensor a is folded"):
        opened(model, output="a")


def test_a_sequence_of_several_tensors_is_refused_by_name() -> None:
    text = (
        "(float[N,16] x) => (seq(float[]) s)"
        " {a = MatMul(x, w) b = Relu(a) s = SequenceConstruct(a, b)}"
    )
    study = opened(built(text))
    with pytest.raises(InputError, match=r"output s is a sequence.*--output a"):
        Runner(study)
    assert patched_chip(study).taps  # patching and the map need no output
    assert opened(built(text), output="b").output == "b"


# --- outputs: which axis --------------------------------------------------------------------------


AXES = [
    (
        "one value an input",
        "(float[N,16] x) => (float[N] y) <int64[1] k = {1}> {a = MatMul(x, w1) y = Squeeze(a, k)}",
        0,
    ),
    (
        "steps first",
        "(float[N,12,16] x) => (float[12,N,8] y) {t = Transpose<perm=[1,0,2]>(x) y = MatMul(t, w)}",
        1,
    ),
    (
        "two steps first",
        "(float[N,2,16] x) => (float[2,N,8] y) {t = Transpose<perm=[1,0,2]>(x) y = MatMul(t, w)}",
        1,
    ),
    (
        "as free as the batch",
        "(float[N,2,16] x) => (float[A,B,C] y) {t = Transpose<perm=[1,0,2]>(x) y = MatMul(t, w)}",
        1,
    ),
    ("batch last", "(float[N,16] x) => (float[8,N] y) {a = MatMul(x, w) y = Transpose(a)}", 1),
    ("steps after the batch", "(float[N,5,16] x) => (float[N,5,8] y) {y = MatMul(x, w)}", 0),
    (
        "one number of all",
        "(float[N,16] x) => (float y) {a = MatMul(x, w) y = ReduceMean<keepdims=0>(a)}",
        None,
    ),
    (
        "rows of all inputs",
        "(float[N,5,16] x) => (float[M,8] y) <int64[2] k = {-1, 16}>"
        " {a = Reshape(x, k) y = MatMul(a, w)}",
        None,
    ),
]


@pytest.mark.parametrize(
    ("text", "axis"), [case[1:] for case in AXES], ids=[case[0] for case in AXES]
)
def test_the_batch_axis_of_an_output_is_found(text: str, axis: int | None) -> None:
    model = built(text, {"w": weights(16, 8), "w1": weights(16, 1, seed=2)})
    study = opened(model)
    assert study.output_axis == axis
    assert study.provenance.one_by_one == (axis is None)
    wanted = stacked(model, "y", study, {"x": 0}, axis)
    np.testing.assert_allclose(found(study), wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found(study, patched_chip(study).model), wanted, atol=1e-4)


@pytest.mark.parametrize("size", [4, 3])
def test_a_fixed_batch_is_found_among_axes_of_its_length(size: int) -> None:
    """4 steps and 4 inputs: which axis is which shows on equal inputs."""
    text = (
        f"(float[{size},4,16] x) => (float[4,{size},8] y)"
        " {t = Transpose<perm=[1,0,2]>(x) y = MatMul(t, w)}"
    )
    model = built(text)
    study = opened(model)
    assert (study.network.fixed_batch, study.output_axis) == (size, 1)
    assert isinstance(study.inputs, MadeUpInputs)
    x = study.inputs.tensors["x"]
    wanted = np.array([(one @ weights(16, 8)).ravel() for one in x])
    np.testing.assert_allclose(found(study), wanted, rtol=1e-4, atol=1e-5)
    patched = patched_chip(study)
    np.testing.assert_allclose(found(study, patched.model), wanted, atol=1e-4)


def test_a_fixed_batch_without_an_axis_of_its_length_is_patched_but_not_evaluated() -> None:
    text = "(float[4,16] x) => (float y) {a = MatMul(x, w) y = ReduceMean<keepdims=0>(a)}"
    study = opened(built(text))
    assert patched_chip(study).taps
    with pytest.raises(InputError, match=r"output y .* fixed batch of 4.*--output"):
        Runner(study)


def test_the_work_of_a_fixed_batch_is_that_of_one_input() -> None:
    """A state before or after it, whose first axis is no batch, changes nothing."""
    state, x = "float[2,4,16] h", "float[4,16] x"
    for inputs in (f"{x}, {state}", f"{state}, {x}"):
        text = (
            f"({inputs}) => (float[4,8] y) <int64 k = {{0}}>"
            " {s = Gather<axis=0>(h, k) t = Add(x, s) y = MatMul(t, w)}"
        )
        study = opened(built(text), input="x")
        assert study.plan.layers["y"].macs == 16 * 8


def test_a_stated_batch_axis_wins_and_must_fit() -> None:
    text = (
        "(float[N,12,16] x) => (float[12,N,8] y) {t = Transpose<perm=[1,0,2]>(x) y = MatMul(t, w)}"
    )
    for stated in (1, -2):
        study = opened(built(text), batch_axis=stated)
        assert study.output_axis == 1
        assert study.provenance.as_json()["batch_axis"] == stated
    for stated in (0, 2, 7):
        with pytest.raises(InputError, match=rf"--batch-axis: found {stated}"):
            opened(built(text), batch_axis=stated)


def test_an_output_whose_size_depends_on_the_data_is_refused() -> None:
    text = (
        "(float[N,16] x) => (int64[2,K] y) {a = MatMul(x, w) y = NonZero(b) b = Relu(a)}"
    ).replace("y = NonZero(b) b = Relu(a)", "b = Relu(a) y = NonZero(b)")
    study = opened(built(text))
    with pytest.raises(InputError, match=r"output y .* depends on the data.*--output"):
        found(study)


# --- inputs: which axis is the batch --------------------------------------------------------------


STATES = [
    (
        "a scalar",
        "(float[N,16] x, float g) => (float[N,8] y) {t = Mul(x, g) y = MatMul(t, w)}",
        {"x": 0, "g": None},
    ),
    (
        "a state whose batch is second, by its name",
        "(float[N,16] x, float[2,N,16] h) => (float[N,8] y) <int64 k = {1}>"
        " {s = Gather<axis=0>(h, k) t = Add(x, s) y = MatMul(t, w)}",
        {"x": 0, "h": 1},
    ),
    (
        "a state whose batch is second, the only free axis",
        "(float[N,16] x, float[2,?,16] h) => (float[N,8] y) <int64 k = {1}>"
        " {s = Gather<axis=0>(h, k) t = Add(x, s) y = MatMul(t, w)}",
        {"x": 0, "h": 1},
    ),
    (
        "a table without a batch",
        "(float[N,16] x, float[3,16] c) => (float[N,8] y)"
        " {s = ReduceMean<axes=[0], keepdims=0>(c) t = Add(x, s) y = MatMul(t, w)}",
        {"x": 0, "c": None},
    ),
    (
        "steps before the batch, by its name",
        "(float[5,batch,16] x) => (float[5,batch,8] y) {y = MatMul(x, w)}",
        {"x": 1},
    ),
    (
        "no batch at all",
        "(float[16] x) => (float[8] y) <int64[1] k = {0}>"
        " {a = Unsqueeze(x, k) b = MatMul(a, w) y = Squeeze(b, k)}",
        {"x": None},
    ),
]


@pytest.mark.parametrize(
    ("text", "axes"), [case[1:] for case in STATES], ids=[case[0] for case in STATES]
)
def test_the_batch_axis_of_each_input_is_found(text: str, axes: dict[str, int | None]) -> None:
    model = built(text)
    study = opened(model)
    assert {spec.name: spec.batch_axis for spec in study.network.inputs} == axes
    axis = None if axes["x"] is None else axes["x"]
    wanted = stacked(model, "y", study, axes, axis)
    assert len(np.unique(wanted, axis=0)) == N
    np.testing.assert_allclose(found(study), wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found(study, patched_chip(study).model), wanted, atol=1e-4)
    assert take_inventory(study.network, study.settings, {}).layers


def test_a_fixed_batch_is_filled_along_the_right_axis() -> None:
    """Six inputs in batches of four: the last is filled up, and the scalar and the table stay."""
    text = (
        "(float[4,16] x, float[2,4,16] h, float[16] c, float g) => (float[4,8] y) <int64 k = {0}>"
        " {s = Gather<axis=0>(h, k) t = Add(x, s) u = Add(t, c) v = Mul(u, g) y = MatMul(v, w)}"
    )
    study = opened(built(text))
    axes = {spec.name: spec.batch_axis for spec in study.network.inputs}
    assert axes == {"x": 0, "h": 1, "c": None, "g": None}
    held = study.inputs
    assert isinstance(held, MadeUpInputs)
    x, h, c = held.tensors["x"], held.tensors["h"], held.whole["c"]
    assert h.shape == (N, 2, 16)
    assert float(held.whole["g"]) == 1
    wanted = (x + h[:, 0] + c) @ weights(16, 8)
    np.testing.assert_allclose(found(study), wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found(study, patched_chip(study).model), wanted, atol=1e-4)


def test_a_user_states_which_axis_is_the_batch() -> None:
    text = "(float[A,B,16] x) => (float[A,B,8] y) {y = MatMul(x, w)}"
    shapes = {"x": (3, 1, 16)}
    study = opened(built(text), input_shapes=shapes, input_batch_axes={"x": 1})
    assert study.network.inputs[0].one == (3, 16)
    assert study.output_axis == 1
    whole = opened(built(text), input_shapes={"x": (3, 2, 16)}, input_batch_axes={"x": None})
    assert whole.inputs.feeds(0, 1)["x"].shape == (3, 2, 16)
    assert whole.output_axis is None
    with pytest.raises(InputError, match="found 3 for the input x"):
        opened(built(text), input_batch_axes={"x": 3})


# --- free axes ------------------------------------------------------------------------------------


IMAGE = (
    "(float[N,3,H,W] x) => (float[N,4] y) {a = Conv(x, w) b = GlobalAveragePool(a) y = Flatten(b)}"
)


def image() -> onnx.ModelProto:
    return built(IMAGE, {"w": weights(4, 3, 3, 3)})


@pytest.mark.parametrize(
    "options",
    [
        {"input_shapes": {"x": (1, 3, 6, 9)}},
        {"input_shapes": {"x": (3, 6, 9)}},
        {"input_shapes": {"": (3, 6, 9)}},
        {"fix_axes": {"H": 6, "W": 9}},
        {"input_shapes": {"x": [2, 3, 6, 9]}},
    ],
)
def test_free_axes_are_fixed_by_shape_or_by_name(options: dict[str, Any]) -> None:
    study = opened(image(), **options)
    batch = 2 if options.get("input_shapes", {}).get("x") == [2, 3, 6, 9] else None
    assert study.network.inputs[0].shape == (batch, 3, 6, 9)
    wanted = stacked(image(), "y", study, {"x": 0}, 0)
    np.testing.assert_allclose(found(study), wanted, rtol=1e-4, atol=1e-5)
    assert study.provenance.as_json()["inputs"]
    layer = study.plan.layers["a"]
    assert layer.macs == 4 * 7 * 27 * 4  # 4 by 7 places of a kernel of 3 by 3, 3 channels to 4


def test_a_name_fixes_the_axis_of_every_input() -> None:
    text = (
        "(int64[B,T] ids, int64[B,T] type_ids) => (float[B,T,8] y)"
        " {a = Gather(e, ids) b = Gather(f, type_ids) c = Add(a, b) y = MatMul(c, w)}"
    )
    tensors = {"e": weights(11, 16), "f": weights(2, 16, seed=5), "w": weights(16, 8)}
    for options in ({"fix_axes": {"T": 7}}, {"input_shapes": {"ids": (1, 7)}}):
        study = opened(built(text, tensors), **options)
        assert [spec.shape for spec in study.network.inputs] == [(None, 7), (None, 7)]
    with pytest.raises(InputError, match="found 8 and 7 for the axis T"):
        opened(built(text, tensors), input_shapes={"ids": (1, 7), "type_ids": (1, 8)})


def test_what_is_stated_reaches_identities() -> None:
    studies = [opened(image(), fix_axes={"H": 6, "W": width}) for width in (9, 10)]
    keys = [
        json.dumps(
            [s.evaluated_identity(), s.calibration_identity(), s.provenance.point_identity("none")]
        )
        for s in studies
    ]
    assert keys[0] != keys[1]
    assert [data_record(s.provenance).stated for s in studies] == [
        {"axes": {"H": 6, "W": width}} for width in (9, 10)
    ]


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (image(), ["x [any, 3, any, any]", "--fix-axis H=224 --fix-axis W=224"]),
        (
            built("(float[?,?,16] x) => (float[?,?,8] y) {y = MatMul(x, w)}"),
            ["x [any, any, 16]", "--input-shape x=1,16,16"],
        ),
    ],
)
def test_free_axes_are_asked_for_with_the_option_to_type(
    model: onnx.ModelProto, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    onnx.save(model, tmp_path / "net.onnx")
    with pytest.raises(SystemExit) as end:
        main(["eval", str(tmp_path / "net.onnx")])
    text = capsys.readouterr().err
    assert end.value.code == 2
    assert all(word in text for word in words)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"input_shapes": {"z": (1, 2)}}, ["no input z", "one of x"]),
        ({"input_shapes": {"x": (1, 4, 6, 6)}}, ["--input-shape", "1,4,6,6", "[any, 3, any, any]"]),
        ({"input_shapes": {"": (5, 7)}}, ["--input-shape", "5,7", "x: 3,any,any"]),
        ({"fix_axes": {"h": 6}}, ["--fix-axis: found h", "H, N, W"]),
        ({"input_values": {"x": 1}}, ["--input-value", "free axes"]),
        ({"fix_axes": {"H": 0}}, ["fix_axes: H", "1 or above"]),
        ({"input_shapes": [1]}, ["input_shapes", "mapping"]),
        ({"input_values": {"x": "a"}}, ["input_values: x", "number"]),
    ],
)
def test_what_does_not_fit_the_inputs_is_refused(options: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(InputError) as error:
        opened(image(), **options)
    assert all(word in str(error.value) for word in words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--input-shape", "x=3,a"], ["--input-shape", "whole numbers"]),
        (["--input-shape", "x=1,2", "--input-shape", "x=1,3"], ["x twice"]),
        (["--fix-axis", "H"], ["--fix-axis", "NAME=VALUE"]),
        (["--fix-axis", "H=x"], ["--fix-axis", "H=48"]),
        (["--input-value", "x=a"], ["--input-value", "number"]),
        (["--batch-axis", "a"], ["--batch-axis", "NAME=none"]),
    ],
)
def test_options_that_cannot_be_read_are_refused(
    arguments: list[str], words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    onnx.save(image(), tmp_path / "net.onnx")
    with pytest.raises(SystemExit) as end:
        main(["eval", str(tmp_path / "net.onnx"), *arguments])
    text = capsys.readouterr().err
    assert end.value.code == 2
    assert all(word in text for word in words)


# --- made-up inputs -------------------------------------------------------------------------------


def ids_model() -> onnx.ModelProto:
    """A small encoder: token ids through two tables, token types, positions, and a mask."""
    text = (
        "(int64[B,7] ids, int64[B,7] type_ids, int64[1,7] position_ids, int64[B,7] attention_mask)"
        " => (float[B,8] y) <int64[1] ax = {1}, int64[1] two = {2}, float one = {1.0}>"
        " {i = Cast<to=6>(ids) a = Gather(e, i) j = Unsqueeze(ids, ax) k = Squeeze(j, ax)"
        " a2 = Gather(e2, k) b = Gather(f, type_ids) c = Gather(g, position_ids)"
        " m = Cast<to=1>(attention_mask) n = Sub(one, m) o = Unsqueeze(n, two)"
        " s1 = Add(a, b) s2 = Add(s1, c) s3 = Add(s2, a2) s4 = Sub(s3, o)"
        " h = ReduceMean<axes=[1], keepdims=0>(s4) y = MatMul(h, w)}"
    )
    tensors = {
        "e": weights(90, 16),
        "e2": weights(30, 16, seed=1),
        "f": weights(2, 16, seed=2),
        "g": weights(512, 16, seed=3),
        "w": weights(16, 8, seed=4),
    }
    return built(text, tensors)


def test_ids_stay_below_the_smallest_table_and_masks_are_ones() -> None:
    model = ids_model()
    study = opened(model, limit=200)
    held = study.inputs
    assert isinstance(held, MadeUpInputs)
    ids, types = held.tensors["ids"], held.tensors["type_ids"]
    assert ids.dtype == np.int64
    assert set(np.unique(ids)) == set(range(30))  # 1400 draws of 30 values
    assert set(np.unique(types)) == {0, 1}
    assert (held.tensors["attention_mask"] == 1).all()
    np.testing.assert_array_equal(held.whole["position_ids"], [np.arange(7)])
    said = " ".join(study.notes)
    assert all(word in said for word in ("ids: whole numbers from 0 to 29", "ones, a mask"))
    axes = {"ids": 0, "type_ids": 0, "position_ids": None, "attention_mask": 0}
    few = opened(model)
    wanted = stacked(model, "y", few, axes, 0)
    np.testing.assert_allclose(found(few), wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found(few, patched_chip(few).model), wanted, atol=1e-4)


MADE_UP = [
    ("uint8[N,16] x", "", "pixels", "0 to 255"),
    ("int32[N,4,2,2] x", "", "pixels", "0 to 255"),
    ("int64[N,16] x", "", "unknown", "0 and 1"),
    ("bool[N,16] x", "", "mask", "ones"),
]


@pytest.mark.parametrize(("declared", "_", "kind", "words"), MADE_UP, ids=[c[0] for c in MADE_UP])
def test_whole_numbers_are_made_up_by_type(declared: str, _: str, kind: str, words: str) -> None:
    text = (
        f"({declared}) => (float[N,8] y) {{f = Flatten(z) y = MatMul(f, w) z = Cast<to=1>(x)}}"
    ).replace(
        "f = Flatten(z) y = MatMul(f, w) z = Cast<to=1>(x)",
        "z = Cast<to=1>(x) f = Flatten(z) y = MatMul(f, w)",
    )
    model = built(text)
    study = opened(model)
    assert isinstance(study.inputs, MadeUpInputs)
    values = study.inputs.tensors["x"]
    low, high = {"pixels": (0, 255), "unknown": (0, 1), "mask": (1, 1)}[kind]
    assert (values.min(), values.max()) >= (low, low)
    assert values.max() <= high
    assert kind == "mask" or values.std() > 0
    assert words in study.notes[0]
    np.testing.assert_allclose(
        found(study), stacked(model, "y", study, {"x": 0}, 0), rtol=1e-4, atol=1e-4
    )


def test_ids_that_are_compared_with_each_class_stay_below_them() -> None:
    """How jax writes OneHot: Equal with 0, 1, 2 .. along a new axis."""
    text = (
        "(int32[B,5] x) => (float[B,5,8] y) <int64[1] k = {2}>"
        " {i = Unsqueeze(x, k) e = Equal(i, c) h = Cast<to=1>(e) y = MatMul(h, w)}"
    )
    tensors = {"w": weights(16, 8), "c": np.arange(16, dtype=np.int32).reshape(1, 1, 16)}
    study = opened(built(text, tensors), limit=100)
    assert isinstance(study.inputs, MadeUpInputs)
    assert set(np.unique(study.inputs.tensors["x"])) == set(range(16))


def test_names_without_a_letter_name_no_axis() -> None:
    model = image()
    for axis in (0, 2, 3):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = "?"
    study = opened(model, input_shapes={"x": (1, 3, 6, 9)})
    assert study.network.inputs[0].shape == (None, 3, 6, 9)
    with pytest.raises(InputError, match=r"--input-shape x=1,3,224,224"):
        opened(model)


def test_lengths_are_those_of_the_sequence() -> None:
    text = (
        "(float[5,B,16] x, int32[B] n) => (float[B,8] y) <int64[1] k = {0}>"
        " {h, last = GRU<hidden_size=16>(x, wi, wr, , n) s = Squeeze(last, k) y = MatMul(s, w)}"
    )
    tensors = {"wi": weights(1, 48, 16), "wr": weights(1, 48, 16, seed=1), "w": weights(16, 8)}
    study = opened(built(text, tensors), input_batch_axes={"x": 1})
    assert isinstance(study.inputs, MadeUpInputs)
    assert (study.inputs.tensors["n"] == 5).all()
    assert "the length 5" in study.notes[0]


RATE = (
    "(float[N,16] x, int64 sr) => (float[N,8] y) <int64 k = {16000}, float a = {2.0}, float b = {3.0}>"
    " {c = Equal(sr, k) f = Where(c, a, b) z = Mul(x, f) y = MatMul(z, w)}"
)


def test_a_scalar_takes_what_it_is_compared_with_or_what_is_stated() -> None:
    model = built(RATE)
    for options, factor in (({}, 2.0), ({"input_values": {"sr": 8000}}, 3.0)):
        study = opened(model, **options)
        assert isinstance(study.inputs, MadeUpInputs)
        wanted = factor * study.inputs.tensors["x"] @ weights(16, 8)
        np.testing.assert_allclose(found(study), wanted, rtol=1e-4, atol=1e-5)
    assert study.provenance.as_json()["inputs"] == {"values": {"sr": [8000.0]}}
    with pytest.raises(InputError, match=r"--input-value: found \[0\.5\].*whole numbers"):
        opened(model, input_values={"sr": 0.5})
    with pytest.raises(InputError, match="found 2 numbers for the input sr"):
        opened(model, input_values={"sr": [1, 2]})


def test_an_input_with_a_default_keeps_it() -> None:
    text = "(float[N,16] x, float[1] g) => (float[N,8] y) {z = Mul(x, g) y = MatMul(z, w)}"
    model = built(text, {"w": weights(16, 8), "g": np.array([2.5], np.float32)})
    study = opened(model)
    assert [spec.name for spec in study.network.inputs] == ["x"]
    assert isinstance(study.inputs, MadeUpInputs)
    wanted = 2.5 * study.inputs.tensors["x"] @ weights(16, 8)
    np.testing.assert_allclose(found(study), wanted, rtol=1e-4, atol=1e-5)
    with pytest.raises(InputError, match=r"g of .* has a default"):
        opened(model, input_values={"g": 1})


def test_text_is_refused_in_a_sentence() -> None:
    text = (
        "(float[N,16] x, string[N,1] s) => (float[N,8] y, string[N,1] t)"
        " {y = MatMul(x, w) t = Identity(s)}"
    )
    with pytest.raises(InputError, match="input s takes text"):
        opened(built(text))


# --- data -----------------------------------------------------------------------------------------


MIXED = (
    "(float[N,16] x, float[2,N,16] h, float[3,16] c, float g, float[N] v) => (float[N,8] y)"
    " <int64 k = {1}, int64[1] ax = {1}>"
    " {s = Gather<axis=0>(h, k) t = Add(x, s) r = ReduceSum(c, z) u = Add(t, r) o = Mul(u, g)"
    " q = Unsqueeze(v, ax) p = Mul(o, q) y = MatMul(p, w)}"
)


def mixed() -> onnx.ModelProto:
    return built(MIXED.replace("ReduceSum(c, z)", "ReduceMean<axes=[0], keepdims=0>(c)"))


def arrays(count: int = N) -> dict[str, np.ndarray]:
    return {
        "x": weights(count, 16, seed=1),
        "h": weights(count, 2, 16, seed=2),
        "c": weights(3, 16, seed=3),
        "g": np.array(0.5, np.float32),
        "v": weights(count, seed=4),
    }


def product(held: Mapping[str, np.ndarray], g: float) -> np.ndarray:
    """The network in numpy."""
    mean = held["c"].mean(axis=0)
    before = (held["x"] + held["h"][:, 1] + mean) * g * held["v"][:, np.newaxis]
    return np.asarray(before @ weights(16, 8))


def test_an_npz_holds_inputs_by_sample_and_whole(tmp_path: Path) -> None:
    held = arrays()
    np.savez(tmp_path / "d.npz", **held)  # type: ignore[arg-type]
    model = mixed()
    study = opened(model, data=tmp_path / "d.npz", metric="none", limit=None)
    assert isinstance(study.inputs, InputSet)
    np.testing.assert_allclose(found(study), product(held, 0.5), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        found(study, patched_chip(study).model), product(held, 0.5), atol=1e-4
    )
    by_name = {name: value for name, value in held.items() if name != "g"}
    stated = opened(model, data=by_name, metric="none", limit=None, input_values={"g": 2, "v": 3})
    held["v"][:] = 3
    np.testing.assert_allclose(found(stated), product(held, 2.0), rtol=1e-4, atol=1e-5)


def test_a_value_for_what_the_data_feed_is_refused() -> None:
    with pytest.raises(InputError, match="--input-value: found a value for x"):
        opened(mixed(), data=arrays(), metric="none", limit=None, input_values={"x": 1})


def test_the_inputs_of_the_map_are_rows_that_the_table_has() -> None:
    text = (
        "(int64[B,7] ids) => (float[B,8] y)"
        " {a = Gather(e, ids) c = ReduceMean<axes=[1], keepdims=0>(a) y = MatMul(c, w)}"
    )
    model = built(text, {"e": weights(9, 16), "w": weights(16, 8)})
    network = load_network(model)
    shapes = {"ids": (1, 7)}
    assert example_feeds(network, shapes)["ids"].max() < 9
    assert take_inventory(network, perfect(), shapes).layers[0].macs == 16 * 8


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"c": weights(4, 16)}, ["c of shape [4, 16]", "[3, 16]", "without a batch"]),
        ({"g": np.ones(N, np.float32)}, ["g of shape [6]", "[]"]),
        ({"h": weights(N, 3, 16)}, ["h", "[3, 16]", "[2, 16]"]),
        ({"h": weights(2, N, 16)}, ["2 samples of h", "6"]),
        ({"v": np.array([np.nan] * N, np.float32)}, ["v holds NaN"]),
        ({"c": np.array([["a"] * 16] * 3)}, ["c"]),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(InputError) as error:
        opened(mixed(), data={**arrays(), **change}, metric="none", limit=None)
    assert all(word in str(error.value) for word in words)


def test_targets_of_another_shape_than_the_rows_are_refused() -> None:
    model = built(AXES[1][1], {"w": weights(16, 8)})
    data = {"x": weights(N, 12, 16), "y": weights(N, 12, 8)}
    study = opened(model, data=data, metric="mse", limit=None)
    assert study.labels is not None
    from rxsim.pipeline.ladder.runner import Runner

    error = Runner(study).score_float().mean("mse")
    plain = np.square(data["x"] @ weights(16, 8) - data["y"]).mean()
    assert error == pytest.approx(plain, rel=1e-4)
    short = opened(model, data={**data, "y": data["y"][:, :4]}, metric="mse", limit=None)
    with pytest.raises(InputError, match="targets y of shape"):
        Runner(short).score_float()


# --- whole commands -------------------------------------------------------------------------------


def run_command(*arguments: Any) -> None:
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    assert end.value.code == 0


def test_every_command_takes_such_inputs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (
        "(float[N,T,16] x, float[2,N,16] h, int64 sr) => (float[T,N,8] y)"
        " <int64 k = {0}, int64[1] a = {1}> {s = Gather<axis=0>(h, k) u = Unsqueeze(s, a) t = Add(x, u)"
        " [fc] z = MatMul(t, w) y = Transpose<perm=[1,0,2]>(z)}"
    )
    net = tmp_path / "net.onnx"
    model = built(text)
    onnx.save(model, net)
    small = ["--set=calibration.samples=4", "--xbar=16x8", "-q"]
    fixed, stated = ["--fix-axis", "T=5"], ["--input-value", "sr=3"]
    run_command("map", net, "--input-shape", "x=1,5,16", "--json", tmp_path / "m.json")
    assert json.loads((tmp_path / "m.json").read_text())["layers"][0]["macs"] == 5 * 16 * 8
    run_command("calibrate", net, *fixed, *stated, *small, "-o", tmp_path / "c.json")
    run_command(
        *("eval", net, *fixed, *stated, *small, "--limit=3", "--trials=1", "--batch-axis=1"),
        *("--calibration", tmp_path / "c.json", "--json", tmp_path / "r.json"),
    )
    provenance = json.loads((tmp_path / "r.json").read_text())["provenance"]
    assert provenance["inputs"] == {"axes": {"T": 5}, "values": {"sr": [3.0]}}
    assert provenance["batch_axis"] == 1
    with pytest.raises(SystemExit) as end:
        main(
            [
                *("eval", str(net), "--fix-axis", "T=6", *stated, *small, "--limit=3"),
                *("--calibration", str(tmp_path / "c.json")),
            ]
        )
    assert end.value.code == 2
    assert "axes of T is 5 there, 6 here" in capsys.readouterr().err
    run_command("patch", net, *fixed, *stated, *small, "-o", tmp_path / "p.onnx")
    patched = onnx.load(tmp_path / "p.onnx")
    assert [value.name for value in patched.graph.input] == ["x", "h", "sr"]
    run_command("verify", net, *fixed, *stated, *small, "--arrays=1")
    spice = ("--layer=fc", "--array=0", "-o", tmp_path / "a.cir")
    run_command("spice", net, *fixed, *stated, *small, *spice)
    sweep = {
        "model": "net.onnx",
        "fix_axes": {"T": 5},
        "input_values": {"sr": 3},
        "limit": 3,
        "trials": 1,
        "settings": {"calibration.samples": 4},
        "axes": {"adc.n_bits": [6, 8]},
    }
    (tmp_path / "sweep.yaml").write_text(json.dumps(sweep))
    points = read_plan(tmp_path / "sweep.yaml").points
    assert len(points) == 2
    for point in points:
        study = open_study(point.model, point.settings, point.options, threads=1)
        assert study.provenance.as_json()["inputs"] == {"axes": {"T": 5}, "values": {"sr": [3.0]}}


def test_the_batches_do_not_change_the_numbers() -> None:
    """Rows in batches of 64 and one by one are the same, for any place of the batch."""
    model = built(STATES[1][1])
    study = opened(model, limit=9)
    rows: Sequence[np.ndarray] = [
        predict(model, "y", study.inputs, what="it", batch=size, threads=1, axis=0)
        for size in (1, 4, 64)
    ]
    np.testing.assert_array_equal(rows[0], rows[1])
    np.testing.assert_array_equal(rows[0], rows[2])

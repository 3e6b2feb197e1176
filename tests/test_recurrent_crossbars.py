"""Recurrent layers on crossbars: exact ones are the float network, real ones a plain twin's steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import pytest
import twin
from beside_twin import patched
from chips import bare_study
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from oracles.recurrent import Floats, Multiply, exact, recurrent
from plain_work import executed_work
from recurrent_models import GATES, feeds_of, recurrent_model
from test_recurrent import OPTIONAL, WAYS, assert_close, in_a_loop, run, tensors_of

from rxsim.config import load_settings
from rxsim.data import MadeUpInputs
from rxsim.load import load_network
from rxsim.pipeline import patched_chip
from rxsim.pipeline.ladder.inventory import inventory_of
from rxsim.pipeline.study.work import work_of

EXACT = [
    *(f"crossbar.{name}=0" for name in ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense")),
    *(f"{section}.n_bits=null" for section in ("device", "dac", "adc")),
]
REAL: dict[str, Any] = {
    "crossbar": {"rows": 8, "cols": 8, "r_wire_wl": 5, "r_wire_bl": 5},
    "device": {"n_bits": 5, "write_sigma": 0.02, "stuck_lrs": 0.01},
    "dac": {"n_bits": 7},
    "adc": {"n_bits": 8, "range": "full_scale"},
}
STEPS, BATCH = 4, 3


class WholeFeeds:
    """Inputs whose first axis is time: they are fed as they are."""

    labels = None

    def __init__(self, tensors: dict[str, np.ndarray]) -> None:
        self._tensors = tensors

    def __len__(self) -> int:
        return BATCH

    def feeds(self, start: int, stop: int) -> dict[str, np.ndarray]:
        return self._tensors


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("op", GATES)
def test_exact_crossbars_are_the_float_network(op: str, way: str) -> None:
    model = recurrent_model(op, optional=OPTIONAL[op][-1], direction=way)
    feeds = feeds_of(model, steps=STEPS, batch=BATCH)
    network = load_network(model)
    settings = load_settings(None, xbar="8x4", assignments=EXACT)
    inputs: Any = WholeFeeds(feeds)
    made = patched_chip(bare_study(network, settings, inputs, BATCH))
    assert set(made.taps) == {layer.name for layer in network.layers}
    assert_close(run(made.model, feeds), run(model, feeds), 1e-4)


def names_of(op: str, way: str, attributes: Mapping[str, Any]) -> list[str]:
    """The layers of a node called `cell`, in order."""
    parts = ["input", "recurrent"]
    if op == "GRU" and not attributes.get("linear_before_reset"):
        parts.append("recurrent_h")
    leads = ("cell.forward", "cell.reverse") if way == "bidirectional" else ("cell",)
    return [f"{lead}.{part}" for lead in leads for part in parts]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("op", "attributes"),
    [("LSTM", {}), ("GRU", {}), ("GRU", {"linear_before_reset": 1}), ("RNN", {})],
)
def test_input_and_recurrent_matrices_are_layers_of_their_own(
    op: str, attributes: dict[str, Any], way: str
) -> None:
    """Also docs/concepts/model.md section 2: the gates side by side, and r h drives its own matrix."""
    model = recurrent_model(op, direction=way, **attributes)
    network = load_network(model)
    assert [layer.name for layer in network.layers] == names_of(op, way, attributes)
    assert {layer.op for layer in network.layers} == {op}
    feeds = feeds_of(model, steps=STEPS, batch=BATCH)
    expected = matrices(op, tensors_of(model, feeds), {"direction": way, **attributes})
    for layer in network.layers:
        np.testing.assert_array_equal(layer.matrices[0], expected[layer.name].astype(np.float32))
    single = {name: value[:, :1] for name, value in feeds.items()}
    work = work_of(network, single)
    assert work.macs == {name: STEPS * matrix.size for name, matrix in expected.items()}
    assert sum(work.macs.values()) == sum(executed_work(model, single).values())


def test_a_gru_without_linear_before_reset_multiplies_r_h_by_a_matrix_of_its_own() -> None:
    """The name of docs/concepts/model.md section 2: what drives `recurrent_h` is the product r h."""
    model = recurrent_model("GRU")
    shapes = {layer.name: layer.matrices.shape for layer in load_network(model).layers}
    assert shapes == {
        "cell.input": (1, 3, 12),
        "cell.recurrent": (1, 4, 8),
        "cell.recurrent_h": (1, 4, 4),
    }


def matrices(
    op: str, tensors: Mapping[str, NDArray[Any]], attributes: Mapping[str, Any]
) -> dict[str, Floats]:
    """The matrices of all layers by their names."""
    found: dict[str, Floats] = {}

    def note(direction: str, given: Mapping[str, Floats]) -> Multiply:
        found.update({f"{lead_of(direction, attributes)}.{name}": m for name, m in given.items()})
        return exact(direction, given)

    recurrent(op, tensors, attributes, note)
    return found


def lead_of(direction: str, attributes: Mapping[str, Any]) -> str:
    return f"cell.{direction}" if attributes.get("direction") == "bidirectional" else "cell"


def twin_of(
    op: str, tensors: Mapping[str, NDArray[Any]], attributes: Mapping[str, Any], trial: int
) -> twin.Network:
    """The twin's chip: each product a MatMul beside the others, driven by what drives it in float."""
    driven: dict[str, list[Floats]] = {}

    def record(direction: str, given: Mapping[str, Floats]) -> Multiply:
        def multiply(name: str, x: Floats) -> Floats:
            key = f"{lead_of(direction, attributes)}.{name}"
            driven.setdefault(key, []).append(x.reshape(-1, x.shape[-1]))
            return np.asarray(x @ given[name])

        return multiply

    recurrent(op, tensors, attributes, record)
    inputs = {name: np.concatenate(parts) for name, parts in driven.items()}
    widths = [value.shape[1] for value in inputs.values()]
    parts = [f"x{place}" for place in range(len(inputs))]
    nodes = [helper.make_node("Split", ["x", "widths"], parts, "split", axis=1)]
    tensor = [numpy_helper.from_array(np.asarray(widths), "widths")]
    for part, (name, matrix) in zip(parts, matrices(op, tensors, attributes).items(), strict=True):
        nodes.append(helper.make_node("MatMul", [part, f"w_{part}"], [f"y_{part}"], name))
        tensor.append(numpy_helper.from_array(matrix.astype(np.float32), f"w_{part}"))
    graph = helper.make_graph(
        nodes,
        "side_by_side",
        [helper.make_tensor_value_info("x", 1, ["B", sum(widths)])],
        [helper.make_tensor_value_info("y_x0", 1, None)],
        tensor,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return twin.build(model, REAL, np.concatenate(list(inputs.values()), axis=1), trial)


@pytest.mark.parametrize("trial", [0, 1])
@pytest.mark.parametrize(
    ("op", "attributes"),
    [
        ("LSTM", {}),
        ("LSTM", {"direction": "bidirectional"}),
        ("GRU", {}),
        ("GRU", {"direction": "reverse", "linear_before_reset": 1}),
        ("RNN", {"direction": "bidirectional"}),
    ],
)
def test_real_crossbars_are_what_a_plain_twin_steps_through(
    op: str, attributes: dict[str, Any], trial: int
) -> None:
    """The definition in numpy, each of its products by the twin's arrays and converters."""
    model = recurrent_model(op, layout=1, outputs=("Y",), seed=3, **attributes)
    x = feeds_of(model, steps=STEPS, batch=BATCH)["X"]
    tensors = tensors_of(model, {"X": x.swapaxes(0, 1)})
    chip = twin_of(op, tensors, attributes, trial)

    def on_arrays(direction: str, _: Mapping[str, Floats]) -> Multiply:
        lead = lead_of(direction, attributes)

        def multiply(name: str, given: Floats) -> Floats:
            flat = given.reshape(-1, given.shape[-1])
            product = chip.layers[f"{lead}.{name}"].forward(flat)[0]
            return np.asarray(product.reshape(*given.shape[:-1], -1))

        return multiply

    wanted = recurrent(op, tensors, attributes, on_arrays)[0].transpose(2, 0, 1, 3)
    (got,) = run(patched(model, REAL, x, trial), {"X": x})
    assert_close([got], [wanted], 1e-5)
    ideal = recurrent(op, tensors, attributes)[0].transpose(2, 0, 1, 3)
    assert np.abs(got - ideal).max() > 1e-2 * np.abs(ideal).max()


@pytest.mark.parametrize("op", GATES)
@pytest.mark.parametrize("kept", ["loop", "weights"])
def test_what_stays_digital_counts_its_two_products(op: str, kept: str) -> None:
    """A product of the input's mean beside it: what is mapped is its share alone."""
    held = ("W", "R", "B") if kept == "loop" else ("W", "B")
    model = recurrent_model(op, outputs=("Y",), constants=held)
    feeds = feeds_of(model, steps=STEPS, batch=1)
    if kept == "loop":
        model = in_a_loop(model)
    model.graph.node.append(helper.make_node("ReduceMean", ["X"], ["mean"], axes=[0, 2]))
    model.graph.node.append(helper.make_node("MatMul", ["mean", "dense"], ["z"], "dense"))
    model.graph.initializer.append(numpy_helper.from_array(np.ones((1, 2), np.float32), "dense"))
    model.graph.output.insert(0, helper.make_tensor_value_info("z", 1, None))
    network = load_network(model)
    assert {node.op: node.reason for node in network.digital}[op] == (
        "it stands in the body of a loop" if kept == "loop" else "its weights are not constant"
    )
    study = bare_study(network, load_settings(None, xbar="8x8"), MadeUpInputs(feeds), 1)
    shares = inventory_of(network, study.plan).shares
    work = executed_work(model, feeds)
    assert len(work) == 2
    assert shares["macs_mapped"] == pytest.approx(work["z"] / sum(work.values()))


def branched(node: onnx.NodeProto, depth: int) -> onnx.NodeProto:
    """Put a node of one output into a branch of If."""
    result, other = node.output[0], f"nothing{depth}"
    there, nothing = (
        helper.make_graph([held], name, [], [helper.make_tensor_value_info(name, 1, None)])
        for held, name in ((node, result), (helper.make_node("Neg", ["zero"], [other]), other))
    )
    outputs, name = [f"Y{depth}"], f"if{depth}"
    return helper.make_node("If", ["yes"], outputs, name, then_branch=there, else_branch=nothing)


@pytest.mark.parametrize("op", GATES)
def test_a_single_product_of_a_node_can_stay_digital(op: str) -> None:
    """The recurrent products by name: coarse inputs then touch the input's product alone."""
    model = recurrent_model(op, layout=1, outputs=("Y",))
    x = feeds_of(model, steps=STEPS, batch=BATCH)["X"]
    coarse = {"crossbar": REAL["crossbar"] | {"r_wire_wl": 0, "r_wire_bl": 0}}
    coarse["crossbar"] |= {"r_driver": 0, "r_sense": 0}
    coarse |= {"device": {"n_bits": None}, "adc": {"n_bits": None}, "dac": {"n_bits": 3}}
    coarse["layers"] = {"cell.recurrent*": {"digital": True}}
    codes = np.clip(np.rint(x / np.abs(x).max() * 3), -3, 3) / 3 * np.abs(x).max()
    tensors = tensors_of(model, {"X": codes.swapaxes(0, 1)})
    wanted = recurrent(op, tensors, {})[0].transpose(2, 0, 1, 3)
    assert_close(run(patched(model, coarse, x), {"X": x}), [wanted])


def test_nested_branches_around_a_layer() -> None:
    """If in If around an LSTM, as voice detectors have it: the Scan stands in two bodies."""
    model = recurrent_model("LSTM", outputs=("Y",))
    flat = onnx.ModelProto()
    flat.CopyFrom(model)
    flat.graph.node[0].CopyFrom(branched(branched(model.graph.node[0], 0), 1))
    flat.graph.output[0].name = "Y1"
    flat.graph.input.append(helper.make_tensor_value_info("yes", 9, [1]))
    flat.graph.initializer.append(numpy_helper.from_array(np.zeros((1, 1, 1, 4), "f4"), "zero"))
    feeds = {**feeds_of(model, steps=STEPS, batch=BATCH), "yes": np.asarray([True])}
    network = load_network(flat)
    assert [layer.name for layer in network.layers] == ["cell.input", "cell.recurrent"]
    settings = load_settings(None, xbar="8x4", assignments=EXACT)
    inputs: Any = WholeFeeds(feeds)
    made = patched_chip(bare_study(network, settings, inputs, BATCH)).model
    assert_close(run(made, feeds), run(flat, feeds), 1e-4)

"""Counts of layers on arrays against a plain counter, and by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_counts import plain_counts
from recurrent_models import recurrent_model
from small_networks import conv, dense, network

from rxsim.calibrate import InputRange
from rxsim.config import Settings, layer_settings, load_settings
from rxsim.converters import layer_input_plan
from rxsim.cost.counts import NetworkCounts, count_network
from rxsim.cost.driven_share import driven_share
from rxsim.cost.layer_counts import Organisation
from rxsim.errors import ModelError, SettingError
from rxsim.load import Network, load_network
from rxsim.load.macs import tensors_of
from rxsim.load.tensor_sizes import tensor_sizes
from rxsim.mapping import NetworkPlan, plan_network
from rxsim.onnx_graph import all_nodes
from rxsim.pipeline.study.work import work_of
from rxsim.run.executed import executed_shapes

CONFIGS = Path(__file__).parent.parent / "configs"


def planned(
    model: onnx.ModelProto, given_settings: Settings, feeds: Mapping[str, np.ndarray]
) -> tuple[Network, NetworkPlan]:
    loaded = load_network(model, given_settings.mapping.fold)
    chosen = {layer.name: layer_settings(given_settings, layer.name) for layer in loaded.layers}
    analog = {name: each for name, each in chosen.items() if each is not None}
    return loaded, plan_network(loaded, analog, work_of(loaded, feeds))


def counts_of(
    model: onnx.ModelProto,
    given_settings: Settings,
    shape: tuple[int, ...],
    *,
    signed: bool = False,
    organisation: Organisation | None = None,
    **more: Any,
) -> tuple[NetworkCounts, NetworkPlan]:
    name = model.graph.input[0].name
    feeds = {name: np.ones(shape, np.float32)}
    loaded, plan = planned(model, given_settings, feeds)
    inside = tensors_of(loaded.model, tuple(node.name for node in all_nodes(loaded.model.graph)))
    executed = executed_shapes(loaded.model, feeds, inside)
    return count_network(
        loaded,
        plan,
        signed=dict.fromkeys(plan.layers, signed),
        sizes=tensor_sizes(loaded.model, {name: shape}, executed),
        organisation=organisation or Organisation(arrays_per_unit=8),
        **more,
    ), plan


def weights_with_zeros(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return weights of which whole blocks of rows, of columns and single ones are 0."""
    weights = rng.standard_normal(shape).astype(np.float32)
    flat = weights.reshape(shape[0], -1)
    for axis in (0, 1):
        start = rng.integers(flat.shape[axis])
        stop = start + rng.integers(0, 1 + flat.shape[axis] // 2)
        np.moveaxis(flat, axis, 0)[start:stop] = 0
    flat[rng.random(flat.shape) < 0.2] = 0
    return weights


@dataclass
class Drawn:
    """A network of one product: its weights (groups, K, N), rows of a channel, sizes by hand."""

    model: onnx.ModelProto
    shape: tuple[int, ...]
    matrices: np.ndarray
    kernel: int
    positions: int
    outputs: int


@st.composite
def products(draw: st.DrawFn) -> Drawn:
    """Draw a network of one product."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(["dense", "conv", "grouped", "depthwise", "transposed"]))
    if kind == "dense":
        k, n = draw(st.integers(1, 40)), draw(st.integers(1, 20))
        weights = weights_with_zeros(rng, (k, n))
        return Drawn(dense(weights), (1, k), weights[None], 1, 1, n)
    groups = 1
    if kind in ("grouped", "depthwise"):
        groups = draw(st.integers(2, 5 if kind == "grouped" else 9))
    c_in = 1 if kind == "depthwise" else draw(st.integers(1, 4))
    c_out = draw(st.integers(1, 3))
    kernel = draw(st.sampled_from([(1, 1), (2, 2), (3, 2)]))
    stride = draw(st.integers(1, 2))
    shape = (1, groups * c_in, 5, 4)
    strides = f", strides=[{stride}, {stride}]"
    if kind == "transposed":
        groups = draw(st.integers(1, 2))
        shape = (1, groups * c_in, 3, 2)
        stored = weights_with_zeros(rng, (groups * c_in, c_out, *kernel))
        text = f"[t] y = ConvTranspose<group={groups}{strides}>(x, w)"
        model = network(text, shape[1:], {"w": stored})
        size = [(length - 1) * stride + k for length, k in zip((3, 2), kernel, strict=True)]
        matrices = stored.reshape(groups, c_in, -1)
        return Drawn(model, shape, matrices, 1, 6, groups * c_out * math.prod(size))
    stored = weights_with_zeros(rng, (groups * c_out, c_in, *kernel))
    matrices = np.array([part.reshape(c_out, -1).T for part in np.split(stored, groups)])
    places = math.prod((size - k) // stride + 1 for size, k in zip((5, 4), kernel, strict=True))
    model = conv(stored, shape[1:], groups, strides)
    return Drawn(model, shape, matrices, math.prod(kernel), places, groups * c_out * places)


@st.composite
def all_settings(draw: st.DrawFn) -> dict[str, Any]:
    """Draw settings of every scheme and encoding."""

    def one(*values: Any) -> Any:
        return draw(st.sampled_from(values))

    scheme = one("differential", "offset")
    sliced = one(True, False)
    mapping: dict[str, Any] = {
        "scheme": scheme,
        "subtract": one("analog", "digital"),
        "layout": one("separate", "adjacent"),
        "split": one("fill", "equal"),
        "row_order": one("channel_major", "kernel_major"),
        "unused_cells": one("g_off", "open"),
        "spare_cols": one(0, 1),
        "pack_groups": one(True, False),
        "skip_zero": one(True, False),
        "weight_bits": 5 if sliced else None,
        "bits_per_cell": one(1, 2, 3) if sliced else None,
    }
    if scheme == "offset":
        mapping["offset_removal"] = one("digital", "reference_column")
        mapping["pack_groups"] &= mapping["unused_cells"] == "g_off"
    where = one("per_tile", "per_layer")
    if scheme == "offset" and mapping["offset_removal"] == "digital":
        mapping["skip_zero"] &= where == "per_tile"
    encoding = one("amplitude", "pulse_width", "bit_serial", "stochastic")
    signs = {
        "bit_serial": ("bipolar", "two_phase", "twos_complement", "offset"),
        "stochastic": ("bipolar", "two_phase"),
    }.get(encoding, ("bipolar", "two_phase", "offset"))
    return {
        "crossbar": {"rows": one(4, 7, 16), "cols": one(12, 17)},
        "device": {"n_bits": 4},
        "mapping": mapping,
        "input": {
            "encoding": encoding,
            "signed_input": one(*signs),
            "bits_per_pulse": one(1, 2),
            "pulses": one(1, 5),
            "adc_per_pass": one(True, False),
        },
        "dac": {"n_bits": one(3, 6)},
        "adc": {"n_bits": one(None, 5, 8), "where": where},
    }


@settings(max_examples=60, deadline=None)
@given(products(), all_settings(), st.booleans(), st.integers(1, 9))
def test_counts_are_those_of_a_plain_counter(
    product: Drawn, drawn: dict[str, Any], signed: bool, arrays_per_unit: int
) -> None:
    model, shape = product.model, product.shape
    matrices, positions = product.matrices, product.positions
    chosen = Settings.model_validate(drawn)
    organisation = Organisation(arrays_per_unit=arrays_per_unit)
    found, plan = counts_of(model, chosen, shape, signed=signed, organisation=organisation)
    (layer,) = found.layers.values()
    plain = plain_counts(
        *(matrices, product.kernel, positions, chosen.model_dump()),
        signed=signed,
        arrays_per_unit=arrays_per_unit,
    )
    assert (layer.positions, layer.steps) == (positions, 1)
    assert (layer.pulses, layer.passes) == (plain["pulses"], plain["passes"])
    acts = ("reads", "drives", "sample_and_holds", "conversions", "shift_and_adds")
    for name in (*acts, "macs", "macs_of_network"):
        assert getattr(layer.actions, name) == plain[name], name
    assert layer.actions.buffer_read_bits == plain["buffer_read_bits"]
    bits = chosen.dac.n_bits or 0
    assert layer.actions.buffer_write_bits == product.outputs * bits
    assert layer.actions.activation_bits == math.prod(shape) * bits
    hardware = layer.hardware
    for name in ("arrays", "units", "cells", "weight_cells", "cells_written", "driven_rows"):
        assert getattr(hardware, name) == plain[name], name
    assert hardware.used_columns == plain["used_columns"]
    assert hardware.converters == plain["unshared_converters"]
    zeros = hardware.zeros
    expected = plain["zeros"]
    assert zeros.weights == expected["weights"]
    assert (zeros.rows, zeros.columns, zeros.arrays) == (
        *(expected["rows"], expected["columns"], expected["arrays"]),
    )
    assert layer.actions.partial_sum_bits == plain["crossing"] * layer.sum_bits
    weight = plain["largest_sum"]
    code = chosen.adc.n_bits or 32
    assert 2 ** (layer.sum_bits - 1) < weight * 2**code <= 2**layer.sum_bits
    if chosen.adc.n_bits is not None:
        (planned_layer,) = plan.layers.values()
        assert layer.actions.conversions == planned_layer.conversions(layer.passes)
    added = positions * plain["outputs"] * (layer.op == "ConvTranspose")
    assert layer.actions.overlap_additions == added


def test_a_layer_of_isaac_by_hand() -> None:
    """256 channels of 16 x 16 onto 512, 3 x 3: 2,304 rows, 512 columns, 196 positions.

    Rows: 18 full tiles of 128. Columns: 127 outputs and a unit column an array: 5 tiles. 8 slices of 2
    bits. 16 bits one after the other, the top one the sign.
    """
    weights = np.random.default_rng(0).standard_normal((512, 256, 3, 3))
    chosen = load_settings(CONFIGS / "isaac.yaml")
    for signed in (False, True):
        found, _ = counts_of(conv(weights, (256, 16, 16)), chosen, (1, 256, 16, 16), signed=signed)
        (layer,) = found.layers.values()
        assert layer.hardware.arrays == 18 * 5 * 8 == 720
        assert layer.hardware.units == 90
        assert layer.hardware.cells == layer.hardware.cells_written == 720 * 16384
        assert layer.hardware.weight_cells == 2304 * 512 * 8
        assert layer.hardware.driven_rows == 720 * 128
        # Each of 18 row tiles: 512 outputs in 8 slices, and 40 unit columns.
        assert layer.hardware.used_columns == 18 * (4096 + 40) == 74448
        assert (layer.positions, layer.pulses, layer.passes) == (196, 16, 16)
        actions = layer.actions
        assert actions.reads == 196 * 16 * 720
        assert actions.drives == 196 * 16 * 720 * 128
        assert actions.conversions == actions.sample_and_holds == 196 * 16 * 74448
        assert actions.buffer_read_bits == 196 * 2304 * 16
        assert actions.buffer_write_bits == 196 * 512 * 16
        assert actions.activation_bits == 256 * 256 * 16
        assert actions.macs == 196 * 2304 * 512
        # 8 slices of a tile fill a unit: 18 row tiles lie on 18 units, 17 of which send their sums.
        # 8 bits, 65,535 of all passes, 21,845 of all slices and as much of the unit columns, 18 tiles.
        assert layer.sum_bits == 8 + math.ceil(math.log2(65535 * 2 * 21845 * 18))
        assert actions.partial_sum_bits == 196 * 17 * 512 * layer.sum_bits


def test_sums_of_packed_groups_cross_units() -> None:
    """Five channels of 2 x 2 at 12 places: blocks of 4 groups and of 1, each on 8 arrays.

    Units of 3 arrays: the first block lies on three, the second one (arrays 8 to 15) on four.
    """
    chosen = Settings.model_validate(
        {
            "crossbar": {"rows": 16, "cols": 16},
            "mapping": {
                **{"pack_groups": True, "subtract": "digital"},
                **{"weight_bits": 5, "bits_per_cell": 1},
            },
        }
    )
    weights = np.random.default_rng(2).standard_normal((5, 1, 2, 2))
    organisation = Organisation(arrays_per_unit=3, sum_bits=1)
    found, _ = counts_of(
        conv(weights, (5, 5, 4), groups=5), chosen, (1, 5, 5, 4), organisation=organisation
    )
    assert found.hardware.arrays == 16
    assert found.hardware.units == 6
    assert found.actions.partial_sum_bits == 12 * (4 * 2 + 1 * 3)


def test_isaac_sends_sums_of_16_bits() -> None:
    chosen = load_settings(CONFIGS / "isaac.yaml")
    found, _ = counts_of(
        dense(np.ones((300, 10))),
        chosen,
        (1, 300),
        organisation=Organisation(arrays_per_unit=8, sum_bits=16),
    )
    assert found.layers["fc"].actions.partial_sum_bits == 2 * 10 * 16


@pytest.mark.parametrize(("share", "converters"), [(1, 88), (4, 22), (5, 18), (128, 2)])
def test_neighbouring_columns_share_a_converter(share: int, converters: int) -> None:
    """Two row tiles, each of 10 outputs in 4 slices of a column and 4 references: 44 readouts."""
    chosen = Settings.model_validate(
        {
            "crossbar": {"rows": 8, "cols": 64},
            "device": {"n_bits": 2},
            "mapping": {
                **{"scheme": "offset", "offset_removal": "reference_column"},
                **{"subtract": "digital", "weight_bits": 8, "bits_per_cell": 2},
            },
            "adc": {"share": share},
        }
    )
    found, _ = counts_of(dense(np.ones((16, 10))), chosen, (1, 16))
    assert found.layers["fc"].hardware.converters == converters


def test_steps_of_an_lstm_wait_for_each_other() -> None:
    model = recurrent_model("LSTM", inputs=5, hidden=6, outputs=("Y",))
    chosen = Settings.model_validate({"crossbar": {"rows": 4, "cols": 16}})
    found, _ = counts_of(model, chosen, (7, 1, 5), signed=True)
    first, second = found.layers.values()
    assert (first.positions, first.steps, first.actions.macs) == (7, 1, 7 * 5 * 24)
    assert (second.positions, second.steps, second.actions.macs) == (7, 7, 7 * 6 * 24)
    assert first.hardware.arrays == second.hardware.arrays == 2 * 2 * 2
    assert second.actions.activation_bits == 7 * 6 * 6
    assert second.actions.reads == 7 * 8
    assert second.actions.conversions == 7 * 2 * 24
    # 3 gates and two states of 6 go through a function in each of 7 steps.
    assert found.digital_operations["activation"] == 7 * 6 * 5
    assert found.unknown == ()


def test_digital_operators_by_hand() -> None:
    text = """
        [c] a = Conv<pads=[1, 1, 1, 1]>(x, w, b)
        [r] r = Relu(a)
        [p] p = MaxPool<kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]>(r)
        [s] s = Add(p, p)
        [m] m = Sum(s, p, s)
        [g] g = GlobalAveragePool(m)
        [f] f = Flatten(g)
        [d] d = Gemm(f, v)
        [t] y = Softmax(d)
    """
    rng = np.random.default_rng(3)
    tensors = {"w": rng.standard_normal((4, 2, 3, 3)), "b": np.ones(4), "v": np.eye(4, 3) + 1}
    model = network(text, (2, 6, 6), tensors)
    found, _ = counts_of(
        model, Settings.model_validate({"layers": {"d": {"digital": True}}}), (1, 2, 6, 6)
    )
    assert {each.name: (each.kind, each.elements, each.operations) for each in found.digital} == {
        "r": ("activation", 144, 144),
        "p": ("pooling", 36, 36 * 9),
        "s": ("elementwise", 36, 36),
        "m": ("elementwise", 36, 72),
        "g": ("pooling", 4, 36),
        "f": ("movement", 4, 0),
        "d": ("product", 3, 12),
        "t": ("activation", 3, 3),
    }
    assert found.layers["c"].actions.bias_additions == 144
    assert found.digital_operations["elementwise"] == 108


def test_layers_with_the_same_weights_share_arrays_but_not_work() -> None:
    weights = np.random.default_rng(1).standard_normal((6, 6))
    text = "[a] h = MatMul(x, w) r = Relu(h) [b] y = MatMul(r, w)"
    found, _ = counts_of(
        network(text, (6,), {"w": weights}),
        Settings.model_validate({"compensate": ["spares"], "mapping": {"spare_cols": 2}}),
        (1, 6),
    )
    first, second = found.layers.values()
    assert (first.shared_with, second.shared_with) == (None, first.name)
    assert found.hardware == first.hardware
    assert found.actions.reads == 2 * first.actions.reads
    # Spares test every cell of both arrays, and store a column for each of the two on each array.
    assert (first.needs.cell_reads, first.needs.spare_columns) == (2 * 64 * 64, 4)
    assert (second.needs.cell_reads, second.needs.spare_columns) == (0, 0)


def test_one_test_of_cells_serves_all_steps() -> None:
    weights = np.random.default_rng(1).standard_normal((6, 6))
    chosen = {"compensate": ["spares", "pairs", "digital_cells"], "mapping": {"spare_cols": 2}}
    found, _ = counts_of(
        network("[a] y = MatMul(x, w)", (6,), {"w": weights}),
        Settings.model_validate(chosen),
        (1, 6),
    )
    (layer,) = found.layers.values()
    assert layer.needs.cell_reads == 2 * 64 * 64


def test_compensation_is_counted_at_every_position() -> None:
    """Gain and offset of each column: 2 row tiles of 3 outputs are multiplied, 3 outputs added to."""
    weights = np.random.default_rng(1).standard_normal((3, 8, 2, 2))
    chosen = Settings.model_validate({"compensate": ["columns"], "crossbar": {"rows": 16}})
    found, _ = counts_of(conv(weights, (8, 4, 4)), chosen, (1, 8, 4, 4))
    assert found.actions.compensation_multiplications == 9 * 2 * 3
    assert found.actions.compensation_additions == 9 * 3


def test_writing_takes_the_pulses_of_program_and_verify() -> None:
    weights = np.random.default_rng(1).standard_normal((6, 5))
    chosen = Settings.model_validate({"mapping": {"unused_cells": "open"}})
    found, _ = counts_of(dense(weights), chosen, (1, 6), pulses_per_cell={"fc": 2.5})
    assert found.hardware.cells_written == 2 * 30
    assert found.hardware.write_pulses == 150
    assert found.hardware.utilisation == 60 / (2 * 4096)


@pytest.mark.parametrize("encoding", ["amplitude", "pulse_width", "stochastic", "bit_serial"])
def test_the_share_of_driven_wordlines(encoding: str) -> None:
    """Counted place by place: a padded Conv on codes of 0 to 7."""
    rng = np.random.default_rng(5)
    codes = rng.integers(0, 8, (1, 2, 4, 4)).astype(np.float64)
    weights = rng.standard_normal((3, 2, 3, 3))
    chosen = Settings.model_validate(
        {"input": {"encoding": encoding, "pulses": 5}, "dac": {"n_bits": 3}}
    )
    _, plan = counts_of(
        conv(weights, (2, 4, 4), attributes=", pads=[1,1,1,1]"), chosen, (1, 2, 4, 4)
    )
    layer = plan.layers["conv"].layer
    inputs = layer_input_plan("conv", InputRange(1.0, signed=False), chosen)
    active, drives = 0.0, 0
    for row in range(4):
        for col in range(4):
            for channel in range(2):
                for i in range(row - 1, row + 2):
                    for j in range(col - 1, col + 2):
                        inside = 0 <= i < 4 and 0 <= j < 4
                        code = int(codes[0, channel, i, j]) if inside else 0
                        drives += 1
                        active += {
                            "amplitude": float(code > 0),
                            "pulse_width": code / 7,
                            "stochastic": code / 7,
                            "bit_serial": code.bit_count() / 3,
                        }[encoding]
    assert driven_share(layer, inputs, codes) == pytest.approx(active / drives, rel=1e-12)


def test_inputs_count_as_often_as_they_drive_a_tile() -> None:
    """Row 0 drives both column tiles, row 1 the second only, row 2 none: codes 4, 0 and 7 of 7."""
    weights = np.zeros((3, 8))
    weights[0], weights[1, 4:] = 1, 2
    chosen = Settings.model_validate(
        {"crossbar": {"rows": 1, "cols": 4}, "mapping": {"skip_zero": True}, "dac": {"n_bits": 3}}
    )
    found, plan = counts_of(dense(weights), chosen, (1, 3))
    (planned_layer,) = plan.layers.values()
    layer, tiling = planned_layer.layer, planned_layer.tiling
    assert (tiling.n_tiles, found.hardware.driven_rows) == (3, 2 * 3)
    inputs = layer_input_plan("fc", InputRange(1.0, signed=False), chosen)
    codes = np.array([[4.0, 0.0, 7.0]])
    assert driven_share(layer, inputs, codes, tiling) == pytest.approx(2 / 3)
    assert driven_share(layer, inputs, codes) == pytest.approx(2 / 3)
    assert driven_share(layer, inputs, np.array([[0.0, 4.0, 7.0]]), tiling) == pytest.approx(1 / 3)


def test_an_unknown_shape_is_told() -> None:
    model = dense(np.ones((3, 2)))
    loaded, plan = planned(model, Settings(), {"x": np.ones((1, 3), np.float32)})
    with pytest.raises(ModelError, match="layer fc: found a shape that is not known"):
        count_network(
            loaded,
            plan,
            signed={"fc": False},
            sizes={},
            organisation=Organisation(arrays_per_unit=8),
        )


def test_signed_inputs_need_more_than_a_bit() -> None:
    with pytest.raises(SettingError, match=r"dac\.n_bits"):
        counts_of(
            dense(np.ones((3, 2))),
            Settings.model_validate({"dac": {"n_bits": 1}}),
            (1, 3),
            signed=True,
        )


def test_a_unit_without_arrays_is_refused() -> None:
    with pytest.raises(SettingError, match="arrays_per_unit: found 0"):
        Organisation(arrays_per_unit=0)

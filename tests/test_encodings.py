"""Laws that every input encoding keeps, whichever files there are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from rxsim.calibrate import InputRange
from rxsim.config import load_settings
from rxsim.converters import InputPlan, layer_input_plan
from rxsim.encodings import ENCODINGS
from rxsim.onnx_graph import GraphBuilder
from rxsim.patch.input_nodes import InputNodes

N_BITS, V_READ, X_MAX = 5, 0.3, 2.5
HOW = ("bipolar", "two_phase", "twos_complement", "offset")
CASES = [
    (name, how, per_pass, bits)
    for name in ENCODINGS.names
    for how in HOW
    if how in ENCODINGS[name].signed_inputs
    for per_pass in (True, False)
    for bits in ((1, 2, 3) if name == "bit_serial" else (1,))
]
every_case = pytest.mark.parametrize(("name", "how", "per_pass", "bits"), CASES)
both_ranges = pytest.mark.parametrize("signed", [True, False])


def plan_of(
    name: str, how: str, per_pass: bool, bits: int, *, signed: bool, pulses: int = 5
) -> InputPlan:
    changes = [
        *(f"input.encoding={name}", f"input.signed_input={how}", f"input.v_read={V_READ}"),
        *(f"input.adc_per_pass={str(per_pass).lower()}", f"input.bits_per_pulse={bits}"),
        *(f"input.pulses={pulses}", f"dac.n_bits={N_BITS}"),
    ]
    settings = load_settings(None, assignments=changes)
    plan = layer_input_plan("y", InputRange(X_MAX, signed, (7, 3)), settings)
    if plan.encoding.is_random:
        plan = plan.drawn(np.random.default_rng(8), (7, 3), -1)
    return plan


def every_code(*, signed: bool) -> np.ndarray:
    high = 2 ** (N_BITS - 1) - 1 if signed else 2**N_BITS - 1
    codes = np.arange(-high if signed else 0, high + 1, dtype=np.float64)
    return np.resize(codes, (7 * -(-len(codes) // 21), 7, 3))  # more than once is fine


@every_case
@both_ranges
def test_the_weighted_passes_add_up_to_the_input(
    name: str, how: str, per_pass: bool, bits: int, signed: bool
) -> None:
    """Less what an input of 0 drives; random pulses as far as chance goes."""
    plan = plan_of(name, how, per_pass, bits, signed=signed, pulses=2000)
    codes = every_code(signed=signed)
    volts = sum(one.weight * one.volt * one.units.of(codes) for one in plan.passes)
    wanted = codes * X_MAX / codes.max()
    found = (volts - plan.rest_volt) * plan.x_per_volt
    # A pulse deviates by half at most, the mean of 2000 by less: no value lies beyond 5 deviations.
    slack = 5 * 0.5 * X_MAX / np.sqrt(2000) if plan.encoding.is_random else 1e-12
    assert found == pytest.approx(wanted, abs=slack)
    whole = plan.in_one_pass()
    (one,) = whole.passes
    assert one.volt * one.units.of(codes) * whole.x_per_volt == pytest.approx(found, abs=1e-9)


@every_case
@both_ranges
def test_no_pulse_exceeds_v_read_and_units_their_largest(
    name: str, how: str, per_pass: bool, bits: int, signed: bool
) -> None:
    plan, codes = plan_of(name, how, per_pass, bits, signed=signed), every_code(signed=signed)
    pulses = plan.pulses[:40]
    if plan.encoding.is_random:
        rng = np.random.default_rng(8)
        pulses = plan.encoding.drawn(pulses, plan.codes, rng, (7, 3), -1)
    largest = 0.0
    for pulse in pulses:
        units = pulse.units.of(codes)
        volts = plan.encoding.volts(pulse, units, plan.codes)
        largest = max(largest, float(np.abs(volts).max()))
        assert np.abs(units).max() <= pulse.units.largest(plan.codes.high)
        assert pulse.signed or (volts >= 0).all()
    assert largest == pytest.approx(V_READ)
    settings, n_bits = plan.codes.settings, plan.codes.n_bits
    assert len(plan.passes) <= plan.encoding.most_passes(settings, n_bits)


@every_case
@both_ranges
def test_the_parts_of_an_analog_sum_are_its_pulses(
    name: str, how: str, per_pass: bool, bits: int, signed: bool
) -> None:
    plan, codes = plan_of(name, how, per_pass, bits, signed=signed), every_code(signed=signed)
    for one in plan.passes:
        parts = sum(share * part.volt * part.units.of(codes) for share, part in one.parts)
        assert parts == pytest.approx(one.volt * one.units.of(codes), abs=1e-12)
        assert one.units.of(np.zeros((1, 7, 3))) == pytest.approx(one.rest)
    if plan.passes[0].summed:
        assert [part for one in plan.passes for part in one.summed] == list(plan.pulses)


@every_case
@both_ranges
def test_the_nodes_of_a_pass_give_its_units(
    name: str, how: str, per_pass: bool, bits: int, signed: bool
) -> None:
    """As onnxruntime computes them: the units less those of an input of 0."""
    plan, codes = plan_of(name, how, per_pass, bits, signed=signed), every_code(signed=signed)
    x = (codes / plan.dac.code_per_x).astype(np.float32)
    assert (plan.dac.codes(x) == codes).all()
    build, nodes = GraphBuilder("y", {"x"}), InputNodes()
    passes = plan.passes[:6]
    names = [nodes.units(build, "x", plan.dac, one, TensorProto.FLOAT) for one in passes]
    shape = (None, 7, 3)
    graph = helper.make_graph(
        build.nodes,
        "units",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(one, TensorProto.FLOAT, shape) for one in set(names)],
        build.constants,
    )
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    for wanted, units in zip(passes, session.run(names, {"x": x}), strict=True):
        assert units == pytest.approx(wanted.units.of(codes) - wanted.rest, abs=1e-6)


@every_case
def test_the_load_of_a_pulse_is_the_mean_over_its_instants(
    name: str, how: str, per_pass: bool, bits: int
) -> None:
    """Over the time of a pulse of some width, over the chances of a random one."""
    plan, codes = plan_of(name, how, per_pass, bits, signed=True), every_code(signed=True)
    encoding = plan.encoding
    for pulse in encoding.distinct(plan.pulses)[:4]:
        chances = np.random.default_rng(4).random((500, *codes.shape))
        units = pulse.units.of(codes)
        volts = np.stack(
            [
                np.broadcast_to(encoding.volts(pulse, units, plan.codes, level), chances.shape)
                for level in encoding.levels(pulse, plan.codes, chances)
            ]
        )
        squares, active = encoding.load(pulse, codes, plan.codes)
        slack = 0.02 if encoding.is_random else 1e-9
        assert np.square(volts).sum() / (len(volts) * 500) == pytest.approx(squares, rel=slack)
        assert np.count_nonzero(volts) / (len(volts) * 500) == pytest.approx(active, rel=slack)


def test_two_random_layers_on_one_tensor_have_pulses_of_their_own() -> None:
    plan = plan_of("stochastic", "bipolar", False, 1, signed=True)
    other = plan.drawn(np.random.default_rng(9), (7, 3), -1)
    build, nodes = GraphBuilder("y", {"x"}), InputNodes()
    first, second = (
        nodes.units(build, "x", plan.dac, each.passes[0], TensorProto.FLOAT)
        for each in (plan, other)
    )
    assert first != second


def test_equal_passes_on_one_tensor_share_their_nodes_whatever_they_count() -> None:
    plan = plan_of("bit_serial", "two_phase", True, 2, signed=True)
    build, nodes = GraphBuilder("y", {"x"}), InputNodes()
    each = plan.passes[0]
    again = replace(each, volt=7.0, weight=-3.0)
    first, second = (
        nodes.units(build, "x", plan.dac, one, TensorProto.FLOAT) for one in (each, again)
    )
    assert first == second

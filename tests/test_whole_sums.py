"""Passes whose factors are whole add up in float32 as far as that is exact: no bit changes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from small_networks import dense

from rxsim.config import load_settings
from rxsim.encodings import Digit, Part
from rxsim.onnx_graph import GraphBuilder
from rxsim.patch import decode
from rxsim.pipeline import DataOptions, Study, open_study, patched_chip

ISAAC = Path(__file__).resolve().parents[1] / "configs" / "isaac.yaml"
PUMA = ISAAC.with_name("puma.yaml")
IDEAL = [f"crossbar.{name}=0" for name in ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense")]
ROWS, OUTPUTS, INPUTS = 23, 5, 40
# Two row tiles; currents of up to 16 rows x 3 units x a digit of up to 3: ADCs of 6 bits saturate.
SMALL = ["crossbar.rows=16", "crossbar.cols=64", "adc.n_bits=6", "calibration.samples=4"]


def study_of(folder: Path, config: Path, assignments: Sequence[str]) -> Study:
    weights = np.random.default_rng(5).standard_normal((ROWS, OUTPUTS))
    onnx.save(dense(weights), folder / "dense.onnx")
    settings = load_settings(config, assignments=[*IDEAL, *SMALL, *assignments])
    return open_study(folder / "dense.onnx", settings, DataOptions(limit=INPUTS), threads=1)


def outputs(model: onnx.ModelProto, study: Study) -> np.ndarray:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.SerializeToString(), options)
    (result,) = session.run(None, study.inputs.feeds(0, INPUTS))
    assert isinstance(result, np.ndarray)
    return result


def casts(model: onnx.ModelProto) -> int:
    """Count what is brought to float64."""
    return sum(
        node.op_type == "Cast" and node.attribute[0].i == onnx.TensorProto.DOUBLE
        for node in model.graph.node
    )


@pytest.mark.parametrize(
    ("bits", "expected"),
    # Sums of codes: 2 tiles x 63 x (2^n - 1) for n bits, below 2^24 up to 17 bits.
    [(8, 1), (16, 1), (24, 2)],
)
@pytest.mark.parametrize("per_pulse", [1, 2])
def test_isaacs_sums_are_those_of_whole_numbers(
    bits: int, expected: int, per_pulse: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against the digits of weights and inputs, multiplied and saturated in int64 by numpy."""
    words = [f"dac.n_bits={bits}", f"input.bits_per_pulse={per_pulse}", "mapping.weight_bits=8"]
    study = study_of(tmp_path, ISAAC, words)
    model = patched_chip(study).model
    (x,) = study.inputs.feeds(0, INPUTS).values()
    (calibration,) = study.calibration.feeds(0, len(study.calibration)).values()
    x_max, signed = np.abs(calibration).max(), bool(calibration.min() < 0)
    weights = onnx.numpy_helper.to_array(study.network.model.graph.initializer[0])
    weights = weights if weights.shape == (ROWS, OUTPUTS) else weights.T
    w_max = np.abs(weights).max()

    steps = 2 ** (bits - 1) - 1 if signed else 2**bits - 1
    low = -steps if signed else 0
    scaled = x * np.float32(steps / np.float64(x_max))
    codes = np.rint(np.clip(scaled, low, steps)).astype(np.int64)
    stored = np.rint(weights.astype(np.float64) / w_max * 127).astype(np.int64) + 128
    total = np.zeros((INPUTS, OUTPUTS), dtype=np.int64)
    for weight, digit in digits(codes, bits, per_pulse, signed):
        for place in range(4):
            cells = stored >> 2 * place & 3
            unit = np.full((ROWS, 1), 128 >> 2 * place & 3)  # the reference column
            for tile in (slice(0, 16), slice(16, ROWS)):
                read = np.minimum(digit[:, tile] @ cells[tile], 63)
                total += weight * 4**place * (read - np.minimum(digit[:, tile] @ unit[tile], 63))
    wanted = total * (w_max.astype(np.float64) * x_max / (127 * steps))
    result = outputs(model, study)
    np.testing.assert_allclose(result, wanted, rtol=2.0**-23, atol=0)

    assert casts(model) == expected
    monkeypatch.setattr(decode, "_EXACT", 0.0)
    wide = patched_chip(study).model
    assert casts(wide) > expected
    assert outputs(wide, study).tobytes() == result.tobytes()


def digits(
    codes: np.ndarray, bits: int, per_pulse: int, signed: bool
) -> list[tuple[int, np.ndarray]]:
    """Return the place value of each pass and its digits; signed codes in two's complement."""
    if not signed:
        return [
            (1 << first, codes >> first & ((1 << min(per_pulse, bits - first)) - 1))
            for first in range(0, bits, per_pulse)
        ]
    places = range(0, bits - 1, per_pulse)
    low = [
        (1 << first, codes >> first & ((1 << min(per_pulse, bits - 1 - first)) - 1))
        for first in places
    ]
    return [*low, (-(1 << (bits - 1)), (codes < 0).astype(np.int64))]


@pytest.mark.parametrize(
    "words",
    [
        ["input.signed_input=two_phase", "adc.range=full_scale"],
        ["input.signed_input=bipolar", "input.bits_per_pulse=3", "adc.range=full_scale"],
        ["input.signed_input=offset", "adc.range=full_scale"],
        ["adc.range=calibrated"],
        ["adc.range=calibrated", "adc.scope=column"],
    ],
)
@pytest.mark.parametrize("config", [ISAAC, PUMA])
def test_bytes_do_not_depend_on_where_terms_add_up(
    config: Path, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = study_of(tmp_path, config, words)
    model = patched_chip(study).model
    monkeypatch.setattr(decode, "_EXACT", 0.0)
    wide = patched_chip(study).model
    assert (casts(model) < casts(wide)) == ("adc.range=full_scale" in words)
    assert outputs(model, study).tobytes() == outputs(wide, study).tobytes()


@pytest.mark.parametrize("seed", range(6))
def test_runs_of_terms_are_exact_in_float32(seed: int) -> None:
    """The largest codes of either sign, added in float32, against Python's whole numbers."""
    rng = np.random.default_rng(seed)
    step = 2 ** int(rng.integers(0, 9))
    terms = [
        decode._Term(
            part=f"pass_{number}",
            numbers=[number],
            values=rng.integers(1, 2 ** int(rng.integers(1, 18)), (1, 3)) * float(step),
            largest=float(rng.integers(1, 4) * 255),
        )
        for number in range(20)
    ]
    runs = decode._exact_runs(terms)
    assert [term for run in runs for term in run] == terms
    assert max(map(len, runs)) > 1
    for run in runs:
        divisor = decode._step_of(run)
        for signs in (np.ones(len(run)), rng.choice([-1, 1], len(run))):
            total = np.zeros((1, 3), dtype=np.float32)
            wanted = [0, 0, 0]
            for term, sign in zip(run, signs, strict=True):
                code = int(sign * term.largest)
                total = total + (term.values / divisor).astype(np.float32) * np.float32(code)
                wanted = [
                    old + code * int(value)
                    for old, value in zip(wanted, term.values[0], strict=True)
                ]
            if len(run) > 1:
                assert [int(value) * int(divisor) for value in total[0]] == wanted


def test_what_is_not_whole_is_added_in_float64() -> None:
    def term(value: float, largest: float) -> decode._Term:
        return decode._Term("pass", [0], np.full((1, 2), value), largest)

    assert decode._is_exact([term(1, 255), term(2, 255)])
    assert decode._is_exact([term(2.0**20, 8), term(2.0**23, 1)])  # in multiples of 2^20
    assert not decode._is_exact([term(1, 2.0**23), term(2, 2.0**23)])
    assert not decode._is_exact([term(1, 255), term(1.5, 255)])
    assert not decode._is_exact([term(1, 255), term(2, np.inf)])
    assert not decode._is_exact([term(2.0**60, 1), term(2.0**61, 1)])


@pytest.mark.parametrize("bits", [1, 2, 5])
def test_neighbouring_digits_have_a_node_in_common(bits: int) -> None:
    """What one digit cuts off, the next begins with: the same node twice, which runtimes join."""
    build = GraphBuilder("n", {"codes"})
    for first in (0, bits, 2 * bits):
        Digit(Part("whole"), first, bits).add(build, "codes", less_rest=False)
    values = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in build.constants}
    scales = [
        values[node.input[1]].item()
        for node in build.nodes
        if node.op_type == "Mul" and node.input[0] == "codes"
    ]
    assert scales == [2.0**-place for k in range(3) for place in (k * bits, (k + 1) * bits)]

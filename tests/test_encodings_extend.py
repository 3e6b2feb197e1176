"""An encoding is one file: the package with one file more evaluates and verifies a network with it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_networks import dense

import rxsim

PACKAGE = Path(rxsim.__file__).parent

PAGE = PACKAGE.parent / "docs" / "concepts" / "encodings.md"
# What the documentation shows is what is tested.
(TWO_PULSE,) = re.findall(
    r"```python\n(# rxsim/encodings/two_pulse.py\n.*?)```", PAGE.read_text(), re.S
)

TERNARY = '''
"""Ternary: -1, 0 or 1 times v_read, where a code's size exceeds half of the largest code."""

from dataclasses import dataclass

import numpy as np

from rxsim.encodings import Encoding, Pass


@dataclass(frozen=True)
class Third:
    high: int
    signed: bool
    rest = 0
    words = ("sign of a large input",)

    def of(self, codes):
        return np.sign(codes) * (np.abs(codes) > self.high / 2)

    def largest(self, code):
        return 1

    def add(self, graph, codes, *, less_rest):
        size = graph.add("Abs", [codes], "size")
        large = graph.add("Greater", [size, graph.scalar("half", self.high / 2)], "large")
        large = graph.add("Cast", [large], "large_as_number", to=1)
        return graph.add("Mul", [large, graph.add("Sign", [codes], "sign")], "third")


class Ternary(Encoding):
    signed_inputs = ("bipolar",)
    one_bit_when = "input.encoding: ternary"

    def is_one_bit(self, settings, n_bits):
        return True

    def most_passes(self, settings, n_bits):
        return 1

    def passes(self, codes):
        return (Pass(units=Third(codes.steps, codes.signed), volt=codes.v_read),)

    def x_per_volt(self, x_max, passes, codes):
        return x_max / codes.v_read

    def in_one_pass(self, passes, codes):
        return passes[0]


ENCODING = Ternary()
'''

# What a process with the copied package does: prints what it found in each case as JSON.
RUN = """
import json, sys
from pathlib import Path
import numpy as np, onnxruntime
import rxsim
from rxsim.config import load_settings


def found(data, changes):
    options = rxsim.DataOptions(data=Path(data), calibrate=Path(data), metric="none")
    try:
        settings = load_settings(None, xbar="16x8", assignments=changes)
        result = rxsim.evaluate("net.onnx", settings, options)
        network = rxsim.patched("net.onnx", settings, options)
        session = onnxruntime.InferenceSession(network.SerializeToString())
        y = session.run(None, {"x": np.load(data)["x"]})[0]
        snr_db = result.rung("nonideal").summary()["snr_db"]["mean"]
        verified = None
        if settings.crossbar.topology == "crossbar" and settings.device.iv.form == "linear":
            check = rxsim.verification("net.onnx", settings, options, reference="sparse")
            verified = [check.passed, len(check.checks)]
    except rxsim.RxsimError as error:
        return {"error": str(error), "code": error.exit_code}
    return {"outputs": y.tolist(), "snr_db": snr_db, "verified": verified}


cases = json.load(sys.stdin)
print(json.dumps([rxsim.__file__, [found(data, changes) for data, changes in cases]]))
"""

X = np.random.default_rng(5).uniform(-1, 1, (24, 12)).astype(np.float32)
W = np.random.default_rng(6).standard_normal((12, 5)).astype(np.float32)

NO_WIRES = [f"crossbar.{name}=0" for name in ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense")]
IDEAL = [*NO_WIRES, "device.n_bits=null", "calibration.samples=24", "dac.n_bits=6"]
OPEN = [*IDEAL, "adc.n_bits=null"]
SINH = ["device.iv.form=sinh", "device.iv.v0=0.1"]
TWO, THREE = "input.encoding=two_pulse", "input.encoding=ternary"
CASES = {
    **{
        f"{data} {how} {adc}": (
            data,
            [*IDEAL, TWO, f"input.signed_input={how}", f"adc.n_bits={adc}"],
        )
        for data in ("signed", "positive")
        for how in ("bipolar", "two_phase")
        for adc in ("null", "10")
    },
    "wires": ("signed", [TWO, "calibration.samples=24"]),
    "cells": ("signed", [*OPEN, TWO, *SINH]),
    "ternary": ("signed", [*OPEN, THREE]),
    "ternary gated": ("signed", [*OPEN, THREE, "crossbar.topology=input_gated"]),
    "ternary converted": ("signed", [*IDEAL, THREE, "adc.n_bits=10"]),
    "no bits": ("signed", [TWO, "dac.n_bits=null"]),
    "wrong signs": ("signed", [THREE, "input.signed_input=two_phase"]),
    "gated": ("signed", [TWO, "crossbar.topology=input_gated"]),
    "no such file": ("signed", ["input.encoding=two_pulses"]),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a copy of the package with two files more found in each case."""
    folder = tmp_path_factory.mktemp("extended")
    shutil.copytree(PACKAGE, folder / "rxsim")
    (folder / "rxsim" / "encodings" / "two_pulse.py").write_text(TWO_PULSE)
    (folder / "rxsim" / "encodings" / "ternary.py").write_text(TERNARY)
    (folder / "net.onnx").write_bytes(dense(W).SerializeToString())
    np.savez(folder / "signed.npz", x=X)
    np.savez(folder / "positive.npz", x=np.abs(X))
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        input=json.dumps([(f"{data}.npz", changes) for data, changes in CASES.values()]),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    package, results = json.loads(done.stdout)
    assert Path(package).parent == folder / "rxsim"
    return dict(zip(CASES, results, strict=True))


def snr_db(wanted: np.ndarray, outputs: np.ndarray) -> float:
    return float(10 * np.log10((wanted**2).sum() / ((wanted - outputs) ** 2).sum()))


def codes_of(x: np.ndarray) -> tuple[np.ndarray, int]:
    """Codes of a converter of 6 bits, and the largest one."""
    steps = 31 if (x < 0).any() else 63
    return np.rint(x / np.abs(x).max() * np.float32(steps)).astype(np.float64), steps


@pytest.mark.parametrize("data", ["signed", "positive"])
@pytest.mark.parametrize("how", ["bipolar", "two_phase"])
def test_two_pulses_give_the_product_of_the_codes(
    found: dict[str, Any], data: str, how: str
) -> None:
    """A signed code of 6 bits has a magnitude of 5: pulses of 3 and of 2 bits; else of 3 and of 3."""
    x = X if data == "signed" else np.abs(X)
    codes, steps = codes_of(x)
    unit = float(np.abs(x).max()) / steps
    wanted = codes * unit @ W.astype(np.float64)

    case = found[f"{data} {how} null"]
    assert case["outputs"] == pytest.approx(wanted, abs=1e-5)
    assert case["snr_db"] == pytest.approx(snr_db(x.astype(np.float64) @ W, wanted), abs=1e-3)
    assert case["verified"] == [True, 2]

    # Each pulse is converted by itself: off by half an LSB of its own range, times its weight.
    low = 2 if steps == 31 else 3
    sides = [codes] if how == "bipolar" else [np.maximum(codes, 0), np.maximum(-codes, 0)]
    bound = 0.0
    for side in sides:
        upper = np.sign(side) * (np.abs(side) // 2**low)
        for weight, units in ((2**low, upper), (1, side - 2**low * upper)):
            bound += weight * unit * np.abs(units @ W).max() / (2**9 - 1) / 2
    off = np.abs(np.array(found[f"{data} {how} 10"]["outputs"]) - wanted).max()
    assert 0.1 * bound < off < bound * (1 + 1e-3)


def test_two_pulses_are_verified_with_wires(found: dict[str, Any]) -> None:
    assert found["wires"]["verified"] == [True, 2]


def test_two_pulses_see_cells_that_are_not_linear_one_by_one(found: dict[str, Any]) -> None:
    """Without wires each voltage counts as 0.2 sinh(v/0.1)/sinh(2), whatever the operating point."""
    codes, steps = codes_of(X)
    upper = np.sign(codes) * (np.abs(codes) // 4)
    passes = [(4, upper), (1, codes - 4 * upper)]
    volts = sum(
        weight * 0.2 * np.sinh(0.2 * units / 7 / 0.1) / np.sinh(2) for weight, units in passes
    )
    wanted = volts / (0.2 / 7) * float(np.abs(X).max()) / steps @ W
    assert found["cells"]["outputs"] == pytest.approx(wanted, abs=1e-4)


def test_an_encoding_brings_units_of_its_own(found: dict[str, Any]) -> None:
    codes, steps = codes_of(X)
    thirds = np.sign(codes) * (np.abs(codes) > steps / 2) * float(np.abs(X).max())
    wanted = thirds @ W.astype(np.float64)
    assert 0.2 < (thirds == 0).mean() < 0.8
    for name in ("ternary", "ternary gated"):
        assert found[name]["outputs"] == pytest.approx(wanted, abs=1e-5)
        snr = snr_db(X.astype(np.float64) @ W, wanted)
        assert found[name]["snr_db"] == pytest.approx(snr, abs=1e-3)
    assert found["ternary"]["verified"] == [True, 2]
    off = np.abs(np.array(found["ternary converted"]["outputs"]) - wanted).max()
    half_lsb = np.abs(wanted).max() / (2**9 - 1) / 2
    assert 0.1 * half_lsb < off < half_lsb * (1 + 1e-3)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no bits", "found input.encoding: two_pulse with dac.n_bits: null, expected bits"),
        (
            "wrong signs",
            "expected encoding: amplitude or bit_serial or pulse_width or stochastic or two_pulse",
        ),
        ("gated", "input.encoding: pulse_width, or input.encoding: ternary"),
        ("no such file", "'stochastic', 'ternary' or 'two_pulse'"),
    ],
)
def test_settings_and_messages_know_the_new_encodings(
    found: dict[str, Any], name: str, words: str
) -> None:
    assert found[name]["code"] == 2
    assert words in found[name]["error"]

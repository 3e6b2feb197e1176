"""One new file is a law, a preset or a current-voltage form: tried on a copy of the package."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from commands_of import Commands

PACKAGE = Path(__file__).parents[1] / "rxsim"

LAW = '''"""Drift: every cell loses conductance with time, some faster; a chip has its own clock."""

import numpy as np

from rxsim.devices.law import MeasuredLaw
from rxsim.schema import NotNegative, Section


class Numbers(Section):
    exponent: NotNegative
    spread: NotNegative = 0.0


def drifted(g, exponent, seconds):
    return g * seconds ** -exponent


class Drift(MeasuredLaw):
    step = "drift"
    stream = 1000
    numbers = Numbers
    formula = "g' = g (t / 1 s)^-nu"

    def change(self, g, cells, draws):
        numbers = self.numbers_of(cells.device.preset)
        nu = numbers.exponent + numbers.spread * draws.of_array().standard_normal(g.shape)
        seconds = 100.0 + draws.of_chip().random()
        return drifted(g, nu, seconds)


LAW = Drift()
'''
PRESET = """schema_version: 1
about: a toy that drifts
source: this test
status: assumption
range: {low: 1, high: 10}
device: {n_bits: null, stuck_hrs: 0.25}
laws:
  write_error: {law: polynomial, coefficients: [0.5]}
  drift: {law: toy_drift, exponent: 0.05, spread: 0.01}
"""
SETTING_LAW = '''"""A law that settings switch on: a d2d_sigma of 0.125 halves every cell."""

from rxsim.config import Device


class Half:
    step = "variation"
    stream = 1001

    def acts(self, device: Device) -> bool:
        return device.d2d_sigma == 0.125

    def change(self, g, cells, draws):
        return g / 2


LAW = Half()
'''
FORM = '''"""I = G v0 tanh(v / v0)."""

import numpy as np

from rxsim.devices.cell_curve import scaled_curve


def curve(iv, v_read):
    return scaled_curve(
        lambda v: iv.v0 * np.tanh(v / iv.v0), lambda v: 1 / np.cosh(v / iv.v0) ** 2, v_read
    )
'''
USE = """
import sys
import numpy as np
from rxsim.config import Device, IV
from rxsim.devices import Chip, acting_laws, curve_of, program
from rxsim.mapping import PhysicalArray
from rxsim.seeds import chip_generator, device_generator

def done(device):
    g = np.linspace(device.g_off, device.g_on, 600).reshape(30, 20)
    array = PhysicalArray(
        index=2, conversion=0, target=g, blank=np.zeros(g.shape, bool),
        rows=np.arange(30), row_signs=np.ones(30),
        cols=np.arange(20), col_signs=np.ones(20), references=np.full(20, -1),
    )
    return g, program(array, 4, device, Chip(3, 1))

device = Device(model="toy" if sys.argv[1] == "built in" else sys.argv[1])
assert [law.step for law in acting_laws(device)] == ["write_error", "drift", "faults"]
target, g = done(device)
def draw(stream):
    return device_generator(3, 1, 4, stream, 2)
expected = np.maximum(target + 0.5e-6 * draw(0).standard_normal(g.shape), 0)
seconds = 100 + chip_generator(3, 1, 1000).random()
expected *= seconds ** -(0.05 + 0.01 * draw(1000).standard_normal(g.shape))
expected[draw(2).random(g.shape) < 0.25] = device.g_off
assert np.allclose(g, expected, rtol=1e-12, atol=0), np.abs(g - expected).max()

target, halved = done(Device(d2d_sigma=0.125, n_bits=None))
factor = np.exp(0.125 * draw(1).standard_normal(g.shape))
assert np.allclose(halved, target * factor / 2, rtol=1e-12, atol=0)

curve = curve_of(IV(form="toy_tanh", v0=0.3), 0.2)
assert np.isclose(curve.f(np.array(0.1)), 0.2 * np.tanh(1 / 3) / np.tanh(2 / 3), rtol=1e-12)
print("as expected")
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with four new files, and nothing else changed."""
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(PACKAGE, folder / "rxsim")  # with its compiled kernels
    devices = folder / "rxsim" / "devices"
    for name, text in (
        ("laws/toy_drift.py", LAW),
        ("laws/toy_half.py", SETTING_LAW),
        ("presets/toy.yaml", PRESET),
        ("iv/toy_tanh.py", FORM),
    ):
        path = devices / name
        assert not path.exists()
        path.write_text(text)
    (folder / "mine.yaml").write_text(PRESET)
    return folder


def run(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("model", ["built in", "mine.yaml"])
def test_a_law_a_preset_and_a_form_are_one_file_each(copy: Path, model: str) -> None:
    assert run(copy, "-c", USE, model) == "as expected\n"


def test_the_law_that_the_docs_show_works(copy: Path) -> None:
    text = (PACKAGE.parent / "docs/concepts/devices.md").read_text()
    shown = [part.split("```")[0] for part in text.split("```python\n")[1:]]
    (code,) = (part for part in shown if part.startswith("# rxsim/"))
    (copy / "rxsim/devices/laws/my_drift.py").write_text(code)
    numbers = "{exponent: 0.05, spread: 0.0, seconds: 100}".replace("{", "{law: my_drift, ")
    preset = (
        PRESET.split("laws:")[0].replace(", stuck_hrs: 0.25", "") + f"laws: {{drift: {numbers}}}\n"
    )
    (copy / "docs.yaml").write_text(preset)
    use = USE.split("device = Device(")[0] + (
        "g, after = done(Device(model='docs.yaml'))\n"
        "assert np.allclose(after, g * 100 ** -0.05, rtol=1e-12, atol=0)\n"
        "print('as expected')\n"
    )
    assert run(copy, "-c", use) == "as expected\n"


def test_the_command_line_knows_them(copy: Path) -> None:
    commands = Commands(copy)
    assert "a toy that drifts" in commands.run("presets")
    shown = commands.run("presets", "toy")
    assert "drift: toy_drift, conductances in uS\n  g' = g (t / 1 s)^-nu\n  exponent: 0.05" in shown
    resolved = commands.run("config", "show", "--set", "device.iv.form=toy_tanh")
    assert "form: toy_tanh" in resolved
    commands.close()

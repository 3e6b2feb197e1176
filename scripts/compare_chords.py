"""What chord conductances alone would have said of non-linear cells, beside the inputs' curve.

Usage: python scripts/compare_chords.py MODEL.onnx CARD.yaml DATA [LIMIT]

Cells carry g v0 sinh(v/v0) with v0 = 0.2 V, read at 0.2 V at most, on arrays of configs/rxnn-64.yaml.
Printed are the accuracy of the non-ideal network and the range over layers of the root mean square
error against full solutions, in LSB of the ADC: with amplitudes, by both transformations, and with
pulses of one voltage, which need no curve.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from unittest import mock

import rxsim
from rxsim.config import load_settings
from rxsim.converters import InputPlan

CONFIG = Path(__file__).resolve().parents[1] / "configs" / "rxnn-64.yaml"


def evaluate(model: str, data: rxsim.DataOptions, encoding: str) -> rxsim.Evaluation:
    """Evaluate with sinh cells."""
    changes = ("device.iv={form: sinh, v0: 0.2}", f"input.encoding={encoding}")
    return rxsim.evaluate(model, load_settings(CONFIG, assignments=changes), data)


def main() -> None:
    """Print the three rows."""
    model, card, path, *rest = sys.argv[1:]
    limit = int(rest[0]) if rest else 500
    data = rxsim.DataOptions(card=Path(card), data=Path(path), limit=limit)
    print("| transformation | nonideal accuracy | rms error of layers, LSB |\n|---|---|---|")
    for name, encoding, plain in (
        ("inputs' curve and chords", "amplitude", False),
        ("chords alone", "amplitude", True),
        ("pulse widths", "pulse_width", False),
    ):
        with contextlib.ExitStack() as stack:
            if plain:
                stack.enter_context(mock.patch.object(InputPlan, "bent", lambda plan, _cells: plan))
            result = evaluate(model, data, encoding)
        found = [row.transformation for row in result.layers if row.transformation]
        errors = sorted((one.plain_rms_lsb if plain else one.rms_lsb) or 0.0 for one in found)
        accuracy = result.rung("nonideal").summary()["accuracy"]["mean"]
        print(f"| {name} | {accuracy:.3f} | {errors[0]:.4f} to {errors[-1]:.3f} |", flush=True)


if __name__ == "__main__":
    main()

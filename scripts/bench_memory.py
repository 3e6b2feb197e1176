"""Measure the peak memory of bit-serial layers, each in a process of its own.

Usage: python scripts/bench_memory.py [PRESET ..]

The layer is the largest of MobileNetV2: a 1x1 convolution of 16 channels to 96 on 112x112 places, with
random weights, on a preset of configs/ without wires. The table has the values of a conversion of all
slices, what a run's evaluation of two made-up images took at its peak beyond what the process held
before (VmHWM: ADC ranges, a run of each image and the diagnosis), the same for each value, what
rxsim expects of it, and processor seconds.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from rxsim.config import load_settings
from rxsim.pipeline import DataOptions, evaluate, open_study
from rxsim.pipeline.study.memory_need import input_bytes

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
INPUTS, OUTPUTS, SIDE = 16, 96, 112
WIRES = ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense")


def main() -> None:
    """Print a row for each preset, or (with `--here`) the row's numbers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("presets", nargs="*", default=["isaac", "puma"])
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.here:
        print(*measured(given.presets[0]))
        return
    print("| preset | values | peak, MB | bytes a value | expected, MB | s |")
    print("|---|---|---|---|---|---|")
    for preset in given.presets:
        words = [sys.executable, __file__, preset, "--here"]
        told = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout
        values, taken, expected, seconds = map(float, told.split())
        print(
            f"| {preset} | {values:,.0f} | {taken / 1e6:.0f} | {taken / values:.1f} "
            f"| {expected / 1e6:.0f} | {seconds:.1f} |",
            flush=True,
        )


def measured(preset: str) -> tuple[int, int, int, float]:
    """Evaluate the layer; return values, bytes, bytes expected and processor seconds."""
    assignments = [*(f"crossbar.{name}=0" for name in WIRES), "calibration.samples=2"]
    settings = load_settings(CONFIGS / f"{preset}.yaml", assignments=assignments)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "layer.onnx"
        onnx.save(layer(), path)
        study = open_study(path, settings, DataOptions(limit=2), threads=1)
        before, start = peak(), time.process_time()
        evaluate(study, ["nonideal"])
    (plan,) = study.plan.layers.values()
    values = SIDE**2 * plan.tiling.groups * plan.readouts.count
    expected = study.batch * input_bytes(study.plan)
    return values, peak() - before, expected, time.process_time() - start


def layer() -> onnx.ModelProto:
    """Write the layer, and the mean of each of its channels behind it."""
    weights = np.random.default_rng(0).standard_normal((OUTPUTS, INPUTS, 1, 1), np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w"], ["a"], "conv"),
            helper.make_node("GlobalAveragePool", ["a"], ["b"], "pool"),
            helper.make_node("Flatten", ["b"], ["y"], "flat"),
        ],
        "layer",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", INPUTS, SIDE, SIDE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", OUTPUTS])],
        [numpy_helper.from_array(weights, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def peak() -> int:
    """Return the largest resident bytes of this process so far."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


if __name__ == "__main__":
    main()

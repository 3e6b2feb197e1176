"""The nodes of read noise that every product draws anew.

A current has the variance sum_i S_i v_i^2, S_i = sigma(g_i)^2 (g_eff_i / g_i)^2, over all cells of its
readout: in the graph sqrt((v * v) @ S) times a standard normal number. The noise of a cell is the same
throughout a conversion, whatever the number of pulses in it.
Source: docs/concepts/model.md section 4.
"""

from __future__ import annotations

from collections.abc import Sequence

from rxsim.onnx_graph import GraphBuilder
from rxsim.patch.fresh_noise import add_fresh_noise
from rxsim.patch.hardware import FreshReadNoise, LayerHardware


def add_read_noise(
    build: GraphBuilder,
    hardware: LayerHardware,
    noise: FreshReadNoise,
    driven: Sequence[str],
    currents: Sequence[str],
) -> list[str]:
    """Add read noise to the currents of every conversion.

    Args:
        build: takes the nodes.
        hardware: the layer.
        noise: its noise.
        driven: the tensor of units that each pass drives, less those of an input of 0.
        currents: name of each conversion's current, in LSB (ampere where there is no converter).

    Returns:
        The names of the noisy currents.
    """
    tiles = len(hardware.rows)
    noisy = []
    for number, tensor in enumerate(driven):
        squares = _squares(build, hardware, number, tensor)
        for p in range(tiles):
            k = number * tiles + p
            deviation = _deviation(build, hardware, noise, number, p, squares)
            noisy.append(
                add_fresh_noise(build, currents[k], deviation, noise.seeds[k], f"read_{k}")
            )
    return noisy


def _squares(build: GraphBuilder, hardware: LayerHardware, number: int, driven: str) -> str:
    """Add the squares of a pass's units, less the square of what an input of 0 drives.

    Places that a window has beyond the input then count as inputs of 0.
    """
    rest = hardware.input_plan.passes[number].counted_rest
    other = driven
    if rest:
        twice = build.scalar(f"twice_rest_{number}", 2 * rest)
        other = build.add("Add", [driven, twice], f"with_rest_{number}")
    return build.add("Mul", [driven, other], f"squares_{number}")


def _deviation(
    build: GraphBuilder,
    hardware: LayerHardware,
    noise: FreshReadNoise,
    number: int,
    p: int,
    squares: str,
) -> str:
    """Add the deviation of the currents of a pass on a row tile, in the unit of the currents."""
    step, k = hardware.input_plan.passes[number], number * len(hardware.rows) + p
    variance = noise.variances[p] * (step.volt * step.gain) ** 2
    if hardware.adc is not None:
        variance = variance * (hardware.adc.per_ampere(k) ** 2)[:, None, :]
    added = variance.sum(axis=1) * step.counted_rest**2 if step.counted_rest else None
    rows = hardware.rows[p]
    total = hardware.add_product(build, squares, rows, variance, f"variance_{k}", added)
    # Sums in float32 may end just below 0.
    total = build.add("Relu", [total], f"variance_{k}_above_0")
    return build.add("Sqrt", [total], f"deviation_{k}")

"""How many of a layer's wordlines are at a voltage at all, for given inputs."""

from __future__ import annotations

import numpy as np

from rxsim.converters import InputPlan, InputVectors
from rxsim.load import Layer
from rxsim.mapping import Tiling

# Values looked at together: wide layers at many positions are gone through part by part.
_MOST_VALUES = 2**22


def driven_share(
    layer: Layer, inputs: InputPlan, codes: np.ndarray, tiling: Tiling | None = None
) -> float:
    """Return the share of a layer's drives that are not idle, in the mean over time.

    A pulse of some width counts by its width, a random pulse by its probability: the expected value
    over chips. Every input drives equally many arrays, so the share holds for all of them together;
    where lines of zeros are left out it does not, and each input counts as often as it drives a tile.

    Args:
        layer: the layer.
        inputs: its inputs, before a chip has drawn random numbers.
        codes: of its input tensor, float64, of the tensor's shape.
        tiling: of a layer without its lines of zeros; None for all inputs alike.
    """
    vectors = InputVectors(layer, codes)
    rows = np.arange(layer.groups * layer.n_inputs)
    if tiling is not None:
        rows = tiling.driven_inputs(layer.groups)
    signs = np.ones(len(rows))
    size = max(_MOST_VALUES // len(rows), 1)
    active = 0.0
    for start in range(0, vectors.positions, size):
        positions = np.arange(start, min(start + size, vectors.positions))
        values = vectors.at(rows, signs, positions)
        for pulse in inputs.pulses:
            active += inputs.encoding.load(pulse, values, inputs.codes)[1]
    drives = vectors.positions * len(rows) * len(inputs.pulses)
    return active / drives if drives else 0.0

"""What steps on a chip's targets tell: the error of weights by known faults, before and after."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from rxsim.compensate import STEPS, Residual, acting_on_arrays, chosen_steps
from rxsim.config import Settings, step_name
from rxsim.mapping import MappedLayer
from rxsim.pipeline.chip.mapped import Mapped

UNIT = "of w_max, rms of the weights"


def tile_residuals(
    mapped: Mapped, stuck_weights: Callable[[Mapped], Mapping[str, np.ndarray]]
) -> dict[str, dict[str, Residual]]:
    """Return the residual of each step on a chip's targets, by layer name and step.

    Args:
        mapped: the layers.
        stuck_weights: finds what a chip's stuck cells change in the weights of layers on their arrays.
    """
    names = [chosen.name for chosen in chosen_steps(next(iter(mapped.settings.values())), "tile")]
    if not names:
        return {}
    errors = [
        _errors(mapped, stuck_weights(mapped.under(_with_steps(count))))
        for count in range(len(names) + 1)
    ]
    told: dict[str, dict[str, Residual]] = {}
    for layer, first in errors[0].items():
        if first > 0:
            told[layer] = {
                name: Residual(before[layer], after[layer], UNIT)
                for name, before, after in zip(names, errors[:-1], errors[1:], strict=True)
            }
    return told


def relative_to_w_max(layer: MappedLayer, weights: np.ndarray) -> np.ndarray:
    """Return weights as shares of w_max.

    Args:
        layer: the layer.
        weights: float64 (groups, K, N) of its tiling.
    """
    w_max = np.ones_like(weights)  # also of rows that lie on no array
    for p, rows in enumerate(layer.row_tiles):
        w_max[:, rows] = layer.w_max[p][:, None]
    return np.asarray(weights / w_max)


def _errors(mapped: Mapped, changed: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return the rms of what is changed in each layer's weights, as a share of w_max."""
    shares = {
        layer.layer.name: relative_to_w_max(layer, changed[layer.layer.name])
        for layer in mapped.layers
    }
    return {name: float(np.sqrt(np.mean(np.square(share)))) for name, share in shares.items()}


def _with_steps(count: int) -> Callable[[Settings], Settings]:
    """Return a change of settings that keeps the design's steps and the first ones on targets."""

    def change(settings: Settings) -> Settings:
        kept, left = [], count
        for entry in acting_on_arrays(settings):
            on_targets = STEPS[step_name(entry)].place == "tile"
            if not on_targets or left:
                kept.append(entry)
            left -= on_targets and left > 0
        return settings.model_copy(update={"compensate": tuple(kept)})

    return change

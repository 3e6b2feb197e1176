"""A range that a single outlier sets: of inputs, of weights, or of ADCs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rxsim.config import Settings
from rxsim.explain.evidence import Evidence
from rxsim.explain.traps._calibration_runs import input_sizes, range_use
from rxsim.explain.traps._fallen import has_fallen
from rxsim.explain.traps._sight import Sight
from rxsim.mapping import MappedLayer

PERCENTILE = 99.9
# Assumption: more than two bits for a value in a thousand. With 6 bits everywhere the digits networks
# stay below 2, ResNet-20 below 4 (ADCs); SqueezeNet, which loses half its accuracy, reaches 9.7.
RATIO = 5.0
# Of fewer values the percentile is the largest, or next to it.
_FEWEST = 1000


def look(evidence: Evidence) -> Sight | None:
    """Name for inputs, weights and ADCs the layer with the largest outlier."""
    if not has_fallen(evidence):
        return None
    settings = evidence.foundry.mapped.settings
    seen: list[tuple[str, dict[str, object]]] = [
        (_inputs(evidence, settings), {"input.percentile": PERCENTILE}),
        (_weights(evidence.foundry.mapped.layers), {"mapping.w_percentile": PERCENTILE}),
        (_currents(evidence, settings), {"adc.criterion": "mse"}),
    ]
    told = [sentence for sentence, _ in seen if sentence]
    advice = tuple(settings for sentence, settings in seen if sentence)
    return Sight(f"a range set by outliers: {'; '.join(told)}", advice) if told else None


def _inputs(evidence: Evidence, settings: Mapping[str, Settings]) -> str:
    stated = evidence.study.stated_input_ranges()
    wanted = [
        name
        for name, of_layer in settings.items()
        if of_layer.dac.n_bits is not None and stated.get(name) is None
    ]
    if not wanted:
        return ""
    sizes, ranges = input_sizes(evidence), evidence.foundry.mapped.input_ranges
    ratios = {name: _ratio(ranges[name].x_max, sizes[name]) for name in wanted}
    return _worst(ratios, "the inputs of layer", "set input.percentile: 99.9")


def _weights(layers: tuple[MappedLayer, ...]) -> str:
    ratios = {
        mapped.layer.name: _ratio(float(mapped.w_max.max()), _sharing(mapped))
        for mapped in layers
        if mapped.cells.device.levels is not None or mapped.mapping.weight_bits is not None
    }
    return _worst(ratios, "the weights of layer", "set mapping.w_percentile: 99.9")


def _sharing(mapped: MappedLayer) -> np.ndarray:
    """Return the sizes of the weights that share the layer's largest scale."""
    sizes = np.abs(mapped.layer.matrices.astype(np.float64))
    p, group, output = np.unravel_index(int(mapped.w_max.argmax()), mapped.w_max.shape)
    scope, packed = mapped.mapping.w_max_scope, mapped.tiling.packed
    if scope == "layer":
        return sizes.ravel()
    if packed > 1:  # a block of groups is a single one in w_max
        sizes = sizes[group * packed : (group + 1) * packed]
        columns = sizes.transpose(1, 0, 2).reshape(sizes.shape[1], -1)
        return columns.ravel() if scope == "tile" else columns[:, output]
    if scope == "column":
        return np.asarray(sizes[group, :, output])
    tiles = [mapped.tiling.outputs[a:b] for a, b in mapped.tiling.col_tiles]
    outputs = next((each for each in tiles if output in each), tiles[0])
    return np.asarray(sizes[group][mapped.row_tiles[p]][:, outputs]).ravel()


def _currents(evidence: Evidence, settings: Mapping[str, Settings]) -> str:
    wanted = [
        name
        for name, of_layer in settings.items()
        if of_layer.adc.n_bits is not None and of_layer.adc.range == "calibrated"
    ]
    if not wanted:
        return ""
    ratios = {name: _ratio(1.0, use.shares) for name, use in range_use(evidence, wanted).items()}
    return _worst(ratios, "the ADC currents of layer", "set adc.criterion: mse (or adc.percentile)")


def _ratio(largest: float, sizes: np.ndarray) -> float:
    """Divide a range by the percentile of what it holds, values of 0 left out."""
    sizes = sizes[sizes > 0]
    return largest / float(np.percentile(sizes, PERCENTILE)) if len(sizes) >= _FEWEST else 1.0


def _worst(ratios: Mapping[str, float], what: str, advice: str) -> str:
    """Write what is seen in the layer with the largest ratio; empty below the threshold."""
    worst = max(ratios, key=lambda name: ratios[name], default="")
    if not worst or ratios[worst] < RATIO:
        return ""
    return (
        f"{what} {worst} have a range {ratios[worst]:.1f} times their 99.9th percentile, "
        f"{np.log2(ratios[worst]):.1f} bits for one value in a thousand: {advice}"
    )


LOOK = look

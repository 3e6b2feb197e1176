"""Channels of layers brought to the float network's moments, one layer after the other.

Every layer is measured after those before it are corrected. The quick way is a single run: the
calibration inputs are one batch, the graph itself takes the moments of each product and corrects it
before it goes on. Where a product occurs several times or in the body of a loop, where the network
prescribes its batch, or where so large a batch takes too much memory, each layer has a run of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import onnx
from onnx import TensorProto

from rxsim.compensate import ChannelMoments, NormalisedLayer, correction_of_moments
from rxsim.compensate.moments import (
    FEWEST_VALUES,
    distance_of_moments,
    least_deviation,
    moments_corrected,
)
from rxsim.memory import LITTLE, available_bytes
from rxsim.onnx_graph import GraphBuilder, defined_names, keep_outputs
from rxsim.patch import (
    LayerHardware,
    add_digital,
    add_layer,
    patch_beside,
    patch_network,
)
from rxsim.patch.input_nodes import InputNodes
from rxsim.pipeline.chip.channel_sums import (
    ChannelSums,
    Pair,
    add_channel_sum,
    channel_sums,
)
from rxsim.pipeline.study.study import Study
from rxsim.session import Session

STAGE = "statistics"
# Assumption: a layer that feeds itself settles within so many corrections, or not at all.
_MOST_PASSES = 8
Moments = dict[str, ChannelMoments]
"""By layer name."""


def float_moments(study: Study, layers: Sequence[LayerHardware]) -> Moments:
    """Measure the channels of the float network's products, before any bias."""
    products: dict[str, list[str]] = {item.layer.name: [] for item in layers}

    def write(
        build: GraphBuilder, hardware: LayerHardware, source: str, inputs: InputNodes
    ) -> tuple[str, tuple[str, ...]]:
        total = add_digital(build, hardware.layer, source)
        products[hardware.layer.name].append(total)
        return total, ()

    network = patch_beside(study.network.model, layers, write)
    return _moments(study, network.model, layers, products)


def normalised_layers(
    study: Study, layers: Sequence[LayerHardware], *, spread: bool
) -> dict[str, NormalisedLayer]:
    """Bring the channels of a chip's layers to the float network's moments, by layer name.

    Args:
        study: whose calibration inputs and network.
        layers: the chip's, with their converters, in topological order.
        spread: whether deviations are corrected, too.
    """
    wanted = float_moments(study, layers)
    if fits_a_single_run(study, layers):
        found = in_a_single_run(study, layers, wanted, spread=spread)
        if found is not None:
            return found
    return layer_by_layer(study, layers, wanted, spread=spread)


def fits_a_single_run(study: Study, layers: Sequence[LayerHardware]) -> bool:
    """Tell whether all calibration inputs may be one batch: by its size, and by their memory."""
    count = len(study.calibration)
    if study.network.fixed_batch not in (None, count):
        return False
    needed = 0
    for item in layers:
        positions = study.plan.layers[item.layer.name].positions
        if positions is None:
            return False
        currents = len(item.both_sides) * item.readouts.count * item.tiling.groups
        values = currents + (1 + len(item.input_plan.passes)) * item.layer.input_channels
        # Currents and codes, noise where there is some; products in float64 besides.
        each = 4 * (3 if item.noise is None else 6) * values + 4 * 8 * item.layer.n_channels
        needed = max(needed, count * positions * each)
    free = available_bytes() if needed > LITTLE else None
    return free is None or needed <= free // 2


def in_a_single_run(
    study: Study,
    layers: Sequence[LayerHardware],
    wanted: Mapping[str, ChannelMoments],
    *,
    spread: bool,
) -> dict[str, NormalisedLayer] | None:
    """Measure all layers in one run whose graph corrects every product before it goes on.

    Returns:
        The layers by name; None where a product occurs more than once, or in a body.
    """
    names: dict[str, list[str]] = {item.layer.name: [] for item in layers}

    def write(
        build: GraphBuilder, hardware: LayerHardware, source: str, inputs: InputNodes
    ) -> tuple[str, tuple[str, ...]]:
        total, watched = add_layer(build, hardware, source, inputs, split=False)
        correcting = _Correcting(build, hardware, wanted[hardware.layer.name], spread)
        result, moments = correcting.add(total)
        names[hardware.layer.name].append(moments)
        return result, watched

    model = patch_network(study.network.model, layers, write=write).model
    here = defined_names(model.graph)
    if any(len(each) != 1 or each[0] not in here for each in names.values()):
        return None
    outputs = [name for each in names.values() for name in each]
    keep_outputs(model, outputs)
    session = Session(model, f"the network of {STAGE}", study.network.fixed_batch)
    count = len(study.calibration)
    with study.stages(STAGE):
        results = session.run_inputs(study.calibration, outputs, 0, count)
    moments = (
        ChannelMoments(mean, std, wanted[name].count)
        for name, (mean, std) in zip(names, results, strict=True)
    )
    return {
        name: _normalised(wanted[name], before, spread)
        for name, before in zip(names, moments, strict=True)
    }


def _normalised(wanted: ChannelMoments, before: ChannelMoments, spread: bool) -> NormalisedLayer:
    """Correct a layer whose inputs do not depend on its outputs."""
    gain, added = correction_of_moments(wanted, before, spread=spread)
    after = moments_corrected(before, gain, added)
    return NormalisedLayer(gain=gain, added=added, wanted=wanted, before=before, after=after)


class _Correcting:
    """Writes the moments of a product, and its correction."""

    def __init__(
        self, build: GraphBuilder, hardware: LayerHardware, wanted: ChannelMoments, spread: bool
    ) -> None:
        self._build = build
        self._layer = hardware.layer
        self._wanted = wanted
        self._spread = spread

    def add(self, total: str) -> tuple[str, str]:
        """Write both.

        Args:
            total: name of the product.

        Returns:
            The names of the corrected product, and of its moments before, float64 (2, channels).
        """
        build, wanted = self._build, self._wanted
        wide = build.add("Cast", [total], "moments_wide", to=TensorProto.DOUBLE)
        mean = self._mean(wide, "mean")
        centred = build.add("Sub", [wide, self._along(mean)], "centred")
        square = build.add("Mul", [centred, centred], "centred_squares")
        std = build.add("Sqrt", [self._mean(square, "variance")], "std")
        rows = build.constant("moment_row", np.array([1, -1]))
        shaped = [build.add("Reshape", [part, rows], "moment") for part in (mean, std)]
        moments = build.add("Concat", shaped, "moments", axis=0)
        if wanted.count < FEWEST_VALUES:
            return total, moments
        if self._spread:
            centred = build.add("Mul", [centred, self._along(self._gain(std))], "spread")
        goal = self._along(build.constant("wanted_mean", wanted.mean))
        moved = build.add("Add", [centred, goal], "normalised_wide")
        return build.add("Cast", [moved], "normalised", to=TensorProto.FLOAT), moments

    def _gain(self, std: str) -> str:
        """Write the gain of each channel: 1 where it hardly varies."""
        build, wanted = self._build, self._wanted
        least = least_deviation(wanted)
        known = build.constant("least_std", np.asarray(least))
        varies = build.add("Greater", [std, known], "varies")
        lively = build.constant("lively", wanted.std > least)
        both = build.add("And", [varies, lively], "scaled")
        one = build.constant("gain_one", np.ones(1))
        below = build.add("Where", [both, std, one], "measured_std")
        above = build.add("Where", [both, build.constant("wanted_std", wanted.std), one], "goal")
        return build.add("Div", [above, below], "gain")

    def _mean(self, tensor: str, part: str) -> str:
        build, count = self._build, max(self._wanted.count, 1)
        total = add_channel_sum(build, self._layer, tensor, f"{part}_sum")
        return build.add("Div", [total, build.constant("count", np.asarray(float(count)))], part)

    def _along(self, values: str) -> str:
        """Let a value for each channel spread over a product."""
        behind = self._layer.layout.spatial_axes
        if not behind:
            return values
        shape = self._build.constant("along", np.array([-1, *(1 for _ in range(behind))]))
        return self._build.add("Reshape", [values, shape], "spread_out")


def layer_by_layer(
    study: Study,
    layers: Sequence[LayerHardware],
    wanted: Mapping[str, ChannelMoments],
    *,
    spread: bool,
) -> dict[str, NormalisedLayer]:
    """Measure one layer after the other, each in a run of the network up to it.

    A layer in the body of a loop gets its inputs from its own outputs: it is corrected and measured
    again, as long as that brings it nearer, a few times at most.
    """
    corrected = list(layers)
    found: dict[str, NormalisedLayer] = {}
    for number, item in enumerate(layers):
        name = item.layer.name
        before, in_body = _alone(study, corrected, name)
        layer = _normalised(wanted[name], before, spread)
        corrected[number] = _with_gains(item, layer)
        if in_body:
            layer = _settled(study, corrected, number, item, layer, spread)
            corrected[number] = _with_gains(item, layer)
        found[name] = layer
    return found


def _settled(
    study: Study,
    corrected: Sequence[LayerHardware],
    number: int,
    item: LayerHardware,
    first: NormalisedLayer,
    spread: bool,
) -> NormalisedLayer:
    """Correct a layer in the body of a loop again; return the best of what was measured."""
    name, wanted, tried = item.layer.name, first.wanted, list(corrected)
    best = replace(
        first,
        gain=np.ones_like(first.gain),
        added=np.zeros_like(first.added),
        after=first.before,
    )
    layer = first
    for _ in range(_MOST_PASSES):
        tried[number] = _with_gains(item, layer)
        after, _ = _alone(study, tried, name)
        layer = replace(layer, after=after)
        if _error(wanted, after, spread) >= _error(wanted, best.after, spread):
            break
        best = layer
        gain, added = correction_of_moments(wanted, after, spread=spread)
        layer = replace(layer, gain=layer.gain * gain, added=layer.added * gain + added)
    return best


def _error(wanted: ChannelMoments, found: ChannelMoments, spread: bool) -> float:
    """Return how far what is corrected is off."""
    if spread:
        return distance_of_moments(wanted, found)
    return float(np.square(found.mean - wanted.mean).sum())


def _with_gains(item: LayerHardware, layer: NormalisedLayer) -> LayerHardware:
    tiling = item.tiling
    return item.corrected(
        added=tiling.of_outputs(layer.added, 0.0), output_gain=tiling.of_outputs(layer.gain, 1.0)
    )


def _alone(study: Study, layers: Sequence[LayerHardware], name: str) -> tuple[ChannelMoments, bool]:
    """Measure a layer of the patched network, and tell whether it stands in the body of a loop."""
    products: dict[str, list[str]] = {name: []}

    def write(
        build: GraphBuilder, hardware: LayerHardware, source: str, inputs: InputNodes
    ) -> tuple[str, tuple[str, ...]]:
        total, watched = add_layer(build, hardware, source, inputs, split=False)
        if hardware.layer.name == name:
            # The product itself may come to bear the name of its node's output.
            products[name].append(build.add("Identity", [total], "measured_product"))
        return total, watched

    model = patch_network(study.network.model, layers, write=write).model
    wanted = [item for item in layers if item.layer.name == name]
    in_body = not defined_names(model.graph).issuperset(products[name])
    return _moments(study, model, wanted, products)[name], in_body


def _moments(
    study: Study,
    model: onnx.ModelProto,
    layers: Sequence[LayerHardware],
    products: Mapping[str, Sequence[str]],
) -> Moments:
    """Measure the channels of products, by the name of their layers."""
    pairs = [
        Pair(item.layer, product, product)
        for item in layers
        for product in products[item.layer.name]
    ]
    found = channel_sums(study, model, pairs, STAGE)
    totals: dict[str, ChannelSums] = {}
    for pair, sums in zip(pairs, found, strict=True):
        name = pair.layer.name
        totals[name] = totals[name] + sums if name in totals else sums
    return {name: _of_sums(total) for name, total in totals.items()}


def _of_sums(total: ChannelSums) -> ChannelMoments:
    count = max(total.count, 1)
    mean = total.sums[0] / count
    variance = np.maximum(total.sums[2] / count - mean**2, 0.0)
    return ChannelMoments(mean, np.sqrt(variance), total.count)

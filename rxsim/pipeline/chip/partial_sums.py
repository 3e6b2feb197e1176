"""The partial sums of a study's layers over its calibration inputs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add

import numpy as np

from rxsim.compensate import PartialSums
from rxsim.patch import LayerHardware, patch_partial_sums
from rxsim.pipeline.chip.channel_sums import ChannelSums, Pair, channel_sums
from rxsim.pipeline.study.study import Study


def partial_sums(study: Study, layers: Sequence[LayerHardware]) -> dict[str, PartialSums]:
    """Sum up the partial sums of layers with their converters, by layer name.

    Each layer sees what the float network brings to it.

    Args:
        study: whose calibration inputs and network.
        layers: their hardware.
    """
    network = patch_partial_sums(study.network.model, layers)
    pairs, owners = [], []
    for item in layers:
        name, layer = item.layer.name, item.layer
        for product in network.names[name]:
            both = zip(product.measured, product.wanted, strict=True)
            pairs += [Pair(layer, measured, wanted) for measured, wanted in both]
            pairs.append(Pair(layer, product.total, product.total))
            owners += [(name, p) for p in range(len(item.rows))] + [(name, -1)]
    sums: dict[tuple[str, int], list[ChannelSums]] = {}
    for owner, found in zip(
        owners, channel_sums(study, network.model, pairs, "partial sums"), strict=True
    ):
        sums.setdefault(owner, []).append(found)
    return {item.layer.name: _of_layer(item, sums) for item in layers}


def _of_layer(item: LayerHardware, sums: dict[tuple[str, int], list[ChannelSums]]) -> PartialSums:
    """Gather what a layer's row tiles were added up to."""
    name = item.layer.name
    tiles = [reduce(add, sums[name, p]) for p in range(len(item.rows))]
    x, y, xx, yy, xy = np.stack([tile.sums for tile in tiles], axis=1)
    channels = item.layer.n_channels
    added = np.zeros(channels) if item.added is None else item.added.reshape(-1)[:channels]
    return PartialSums(
        count=tiles[0].count,
        measured=x,
        wanted=y,
        measured_squares=xx,
        wanted_squares=yy,
        products=xy,
        output_squares=reduce(add, sums[name, -1]).sums[2],
        added=added,
    )

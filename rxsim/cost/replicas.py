"""Copies of layers, so that the slowest layer becomes as fast as a number of arrays allows."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from fractions import Fraction

from rxsim.cost.latency import exact_seconds, more_replicas
from rxsim.cost.layer_counts import LayerCounts
from rxsim.errors import SettingError


def no_replicas(layers: Mapping[str, LayerCounts]) -> dict[str, int]:
    """Return one copy of each layer: `replicate: none`."""
    return dict.fromkeys(layers, 1)


def balanced_replicas(
    layers: Mapping[str, LayerCounts], seconds: Mapping[str, float], arrays: int
) -> dict[str, int]:
    """Choose the copies of each layer within a number of arrays: `replicate: {balance: N arrays}`.

    The slowest layer gets the fewest copies that make it faster, again and again, while arrays last;
    layers that are equally slow get theirs together. The slowest layer is as fast as any choice within
    these arrays makes it, with the fewest arrays: for a bound on the time each layer needs a least
    number of copies, which this follows from bound to bound. Layers on the same arrays are copied
    together, and their times add up; steps of a loop wait for each other, so copies do not help them.

    Args:
        layers: counts by name.
        seconds: of a product of each layer, by name.
        arrays: that there are.

    Raises:
        SettingError: there are fewer arrays than the layers need once.
    """
    groups: dict[str, list[LayerCounts]] = {}
    for layer in layers.values():
        groups.setdefault(layer.shared_with or layer.name, []).append(layer)
    sizes = {owner: members[0].hardware.arrays for owner, members in groups.items()}
    left = arrays - sum(sizes.values())
    if left < 0:
        raise SettingError(
            f"replicate: found {arrays} arrays, expected at least the {sum(sizes.values())} that hold "
            "each layer once; allow more arrays"
        )
    copies = dict.fromkeys(groups, 1)
    queue = [(-_time(members, seconds, 1), owner) for owner, members in groups.items()]
    heapq.heapify(queue)
    while queue:
        slowest = [heapq.heappop(queue)]
        while queue and queue[0][0] == slowest[0][0]:
            slowest.append(heapq.heappop(queue))
        raised = {owner: _more(groups[owner], copies[owner]) for _, owner in slowest}
        price = 0
        for owner, count in raised.items():
            if count is None:
                return _of_layers(groups, copies)
            price += (count - copies[owner]) * sizes[owner]
        if price > left:
            break
        left -= price
        for owner, count in raised.items():
            copies[owner] = count or 1
            heapq.heappush(queue, (-_time(groups[owner], seconds, copies[owner]), owner))
    return _of_layers(groups, copies)


def _time(members: Sequence[LayerCounts], seconds: Mapping[str, float], copies: int) -> Fraction:
    return sum((exact_seconds(layer, seconds[layer.name], copies) for layer in members), Fraction())


def _more(members: Sequence[LayerCounts], copies: int) -> int | None:
    """Return the least number of copies that makes layers on the same arrays faster."""
    found = [more_replicas(layer, copies) for layer in members]
    return min((count for count in found if count is not None), default=None)


def _of_layers(
    groups: Mapping[str, Sequence[LayerCounts]], copies: Mapping[str, int]
) -> dict[str, int]:
    return {layer.name: copies[owner] for owner, members in groups.items() for layer in members}

"""Defect maps beside a network: every name in a file has its layer, and every map its size."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rxsim.config import OTHERS, Settings, fault_maps
from rxsim.counted import counted
from rxsim.errors import InputError


def check_defect_maps(
    settings: Mapping[str, Settings],
    arrays: Mapping[str, int],
    shared_with: Mapping[str, str | None],
) -> None:
    """Refuse a defect map that does not fit a network.

    Args:
        settings: by name of each layer on crossbars.
        arrays: how many arrays each takes, by the same names.
        shared_with: the layer whose arrays it is on, by the same names; None where they are its own.

    Raises:
        InputError: a map belongs to no layer, has another size, or another number of arrays, or layers
            on the same arrays have different ones.
    """
    for name, of_layer in settings.items():
        faults = of_layer.device.faults
        if faults is None:
            continue
        where, maps = f"defect map {faults.file}", fault_maps(faults)
        unknown = [key for key in maps if key != OTHERS and key not in settings]
        if unknown:
            examples = ", ".join(list(settings)[:3]) + (", .." if len(settings) > 3 else "")
            raise InputError(
                f"{where}: found a map for {unknown[0]!r}, expected layers on crossbars, such as "
                f"{examples}, or '*' for all others; see 'rxsim map'"
            )
        first = shared_with[name]
        if first is not None and not _alike(_map_of(maps, name), _map_of(maps, first)):
            raise InputError(
                f"{where}: found different maps for {name} and {first}, which are on the same arrays; "
                f"give {name} the map of {first} too"
            )
        given = _map_of(maps, name)
        if given is not None:
            key = name if name in maps else OTHERS
            _check_size(f"{where}: {key}", given, of_layer, name, arrays[name])


def _map_of(maps: Mapping[str, np.ndarray], name: str) -> np.ndarray | None:
    return maps.get(name, maps.get(OTHERS))


def _alike(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    if one is None or other is None:
        return one is other
    return np.array_equal(one, other, equal_nan=True)


def _check_size(where: str, given: np.ndarray, settings: Settings, layer: str, arrays: int) -> None:
    bar = settings.crossbar
    if given.shape[-2:] != (bar.rows, bar.cols):
        raise InputError(
            f"{where}: found arrays of {given.shape[-2]}x{given.shape[-1]}, expected "
            f"{bar.rows}x{bar.cols} as crossbar.rows and cols say; give a map of this size"
        )
    if given.ndim == 3 and len(given) < arrays:
        raise InputError(
            f"{where}: found {counted(len(given), 'array')}, expected {arrays} for layer {layer}; give "
            "a map of each array, or a single one (rows, cols) for all"
        )

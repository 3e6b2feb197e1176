"""Defect maps beside a network: every name in a file has its layer, and every map its size."""

from __future__ import annotations

from collections.abc import Mapping

from rxsim.config import OTHERS, Settings, fault_maps
from rxsim.errors import InputError


def check_defect_maps(settings: Mapping[str, Settings], arrays: Mapping[str, int]) -> None:
    """Refuse a defect map that does not fit a network.

    Args:
        settings: by name of each layer on crossbars.
        arrays: how many arrays each takes, by the same names.

    Raises:
        InputError: a map belongs to no layer, has another size, or another number of arrays.
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
        key = name if name in maps else OTHERS
        if key not in maps:
            continue
        given, bar = maps[key], of_layer.crossbar
        if given.shape[-2:] != (bar.rows, bar.cols):
            raise InputError(
                f"{where}: {key}: found arrays of {given.shape[-2]}x{given.shape[-1]}, expected "
                f"{bar.rows}x{bar.cols} as crossbar.rows and cols say; give a map of this size"
            )
        if given.ndim == 3 and len(given) < arrays[name]:
            raise InputError(
                f"{where}: {key}: found {len(given)} arrays, expected {arrays[name]} for layer {name}; "
                "give a map of each array, or a single one (rows, cols) for all"
            )

"""Predistortion of the array of `rxsim solve`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click
import numpy as np
from click.core import ParameterSource

from rxsim.commands.arguments import with_options
from rxsim.compensate.predistortion import (
    Predistorted,
    ScaleBy,
    predistorted,
    refuse_beyond_range,
    with_write_errors,
)
from rxsim.config import Crossbar, Settings
from rxsim.counted import counted
from rxsim.devices import nominal_deviation
from rxsim.errors import SettingError
from rxsim.parallel import ordered
from rxsim.scenarios import only_writing

OPTIONS = ("scale", "headroom", "shift")
"""Parameters that belong to --predistort."""
CELLS = (
    *("device.g_on", "device.g_off", "device.r_on", "device.r_off"),
    *("device.model", "device.without", "device.write_sigma", "device.write_unit"),
    *("device.verify", "device.d2d_sigma", "seed"),
)
"""Settings that say which targets a cell can have, and how near programming comes to them."""

_OPTIONS = (
    click.option(
        "--predistort",
        is_flag=True,
        help="Search for targets whose g_eff is nearest to G.npy, and report how near.",
    ),
    click.option(
        "--scale",
        type=click.Choice(["none", "layer", "column"]),
        default="layer",
        show_default=True,
        help="With --predistort: what shares a gain that is divided out (layer: the whole array).",
    ),
    click.option(
        "--headroom",
        type=click.FloatRange(0, 0.45),
        default=0.0,
        show_default=True,
        help="With --predistort: share of the range left free at each end.",
    ),
    click.option(
        "--shift",
        is_flag=True,
        help="With --predistort: choose a shift of all cells too, which a second array takes away.",
    ),
)


def predistort_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of predistortion to a command."""
    return with_options(function, _OPTIONS)


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """Conductances that are wanted of an array.

    Attributes:
        g: siemens, float64 (n_rows, n_cols).
        name: of the file.
        crossbar: the resistances.
        settings: the range of the cells, and their form.
    """

    g: np.ndarray
    name: str
    crossbar: Crossbar
    settings: Settings


def check_options(context: click.Context, *, predistort: bool) -> None:
    """Refuse options of predistortion without it, and a headroom that is no number.

    Raises:
        SettingError: naming the option.
    """
    typed = ParameterSource.COMMANDLINE
    for name in OPTIONS:
        if not predistort and context.get_parameter_source(name) == typed:
            raise SettingError(
                f"found --{name} without --predistort, expected both or neither; add --predistort, or "
                f"leave out --{name}"
            )
    if math.isnan(context.params["headroom"]):
        raise SettingError("--headroom: found nan, expected a share from 0 to 0.45; choose one")


def targets_of(
    wanted: Wanted, scale: ScaleBy, headroom: float, *, shift: bool
) -> tuple[np.ndarray, dict[str, np.ndarray], str]:
    """Search for targets.

    Returns:
        The targets, siemens; what is written besides, by name; and the text to print.

    Raises:
        InputError: the cells are not linear, or a conductance is beyond the cells' range.
    """
    device = wanted.settings.device
    if device.iv.form != "linear":
        raise SettingError(
            f"found --predistort with device.iv.form: {device.iv.form}, expected linear cells: others "
            "have a g_eff only where a network drives them; leave it out, or use compensate: "
            "[predistort] with rxsim eval"
        )
    if shift and headroom:
        raise SettingError(
            f"found --shift with --headroom {headroom:g}, which is a shift already, expected one of "
            "them; leave one out"
        )
    limits = (device.g_off, device.g_on)
    refuse_beyond_range(wanted.g, limits, wanted.name)
    free = None if shift else headroom
    deviation = nominal_deviation(device)
    written, seed = only_writing(wanted.settings).device, wanted.settings.seed

    def search(g: np.ndarray) -> Predistorted:
        bar = wanted.crossbar
        found = predistorted(g, limits, bar, scale=scale, headroom=free, deviation=deviation)
        return with_write_errors(found, g, written, bar, seed)

    (result,) = ordered(search, [wanted.g], threads=1)
    gain, moved = result.gain, result.shift.mean() / (limits[1] - limits[0])
    factor = f"{gain[0]:.4f}" if scale != "column" else f"{gain.min():.4f} to {gain.max():.4f}"
    told = (
        f"predistort: error of g_eff {result.before:.2e} before, {result.after:.2e} after, rms of the "
        f"range; gain {factor}, shift {moved:.4f} of the range; {counted(result.solves, 'solve')}"
    )
    if result.after_on_chip is not None:
        told += (
            f"\nwith write errors and variation: {result.after_on_chip:.2e} on a programmed chip, "
            f"{result.after_expected:.2e} expected, rms of the range, before levels"
        )
    return result.g, {"g": result.g, "gain": gain, "shift": result.shift}, told

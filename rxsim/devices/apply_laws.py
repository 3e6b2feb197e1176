"""Program an array: target conductances, then each device law, give the chip's conductances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from rxsim.config import STEPS, Device
from rxsim.devices.cell_levels import to_levels
from rxsim.devices.law import Cells, Chip, Draws, Law, acting_laws, check_preset
from rxsim.devices.read_noise import ReadNoise
from rxsim.devices.verify_cells import Pulses, verified
from rxsim.devices.write_error import WriteError
from rxsim.errors import SettingError

_PROGRAMMED = STEPS.index("variation")  # what cells are left with before time passes


class Target(Protocol):
    """An array that can be programmed, such as `rxsim.mapping.PhysicalArray`.

    Attributes:
        index: the array's number within its layer, part of the key of its draws.
        target: wanted conductances, siemens, float64 (n_rows, n_cols).
        blank: bool (n_rows, n_cols), cells left open.
    """

    @property
    def index(self) -> int: ...  # noqa: D102
    @property
    def target(self) -> np.ndarray: ...  # noqa: D102
    @property
    def blank(self) -> np.ndarray: ...  # noqa: D102


class Targets(Protocol):
    """Arrays of the same size that are programmed together, such as `rxsim.mapping.ArrayStack`.

    Attributes:
        arrays: the arrays.
        target: their wanted conductances, siemens, float64 (arrays, n_rows, n_cols).
        blank: bool (arrays, n_rows, n_cols), cells left open.
    """

    @property
    def arrays(self) -> Sequence[Target]: ...  # noqa: D102
    @property
    def target(self) -> np.ndarray: ...  # noqa: D102
    @property
    def blank(self) -> np.ndarray: ...  # noqa: D102


@dataclass(frozen=True, slots=True, eq=False)
class _Single:
    """An array as a stack of its own."""

    arrays: tuple[Target, ...]
    target: np.ndarray
    blank: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Programmed:
    """The cells of a programmed array, as they are read.

    Attributes:
        g: conductances, siemens, float64 (n_rows, n_cols); open cells are at 0.
        fresh: deviation of the read noise that is drawn anew for each product, siemens, likewise; None
            where there is none.
        pulses: what programming took; None where cells are not verified.
    """

    g: np.ndarray
    fresh: np.ndarray | None = None
    pulses: Pulses | None = None


def has_random_effects(device: Device) -> bool:
    """Tell whether two chips can differ at all.

    Raises:
        SettingError: the preset's laws can't be used.
    """
    check_preset(device.preset)
    return bool(acting_laws(device)) or _reads_to_verify(device)


def _reads_to_verify(device: Device) -> bool:
    """Tell whether readings of cells are drawn while they are programmed."""
    return device.verify is not None and device.verify.read_sigma > 0


def program(
    array: Target,
    layer_index: int,
    device: Device,
    chip: Chip,
    laws: Sequence[Law] | None = None,
) -> np.ndarray:
    """Return the conductances of an array after programming; see `programmed`."""
    return programmed(array, layer_index, device, chip, laws).g


def programmed(
    array: Target,
    layer_index: int,
    device: Device,
    chip: Chip,
    laws: Sequence[Law] | None = None,
    layer_name: str = "",
) -> Programmed:
    """Return the cells of an array after programming, at the time of the read.

    Args: of `programmed_each`, but for
        array: the array with its targets.
    """
    single = _Single((array,), array.target[None], array.blank[None])
    return programmed_each(single, layer_index, device, chip, laws, layer_name)[0]


def programmed_each(
    stack: Targets,
    layer_index: int,
    device: Device,
    chip: Chip,
    laws: Sequence[Law] | None = None,
    layer_name: str = "",
) -> list[Programmed]:
    """Return the cells of some arrays after programming, at the time of the read.

    Each cell is set to its level, then changed by every law that acts, in the order of their steps,
    and is not below 0 S after any. Levels are found for all arrays at once; laws draw for each array.

    Args:
        stack: the arrays with their targets.
        layer_index: their layer's index, part of the key of their draws.
        device: the device settings.
        chip: the chip; where no law acts, every chip gives the same.
        laws: the laws that act for these settings, where they are known already.
        layer_name: their layer's name, by which a defect map knows it.

    Raises:
        SettingError: the preset's laws can't be used, or leave no finite conductance.
        InputError: a defect map does not fit.
    """
    laws = acting_laws(device) if laws is None else laws
    levels = np.maximum(to_levels(stack.target, device), 0)
    has_blank = bool(stack.blank.any())
    if not laws and device.verify is None:
        return [
            Programmed(g) for g in (np.where(stack.blank, 0.0, levels) if has_blank else levels)
        ]
    if has_blank:  # a conductance for which every law is known
        levels = np.where(stack.blank, device.g_off, levels)
    return [
        _changed_by_laws(array, level, has_blank, layer_index, device, chip, laws, layer_name)
        for array, level in zip(stack.arrays, levels, strict=True)
    ]


def _changed_by_laws(
    array: Target,
    level: np.ndarray,
    has_blank: bool,
    layer_index: int,
    device: Device,
    chip: Chip,
    laws: Sequence[Law],
    layer_name: str,
) -> Programmed:
    """Let the laws act on an array whose cells are at their levels."""
    g = level
    cells = Cells(device, array.target, g, g, layer_name)
    pulses, fresh = None, None
    if device.verify is not None:
        write = next((law for law in laws if isinstance(law, WriteError)), None)
        stream = WriteError.stream if write is None else write.stream
        draws = Draws(chip, layer_index, array.index, stream, device.refreshes)
        g, pulses = verified(write, cells, draws, array.blank)
        laws = [law for law in laws if law is not write]
        cells = replace(cells, programmed=g)
    for law in laws:
        refresh = device.refreshes if law.step == "write_error" else 0
        draws = Draws(chip, layer_index, array.index, law.stream, refresh)
        if isinstance(law, ReadNoise):
            fresh = law.fresh(g, cells)
        if law.step == "faults" and fresh is not None:
            # A stuck cell has no noise, also where it is stuck at what it was programmed to.
            left_alone = np.isnan(law.change(np.full_like(g, np.nan), cells, draws))
            fresh = np.where(left_alone, fresh, 0.0)
        g = _changed(law, g, cells, draws)
        if STEPS.index(law.step) <= _PROGRAMMED:
            cells = replace(cells, programmed=g)
    if has_blank:
        g = np.where(array.blank, 0.0, g)
        fresh = None if fresh is None else np.where(array.blank, 0.0, fresh)
    return Programmed(g, fresh, pulses)


def stuck_at(
    array: Target,
    layer_index: int,
    device: Device,
    chip: Chip,
    laws: Sequence[Law] | None = None,
    layer_name: str = "",
) -> np.ndarray:
    """Return the conductances at which a chip's cells are stuck, the ones that `programmed` gives them.

    Args: see `programmed`.

    Returns:
        Siemens, float64 (n_rows, n_cols); NaN where a cell works, or where there is none.
    """
    g = np.full(array.target.shape, np.nan)
    cells = Cells(device, array.target, array.target, array.target, layer_name)
    for law in acting_laws(device) if laws is None else laws:
        if law.step == "faults":
            draws = Draws(chip, layer_index, array.index, law.stream)
            g = np.asarray(law.change(g, cells, draws))
    return np.where(array.blank, np.nan, g)


def _changed(law: Law, g: np.ndarray, cells: Cells, draws: Draws) -> np.ndarray:
    """Return what a law leaves, siemens, not below 0."""
    with np.errstate(invalid="ignore", over="ignore"):
        changed: np.ndarray = np.maximum(law.change(g, cells, draws), 0)
    if not np.isfinite(changed).all():
        raise SettingError(
            f"device.model: laws.{law.step}: found cells that this law leaves without a finite "
            "conductance, expected one for every level; bound its curves by low and high"
        )
    return changed

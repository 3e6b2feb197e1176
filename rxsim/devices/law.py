"""Device laws: their Protocol, and which of them act for given settings.

A law is one file of `rxsim/devices/laws`, which holds it as `LAW`. It says at which step of
programming it acts, which random stream it draws from, whether it acts for some settings, and its
arithmetic. There are two kinds: laws that settings switch on (`d2d_sigma`), and laws that a preset
names, with the numbers of its source (`MeasuredLaw`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from rxsim.config import STEPS, Device, LawChoice, Preset, Settings, Step, read_preset_file
from rxsim.errors import SettingError
from rxsim.folders import Folder
from rxsim.schema import Section, in_yaml, validated
from rxsim.seeds import chip_generator, device_generator

NumbersT = TypeVar("NumbersT", bound=Section)
_IN_SETTINGS = "device.model"
# Numbers of choices that were checked: every array of a chip asks for them. The choice is held, so that
# its id belongs to no other.
_CHECKED: dict[int, tuple[LawChoice, Section]] = {}
_MOST_CHECKED = 256


@dataclass(frozen=True, slots=True)
class Chip:
    """A trial: the draws of all its devices follow from these two numbers."""

    seed: int
    trial: int


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """The cells of one array, as a law sees them besides their present conductances.

    Attributes:
        device: the settings.
        target: wanted conductances, siemens, float64 (n_rows, n_cols).
        level: the levels nearest to them, likewise; what programming aims at.
        programmed: conductances after write error and variation, for laws of later steps; the levels
            before.
        layer: name of the array's layer.
    """

    device: Device
    target: np.ndarray
    level: np.ndarray
    programmed: np.ndarray
    layer: str = ""


@dataclass(frozen=True, slots=True)
class Draws:
    """Where a law's random numbers come from, for one array of one chip.

    Attributes:
        chip: the chip.
        layer: index of the array's layer.
        array: index of the array in it.
        stream: the law's number.
        refresh: how often the array was programmed anew, for what is drawn each time; else 0.
    """

    chip: Chip
    layer: int
    array: int
    stream: int
    refresh: int = 0

    def of_array(self) -> np.random.Generator:
        """Return the generator of this array's draws; each call begins it anew.

        A draw for cells covers the whole array, whatever it holds.
        """
        chip = self.chip
        key = (chip.trial, self.layer, self.stream, self.array, self.refresh)
        return device_generator(chip.seed, *key)

    def of_chip(self) -> np.random.Generator:
        """Return the generator of draws that all arrays of the chip share."""
        return chip_generator(self.chip.seed, self.chip.trial, self.stream)


class Law(Protocol):
    """A change of conductances between a cell's level and its reading."""

    @property
    def step(self) -> Step:
        """Step of programming at which it acts."""

    @property
    def stream(self) -> int:
        """Number of its random stream, part of a result's identity: it never changes.

        Laws that may act together have different numbers. Numbers below 100 belong to
        `rxsim.seeds.Effect`.
        """

    def acts(self, device: Device) -> bool:
        """Tell whether it changes anything on these settings."""

    def change(self, g: np.ndarray, cells: Cells, draws: Draws) -> np.ndarray:
        """Return the conductances after this law.

        Args:
            g: conductances before, siemens, float64 (n_rows, n_cols); not to be written to.
            cells: what else is known of the cells.
            draws: where its random numbers come from.

        Returns:
            Siemens, of the same shape; the caller raises what is below 0 to 0.
        """


class MeasuredLaw(ABC, Generic[NumbersT]):
    """A law that a preset names at its step, with the numbers of its source; see `Law`.

    Its name is that of its file.

    Attributes:
        step: step of programming at which it acts.
        stream: number of its random stream.
        numbers: the numbers that a preset must state beside the law's name.
        formula: the law as its source writes it, one line.
    """

    step: Step
    stream: int
    numbers: type[NumbersT]
    formula: str

    def acts(self, device: Device) -> bool:
        """Tell whether the preset of these settings names it, and its step is not left out."""
        if self.step in device.without:
            return False
        choice = device.preset.laws.get(self.step)
        return choice is not None and choice.law == type(self).__module__.rpartition(".")[2]

    def numbers_of(self, preset: Preset, where: str = _IN_SETTINGS) -> NumbersT:
        """Return the numbers that a preset gives it.

        Args:
            preset: the preset.
            where: what messages call it.

        Raises:
            SettingError: a number is missing, unknown, or out of range.
        """
        choice = preset.laws[self.step]
        known = _CHECKED.get(id(choice))
        if known is not None and known[0] is choice and isinstance(known[1], self.numbers):
            return known[1]
        numbers = validated(self.numbers, choice.numbers, f"{where}: laws.{self.step}")
        if len(_CHECKED) >= _MOST_CHECKED:
            _CHECKED.clear()
        _CHECKED[id(choice)] = choice, numbers
        return numbers

    @abstractmethod
    def change(self, g: np.ndarray, cells: Cells, draws: Draws) -> np.ndarray:
        """Return the conductances after this law; see `Law.change`."""


LAWS: Folder[Law] = Folder("rxsim.devices.laws", "LAW")
"""All laws by name."""


def acting_laws(device: Device) -> list[Law]:
    """List the laws that act for given settings, in the order of their steps.

    Raises:
        SettingError: the preset names a law where it does not act.
    """
    laws = [law for law in _in_order() if law.acts(device)]
    if sum(isinstance(law, MeasuredLaw) for law in laws) < len(device.preset.laws):
        check_preset(device.preset)  # a law that does not act may be none of its step
    return laws


@cache
def _in_order() -> tuple[Law, ...]:
    """Return all laws in the order of their steps; within a step, in the order of their streams."""
    return tuple(sorted(LAWS.all().values(), key=lambda law: (STEPS.index(law.step), law.stream)))


def check_presets(settings: Settings) -> None:
    """Refuse presets whose laws can't be used: of the settings, and of single layers.

    Raises:
        SettingError: see `check_preset`.
    """
    layers = (layer.device.get("model") for layer in settings.layers.values())
    for preset in (settings.device.preset, *layers):
        if isinstance(preset, Preset):
            check_preset(preset)


def check_preset_files(paths: Iterable[Path]) -> None:
    """Refuse files of presets whose laws can't be used, each by its name.

    Settings hold what a file says, not where it lies: once they are read, its name is gone.

    Raises:
        InputError: a file can't be read, or see `check_preset`.
    """
    for path in paths:
        check_preset(read_preset_file(path), f"preset file {path}")


def check_preset(preset: Preset, where: str = _IN_SETTINGS) -> None:
    """Refuse a preset whose laws can't be used.

    Args:
        preset: the preset.
        where: what messages call it.

    Raises:
        SettingError: it names a law where it does not act, or gives it other numbers than it takes.
    """
    for step, choice in preset.laws.items():
        measured_law(step, choice.law, where).numbers_of(preset, where)


def measured_law(step: Step, name: str, where: str = _IN_SETTINGS) -> MeasuredLaw[Any]:
    """Return the law that a preset names at a step.

    Args:
        step: the step.
        name: of the law.
        where: what messages call the preset.

    Raises:
        SettingError: there is none of this name that a preset may name there.
    """
    laws = LAWS.all()
    law = laws.get(name)
    if not isinstance(law, MeasuredLaw) or law.step != step:
        known = [
            other
            for other, known_law in laws.items()
            if isinstance(known_law, MeasuredLaw) and known_law.step == step
        ]
        raise SettingError(
            f"{where}: laws.{step}: found law {in_yaml(name)}, expected "
            f"{' or '.join(known) or 'none, for there is no law at this step'}; correct it there"
        )
    return law

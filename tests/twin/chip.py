"""Programming: from target conductances to those of one chip, at the time of the read.

Source: docs/concepts/model.md, sections 4 and 12: target -> level -> write error -> variation -> drift
-> read noise; stuck cells override last; g is clamped at 0 after each step. Draws come from
``SeedSequence(seed, spawn_key=(trial, layer index, effect, array index))``, write errors of a cell that
was programmed anew for the n-th time from the key with n behind. Conventions:

- The effects are numbered write error 0, variation 1, stuck cells 2, DACs 3, ADCs 4, random pulses 5,
  drift 6, read noise 7, readings that verify 8, arrays' factors 9, chips' factors 10, planes 11, dead
  rows 13, dead columns 14.
- Each draws one number for every cell of the physical array, standard normal ones but for stuck cells:
  uniform ones, below stuck_lrs the cell is stuck at g_on, within the next stuck_hrs at g_off. Arrays
  draw one number, planes two (along rows first), dead lines a uniform one a line; the factor of a chip
  has the key (trial, 10, 0).
- Verified cells draw write errors and readings for the whole array at each attempt.
- Defects of a file override stuck cells, dead lines both. Cells that are left open stay so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from twin.arrays import Bools, Floats
from twin.presets import SIGNED, Noise, Preset, name_of, preset_of
from twin.settings import Settings, seconds

WRITE, VARIATION, STUCK, DAC, ADC, PULSES = range(6)
DRIFT, READ_NOISE, VERIFY, ARRAY, CHIP, PLANE = range(6, 12)
DEAD_ROWS, DEAD_COLS = 13, 14


def stream(seed: int, *key: int) -> np.random.Generator:
    """Return the generator of a spawn key."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))


class Array:
    """A physical array on its way from levels to readings.

    Attributes:
        g: Conductances in S, shape (n_rows, n_cols).
    """

    def __init__(
        self, levels: Floats, settings: Settings, trial: int, layer: tuple[int, str], number: int
    ) -> None:
        """Take the levels in S and what names the draws; see `programmed`."""
        self.g = self._levels = levels
        self._device: Mapping[str, Any] = settings["device"]
        self._span = self._device["g_on"] - self._device["g_off"]
        self._seed, self._trial, self._layer, self._number = settings["seed"], trial, layer, number
        self._preset: Preset = preset_of(self._device["model"])

    def _stream(self, effect: int, *more: int) -> np.random.Generator:
        return stream(self._seed, self._trial, self._layer[0], effect, self._number, *more)

    def _keeps(self, step: str) -> bool:
        return step not in self._device["without"]

    def _age(self) -> tuple[float, int]:
        """Return seconds since the last programming, and how often cells were programmed anew."""
        time, refresh = seconds(self._device["time"]), self._device["refresh"]
        if refresh is None:
            return time, 0
        times = int(time // seconds(refresh))
        return time - times * seconds(refresh), times

    def write(self) -> None:
        """Program every cell once, or until a reading is near enough."""
        number = self._age()[1]
        key = (number,) if number else ()
        writes, verify = self._stream(WRITE, *key), self._device["verify"]
        if verify is None:
            self.g = self._written(writes)
            return
        reads = self._stream(VERIFY, *key)
        levels, accepted = self._levels, np.zeros(self.g.shape, bool)
        nearest = np.full(self.g.shape, np.inf)
        for _ in range(verify.get("attempts", 10)):
            achieved, reading = self._written(writes), np.zeros(self.g.shape)
            if verify.get("read_sigma", 0):
                reading = verify["read_sigma"] * self._span * reads.standard_normal(self.g.shape)
            for cell in np.ndindex(self.g.shape):
                distance = abs(achieved[cell] + reading[cell] - levels[cell])
                if not accepted[cell] and distance < nearest[cell]:
                    self.g = self.g.copy()
                    self.g[cell], nearest[cell] = achieved[cell], distance
                accepted[cell] |= distance <= verify["tolerance"] * self._span

    def _written(self, rng: np.random.Generator) -> Floats:
        levels, device = self._levels, self._device
        measured = self._preset.sigma if self._keeps("write_error") else None
        if measured is None and not device["write_sigma"]:
            return levels
        if measured is not None:
            sigma = measured(levels)
        else:
            unit = (
                levels if device["write_unit"] == "relative" else np.full(levels.shape, self._span)
            )
            sigma = device["write_sigma"] * unit
        mean: Floats | float = 0.0
        if measured is not None and self._preset.mean is not None:
            mean = self._preset.mean(levels)
        return np.asarray(np.maximum(levels + mean + rng.standard_normal(levels.shape) * sigma, 0))

    def vary(self) -> None:
        """Multiply cells, the array and the chip by log-normal factors, and the array by a plane."""
        device, shape = self._device, self.g.shape
        log = device["d2d_sigma"] * self._stream(VARIATION).standard_normal(shape)
        log += device["array_sigma"] * self._stream(ARRAY).standard_normal()
        log += device["chip_sigma"] * stream(self._seed, self._trial, CHIP, 0).standard_normal()
        slopes = device["gradient"] * self._stream(PLANE).standard_normal(2)
        for slope, count, place in zip(slopes, shape, np.indices(shape), strict=True):
            log += slope * (place / (count - 1) - 0.5 if count > 1 else 0.0)
        self.g = self.g * np.exp(log)

    def age(self) -> None:
        """Let cells drift up to the read."""
        drift, time = self._preset.drift, self._age()[0]
        if drift is None or time <= 0 or not self._keeps("drift"):
            return
        z = self._stream(DRIFT).standard_normal(self.g.shape)
        nu = drift.mean(self._levels) + z * drift.sd(self._levels)
        if name_of(self._device["model"]) not in SIGNED:
            nu = np.abs(nu)
        self.g = self.g * ((time + drift.t0) / drift.t0) ** -nu

    def read(self, programmed: Floats) -> None:
        """Add the read noise that a chip draws once."""
        noise: Noise | None = self._preset.noise if self._keeps("read_noise") else None
        device, time = self._device, self._age()[0]
        if noise is not None:
            sigma, slow = (
                noise.sigma(self.g, programmed, time),
                noise.slow(time, device["run_time"]),
            )
        else:
            unit = self.g if device["read_unit"] == "relative" else (self.g > 0) * self._span
            sigma, slow = device["read_sigma"] * unit, 0.0
        share = 1.0 if device["read_noise"] == "frozen" else slow
        z = self._stream(READ_NOISE).standard_normal(self.g.shape)
        self.g = np.maximum(self.g + z * sigma * np.sqrt(share), 0)

    def break_cells(self) -> None:
        """Set the cells that are stuck, known to be, or on dead lines."""
        device, (rows, cols) = self._device, self.g.shape
        u = self._stream(STUCK).random((rows, cols))
        self.g = np.where(u < device["stuck_lrs"] + device["stuck_hrs"], device["g_off"], self.g)
        self.g = np.where(u < device["stuck_lrs"], device["g_on"], self.g)
        if device["faults"] is not None:
            self._break_known(device["faults"])
        row = self._stream(DEAD_ROWS).random(rows) < device["dead_rows"]
        col = self._stream(DEAD_COLS).random(cols) < device["dead_cols"]
        self.g = np.where(row[:, None] | col[None], 0.0, self.g)

    def _break_known(self, path: str) -> None:
        with np.load(path) as maps:
            name = self._layer[1] if self._layer[1] in maps.files else "*"
            if name not in maps.files:
                return
            given = maps[name]
        known = given if given.ndim == 2 else given[self._number]
        if known.dtype.kind == "f":
            self.g = np.where(known >= 0, known, self.g)
            return
        for code, g in ((1, self._device["g_on"]), (2, self._device["g_off"]), (3, 0.0)):
            self.g = np.where(known == code, g, self.g)


def programmed(
    levels: Floats,
    blank: Bools,
    settings: Settings,
    trial: int,
    layer: tuple[int, str],
    number: int,
) -> Floats:
    """Return what an array is read as on one chip, S.

    Args:
        levels: Its levels in S, shape (n_rows, n_cols), lines at their physical places.
        blank: Where it is open, likewise.
        settings: The layer's settings.
        trial: Number of the chip.
        layer: Index and name of the layer.
        number: Number of the array in its layer.
    """
    array = Array(levels, settings, trial, layer, number)
    array.write()
    array.vary()
    after = array.g
    array.age()
    array.read(after)
    array.break_cells()
    return np.where(blank, 0.0, array.g)

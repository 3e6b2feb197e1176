"""Circuits for tests: random arrays with every kind of trouble, and what the oracles make of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from oracles import sparse
from oracles.ends import Ends, placed

from rxsim.config import Crossbar

DRIVE_SIDES = ("left", "right", "alternate")
SENSE_SIDES = ("bottom", "top", "alternate")


@dataclass(frozen=True)
class Circuit:
    """Conductances of an array and the crossbar around it."""

    g: np.ndarray
    bar: Crossbar

    @property
    def cells(self) -> np.ndarray:
        """The conductances with the access resistance in series, computed without the package."""
        if self.bar.r_access == 0:
            return self.g
        with np.errstate(divide="ignore"):
            return np.where(self.g > 0, 1 / (1 / self.g + self.bar.r_access), 0.0)

    @property
    def wires(self) -> tuple[float, float]:
        return self.bar.r_wire_wl, self.bar.r_wire_bl

    @property
    def ends(self) -> Ends:
        bar = self.bar
        return placed(
            self.g.shape,
            bar.r_driver,
            bar.r_sense,
            bar.drive_side,
            bar.sense_side,
            bar.r_driver_far,
            bar.r_sense_far,
        )

    def changed(self, **resistances: object) -> Circuit:
        return Circuit(self.g, self.bar.model_copy(update=resistances))

    def reference(self, rows: np.ndarray | None = None) -> np.ndarray:
        """g_eff of the wanted wordlines (all by default), by the refined sparse oracle."""
        return sparse.g_eff(self.cells, *self.wires, ends=self.ends, rows=rows)

    def reference_columns(self, cols: np.ndarray) -> np.ndarray:
        """g_eff of the wanted bitlines: reciprocity, the oracle drives them in the turned array."""
        turned = self.ends.transposed()
        return sparse.g_eff(self.cells.T, *self.wires[::-1], ends=turned, rows=cols).T

    def __str__(self) -> str:
        set_by_hand = self.bar.model_dump(exclude={"rows", "cols"})
        return f"{self.g.shape[0]}x{self.g.shape[1]} {set_by_hand}"


def random_ohm(rng: np.random.Generator, low: float = 1e-3, high: float = 1e3) -> float:
    """Draw a resistance log-uniformly; a fifth of them are exactly 0."""
    return 0.0 if rng.random() < 0.2 else float(10 ** rng.uniform(np.log10(low), np.log10(high)))


def random_conductances(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Draw devices of one of six kinds, some of them open, and open lines now and then."""
    kind = rng.integers(6)
    if kind == 0:
        g = 10 ** rng.uniform(-8, -3, shape)
    elif kind == 1:
        g = np.where(rng.random(shape) < rng.uniform(0.02, 0.98), 1e-3, 1e-10)  # on/off 1e7
    elif kind == 2:
        g = np.full(shape, 1e-3)  # all on at 1 kohm
    elif kind == 3:
        g = rng.uniform(1 / 1.4e6, 1 / 200e3, shape)
    elif kind == 4:
        g = 10 ** rng.uniform(-10, -3, (shape[0], 1)) * rng.uniform(0.1, 1, shape)  # unequal rows
    else:
        g = rng.uniform(1e-5, 1e-4, shape)
    g[rng.random(shape) < rng.choice([0, 0, 0.15, 0.9])] = 0.0
    if rng.random() < 0.2:
        g[rng.random(shape[0]) < 0.2, :] = 0.0
    if rng.random() < 0.2:
        g[:, rng.random(shape[1]) < 0.2] = 0.0
    return g


def random_ends(rng: np.random.Generator) -> dict[str, object]:
    """Draw sides and far ends; half of the far ends are open, as they are by default."""
    driver_far, sense_far = (None if rng.random() < 0.5 else random_ohm(rng) for _ in range(2))
    return {
        "drive_side": str(rng.choice(DRIVE_SIDES)),
        "sense_side": str(rng.choice(SENSE_SIDES)),
        "r_driver_far": driver_far,
        "r_sense_far": sense_far,
    }


def random_circuit(seed: int, shape: tuple[int, int]) -> Circuit:
    """Draw an array with unequal resistances of 0 or 1 mohm .. 1 kohm, and any line ends."""
    rng = np.random.default_rng([seed, *shape])
    names = ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense")
    ohms = {name: random_ohm(rng) for name in names}
    ohms["r_access"] = 0.0 if rng.random() < 0.7 else float(10 ** rng.uniform(0, 4))
    return Circuit(random_conductances(rng, shape), Crossbar(**ohms, **random_ends(rng)))


def random_shape(rng: np.random.Generator, largest: int) -> tuple[int, int]:
    """Draw numbers of wordlines and bitlines log-uniformly from 1 to the largest."""
    return tuple(int(v) for v in np.exp(rng.uniform(0, np.log(largest + 1), 2)))  # type: ignore

"""From which value of the user's file does a weight of the normalised graph come, and times what?

The loader transposes, splits, joins and scales the file's tensors in many places. All of it is linear
and takes every weight from a single value of the file: w = factor u + constant. Probes measure this
from outside: the file's values are replaced by ones, which shows the factors, then by 1 + d / base with
the digits d of each value's number, which shows the numbers. What the values were predicts the weights
as they are; only where this holds is a map believed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

# Assumption: a digit is believed when it is off a whole number by less than this.
_OFF = 0.25
# Assumption: the loader rounds a value a few times (folding, constant folding by onnxruntime).
_ROUNDINGS = 8


@dataclass(frozen=True, slots=True)
class Rounding:
    """What a float type can't tell apart.

    Attributes:
        epsilon: relative step of its numbers.
        least: its smallest number above 0.
    """

    epsilon: float
    least: float

    @classmethod
    def to(cls, *types: np.dtype) -> Rounding:
        """Return the rounding of numbers that pass through all these types."""
        limits = [_BFLOAT16 if kind.kind != "f" else _limits(kind) for kind in types]
        return cls(max(limit[0] for limit in limits), max(limit[1] for limit in limits))


# Source: bfloat16 has 8 significant bits, exponents down to -126.
_BFLOAT16 = (2.0**-7, 2.0**-133)


def _limits(kind: np.dtype) -> tuple[float, float]:
    limits = np.finfo(kind)
    return float(limits.eps), float(limits.smallest_subnormal)


@dataclass(frozen=True, slots=True, eq=False)
class Elements:
    """The values of several tensors, numbered through.

    Attributes:
        keys: the tensors.
        starts: int64 (tensors + 1,): number of each tensor's first value; the last is how many.
    """

    keys: tuple[str, ...]
    starts: np.ndarray

    @classmethod
    def of(cls, sizes: Mapping[str, int]) -> Elements:
        """Number the values of tensors of given sizes."""
        return cls(tuple(sizes), np.cumsum([0, *sizes.values()], dtype=np.int64))

    @property
    def count(self) -> int:
        """How many values there are."""
        return int(self.starts[-1])

    def numbers(self, key: str) -> np.ndarray:
        """Return the numbers of a tensor's values, int64 (size,)."""
        place = self.keys.index(key)
        return np.arange(self.starts[place], self.starts[place + 1])

    def keys_of(self, numbers: np.ndarray) -> tuple[str, ...]:
        """Return the tensors that hold some values."""
        places = np.unique(np.searchsorted(self.starts, numbers[numbers >= 0], side="right") - 1)
        return tuple(self.keys[place] for place in places)

    def joined(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return all values behind each other, float64 (count,)."""
        parts = [np.asarray(values[key]).astype(np.float64).reshape(-1) for key in self.keys]
        return np.concatenate([np.zeros(0), *parts])

    def parts(self, values: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
        """Yield each tensor's part of something that was joined."""
        for place, key in enumerate(self.keys):
            yield key, values[self.starts[place] : self.starts[place + 1]]


@dataclass(frozen=True, slots=True, eq=False)
class Map:
    """w = factor u[numbers] + constant for each entry of a constant of the normalised graph.

    Attributes:
        numbers: int64, of the constant's shape; -1 where it depends on no value of the file.
        factor: float64.
        constant: float64.
    """

    numbers: np.ndarray
    factor: np.ndarray
    constant: np.ndarray

    @property
    def fixed(self) -> np.ndarray:
        """Which entries depend on no value of the file, boolean."""
        return self.numbers < 0

    def predicted(self, values: np.ndarray) -> np.ndarray:
        """Return the constant for given values, float64."""
        taken = np.where(self.fixed, 0.0, values[np.maximum(self.numbers, 0)])
        return np.asarray(self.factor * taken + self.constant)

    def doubt(self, values: np.ndarray, rounding: Rounding) -> np.ndarray:
        """Return by how much the map may be wrong at given values: probes are rounded too, float64."""
        taken = np.where(self.fixed, 0.0, values[np.maximum(self.numbers, 0)])
        sizes = np.abs(self.factor) + np.abs(self.constant)
        exact = self.constant == 0  # the factor is then the first probe itself
        size = np.where(exact, np.abs(self.factor * taken), sizes * (1 + np.abs(taken)))
        step = rounding.least * (1 + np.abs(taken))
        return np.asarray(_ROUNDINGS * (rounding.epsilon * size + step))

    def slack(self, values: np.ndarray, rounding: Rounding) -> np.ndarray:
        """Return by how much roundings may change the constant, float64."""
        taken = np.where(self.fixed, 0.0, values[np.maximum(self.numbers, 0)])
        size = np.abs(self.factor * taken) + np.abs(self.constant)
        step = rounding.least * (1 + np.abs(self.factor))
        return np.asarray(_ROUNDINGS * (rounding.epsilon * size + step))


Constants = Mapping[str, np.ndarray]
"""Constants of a normalised graph by name."""
Load = Callable[[np.ndarray], Constants]
"""Loads the file with other values, float64 (count,); returns the constants of the normalised graph."""


def measured(count: int, load: Load, base: int, shifted: bool) -> Measured:
    """Measure from which values constants come.

    Args:
        count: how many values of the file are changed.
        load: loads the file with other values.
        base: of the digits; a power of two that the values' type resolves many times.
        shifted: whether something may be added to the values on their way.
    """
    if not count:
        return Measured({}, frozenset())
    ones, twos = load(np.ones(count)), load(np.full(count, 2.0))
    changed = frozenset(
        name for name in ones.keys() & twos.keys() if not np.array_equal(ones[name], twos[name])
    )
    same = {name for name in changed if ones[name].shape == twos[name].shape}
    readings = {name: _Reading.of(ones[name], twos[name], shifted) for name in same}
    del ones, twos
    weight = 1
    while weight <= count:
        seen = load(1 + (np.arange(1, count + 1) // weight) % base / base)
        for name in list(readings):
            if name not in seen or not readings[name].take(seen[name], base, weight):
                del readings[name]
        weight *= base
    maps = {name: reading.map(count) for name, reading in readings.items()}
    return Measured({name: held for name, held in maps.items() if held is not None}, changed)


@dataclass(frozen=True, slots=True)
class Measured:
    """What probes tell.

    Attributes:
        maps: constant -> where it comes from; those left out that no map of this form describes.
        changed: constants that depend on the values, with a map or without.
    """

    maps: dict[str, Map]
    changed: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class _Reading:
    """What is known of a constant so far.

    Attributes:
        first: the constant where all values are 1, float64.
        factor: by how much it grows with its value, float64.
        numbers: numbers of the values by the digits seen, counted from 1, int64.
    """

    first: np.ndarray
    factor: np.ndarray
    numbers: np.ndarray

    @classmethod
    def of(cls, ones: np.ndarray, twos: np.ndarray, shifted: bool) -> _Reading:
        first = ones.astype(np.float64)
        factor = twos - first
        if not shifted:  # the difference of two rounded numbers is less exact
            factor = np.where(factor != 0, first, 0.0)
        return cls(first, factor, np.zeros(first.shape, dtype=np.int64))

    def take(self, seen: np.ndarray, base: int, weight: int) -> bool:
        """Take another digit; tell whether it is one everywhere."""
        if seen.shape != self.first.shape:
            return False
        moved = self.factor != 0
        with np.errstate(all="ignore"):
            digits = np.where(moved, (seen - self.first) / self.factor * base, 0.0)
        nearest = np.rint(digits)
        if not ((np.abs(digits - nearest) < _OFF) & (nearest >= 0) & (nearest < base)).all():
            return False
        self.numbers[...] += weight * nearest.astype(np.int64)
        return True

    def map(self, count: int) -> Map | None:
        """Return the map; None where a number is that of no value."""
        moved = self.factor != 0
        if (moved & ((self.numbers < 1) | (self.numbers > count))).any():
            return None
        return Map(np.where(moved, self.numbers - 1, -1), self.factor, self.first - self.factor)

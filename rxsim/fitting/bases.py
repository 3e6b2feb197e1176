"""Forms that a curve over the conductance may take; each is linear in its coefficients.

Polynomials in x = G / scale, and points that are joined by straight lines: their coefficients are the
values at the points, so that one likelihood serves both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np


class Basis(Protocol):
    """A family of curves."""

    @property
    def size(self) -> int:
        """Number of coefficients."""

    @property
    def name(self) -> str:
        """What it is called in reports."""

    def at(self, x: np.ndarray) -> np.ndarray:
        """Return the factors of the coefficients, (len(x), size), for relative conductances (n,)."""


@dataclass(frozen=True, slots=True)
class NoCurve:
    """The curve that is 0 everywhere."""

    size: int = 0
    name: str = "none"

    def at(self, x: np.ndarray) -> np.ndarray:
        """Return no factors."""
        return np.zeros((len(x), 0))


@dataclass(frozen=True, slots=True)
class Polynomial:
    """Powers of x, the constant first."""

    degree: int

    @property
    def size(self) -> int:
        """Number of coefficients."""
        return self.degree + 1

    @property
    def name(self) -> str:
        """Its degree in words."""
        return f"polynomial of degree {self.degree}" if self.degree else "constant"

    def at(self, x: np.ndarray) -> np.ndarray:
        """Return the powers."""
        return np.vander(x, self.size, increasing=True)


@dataclass(frozen=True, slots=True)
class Slope:
    """A line through 0."""

    size: int = 1
    name: str = "line through 0"

    def at(self, x: np.ndarray) -> np.ndarray:
        """Return x itself."""
        return x[:, None]


@dataclass(frozen=True, slots=True)
class Logarithm:
    """ln x and a constant, in this order; x is above 0."""

    size: int = 2
    name: str = "logarithm"

    def at(self, x: np.ndarray) -> np.ndarray:
        """Return ln x and 1."""
        return np.stack([np.log(x), np.ones_like(x)], axis=1)


@dataclass(frozen=True, slots=True)
class Points:
    """Values at rising x, linear between them and level beyond the ends."""

    x: tuple[float, ...]

    @property
    def size(self) -> int:
        """Number of coefficients."""
        return len(self.x)

    @property
    def name(self) -> str:
        """Their number in words."""
        return f"table of {self.size} points"

    def at(self, x: np.ndarray) -> np.ndarray:
        """Return each point's share of the value."""
        points = np.asarray(self.x)
        inside = np.clip(x, points[0], points[-1])
        left = np.clip(np.searchsorted(points, inside, side="right") - 1, 0, self.size - 2)
        share = (inside - points[left]) / (points[left + 1] - points[left])
        factors = np.zeros((len(x), self.size))
        rows = np.arange(len(x))
        factors[rows, left] = 1 - share
        factors[rows, left + 1] += share
        return factors

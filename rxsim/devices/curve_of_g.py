"""A function of a relative conductance as data: pieces, each a formula that publications print.

x = G / scale. A curve is a list of pieces; each holds for x below its `upto` and not below that of the
piece before, the last piece for all x above. In a preset:

    nu_mean:
      - {upto: 0.0945, logarithm: [-0.0387, -0.0182], low: 0.072, high: 0.13}
      - {polynomial: [0.0736, -0.0126, -0.0436]}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Self

import numpy as np
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from rxsim.schema import Number, Section, in_yaml

_KINDS = ("polynomial", "logarithm", "power", "y")


class Piece(Section):
    """A formula, and where it holds."""

    upto: Number | None = Field(
        None, description="holds for x below; null: for all above the others"
    )
    polynomial: tuple[Number, ...] | None = Field(None, description="c0 + c1 x + c2 x^2 + ..")
    logarithm: tuple[Number, Number] | None = Field(None, description="[a, b]: a ln x + b")
    power: tuple[Number, Number] | None = Field(None, description="[a, b]: a x^b")
    x: tuple[Number, ...] | None = Field(None, description="rising points of x")
    y: tuple[Number, ...] | None = Field(None, description="values there, linear between them")
    low: Number | None = Field(None, description="smaller values are raised to it")
    high: Number | None = Field(None, description="larger values are lowered to it")

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = [name for name in _KINDS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"found {' and '.join(given) or 'no formula'}, expected one of polynomial, logarithm, "
                "power, or x and y"
            )
        if self.polynomial == ():
            raise ValueError("found polynomial [], expected a coefficient at least")
        if (self.x is None) != (self.y is None) or len(self.x or ()) != len(self.y or ()):
            raise ValueError("found x and y of different lengths, expected as many y as x")
        if self.x is not None and any(b <= a for a, b in pairwise(self.x)):
            raise ValueError("found x that does not rise from point to point; sort it")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"found low {self.low:g} above high {self.high:g}; exchange them")
        return self

    def at(self, x: np.ndarray) -> np.ndarray:
        """Return the values at relative conductances, of x's shape."""
        with np.errstate(divide="ignore"):
            values = self._formula(x)
        if self.low is not None or self.high is not None:
            values = np.clip(values, self.low, self.high)
        return values

    def _formula(self, x: np.ndarray) -> np.ndarray:
        if self.polynomial is not None:
            return np.asarray(np.polynomial.polynomial.polyval(x, self.polynomial))
        if self.logarithm is not None:
            slope, constant = self.logarithm
            return np.asarray(slope * np.log(x) + constant)
        if self.power is not None:
            factor, exponent = self.power
            return np.asarray(factor * np.exp(exponent * np.log(x)))  # a third of power's time
        return np.asarray(np.interp(x, self.x or (), self.y or ()))

    def __str__(self) -> str:
        """Write the formula."""
        if self.polynomial is not None:
            text = _sum_of(self.polynomial)
        elif self.logarithm is not None:
            slope, constant = self.logarithm
            text = f"{slope:.10g} ln x {constant:+.10g}"
        elif self.power is not None:
            text = f"{self.power[0]:.10g} x^{self.power[1]:.10g}"
        else:
            pairs = zip(self.x or (), self.y or (), strict=True)
            text = "linear through " + ", ".join(f"({x:.10g}, {y:.10g})" for x, y in pairs)
        text += "" if self.low is None else f", at least {self.low:.10g}"
        text += "" if self.high is None else f", at most {self.high:.10g}"
        return text if self.upto is None else f"{text} for x < {self.upto:.10g}"


def _sum_of(coefficients: Sequence[float]) -> str:
    powers = ["", " x", *(f" x^{k}" for k in range(2, len(coefficients)))]
    terms = [f"{c:+.10g}{power}" for c, power in zip(coefficients, powers, strict=False)]
    return " ".join(terms).removeprefix("+")


def _rising(pieces: tuple[Piece, ...]) -> tuple[Piece, ...]:
    ends = [piece.upto for piece in pieces]
    if ends[-1] is not None:
        raise ValueError(f"found upto {ends[-1]:g} in the last piece, expected none: leave it out")
    inner = [end for end in ends[:-1] if end is not None]
    if len(inner) < len(ends) - 1 or any(b <= a for a, b in pairwise(inner)):
        raise ValueError("found pieces without rising upto, expected it in all but the last")
    return pieces


def _pieces(given: object) -> object:
    """Refuse what is no list of pieces, a number above all."""
    parts = given if isinstance(given, list | tuple) else (given,)
    wrong = next((part for part in parts if not isinstance(part, Mapping | Piece)), None)
    if parts is given and wrong is None:
        return given
    value = given if wrong is None else wrong
    number = isinstance(value, int | float) and not isinstance(value, bool)
    same = f"; {value:g} everywhere is [{{polynomial: [{value:g}]}}]" if number else ""
    raise ValueError(
        f"found {in_yaml(value)}, expected a list of pieces, such as [{{polynomial: [1, 2]}}] for "
        f"1 + 2 x{same}"
    )


Curve = Annotated[
    tuple[Piece, ...], Field(min_length=1), AfterValidator(_rising), BeforeValidator(_pieces)
]
"""A curve as a preset gives it."""


def curve_at(curve: Sequence[Piece], x: np.ndarray) -> np.ndarray:
    """Return the values of a curve.

    Args:
        curve: its pieces.
        x: relative conductances, any shape.

    Returns:
        float64, of x's shape.
    """
    values = curve[-1].at(x)
    for piece in reversed(curve[:-1]):
        values = np.where(x < piece.upto, piece.at(x), values)
    return values

"""The goal of a search: a bound on what a network loses, or on a metric."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from rxsim.errors import InputError
from rxsim.metrics import Metric, all_metrics

DROP = "accuracy_drop"
"""Accuracy of the float network less the accuracy on crossbars, a share."""
_ROUNDING = 1e-9  # far below one image in any number of images: 1 - 0.99 is above 0.01 in binary
_FORM = re.compile(r"\s*([A-Za-z_0-9]+)\s*(<=|>=|<|>|==|=)\s*(.*?)\s*")


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound that a point has to keep.

    Attributes:
        quantity: `accuracy_drop`, or the name of a metric.
        limit: the bound; it may be reached.
        at_most: whether it is an upper bound.
    """

    quantity: str
    limit: float
    at_most: bool

    @property
    def text(self) -> str:
        """The goal as the command line takes it."""
        return f"{self.quantity}{'<=' if self.at_most else '>='}{self.limit:g}"

    @property
    def metric(self) -> str:
        """Name of the metric that has to be measured."""
        return "accuracy" if self.quantity == DROP else self.quantity

    @property
    def described(self) -> Metric:
        """That metric."""
        return all_metrics()[self.metric]

    def shortfall(self, value: float) -> float:
        """Return how far a value is on the wrong side of the bound; 0 or below: on the right one."""
        return value - self.limit if self.at_most else self.limit - value

    def keeps(self, value: float) -> bool:
        """Tell whether a value is on the right side of the bound, or on it but for rounding."""
        return self.shortfall(value) <= self._rounding

    def distance(self, value: float) -> float:
        """Return how far a value is from the bound; 0 where it is there but for rounding."""
        away = abs(self.shortfall(value))
        return away if away > self._rounding else 0.0

    @property
    def _rounding(self) -> float:
        """What rounding may make of a difference: absolute for shares of images, else relative."""
        is_share = self.quantity == DROP or self.described.high == 1
        return _ROUNDING * (1.0 if is_share else abs(self.limit))


def read_goal(text: str) -> Goal:
    """Read a goal such as accuracy_drop<=0.01; a percent sign divides by 100.

    Raises:
        InputError: the quantity is unknown, the bound is no number or impossible, or it bounds the
            quantity on its good side.
    """
    match = _FORM.fullmatch(text)
    known = ", ".join((DROP, *all_metrics()))
    if match is None:
        raise InputError(
            f"--goal: found {text!r}, expected a bound such as '{DROP}<=0.01' or 'agreement>=0.99' "
            f"(in quotes) on one of {known}"
        )
    quantity, sign, bound = match.groups()
    if quantity != DROP and quantity not in all_metrics():
        raise InputError(f"--goal: found {quantity!r}, expected one of {known}; choose one of them")
    at_most = quantity == DROP or not all_metrics()[quantity].higher_is_better
    wanted = "<=" if at_most else ">="
    if sign != wanted:
        good = "smaller" if at_most else "larger"
        raise InputError(
            f"--goal: found {quantity}{sign}{bound}, expected {quantity}{wanted}{bound or 'X'}: a "
            f"{good} {quantity} is better; write it with {wanted}"
        )
    limit = _number(bound, quantity, wanted)
    low, high = (0.0, 1.0) if quantity == DROP else _range(quantity)
    if not low <= limit <= high:
        raise InputError(
            f"--goal: found {quantity}{sign}{bound}, expected a bound from {low:g} to {high:g}"
            + (" (a share: 0.01 or 1% is one point)" if high == 1 else "")
            + "; correct it"
        )
    return Goal(quantity, limit, at_most)


def _number(text: str, quantity: str, sign: str) -> float:
    is_percent = quantity == DROP or all_metrics()[quantity].unit == "%"
    if text.endswith("%") and not is_percent:
        raise InputError(
            f"--goal: found the bound {text!r}, expected a plain number: {quantity} is no share; give "
            f"one such as {quantity}{sign}{text[:-1].strip() or '0.01'}"
        )
    number, factor = (text[:-1], 0.01) if text.endswith("%") else (text, 1.0)
    try:
        value = float(number) * factor
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(
            f"--goal: found the bound {text!r}, expected a number such as {quantity}{sign}0.01; give "
            "one"
        )
    return value


def _range(quantity: str) -> tuple[float, float]:
    metric = all_metrics()[quantity]
    return metric.low, metric.high

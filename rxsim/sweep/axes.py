"""The axes of a sweep: the values that settings take."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from pydantic import Field, model_validator

from rxsim.errors import SettingError
from rxsim.schema import Integer, Number, Section, in_yaml, validated

_DIGITS = 12  # a tenth is 0.1 in a table, not 0.09999999999999999
_MOST_VALUES = 100_000

Scalar = bool | int | float | str | None


class Spread(Section):
    """Values given by their ends: exactly one of the first five keys."""

    range: list[Integer] | None = Field(
        None, min_length=2, max_length=3, description="whole numbers: first, last (, step)"
    )
    linspace: list[Number] | None = Field(
        None, min_length=2, max_length=2, description="first, last: evenly spaced, with count"
    )
    logspace: list[Number] | None = Field(
        None, min_length=2, max_length=2, description="first, last: equal factors, with count"
    )
    uniform: list[Number] | None = Field(
        None, min_length=2, max_length=2, description="low, high: random and sobol designs"
    )
    loguniform: list[Number] | None = Field(
        None, min_length=2, max_length=2, description="low, high, in decades: the same"
    )
    count: Integer | None = Field(None, ge=1, le=_MOST_VALUES, description="values")

    @model_validator(mode="after")
    def _check(self) -> Self:
        kinds = [name for name in _KINDS if getattr(self, name) is not None]
        if len(kinds) != 1:
            raise ValueError(
                f"found {', '.join(kinds) or 'none'} of {', '.join(_KINDS)}, expected exactly one"
            )
        if (self.count is None) == (kinds[0] in ("linspace", "logspace")):
            raise ValueError("found linspace or logspace without count, or count with another")
        ends = getattr(self, kinds[0])
        if kinds[0].startswith("log") and min(ends) <= 0:
            raise ValueError(f"{kinds[0]}: found {ends}, expected ends above 0")
        if self.is_drawn and not ends[0] < ends[1]:
            raise ValueError(f"{kinds[0]}: found {ends}, expected a low end and a higher one")
        if kinds[0] == "range":
            self._check_range(ends)
        return self

    @staticmethod
    def _check_range(ends: list[int]) -> None:
        step = ends[2] if len(ends) == 3 else 1
        if step == 0 or (ends[1] - ends[0]) * step < 0:
            raise ValueError(f"range: found {ends}, expected a step from the first to the last")
        if (ends[1] - ends[0]) // step >= _MOST_VALUES:
            raise ValueError(f"range: found {ends}, expected at most {_MOST_VALUES} values")

    @property
    def is_drawn(self) -> bool:
        """Whether values are drawn and not listed."""
        return self.uniform is not None or self.loguniform is not None

    def listed(self) -> list[Scalar]:
        """List the values of an axis that is not drawn."""
        if self.range is not None:
            first, last, step = [*self.range, 1][:3]
            return list(range(first, last + (1 if step > 0 else -1), step))
        if self.linspace is not None:
            first_value, last_value = self.linspace
            return [_rounded(v) for v in np.linspace(first_value, last_value, self.count or 1)]
        assert self.logspace is not None
        first_value, last_value = self.logspace
        return [_rounded(v) for v in np.geomspace(first_value, last_value, self.count or 1)]

    def drawn(self, u: float) -> float:
        """Return the value at a place u in [0, 1) of an axis that is drawn."""
        if self.loguniform is not None:
            low, high = self.loguniform
            return _rounded(low * (high / low) ** u)
        assert self.uniform is not None
        low, high = self.uniform
        return _rounded(low + u * (high - low))


_KINDS = ("range", "linspace", "logspace", "uniform", "loguniform")


class Axis:
    """An axis of a sweep: the settings that it changes, and their values.

    Attributes:
        names: dotted names of settings; several change together.
        values: listed values (each for all names, or a list with a value per name), or a spread.
    """

    def __init__(self, key: str, given: Any) -> None:
        """Read an axis.

        Args:
            key: a dotted name, or several with commas between them.
            given: a list of values, or a mapping for `Spread`.

        Raises:
            SettingError: it is neither.
        """
        self.names = tuple(part.strip() for part in key.split(","))
        where = f"axes.{key}"
        if not all(self.names) or len(set(self.names)) < len(self.names):
            raise SettingError(
                f"{where}: found the name {in_yaml(key)}, expected dotted names of settings, each "
                "once, with commas between them"
            )
        self.values: list[Any] | Spread
        if isinstance(given, dict):
            self.values = validated(Spread, given, where)
            if not self.values.is_drawn:
                self.values = list(self.values.listed())
        elif isinstance(given, list) and given:
            self.values = given
        else:
            raise SettingError(
                f"{where}: found {in_yaml(given)}, expected a list of values, or one of "
                f"{', '.join(_KINDS)}"
            )
        if isinstance(self.values, list):
            for value in self.values:
                self._check(value, where)

    def _check(self, value: Any, where: str) -> None:
        parts = value if isinstance(value, list) else [value]
        wrong = isinstance(value, list) and len(value) != len(self.names)
        if wrong or not all(part is None or isinstance(part, str | int | float) for part in parts):
            if self.names == ("compensate",):
                raise SettingError(
                    f"{where}: found the value {in_yaml(value)}, expected names of steps as one text "
                    "with commas between them, such as 'order,ranges', or none; steps with options go "
                    "to settings files (configs)"
                )
            raise SettingError(
                f"{where}: found the value {in_yaml(value)}, expected a number, a word or null"
                + (f", or a list of {len(self.names)}" if len(self.names) > 1 else "")
            )

    @property
    def is_drawn(self) -> bool:
        """Whether values are drawn and not listed."""
        return isinstance(self.values, Spread)

    def listed(self) -> list[dict[str, Any]]:
        """List the settings of every value of the axis, by dotted name."""
        assert isinstance(self.values, list)
        return [self._assigned(value) for value in self.values]

    def drawn(self, u: float) -> dict[str, Any]:
        """Return the settings of the axis at a place u in [0, 1), by dotted name."""
        if isinstance(self.values, Spread):
            return self._assigned(self.values.drawn(u))
        return self._assigned(_chosen(self.values, u))

    def _assigned(self, value: Any) -> dict[str, Any]:
        values = value if isinstance(value, list) else [value] * len(self.names)
        return dict(zip(self.names, values, strict=True))


def _chosen(values: list[Any], u: float) -> Any:
    return values[min(int(u * len(values)), len(values) - 1)]


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")

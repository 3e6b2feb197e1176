"""How a cell's current depends on its voltage, as settings say it."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Self

from pydantic import Field, model_validator

from rxsim.counted import counted
from rxsim.schema import ChoiceIn, NotNegative, Number, Positive, Section

_CURVES: dict[str, tuple[str, ...]] = {
    "linear": (),
    "sinh": ("v0",),
    "cubic": ("cubic",),
    "table": ("v", "f"),
    "milo": (),
}
"""Keys that each form takes; a form that is not listed checks its keys itself."""
_OPTIONAL = ("cubic",)


class IV(Section):
    """How a cell's current depends on its voltage; `rxsim.devices.iv` computes it."""

    form: Annotated[str, ChoiceIn("rxsim.devices.iv")] = Field(
        "linear",
        description="linear; sinh: v0 sinh(v/v0); cubic: v - cubic v^3; table; milo (RRAM)",
    )
    v0: Positive | None = Field(None, description="volt; scale of the sinh (form: sinh)")
    cubic: NotNegative | None = Field(
        None, description="1/volt^2; loss of conductance with v^2 (form: cubic; default 0.25)"
    )
    v: tuple[Number, ...] | None = Field(None, description="volt; points of a table, rising")
    f: tuple[Number, ...] | None = Field(
        None, description="volt; relative current at these points, rising (form: table)"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        every = ("v0", "cubic", "v", "f")
        taken = _CURVES.get(self.form, every)
        for name in every if self.form in _CURVES else ():
            given = getattr(self, name) is not None
            if given and name not in taken:
                raise ValueError(f"found {name} with form: {self.form}, which has none; remove it")
            if not given and name in taken and name not in _OPTIONAL:
                raise ValueError(f"found form: {self.form} without {name}; add it")
        if self.v is not None and self.f is not None:
            self._check_table(self.v, self.f)
        return self

    @staticmethod
    def _check_table(v: tuple[float, ...], f: tuple[float, ...]) -> None:
        if len(v) != len(f) or len(v) < 2:
            raise ValueError(
                f"found {counted(len(v), 'point')} v and {len(f)} f, expected as many, two at least"
            )
        for name, points in (("v", v), ("f", f)):
            if any(b <= a for a, b in pairwise(points)):
                raise ValueError(
                    f"found {name} that does not rise from point to point; sort or mend it"
                )
        for volt, value in zip(v, f, strict=True):
            if (volt > 0) != (value > 0) or (volt < 0) != (value < 0):
                raise ValueError(
                    f"found f {value:g} at v {volt:g}, expected the sign of v, and 0 at 0; mend the "
                    "table"
                )

"""The current-voltage curve of a memory cell: settings only; `rxsim.devices.iv` computes it."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, Self

from pydantic import Field, model_validator

from rxsim.schema import NotNegative, Number, Positive, Section


class IV(Section):
    """How a cell's current depends on its voltage."""

    form: Literal["linear", "sinh", "cubic", "table", "milo"] = Field(
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
        needs = {"sinh": ("v0",), "table": ("v", "f")}.get(self.form, ())
        may = {"sinh": ("v0",), "table": ("v", "f"), "cubic": ("cubic",)}.get(self.form, ())
        for name in ("v0", "cubic", "v", "f"):
            found = getattr(self, name) is not None
            if found and name not in may:
                raise ValueError(f"found {name} with form: {self.form}, which has none; remove it")
            if not found and name in needs:
                raise ValueError(f"found form: {self.form} without {name}; add it")
        if self.v is not None and self.f is not None:
            self._check_table(self.v, self.f)
        return self

    @staticmethod
    def _check_table(v: tuple[float, ...], f: tuple[float, ...]) -> None:
        if len(v) != len(f) or len(v) < 2:
            raise ValueError(
                f"found {len(v)} points v and {len(f)} f, expected as many, two at least"
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

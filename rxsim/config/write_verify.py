"""Program and verify, as settings say it: a cell is written, read, and written again."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rxsim.schema import AtMost, Integer, Relative, Section

_OF_RANGE = "it is a share of g_on - g_off; five percent is 0.05 or 5%"


class WriteVerify(Section):
    """A cell is written until a reading of it is near enough to its level.

    Source: docs/concepts/model.md section 12.
    """

    tolerance: Annotated[Relative, AtMost(1, _OF_RANGE)] = Field(
        ge=0, description="accepted: |reading - level|, as a share of g_on - g_off"
    )
    attempts: Integer = Field(10, ge=1, le=1000, description="writes of a cell at most")
    read_sigma: Annotated[Relative, AtMost(1, _OF_RANGE)] = Field(
        0.0, ge=0, description="deviation of a verifying reading, as a share of g_on - g_off"
    )

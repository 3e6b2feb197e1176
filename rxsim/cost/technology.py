"""A technology as data: components with their numbers, and the hierarchy that they build.

Numbers stand as their source prints them, in SI units but areas (mm2) and nodes (nm). Every entry
says where they are from and how sure they are: P printed in the source, D derived from printed
numbers, R reconstructed (read second-hand, but part of a total that a source prints).
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, model_validator

from rxsim.schema import ChoiceIn, Integer, NotNegative, Positive, Section, in_yaml

Status = Literal["P", "D", "R"]
LevelName = Literal["array", "unit", "core", "tile", "chip"]
LEVELS: tuple[LevelName, ...] = get_args(LevelName)
"""The levels of a hierarchy, from the inside; a technology may leave some out."""
Action = Literal[
    "array_read",
    "dac_drive",
    "sample",
    "conversion",
    "shift_add",
    "register",
    "buffer",
    "bus",
    "network",
    "link",
    "activation",
    "pooling",
    "other",
]
Count = Annotated[Integer, Field(ge=1)]
_AGREES = 0.02  # rounding of printed numbers


class Entry(Section):
    """An entry of a technology; an unknown key is refused with the keys that exist."""

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, values: Any) -> Any:
        for key in values if isinstance(values, Mapping) else ():
            if key not in cls.model_fields:
                near = difflib.get_close_matches(str(key), cls.model_fields, n=1)
                hint = f"did you mean {near[0]}?" if near else "correct it"
                expected = ", ".join(cls.model_fields)
                raise ValueError(
                    f"found the key {in_yaml(key)}, expected one of {expected}; {hint}"
                )
        return values


class Sourced(Entry):
    """An entry with numbers, and where they are from."""

    source: str = Field(min_length=1, description="paper, table or section")
    status: Status = Field(description="P printed, D derived from P, R inside a printed total")


class Component(Sourced):
    """A component: what it takes, and what an action of it costs."""

    about: str = Field(min_length=1, description="what it is, in one line")
    action: Action = Field(description="what it is counted by")
    node_nm: Positive = Field(description="node that its numbers hold for, nm")
    together: Count = Field(1, description="area_mm2, power_w and leakage_w are of so many of them")
    area_mm2: NotNegative | None = Field(None, description="area, mm2; null: within area_within")
    area_within: str | None = Field(None, description="component whose area holds this one's")
    energy_j: NotNegative | None = Field(None, description="energy of an action, J")
    power_w: NotNegative | None = Field(None, description="power in operation, W")
    rate_hz: Positive | None = Field(
        None, description="actions a second at power_w, of one of them"
    )
    time_s: Positive | None = Field(None, description="time of an action, s; null: 1 / rate_hz")
    leakage_w: NotNegative | None = Field(None, description="power at rest, W; null: not stated")
    bits: Count | None = Field(
        None, description="bits of a converter, or bits that an action moves"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.energy_j is None and self.power_w is None:
            raise ValueError("found neither energy_j nor power_w, expected one of them; add it")
        if (self.area_mm2 is None) == (self.area_within is None):
            raise ValueError("expected either area_mm2 or area_within; give one of them")
        if self.action == "conversion" and self.bits is None:
            raise ValueError("found no bits, expected the bits of the ADC; add them")
        of_energy = None if self.rate_hz is None else (self.energy_j or 0) * self.rate_hz
        if of_energy and self.power_w is not None:
            power = self.power_w / self.together
            if not math.isclose(of_energy, power, rel_tol=_AGREES):
                raise ValueError(
                    f"found energy_j x rate_hz of {of_energy:g} W beside a power_w of {power:g} W for "
                    "one of them, expected the same; leave one of the three out"
                )
        return self

    @property
    def area_of_one_mm2(self) -> float | None:
        """Area of one of them, mm2; None: within another component, or unknown."""
        return None if self.area_mm2 is None else self.area_mm2 / self.together

    @property
    def power_of_one_w(self) -> float | None:
        """Power of one of them in operation, W; None: unknown, as its rate is not stated."""
        if self.power_w is not None:
            return self.power_w / self.together
        if self.energy_j is None or self.rate_hz is None:
            return None
        return self.energy_j * self.rate_hz

    @property
    def energy_of_action_j(self) -> float | None:
        """Energy of an action, J; None: only a power is stated."""
        if self.energy_j is not None:
            return self.energy_j
        if self.power_w is None or self.rate_hz is None:
            return None
        return self.power_w / self.together / self.rate_hz

    @property
    def time_of_action_s(self) -> float | None:
        """Time of an action, s; None: not stated."""
        if self.time_s is not None or self.rate_hz is None:
            return self.time_s
        return 1 / self.rate_hz


class Printed(Sourced):
    """Totals of a level as the source prints them; results show them beside the sums."""

    power_w: Positive | None = Field(None, description="power, W")
    area_mm2: Positive | None = Field(None, description="area, mm2")


class Level(Entry):
    """A level of the hierarchy: what one of it consists of."""

    holds: Positive | None = Field(
        None, description="how many of the next inner level; null for the innermost"
    )
    parts: dict[str, Positive] = Field({}, description="components besides, and how many")
    printed: Printed | None = Field(None, description="its totals as a source prints them")


class Product(Sourced):
    """How arrays carry out the product of a matrix and a vector."""

    rows: Count = Field(description="wordlines of an array")
    cols: Count = Field(description="bitlines of an array")
    cell_bits: Count = Field(description="bits of a cell")
    weight_bits: Count = Field(description="bits of a weight; slices of cell_bits")
    input_bits: Count = Field(description="bits of an input")
    pass_bits: Count = Field(description="bits of an input in one pass")
    stage_s: Positive = Field(
        description="time of a pipeline stage (a read and its conversions), s"
    )
    read_s: Positive | None = Field(
        None,
        description="time for currents to settle, s; null: not stated, conversions alone set the pace",
    )
    stages: Count = Field(description="stages that a pass goes through before the next product")

    @property
    def passes(self) -> int:
        """Passes of a product."""
        return -(-self.input_bits // self.pass_bits)

    @property
    def slices(self) -> int:
        """Arrays that hold the bits of a weight."""
        return -(-self.weight_bits // self.cell_bits)

    @property
    def time_s(self) -> float:
        """Time of a product, s: stage x (passes + stages - 1)."""
        return self.stage_s * (self.passes + self.stages - 1)


class Instructions(Sourced):
    """Cycles of a digital instruction on a vector."""

    clock_hz: Positive = Field(description="clock, Hz")
    lanes: Count = Field(description="elements of the vector")
    cycles: dict[str, Positive] = Field(description="cycles by instruction")


class Write(Sourced):
    """A pulse that writes a cell."""

    energy_j: NotNegative = Field(description="energy of a pulse, J")
    time_s: Positive = Field(description="time of a pulse, s")
    cells_at_once: Count = Field(1, description="cells of an array that pulses reach together")


class Comparison(Sourced):
    """A published ratio to other hardware, for captions only."""

    against: str = Field(min_length=1, description="the other hardware")
    measure: Literal["energy", "latency"] = Field(description="what is compared")
    network: str = Field(min_length=1, description="kind of network")
    low: Positive = Field(description="smallest ratio")
    high: Positive = Field(description="largest ratio")


class Technology(Entry):
    """A technology; the schema of its file."""

    schema_version: Literal[1] = Field(description="of this schema")
    about: str = Field(min_length=1, description="what it is, in one line")
    node_nm: Positive = Field(description="its node, nm")
    components: dict[str, Component] = Field(min_length=1, description="by name")
    levels: dict[LevelName, Level] = Field(min_length=1, description="hierarchy by level")
    product: Product = Field(description="how a product is carried out")
    adc_bits: Count | None = Field(
        None, description="bits of the design's ADC; null: the ADC's bits"
    )
    carried_by: Annotated[str, ChoiceIn("rxsim.cost.adc_models")] | None = Field(
        None, description="ADC model that carries the stated ADC to other bits; null: refused"
    )
    write: Write | None = Field(None, description="how cells are written; null: not stated")
    instructions: Instructions | None = Field(None, description="digital instructions")
    comparisons: tuple[Comparison, ...] = Field((), description="published ratios, for captions")
    caveats: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        (), description="what its numbers can't say, a sentence each; shown with every cost"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        inner, *outer = self.level_names
        if self.levels[inner].holds is not None:
            raise ValueError(
                f"levels.{inner}.holds: found a number at the innermost level; leave it out"
            )
        for outside in outer:
            if self.levels[outside].holds is None:
                raise ValueError(
                    f"levels.{outside}.holds is missing; add how many of the level inside"
                )
        for place, level in self.levels.items():
            for part in level.parts:
                self._check_name(f"levels.{place}.parts", part)
        for part, component in self.components.items():
            if component.area_within is not None:
                self._check_name(f"components.{part}.area_within", component.area_within)
        adcs = [name for name, part in self.components.items() if part.action == "conversion"]
        if len(adcs) != 1:
            raise ValueError(
                f"components: found {len(adcs)} with the action 'conversion', expected one, the ADC; "
                "correct their actions"
            )
        arrays = [name for name, part in self.components.items() if part.action == "array_read"]
        if len(arrays) > 1:
            raise ValueError(
                f"components: found {len(arrays)} with the action 'array_read' ({', '.join(arrays)}), "
                "expected one at most, the array; correct their actions"
            )
        return self

    def _check_name(self, where: str, name: str) -> None:
        if name not in self.components:
            raise ValueError(
                f"{where}: found {in_yaml(name)}, expected one of {', '.join(self.components)}; "
                "correct the name"
            )

    @property
    def level_names(self) -> tuple[LevelName, ...]:
        """Its levels, from the inside."""
        return tuple(name for name in LEVELS if name in self.levels)

    @property
    def adc_name(self) -> str:
        """Name of the component that converts."""
        return next(n for n, part in self.components.items() if part.action == "conversion")

    @property
    def adc(self) -> Component:
        """The component that converts, as its source states it."""
        return self.components[self.adc_name]

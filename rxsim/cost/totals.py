"""Area and power of a level of a technology, component by component, and its peak throughput."""

from __future__ import annotations

from dataclasses import dataclass

from rxsim.cost.adc_choice import with_adc
from rxsim.cost.technology import LevelName, Printed, Status, Technology
from rxsim.errors import InputError

CONVENTION = "2 operations a multiply-accumulate"
"""How operations are counted, wherever a throughput is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What all instances of a component take within a level.

    Attributes:
        name: the component.
        count: how many.
        area_mm2: mm2; 0 within another component of the level; None: not stated.
        power_w: in operation, W; None: not stated.
        leakage_w: at rest, W; None: not stated.
        area_share: of the level's area; None: one of both is unknown, or lies within another component.
        power_share: of the level's power; None: one of both is unknown.
        status: how sure its numbers are.
    """

    name: str
    count: float
    area_mm2: float | None
    power_w: float | None
    leakage_w: float | None
    area_share: float | None
    power_share: float | None
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Totals of one level.

    Attributes:
        scope: what they are of, such as "a tile of isaac".
        area_mm2: mm2; None: the technology does not state the area of all parts.
        power_w: in operation, W; None: it does not state the power of all parts.
        parts: by component, the largest power first.
        printed: what the source prints; None: nothing.
    """

    scope: str
    area_mm2: float | None
    power_w: float | None
    parts: tuple[Part, ...]
    printed: Printed | None

    @property
    def is_reconstructed(self) -> bool:
        """Whether a number in it is read second-hand (status R)."""
        return any(part.status == "R" for part in self.parts)

    def part(self, name: str) -> Part:
        """Return a component's part.

        Raises:
            InputError: the level has no such component.
        """
        for part in self.parts:
            if part.name == name:
                return part
        names = ", ".join(part.name for part in self.parts)
        raise InputError(
            f"{self.scope}: found {name!r}, expected one of {names}; choose one of these"
        )

    def shares(self, name: str) -> str:
        """Write a component's shares with their scope: "adc: 66 % of the power of a unit of isaac"."""
        part = self.part(name)
        known = {"area": part.area_share, "power": part.power_share}
        told = [
            f"{s:.0%} of the {what}".replace("%", " %")
            for what, s in known.items()
            if s is not None
        ]
        return f"{name}: {' and '.join(told) or 'no share known'} of {self.scope}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """Peak throughput of a level, every array busy.

    Attributes:
        scope: what it is of.
        convention: how operations are counted.
        ops_per_s: operations a second.
        ops_per_s_mm2: by area; None: unknown.
        ops_per_s_w: by power; None: unknown.
    """

    scope: str
    convention: str
    ops_per_s: float
    ops_per_s_mm2: float | None
    ops_per_s_w: float | None


def counts_in(technology: Technology, level: LevelName) -> dict[str, float]:
    """Count components in one of a level.

    Raises:
        InputError: the technology has no such level.
    """
    _check_level(technology, level)
    counts: dict[str, float] = {}
    for name in technology.level_names:
        stage = technology.levels[name]
        counts = {part: count * (stage.holds or 1) for part, count in counts.items()}
        for part, count in stage.parts.items():
            counts[part] = counts.get(part, 0) + count
        if name == level:
            break
    return counts


def instances(technology: Technology, inner: LevelName, outer: LevelName) -> float:
    """Count how many of an inner level one of an outer level holds.

    Raises:
        InputError: the technology has no such level, or they are given the wrong way round.
    """
    _check_level(technology, inner)
    _check_level(technology, outer)
    names = technology.level_names
    first, last = names.index(inner), names.index(outer)
    if first > last:
        raise InputError(
            f"levels: found {inner} inside {outer}, expected the inner one first; swap them"
        )
    count = 1.0
    for name in names[first + 1 : last + 1]:
        count *= technology.levels[name].holds or 1
    return count


def totals(technology: Technology, level: LevelName, name: str = "the technology") -> Totals:
    """Add up a level.

    Args:
        technology: its ADC as a model gives it, where `with_adc` was asked; as designed otherwise.
        level: the level.
        name: what the scope calls the technology.

    Raises:
        InputError: the technology has no such level, or its ADC can't be carried to its bits.
    """
    technology = with_adc(technology)
    counts = counts_in(technology, level)
    areas = {part: _area(technology, part, counts) for part in counts}
    powers: dict[str, float | None] = {}
    for part, count in counts.items():
        of_one = technology.components[part].power_of_one_w
        powers[part] = None if of_one is None else of_one * count
    area, power = _sum(areas), _sum(powers)
    parts = [_part(technology, part, counts, areas, powers, area, power) for part in counts]
    return Totals(
        scope=f"{'an' if level == 'array' else 'a'} {level} of {name}",
        area_mm2=area,
        power_w=power,
        parts=tuple(sorted(parts, key=lambda part: -(part.power_w or 0))),
        printed=technology.levels[level].printed,
    )


def peak(technology: Technology, level: LevelName, name: str = "the technology") -> Peak:
    """Return the peak throughput of a level, at the technology's bits of weights and inputs.

    Raises:
        InputError: the technology has no such level, or its ADC can't be carried to its bits.
    """
    product = technology.product
    macs = weights_in(technology, level)
    ops_per_s = 2 * macs / product.time_s
    whole = totals(technology, level, name)
    return Peak(
        scope=whole.scope,
        convention=CONVENTION,
        ops_per_s=ops_per_s,
        ops_per_s_mm2=ops_per_s / whole.area_mm2 if whole.area_mm2 else None,
        ops_per_s_w=ops_per_s / whole.power_w if whole.power_w else None,
    )


def weights_in(technology: Technology, level: LevelName) -> float:
    """Count the weights, of the technology's bits, that a level holds.

    Raises:
        InputError: the technology has no such level.
    """
    product = technology.product
    arrays = instances(technology, technology.level_names[0], level)
    return arrays * product.rows * product.cols / product.slices


def product_energy_j(technology: Technology, level: LevelName = "unit") -> float | None:
    """Return the energy of one product on a level, J: its power all the time the product takes.

    That is how PUMA counts its products; None where the level's power is not stated.

    Raises:
        InputError: the technology has no such level.
    """
    power = totals(technology, level).power_w
    return None if power is None else power * technology.product.time_s


def _check_level(technology: Technology, level: str) -> None:
    if level not in technology.level_names:
        raise InputError(
            f"level: found {level!r}, expected one of {', '.join(technology.level_names)}, the levels "
            "of the technology; choose one of these"
        )


def _area(technology: Technology, name: str, counts: dict[str, float]) -> float | None:
    """Return the area of a component's instances; 0 where another part of the level holds it."""
    component = technology.components[name]
    if component.area_mm2 is None and component.area_within in counts:
        return 0.0
    of_one = component.area_of_one_mm2
    return None if of_one is None else of_one * counts[name]


def _part(
    technology: Technology,
    name: str,
    counts: dict[str, float],
    areas: dict[str, float | None],
    powers: dict[str, float | None],
    area: float | None,
    power: float | None,
) -> Part:
    component = technology.components[name]
    leakage = component.leakage_w
    is_within = component.area_within is not None
    return Part(
        name=name,
        count=counts[name],
        area_mm2=areas[name],
        power_w=powers[name],
        leakage_w=None if leakage is None else leakage / component.together * counts[name],
        area_share=None if is_within else _share(areas[name], area),
        power_share=_share(powers[name], power),
        status=component.status,
    )


def _sum(values: dict[str, float | None]) -> float | None:
    known = [value for value in values.values() if value is not None]
    return sum(known) if len(known) == len(values) else None


def _share(value: float | None, whole: float | None) -> float | None:
    return value / whole if value is not None and whole else None

"""What a network costs, out of JSON that anybody may have written: what does not fit is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rxsim.report.json_values import as_list, as_number, as_text, at

# Assumption: no energy, area, time or count comes near; sums of such numbers stay finite.
_LARGEST = 1e60
_CONVERSION = "conversion"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartTold:
    """A component of a network or of a layer.

    Attributes:
        name: the component.
        level: it stands at; empty: none.
        action: what it is counted by.
        energy_j: for one inference, J; None: not stated.
        area_mm2: mm2; None: not stated.
        acts: for one inference; None: not counted.
        basis: where the energy is from.
        status: P, D or R; empty: no number of the technology's.
        area_within: the component whose area holds its own; empty: none.
    """

    name: str
    level: str
    action: str
    energy_j: float | None
    area_mm2: float | None
    acts: float | None
    basis: str
    status: str
    area_within: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerTold:
    """A layer on crossbars.

    Attributes:
        name: the layer.
        op: its operator.
        arrays: of one copy.
        replicas: copies.
        utilisation: cells with weights over all cells.
        energy_j: for one inference, J.
        area_mm2: mm2.
        seconds: of one inference.
        conversions: of ADCs for one inference.
        shared_with: the layer whose arrays it uses; empty: it has arrays of its own.
        parts: its components.
    """

    name: str
    op: str
    arrays: float | None
    replicas: float | None
    utilisation: float | None
    energy_j: float | None
    area_mm2: float | None
    seconds: float | None
    conversions: float | None
    shared_with: str
    parts: tuple[PartTold, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTold:
    """Numbers of a technology that share a source.

    Attributes:
        entry: the component, or another entry of the technology's file.
        about: what it is.
        numbers: by key of the file.
        node_nm: that they hold for, nm.
        source: paper, table or section.
        status: P, D or R.
    """

    entry: str
    about: str
    numbers: Mapping[str, float]
    node_nm: float | None
    source: str
    status: str


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class CostTold:
    """What a network costs, as `rxsim.cost.price.network.NetworkCost` writes it.

    Attributes:
        values: the JSON itself, for single numbers.
        parts: by component, the largest energy first.
        layers: in the order of the network; may be empty.
        sources: of the technology's numbers.
    """

    values: Mapping[str, Any]
    parts: tuple[PartTold, ...]
    layers: tuple[LayerTold, ...]
    sources: tuple[SourceTold, ...]

    def number(self, *names: str) -> float | None:
        """Return a number by its place; None where there is none."""
        return amount(at(self.values, *names))

    def text(self, *names: str) -> str:
        """Return a text by its place; empty where there is none."""
        return as_text(at(self.values, *names)) or ""

    def sentences(self, *names: str) -> list[str]:
        """Return a list of texts by its place."""
        return [text for text in as_list(at(self.values, *names)) if isinstance(text, str)]

    def amounts(self, *names: str) -> dict[str, float]:
        """Return numbers by name."""
        return _amounts(at(self.values, *names))

    @property
    def within(self) -> Mapping[str, Any]:
        """What stands within each level, from the inside, by name."""
        found = at(self.values, "within")
        return {str(n): v for n, v in found.items()} if isinstance(found, Mapping) else {}

    @property
    def adc_scopes(self) -> list[tuple[str, float | None, float | None]]:
        """Levels from the inside: name, the ADCs' share of the energy within it, and of its area."""
        names = list(self.within)
        scopes = []
        for place, (level, totals) in enumerate(self.within.items()):
            inside = names[: place + 1]
            adcs = [p for p in self.parts if p.action == _CONVERSION and p.level in inside]
            energy = known_sum([part.energy_j for part in adcs])
            area = known_sum([part.area_mm2 for part in adcs])
            shares = (
                _share(energy, amount(at(totals, "energy_j"))),
                _share(area, amount(at(totals, "area_mm2"))),
            )
            scopes.append((level, *shares))
        return scopes

    @property
    def outside_layers(self) -> tuple[float, float]:
        """Energy (J) and area (mm2) of components that are no layer's: digital operators."""
        rest = []
        for read in (_energy, _area):
            whole = known_sum([read(part) for part in self.parts])
            layers = known_sum([read(part) for layer in self.layers for part in layer.parts])
            # Sums in another order differ in their last digits.
            rest.append(whole - layers if whole - layers > 1e-9 * whole else 0.0)
        return rest[0], rest[1]


def read_cost(content: Any) -> CostTold | None:
    """Read what a network costs; None where nothing of it is there."""
    parts = tuple(map(_part, _mappings(at(content, "components"))))
    if not parts:
        return None
    return CostTold(
        values=content,
        parts=parts,
        layers=tuple(map(_layer, _mappings(at(content, "layers")))),
        sources=tuple(map(_source, _mappings(at(content, "sources")))),
    )


def amount(value: Any) -> float | None:
    """Return a number of 0 or above; None for anything else."""
    number = as_number(value)
    return number if number is not None and 0 <= number <= _LARGEST else None


def known_sum(values: Sequence[float | None]) -> float:
    """Add up what is known."""
    return sum(value for value in values if value is not None)


def _energy(part: PartTold) -> float | None:
    return part.energy_j


def _area(part: PartTold) -> float | None:
    return part.area_mm2


def _share(part: float, whole: float | None) -> float | None:
    return part / whole if whole and part else None


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [entry for entry in as_list(value) if isinstance(entry, Mapping)]


def _amounts(value: Any) -> dict[str, float]:
    pairs = value.items() if isinstance(value, Mapping) else ()
    return {str(name): number for name, v in pairs if (number := amount(v)) is not None}


def _text(value: Mapping[str, Any], name: str) -> str:
    return as_text(value.get(name)) or ""


def _part(value: Mapping[str, Any]) -> PartTold:
    return PartTold(
        name=_text(value, "name") or "unnamed",
        level=_text(value, "level"),
        action=_text(value, "action"),
        energy_j=amount(value.get("energy_j")),
        area_mm2=amount(value.get("area_mm2")),
        acts=amount(value.get("actions")),
        basis=_text(value, "basis"),
        status=_text(value, "status"),
        area_within=_text(value, "area_within"),
    )


def _layer(value: Mapping[str, Any]) -> LayerTold:
    return LayerTold(
        name=_text(value, "name") or "unnamed",
        op=_text(value, "op"),
        arrays=amount(value.get("arrays")),
        replicas=amount(value.get("replicas")),
        utilisation=amount(value.get("utilisation")),
        energy_j=amount(value.get("energy_j")),
        area_mm2=amount(value.get("area_mm2")),
        seconds=amount(value.get("seconds")),
        conversions=amount(at(value, "actions", "conversions")),
        shared_with=_text(value, "shared_with"),
        parts=tuple(map(_part, _mappings(value.get("components")))),
    )


def _source(value: Mapping[str, Any]) -> SourceTold:
    return SourceTold(
        entry=_text(value, "entry") or "unnamed",
        about=_text(value, "about"),
        numbers=_amounts(value.get("numbers")),
        node_nm=amount(value.get("node_nm")),
        source=_text(value, "source"),
        status=_text(value, "status"),
    )

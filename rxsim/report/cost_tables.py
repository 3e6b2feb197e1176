"""Tables of a cost on the terminal: components, layers, steps of compensation."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from rxsim.cost.price.component import ComponentCost
from rxsim.cost.price.layer import LayerCost
from rxsim.cost.price.network import NetworkCost
from rxsim.cost.price.steps import StepCost
from rxsim.counted import counted
from rxsim.report.fitting_table import Column, print_fitting
from rxsim.report.si_units import mm2, si
from rxsim.report.work_shares import percent

_BASES = {
    "circuit": "solved circuit",
    "action": "acts x energy",
    "power": "power x time",
    "unknown": "left out",
}


def print_components(cost: NetworkCost, console: Console) -> None:
    """Print a row for each component, the largest energy first."""
    parts = cost.components
    columns = [
        Column(title="in a", cells=[each.level or "-" for each in parts], leaves=2, is_text=True),
        Column(title="energy", cells=[si(each.energy_j, "J") for each in parts]),
        Column(title="share", cells=[_share(each.energy_j, cost.energy_j) for each in parts]),
        Column(title="area", cells=[_area(each) for each in parts]),
        Column(
            title="of area", cells=[_area_share(each, cost.area_mm2) for each in parts], leaves=5
        ),
        Column(title="acts", cells=[_acts(each) for each in parts], leaves=1),
        Column(
            title="energy is", cells=[_BASES[each.basis] for each in parts], leaves=4, is_text=True
        ),
        Column(
            title="status", cells=[each.status or "-" for each in parts], leaves=3, is_text=True
        ),
    ]
    names = [each.name for each in parts]
    print_fitting("By component, for one inference", "component", names, columns, console)


def _area(each: ComponentCost) -> str:
    return mm2(each.area_mm2) if each.area_within is None else f"in {each.area_within}"


def _area_share(each: ComponentCost, whole: float) -> str:
    return "-" if each.area_within is not None else _share(each.area_mm2, whole)


def _acts(each: ComponentCost) -> str:
    return "-" if each.actions is None else si(each.actions, "").strip()


def _share(value: float | None, whole: float) -> str:
    return "-" if value is None or not whole else percent(value / whole)


def print_layers(layers: Sequence[LayerCost], console: Console) -> None:
    """Print a row for each layer on crossbars."""
    used = [percent(layer.counts.hardware.utilisation) for layer in layers]
    conversions = [si(layer.counts.actions.conversions, "").strip() for layer in layers]
    columns = [
        Column(title="arrays", cells=[_arrays(layer) for layer in layers]),
        Column(title="copies", cells=[f"{layer.replicas:,}" for layer in layers], leaves=2),
        Column(title="used", cells=used, leaves=3),
        Column(title="energy", cells=[si(layer.energy_j, "J") for layer in layers]),
        Column(title="area", cells=[mm2(layer.area_mm2) for layer in layers], leaves=4),
        Column(title="time", cells=[si(layer.seconds, "s") for layer in layers]),
        Column(title="conversions", cells=conversions, leaves=1),
    ]
    names = [layer.name for layer in layers]
    print_fitting("By layer, for one inference", "layer", names, columns, console)


def _arrays(layer: LayerCost) -> str:
    shared = layer.counts.shared_with
    return f"{layer.counts.hardware.arrays:,}" if shared is None else f"of {shared}"


def print_steps(steps: Sequence[StepCost], console: Console) -> None:
    """Print a row for each step of compensation: what it asks for beyond the steps before it."""
    energies = [si(step.energy_j, "J") if step.energy_j != 0 else "-" for step in steps]
    areas = [mm2(step.spare_area_mm2) if step.spare_area_mm2 else "-" for step in steps]
    tests = [si(step.test_energy_j, "J") if step.test_reads else "-" for step in steps]
    columns = [
        Column(title="multiply", cells=[_count(step.multiplications) for step in steps]),
        Column(title="add", cells=[_count(step.additions) for step in steps]),
        Column(title="energy", cells=energies),
        Column(title="stored", cells=[_bits(step.stored_bits) for step in steps]),
        Column(title="spare columns", cells=[_count(step.spare_columns) for step in steps]),
        Column(title="their area", cells=areas),
        Column(title="tests of a chip", cells=[_tests(step) for step in steps]),
        Column(title="their energy", cells=tests),
    ]
    names = [step.name for step in steps]
    print_fitting("Compensation, step by step", "step", names, columns, console)


def _bits(number: int) -> str:
    return si(number, "bit") if number else "-"


def _tests(step: StepCost) -> str:
    told = []
    if step.test_reads:
        told.append(counted(step.test_reads, "product"))
    if step.test_cell_reads:
        told.append(counted(step.test_cell_reads, "cell"))
    return " and ".join(told) or "-"


def _count(number: int) -> str:
    return si(number, "").strip() if number else "-"

"""What a point of a sweep costs: the few numbers that stand beside its accuracy."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from rxsim.config import Cost
from rxsim.cost.price.network import NetworkCost
from rxsim.errors import InputError


def price_numbers(cost: NetworkCost) -> dict[str, float | None]:
    """Return a network's prices by name, SI units but areas (mm2).

    The ADCs' shares are of all components that state an energy, or an area.
    """
    adcs = [each for each in cost.components if each.action == "conversion"]
    energy, area = cost.energy_j, cost.area_mm2
    return {
        "energy_j": energy,
        "area_mm2": area,
        "latency_s": cost.latency_s,
        "interval_s": cost.interval_s,
        "ops_per_j": cost.ops_per_j,
        "adc_energy_share": _share([each.energy_j for each in adcs], energy),
        "adc_area_share": _share([each.area_mm2 for each in adcs], area),
    }


def _share(parts: Iterable[float | None], whole: float) -> float | None:
    known = [part for part in parts if part is not None]
    return sum(known) / whole if known and whole else None


def unstated(cost: NetworkCost, name: str) -> tuple[str, ...]:
    """Name the components that a price leaves out, because the technology or the ADC model states none.

    Args:
        cost: of the network.
        name: of the price, as `price_numbers` has it.
    """
    costs = [each for layer in cost.layers for each in layer.components]
    if name in ("energy_j", "ops_per_j"):
        names = {each.name for each in costs if each.basis == "unknown"}
    elif name == "area_mm2":
        names = {each.name for each in costs if each.is_of_unknown_area}
    else:
        names = set()
    return tuple(sorted(names))


def technology_identity(cost: Cost) -> tuple[str, ...]:
    """Return what tells two technologies of the same name apart: the content of a file.

    Raises:
        InputError: the file can't be read.
    """
    if not cost.technology.lower().endswith((".yaml", ".yml")):
        return ()
    try:
        content = Path(cost.technology).read_bytes()
    except OSError as error:
        raise InputError(
            f"cost.technology: {cost.technology} can't be read: {error.strerror or error}; check the "
            "path"
        ) from None
    return ("technology", hashlib.sha256(content).hexdigest())

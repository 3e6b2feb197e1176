"""Area, energy and delay from one technology node to another.

Source: A. Stillmaker and B. Baas, "Scaling equations for the accurate prediction of CMOS device
performance from 180 nm to 7 nm", Integration 58, 2017: table of areas, polynomials of energy.
Delay is taken as linear in the node (Assumption). Between nodes of the tables both are linear.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import numpy as np

from rxsim.cost.technology import Action, Component, Technology
from rxsim.errors import InputError

# Source: as above; area relative to 32 nm, by node in nm.
AREA_FROM_32 = {
    **{7: 0.13, 10: 0.22, 14: 0.38, 16: 0.41, 20: 0.46, 32: 1.0},
    **{45: 2.2, 65: 3.3, 90: 6.1, 130: 14.0},
}
# Source: as above; energy = a V^2 + b V + c, by node in nm.
ENERGY_POLYNOMIAL = {
    7: (0.1776, -0.09097, 0.02447),
    10: (0.2068, -0.09311, 0.02375),
    14: (0.2363, -0.09675, 0.02239),
    16: (0.2958, -0.1241, 0.03024),
    20: (0.373, -0.1582, 0.04104),
    32: (0.9559, -0.7823, 0.471),
    45: (1.103, -0.362, 0.2767),
    65: (3.755, -4.398, 1.975),
    90: (4.762, -4.781, 2.092),
    130: (7.171, -6.709, 2.904),
}
# Assumption: both nodes run at this supply, volts, where no other is asked.
SUPPLY_V = 0.8

# Assumption: these are the circuits of logic and memory that the tables are about.
_DIGITAL: frozenset[Action] = frozenset(
    {"shift_add", "register", "buffer", "bus", "network", "activation", "pooling", "other"}
)


def area_factor(from_nm: float, to_nm: float) -> float:
    """Return area at a node over area at another.

    Args:
        from_nm: node that the area is known at, nm.
        to_nm: node that it is wanted at, nm.

    Raises:
        InputError: a node lies outside 7 to 130 nm.
    """
    return _between(AREA_FROM_32, to_nm) / _between(AREA_FROM_32, from_nm)


def energy_ratio(from_nm: float, to_nm: float, supply_v: float = SUPPLY_V) -> float:
    """Return energy at a node over energy at another, both at one supply.

    Args:
        from_nm: node that the energy is known at, nm.
        to_nm: node that it is wanted at, nm.
        supply_v: supply of both, V.

    Raises:
        InputError: a node lies outside 7 to 130 nm, or the supply is not above 0.
    """
    if not 0 < supply_v < math.inf:
        raise InputError(f"supply: found {supply_v:g} V, expected a voltage above 0; correct it")
    energies = {
        node: a * supply_v**2 + b * supply_v + c for node, (a, b, c) in ENERGY_POLYNOMIAL.items()
    }
    return _between(energies, to_nm) / _between(energies, from_nm)


def delay_ratio(from_nm: float, to_nm: float) -> float:
    """Return delay at a node over delay at another (nodes in nm): linear in the node."""
    _check_node(from_nm)
    _check_node(to_nm)
    return to_nm / from_nm


def scaled(technology: Technology, node_nm: float, *, adcs: bool = False) -> Technology:
    """Return a technology with its digital components at another node.

    Arrays, DACs, sample-and-holds and links stay as they are, because analog circuits and wires between
    chips do not follow these tables; so does an area that holds a part that stays. Rates, stage times
    and powers at rest stay: the design is run as fast as before, so power changes as energy does.
    Printed totals are dropped. Source texts say what was scaled, and are D at best.

    Args:
        technology: what is scaled.
        node_nm: the node, nm.
        adcs: scale the ADC too.

    Raises:
        InputError: a node lies outside 7 to 130 nm.
    """
    _check_node(node_nm, "cost.node_nm")
    actions = scaled_actions(adcs=adcs)
    components = dict(technology.components)
    for name, part in technology.components.items():
        if part.action in actions:
            _check_node(part.node_nm, f"components.{name}.node_nm")
            components[name] = scaled_component(part, node_nm)
    for name in holders_of_what_stays(technology, actions):
        stated = technology.components[name]
        components[name] = components[name].model_copy(update={"area_mm2": stated.area_mm2})
    levels = {
        name: level.model_copy(update={"printed": None})
        for name, level in technology.levels.items()
    }
    return technology.model_copy(
        update={"components": components, "levels": levels, "node_nm": node_nm}
    )


def scaled_actions(*, adcs: bool) -> frozenset[Action]:
    """Return the actions of components that the tables are taken to hold for; of ADCs if asked."""
    adc: frozenset[Action] = frozenset({"conversion"})
    return _DIGITAL | adc if adcs else _DIGITAL


def holders_of_what_stays(technology: Technology, actions: Collection[Action]) -> frozenset[str]:
    """Name the components whose area holds a component that is not scaled.

    Args:
        technology: before it is scaled.
        actions: that are scaled.
    """
    return frozenset(
        part.area_within
        for part in technology.components.values()
        if part.area_within is not None and part.action not in actions
    )


def scaled_component(part: Component, node_nm: float) -> Component:
    """Return a component at another node; `scaled` says what stays.

    Raises:
        InputError: a node lies outside 7 to 130 nm.
    """
    if part.node_nm == node_nm:
        return part
    energy = energy_ratio(part.node_nm, node_nm)
    factors = {
        "area_mm2": area_factor(part.node_nm, node_nm),
        "energy_j": energy,
        "power_w": energy,
        "time_s": delay_ratio(part.node_nm, node_nm),
    }
    values = {name: getattr(part, name) for name in factors}
    changed = {name: v * factors[name] for name, v in values.items() if v is not None}
    source = (
        f"{part.source}; from {part.node_nm:g} to {node_nm:g} nm after Stillmaker and Baas 2017"
    )
    status = "D" if part.status == "P" else part.status
    return part.model_copy(
        update={**changed, "node_nm": node_nm, "source": source, "status": status}
    )


def _between(by_node: Mapping[int, float], node_nm: float) -> float:
    _check_node(node_nm)
    nodes = sorted(by_node)
    return float(np.interp(node_nm, nodes, [by_node[node] for node in nodes]))


def _check_node(node_nm: float, where: str = "node") -> None:
    low, high = min(AREA_FROM_32), max(AREA_FROM_32)
    if not low <= node_nm <= high:
        raise InputError(
            f"{where}: found {node_nm:g} nm, expected {low} to {high} nm, the nodes of the scaling "
            "tables; choose one of these"
        )

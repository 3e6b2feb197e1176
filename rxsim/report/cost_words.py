"""What has to be said of a cost, in words that the terminal and the page share."""

from __future__ import annotations

from rxsim.counted import counted
from rxsim.report.cost_values import CostTold, PartTold, amount, known_sum
from rxsim.report.json_values import as_list, as_text, at
from rxsim.report.labels import shortened
from rxsim.report.si_units import mm2, si
from rxsim.report.work_shares import percent

_MUCH = 0.1  # Assumption: less of an energy hardly moves a total
_MOST_LEVELS, _MOST_NAMES = 20, 30
_LONGEST = 80


def second_hand(cost: CostTold) -> str:
    """Say how much of the energy rests on numbers of status R; empty: nothing does."""
    whole = cost.number("energy_j")
    part = known_sum([each.energy_j for each in cost.parts if each.status == "R"])
    if not whole or not part:
        return ""
    return f"from numbers read second-hand (R): {percent(part / whole)} of the energy"


def powered_throughout(cost: CostTold) -> list[str]:
    """Name what stands at the outermost level, is priced by its power alone, and takes much."""
    whole = cost.number("energy_j")
    levels = list(cost.within)
    if not whole or len(levels) < 2:
        return []
    inner = amount(at(cost.values, "within", levels[-2], "energy_j"))
    much = [part for part in cost.parts if _is_idle_power(part, levels[-1], whole)]
    besides = "" if inner is None else f"; within {shortened(levels[-2], 40)}s {si(inner, 'J')}"
    return [
        f"{shortened(part.name, _LONGEST)}: {percent((part.energy_j or 0) / whole)} of the energy, "
        f"its power for the share of the {shortened(levels[-1], 40)} in use while layers work, not by "
        f"acts{besides}"
        for part in much
    ]


def _is_idle_power(part: PartTold, outermost: str, whole: float) -> bool:
    is_there = part.basis == "power" and part.level == outermost
    return is_there and (part.energy_j or 0.0) > _MUCH * whole


def digital_share(cost: CostTold) -> str:
    """Say how many multiply-accumulates are those of digital products; empty: none are known."""
    digital = cost.number("digital_operations", "product")
    crossbars = cost.number("macs_of_network") or cost.number("macs")
    if not digital or crossbars is None:
        return ""
    share = percent(digital / (digital + crossbars))
    return (
        f"{si(digital, 'MAC')} ({share} of the network's multiply-accumulates) stay digital and are "
        "not priced"
    )


def on_crossbars(cost: CostTold) -> str:
    """Count the multiply-accumulates on crossbars, and those of weights that have no cells."""
    mapped, whole = cost.number("macs"), cost.number("macs_of_network")
    told = f"{si(mapped, 'MAC')} on crossbars"
    if mapped is None or whole is None or whole <= mapped:
        return told
    return f"{told}, {si(whole - mapped, 'MAC')} of weights of 0 need none"


def left_out(cost: CostTold) -> str:
    """Name what the technology has no component for; empty: nothing."""
    names = [shortened(name, _LONGEST) for name in cost.sentences("left_out")[:_MOST_NAMES]]
    if not names:
        return ""
    technology = shortened(cost.text("technology") or "the technology", _LONGEST)
    return f"Left out, as {technology} has no component for it: {', '.join(names)}"


def whole_levels(cost: CostTold) -> str:
    """Give the levels outside of units with their area as whole ones; empty: no area is known."""
    told = [
        f"{counted(int(needed), shortened(as_text(at(level, 'name')) or 'level', 40))} {mm2(area)}"
        for level in as_list(at(cost.values, "levels"))[1:_MOST_LEVELS]
        if (needed := amount(at(level, "needed"))) is not None
        and (area := amount(at(level, "area_mm2"))) is not None
    ]
    return f"whole: {', '.join(told)}" if told else ""


def array_energy(cost: CostTold) -> str:
    """Say where the arrays' energy is from, and what the technology's own number would make."""
    stated = cost.number("array_energy_of_technology_j")
    if cost.text("array_energy") != "circuit":
        value = "" if stated is None else f" ({si(stated, 'J')})"
        told = f"the technology's number{value}; --array-energy circuit solves them"
        return f"Energy of the arrays: {told}."
    arrays = [part.energy_j for part in cost.parts if part.action == "array_read"]
    inputs = shortened(cost.text("array_inputs"), 200)
    on = f", on {inputs}" if inputs else ""
    told = f"{si(known_sum(arrays), 'J')} from their solved circuits{on}"
    if stated is not None:
        technology = shortened(cost.text("technology") or "the technology", _LONGEST)
        told += f"; {technology}'s number for its array makes {si(stated, 'J')}"
    return f"Energy of the arrays: {told}."


def at_least(cost: CostTold) -> str:
    """Return the words before an area that leaves something out; empty: it is whole."""
    return "at least " if at(cost.values, "area_is_lower_bound") is True else ""


def at_most(cost: CostTold) -> str:
    """Return the words before a number that is divided by such an area."""
    return "at most " if at_least(cost) else ""


def adc_lines(cost: CostTold) -> list[str]:
    """Say what share of the energy ADCs have, with its scope."""
    scopes = [
        f"{percent(share)} of the {si(cost.number('within', level, 'energy_j'), 'J')} within "
        f"{'an' if level == 'array' else 'a'} {shortened(level, 40)}"
        for level, share, _ in cost.adc_scopes
        if share
    ]
    return [f"ADCs: {', '.join(scopes)}."] if scopes else []


def spread_lines(cost: CostTold) -> list[str]:
    """Say what the published ADC models make of the same conversions, and of the whole."""
    energies, wholes = (
        cost.amounts("adc_models", "energy_j"),
        cost.amounts("adc_models", "inference_j"),
    )
    if not energies:
        return []
    told = ", ".join(f"{shortened(name, 40)} {si(e, 'J')}" for name, e in energies.items())
    names = sorted(energies, key=lambda name: energies[name])
    least, most = names[0], names[-1]
    if energies[least] > 0 and len(names) > 1:
        ratio = energies[most] / energies[least]
        told += f"; {shortened(most, 40)} {ratio:.3g} times {shortened(least, 40)}"
        if least in wholes and most in wholes:
            told += f", all components {si(wholes[least], 'J')} to {si(wholes[most], 'J')}"
    left = at(cost.values, "adc_models", "left_out")
    gone = [shortened(str(name), 40) for name in left] if isinstance(left, dict) else []
    besides = f" (not for this ADC: {', '.join(gone)})" if gone else ""
    return [f"Conversions by ADC model: {told}{besides}."]

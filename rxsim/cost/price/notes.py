"""What the numbers of a cost leave out or assume, in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rxsim.config import Settings
from rxsim.cost.adc_choice import in_turns
from rxsim.cost.counts import NetworkCounts
from rxsim.cost.price.chosen import ChosenTechnology
from rxsim.cost.price.compensation import COMPENSATION
from rxsim.cost.price.digital import DIGITAL_KINDS
from rxsim.cost.price.layer import LayerCost
from rxsim.cost.scaling import holders_of_what_stays, scaled_actions
from rxsim.cost.technology import Component, Technology

_MOST_NAMED = 5


def notes_of(
    counts: NetworkCounts,
    settings: Mapping[str, Settings],
    chosen: ChosenTechnology,
    layers: Iterable[LayerCost],
    *,
    is_programmed: bool = True,
) -> tuple[str, ...]:
    """List what a reader of the numbers must know.

    Args:
        counts: for one inference.
        settings: of each layer, with its columns of an ADC.
        chosen: the technology.
        layers: priced.
        is_programmed: whether cells were programmed to count pulses, where that takes several.
    """
    priced = list(layers)
    return (
        *(caveat.rstrip(". ") for caveat in chosen.technology.caveats),
        *_of_reads(priced),
        *_of_times(settings, chosen),
        *_of_nodes(settings, chosen),
        *_of_size(settings, chosen),
        *_of_dacs(settings, chosen),
        *_of_adcs(settings, chosen),
        *_of_pulses(settings, is_programmed),
        *_not_stated(priced, chosen.technology),
        *_not_priced(counts, chosen.technology),
    )


def _of_reads(layers: list[LayerCost]) -> Iterator[str]:
    """Name layers whose arrays have no solved energy beside others that have."""
    bases = {
        layer.name: each.basis
        for layer in layers
        for each in layer.components
        if each.action == "array_read"
    }
    if "circuit" in bases.values():
        rest = [name for name, basis in bases.items() if basis != "circuit"]
        if rest:
            yield (
                "no calibration input reaches these layers, and their arrays are priced by the "
                f"technology's number: {', '.join(rest)}"
            )


def _of_times(settings: Mapping[str, Settings], chosen: ChosenTechnology) -> Iterator[str]:
    """Say what sets the pace where no time of a read is stated."""
    if chosen.technology.product.read_s is not None:
        return
    yield (
        f"{chosen.name} states no time of a read: conversions alone set the pace, and rows are driven "
        "as long as these take"
    )
    if any(each.adc.n_bits is None for each in settings.values()):
        stage_ns = 1e9 * chosen.technology.product.stage_s
        yield f"without an ADC a read takes the stage of {chosen.name}, {stage_ns:.3g} ns"


def _of_nodes(settings: Mapping[str, Settings], chosen: ChosenTechnology) -> Iterator[str]:
    """Name components whose numbers hold for another node than the technology is told to have."""
    technology = chosen.technology
    nodes = {name: {part.node_nm} for name, part in technology.components.items()}
    adcs = {chosen.at_layer(each).adc.node_nm for each in settings.values()}
    nodes[technology.adc_name] = adcs or nodes[technology.adc_name]
    other = {name: at - {technology.node_nm} for name, at in nodes.items()}
    told = [
        f"{name} ({', '.join(f'{node:g}' for node in sorted(at))} nm)"
        for name, at in other.items()
        if at
    ]
    if told:
        yield f"not of {technology.node_nm:g} nm, and not scaled to it: {', '.join(told)}"
    actions = scaled_actions(adcs=chosen.cost.scale_adc)
    holders = sorted(holders_of_what_stays(technology, actions))
    if chosen.cost.node_nm is not None and holders:
        yield (
            "areas within another component can't be told apart, so that of "
            f"{', '.join(holders)} is not scaled"
        )


def _of_size(settings: Mapping[str, Settings], chosen: ChosenTechnology) -> Iterator[str]:
    product = chosen.technology.product
    sizes = {(each.crossbar.rows, each.crossbar.cols) for each in settings.values()}
    other = sorted(sizes - {(product.rows, product.cols)})
    if not other:
        return
    told = ", ".join(f"{rows}x{cols}" for rows, cols in other)
    yield (
        f"arrays of {told}: {chosen.name} states an array of {product.rows}x{product.cols}; its area "
        "and energy go with the number of cells, DACs with rows, sample-and-holds with columns"
    )
    parts = chosen.technology.components.values()
    if any(part.area_within is not None for part in parts):
        yield (
            f"{chosen.name} states areas of arrays within another component; that area is not changed "
            "by their size"
        )


def _of_dacs(settings: Mapping[str, Settings], chosen: ChosenTechnology) -> Iterator[str]:
    stated = [
        part.bits for part in chosen.technology.components.values() if part.action == "dac_drive"
    ]
    if not stated or stated[0] is None:
        return
    wanted = sorted({pulse_bits(each) for each in settings.values()})
    if wanted == [stated[0]]:
        return
    bits = ", ".join("unrounded" if each == 0 else str(each) for each in wanted)
    yield (
        f"DACs: {chosen.name} states one of {stated[0]} bits; a pulse here carries {bits}, and a drive "
        "is priced as it is stated"
    )


def pulse_bits(settings: Settings) -> int:
    """Return the bits of one pulse's voltage: those of its DAC; 0 where nothing rounds it."""
    given = settings.input
    if given.encoding == "bit_serial":
        return min(given.bits_per_pulse, settings.dac.n_bits or given.bits_per_pulse)
    if given.encoding in ("stochastic", "pulse_width"):
        return 1
    return settings.dac.n_bits or 0


def _of_adcs(settings: Mapping[str, Settings], chosen: ChosenTechnology) -> Iterator[str]:
    without = sum(each.adc.n_bits is None for each in settings.values())
    if without:
        yield f"{without} of {len(settings)} layers have no ADC (adc.n_bits is null): nothing converts"
    adc = chosen.technology.adc
    bits = {each.adc.n_bits for each in settings.values()} - {None, adc.bits}
    if bits and chosen.cost.adc_model == "table":
        told = ", ".join(str(each) for each in sorted(each for each in bits if each))
        yield (
            f"ADCs of {told} bits: {chosen.name} states one of {adc.bits}, carried over by the model "
            f"{chosen.technology.carried_by}"
        )
    if chosen.cost.adc_model != "table":
        yield from _of_turns(settings, chosen)


def _of_turns(settings: Mapping[str, Settings], chosen: ChosenTechnology) -> Iterator[str]:
    """Say where a model's ADCs are slower than the technology's, so that several work in turns."""
    slow: set[tuple[float, int, str]] = set()
    for each in settings.values():
        adc = chosen.at_layer(each).adc
        time_s, rate_hz = adc.time_of_action_s, adc.rate_hz
        if each.adc.n_bits is not None and time_s is not None and rate_hz is not None:
            slow.add((time_s, in_turns(time_s, rate_hz), _area_of_turns(adc)))
    for time_s, number, area in sorted(slow):
        if number > 1:
            yield (
                f"ADC model {chosen.cost.adc_model}: a conversion takes {time_s * 1e9:.3g} ns, so "
                f"{number} ADCs in turns keep the technology's rate; {area}"
            )


def _area_of_turns(adc: Component) -> str:
    if adc.area_within is not None:
        return f"their area lies within {adc.area_within}, which does not change"
    if adc.area_mm2 is None:
        return "the model gives no area"
    return "the area is that of all of them"


def _of_pulses(settings: Mapping[str, Settings], is_programmed: bool) -> Iterator[str]:
    """Tell where program-and-verify would take more pulses than are counted."""
    verified = sum(each.device.verify is not None for each in settings.values())
    if verified and not is_programmed:
        yield (
            f"{verified} of {len(settings)} layers are programmed and verified; without a run one "
            "pulse a cell is counted (cost.array_energy: circuit counts them)"
        )


def _not_stated(layers: list[LayerCost], technology: Technology) -> Iterator[str]:
    """Name what has no energy, and what has no area."""
    costs = [each for layer in layers for each in layer.components]
    energies = sorted({each.name for each in costs if each.basis == "unknown"})
    areas = sorted(
        {each.name for each in costs if each.is_of_unknown_area and each.name != COMPENSATION}
    )
    if energies:
        yield ("energy left out, as acts are not counted or have no energy: " + ", ".join(energies))
    if areas:
        yield f"area not stated, and left out: {', '.join(areas)}"
    if any(each.name == COMPENSATION for each in costs):
        yield (
            "compensation's digital work is priced by shift-and-adds (a multiplication by b bits as b "
            "of them); the area of its multipliers is left out"
        )
    needs = [layer.counts.needs for layer in layers]
    if any(each.stored_values or each.spare_columns for each in needs):
        yield (
            "compensation's stored values and spare columns are counted; memory and multiplexers are "
            "not priced"
        )
    if technology.write is None:
        yield "no technology entry 'write': pulses that write the network are counted, not priced"


def _actions_of_parts(technology: Technology) -> set[str]:
    """Return what the components of its levels do; a component of no level does nothing."""
    return {
        technology.components[name].action
        for level in technology.levels.values()
        for name in level.parts
    }


def missing_acts(counts: NetworkCounts, technology: Technology) -> dict[str, int]:
    """Return acts of the layers on crossbars that no component carries out, with their number."""
    has, actions = _actions_of_parts(technology), counts.actions
    return {
        title: number
        for title, number, action in (
            ("reads of arrays", actions.reads, "array_read"),
            ("drives of rows", actions.drives, "dac_drive"),
            ("conversions", actions.conversions, "conversion"),
            ("sample-and-holds", actions.sample_and_holds, "sample"),
            ("shift-and-adds", actions.shift_and_adds, "shift_add"),
            ("bits of buffers", actions.buffer_read_bits + actions.buffer_write_bits, "buffer"),
            (
                "bits over the network",
                actions.activation_bits + actions.partial_sum_bits,
                "network",
            ),
        )
        if number and action not in has
    }


def missing_operations(counts: NetworkCounts, technology: Technology) -> dict[str, int]:
    """Return kinds of digital operations that no component carries out, with their number."""
    has = _actions_of_parts(technology)
    digital = {
        **counts.digital_operations,
        "addition of a bias": counts.actions.bias_additions,
        "addition of windows that overlap": counts.actions.overlap_additions,
    }
    return {
        kind: number
        for kind, number in sorted(digital.items())
        if number and not (kind in DIGITAL_KINDS and kind in has)
    }


def left_out(counts: NetworkCounts, technology: Technology) -> tuple[str, ...]:
    """Name what an inference takes and the technology has no component for.

    Acts of a technology that states the rest of a tile or a core as a whole are within that rest.
    """
    rest = _components_of_the_rest(technology)
    kinds = [*missing_operations(counts, technology), *(["unknown"] if counts.unknown else [])]
    digital = [f"digital operators ({', '.join(kinds)})"] if kinds else []
    return (*(() if rest else missing_acts(counts, technology)), *digital)


def _components_of_the_rest(technology: Technology) -> list[str]:
    return [name for name, part in technology.components.items() if part.action == "other"]


def _not_priced(counts: NetworkCounts, technology: Technology) -> Iterator[str]:
    """Name acts that no component of the technology carries out, and digital work."""
    missing = _with_numbers(missing_acts(counts, technology))
    rest = _components_of_the_rest(technology)
    if missing and rest:
        yield f"within {', '.join(rest)}, not counted by acts: {missing}"
    elif missing:
        yield f"the technology has no component for, and leaves out: {missing}"
    operations = _with_numbers(missing_operations(counts, technology))
    if operations:
        yield f"digital operators without a component, by operations: {operations}"
    if counts.unknown:
        named = ", ".join(counts.unknown[:_MOST_NAMED])
        more = len(counts.unknown) - _MOST_NAMED
        yield (
            f"digital operators of unknown size: {named}{f' and {more} more' if more > 0 else ''}"
        )


def _with_numbers(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{title} ({number:,})" for title, number in numbers.items())

"""What a network costs: energy of an inference, area, time, by component and layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rxsim.config import Settings
from rxsim.cost.array_energy import ReadEnergy
from rxsim.cost.counts import NetworkCounts
from rxsim.cost.latency import (
    inference_seconds,
    layer_seconds,
    pipelined_seconds,
    product_seconds,
)
from rxsim.cost.price.chosen import ChosenTechnology
from rxsim.cost.price.component import ComponentCost, known_sum, summed
from rxsim.cost.price.digital import digital_components, digital_links
from rxsim.cost.price.filled import FilledLevel, filled_levels
from rxsim.cost.price.layer import LayerCost, LayerWork, price_layer
from rxsim.cost.price.layout import Layout, Wiring, lay_out
from rxsim.cost.price.notes import left_out, notes_of
from rxsim.cost.price.sources import SourcedNumbers, sources_of
from rxsim.cost.price.spread import AdcSpread, adc_spread
from rxsim.cost.price.steps import StepCost, step_costs
from rxsim.cost.price.writing import LayerPulses, WritingCost, writing_cost
from rxsim.cost.replicas import balanced_replicas, no_replicas
from rxsim.cost.technology import LEVELS, LevelName, Technology
from rxsim.cost.totals import CONVENTION


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class NetworkCost:
    """What a network costs.

    Attributes:
        chosen: the technology, its ADC model and copies.
        layers: on crossbars, in topological order.
        counts: for one inference.
        components: costs by component, the largest energy first: those of layers, and those of digital
            operators where an act of theirs has an energy.
        latency_s: of one inference, layers one after the other, s.
        interval_s: from one inference to the next where layers work at the same time, s.
        filled: levels of the hierarchy from the unit outwards.
        layout: where layers lie on chips; None: not laid out, or the technology has no chips.
        spread: what the other ADC models say.
        writing: of the network once.
        steps: of compensation, in the order of the list.
        notes: what the numbers leave out or assume, sentences.
        sources: of every number of the technology.
        inputs: on which the arrays' energy was taken, such as "made-up inputs"; empty: on none.
    """

    chosen: ChosenTechnology
    layers: tuple[LayerCost, ...]
    counts: NetworkCounts
    components: tuple[ComponentCost, ...]
    latency_s: float
    interval_s: float
    filled: tuple[FilledLevel, ...]
    layout: Layout | None
    spread: AdcSpread
    writing: WritingCost
    steps: tuple[StepCost, ...]
    notes: tuple[str, ...]
    sources: tuple[SourcedNumbers, ...] = ()
    inputs: str = ""

    @property
    def arrays(self) -> int:
        """Physical arrays of all copies; layers on the arrays of another one have none."""
        own = (layer for layer in self.layers if layer.counts.shared_with is None)
        return sum(layer.counts.hardware.arrays * layer.replicas for layer in own)

    @property
    def energy_j(self) -> float:
        """Energy of an inference, J, of all components that state theirs."""
        return known_sum(each.energy_j for each in self.components)

    @property
    def energy_error_j(self) -> float | None:
        """Standard error of the energy where inputs were sampled, J (a bound); None: not known."""
        errors = [each.error_j for each in self.components if each.error_j is not None]
        return sum(errors) if errors else None

    @property
    def array_energy(self) -> Literal["circuit", "technology"]:
        """Where the arrays' energy is from."""
        is_solved = any(each.basis == "circuit" for each in self.components)
        return "circuit" if is_solved else "technology"

    @property
    def array_energy_of_technology_j(self) -> float | None:
        """Energy of the same reads of arrays by the technology's number, J; None: it states none."""
        reads = [
            each.energy_of_technology_j if each.basis == "circuit" else each.energy_j
            for layer in self.layers
            for each in layer.components
            if each.action == "array_read"
        ]
        known = [energy for energy in reads if energy is not None]
        return sum(known) if known and len(known) == len(reads) else None

    @property
    def area_mm2(self) -> float:
        """Area in use, mm2: levels that are filled in part count in part."""
        return known_sum(each.area_mm2 for each in self.components)

    @property
    def area_is_lower_bound(self) -> bool:
        """Whether the area of a component in use is not stated."""
        return any(each.is_of_unknown_area for each in self.components)

    @property
    def macs(self) -> int:
        """Multiply-accumulates that crossbars carry out for one inference."""
        return self.counts.actions.macs

    @property
    def macs_of_network(self) -> int:
        """Multiply-accumulates of the same products, with weights of 0 that have no cells too."""
        return self.counts.actions.macs_of_network

    @property
    def power_w(self) -> float | None:
        """Mean power of an inference, layers one after the other, W; None where it takes no time."""
        return self.energy_j / self.latency_s if self.latency_s else None

    @property
    def pipelined_power_w(self) -> float | None:
        """Mean power where layers work at the same time, an inference an interval, W; None as above."""
        return self.energy_j / self.interval_s if self.interval_s else None

    @property
    def ops_per_j(self) -> float | None:
        """Operations per joule (so a second and watt), 2 a multiply-accumulate."""
        return 2 * self.macs / self.energy_j if self.energy_j else None

    @property
    def ops_per_s_mm2(self) -> float | None:
        """Operations a second and mm2 of the area in use, pipelined, 2 a multiply-accumulate."""
        whole = self.interval_s * self.area_mm2
        return 2 * self.macs / whole if whole else None

    def energy_within(self, level: LevelName) -> float:
        """Return the energy of what stands at a level or inside it, J."""
        inside = LEVELS[: LEVELS.index(level) + 1]
        return known_sum(each.energy_j for each in self.components if each.level in inside)

    def area_within(self, level: LevelName) -> float | None:
        """Return the area of what stands at a level or inside it, mm2; None: some is held outside."""
        inside = LEVELS[: LEVELS.index(level) + 1]
        parts = {each.name: each for each in self.components if each.level in inside}
        holders = (self.chosen.technology.components[name].area_within for name in parts)
        if any(holder is not None and holder not in parts for holder in holders):
            return None
        return known_sum(each.area_mm2 for each in parts.values())

    @property
    def is_reconstructed(self) -> bool:
        """Whether a number in it is read second-hand (status R)."""
        return any(each.status == "R" and each.energy_j for each in self.components)

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON, SI units but areas (mm2)."""
        hardware, technology = self.counts.hardware, self.chosen.technology
        copies = {layer.name: layer.replicas for layer in self.layers if layer.replicas > 1}
        return {
            "technology": self.chosen.name,
            "about": technology.about,
            "node_nm": technology.node_nm,
            "adc_model": self.chosen.cost.adc_model,
            "array_energy": self.array_energy,
            "array_inputs": self.inputs or None,
            "array_energy_of_technology_j": self.array_energy_of_technology_j,
            "convention": CONVENTION,
            "energy_j": self.energy_j,
            "energy_error_j": self.energy_error_j,
            "area_mm2": self.area_mm2,
            "area_is_lower_bound": self.area_is_lower_bound,
            "latency_s": self.latency_s,
            "interval_s": self.interval_s,
            "power_w": self.power_w,
            "pipelined_power_w": self.pipelined_power_w,
            "macs": self.macs,
            "macs_of_network": self.macs_of_network,
            "ops_per_j": self.ops_per_j,
            "ops_per_s_mm2": self.ops_per_s_mm2,
            "arrays": self.arrays,
            "utilisation": hardware.utilisation,
            "replicas": copies,
            "reconstructed": self.is_reconstructed,
            "within": {
                name: {"energy_j": self.energy_within(name), "area_mm2": self.area_within(name)}
                for name in technology.level_names
            },
            "levels": [
                {
                    "name": level.name,
                    "needed": level.needed,
                    "holds_units": level.holds_units,
                    "area_mm2": level.area_mm2,
                }
                for level in self.filled
            ],
            "layout": None if self.layout is None else self.layout.as_json(),
            "components": [each.as_json() for each in self.components],
            "adc_models": self.spread.as_json(),
            "writing": self.writing.as_json(),
            "compensation": [step.as_json() for step in self.steps],
            "digital_operations": self.counts.digital_operations,
            "layers": [layer.as_json() for layer in self.layers],
            "left_out": list(left_out(self.counts, technology)),
            "notes": list(self.notes),
            "comparisons": [each.model_dump(mode="json") for each in technology.comparisons],
            "sources": [each.as_json() for each in self.sources],
        }


def price_network(
    counts: NetworkCounts,
    settings: Mapping[str, Settings],
    chosen: ChosenTechnology,
    energies: Mapping[str, ReadEnergy] | None = None,
    calibration_inputs: int = 0,
    pulses: Mapping[str, LayerPulses] | None = None,
    wiring: Wiring | None = None,
) -> NetworkCost:
    """Price a network.

    Args:
        counts: for one inference.
        settings: of each layer, with its columns of an ADC (`ChosenTechnology.shared`).
        chosen: the technology.
        energies: of reads by layer, from the circuit; None: the technology's number.
        calibration_inputs: inputs that compensation's tests read.
        pulses: of cells by layer, as program-and-verify took them; the counts hold their means.
        wiring: how layers hang together; None: it is not laid out on chips.

    Raises:
        InputError: the ADC model does not hold for a layer's ADC.
        SettingError: there are fewer arrays than `replicate` needs.
    """
    layers = counts.layers
    times = {name: chosen.times(settings[name]) for name in layers}
    products = {name: product_seconds(layer, times[name]) for name, layer in layers.items()}
    replicas = _replicas(chosen, counts, products)
    seconds = {
        name: layer_seconds(layer, times[name], replicas[name]) for name, layer in layers.items()
    }
    latency = inference_seconds(seconds)
    layout = None if wiring is None else lay_out(wiring, counts, replicas, chosen)
    priced = []
    for name, layer in layers.items():
        work = LayerWork(
            counts=layer,
            settings=settings[name],
            replicas=replicas[name],
            seconds=seconds[name],
            energy=(energies or {}).get(name),
            link_bits=None if layout is None else layout.outermost.bits_of(name),
            arrays_of_adc=chosen.arrays_of_adc(settings[name]),
        )
        technology = chosen.at_layer(settings[name])
        priced.append(
            LayerCost(
                counts=layer,
                replicas=replicas[name],
                units=layer.hardware.units * replicas[name],
                seconds=seconds[name],
                product_seconds=products[name],
                components=price_layer(work, technology, chosen.unit, latency),
            )
        )
    steps = step_costs(priced, settings, chosen.technology, calibration_inputs)
    writing = writing_cost(priced, chosen.technology, steps, pulses)
    return _network(counts, settings, chosen, priced, seconds, layout, steps, writing)


def _network(
    counts: NetworkCounts,
    settings: Mapping[str, Settings],
    chosen: ChosenTechnology,
    priced: list[LayerCost],
    seconds: Mapping[str, float],
    layout: Layout | None,
    steps: tuple[StepCost, ...],
    writing: WritingCost,
) -> NetworkCost:
    units = sum(layer.units for layer in priced if layer.counts.shared_with is None)
    whole = _whole_levels(list(settings.values()), chosen)
    filled = filled_levels(chosen.technology, chosen.unit, units, whole)
    digital = (
        *digital_components(counts, chosen.technology),
        *digital_links(0 if layout is None else layout.outermost.digital_bits, chosen.technology),
    )
    digital_j = known_sum(each.energy_j for each in digital)
    return NetworkCost(
        chosen=chosen,
        layers=tuple(priced),
        counts=counts,
        components=summed([*(each for layer in priced for each in layer.components), *digital]),
        latency_s=inference_seconds(seconds),
        interval_s=pipelined_seconds(counts.layers.values(), seconds),
        filled=filled,
        layout=layout,
        spread=adc_spread(priced, settings, chosen, digital_j),
        writing=writing,
        steps=steps,
        notes=notes_of(counts, settings, chosen, priced, is_programmed=writing.programmed > 0),
        sources=sources_of(chosen, settings),
    )


def _whole_levels(settings: list[Settings], chosen: ChosenTechnology) -> Technology | None:
    """Return the technology that areas of whole levels hold for, with the ADC of all layers.

    None where arrays have another size than the technology's, other columns of an ADC, or layers have
    different ADCs.
    """
    product = chosen.technology.product
    sizes = {(each.crossbar.rows, each.crossbar.cols) for each in settings}
    bits = {each.adc.n_bits for each in settings}
    if not all(map(chosen.has_stated_adcs, settings)):
        return None
    if sizes != {(product.rows, product.cols)} or len(bits) != 1 or bits == {None}:
        return None
    return chosen.at_layer(settings[0])


def _replicas(
    chosen: ChosenTechnology, counts: NetworkCounts, products: Mapping[str, float]
) -> dict[str, int]:
    wanted = chosen.cost.replicate
    if wanted == "none":
        return no_replicas(counts.layers)
    return balanced_replicas(counts.layers, products, wanted.balance)

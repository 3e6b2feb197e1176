"""What a network costs: counts of its tile map, energy of its arrays on real inputs, a technology."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rxsim.config import Cost, Settings
from rxsim.cost.array_energy import ReadEnergy
from rxsim.cost.counts import NetworkCounts, count_network
from rxsim.cost.latency import stage_seconds
from rxsim.cost.price.chosen import ChosenTechnology, chosen_technology
from rxsim.cost.price.layout import Wiring
from rxsim.cost.price.network import NetworkCost, price_network
from rxsim.cost.price.writing import LayerPulses
from rxsim.load import Network
from rxsim.load.macs import Work
from rxsim.load.tensor_sizes import TensorSize
from rxsim.mapping import plan_network
from rxsim.onnx_graph import nonnegative_tensors
from rxsim.pipeline.chip.foundries import Foundries
from rxsim.pipeline.chip.mapped import Mapped, input_ranges
from rxsim.pipeline.inspect.array_energy import array_energies
from rxsim.pipeline.inspect.write_pulses import write_pulses
from rxsim.pipeline.study.digital import settings_by_layer, without_digital
from rxsim.pipeline.study.make_up import example_feeds
from rxsim.pipeline.study.required_shapes import require_shapes
from rxsim.pipeline.study.study import Study
from rxsim.pipeline.study.work import mappable, sizes_of, work_at
from rxsim.scenarios import as_built


def check_cost(study: Study) -> None:
    """Refuse a section `cost` that can't be used, before anything runs.

    Raises:
        RxsimError: there is no such technology, or its ADC model does not hold for a layer's ADC.
    """
    if study.settings.cost is None:
        return
    chosen = chosen_technology(study.settings.cost)
    for settings in study.layer_settings().values():
        chosen.at_layer(chosen.shared(settings))


def study_cost(study: Study, cost: Cost | None = None, mapped: Mapped | None = None) -> NetworkCost:
    """Price a study's network, with the energy of its arrays on calibration inputs.

    Arrays are those of the first chip as it is built: with the targets that compensation gives them.

    Args:
        study: the study.
        cost: what is priced; the settings' section, or its defaults, where left out.
        mapped: its layers as built, where they are mapped already; nothing is measured again.

    Raises:
        RxsimError: a technology can't be used, a shape is unknown, or an array can't be solved.
    """
    cost = cost or study.settings.cost or Cost()
    chosen = chosen_technology(cost)
    verifies = any(each.device.verify is not None for each in study.layer_settings().values())
    energies, pulses, inputs = None, None, ""
    if mapped is None and (cost.array_energy == "circuit" or verifies):
        mapped = Foundries(study).map(as_built(study.settings))
    ranges = input_ranges(study) if mapped is None else mapped.input_ranges
    if mapped is not None:
        pulses = write_pulses(study, mapped)
        if cost.array_energy == "circuit":
            energies, inputs = _energies(study, chosen, mapped), _inputs(study)
    feeds = study.inputs.feeds(0, 1)
    priced = _priced(
        study.network,
        study.layer_settings(),
        study.plan.work,
        sizes_of(study.network, feeds),
        chosen,
        signed={name: found.signed for name, found in ranges.items()},
        energies=energies,
        pulses=pulses,
        calibration_inputs=len(study.calibration),
    )
    return replace(priced, inputs=inputs)


def network_cost(
    network: Network,
    settings: Settings,
    input_shapes: Mapping[str, tuple[int, ...]],
    cost: Cost | None = None,
) -> NetworkCost:
    """Price a network without running it: with the technology's number for the arrays' energy.

    Layers count as signed unless the graph tells that their inputs are never below 0. Compensation's
    tests read as many calibration inputs as the settings ask for. No cell is programmed: writing counts
    one pulse a cell, and a note says where program-and-verify would take more.

    Args:
        network: the network.
        settings: resolved settings.
        input_shapes: shape of each input, with a batch axis of 1.
        cost: what is priced; the settings' section, or its defaults, where left out.

    Raises:
        RxsimError: a technology can't be used, a shape is unknown, or all layers are digital.
    """
    chosen = chosen_technology(cost or settings.cost or Cost())
    network = without_digital(network, settings)
    require_shapes(network, input_shapes)
    work = work_at(network, input_shapes)
    network = mappable(network, work)
    never_negative = nonnegative_tensors(network.model)
    return _priced(
        network,
        settings_by_layer(network, settings),
        work,
        sizes_of(network, example_feeds(network, input_shapes)),
        chosen,
        signed={layer.name: layer.input not in never_negative for layer in network.layers},
        calibration_inputs=settings.calibration.samples,
    )


def _inputs(study: Study) -> str:
    """Say on which inputs arrays are read."""
    told = study.provenance
    return "made-up inputs" if told.made_up_ranges else f"inputs of {told.calibration.name}"


def _energies(study: Study, chosen: ChosenTechnology, mapped: Mapped) -> dict[str, ReadEnergy]:
    """Return the energy of reads with pulses of the technology's time, on the first chip."""
    return array_energies(study, mapped, pulse_s=_pulse_s(chosen))


def _pulse_s(chosen: ChosenTechnology) -> float:
    """Return the time of a read, or of a stage where that is not stated, s."""
    product = chosen.technology.product
    return product.read_s or product.stage_s


def _as_long_as_stages(
    energies: Mapping[str, ReadEnergy],
    counts: NetworkCounts,
    settings: Mapping[str, Settings],
    chosen: ChosenTechnology,
) -> Mapping[str, ReadEnergy]:
    """Drive rows for the stage of their layer where the technology states no time of a read.

    Args:
        energies: with pulses of `_pulse_s`.
        counts: of the network.
        settings: of each layer, with its columns of an ADC.
        chosen: the technology.
    """
    if chosen.technology.product.read_s is not None:
        return energies
    return {
        name: energy.lasting(
            stage_seconds(counts.layers[name], chosen.times(settings[name])) / _pulse_s(chosen)
        )
        for name, energy in energies.items()
    }


def _priced(
    network: Network,
    settings: Mapping[str, Settings],
    work: Work,
    sizes: Mapping[str, TensorSize],
    chosen: ChosenTechnology,
    *,
    signed: Mapping[str, bool],
    energies: Mapping[str, ReadEnergy] | None = None,
    pulses: Mapping[str, LayerPulses] | None = None,
    calibration_inputs: int = 0,
) -> NetworkCost:
    shared = {name: chosen.shared(of_layer) for name, of_layer in settings.items()}
    plan = plan_network(network, shared, work)
    counts = count_network(
        network,
        plan,
        signed=signed,
        sizes=sizes,
        organisation=chosen.organisation,
        pulses_per_cell={name: each.per_cell for name, each in (pulses or {}).items()},
    )
    if energies is not None:
        energies = _as_long_as_stages(energies, counts, shared, chosen)
    return price_network(
        *(counts, shared, chosen, energies, calibration_inputs, pulses),
        wiring=Wiring(network, plan, sizes),
    )

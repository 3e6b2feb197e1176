"""A study: network, settings, and the inputs to evaluate and to calibrate with."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from rxsim.cache import Cache
from rxsim.compensate import check_steps
from rxsim.config import (
    FixedInputRange,
    Settings,
    check_layers,
    settings_hash,
    settings_over,
)
from rxsim.devices import check_defect_maps, check_presets
from rxsim.load import (
    Network,
    StatedRange,
    load_network,
    patched_before,
    stated_ranges,
)
from rxsim.load.outputs import OutputTensor
from rxsim.mapping import NetworkPlan, plan_network
from rxsim.memory import half_of_free
from rxsim.onnx_graph import all_nodes
from rxsim.pipeline.study.calibration import Calibration
from rxsim.pipeline.study.calibration_match import (
    check_model_and_settings,
    drop_missing,
    with_calibration,
)
from rxsim.pipeline.study.choice import DataChoice, DataOptions, choose_data
from rxsim.pipeline.study.data import open_study_data
from rxsim.pipeline.study.digital import less_digital, settings_by_layer, without_digital
from rxsim.pipeline.study.input_axes import with_stated
from rxsim.pipeline.study.make_up import make_up_data
from rxsim.pipeline.study.memory_need import batches_at_once, memory_note
from rxsim.pipeline.study.notes import notes_on
from rxsim.pipeline.study.output_probe import choose_output, probe_output
from rxsim.pipeline.study.provenance import Provenance
from rxsim.pipeline.study.reached import with_reached_layers
from rxsim.pipeline.study.study_data import StudyData
from rxsim.pipeline.study.work import mappable, work_of
from rxsim.run import OutputAxis
from rxsim.session import DivisibleInputs, default_threads
from rxsim.stages import Stages
from rxsim.version import __version__

# Assumption: half a dozen batches in flight may take a few hundred MiB.
_BATCH_BYTES = 64 * 2**20
_LARGEST_BATCH = 64


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Study:
    """Everything that an evaluation needs.

    Attributes:
        network: the loaded network.
        settings: resolved settings.
        plan: what its layers take of the hardware.
        inputs: the evaluated inputs.
        labels: the right outputs, int64 (n,); for the metric mse float32 targets (n, ...); or None.
        indices: their places in the data, or None.
        calibration: the calibration inputs.
        provenance: where the inputs come from.
        batch: inputs a batch.
        threads: arrays, and batches of the float network, worked on at once; no result depends on it.
        stages: stopwatch.
        metric: top1, top5, mse, or none (always without labels).
        output: name of the evaluated tensor.
        output_axis: its batch axis; None: it has none, and inputs are run one by one.
        notes: what a user should be told of its inputs and its output, a line each.
        no_output: why no output can be evaluated; empty where one can. Patching needs none.
        calibration_file: what an earlier calibration measured; None: it is to be measured.
        cache: what was computed before; None: nothing is kept.
        chosen_steps: how `compensate: auto` came to the steps of the settings, plain; None where they
            were given.
        memory: bytes that the process is to stay under; None: no bound.
        in_flight: batches of patched networks run at once, as many as fit into that memory.
    """

    network: Network
    settings: Settings
    plan: NetworkPlan
    inputs: DivisibleInputs
    labels: np.ndarray | None
    indices: np.ndarray | None
    calibration: DivisibleInputs
    provenance: Provenance
    batch: int
    threads: int
    stages: Stages
    metric: str
    output: str
    output_axis: int | None = 0
    notes: tuple[str, ...] = ()
    no_output: str = ""
    calibration_file: Calibration | None = None
    cache: Cache | None = None
    chosen_steps: Mapping[str, Any] | None = None
    memory: int | None = None
    in_flight: int = 1

    def evaluated_identity(self) -> list[Any]:
        """Return what the evaluated inputs follow from, plain."""
        indices = None if self.indices is None else self.indices.tolist()
        return self.provenance.evaluated_identity(indices, self.settings.seed)

    def calibration_identity(self) -> list[Any]:
        """Return what the calibration inputs follow from, plain."""
        return self.provenance.calibration_identity(self.settings.seed)

    def provenance_of_result(self, libraries: Iterable[str]) -> dict[str, Any]:
        """Return what a result states of where it comes from, plain.

        Args:
            libraries: whose versions it states besides.
        """
        instead = self.calibrated_instead()
        warning = self.warning
        return {
            "model": {"name": self.network.path.name, "sha256": self.network.identity},
            **({} if warning is None else {"patched_before": warning}),
            **self.provenance.as_json(),
            **({"calibrated_instead": instead} if instead else {}),
            **({} if self.chosen_steps is None else {"chosen_steps": dict(self.chosen_steps)}),
            "settings_sha256": settings_hash(self.settings),
            "seed": self.settings.seed,
            "versions": {
                "rxsim": __version__,
                "python": platform.python_version(),
                **{name: version(name) for name in libraries},
            },
        }

    def stated_input_ranges(self) -> dict[str, StatedRange | None]:
        """Return the ranges of layers whose inputs are not calibrated, by layer name.

        They stand in the settings (`input.range: {x_max: 4}`) or in the model (`input.range: model`);
        None where the model states none and calibration has to do.
        """
        rules = {name: each.input.range for name, each in self.layer_settings().items()}
        stated: dict[str, StatedRange | None] = {
            name: StatedRange(rule.x_max, None)
            for name, rule in rules.items()
            if isinstance(rule, FixedInputRange)
        }
        names = [name for name, rule in rules.items() if rule == "model"]
        if names:
            in_model = stated_ranges(self.network.model, self.network.layers)
            stated |= {name: in_model.get(name) for name in names}
        return stated

    def calibrated_instead(self) -> list[str]:
        """Name the layers whose range was to be the model's, which states none."""
        return [name for name, stated in self.stated_input_ranges().items() if stated is None]

    @property
    def warning(self) -> str | None:
        """What a user is to be warned of before all else; None where nothing stands out."""
        return patched_before(self.network.original, self.network.path.name)

    def layer_settings(self) -> dict[str, Settings]:
        """Resolve the settings of every layer on crossbars, by its name."""
        return settings_by_layer(self.network, self.settings)


def open_study(
    model: Path | onnx.ModelProto,
    settings: Settings,
    options: DataOptions | None = None,
    *,
    threads: int | None = None,
    stages: Stages | None = None,
    calibration: Calibration | None = None,
    evaluates: bool = True,
    cache: Cache | None = None,
    times: Sequence[float] = (),
    memory: int | None = None,
) -> Study:
    """Load a network and its data.

    Args:
        model: the ONNX file, or a model in memory.
        settings: resolved settings.
        options: where the inputs come from.
        threads: work done side by side; the machine's processors by default.
        stages: stopwatch and progress.
        calibration: what an earlier calibration measured, in place of a new one.
        evaluates: whether the data are evaluated; else they need no labels, data that calibrate are
            enough, and the card's may be missing where these or a calibration are given.
        cache: what was computed before, and takes what is computed now.
        times: seconds after programming at which chips will be read; the settings' where left out.
        memory: bytes that the process is to stay under; half of what is free where left out.

    Raises:
        InputError: the model, the card or the data can't be used, or the calibration is not of these.
    """
    stages = stages or Stages()
    options = options or DataOptions()
    memory = half_of_free() if memory is None else memory
    check_presets(settings)
    at_times = settings_over(settings, times) if times else (settings,)
    with stages("load"):
        network = without_digital(load_network(model, settings.mapping.fold), settings)
        if calibration is not None and not _has_bodies(network):
            check_model_and_settings(calibration, network, settings)
    with stages("data"):
        choice = choose_data(model, options, evaluates=evaluates)
        choice = drop_missing(choice, options, evaluates=evaluates) if calibration else choice
        network = with_stated(network, choice.input, choice.stated)
        chosen = choose_output(network, choice.output)
        data = _data(network, settings, choice, chosen.name, calibration, evaluates=evaluates)
        threads = threads or default_threads()
        network, plan, found, batch = _tried(
            network, settings, choice, chosen, data, calibration, threads=threads
        )
        if calibration is not None and _has_bodies(network):
            check_model_and_settings(calibration, network, settings)
        _check_hardware(plan)
        notes = notes_on(at_times, network, choice, chosen, found, data, evaluates=evaluates)
        size = network.fixed_batch or batch
        note = memory_note(plan, size, memory) if evaluates else None
        return Study(
            network=network,
            settings=settings,
            plan=plan,
            inputs=data.inputs,
            labels=data.labels,
            indices=data.indices,
            calibration=data.calibration,
            provenance=_provenance(network, choice, chosen, found, data),
            batch=batch,
            threads=threads,
            stages=stages,
            metric=data.metric,
            output=chosen.name,
            output_axis=found.axis,
            no_output=chosen.problem or found.problem,
            notes=notes if note is None else (*notes, note),
            calibration_file=calibration,
            cache=cache,
            memory=memory,
            in_flight=batches_at_once(plan, size, threads, memory),
        )


def with_settings(study: Study, settings: Settings) -> Study:
    """Return the same study, network and inputs, under other settings.

    Layers that were digital before stay so. What an earlier calibration measured is left out.

    Args:
        study: the study.
        settings: resolved settings; `mapping.fold` must be the same, for it decides what a layer is.

    Raises:
        InputError: the settings do not fit the network.
    """
    assert settings.mapping.fold == study.settings.mapping.fold
    check_presets(settings)
    names = [layer.name for layer in study.network.layers]
    names += [node.name for node in study.network.digital]
    check_layers(settings, names)
    network = less_digital(study.network, settings)
    plan = plan_network(network, settings_by_layer(network, settings), study.plan.work)
    _check_hardware(plan)
    batch = 1 if study.provenance.one_by_one else _batch_size(plan)
    size = network.fixed_batch or batch
    return replace(
        study,
        network=network,
        settings=settings,
        plan=plan,
        batch=batch,
        in_flight=batches_at_once(plan, size, study.threads, study.memory),
        calibration_file=None,
    )


def _tried(
    network: Network,
    settings: Settings,
    choice: DataChoice,
    chosen: OutputTensor,
    data: StudyData,
    calibration: Calibration | None,
    *,
    threads: int,
) -> tuple[Network, NetworkPlan, OutputAxis, int]:
    """Find out by runs what can be mapped, how the output follows the batch, and how large that is.

    Returns:
        The network with the layers that can be calibrated, its plan, the output's batch axis, and the
        number of inputs a batch.
    """
    work = work_of(network, data.inputs.feeds(0, 1))
    network = mappable(network, work)
    plan = plan_network(network, settings_by_layer(network, settings), work)
    batch = _batch_size(plan)
    found = probe_output(network, chosen, data, choice, batch=batch)
    batch = 1 if found.one_by_one else batch
    reached = with_reached_layers(
        network, data.calibration, calibration, batch=batch, threads=threads
    )
    if reached is not network:
        plan = plan_network(reached, settings_by_layer(reached, settings), work)
    return reached, plan, found, batch


def _check_hardware(plan: NetworkPlan) -> None:
    """Refuse compensation steps that can't work with a layer, and defect maps that do not fit."""
    layers = plan.layers.items()
    check_steps({name: layer.settings for name, layer in layers})
    check_defect_maps(
        {name: layer.settings for name, layer in layers},
        {name: layer.arrays for name, layer in layers},
        {name: layer.shared_with for name, layer in layers},
    )


def _has_bodies(network: Network) -> bool:
    """Tell whether a run may show that layers can't be mapped."""
    return any(node.op_type in ("If", "Loop", "Scan") for node in all_nodes(network.model.graph))


def _provenance(
    network: Network,
    choice: DataChoice,
    chosen: OutputTensor,
    found: OutputAxis,
    data: StudyData,
) -> Provenance:
    """Add to where the inputs come from what is evaluated, and how it is run."""
    return replace(
        data.provenance,
        output=chosen.name,
        one_by_one=found.one_by_one,
        output_axis=choice.batch_axis,
        asked=None if chosen.output == chosen.name else chosen.output,
        as_float32=network.as_float32,
    )


def _data(
    network: Network,
    settings: Settings,
    choice: DataChoice,
    output: str,
    calibration: Calibration | None,
    *,
    evaluates: bool,
) -> StudyData:
    if choice.data is None and choice.calibrate is None:
        data = make_up_data(network, settings, choice)
    else:
        data = open_study_data(network, settings, choice, output, evaluates=evaluates)
    if calibration is None:
        return data
    return with_calibration(calibration, data, given=choice.calibrate is not None)


def _batch_size(plan: NetworkPlan) -> int:
    """Choose a batch so that every layer's currents and outputs fit into memory side by side.

    The closer look at each layer holds them all, for a few batches in flight.
    """
    values = 0
    for layer in plan.layers.values():
        settings = layer.settings
        row_tiles = -(-layer.layer.n_inputs // settings.crossbar.rows)
        conversions = row_tiles * layer.most_passes * settings.mapping.slices
        values += (layer.macs or 0) // layer.layer.n_inputs * (conversions + 2)
    return int(np.clip(_BATCH_BYTES // max(4 * values, 1), 1, _LARGEST_BATCH))

"""A study: network, settings, and the inputs to evaluate and to calibrate with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rxsim.config import Settings
from rxsim.data import (
    Card,
    InputSet,
    LabelledArrays,
    MadeUpInputs,
    Preprocess,
    card_beside,
    choose_samples,
    fit_preprocess,
    made_up_inputs,
    read_card,
    read_npz,
)
from rxsim.errors import DataError, InputError
from rxsim.load import Network, load_network
from rxsim.schema import validated
from rxsim.session import Inputs, default_threads
from rxsim.stages import Stages

MADE_UP_INPUTS = 64
"""How many inputs are made up where there are no data and no limit."""
# Assumption: activations of a batch should stay within a few MiB, the size of a core's cache.
_BATCH_BYTES = 16 * 2**20
_LARGEST_BATCH = 64


@dataclass(frozen=True, slots=True)
class DataOptions:
    """Where the inputs come from; what is None here comes from the card beside the model.

    Attributes:
        data: labelled data to evaluate.
        calibrate: labelled data that fix converter ranges.
        card: a card in place of the one beside the model.
        preprocess: preprocessing settings laid over the card's.
        limit: evaluate a seeded, class-balanced sample of this size.
    """

    data: Path | None = None
    calibrate: Path | None = None
    card: Path | None = None
    preprocess: Mapping[str, Any] = field(default_factory=dict)
    limit: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """Everything that an evaluation needs.

    Attributes:
        network: the loaded network.
        settings: resolved settings.
        inputs: the evaluated inputs.
        labels: their labels, or None for made-up inputs.
        indices: their places in the data, or None.
        calibration: the calibration inputs.
        provenance: names and hashes of the data, sample counts and overlap, for the result.
        batch: inputs a batch.
        threads: batches and arrays worked on at once; no result depends on it.
        stages: stopwatch.
    """

    network: Network
    settings: Settings
    inputs: InputSet | MadeUpInputs
    labels: np.ndarray | None
    indices: np.ndarray | None
    calibration: Inputs
    provenance: Mapping[str, Any]
    batch: int
    threads: int
    stages: Stages


def open_study(
    model: Path,
    settings: Settings,
    options: DataOptions | None = None,
    *,
    threads: int | None = None,
    stages: Stages | None = None,
) -> Study:
    """Load a network and its data.

    Args:
        model: the ONNX file.
        settings: resolved settings.
        options: where the inputs come from.
        threads: work done side by side; the machine's processors by default.
        stages: stopwatch and progress.

    Raises:
        InputError: the model, the card or the data can't be used.
    """
    options = options or DataOptions()
    stages = stages or Stages()
    threads = threads or default_threads()
    with stages("load"):
        network = load_network(model)
    with stages("data"):
        card, card_path = _card(model, options)
        data_path = options.data or _beside(card_path, card.data)
        if data_path is None:
            if options.calibrate is not None:
                raise InputError(
                    "--calibrate was given without --data, expected both; give --data as well"
                )
            return _without_data(network, settings, options, threads, stages)
        preprocess = _preprocess(card, options)
        calibrate_path = options.calibrate
        if calibrate_path is None and options.data is None:
            calibrate_path = _beside(card_path, card.calibrate)
        return _with_data(
            network, settings, options, data_path, calibrate_path, preprocess, threads, stages
        )


def _card(model: Path, options: DataOptions) -> tuple[Card, Path | None]:
    path = options.card or card_beside(model)
    return (read_card(path) if path else Card()), path


def _beside(card_path: Path | None, name: str | None) -> Path | None:
    return card_path.parent / name if card_path and name else None


def _preprocess(card: Card, options: DataOptions) -> Preprocess | None:
    """Lay the options over the card's preprocessing; None where neither says anything."""
    if card.preprocess is None and not options.preprocess:
        return None
    stated = {} if card.preprocess is None else card.preprocess.model_dump(exclude_unset=True)
    return validated(Preprocess, {**stated, **options.preprocess}, "preprocessing options")


def _with_data(
    network: Network,
    settings: Settings,
    options: DataOptions,
    data_path: Path,
    calibrate_path: Path | None,
    preprocess: Preprocess | None,
    threads: int,
    stages: Stages,
) -> Study:
    if len(network.inputs) > 1:
        names = ", ".join(spec.name for spec in network.inputs)
        raise DataError(
            f"model {network.path.name} has {len(network.inputs)} inputs ({names}), expected one "
            "for data with labels; leave --data out to use made-up inputs"
        )
    spec = network.inputs[0]

    def fitted(data: LabelledArrays) -> Preprocess:
        return fit_preprocess(data, preprocess, spec.shape, network.path.name)

    data = read_npz(data_path)
    ready = fitted(data)
    other = read_npz(calibrate_path) if calibrate_path else None
    if other is not None and other.identity == data.identity:
        other = None  # the same file: its calibration samples are to be disjoint as far as possible
    split = choose_samples(
        data.y,
        limit=options.limit,
        n_calibration=settings.calibration.samples,
        calibration_labels=None if other is None else other.y,
        seed=settings.seed,
    )
    source = other or data
    calibration = InputSet(source, split.calibration, fitted(source), spec.name, spec.dtype)
    inputs = InputSet(data, split.evaluated, ready, spec.name, spec.dtype)
    provenance = {
        "made_up": False,
        "data": {"name": data.name, "sha256": data.identity, "samples": len(data)},
        "calibration": {
            "name": source.name,
            "sha256": source.identity,
            "samples": len(calibration),
            "overlap": split.overlap,
            "indices": split.calibration.tolist(),
        },
        "preprocess": ready.model_dump(mode="json"),
        "evaluated": len(inputs),
    }
    return Study(
        network,
        settings,
        inputs,
        inputs.labels,
        split.evaluated,
        calibration,
        provenance,
        _batch_size(network, inputs),
        threads,
        stages,
    )


def _without_data(
    network: Network, settings: Settings, options: DataOptions, threads: int, stages: Stages
) -> Study:
    """Make up inputs: agreement and SNR can be measured, accuracy can't."""
    shapes: dict[str, tuple[int, ...]] = {}
    for spec in network.inputs:
        if any(axis is None for axis in spec.shape[1:]) or spec.dtype.kind != "f":
            shape = ["any" if axis is None else axis for axis in spec.shape]
            raise DataError(
                f"model {network.path.name}: no inputs can be made up for {spec.name} (type "
                f"{spec.dtype}, shape {shape}), expected real numbers and fixed axes; give --data"
            )
        shapes[spec.name] = tuple(axis or 1 for axis in spec.shape[1:])
    dtypes = {spec.name: spec.dtype for spec in network.inputs}
    count = options.limit or MADE_UP_INPUTS
    inputs = made_up_inputs(shapes, dtypes, count, calibration=False, seed=settings.seed)
    samples = settings.calibration.samples
    calibration = made_up_inputs(shapes, dtypes, samples, calibration=True, seed=settings.seed)
    provenance = {
        "made_up": True,
        "data": None,
        "calibration": {"name": "made up", "sha256": None, "samples": samples, "overlap": 0},
        "preprocess": None,
        "evaluated": count,
    }
    batch = _batch_size(network, inputs)
    return Study(
        network, settings, inputs, None, None, calibration, provenance, batch, threads, stages
    )


def _batch_size(network: Network, inputs: Inputs) -> int:
    """Choose a batch from the size of one input: activations grow with it in most networks."""
    one = sum(tensor.nbytes for tensor in inputs.feeds(0, 1).values())
    # Assumption: a layer's activations are up to 16 times the input; the largest few live at once.
    return int(np.clip(_BATCH_BYTES // (16 * one), 1, _LARGEST_BATCH))

"""Inputs for a study without data: what is put into each input, and what is said about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from rxsim.config import Settings
from rxsim.data import Fill, Recipe, made_up_inputs
from rxsim.data.placing import placed
from rxsim.errors import DataError
from rxsim.load import InputSpec, Network
from rxsim.load.input_use import InputUse, input_uses
from rxsim.load.inputs import main_input, named_batch
from rxsim.metrics import NO_METRIC
from rxsim.onnx_graph import all_nodes
from rxsim.pipeline.study.choice import DEFAULT_METRIC, DataChoice
from rxsim.pipeline.study.input_axes import ask_for_axes, chosen_input, stated_values, told
from rxsim.pipeline.study.provenance import CalibrationData, Provenance
from rxsim.pipeline.study.study_data import StudyData
from rxsim.seeds import Sample, sample_generator

MADE_UP_INPUTS = 64
"""How many inputs are made up where there are no data and no limit."""


def make_up_data(network: Network, settings: Settings, choice: DataChoice) -> StudyData:
    """Make up inputs: agreement and SNR can be measured, accuracy can't.

    Raises:
        DataError: an input is of text, or has free axes besides the batch.
    """
    recipes, notes = _recipes(network, choice)
    count = choice.limit or MADE_UP_INPUTS
    inputs = made_up_inputs(recipes, count, calibration=False, seed=settings.seed)
    samples = settings.calibration.samples
    calibration = made_up_inputs(recipes, samples, calibration=True, seed=settings.seed)
    provenance = Provenance(
        data=None,
        calibration=CalibrationData("made up", None, samples, overlap=0),
        labels=None,
        input=None,
        preprocess=None,
        evaluated=count,
        stated=choice.stated.as_json(),
        made_up_of=notes,
    )
    return StudyData(
        inputs=inputs,
        labels=None,
        indices=None,
        calibration=calibration,
        provenance=provenance,
        metric="none",
        notes=(
            *(f"made up for {name}: {what}" for name, what in notes.items()),
            *_on_metric(choice),
        ),
    )


def _on_metric(choice: DataChoice) -> list[str]:
    """Say that what a user asks for can't be measured."""
    if choice.metric in (NO_METRIC, DEFAULT_METRIC):
        return []  # said beside the results
    return [
        f"{choice.metric} is not measured: made-up inputs have no truth to compare with; give --data"
    ]


def _recipes(network: Network, choice: DataChoice) -> tuple[dict[str, Recipe], dict[str, str]]:
    """Return how each input is made up, and in words of those that are not standard normal."""
    specs, main = network.inputs, chosen_input(network, choice.input)
    needed = [spec for spec in specs if spec.name not in choice.stated.values]
    for spec in needed:
        if is_text(spec):
            kind = "text" if spec.dtype.kind == "O" else str(spec.dtype)
            raise DataError(
                f"model {network.path.name}: its input {spec.name} takes {kind}, of which nothing can "
                "be made up, expected numbers; cut the model behind what reads it, and take the rest"
            )
    read = {item for node in all_nodes(network.original.graph) for item in node.input}
    free = [spec for spec in needed if spec.free and spec.name in read]
    if free:
        shapes = ", ".join(f"{spec.name} {told(spec.shape)}" for spec in free)
        raise DataError(
            f"model {network.path.name}: no inputs can be made up while axes are free besides the "
            f"batch ({shapes}), expected fixed ones; {ask_for_axes(free)}, or give --data"
            f"{_other_batch(main, choice)}"
        )
    stated = stated_values(specs, choice.stated.values)
    recipes, notes = recipes_of(network, specs, main, stated)
    if all(recipe.whole for recipe in recipes.values()):  # inputs must differ in something
        recipes[main.name] = replace(recipes[main.name], whole=False)
    return recipes, notes


def _other_batch(main: InputSpec, choice: DataChoice) -> str:
    """Say how to state that a free axis is the batch, where the file does not name another so."""
    stated = main.name in choice.stated.batch_axes
    if stated or not main.free or main.batch_axis is None or named_batch(main) is not None:
        return ""
    return f"; where that axis is the batch, state --batch-axis {main.name}={main.free[0]}"


def recipes_of(
    network: Network,
    specs: Sequence[InputSpec],
    main: InputSpec,
    stated: Mapping[str, np.ndarray],
) -> tuple[dict[str, Recipe], dict[str, str]]:
    """Return how inputs without free axes are made up, and in words."""
    asked = {spec.name: spec for spec in specs if spec.name not in stated}
    uses = input_uses(network.original, network.model, asked)
    recipes, notes = {}, {}
    for spec in specs:
        recipes[spec.name], words = _recipe(spec, uses.get(spec.name), stated, _steps(main))
        if words:
            notes[spec.name] = words
    return recipes, notes


def is_text(spec: InputSpec) -> bool:
    """Tell whether nothing can be made up for an input: it takes text, or complex numbers."""
    return spec.dtype.kind in "OUSc"


def example_feeds(network: Network, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Make up one batch of given shapes, to be run for what it shows of the network.

    Args:
        network: the network.
        shapes: of every input, with the batch axis.
    """
    specs = [replace(spec, shape=shapes[spec.name]) for spec in network.inputs]
    recipes, _ = recipes_of(network, specs, main_input(specs), {})
    rng = sample_generator(0, Sample.MADE_UP_EVALUATION)
    feeds = {}
    for spec in specs:
        values = recipes[spec.name].values(spec.batch or 1, rng)
        feeds.update(placed({spec.name: values}, {spec.name: spec.batch_axis}))
    return feeds


def _steps(main: InputSpec) -> int:
    """Return the length of the main input's sequences: along an axis that has a name, or the first."""
    rest = [axis for axis in range(len(main.shape)) if axis != main.batch_axis]
    rest.sort(key=lambda axis: not main.axis_name(axis))
    return (main.shape[rest[0]] or 1) if rest else 1


def _recipe(
    spec: InputSpec, use: InputUse | None, stated: Mapping[str, np.ndarray], steps: int
) -> tuple[Recipe, str]:
    """Return how an input is made up, and that in words where it is not standard normal."""
    recipe = Recipe(
        fill="normal",
        shape=tuple(length or 1 for length in spec.one),
        dtype=spec.dtype,
        axis=spec.batch_axis,
        whole=spec.batch_axis is None,
    )
    if spec.name in stated:
        return replace(recipe, fill="same", number=stated[spec.name]), ""
    if use is None:
        return (recipe, "") if spec.shape else (replace(recipe, fill="same", number=1), "1")
    fill, number, words = _whole_numbers(spec, use, steps)
    return replace(recipe, fill=fill, number=number), words


def _whole_numbers(spec: InputSpec, use: InputUse, steps: int) -> tuple[Fill, int, str]:
    """Return fill and number (see `Recipe`) of an input of whole numbers, and both in words."""
    number, other = use.number or 0, f"--input-value {spec.name}=N states another"
    if use.kind == "left out":
        return "same", 0, f"zeros, a mask of what is left out ({use.why})"
    if use.kind == "mask":
        return "same", 1, f"ones, a mask ({use.why})"
    if use.kind == "lengths":
        return "same", number or steps, f"the length {number or steps} ({use.why})"
    if use.kind == "value":
        return "same", number, f"{number} ({use.why})"
    if use.kind == "positions":
        return "count", number or 2**31 - 1, f"positions 0, 1, 2 .. ({use.why})"
    if use.kind == "ids":
        return "below", number, f"whole numbers from 0 to {number - 1} ({use.why})"
    if use.kind == "pixels":
        most = min(255, int(np.iinfo(spec.dtype).max))
        return "below", most + 1, f"whole numbers from 0 to {most} ({use.why})"
    if spec.batch_axis is None:
        return "same", 1, f"1 ({use.why}: {other})"
    return "below", 2, f"0 and 1 ({use.why}: {other})"

"""The data of a study: evaluated and calibration inputs, and the truth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rxsim.config import Settings
from rxsim.data import (
    DataSet,
    GivenArrays,
    InputSet,
    Source,
    Truth,
    choose_samples,
    fit_inputs,
    open_data,
)
from rxsim.errors import DataError
from rxsim.files import sha256_of
from rxsim.load import InputSpec, Network
from rxsim.load.inputs import main_input
from rxsim.metrics import NO_METRIC, truth_for
from rxsim.onnx_graph import Shape, shape_of
from rxsim.pipeline.study.choice import DataChoice
from rxsim.pipeline.study.input_axes import stated_values
from rxsim.pipeline.study.provenance import CalibrationData, EvaluatedData, Provenance
from rxsim.pipeline.study.study_data import StudyData


def open_study_data(
    network: Network,
    settings: Settings,
    choice: DataChoice,
    output: str,
    *,
    evaluates: bool = True,
) -> StudyData:
    """Open the chosen data and draw the evaluated and the calibration samples.

    Args:
        network: the network that they feed.
        settings: resolved settings.
        choice: what card and options say.
        output: name of the evaluated output.
        evaluates: whether anything is evaluated; else the data need no labels, and those that
            calibrate may stand alone.

    Raises:
        InputError: the data can't be used, or do not fit the network.
    """
    main = _main_input(network, choice)
    inputs, labels = None, None
    if choice.data is not None and evaluates:
        inputs = _fitted(network, choice, main, choice.data, truth_for(choice.metric))
        labels = _labels(inputs.data, network, choice, output)
    elif choice.data is not None:
        inputs = _with_or_without_labels(network, choice, main, choice.data)
    other = _fitted(network, choice, main, choice.calibrate, "any") if choice.calibrate else None
    inputs = inputs or other
    assert inputs is not None
    if other is not None and choice.data is not None and _same_data(choice, inputs, other):
        other = (
            None  # the same data: their calibration samples are to be disjoint as far as possible
        )
    split = choose_samples(
        _strata(inputs.data),
        limit=choice.limit,
        n_calibration=settings.calibration.samples,
        calibration_labels=None if other is None else _strata(other.data),
        seed=settings.seed,
    )
    evaluated = inputs.subset(split.evaluated)
    calibration = (other or inputs).subset(split.calibration)
    data, source = inputs.data, calibration.data
    provenance = Provenance(
        data=EvaluatedData(data.name, data.identity, len(data)),
        calibration=CalibrationData(
            name=source.name,
            sha256=source.identity,
            samples=len(calibration),
            overlap=split.overlap,
            indices=split.calibration.tolist(),
        ),
        labels=_rule_as_json(choice),
        input=inputs.input_name,
        preprocess=inputs.preprocess.model_dump(mode="json"),
        evaluated=len(evaluated),
        stated=choice.stated.as_json(),
    )
    chosen = None if labels is None else labels[split.evaluated]
    return StudyData(
        inputs=evaluated,
        labels=chosen,
        indices=split.evaluated,
        calibration=calibration,
        provenance=provenance,
        metric=choice.metric if evaluates else NO_METRIC,
    )


def _with_or_without_labels(
    network: Network, choice: DataChoice, main: InputSpec, path: Path | GivenArrays
) -> InputSet:
    """Open data that only calibrate: labels balance the sample where they are there and right."""
    try:
        return _fitted(network, choice, main, path, truth_for(choice.metric))
    except DataError:
        return _fitted(network, choice, main, path, "any")


def _main_input(network: Network, choice: DataChoice) -> InputSpec:
    if choice.input is None:
        return main_input(network.inputs)
    return next(spec for spec in network.inputs if spec.name == choice.input)


def _fitted(
    network: Network,
    choice: DataChoice,
    main: InputSpec,
    path: Path | GivenArrays,
    truth: Truth,
) -> InputSet:
    """Open one data set and fit it to the network."""
    if main.name in choice.stated.values:
        raise DataError(
            f"--input-value: found a value for {main.name}, which the data feed, expected one of the "
            "other inputs; leave one of the two out, or name another with --input"
        )
    calibrates = truth == "any"
    stated = stated_values(
        (spec for spec in network.inputs if spec.name != main.name), choice.stated.values
    )
    needed = [spec for spec in network.inputs if spec.name not in stated]
    source = Source(
        path=path,
        truth=truth,
        classes=choice.classes,
        # The images of a CSV lie in one folder, whichever of the two names them.
        images=choice.images if not calibrates or _is_csv(path) else None,
        label_file=None if calibrates else choice.label_file,
        inputs=[spec.name for spec in needed],
        main=main.name,
        whole=[spec.name for spec in needed if spec.batch_axis is None and spec is not main],
        single=[spec.name for spec in needed if spec.batch_axis is not None and not spec.one],
    )
    name = network.path.name
    return fit_inputs(open_data(source), choice.preprocess, network.inputs, main, name, stated)


def _is_csv(path: Path | GivenArrays) -> bool:
    return isinstance(path, Path) and path.suffix.lower() == ".csv"


def _same_data(choice: DataChoice, inputs: InputSet, other: InputSet) -> bool:
    same_files = choice.data == choice.calibrate and inputs.data.name == other.data.name
    # Labels, which calibration does without, are part of some identities.
    return inputs.data.identity == other.data.identity or (same_files and len(inputs) == len(other))


def _strata(data: DataSet) -> np.ndarray | int:
    """Return labels to balance samples over, or the number of samples."""
    labels = data.labels
    return len(data) if labels is None or labels.dtype.kind == "f" else labels


def _labels(data: DataSet, network: Network, choice: DataChoice, output: str) -> np.ndarray | None:
    """Return the truth for every sample, checked against the network's output."""
    expected = _output_shape(network, output) if choice.batch_axis in (None, 0) else None
    truth = truth_for(choice.metric)
    if truth == "none":
        return None
    if truth == "values":
        return _targets(data, expected, network.path.name, output)
    n_outputs = None
    if expected is not None and all(length is not None for length in expected[1:]):
        n_outputs = int(np.prod([length or 1 for length in expected[1:]]))
    return choice.rule.outputs(data, n_outputs, network.path.name)


def _targets(data: DataSet, expected: Shape | None, model_name: str, output: str) -> np.ndarray:
    targets = data.labels
    assert targets is not None
    if expected is None:
        return targets
    shape, wanted = targets.shape[1:], expected[1:]
    fits = len(shape) == len(wanted) and all(
        want is None or have == want for have, want in zip(shape, wanted, strict=True)
    )
    if not fits:
        raise DataError(
            f"{data.name}: found targets y of shape {list(shape)} each, expected "
            f"{['any' if axis is None else axis for axis in wanted]} as the output {output} of "
            f"{model_name}; reshape y"
        )
    return targets


def _output_shape(network: Network, output: str) -> Shape | None:
    """Return the shape that the model states for an output whose first axis is the batch, else None."""
    values: Sequence[Any] = network.original.graph.output
    shape = next((shape_of(value) for value in values if value.name == output), None)
    return shape if shape and shape[0] in (None, network.fixed_batch or 1) else None


def _rule_as_json(choice: DataChoice) -> dict[str, Any]:
    return {
        "offset": choice.rule.offset,
        "map": None if choice.rule.map is None else choice.rule.map.name,
        "map_sha256": None if choice.rule.map is None else sha256_of(choice.rule.map),
    }

"""The scores of a classifier: where they lie in the graph, and whether a network gives any."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx

from rxsim.errors import DataError, InputError, ModelError
from rxsim.pipeline import DataOptions, Study
from rxsim.pipeline.study.choice import choose_data

_PASSED = ("Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Dropout", "Cast")


def scores_name(model: onnx.ModelProto, output: str) -> str:
    """Return the tensor in front of a closing softmax, or the output itself.

    Args:
        model: the normalised graph.
        output: name of the evaluated output.
    """
    makers = {name: node for node in model.graph.node for name in node.output}
    name = output
    while (node := makers.get(name)) is not None:
        if node.op_type in ("Softmax", "LogSoftmax"):
            return str(node.input[0])
        if node.op_type not in _PASSED:
            break
        name = node.input[0]
    return output


def check_metric(model: Path | onnx.ModelProto, options: DataOptions) -> None:
    """Refuse a network that is no classifier by what its card or an option says.

    Raises:
        InputError: it is measured by the error of numbers.
    """
    if choose_data(model, options, evaluates=False).metric == "mse":
        raise InputError(
            "found the metric mse, expected a classifier: training follows its scores; name another "
            "output and metric"
        )


def check_study(study: Study, train_on: str) -> None:
    """Refuse a study whose network can't be trained as a classifier.

    Args:
        study: the study.
        train_on: none or labels.

    Raises:
        InputError: it has no data, no output of scores, or no labels where they are wanted.
    """
    if study.provenance.data is None:
        raise DataError(
            "found no data, expected inputs to train on: made-up ones would spoil the network for real "
            "ones; give --data"
        )
    if study.no_output:
        raise ModelError(study.no_output)
    if study.output_axis != 0 and not _untried(study):
        axis = (
            "no batch axis" if study.output_axis is None else f"the batch axis {study.output_axis}"
        )
        raise ModelError(
            f"found {axis} at the output {study.output}, expected axis 0; name another output, or "
            "export the network with a free batch as its first axis"
        )
    if train_on == "labels" and study.labels is None:
        raise DataError(
            "found data without labels, expected some to train on; give labels, or follow the float "
            "network (--train-on none)"
        )


def _untried(study: Study) -> bool:
    """Tell whether a batch axis was never looked for, since large inputs are evaluated one by one."""
    free = study.network.fixed_batch is None and not study.provenance.one_by_one
    return study.output_axis is None and study.batch == 1 and free


def check_rows(name: str, rows: int, inputs: int) -> None:
    """Refuse an output that has no row for each input.

    Raises:
        ModelError: naming it.
    """
    if rows != inputs:
        raise ModelError(
            f"found {rows} rows at the output {name} for {inputs} inputs, expected a row for each; "
            "name another output, or export the network with a free batch as its first axis"
        )


def check_scores(name: str, shape: Sequence[int], labels: np.ndarray | None) -> None:
    """Refuse an output that is no row of scores, and labels beyond it.

    Args:
        name: of the output.
        shape: of one of its rows, the batch left out.
        labels: those that are trained on, whole numbers; None: none are.

    Raises:
        InputError: the output holds fewer than two scores, or scores at several places; or a label
            names no score.
    """
    count = int(np.prod(shape))
    if count < 2 or sum(length > 1 for length in shape) != 1:
        raise ModelError(
            f"found rows of the shape {list(shape)} at the output {name}, expected a row of two scores "
            "or more, one for each class; name another output"
        )
    if labels is None:
        return
    off = np.flatnonzero((labels < 0) | (labels >= count))
    if len(off):
        raise DataError(
            f"found the label {labels[off[0]]} (input {off[0]}), expected 0 to {count - 1}: the output "
            f"{name} has {count} scores; correct the labels, or map them (--label-offset, --label-map)"
        )

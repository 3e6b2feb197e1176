"""The curve of a training, out of JSON that anybody may have written: what does not fit is left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rxsim.report.json_kind import json_of_kind
from rxsim.report.json_values import as_list, as_number, as_text, at

HOLDS_TRAINING = "a training"
"""What such a file is called in messages."""
# Assumption: no iteration or loss comes near; sums of such numbers stay finite.
_LARGEST = 1e60


@dataclass(frozen=True, slots=True, kw_only=True)
class PointTold:
    """A refresh.

    Attributes:
        iteration: batches before it.
        loss: mean of those since the refresh before; None: not stated.
        held_out_loss: on inputs that are not trained on.
        held_out_accuracy: share of right outputs there, 0 to 1.
        seconds: since the start.
    """

    iteration: float
    loss: float | None
    held_out_loss: float | None
    held_out_accuracy: float | None
    seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingTold:
    """A training.

    Attributes:
        model: name of the network; empty: not stated.
        points: its refreshes, by iteration.
        best: the iteration whose weights were kept; None: not stated.
        options: by name.
        stopped: why it ended early; empty where it did not.
        not_trained: by name of a layer why it is not trained as a whole.
        inputs: trained on.
        held_out: inputs held out.
        data: name of the data; empty: made up, or not stated.
    """

    model: str
    points: tuple[PointTold, ...]
    best: float | None
    options: Mapping[str, Any]
    stopped: str
    not_trained: Mapping[str, str]
    inputs: float | None
    held_out: float | None
    data: str


def training_json(path: Path) -> object | None:
    """Return what `rxsim retrain --json` wrote; see `json_of_kind`.

    Raises:
        InputError: it seems to be that, and is not valid JSON.
    """
    return json_of_kind(path, "retraining", f"the training {path}")


def read_training(content: object) -> TrainingTold | None:
    """Read the JSON of a training; None where it has no points."""
    read = [_point(each) for each in as_list(at(content, "points"))]
    points = sorted((each for each in read if each is not None), key=lambda each: each.iteration)
    if not points:
        return None
    options, left = at(content, "options"), at(content, "not_trained")
    return TrainingTold(
        model=as_text(at(content, "model", "name")) or "",
        points=tuple(points),
        best=_number(at(content, "best", "iteration")),
        options=options if isinstance(options, Mapping) else {},
        stopped=as_text(at(content, "stopped")) or "",
        not_trained=(
            {name: as_text(why) or "" for name, why in left.items()}
            if isinstance(left, Mapping)
            else {}
        ),
        inputs=_number(at(content, "inputs")),
        held_out=_number(at(content, "held_out")),
        data=as_text(at(content, "data", "name")) or "",
    )


def _point(content: object) -> PointTold | None:
    iteration = _number(at(content, "iteration"))
    if iteration is None:
        return None
    share = _number(at(content, "held_out_accuracy"))
    return PointTold(
        iteration=iteration,
        loss=_number(at(content, "loss")),
        held_out_loss=_number(at(content, "held_out_loss")),
        held_out_accuracy=share if share is not None and share <= 1 else None,
        seconds=_number(at(content, "seconds")),
    )


def _number(value: object) -> float | None:
    """Return a number that can be drawn: 0 or above, and not beyond all bounds."""
    number = as_number(value)
    return number if number is not None and 0 <= number <= _LARGEST else None

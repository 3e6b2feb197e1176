"""What a retraining gave: the curve, and the weights of the best point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from rxsim.errors import InputError


class NotFiniteError(InputError):
    """The loss or a weight is NaN or infinite."""


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """The state of a training at a refresh.

    Attributes:
        iteration: how many batches were trained on.
        loss: mean of the batches since the refresh before; None at the start.
        held_out_loss: on inputs that are not trained on, on the chip of this refresh.
        held_out_accuracy: share of right outputs there: labels, or those of the float network.
        seconds: since the start.
    """

    iteration: int
    loss: float | None
    held_out_loss: float
    held_out_accuracy: float
    seconds: float


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Training:
    """A finished or interrupted training.

    Attributes:
        points: the curve.
        best: of its points, the one whose weights are kept.
        values: those weights, by name of the initialiser in the normalised graph.
        before: the network as the file has it, where channels were matched in front of the first point.
        ranges: the largest |x| of layers' inputs, by layer name, where the training held on to them;
            None where they are measured on the float network.
        told: options and where the data come from, plain.
        stopped: why it ended early; empty where it did not.
    """

    points: tuple[CurvePoint, ...]
    best: int
    values: Mapping[str, np.ndarray]
    before: CurvePoint | None = None
    ranges: Mapping[str, float] | None = None
    told: Mapping[str, Any] = field(default_factory=dict)
    stopped: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON, without the weights."""
        return {
            "schema_version": 1,
            "kind": "retraining",
            **self.told,
            "points": [asdict(point) for point in self.points],
            "best": asdict(self.points[self.best]),
            **({} if self.before is None else {"before_matching": asdict(self.before)}),
            **({} if self.ranges is None else {"input_ranges": dict(self.ranges)}),
            "stopped": self.stopped,
        }

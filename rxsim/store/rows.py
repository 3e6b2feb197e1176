"""What a results file holds: points (networks on hardware) and their trials (chips)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

Status = Literal["done", "failed"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Point:
    """A network on a kind of hardware with a set of inputs; its chips are trials.

    Attributes:
        key: hex SHA-256 of everything that can change its results (the chip's number left out).
        model: the network's file name.
        model_sha256: of the network.
        data: name of the evaluated data; None where inputs were made up.
        data_sha256: of the evaluated data, likewise.
        settings: resolved, plain, nested; `trials` left out.
        metric: what `--metric` says: top1, top5, mse, .., or none.
        details: the rest of an evaluation (ladder, layers, totals, provenance, see
            `rxsim.pipeline.ladder.trial`); None where it is not there yet, or was not asked for.
    """

    key: str
    model: str
    model_sha256: str
    data: str | None
    data_sha256: str | None
    settings: Mapping[str, Any]
    metric: str
    details: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PointCost:
    """What a point's hardware costs.

    Attributes:
        accuracy: identity of all that the point's scores depend on, its price left out: points that
            share it have the same scores. None where nothing was evaluated.
        values: by the names of `rxsim.store.COST_NAMES`; None where it is not known.
    """

    accuracy: str | None
    values: Mapping[str, float | None]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Trial:
    """An evaluated chip of a point.

    Attributes:
        key: hex SHA-256 of the point's key and the trial's number.
        point: the point's key.
        trial: the chip's number, from 0.
        status: done, or failed.
        values: metrics (see `rxsim.metrics`) over all inputs, by name; None where a metric was not
            measured or is infinite, as the SNR of equal outputs.
        hits: bool (images,), those of the accuracy; None without labels, or where they were not read.
        error: why it failed, a sentence; None where it is done.
        seconds: wall time of its evaluation.
        finished: ISO 8601, UTC.
    """

    key: str
    point: str
    trial: int
    status: Status
    values: Mapping[str, float | None] = field(default_factory=dict)
    hits: np.ndarray | None = None
    error: str | None = None
    seconds: float = 0.0
    finished: str = ""

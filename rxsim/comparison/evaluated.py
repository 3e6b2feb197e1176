"""An evaluation as `rxsim eval --json` writes it, read for a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from rxsim.errors import InputError, SettingError
from rxsim.files import read_json
from rxsim.metrics import all_metrics
from rxsim.schema import validated

AGREEMENT = "agreement"
_LARGEST_JSON = 500_000_000
_AGAIN = "give what 'rxsim eval --json' wrote"


class _Part(BaseModel):
    """Base of the parts that are read; unknown keys are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class _Images(_Part):
    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    indices: list[int] | None
    labels: list[int] | None
    predictions: dict[str, list[list[int]]]


class _Named(_Part):
    name: str
    sha256: str


class _Provenance(_Part):
    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    model: _Named
    data: _Named | None
    seed: int


class _File(_Part):
    metric: str
    deterministic: bool
    settings: dict[str, Any]
    images: _Images
    provenance: _Provenance
    remarks: dict[str, str] = {}


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Evaluated:
    """One side of a comparison.

    Attributes:
        name: of the file, for messages.
        metric: what `--metric` said.
        deterministic: all chips are the same.
        seed: of every random draw.
        settings: resolved settings, plain.
        provenance: where the result comes from, plain.
        indices: places of the evaluated inputs in the data; None where they are made up.
        labels: the right class of each input; None without labels.
        predictions: by rung, int64 (runs, inputs).
        hits: by metric and rung, bool (runs, inputs), for metrics that predictions do not give.
        single_value: the output is one value for each input: predictions tell nothing.
    """

    name: str
    metric: str
    deterministic: bool
    seed: int
    settings: Mapping[str, Any]
    provenance: Mapping[str, Any]
    indices: np.ndarray | None
    labels: np.ndarray | None
    predictions: Mapping[str, np.ndarray]
    hits: Mapping[str, Mapping[str, np.ndarray]]
    single_value: bool

    @property
    def images(self) -> int:
        """Return the number of evaluated inputs."""
        return int(next(iter(self.predictions.values())).shape[1])

    @property
    def built(self) -> str | None:
        """Name of the rung of the built chips; None where the file has none."""
        return next((n for n in ("compensated", "nonideal") if n in self.predictions), None)

    def table(self, metric: str, rung: str) -> np.ndarray | None:
        """Return the hits of a rung, bool (runs, inputs); None where they are not known.

        Args:
            metric: accuracy, agreement, or another metric that counts hits.
            rung: one of the predictions' rungs.
        """
        predictions = self.predictions[rung]
        if metric == AGREEMENT:
            if self.single_value:
                return None
            return np.asarray(predictions == self.predictions["float32"][0])
        if metric == "accuracy":
            return None if self.labels is None else np.asarray(predictions == self.labels)
        return self.hits.get(metric, {}).get(rung)


def read_evaluated(path: Path) -> Evaluated:
    """Read what `rxsim eval --json` wrote.

    Raises:
        InputError: it is missing, unreadable, or no evaluation.
    """
    values = read_json(path, f"the evaluation {path}", _LARGEST_JSON)
    parts = ("metric", "settings", "images", "provenance")
    if not isinstance(values, Mapping) or not all(name in values for name in parts):
        raise InputError(
            f"{path} is JSON but no evaluation (it lacks one of {', '.join(parts)}); {_AGAIN}"
        )
    return taken(values, str(path))


def taken(values: Mapping[str, Any], name: str) -> Evaluated:
    """Take an evaluation's plain values.

    Args:
        values: the JSON form of an evaluation.
        name: what messages call it.

    Raises:
        InputError: a part is missing or of the wrong type.
    """
    try:
        file = validated(_File, values, name)
    except SettingError as error:
        raise InputError(f"{str(error).removesuffix('; add it')}; {_AGAIN}") from None
    images = file.images
    count = len(images.labels) if images.labels is not None else None
    predictions: dict[str, np.ndarray] = {}
    for rung, rows in images.predictions.items():
        predictions[rung] = _table(rows, count, f"{name}: predictions of {rung}")
        count = predictions[rung].shape[1]
    if "float32" not in predictions:
        raise InputError(f"{name}: found no predictions of float32, expected some; {_AGAIN}")
    hits: dict[str, dict[str, np.ndarray]] = {}
    for metric, each in all_metrics().items():
        given = (images.model_extra or {}).get(f"{metric}_hits")
        if each.kind == "hits" and isinstance(given, Mapping):
            hits[metric] = {
                rung: _table(rows, count, f"{name}: {metric}_hits of {rung}").astype(bool)
                for rung, rows in given.items()
                if isinstance(rows, list) and None not in rows
            }
    return Evaluated(
        name=name,
        metric=file.metric,
        deterministic=file.deterministic,
        seed=file.provenance.seed,
        settings=file.settings,
        provenance=values["provenance"],
        indices=None if images.indices is None else np.array(images.indices),
        labels=None if images.labels is None else np.array(images.labels),
        predictions=predictions,
        hits=hits,
        single_value="single_value" in file.remarks,
    )


def _table(rows: Any, count: int | None, where: str) -> np.ndarray:
    """Return equally long rows of whole numbers as int64 (runs, inputs).

    Raises:
        InputError: they are none.
    """
    table: np.ndarray
    try:
        table = np.array(rows, dtype=np.int64)
    except (TypeError, ValueError, OverflowError):
        table = np.empty(0, dtype=np.int64)
    if table.ndim != 2 or not table.size or (count is not None and table.shape[1] != count):
        expected = "rows of equally many numbers" if count is None else f"rows of {count} numbers"
        raise InputError(f"{where}: found others than {expected}; {_AGAIN}")
    return table

"""Checkpoints of a training: one npz, written whole; no pickled array is ever loaded."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rxsim.errors import InputError
from rxsim.files import write_atomically
from rxsim.retrain.result import CurvePoint


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Checkpoint:
    """Where a training stands.

    Attributes:
        identity: of network, data, settings and options: it goes on with these only.
        iteration: batches that are done.
        values: weights by name.
        best_values: those of the best point.
        moments: state of the optimiser, by name of the weight and of the moment.
        random: state of the generator of noise in front of the last refresh, uint8.
        points: the curve.
        best: of its points.
        before: the network as the file has it, where its channels were matched.
    """

    identity: str
    iteration: int
    values: Mapping[str, np.ndarray]
    best_values: Mapping[str, np.ndarray]
    moments: Mapping[str, np.ndarray]
    random: np.ndarray
    points: tuple[CurvePoint, ...]
    best: int
    before: CurvePoint | None = None

    def write(self, path: Path) -> None:
        """Write the checkpoint under its name at once."""
        told = {
            "identity": self.identity,
            "iteration": self.iteration,
            "points": [asdict(point) for point in self.points],
            "best": self.best,
            "before": None if self.before is None else asdict(self.before),
        }
        groups = {"value": self.values, "best": self.best_values, "moment": self.moments}
        arrays: dict[str, Any] = {
            f"{group}:{name}": array
            for group, held in groups.items()
            for name, array in held.items()
        }
        arrays["random"] = self.random
        arrays["told"] = np.frombuffer(json.dumps(told).encode(), dtype=np.uint8)
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        write_atomically(path, buffer.getvalue())


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        InputError: it is no checkpoint of rxsim.
    """
    try:
        with np.load(path, allow_pickle=False) as held:
            arrays = {name: held[name] for name in held.files}
        told = json.loads(arrays.pop("told").tobytes().decode())
        random = arrays.pop("random")
        points = tuple(CurvePoint(**point) for point in told["points"])
        groups: dict[str, dict[str, np.ndarray]] = {"value": {}, "best": {}, "moment": {}}
        for name, array in arrays.items():
            group, _, rest = name.partition(":")
            groups[group][rest] = array
        return Checkpoint(
            identity=str(told["identity"]),
            iteration=int(told["iteration"]),
            values=groups["value"],
            best_values=groups["best"],
            moments=groups["moment"],
            random=random,
            points=points,
            best=int(told["best"]),
            before=None if told.get("before") is None else CurvePoint(**told["before"]),
        )
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path}: found no checkpoint of a training ({type(error).__name__}), expected what 'rxsim "
            "retrain' wrote; name another file, or train without --resume"
        ) from None

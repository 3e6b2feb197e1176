"""Made points and trials, and a plain way to read what the store wrote."""

import hashlib
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np

from rxsim.store import Point, Trial


def key_of(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def point_of(bits: int = 6, **changes: Any) -> Point:
    plain = {"crossbar": {"rows": 64}, "adc": {"n_bits": bits, "range": "calibrated"}, "seed": 0}
    values = {
        **{"key": key_of(bits), "model": "net.onnx", "model_sha256": "a" * 64, "data": "test"},
        **{"data_sha256": "b" * 64, "settings": plain, "metric": "top1", **changes},
    }
    return Point(**values)


def trial_of(point: Point, number: int, images: int = 50, **changes: Any) -> Trial:
    rng = np.random.default_rng([int(point.key[:8], 16), number])
    hits = rng.random(images) < 0.8
    values = {
        **{"accuracy": float(hits.mean()), "agreement": 0.9, "snr_db": 20 + rng.normal()},
        **{"relative_difference": 0.1},
    }
    fields: dict[str, Any] = {
        **{"key": key_of(point.key, number), "point": point.key, "trial": number},
        **{"status": "done", "hits": hits, "seconds": 0.5, "finished": "2025-01-01T00:00:00Z"},
    }
    for name, value in changes.items():
        (fields if name in Trial.__slots__ else values)[name] = value
    return Trial(values=values, **fields)


def failed_of(point: Point, number: int, error: str = "it broke", finished: str = "1") -> Trial:
    return Trial(
        key=key_of(point.key, number),
        point=point.key,
        trial=number,
        status="failed",
        error=error,
        finished=finished,
    )


def plain_rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    """Read with the plain module, not with the store."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


ALL = (
    "SELECT points.key, trials.key, points.settings, trial, status, accuracy, top5, mse, agreement, "
    "snr_db, relative_difference, error, seconds, finished, images, hex(hits), hex(details) "
    "FROM trials JOIN points ON points.id = trials.point ORDER BY 1, 2"
)

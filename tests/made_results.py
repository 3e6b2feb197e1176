"""Made results files: sweeps as `rxsim sweep` writes them, with numbers that are known."""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rxsim.config import as_plain, load_settings
from rxsim.store import Point, Trial, open_results

IMAGES = 500
CLEAN = 0.913
LAYERS = [
    "conv1",
    *(
        f"layer{stage}.{block}.conv{number}"
        for stage in (1, 2, 3)
        for block in (0, 1, 2)
        for number in (1, 2)
    ),
    "fc",
]


def sha(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def rung(accuracy: float, snr_db: float | None) -> dict[str, Any]:
    return {
        "trials": 1,
        "accuracy": {
            "mean": accuracy,
            "std": None,
            "interval_these_images": None,
            "interval_new_images": [accuracy - 0.024, min(accuracy + 0.022, 1.0)],
            "per_trial": [accuracy],
        },
        "top5": None,
        "mse": None,
        "agreement": {"mean": 1.0 - (CLEAN - accuracy), "per_trial": [1.0 - (CLEAN - accuracy)]},
        "snr_db": {"mean": snr_db, "per_trial": [snr_db]},
        "relative_difference": {"mean": 0.05, "per_trial": [0.05]},
    }


def layer(name: str, place: int, rows: int, wire: float) -> dict[str, Any]:
    size = 16 * 2 ** min(max(place - 1, 0) // 6, 2)
    inputs = 27 if place == 0 else 9 * size
    ideal = 27.0 - 0.55 * place + 1.3 * math.sin(place)
    return {
        "name": name,
        "op": "Gemm" if name == "fc" else "Conv",
        "groups": 1,
        "rows": inputs,
        "cols": size,
        "arrays": 2 * -(-inputs // rows),
        "utilisation": min(1.0, inputs / rows / -(-inputs // rows) * size / 64),
        "macs": inputs * size * 256,
        "mac_share": 0.05,
        "parameters": inputs * size,
        "arrays_unpacked": None,
        "input_max": 2.0,
        "signed_input": False,
        "snr_db_ideal": ideal,
        "snr_db": ideal - 0.4 * wire * rows / 64 - 0.1 * place,
        "dac_clipping": 0.0 if place % 3 else 2e-5 * (place + 1),
        "adc_clipping": 10 ** -(5 - place / 8),
        "transformation": None,
    }


def details_of(
    settings: Mapping[str, Any], names: Iterable[str] = LAYERS, deterministic: bool = False
) -> dict[str, Any]:
    rows, wire = settings["crossbar"]["rows"], settings["crossbar"]["r_wire_wl"]
    found = [layer(name, place, rows, wire) for place, name in enumerate(names)]
    arrays = sum(row["arrays"] for row in found)
    return {
        "ladder": {
            "float32": rung(CLEAN, None),
            "weights": rung(CLEAN - 0.004, 24.1),
            "ideal": rung(CLEAN - 0.012, 17.9),
        },
        "layers": found,
        "layers_from_inputs": 128,
        "digital": [
            {"op": "Add", "reason": "element by element", "nodes": 9, "macs": 0},
            {"op": "Relu", "reason": "activation function", "nodes": 19, "macs": 0},
        ],
        "shares": {"macs_mapped": 1.0, "parameters_mapped": 0.995},
        "provenance": {
            "model": {"name": "resnet20.onnx", "sha256": sha("model")},
            "data": {"name": "cifar10_test.npz", "sha256": sha("data"), "samples": 10000},
            "evaluated": IMAGES,
            "seed": 0,
            "calibration": {"name": "cifar10_train.npz", "samples": 128, "overlap": 0},
            "versions": {"rxsim": "0.1.0", "python": "3.11.7", "numpy": "2.4.6"},
        },
        "metric": "top1",
        "deterministic": deterministic,
        "images": IMAGES,
        "totals": {"arrays": arrays, "conversions": arrays * 30000, "cells": arrays * rows * 64},
        "worst_arrays": [
            {"layer": name, "array": place, "loss": 0.31 / (place + 1)}
            for place, name in enumerate(list(names)[:12])
        ],
    }


def made_point(
    changes: Mapping[str, Any],
    *,
    model: str = "resnet20.onnx",
    data: str | None = "cifar10_test.npz",
    names: Iterable[str] = LAYERS,
    details: bool = True,
) -> Point:
    assignments = [f"{name}={json.dumps(value)}" for name, value in changes.items()]
    settings = as_plain(load_settings(assignments=assignments))
    del settings["trials"]
    key = sha(json.dumps([settings, model, data], sort_keys=True))
    told = details_of(settings, names) if details else None
    where = None if data is None else sha(data)
    return Point(
        key=key,
        model=model,
        model_sha256=sha(model),
        data=data,
        data_sha256=where,
        settings=settings,
        metric="top1",
        details=told,
    )


def made_trial(point: Point, number: int, accuracy: float, hits: np.ndarray | None = None) -> Trial:
    return Trial(
        key=sha(f"{point.key} {number}"),
        point=point.key,
        trial=number,
        status="done",
        values={
            **{"accuracy": accuracy, "agreement": accuracy + 0.03},
            **{"snr_db": 30 * accuracy - 10, "relative_difference": 1 - accuracy},
        },
        hits=hits,
        seconds=12.5,
        finished=f"2026-11-23T20:{number:02d}:00+00:00",
    )


def failed_trial(point: Point, number: int, error: str) -> Trial:
    return Trial(
        key=sha(f"{point.key} {number}"),
        point=point.key,
        trial=number,
        status="failed",
        error=error,
        seconds=1.0,
    )


def accuracy_at(rows: int, wire: float, bits: int, rng: np.random.Generator) -> np.ndarray:
    """Hits of one chip, bool (IMAGES,)."""
    share = CLEAN - 0.012 - 0.012 * (wire * rows / 64) ** 1.25 - 0.28 * 2.0 ** -(bits - 3) * 0.35
    noise = rng.normal(0.0, 0.006)
    return np.asarray(rng.random(IMAGES) < min(max(share + noise, 0.1), 1.0))


def write_sweep(
    path: Path,
    rows: Iterable[int] = (32, 64, 128),
    wires: Iterable[float] = (1.0, 1.5, 2.5, 4.0, 6.5, 10.0),
    bits: Iterable[int] = (6,),
    trials: int = 5,
    failures: int = 0,
    **more: Any,
) -> list[tuple[Point, list[Trial]]]:
    """Write a sweep over array size, wires and ADC bits, and return what was written."""
    rng = np.random.default_rng(7)
    written: list[tuple[Point, list[Trial]]] = []
    with open_results(path, write=True) as results:
        for size in rows:
            for wire in wires:
                for resolution in bits:
                    changes = {
                        "crossbar.rows": size,
                        "crossbar.r_wire_wl": wire,
                        "adc.n_bits": resolution,
                    }
                    point = made_point(changes, **more)
                    made = []
                    for number in range(trials):
                        hits = accuracy_at(size, wire, resolution, rng)
                        made.append(made_trial(point, number, float(hits.mean()), hits))
                    if failures:
                        failures -= 1
                        made[-1] = failed_trial(
                            point, trials - 1, "layer fc: found 3 columns <b>beyond</b> the array"
                        )
                    for trial in made:
                        results.add(point, trial, point.details)
                    written.append((point, made))
        text = "models: [resnet20.onnx]\naxes:\n  crossbar.rows: [32, 64, 128]\ntrials: 5\n"
        results.add_sweep("wires", text, [point.key for point, _ in written])
    return written

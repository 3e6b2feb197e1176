"""Train public networks against crossbars, evaluate them on other inputs, and print a Markdown table.

Usage: RXSIM_ASSETS=FOLDER python scripts/evidence_retraining.py CASE .. [--seeds 3] [--images 2000]
    [--results FOLDER]

FOLDER holds the networks and data that docs/evidence/networks.md names. A case is a network, its
hardware and a way of training; `list` names all. Each seed draws its own order of batches, chips and
noise, and its own sample of inputs to evaluate. Accuracies are means over seeds with 95 % intervals;
`given back` is the share of the loss from float32 to nonideal. What is done is kept in the folder of
results, and not done again.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evidence_networks import NETWORKS, enter_project
from scipy.stats import t as student

import rxsim
from rxsim.config import Settings, load_settings
from rxsim.files import write_atomically

MATCHED = {"start": "matched", "ranges": "kept"}
EXACT = {"learning_rate": 1e-4}
OFTEN = {"refresh": 5}
GAUSSIAN = {"learning_rate": 1e-4, "noise": "gaussian:0.038"}
HARSH = ("configs/harsh-128.yaml",)
COARSE = ("configs/rxnn-64.yaml", "adc.n_bits=5")
FEW_LEVELS = ("configs/rxnn-64.yaml", "device.n_bits=4")
ALL_SIX = ("configs/rxnn-64.yaml",)
CELLS = ("configs/rxnn-64.yaml", "dac.n_bits=null", "adc.n_bits=null")


@dataclass(frozen=True)
class Case:
    """A way of training a network for some hardware.

    Attributes:
        network: its name in `evidence_networks`.
        hardware: a settings file and assignments.
        options: of `rxsim.retrained`; None: it is not trained.
    """

    network: str
    hardware: tuple[str, ...]
    options: dict[str, Any] | None = field(default=None)


CASES = {
    "harsh": Case("resnet20", HARSH),
    "harsh-exact": Case("resnet20", HARSH, EXACT),
    "harsh-matched": Case("resnet20", HARSH, EXACT | MATCHED | {"gradient": "column"}),
    "harsh-gaussian": Case("resnet20", HARSH, GAUSSIAN),
    "adc5": Case("resnet20", COARSE),
    "adc5-exact": Case("resnet20", COARSE, EXACT),
    "adc5-matched": Case("resnet20", COARSE, EXACT | MATCHED),
    "adc5-learned": Case("resnet20", COARSE, EXACT | MATCHED | {"ranges": "learned"}),
    "adc5-faster": Case("resnet20", COARSE, EXACT | {"learning_rate": 3e-4}),
    "adc5-norms": Case("resnet20", COARSE, EXACT | {"learning_rate": 3e-4, "train": "norms"}),
    "adc5-often": Case("resnet20", COARSE, EXACT | OFTEN | {"learning_rate": 2e-4}),
    "adc5-gaussian": Case("resnet20", COARSE, GAUSSIAN),
    "cells4": Case("resnet20", FEW_LEVELS),
    "cells4-exact": Case("resnet20", FEW_LEVELS, EXACT),
    "cells4-matched": Case("resnet20", FEW_LEVELS, EXACT | MATCHED),
    "cells4-gaussian": Case("resnet20", FEW_LEVELS, GAUSSIAN),
    "mobilenet": Case("mobilenet_v1", CELLS),
    "mobilenet-exact": Case("mobilenet_v1", CELLS, EXACT | OFTEN),
    "mobilenet-clipped": Case("mobilenet_v1", CELLS, EXACT | OFTEN | {"clip": 3.0}),
    "mobilenet-matched": Case("mobilenet_v1", CELLS, EXACT | OFTEN | MATCHED),
    "squeezenet": Case("squeezenet", ALL_SIX),
    "squeezenet-matched": Case("squeezenet", ALL_SIX, EXACT | MATCHED | {"refresh": 10}),
}


def settings_of(hardware: tuple[str, ...], seed: int) -> Settings:
    """Read the settings of a case."""
    name, *assignments = hardware
    return load_settings(Path(name), assignments=assignments, overrides={"seed": seed})


def halves(folder: Path) -> tuple[Path, Path]:
    """Split the list of images, one a class, into two: those to train on, those to evaluate."""
    source = Path(os.path.expandvars("$RXSIM_ASSETS/imagenet/labels.csv"))
    with source.open(newline="") as file:
        head, *rows = list(csv.reader(file))
    paths = (folder / "train.csv", folder / "test.csv")
    for place, path in enumerate(paths):
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([head, *rows[place::2]])
    return paths


def data_of(network: str, folder: Path, images: int) -> tuple[rxsim.DataOptions, rxsim.DataOptions]:
    """Return the inputs to train on, and those to evaluate on (calibration inputs are of the first)."""
    _, card, _ = NETWORKS[network]
    shared = {"card": Path(f"scripts/cards/{card}.yaml")}
    if network.startswith("resnet"):
        assets = Path(os.environ["RXSIM_ASSETS"]) / "cifar10"
        train, test = assets / "cifar10_train1000.npz", assets / "cifar10_test.npz"
    else:
        shared["images"] = Path(os.environ["RXSIM_ASSETS"]) / "imagenet/images"
        train, test = halves(folder)
    return (
        rxsim.DataOptions(data=train, **shared),
        rxsim.DataOptions(data=test, calibrate=train, limit=images, **shared),
    )


def measured(name: str, seed: int, folder: Path, images: int) -> dict[str, Any]:
    """Train and evaluate, or read what was measured before."""
    path = folder / f"{name}-{seed}-{images}.json"
    if path.exists():
        return dict(json.loads(path.read_text()))
    case = CASES[name]
    model = Path(os.path.expandvars(NETWORKS[case.network][0]))
    train, test = data_of(case.network, folder, images)
    settings = settings_of(case.hardware, seed)
    start, told = time.perf_counter(), {}
    if case.options is None:
        trained, hardware = model, settings
    else:
        training = rxsim.retrained(model, settings, train, threads=1, **case.options)
        trained, hardware = training.model, training.settings
        told = training.as_json()
    seconds = time.perf_counter() - start
    result = rxsim.evaluate(trained, hardware, test, threads=1).as_json()
    kept = {
        "case": name,
        "seed": seed,
        "seconds": seconds,
        "points": told.get("points", []),
        "best": told.get("best"),
        "accuracy": {rung: each["accuracy"]["mean"] for rung, each in result["ladder"].items()},
    }
    write_atomically(path, json.dumps(kept, indent=1).encode())
    return kept


def share(run: dict[str, Any], untrained: dict[str, Any]) -> float:
    """Return which share of the loss came back, percent; both were evaluated on the same inputs."""
    before, wanted = (untrained["accuracy"][rung] for rung in ("nonideal", "float32"))
    return float(100 * (run["accuracy"]["nonideal"] - before) / (wanted - before))


def mean(values: list[float], digits: int) -> str:
    """Write a mean over seeds, with half its interval of 95 % where there is one."""
    text = f"{statistics.mean(values):.{digits}f}"
    if len(values) > 1:
        half = student.ppf(0.975, len(values) - 1) * statistics.stdev(values)
        text += f" ± {half / len(values) ** 0.5:.{digits}f}"
    return text


def row(name: str, runs: list[dict[str, Any]], untrained: list[dict[str, Any]]) -> str:
    """Return a row of the table."""
    cells = [f"`{name}`", str(len(runs))]
    for rung in ("float32", "weights", "ideal", "nonideal"):
        cells.append(mean([run["accuracy"][rung] for run in runs], 4))
    pairs = zip(runs, untrained, strict=True)
    trained = CASES[name].options is not None
    cells.append(mean([share(*pair) for pair in pairs], 0) + " %" if trained else "")
    cells.append(f"{statistics.mean(run['seconds'] for run in runs):.0f} s")
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Run the cases."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="+", choices=[*CASES, "list"], metavar="CASE")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--results", type=Path, default=Path("/tmp/retraining"))
    given = parser.parse_args()
    if "list" in given.cases:
        print("\n".join(CASES))
        return
    enter_project()
    given.results.mkdir(parents=True, exist_ok=True)
    print("| case | seeds | float32 | weights | ideal | nonideal | given back | training |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for name in given.cases:
        runs, untrained = (
            [measured(each, seed, given.results, given.images) for seed in range(given.seeds)]
            for each in (name, name.partition("-")[0])
        )
        print(row(name, runs, untrained), flush=True)


if __name__ == "__main__":
    main()

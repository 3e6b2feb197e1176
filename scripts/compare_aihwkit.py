"""Compare programmed and drifted conductances with those of aihwkit's phase-change memory models.

    python3 -m venv /tmp/aihwkit && /tmp/aihwkit/bin/pip install aihwkit==1.1.0
    python scripts/compare_aihwkit.py --python /tmp/aihwkit/bin/python

Both draw cells of their own for the same targets and times. Printed are the means and standard
deviations of both, and their differences in standard errors (z). For equal models each z is about
a standard normal number.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import ndtr

from rxsim.config import Device
from rxsim.devices import Chip, program
from rxsim.mapping import PhysicalArray

SHARES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Targets over the largest conductance of a device."""
TIMES = {"1 s": 1.0, "1 h": 3600.0, "1 d": 86400.0, "1 mo": 30 * 86400.0, "1 y": 365 * 86400.0}
G_MAX = {"pcm-nandakumar": 25.0, "pcm-hermes": 20.7, "pcm-hermes-1device": 10.35}
"""Preset -> microsiemens. Source: docs/concepts/model.md section 10; aihwkit's defaults."""


@dataclass(frozen=True, slots=True)
class State:
    """What the cells go through before they are compared."""

    name: str
    seconds: float | None
    read_noise: bool


STATES = (
    State("programmed", None, read_noise=False),
    *(State(f"{name}, drift", at, read_noise=False) for name, at in TIMES.items()),
    *(State(f"{name}, drift and read noise", at, read_noise=True) for name, at in TIMES.items()),
)


@dataclass(frozen=True, slots=True)
class Row:
    """A preset, state and level: mean and standard deviation of both, and their differences."""

    preset: str
    state: str
    target: float
    ours: tuple[float, float]
    theirs: tuple[float, float]
    z_mean: float
    z_sd: float


def theirs(python: str, cells: int, seed: int) -> dict[str, np.ndarray]:
    """Return aihwkit's draws, microsiemens (levels, cells), by "preset/state"."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "draws.npz"
        asked = {
            "seed": seed,
            "cells": cells,
            "g_max": G_MAX,
            "shares": SHARES,
            "states": [(one.name, one.seconds, float(one.read_noise)) for one in STATES],
            "file": str(file),
        }
        script = Path(__file__).with_name("aihwkit_draws.py")
        # aihwkit 1.1.0 indexes in a way that torch warns of; its numbers are those of its formulas.
        subprocess.run([python, "-W", "ignore", str(script), json.dumps(asked)], check=True)
        with np.load(file) as drawn:
            return dict(drawn)


def ours(preset: str, state: State, cells: int, seed: int) -> np.ndarray:
    """Return rxsim's draws, microsiemens (levels, cells)."""
    device = Device.model_validate(
        {
            "model": preset,
            "time": state.seconds or 0,
            "without": [] if state.read_noise else ["read_noise"],
        }
    )
    levels = np.array(SHARES) * G_MAX[preset] * 1e-6
    target = np.repeat(levels[:, None], cells, axis=1)
    array = PhysicalArray(
        index=0,
        conversion=0,
        target=target,
        blank=np.zeros(target.shape, dtype=bool),
        rows=np.arange(len(levels)),
        row_signs=np.ones(len(levels)),
        cols=np.arange(cells),
        col_signs=np.ones(cells),
        references=np.full(cells, -1),
    )
    # Every state is drawn anew, as aihwkit's are: a layer has its own draws.
    return program(array, STATES.index(state), device, Chip(seed, 0)) * 1e6


def compared(python: str, cells: int, seed: int) -> tuple[str, list[Row]]:
    """Return aihwkit's version, and a row for each preset, state and level."""
    drawn = theirs(python, cells, seed)
    rows = [
        row
        for preset in G_MAX
        for state in STATES
        for row in _rows(
            preset, state, ours(preset, state, cells, seed), drawn[f"{preset}/{state.name}"]
        )
    ]
    return str(drawn["version"]), rows


def _rows(preset: str, state: State, one: np.ndarray, other: np.ndarray) -> Iterator[Row]:
    for share, mine, yours in zip(SHARES, one, other, strict=True):
        z_mean = (mine.mean() - yours.mean()) / np.hypot(
            _error_of_mean(mine), _error_of_mean(yours)
        )
        z_sd = (mine.std() - yours.std()) / np.hypot(_error_of_sd(mine), _error_of_sd(yours))
        yield Row(
            preset,
            state.name,
            share * G_MAX[preset],
            (mine.mean(), mine.std()),
            (yours.mean(), yours.std()),
            float(z_mean),
            float(z_sd),
        )


def _error_of_mean(values: np.ndarray) -> float:
    return float(values.std() / np.sqrt(values.size))


def _error_of_sd(values: np.ndarray) -> float:
    """Return the standard error of a standard deviation, for a distribution of any form."""
    squares = (values - values.mean()) ** 2
    return float(squares.std() / np.sqrt(values.size) / (2 * values.std()))


def _summary(rows: list[Row]) -> Iterator[str]:
    yield "| preset | state | largest \\|z\\| of a mean | of a standard deviation |"
    yield "|---|---|---|---|"
    for preset in G_MAX:
        for state in STATES:
            these = [row for row in rows if (row.preset, row.state) == (preset, state.name)]
            means, sds = (
                max(abs(getattr(row, key)) for row in these) for key in ("z_mean", "z_sd")
            )
            yield f"| `{preset}` | {state.name} | {means:.2f} | {sds:.2f} |"


def _detail(rows: list[Row]) -> Iterator[str]:
    yield "| preset | state | target | mean, rxsim | aihwkit | z | sd, rxsim | aihwkit | z |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for row in rows:
        yield (
            f"| `{row.preset}` | {row.state} | {row.target:.4g} | {row.ours[0]:.4f} | "
            f"{row.theirs[0]:.4f} | {row.z_mean:+.2f} | {row.ours[1]:.4f} | {row.theirs[1]:.4f} | "
            f"{row.z_sd:+.2f} |"
        )


def main() -> int:
    """Print the comparison; return 1 where a difference is too large to be chance."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", required=True, help="interpreter of the environment of aihwkit")
    parser.add_argument("--cells", type=int, default=100_000, help="a level, default 100000")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--detail", action="store_true", help="a row for each level as well")
    given = parser.parse_args()
    version, rows = compared(given.python, given.cells, given.seed)
    scores = np.abs([(row.z_mean, row.z_sd) for row in rows])
    # The chance that the largest of so many standard normal numbers is at least this large.
    chance = 1 - (2 * ndtr(scores.max()) - 1) ** scores.size
    print(
        f"aihwkit {version} with {given.cells:,} cells a level, seed {given.seed}, conductances in "
        f"microsiemens: {scores.size} comparisons, largest |z| {scores.max():.2f} (chance "
        f"{chance:.2f} for equal models), rms z {np.sqrt((scores**2).mean()):.3f}\n"
    )
    print(*_summary(rows), sep="\n")
    if given.detail:
        print("", *_detail(rows), sep="\n")
    return int(chance < 1e-3)


if __name__ == "__main__":
    sys.exit(main())

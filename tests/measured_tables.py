"""Tables of measured cells, made up with plain numpy or drawn from a preset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from rxsim.config import Device, Preset, named_preset
from rxsim.devices import Cells, Chip, Draws, program
from rxsim.devices.law import measured_law
from rxsim.mapping import PhysicalArray


def write_csv(path: Path, columns: Mapping[str, np.ndarray], separator: str = ",") -> Path:
    """Write columns with their names as the header."""
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    lines = [separator.join(map(repr, row)) for row in rows]
    path.write_text("\n".join([separator.join(columns), *lines]) + "\n")
    return path


def normal_table(
    seed: int,
    levels: np.ndarray,
    cells: int,
    sigma: Sequence[float],
    mean: Sequence[float] = (0.0,),
) -> dict[str, np.ndarray]:
    """Program cells with a normal error; coefficients and levels in uS, achieved not below 0."""
    rng = np.random.default_rng(seed)
    target = np.repeat(levels, cells)
    polynomial = np.polynomial.polynomial.polyval
    error = polynomial(target, mean) + polynomial(target, sigma) * rng.standard_normal(len(target))
    return {"target_uS": target, "achieved_uS": np.maximum(target + error, 0)}


def drifting_table(
    seed: int,
    levels: np.ndarray,
    cells: int,
    *,
    nu: tuple[float, float],
    times: Sequence[float],
    t0: float,
    noise: float = 0.0,
    reads: int = 1,
) -> dict[str, np.ndarray]:
    """Program cells and read them later; nu: mean and deviation; noise: relative, of every reading."""
    rng = np.random.default_rng(seed)
    state = normal_table(seed + 1000, levels, cells, [0.02 * float(levels.max())])
    n = cells * len(levels)
    exponents = rng.normal(*nu, n)
    parts: dict[str, list[np.ndarray]] = {"read_uS": [], "time_s": []}
    # The programmed state is read with the same noise.
    achieved = state["achieved_uS"] * (1 + noise * rng.standard_normal(n))
    for time in times:
        for _ in range(reads):
            g = state["achieved_uS"] * ((time + t0) / t0) ** -exponents
            parts["read_uS"].append(g * (1 + noise * rng.standard_normal(n)))
            parts["time_s"].append(np.full(n, time))
    copies = len(parts["time_s"])
    return {
        "cell": np.tile(np.arange(n), copies),
        "target_uS": np.tile(state["target_uS"], copies),
        "achieved_uS": np.tile(achieved, copies),
        **{name: np.concatenate(columns) for name, columns in parts.items()},
    }


def array_of(target: np.ndarray) -> PhysicalArray:
    """An array of these targets, siemens."""
    rows, cols = target.shape
    return PhysicalArray(
        index=0,
        conversion=0,
        target=target,
        blank=np.zeros(target.shape, dtype=bool),
        rows=np.arange(rows),
        row_signs=np.ones(rows),
        cols=np.arange(cols),
        col_signs=np.ones(cols),
        references=np.full(cols, -1),
    )


def drawn(
    device: Device, levels: np.ndarray, cells: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Program cells of a device; targets and conductances, siemens, (levels, cells)."""
    target = np.repeat(levels[:, None], cells, axis=1)
    return target, program(array_of(target), 0, device, Chip(seed, 0))


def without_noise(preset: Preset | str, time: float = 0.0) -> Device:
    """A device that is read without noise."""
    known = named_preset(preset) if isinstance(preset, str) else preset
    steps = ["read_noise"] if "read_noise" in known.laws else []
    return Device.model_validate({"model": preset, "time": time, "without": steps})


def drawn_over_time(
    name: str, levels: np.ndarray, cells: int, seed: int, times: Sequence[float], reads: int
) -> dict[str, np.ndarray]:
    """Program cells of a preset and read them later, each reading with noise of its own."""
    target, programmed = drawn(without_noise(name), levels, cells, seed)
    preset = named_preset(name)
    law = measured_law("read_noise", preset.laws["read_noise"].law)
    columns: dict[str, list[np.ndarray]] = {"time": [], "read [S]": []}
    for number, time in enumerate(times):
        drifted = drawn(without_noise(name, time), levels, cells, seed)[1]
        device = Device(model=name, time=time)
        for read in range(reads):
            draws = Draws(Chip(seed, 1000 + 100 * number + read), 0, 0, law.stream)
            noisy = law.change(drifted, Cells(device, target, target, programmed), draws)
            columns["time"].append(np.full(target.size, time))
            columns["read [S]"].append(np.maximum(noisy, 0).ravel())
    copies = len(columns["time"])
    return {
        "target [S]": np.tile(target.ravel(), copies),
        "achieved [S]": np.tile(programmed.ravel(), copies),
        "cell": np.tile(np.arange(target.size), copies),
        **{key: np.concatenate(parts) for key, parts in columns.items()},
    }

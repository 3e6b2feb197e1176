"""Arrays of cells to program, without a network around them, and where their draws come from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rxsim.config import Device
from rxsim.devices import Chip, Programmed, programmed


@dataclass(frozen=True, eq=False)
class CellArray:
    """Wanted conductances in S; see `rxsim.devices.Target`."""

    target: np.ndarray
    blank: np.ndarray
    index: int = 0


def read(
    device: Device,
    target: np.ndarray,
    *,
    blank: np.ndarray | None = None,
    seed: int = 0,
    trial: int = 0,
    layer: int = 0,
    array: int = 0,
) -> Programmed:
    """Program an array of one chip and read it; targets in S."""
    open_cells = np.zeros(target.shape, bool) if blank is None else blank
    cells = CellArray(target, open_cells, array)
    return programmed(cells, layer, device, Chip(seed, trial), layer_name=f"layer{layer}")


def generator(*key: int, seed: int = 0) -> np.random.Generator:
    """Return the generator of a key of docs/concepts/model.md, section 4."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))

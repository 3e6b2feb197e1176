"""Where rows and columns lie after the design steps of compensation; it needs no data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rxsim.compensate import Residual, check_steps, chosen_steps
from rxsim.config import Settings, layer_settings
from rxsim.load import Network
from rxsim.mapping import MappedLayer, PhysicalArray, map_layer
from rxsim.pipeline.chip.room import threads_that_fit
from rxsim.session import default_threads
from rxsim.stages import Stages
from rxsim.tiles import design_layer, is_linear


@dataclass(frozen=True, slots=True, eq=False)
class ArrayPlacement:
    """What lies on the lines of an array.

    Attributes:
        index: the array's number within its layer.
        rows: for each physical row the input k of its group, -1 for none, int64 (n_rows,).
        cols: for each physical column the readout of its group, -1 for none, int64 (n_cols,).
        references: columns that are subtracted from others, int64.
        moved_rows: rows that lie elsewhere than without steps.
        moved_cols: columns, likewise.
    """

    index: int
    rows: np.ndarray
    cols: np.ndarray
    references: np.ndarray
    moved_rows: int
    moved_cols: int

    @property
    def spare_cols(self) -> int:
        """Columns that carry neither a weight nor a reference."""
        return int((self.cols < 0).sum()) - int((self.cols[self.references] < 0).sum())


@dataclass(frozen=True, slots=True, eq=False)
class LayerPlacement:
    """A layer after its design steps.

    Attributes:
        name: the layer.
        arrays: its arrays; empty where steps must know the calibration inputs.
        residuals: what each step tells.
    """

    name: str
    arrays: tuple[ArrayPlacement, ...]
    residuals: Mapping[str, Residual]

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "layer": self.name,
            "residuals": {
                step: {"before": told.before, "after": told.after, "unit": told.unit}
                for step, told in self.residuals.items()
            },
            "arrays": [
                {
                    "array": array.index,
                    "rows": array.rows.tolist(),
                    "cols": array.cols.tolist(),
                    "references": array.references.tolist(),
                    "spare_cols": array.spare_cols,
                }
                for array in self.arrays
            ],
        }


def take_placement(
    network: Network, settings: Settings, stages: Stages
) -> tuple[LayerPlacement, ...]:
    """Take the design steps of every mapped layer; nothing where there are none.

    Args:
        network: the network.
        settings: of all layers.
        stages: is told how far it is.

    Raises:
        RxsimError: a step can't work with a layer's settings, or an array can't be solved.
    """
    named = ((layer, layer_settings(settings, layer.name)) for layer in network.layers)
    mapped = [(layer, found) for layer, found in named if found is not None]
    check_steps({layer.name: found for layer, found in mapped})
    if not any(chosen_steps(found, "design") for _, found in mapped):
        return ()
    places = []
    with stages("design") as progress:
        for number, (layer, found) in enumerate(mapped):
            places.append(
                _placement(map_layer(layer, found.crossbar, found.device, found.mapping), found)
            )
            progress(number + 1, len(mapped))
    return tuple(places)


def _placement(before: MappedLayer, settings: Settings) -> LayerPlacement:
    name = before.layer.name
    if not is_linear(settings):  # whose cells are made linear where calibration inputs drive them
        return LayerPlacement(name, (), {})
    threads = threads_that_fit(default_threads(), before, settings)
    design = design_layer(before, settings, threads=threads)
    arrays = tuple(
        _array(before.array(index), design.layer.array(index)) for index in range(before.n_arrays)
    )
    inputs, readouts = before.tiling.n_inputs, before.readouts.count
    return LayerPlacement(
        name, tuple(_in_group(array, inputs, readouts) for array in arrays), design.residuals
    )


def _array(before: PhysicalArray, after: PhysicalArray) -> ArrayPlacement:
    return ArrayPlacement(
        index=after.index,
        rows=after.rows,
        cols=after.cols,
        references=np.unique(after.references[after.references >= 0]),
        moved_rows=int(((before.rows != after.rows) & (after.rows >= 0)).sum()),
        moved_cols=int(((before.cols != after.cols) & (after.cols >= 0)).sum()),
    )


def _in_group(array: ArrayPlacement, inputs: int, readouts: int) -> ArrayPlacement:
    """Count inputs and readouts from 0 in each group."""
    rows = np.where(array.rows >= 0, array.rows % inputs, -1)
    cols = np.where(array.cols >= 0, array.cols % readouts, -1)
    return ArrayPlacement(
        array.index, rows, cols, array.references, array.moved_rows, array.moved_cols
    )

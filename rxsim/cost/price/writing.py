"""Writing a network once, and testing a chip before it works: pulses, reads, and their energy.

    E = pulses x energy of a pulse
    t = ceil(cells of an array / cells at once) x mean pulses of a cell x time of a pulse

Arrays are written side by side, so the slowest layer's array sets the time. Source:
docs/concepts/cost.md, "Writing".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rxsim.cost.price.layer import LayerCost
from rxsim.cost.price.steps import StepCost
from rxsim.cost.technology import Technology


@dataclass(frozen=True, slots=True)
class LayerPulses:
    """Pulses of a layer's cells, as program-and-verify took them on arrays of a chip.

    Attributes:
        per_cell: mean pulses of a cell.
        error: its standard error, from the arrays that were left out; None where a single one of
            several tells none.
        arrays: that were programmed.
        of: arrays of the layer.
    """

    per_cell: float
    error: float | None
    arrays: int
    of: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WritingCost:
    """What it takes to write all arrays once.

    Attributes:
        cells: that are written, of all copies.
        pulses: that it takes, as program-and-verify counts them; without it one a cell.
        pulses_error: standard error of the pulses where arrays were sampled; None: not known.
        programmed: arrays that were programmed to count pulses; 0: none was.
        programmed_of: arrays of their layers.
        energy_j: of all pulses, J; None: the technology does not state a pulse.
        seconds: with all arrays written at the same time, s; None: as above.
        test_reads: products of calibration inputs that compensation reads from a chip.
        test_cell_reads: cells that it reads one by one.
        test_energy_j: of these products, J.
    """

    cells: int
    pulses: float
    pulses_error: float | None
    programmed: int
    programmed_of: int
    energy_j: float | None
    seconds: float | None
    test_reads: int
    test_cell_reads: int
    test_energy_j: float

    @property
    def pulses_per_cell(self) -> float | None:
        """Mean pulses of a cell; None where no cell is written."""
        return self.pulses / self.cells if self.cells else None

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return values | {"pulses_per_cell": self.pulses_per_cell}


def writing_cost(
    layers: Iterable[LayerCost],
    technology: Technology,
    steps: Sequence[StepCost] = (),
    pulses: Mapping[str, LayerPulses] | None = None,
) -> WritingCost:
    """Price the writing of a network, and the tests of its compensation.

    Args:
        layers: priced.
        technology: with its pulse, where it states one.
        steps: of compensation, priced.
        pulses: by layer, where they were counted; the layers' counts hold their means.
    """
    own = [layer for layer in layers if layer.counts.shared_with is None]
    pulse = technology.write
    number = sum(layer.counts.hardware.write_pulses * layer.replicas for layer in own)
    counted = [(pulses or {}).get(layer.name) for layer in own]
    programmed = [each for each in counted if each is not None]
    return WritingCost(
        cells=sum(layer.counts.hardware.cells_written * layer.replicas for layer in own),
        pulses=number,
        pulses_error=_error(own, counted),
        programmed=sum(each.arrays for each in programmed),
        programmed_of=sum(each.of for each in programmed),
        energy_j=None if pulse is None else number * pulse.energy_j,
        seconds=None if pulse is None else _slowest(own, pulse.cells_at_once) * pulse.time_s,
        test_reads=sum(step.test_reads for step in steps),
        test_cell_reads=sum(step.test_cell_reads for step in steps),
        test_energy_j=sum(step.test_energy_j for step in steps),
    )


def _slowest(layers: list[LayerCost], cells_at_once: int) -> float:
    """Return the pulses that an array takes one after the other, in the layer where it takes most."""
    slowest = 0.0
    for layer in layers:
        hardware = layer.counts.hardware
        if hardware.arrays and hardware.cells_written:
            # Assumption: arrays of a layer hold equally many cells that are written.
            in_turn = math.ceil(hardware.cells_written / hardware.arrays / cells_at_once)
            slowest = max(slowest, in_turn * hardware.write_pulses / hardware.cells_written)
    return slowest


def _error(layers: list[LayerCost], counted: list[LayerPulses | None]) -> float | None:
    """Return the standard error of all pulses: arrays of each layer are drawn by themselves."""
    square = 0.0
    for layer, pulses in zip(layers, counted, strict=True):
        if pulses is None:
            continue
        if pulses.error is None:
            return None
        cells = layer.counts.hardware.cells_written * layer.replicas
        square += (cells * pulses.error) ** 2
    return math.sqrt(square)

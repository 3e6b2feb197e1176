"""Writing a network once, and testing a chip before it works: pulses, reads, and their energy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rxsim.cost.price.layer import LayerCost
from rxsim.cost.technology import Technology

_READING = ("array_read", "dac_drive", "sample", "conversion", "shift_add")


@dataclass(frozen=True, slots=True, kw_only=True)
class WritingCost:
    """What it takes to write all arrays once.

    Attributes:
        cells: that are written, of all copies.
        pulses: that it takes, as program-and-verify counts them; without it one a cell.
        energy_j: of all pulses, J; None: the technology does not state a pulse.
        seconds: with all arrays written at the same time, s; None: as above.
        test_reads: products of calibration inputs that compensation reads from a chip.
        test_cell_reads: cells that it reads one by one.
        test_energy_j: of these products, J.
    """

    cells: int
    pulses: float
    energy_j: float | None
    seconds: float | None
    test_reads: int
    test_cell_reads: int
    test_energy_j: float | None

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def writing_cost(
    layers: Iterable[LayerCost], technology: Technology, calibration_inputs: int
) -> WritingCost:
    """Price the writing of a network, and the tests of its compensation.

    A test reads the products of every calibration input, so many times as the steps ask for: each costs
    what arrays, DACs, sample-and-holds, ADCs and shift-and-adds of the layer take for an inference.

    Args:
        layers: priced.
        technology: with its pulse, where it states one.
        calibration_inputs: inputs that tests read.
    """
    own = [layer for layer in layers if layer.counts.shared_with is None]
    hardware = [layer.counts.hardware for layer in own]
    pulse = technology.write
    pulses = [each.write_pulses * layer.replicas for each, layer in zip(hardware, own, strict=True)]
    slowest = max((each.write_pulses / each.arrays for each in hardware if each.arrays), default=0)
    reads = {layer.name: layer.counts.needs.reads * calibration_inputs for layer in own}
    return WritingCost(
        cells=sum(
            each.cells_written * layer.replicas for each, layer in zip(hardware, own, strict=True)
        ),
        pulses=sum(pulses),
        energy_j=None if pulse is None else sum(pulses) * pulse.energy_j,
        seconds=None if pulse is None else slowest / pulse.cells_at_once * pulse.time_s,
        test_reads=sum(reads.values()),
        test_cell_reads=sum(layer.counts.needs.cell_reads * layer.replicas for layer in own),
        test_energy_j=_test_energy(own, reads),
    )


def _test_energy(layers: list[LayerCost], reads: dict[str, int]) -> float | None:
    energy = 0.0
    for layer in layers:
        for each in layer.components:
            if each.action in _READING:
                energy += (each.energy_j or 0.0) * reads[layer.name]
    return energy

"""How good the weight transformation is where arrays are not linear: against full solutions.

Tiles of every such layer are solved in full for real calibration inputs, every pass of them, and their
readouts compared with what the patched network computes: the inputs' curve times the chord matrix.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rxsim import tiles
from rxsim.circuit import OperatingPoint, full_currents
from rxsim.config import Settings
from rxsim.converters import Adc, InputPlan, InputVectors, layer_input_plan
from rxsim.devices import Chip
from rxsim.encodings import Pass
from rxsim.mapping import MappedLayer
from rxsim.onnx_graph import with_outputs
from rxsim.parallel import ordered
from rxsim.pipeline.chip.foundry import Foundry
from rxsim.scenarios import nominal
from rxsim.seeds import Sample, sample_generator
from rxsim.session import Session

TILES, INPUTS, POSITIONS = 2, 4, 2
"""Tiles of a layer, calibration inputs, and positions of each that are solved in full."""
FLAGGED = 0.5
"""A layer whose error exceeds this many LSB (root mean square) is flagged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transformation:
    """Error of a layer's readouts against full solutions.

    Attributes:
        solutions: how many full solutions of an array it comes from.
        rms_share: root mean square, of the ADC's range (of the largest current without ADC).
        worst_share: largest, likewise.
        rms_lsb: root mean square in LSB of the ADC; None without.
        worst_lsb: largest, likewise.
        plain_rms_lsb: what chords without the inputs' curve would have given; None without ADC.
        plain_rms_share: likewise, of the range.
        flagged: whether the error exceeds half an LSB.
    """

    solutions: int
    rms_share: float
    worst_share: float
    rms_lsb: float | None
    worst_lsb: float | None
    plain_rms_lsb: float | None
    plain_rms_share: float
    flagged: bool


def measure_transformation(foundry: Foundry) -> dict[str, Transformation]:
    """Compare the transformation with full solutions on nominal devices, by layer name."""
    mapped, study = foundry.mapped, foundry.study
    layers = [layer for layer in mapped.layers if layer.layer.name in mapped.points]
    if not layers:
        return {}
    rng = sample_generator(study.settings.seed, Sample.TRANSFORMATION)
    names = list(dict.fromkeys(layer.layer.input for layer in layers))
    session = Session(
        with_outputs(study.network.model, names), "the float network", study.network.fixed_batch
    )
    size = study.network.fixed_batch or min(INPUTS, len(study.calibration))
    tensors = dict(zip(names, session.run_inputs(study.calibration, names, 0, size), strict=True))
    adcs = {item.layer.name: adc for item, adc in zip(mapped.layers, foundry.adcs, strict=True)}
    results = {}
    with study.stages("full solutions") as progress:
        for number, layer in enumerate(layers):
            name = layer.layer.name
            settings = mapped.settings[name]
            plan = layer_input_plan(name, mapped.input_ranges[name], settings)
            probe = _Probe(layer, settings, plan, mapped.points[name], adcs[name])
            values = tensors[layer.layer.input]
            results[name] = probe.measure(
                values if values.size else layer.layer.full_input, rng, study.threads
            )
            progress(number + 1, len(layers))
    return results


@dataclass(frozen=True, slots=True, eq=False)
class _Probe:
    """One layer whose tiles are solved in full.

    Attributes:
        layer: the layer on its arrays.
        settings: its settings.
        plan: its inputs.
        point: where its arrays are made linear.
        adc: its nominal converters.
    """

    layer: MappedLayer
    settings: Settings
    plan: InputPlan
    point: OperatingPoint
    adc: Adc | None

    def measure(self, values: np.ndarray, rng: np.random.Generator, threads: int) -> Transformation:
        """Solve some tiles in full.

        Args:
            values: the layer's input tensor for some calibration inputs.
            rng: chooses tiles, positions and pulses.
            threads: arrays solved side by side.
        """
        tiling, plan = self.layer.tiling, self.plan
        codes = InputVectors(self.layer.layer, plan.dac.codes(values))
        positions = rng.choice(
            codes.positions, min(len(values) * POSITIONS, codes.positions), replace=False
        )
        tiles = np.sort(rng.choice(tiling.n_tiles, min(TILES, tiling.n_tiles), replace=False))
        numbers = [
            int(tile) * tiling.arrays_per_tile + a
            for tile in tiles
            for a in range(tiling.arrays_per_tile)
        ]
        # The same pulses reach all arrays of a layer.
        chances = rng.random((len(positions), tiling.groups * tiling.n_inputs))
        readouts: dict[tuple[int, int, int], np.ndarray] = {}

        def work(number: int) -> list[tuple[tuple[int, int, int], np.ndarray]]:
            return self._array(number, codes, positions, chances)

        for parts in ordered(work, numbers, threads):
            for key, currents in parts:
                readouts[key] = readouts.get(key, 0) + currents
        solved = sum(
            len(plan.encoding.levels(part, plan.codes, chances))
            for _, converted in self._passes()
            for _, part in converted.parts
        )
        return self._summary(readouts, len(numbers) * len(positions) * solved)

    def _passes(self) -> list[tuple[int, Pass]]:
        """List the passes that are solved: of many random pulses one speaks for all."""
        numbered = list(enumerate(self.plan.passes))
        return numbered[:1] if self.plan.encoding.is_random else numbered

    def _array(
        self, number: int, codes: InputVectors, positions: np.ndarray, chances: np.ndarray
    ) -> list[tuple[tuple[int, int, int], np.ndarray]]:
        """Solve one array for every pass.

        Returns:
            For each pass and readout (pass, row tile, readout), ampere: in full, transformed, and by
            chords alone, (3, vectors).
        """
        chip = Chip(self.settings.seed, 0)
        programmed = tiles.program_array(self.layer, number, nominal(self.settings), chip)
        array, g = programmed.array, programmed.g
        driven, read = np.flatnonzero(array.rows >= 0), np.flatnonzero(array.cols >= 0)
        every = np.arange(g.shape[1])
        chords = tiles.array_matrix(g, self.settings, self.point, driven, every)
        given = codes.at(array.rows, array.row_signs, positions)
        results = []
        for place, converted in self._passes():
            total = np.zeros((3, len(positions), g.shape[1]))
            for share, part in converted.parts:
                voltages = self._voltages(part, given, chances[:, array.rows])
                for volts in voltages:
                    volts[:, array.rows < 0] = 0.0
                    if not volts.any():
                        continue
                    full = full_currents(g, self.settings.crossbar, self.point, volts)
                    by_curve = self.point.linear_volts(volts)[:, driven] @ chords
                    plain = volts[:, driven] @ chords
                    total += np.stack([full, by_curve, plain]) * (share / len(voltages))
            off = array.references[read]
            currents = total[..., read] - np.where(off >= 0, total[..., off], 0.0)
            currents = currents * array.col_signs[read]
            for at, col in enumerate(array.cols[read]):
                results.append(((place, array.conversion, int(col)), currents[..., at]))
        return results

    def _voltages(self, pulse: Pass, codes: np.ndarray, chances: np.ndarray) -> list[np.ndarray]:
        """List what drives the rows at each instant of a pulse, volt, (vectors, n_rows).

        Args:
            pulse: what wordlines carry at a time.
            codes: of each row, (vectors, n_rows).
            chances: a random number in [0, 1) for each, likewise.
        """
        encoding, units = self.plan.encoding, pulse.units.of(codes)
        return [
            encoding.volts(pulse, units, self.plan.codes, level)
            for level in encoding.levels(pulse, self.plan.codes, chances)
        ]

    def _summary(
        self, readouts: dict[tuple[int, int, int], np.ndarray], solutions: int
    ) -> Transformation:
        """Judge the errors by the range and the LSB of each readout's converter."""
        full = np.array([currents[0] for currents in readouts.values()])
        errors = np.array([currents[1:] - currents[0] for currents in readouts.values()])
        lsb = None
        if self.adc is None:
            largest = np.full((len(full), 1), np.abs(full).max() or 1.0)
        else:
            tiles = len(self.adc.high) // len(self.plan.passes)
            count = self.layer.readouts.count
            rows = [
                (place * tiles + (p if tiles > 1 else 0), *divmod(col, count))
                for place, p, col in readouts
            ]
            lsb = np.array([self.adc.lsb[row] for row in rows])[:, None]
            largest = lsb * self.adc.high[[row[0] for row in rows]][:, None]
        share = errors / largest[:, None]
        rms_share, plain_share = (float(np.sqrt((share[:, k] ** 2).mean())) for k in (0, 1))
        if lsb is None:
            worst = float(np.abs(share[:, 0]).max())
            return Transformation(
                solutions=solutions,
                rms_share=rms_share,
                worst_share=worst,
                rms_lsb=None,
                worst_lsb=None,
                plain_rms_lsb=None,
                plain_rms_share=plain_share,
                flagged=False,
            )
        in_lsb = errors / lsb[:, None]
        rms, plain = (float(np.sqrt((in_lsb[:, k] ** 2).mean())) for k in (0, 1))
        return Transformation(
            solutions=solutions,
            rms_share=rms_share,
            worst_share=float(np.abs(share[:, 0]).max()),
            rms_lsb=rms,
            worst_lsb=float(np.abs(in_lsb[:, 0]).max()),
            plain_rms_lsb=plain,
            plain_rms_share=plain_share,
            flagged=rms > FLAGGED,
        )

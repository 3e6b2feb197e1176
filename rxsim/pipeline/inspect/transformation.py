"""How good the weight transformation is where arrays are not linear: against full solutions.

Tiles of every such layer are solved in full for real calibration inputs, every pass of them, and their
readouts compared with what the patched network computes: the drive's curve times the chord matrix.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rxsim import tiles
from rxsim.circuit import OperatingPoint, full_currents
from rxsim.config import Settings
from rxsim.converters import (
    Adc,
    Dac,
    Drive,
    LayerDrive,
    Pass,
    driven_passes,
    full_units,
    layer_drive,
    parts_of,
)
from rxsim.devices import Chip
from rxsim.mapping import MappedLayer
from rxsim.parallel import ordered
from rxsim.pipeline.chip.foundry import Foundry
from rxsim.scenarios import nominal
from rxsim.seeds import Sample, sample_generator
from rxsim.session import Session, with_outputs

TILES, INPUTS, POSITIONS = 2, 4, 2
"""Tiles of a layer, calibration inputs, and positions of each that are solved in full."""
FLAGGED = 0.5
"""A layer whose error exceeds this many LSB (root mean square) is flagged."""
# A pulse's width is resolved this finely: the error of an average over its time is far below an LSB.
_INSTANTS = 32


@dataclass(frozen=True, slots=True)
class Transformation:
    """Error of a layer's readouts against full solutions.

    Attributes:
        solutions: how many full solutions of an array it comes from.
        rms_share: root mean square, of the ADC's range (of the largest current without ADC).
        worst_share: largest, likewise.
        rms_lsb: root mean square in LSB of the ADC; None without.
        worst_lsb: largest, likewise.
        plain_rms_lsb: what chords without the drive's curve would have given; None without ADC.
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
    layers = [one for one in mapped.layers if one.layer.name in mapped.points]
    if not layers:
        return {}
    rng = sample_generator(study.settings.seed, Sample.TRANSFORMATION)
    names = list(dict.fromkeys(one.layer.input for one in layers))
    session = Session(
        with_outputs(study.network.model, names), "the float network", study.network.fixed_batch
    )
    size = study.network.fixed_batch or min(INPUTS, len(study.calibration))
    found = dict(zip(names, session.run_inputs(study.calibration, names, 0, size), strict=True))
    adcs = {item.layer.name: adc for item, adc in zip(mapped.layers, foundry.adcs, strict=True)}
    results = {}
    with study.stages("full solutions") as progress:
        for number, one in enumerate(layers):
            name = one.layer.name
            own = mapped.settings[name]
            measured = mapped.input_ranges[name]
            drive, each = layer_drive(name, measured, own), driven_passes(name, measured, own)
            probe = _Probe(one, own, drive, each, mapped.points[name], adcs[name])
            results[name] = probe.measure(found[one.layer.input], rng, study.threads)
            progress(number + 1, len(layers))
    return results


@dataclass(frozen=True, slots=True, eq=False)
class _Probe:
    """One layer whose tiles are solved in full.

    Attributes:
        layer: the layer on its arrays.
        own: its settings.
        drive: its passes as they are converted.
        each: its passes as they are driven one by one.
        point: where its arrays are made linear.
        adc: its nominal converters.
    """

    layer: MappedLayer
    own: Settings
    drive: Drive
    each: tuple[Pass, ...]
    point: OperatingPoint
    adc: Adc | None

    def measure(self, values: np.ndarray, rng: np.random.Generator, threads: int) -> Transformation:
        """Solve some tiles in full.

        Args:
            values: the layer's input tensor for some calibration inputs.
            rng: chooses tiles, positions and pulses.
            threads: arrays solved side by side.
        """
        tiling, dac = self.layer.tiling, self.drive.dac
        codes = LayerDrive(self.layer.layer, Dac(dac.code_per_x, 1.0, dac.low, dac.high), values)
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
        pulses = rng.random((len(positions), tiling.groups * tiling.n_inputs))
        found: dict[tuple[int, int, int], np.ndarray] = {}

        def work(number: int) -> list[tuple[tuple[int, int, int], np.ndarray]]:
            return self._array(number, codes, positions, pulses)

        for parts in ordered(work, numbers, threads):
            for key, currents in parts:
                found[key] = found.get(key, 0) + currents
        solved = sum(
            self._instants(part) or 1 for _, one in self._passes() for _, part in self._parts(one)
        )
        return self._summary(found, len(numbers) * len(positions) * solved)

    def _passes(self) -> list[tuple[int, Pass]]:
        """List the passes that are solved: of many random pulses one speaks for all."""
        numbered = list(enumerate(self.drive.passes))
        return numbered[:1] if self.drive.pulses else numbered

    def _parts(self, one: Pass) -> list[tuple[float, Pass]]:
        return parts_of(one, self.each)

    def _array(
        self, number: int, codes: LayerDrive, positions: np.ndarray, pulses: np.ndarray
    ) -> list[tuple[tuple[int, int, int], np.ndarray]]:
        """Solve one array for every pass.

        Returns:
            For each pass and readout (pass, row tile, readout), ampere: in full, transformed, and by
            chords alone, (3, vectors).
        """
        chip = Chip(self.own.seed, 0)
        programmed = tiles.program_array(self.layer, number, nominal(self.own), chip)
        array, g = programmed.array, programmed.g
        driven, read = np.flatnonzero(array.rows >= 0), np.flatnonzero(array.cols >= 0)
        every = np.arange(g.shape[1])
        chords = tiles.array_matrix(g, self.own, self.point, driven, every)
        units = codes.volts(array.rows, array.row_signs, positions)
        results = []
        for place, one in self._passes():
            total = np.zeros((3, len(positions), g.shape[1]))
            for share, part in self._parts(one):
                voltages = list(self._voltages(part, units, pulses[:, array.rows]))
                for volts in voltages:
                    volts[:, array.rows < 0] = 0.0
                    if not volts.any():
                        continue
                    full = full_currents(g, self.own.crossbar, self.point, volts)
                    by_curve = self.point.linear_volts(volts)[:, driven] @ chords
                    plain = volts[:, driven] @ chords
                    total += np.stack([full, by_curve, plain]) * (share / len(voltages))
            off = array.references[read]
            currents = total[..., read] - np.where(off >= 0, total[..., off], 0.0)
            currents = currents * array.col_signs[read]
            for at, col in enumerate(array.cols[read]):
                results.append(((place, array.conversion, int(col)), currents[..., at]))
        return results

    def _voltages(
        self, one: Pass, units: np.ndarray, thresholds: np.ndarray
    ) -> Iterator[np.ndarray]:
        """Yield what drives the rows at each instant of a pass, volt, (vectors, n_rows)."""
        encoding, v_read = self.own.input.encoding, self.own.input.v_read
        values = one.units(units)
        if encoding not in ("pulse_width", "stochastic"):
            yield values * one.volt
            return
        signs = np.sign(values)
        shares = np.abs(values) / full_units(one, self.drive.dac, v_read)
        if encoding == "stochastic":
            yield signs * (shares > thresholds) * v_read
            return
        instants = self._instants(one)
        for instant in range(instants):
            yield signs * (shares > (instant + 0.5) / instants) * v_read

    def _instants(self, one: Pass) -> int:
        """Return at how many instants of a pulse its width is looked at; 0 where it has none."""
        if self.own.input.encoding != "pulse_width":
            return 0
        if self.drive.dac.high is None:
            return _INSTANTS
        return min(_INSTANTS, round(full_units(one, self.drive.dac, self.own.input.v_read)))

    def _summary(
        self, found: dict[tuple[int, int, int], np.ndarray], solutions: int
    ) -> Transformation:
        """Judge the errors by the range and the LSB of each readout's converter."""
        full = np.array([currents[0] for currents in found.values()])
        errors = np.array([currents[1:] - currents[0] for currents in found.values()])
        lsb = None
        if self.adc is None:
            largest = np.full((len(full), 1), np.abs(full).max() or 1.0)
        else:
            tiles = len(self.adc.high) // len(self.drive.passes)
            count = self.layer.readouts.count
            rows = [
                (place * tiles + (p if tiles > 1 else 0), *divmod(col, count))
                for place, p, col in found
            ]
            lsb = np.array([self.adc.lsb[row] for row in rows])[:, None]
            largest = lsb * self.adc.high[[row[0] for row in rows]][:, None]
        share = errors / largest[:, None]
        rms_share, plain_share = (float(np.sqrt((share[:, k] ** 2).mean())) for k in (0, 1))
        if lsb is None:
            worst = float(np.abs(share[:, 0]).max())
            return Transformation(
                solutions, rms_share, worst, None, None, None, plain_share, flagged=False
            )
        in_lsb = errors / lsb[:, None]
        rms, plain = (float(np.sqrt((in_lsb[:, k] ** 2).mean())) for k in (0, 1))
        return Transformation(
            solutions,
            rms_share,
            float(np.abs(share[:, 0]).max()),
            rms,
            float(np.abs(in_lsb[:, 0]).max()),
            plain,
            plain_share,
            flagged=rms > FLAGGED,
        )

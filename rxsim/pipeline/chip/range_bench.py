"""Nominal hardware on the bench: what other ranges of converters do to each layer's output."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from rxsim.calibrate import InputRange
from rxsim.config import Settings, settings_changed
from rxsim.converters import Adc, layer_input_plan
from rxsim.devices import Chip
from rxsim.mapping import MappedLayer, Readouts
from rxsim.onnx_graph import with_outputs
from rxsim.parallel import ordered
from rxsim.patch import LayerHardware, NetworkBeside, patch_beside
from rxsim.pipeline.chip.equip import calibrate_adcs, equip
from rxsim.pipeline.chip.mapped import Mapped
from rxsim.pipeline.chip.solved import SolvedArrays
from rxsim.pipeline.study.study import Study
from rxsim.scenarios import Scenario, nominal, perfect
from rxsim.session import Session
from rxsim.tiles import LayerTransfer

_BLOCKS = 16
"""Blocks of calibration inputs; half of them choose, the others judge."""


class NominalBench:
    """Nominal hardware on the bench; see `rxsim.compensate.RangeBench`."""

    def __init__(
        self,
        study: Study,
        scenario: Scenario,
        mapped: Mapped,
        solved: SolvedArrays,
        inputs: int | None = None,
    ) -> None:
        """Take a scenario's hardware; its arrays are solved when they are first needed.

        Args:
            study: the study.
            scenario: which effects are on.
            mapped: its layers, with the ranges that factors multiply.
            solved: gives nominal arrays.
            inputs: calibration inputs that are measured, at most; None for all.
        """
        self._study, self._scenario, self._mapped = study, scenario, mapped
        self._solved, self._inputs = solved, inputs
        self._adcs: dict[tuple[tuple[str, float], ...], list[Adc | None]] = {}

    @property
    def layers(self) -> tuple[MappedLayer, ...]:
        """The layers."""
        return self._mapped.layers

    @property
    def with_dac(self) -> frozenset[str]:
        """Names of the layers whose input range can be chosen."""
        stated = self._study.stated_input_ranges()
        return frozenset(
            name
            for name, settings in self._mapped.settings.items()
            if settings.dac.n_bits is not None and name not in stated
        )

    @property
    def with_adc(self) -> frozenset[str]:
        """Names of the layers whose ADC range can be chosen."""
        return frozenset(
            name
            for name, settings in self._mapped.settings.items()
            if settings.adc.n_bits is not None and settings.adc.range != "unit_lsb"
        )

    def on(self, inputs: int) -> NominalBench:
        """Return the bench with at most so many of the calibration inputs."""
        return NominalBench(self._study, self._scenario, self._mapped, self._solved, inputs)

    def square_errors(
        self,
        layers: Collection[str],
        dac: Mapping[str, float],
        adc: Mapping[str, float] | None,
    ) -> Mapping[str, np.ndarray]:
        """Measure the square errors of layers' outputs, block by block."""
        adcs = {} if adc is None else self._calibrated(dac)
        factors = adc or {}
        hardware = [
            _converted(item, adcs.get(name), factors.get(name, 1.0))
            for item in self._equipped(dac)
            for name in [item.layer.name]
            if name in layers
        ]
        return self._measured(hardware)

    def _equipped(self, dac: Mapping[str, float]) -> list[LayerHardware]:
        """Put DACs of such ranges in front of all layers' arrays."""
        plain, transfers, levels = self._arrays
        mapped = replace(plain, input_ranges=scaled_ranges(plain.input_ranges, dac))
        return equip(mapped, transfers, lambda: levels, Chip(self._study.settings.seed, 0))

    @cached_property
    def _arrays(self) -> tuple[Mapped, list[LayerTransfer], list[LayerTransfer]]:
        """The layers on nominal devices, what their arrays compute, and what these do without wires."""
        plain = self._mapped.under(nominal)
        perfected = self._mapped.under(perfect)
        return plain, self._solved.nominal(plain), self._solved.nominal(perfected)

    def _behind(self, dac: Mapping[str, float]) -> Mapped:
        """Return the layers with other input ranges."""
        ranges = scaled_ranges(self._mapped.input_ranges, dac)
        return replace(self._mapped, input_ranges=ranges)

    def _calibrated(self, dac: Mapping[str, float]) -> Mapping[str, Adc | None]:
        """Calibrate the ADCs behind such inputs, once."""
        key = tuple(sorted((name, factor) for name, factor in dac.items() if factor != 1))
        if key not in self._adcs:
            mapped, open_layers = self._behind(dac), self._equipped(dac)
            self._adcs[key] = calibrate_adcs(self._study, mapped, open_layers, self._scenario)
        names = (layer.layer.name for layer in self._mapped.layers)
        return dict(zip(names, self._adcs[key], strict=True))

    @cached_property
    def _beside(self) -> NetworkBeside:
        """The float network with the products of the float weights apart from bias and activation."""
        ranges = self._mapped.input_ranges
        exact = [float_hardware(layer, ranges[layer.layer.name]) for layer in self._mapped.layers]
        return patch_beside(self._study.network.model, exact)

    def _measured(self, layers: Sequence[LayerHardware]) -> Mapping[str, np.ndarray]:
        """Run hardware beside the float network over blocks of the calibration inputs."""
        study, wanted = self._study, self._beside
        found = patch_beside(wanted.model, layers)
        pairs = {
            name: list(zip(wanted.products[name], products, strict=True))
            for name, products in found.products.items()
        }
        names = list(dict.fromkeys(one for two in pairs.values() for pair in two for one in pair))
        session = Session(
            with_outputs(found.model, names), "the arrays beside it", study.network.fixed_batch
        )
        starts, size = self._blocks

        def work(start: int) -> np.ndarray:
            stop = min(start + size, len(study.calibration))
            results = session.run_inputs(study.calibration, names, start, stop)
            tensors = dict(zip(names, results, strict=True))
            return np.array([_sums(tensors, two) for two in pairs.values()])

        with study.stages("ranges") as progress:
            sums = []
            for each in ordered(work, starts, session.in_flight(study.in_flight)):
                sums.append(each)
                progress(len(sums), len(starts))
        errors, signal = np.moveaxis(np.stack(sums), -1, 0)
        mean = signal.mean(axis=0)
        shares = errors / np.where(mean > 0, mean, 1.0)
        return {name: shares[:, at] for at, name in enumerate(pairs)}

    @property
    def _blocks(self) -> tuple[list[int], int]:
        """Where each block of calibration inputs begins, evenly spread, and its inputs."""
        total = len(self._study.calibration)
        count = min(self._inputs or total, total)
        size = self._study.network.fixed_batch or min(self._study.batch, max(1, count // _BLOCKS))
        number = max(1, min(_BLOCKS, count // size))
        starts = np.linspace(0, max(total - size, 0), number).astype(np.int64)
        return starts.tolist(), size


def scaled_ranges(
    ranges: Mapping[str, InputRange], factors: Mapping[str, float]
) -> dict[str, InputRange]:
    """Multiply input ranges by factors, by layer name."""
    return {
        name: replace(known, x_max=known.x_max * factors.get(name, 1.0))
        for name, known in ranges.items()
    }


def float_hardware(mapped: MappedLayer, measured: InputRange) -> LayerHardware:
    """Return a layer as its float weights: no converter, no cells.

    Args:
        mapped: the layer.
        measured: its input range.
    """
    layer = mapped.layer
    settings = settings_changed(Settings(), {"dac.n_bits": None, "adc.n_bits": None}, "float")
    plan = layer_input_plan(layer.name, measured, settings)
    matrices = layer.matrices.astype(np.float64)
    return LayerHardware(
        layer=layer,
        tiling=replace(
            mapped.tiling,
            groups=layer.groups,
            packed=1,
            n_inputs=layer.n_inputs,
            n_outputs=layer.n_outputs,
        ),
        readouts=Readouts.plain(layer.n_outputs),
        input_plan=plan,
        rows=(np.arange(layer.n_inputs),),
        matrices=(matrices,),
        scale=np.full((1, layer.groups, layer.n_outputs), plan.x_per_volt),
        removed=0.0,
        constant=None,
        is_difference=True,
    )


def _converted(item: LayerHardware, adc: Adc | None, factor: float) -> LayerHardware:
    """Put ADCs behind a layer's arrays, their ranges multiplied."""
    return item if adc is None else item.with_adc(replace(adc, lsb=adc.lsb * factor))


def _sums(
    tensors: Mapping[str, np.ndarray], pairs: Sequence[tuple[str, str]]
) -> tuple[float, float]:
    """Sum the squares of a layer's errors and of its outputs."""
    error = signal = 0.0
    for wanted, found in pairs:
        exact = tensors[wanted]
        # Differences in float32: numbers that are near each other have exact ones.
        error += _square_sum(tensors[found] - exact)
        signal += _square_sum(exact)
    return error, signal


def _square_sum(values: np.ndarray) -> float:
    flat = values.ravel().astype(np.float64)
    return float(flat @ flat)

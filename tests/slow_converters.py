"""One layer with static converter errors in plain numpy, from their description alone.

What a layer has without errors (matrices, ranges, terms of outputs) comes from nominal hardware.
Draws, voltages row by row, codes and decoding are written out here again.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from rxsim.config import Settings
from rxsim.converters import Adc
from rxsim.patch import LayerHardware

DAC, ADC = 3, 4
NEAR = 4e-3  # LSB: nearer to a threshold, float32 may round to the other side


def stream(seed: int, trial: int, layer: int, effect: int, kind: int) -> np.random.Generator:
    key = (trial, layer, effect, 0, kind)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))


def curve_of(inl, dnl, codes: int, streams) -> np.ndarray:
    """INL and summed DNL of one converter after the other; `streams` are two generators."""
    t = np.linspace(0, 1, codes)
    total = np.zeros(codes)
    if isinstance(inl, tuple):
        total += np.interp(t, np.linspace(0, 1, len(inl)), inl)
    elif inl:
        heights = streams[0].standard_normal(4)
        bow = sum(h / k * np.sin(k * np.pi * t) for k, h in enumerate(heights, start=1))
        total += bow * inl / np.abs(bow).max()
    steps = np.zeros(codes - 1)
    if isinstance(dnl, tuple):
        steps = np.interp(np.linspace(0, 1, codes - 1), np.linspace(0, 1, len(dnl)), dnl)
    elif dnl:
        steps = dnl * streams[1].standard_normal(codes - 1)
    summed = np.concatenate([[0], np.cumsum(steps)])
    return total + summed - t * summed[-1]


@dataclass
class Driven:
    """What DACs drive in one go: units of each input, what their current counts, the DAC's codes."""

    units: np.ndarray
    weight: float
    low: int
    high: int


def driven(codes: np.ndarray, settings: Settings, signed: bool, steps: int) -> list[list[Driven]]:
    """List what is driven, those of one conversion together."""
    how, n = settings.input.signed_input, settings.dac.n_bits
    positive, negative = np.maximum(codes, 0), np.maximum(-codes, 0)
    if settings.input.encoding in ("amplitude", "pulse_width"):
        if signed and how == "two_phase":
            return [[Driven(positive, 1, 0, steps)], [Driven(negative, -1, 0, steps)]]
        if signed and how == "offset":
            return [[Driven(codes + 2 ** (n - 1), 1, 0, 2**n - 1)]]
        return [[Driven(codes, 1, -steps if signed else 0, steps)]]
    m = settings.input.bits_per_pulse
    bits = n - 1 if signed and how != "offset" else n

    def digits(values, sign, low):
        found = []
        for first in range(0, bits, m):
            digit = np.abs(values) // 2**first % 2 ** min(m, bits - first)
            found.append(Driven(digit * np.sign(values), sign * 2**first, low, 2**m - 1))
        return found

    if not signed:
        every = [digits(codes, 1, 0)]
    elif how == "bipolar":
        every = [digits(codes, 1, -(2**m) + 1)]
    elif how == "two_phase":
        every = [digits(positive, 1, 0), digits(negative, -1, 0)]
    elif how == "offset":
        every = [digits(codes + 2 ** (n - 1), 1, 0)]
    else:
        low = digits(np.where(codes < 0, codes + 2 ** (n - 1), codes), 1, 0)
        sign = Driven((codes < 0) * 1.0, -(2 ** (n - 1)), 0, 2**m - 1)
        every = [[*low, sign]]
    if settings.input.adc_per_pass:
        return [[one] for some in every for one in some]
    return every


def columns_of(codes: np.ndarray, hardware: LayerHardware, pad: int, stride: int) -> np.ndarray:
    """Gather what every output place sees, float64 (places, groups, K); padding is code 0."""
    layer, groups = hardware.layer, hardware.tiling.groups
    if layer.op != "Conv":
        return codes.reshape(-1, 1, codes.shape[-1])
    kh, kw = layer.kernel
    padded = np.pad(codes, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    found = []
    for image in padded:
        rows = range(0, image.shape[1] - kh + 1, stride)
        cols = range(0, image.shape[2] - kw + 1, stride)
        for i, j in itertools.product(rows, cols):
            found.append(image[:, i : i + kh, j : j + kw].reshape(groups, -1))
    return np.array(found)


def slow_layer(
    hardware: LayerHardware,
    adc: Adc | None,
    settings: Settings,
    x: np.ndarray,
    trial: int,
    pad: int = 0,
    stride: int = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """Compute a layer's outputs before its bias.

    Args:
        hardware: its nominal form, per tile.
        adc: its nominal converters.
        settings: its settings.
        x: activations.
        trial: chip.
        pad: of a Conv, on each side.
        stride: of a Conv, along each axis.

    Returns:
        Outputs (places, groups, N), and whether one lies near a threshold, likewise.
    """
    dac = hardware.input_plan.dac
    signed = dac.low < 0
    codes = np.float32(x) * np.float32(dac.code_per_x)
    codes = np.rint(np.clip(codes, dac.low, dac.high)).astype(np.float64)
    seen = columns_of(codes, hardware, pad, stride)
    conversions = driven(seen, settings, signed, dac.high)
    nothing = driven(np.zeros_like(seen), settings, signed, dac.high)
    volts = _Volts(hardware, settings, trial, conversions[0][0])
    readers = None if adc is None else _Readers(hardware, adc, settings, trial)
    tiles = [[p] for p in range(len(volts.rows))]
    if settings.adc.where == "per_layer":
        tiles = [[p for some in tiles for p in some]]
    scale, readouts = hardware.scale, hardware.readouts
    outputs, risky = 0.0, False
    for number, parts in enumerate(conversions):
        counts = parts[0].weight  # the least significant one leads
        for t, some in enumerate(tiles):
            current = sum(
                part.weight / counts * volts.currents(part, p) for part in parts for p in some
            )
            near = np.zeros(current.shape, dtype=bool)
            if readers is not None:
                current, near = readers.read(number * len(tiles) + t, t, current)
            terms = zip(readouts.weights, readouts.places, strict=True)
            sums = sum(w * current[:, :, place] for w, place in terms)
            if hardware.removed:  # a nominal offset of the cells; `constant` holds that of code 0
                sums = sums - hardware.removed * sum(
                    part.weight
                    / counts
                    * (volts.nominal(part, p) - volts.nominal(none, p))[..., None]
                    for part, none in zip(parts, nothing[number], strict=True)
                    for p in some
                )
            outputs = outputs + scale[t] * counts * sums
            risky = risky | near[:, :, readouts.places].any(axis=2)
    if hardware.constant is not None:
        outputs = outputs - (hardware.constant * scale).sum(axis=0)
    return outputs, risky


class _Volts:
    """Row voltages of every tile, and the currents that they drive."""

    def __init__(
        self, hardware: LayerHardware, settings: Settings, trial: int, first: Driven
    ) -> None:
        own, self.layer = settings.dac, hardware.layer.index
        self.hardware, self.volt = hardware, settings.input.v_read / first.high
        self.rows, self.matrices = list(hardware.rows), list(hardware.matrices)
        if settings.adc.where == "per_layer":  # row tiles are joined there, each full but the last
            cuts = range(settings.crossbar.rows, len(self.rows[0]), settings.crossbar.rows)
            self.rows = np.split(hardware.rows[0], cuts)
            self.matrices = np.split(hardware.matrices[0], cuts, axis=1)
        streams = [stream(settings.seed, trial, self.layer, DAC, kind) for kind in range(4)]
        q_of = hardware.readouts.col_tiles
        shape = (hardware.tiling.groups, len(hardware.tiling.col_tiles))
        self.gain = [
            own.gain_sigma * streams[0].standard_normal((*shape, len(r)))[:, q_of]
            for r in self.rows
        ]
        self.offset = [
            own.offset_sigma * streams[1].standard_normal((*shape, len(r)))[:, q_of]
            for r in self.rows
        ]
        one_bit = first.high == 1
        codes = first.high - first.low + 1
        self.curve = np.zeros(codes)
        if not one_bit:
            self.curve = curve_of(own.inl, own.dnl, codes, streams[2:])

    def currents(self, part: Driven, p: int) -> np.ndarray:
        """Ampere, (places, groups, readouts): every readout's rows have DACs of its own tile."""
        units = part.units[:, :, self.rows[p]]
        wrong = units + self.curve[units.astype(int) - part.low]
        found = np.zeros((*units.shape[:2], self.matrices[p].shape[2]))
        for g in range(units.shape[1]):
            for c in range(found.shape[2]):
                v = self.volt * ((1 + self.gain[p][g, c]) * wrong[:, g] + self.offset[p][g, c])
                found[:, g, c] = v @ self.matrices[p][g, :, c]
        return found

    def nominal(self, part: Driven, p: int) -> np.ndarray:
        """Sum of the voltages without errors, (places, groups)."""
        return self.volt * part.units[:, :, self.rows[p]].sum(axis=2)


class _Readers:
    """The layer's ADCs."""

    def __init__(self, hardware: LayerHardware, adc: Adc, settings: Settings, trial: int) -> None:
        own, self.adc = settings.adc, adc
        layer, readouts = hardware.layer.index, hardware.readouts
        shape = (len(hardware.rows), hardware.tiling.groups)
        columns = list(zip(readouts.col_tiles, readouts.columns // own.share, strict=True))
        order = sorted(set(columns))
        at = np.array([order.index(one) for one in columns])
        count = shape[0] * shape[1] * len(order)
        streams = [stream(settings.seed, trial, layer, ADC, kind) for kind in range(4)]
        self.gain = own.gain_sigma * streams[0].standard_normal(count)
        self.offset = own.offset_sigma * streams[1].standard_normal(count)
        codes = int(adc.high[0] - adc.low[0] + 1)
        self.curves = np.array(
            [curve_of(own.inl, own.dnl, codes, streams[2:]) for _ in range(count)]
        )
        self.numbers = np.arange(count).reshape(*shape, len(order))[:, :, at]

    def read(self, k: int, p: int, current: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what codes stand for, ampere, and whether a current lies near a threshold."""
        low, high = int(self.adc.low[k]), int(self.adc.high[k])
        of = self.numbers[p]
        x = current / self.adc.lsb[k] * (1 + self.gain[of]) + self.offset[of]
        first = np.rint(np.clip(x, low, high)).astype(int)
        bent = x + self.curves[np.broadcast_to(of, first.shape), first - low]
        near = (np.abs(x - np.floor(x) - 0.5) < NEAR) | (np.abs(bent - np.floor(bent) - 0.5) < NEAR)
        return np.rint(np.clip(bent, low, high)) * self.adc.lsb[k], near

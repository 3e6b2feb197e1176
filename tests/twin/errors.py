"""Static errors of converters: what a chip draws, and what a curve is.

Conventions (sections 5 and 6 of docs/concepts/model.md name the kinds only):

- A layer's DACs draw from ``SeedSequence(seed, spawn_key=(trial, layer index, 3, 0))``, its ADCs from
  the key with 4; its children 0, 1, 2, 3 (in spawn order) are for gain, offset, INL and DNL.
- There is one DAC for each wordline of a tile, shared by the tile's arrays and by all passes: for each
  row tile, gains (and offsets) are standard normal numbers of shape (G, Q, rows of the tile). Rows of a
  missing group have none. All are of one design, hence of one curve. Code c of a row drives
  (1 + gain) (c + curve[c]) + offset LSB. A DAC of two codes, of binary digits or of random pulses has
  no curve.
- ADCs are numbered by row tile (one with `per_layer`), group, then converter: `share` neighbouring
  readouts of a column tile have one. Gains and offsets are standard normal numbers in this order. x LSB
  are read as r + curve[code of r] with r = (1 + gain) x + offset, saturated and rounded.
- A curve of a given INL is a sum of four half waves, sin(k pi t), of standard normal heights over k,
  scaled to the given largest value; of a given DNL it is the sum of normal steps, corrected to 0 at the
  last code. Each converter draws its four heights (or its steps) after another. Tables are spread
  evenly over the codes (steps), linearly between; one of DNL is summed up and corrected likewise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from twin.arrays import Floats, Ints
from twin.chip import ADC, DAC
from twin.settings import Settings

Profile = float | Sequence[float]


def streams(settings: Settings, trial: int, layer: int, effect: int) -> list[np.random.Generator]:
    """Return the generators of gain, offset, INL and DNL."""
    root = np.random.SeedSequence(settings["seed"], spawn_key=(trial, layer, effect, 0))
    return [np.random.Generator(np.random.PCG64(child)) for child in root.spawn(4)]


def has_errors(section: Settings) -> bool:
    """Return whether a converter has any error."""
    return any(
        np.any(np.asarray(section[name]) != 0)
        for name in ("gain_sigma", "offset_sigma", "inl", "dnl")
    )


def curve_of(inl: Profile, dnl: Profile, codes: int, rngs: Sequence[np.random.Generator]) -> Floats:
    """Return INL and summed DNL of the next converter in LSB, shape (codes,).

    Args:
        inl: Size or table.
        dnl: Size or table.
        codes: Number of codes.
        rngs: Generators of INL and of DNL.
    """
    t = np.linspace(0, 1, codes)
    total = np.zeros(codes)
    if not isinstance(inl, float | int):
        total += np.interp(t, np.linspace(0, 1, len(inl)), inl)
    elif inl:
        heights = rngs[0].standard_normal(4)
        bow = np.zeros(codes)
        for k, height in enumerate(heights, start=1):
            bow += height / k * np.sin(k * np.pi * t)
        total += bow * inl / (np.abs(bow).max() or 1.0)
    steps = np.zeros(codes - 1)
    if not isinstance(dnl, float | int):
        steps = np.interp(np.linspace(0, 1, codes - 1), np.linspace(0, 1, len(dnl)), dnl)
    elif dnl:
        steps = dnl * rngs[1].standard_normal(codes - 1)
    summed = np.concatenate([[0], np.cumsum(steps)])
    return np.asarray(total + summed - t * summed[-1])


@dataclass(frozen=True)
class DacErrors:
    """Errors of a layer's DACs.

    Attributes:
        gain: Relative, per row tile (G, Q, K_p).
        offset: LSB, likewise.
        curve: LSB, of each code from the lowest on; empty where there is none.
        low: The lowest code.
    """

    gain: list[Floats]
    offset: list[Floats]
    curve: Floats
    low: int

    def wrong(self, units: Floats) -> Floats:
        """Return what units count as before gain and offset."""
        if not self.curve.size:
            return units
        return units + self.curve[units.astype(np.int64) - self.low]


def dac_errors(
    settings: Settings,
    trial: int,
    layer: int,
    shape: tuple[int, int],
    rows: list[int],
    codes: tuple[int, int] | None,
) -> DacErrors | None:
    """Draw the errors of a layer's DACs.

    Args:
        settings: The layer's settings.
        trial: Number of the chip.
        layer: Index of the layer.
        shape: (G, Q).
        rows: Rows of each row tile.
        codes: The lowest and the highest code of a DAC that has a curve, else None.
    """
    dac = settings["dac"]
    if not has_errors(dac):
        return None
    gains, offsets, *rngs = streams(settings, trial, layer, DAC)
    curve = np.zeros(0)
    if codes is not None:
        curve = curve_of(dac["inl"], dac["dnl"], codes[1] - codes[0] + 1, rngs)
    return DacErrors(
        [dac["gain_sigma"] * gains.standard_normal((*shape, count)) for count in rows],
        [dac["offset_sigma"] * offsets.standard_normal((*shape, count)) for count in rows],
        curve,
        0 if codes is None else codes[0],
    )


@dataclass(frozen=True)
class AdcErrors:
    """Errors of a layer's ADCs.

    Attributes:
        gain: Relative, shape (converters,).
        offset: LSB, likewise.
        curves: LSB, shape (converters, codes), from the lowest code on.
        of_output: Number of the converter that reads slice s and side r of an output, shape
            (P, S, R, G, N).
        of_reference: That reads the reference column of slice s of a column tile, shape (P, S, G, Q).
    """

    gain: Floats
    offset: Floats
    curves: Floats
    of_output: Ints
    of_reference: Ints


def adc_errors(
    settings: Settings,
    trial: int,
    layer: int,
    numbers: tuple[Ints, Ints],
    codes: tuple[int, int],
) -> AdcErrors | None:
    """Draw the errors of a layer's ADCs.

    Args:
        settings: The layer's settings.
        trial: Number of the chip.
        layer: Index of the layer.
        numbers: Of converters, for outputs and for reference columns (see `AdcErrors`).
        codes: The lowest and the highest code.
    """
    adc = settings["adc"]
    if not has_errors(adc):
        return None
    gains, offsets, *rngs = streams(settings, trial, layer, ADC)
    count = 1 + int(max(part.max(initial=-1) for part in numbers))
    size = codes[1] - codes[0] + 1
    curves = np.stack([curve_of(adc["inl"], adc["dnl"], size, rngs) for _ in range(count)])
    return AdcErrors(
        adc["gain_sigma"] * gains.standard_normal(count),
        adc["offset_sigma"] * offsets.standard_normal(count),
        curves,
        *numbers,
    )


def converter_numbers(
    positions: dict[tuple[int, int, int, int], int], share: int, shape: tuple[int, ...]
) -> tuple[Ints, Ints]:
    """Number the converters of a layer.

    Args:
        positions: Place of each readout within its column tile, by (q, s, r, n), with n = -1 for a
            reference column.
        share: Neighbouring readouts that have one converter.
        shape: (P, S, R, G, N, Q).

    Returns:
        Numbers of shapes (P, S, R, G, N) and (P, S, G, Q), -1 where there is no such readout.
    """
    tiles, slices, n_sides, groups, outputs, columns = shape
    pairs = sorted({(q, place // share) for (q, _, _, _), place in positions.items()})
    order = {pair: number for number, pair in enumerate(pairs)}
    of_output = np.full((tiles, slices, n_sides, groups, outputs), -1)
    of_reference = np.full((tiles, slices, groups, columns), -1)
    for p in range(tiles):
        for g in range(groups):
            first = (p * groups + g) * len(order)
            for (q, s, r, n), place in positions.items():
                number = first + order[q, place // share]
                if n < 0:
                    of_reference[p, s, g, q] = number
                else:
                    of_output[p, s, r, g, n] = number
    return of_output, of_reference

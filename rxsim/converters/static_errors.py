"""Static errors of converters: gain, offset, INL and DNL, drawn once for every chip.

See docs/concepts/model.md, sections 5 and 6.

Every kind of error has a random stream of its own (the children 0 gain, 1 offset, 2 INL, 3 DNL of the
generator that a chip has for a layer's DACs or ADCs), so that none depends on which others are on.

A curve is what is added to a code, in LSB. INL of a given size is a smooth random curve that is 0 at
both end points, as a converter is trimmed; DNL is the error of each step, summed up and corrected to
end points of 0. A table of INL is taken as it is; one of DNL is summed up and corrected likewise. Their
values lie evenly over the codes (or steps), linearly interpolated between.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from rxsim.config import Settings
from rxsim.errors import SettingError

MOST_ENTRIES = 2**26
"""Entries of a layer's table of ADC curves: 256 MiB of float32."""

Profile = float | tuple[float, ...]

# Assumption: a converter's smooth INL (bow, S shape) is its first few harmonics over the codes.
_HARMONICS = 4
_BLOCK = 2**21  # values of curves made at a time
_FITTED = 33  # codes of a DAC that a line is fitted to, at most


class DacCodes(NamedTuple):
    """The codes that the DACs of a layer drive.

    Attributes:
        low: the lowest code.
        high: the highest code.
        has_curve: whether there are codes between the end points, or on both sides of 0.
        counts_as: codes (whole or not) -> codes that they count as, where cells are not linear; None
            where they are.
        rms: root mean square of the codes that are driven, where cells are not linear.
        rest: code that an input of 0 drives.
        gated: whether a row at code 0 has its cells switched off.
    """

    low: int
    high: int
    has_curve: bool = True
    counts_as: Callable[[np.ndarray], np.ndarray] | None = None
    rms: float = 1.0
    rest: int = 0
    gated: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class DacErrors:
    """Errors of a layer's DACs: code c of a row drives `(1 + gain) (c + curve[c]) + offset` LSB.

    There is one DAC for each wordline of a tile (row tile, group, column tile), shared by the tile's
    arrays and by all passes; all are of one design, hence of one curve. Where cells are not linear,
    gain and offset are those of what the voltages count as (see `_behind_cells`).

    Attributes:
        gain: relative, for each row tile float64 (groups, column tiles, its rows).
        offset: LSB, likewise.
        curve: LSB, float64 (codes,), from the lowest code on; None where there is none.
        low: the lowest code.
    """

    gain: tuple[np.ndarray, ...]
    offset: tuple[np.ndarray, ...]
    curve: np.ndarray | None
    low: int


@dataclass(frozen=True, slots=True, eq=False)
class AdcErrors:
    """Errors of a layer's ADCs: x LSB are read as `r + curve[r]`, r = (1 + gain) x + offset.

    The curve is taken at r's own code; the sum saturates and is rounded.

    Attributes:
        gain: relative, float64 (row tiles, groups, readouts).
        offset: LSB, float64 (row tiles, groups, readouts).
        converters: which row of `curves` holds, int64 (row tiles, groups, readouts).
        curves: LSB, float32 (converters, codes), from the lowest code on; None where there are none.
    """

    gain: np.ndarray
    offset: np.ndarray
    converters: np.ndarray
    curves: np.ndarray | None

    def tile(self, p: int) -> AdcErrors:
        """Return the errors of one row tile's converters."""
        part = slice(p, p + 1)
        return AdcErrors(self.gain[part], self.offset[part], self.converters[part], self.curves)


def has_random_errors(settings: Settings) -> bool:
    """Tell whether the converters of two chips differ, or the noise that they add."""
    return any(
        any(
            (
                each.gain_sigma,
                each.offset_sigma,
                each.noise,
                _is_random(each.inl),
                _is_random(each.dnl),
            )
        )
        for each in (settings.dac, settings.adc)
    )


def draw_dac_errors(
    rng: np.random.Generator,
    settings: Settings,
    shape: tuple[int, int],
    rows: tuple[int, ...],
    codes: DacCodes | tuple[int, int] | None,
) -> DacErrors | None:
    """Draw the errors of a layer's DACs.

    Args:
        rng: the chip's generator for this layer's DACs.
        settings: the layer's.
        shape: groups, column tiles.
        rows: of each row tile.
        codes: of a DAC; None where it has two only, which are end points and have no curve, and
            cells are linear.

    Returns:
        The errors, or None where there are none.
    """
    dac = settings.dac
    gains, offsets, *streams = rng.spawn(4)
    known = None if codes is None else DacCodes(*codes)
    curve = None
    if known is not None and known.has_curve:
        curves = _curves(dac.inl, dac.dnl, 1, known.high - known.low + 1, streams)
        curve = None if curves is None else curves[0].astype(np.float64)
    if curve is None and not (dac.gain_sigma or dac.offset_sigma):
        return None
    errors = DacErrors(
        tuple(dac.gain_sigma * gains.standard_normal((*shape, count)) for count in rows),
        tuple(dac.offset_sigma * offsets.standard_normal((*shape, count)) for count in rows),
        curve,
        0 if known is None else known.low,
    )
    return errors if known is None else _behind_cells(errors, known)


def _behind_cells(errors: DacErrors, codes: DacCodes) -> DacErrors:
    """Turn gains and offsets of voltages into those of what the voltages count as.

    A row's voltage counts as a straight line of what the nominal voltage counts as, by least squares
    over the codes, weighted by how often they occur. That is exact for pulses of one voltage; linear
    cells need no change. Assumption: codes are normal around the code of an input of 0, with their
    root mean square; for pulses the weights are the share of time that a pulse is on and off.
    """
    if codes.counts_as is None:
        return errors
    size = codes.high - codes.low + 1
    fitted = np.unique(np.rint(np.linspace(codes.low, codes.high, min(size, _FITTED))))
    fitted = np.union1d(fitted, [float(codes.rest)])
    weights = _driven_shares(fitted, codes)
    driven = (
        fitted if errors.curve is None else fitted + errors.curve[fitted.astype(int) - errors.low]
    )
    nominal = codes.counts_as(driven)
    mean = weights @ nominal
    centred = (nominal - mean) * weights
    slopes, starts = [], []
    for gain, offset in zip(errors.gain, errors.offset, strict=True):
        counts = codes.counts_as((1 + gain[..., None]) * driven + offset[..., None])
        if codes.gated:
            counts = np.where(fitted == 0, 0.0, counts)
        slope = counts @ centred / (nominal @ centred)
        slopes.append(slope - 1)
        starts.append(counts @ weights - slope * mean)
    return replace(errors, gain=tuple(slopes), offset=tuple(starts))


def _driven_shares(fitted: np.ndarray, codes: DacCodes) -> np.ndarray:
    """Return the share of each fitted code in what is driven."""
    if codes.high == 1:
        on = float(np.clip(codes.rms**2, 0.01, 0.99))
        return np.where(fitted == 0, 1 - on, on / np.count_nonzero(fitted))
    # Never so narrow that only one code counts.
    width = np.sqrt(max(codes.rms**2 - codes.rest**2, 1.0))
    shares = np.exp(-np.square((fitted - codes.rest) / width) / 2)
    return np.asarray(shares / shares.sum())


def draw_adc_errors(
    rng: np.random.Generator,
    settings: Settings,
    shape: tuple[int, int],
    col_tiles: np.ndarray,
    columns: np.ndarray,
    codes: tuple[int, int],
) -> AdcErrors | None:
    """Draw the errors of a layer's ADCs.

    Args:
        rng: the chip's generator for this layer's ADCs.
        settings: the layer's.
        shape: row tiles whose currents are converted apart, groups.
        col_tiles: column tile of each readout, int64 (readouts,).
        columns: position of each readout in its tile, int64 (readouts,).
        codes: the lowest and the highest code.

    Returns:
        The errors, or None where there are none.
    """
    adc = settings.adc
    gains, offsets, *streams = rng.spawn(4)
    places = _shared(col_tiles, columns, adc.share)
    per_group = int(places.max()) + 1
    count = shape[0] * shape[1] * per_group
    curves = _curves(adc.inl, adc.dnl, count, codes[1] - codes[0] + 1, streams)
    if curves is None and not (adc.gain_sigma or adc.offset_sigma):
        return None
    numbers = np.arange(count).reshape(*shape, per_group)[:, :, places]
    of_each = adc.gain_sigma * gains.standard_normal(count)
    on_each = adc.offset_sigma * offsets.standard_normal(count)
    alone = curves is None or len(curves) == 1
    return AdcErrors(
        of_each[numbers], on_each[numbers], np.zeros_like(numbers) if alone else numbers, curves
    )


def check_adc_curves(
    name: str,
    settings: Settings,
    shape: tuple[int, int],
    col_tiles: np.ndarray,
    columns: np.ndarray,
) -> None:
    """Refuse ADC curves that a graph has no room for.

    Args:
        name: of the layer.
        settings: the layer's.
        shape: its row tiles, groups.
        col_tiles: column tile of each readout, int64 (readouts,).
        columns: position of each readout in its tile, int64 (readouts,).

    Raises:
        SettingError: the table of its random curves has more than `MOST_ENTRIES` entries.
    """
    adc = settings.adc
    kind = "inl" if _is_random(adc.inl) else "dnl"
    if adc.n_bits is None or not _is_random(getattr(adc, kind)):
        return
    per_group = int(_shared(col_tiles, columns, adc.share).max()) + 1
    tiles = 1 if adc.where == "per_layer" else shape[0]
    count = tiles * shape[1] * per_group
    if count * 2**adc.n_bits > MOST_ENTRIES:
        raise SettingError(
            f"adc.{kind}: found a random curve for each of {count} converters of {adc.n_bits} bits in "
            f"layer {name}, expected at most {MOST_ENTRIES} converters times codes; use fewer bits "
            "(adc.n_bits), a larger adc.share, or a table, which is the same for all converters"
        )


def _shared(col_tiles: np.ndarray, columns: np.ndarray, share: int) -> np.ndarray:
    """Number the converters of a group: neighbouring columns of a tile share one."""
    places = columns // share
    _, numbers = np.unique(col_tiles * (int(places.max()) + 1) + places, return_inverse=True)
    return np.asarray(numbers)


def _is_random(profile: Profile) -> bool:
    return not isinstance(profile, tuple) and profile > 0


def _curves(
    inl: Profile, dnl: Profile, count: int, codes: int, streams: list[np.random.Generator]
) -> np.ndarray | None:
    """Make the curves of some converters.

    Args:
        inl: size or table, LSB.
        dnl: size or table, LSB.
        count: converters.
        codes: of each.
        streams: random generators of INL and of DNL.

    Returns:
        LSB, float32 (count, codes); (1, codes) where all are equal; None where all are 0.
    """
    if not (_is_random(inl) or _is_random(dnl)):
        count = 1
    curves = np.empty((count, codes), dtype=np.float32)
    size = max(_BLOCK // codes, 1)
    for start in range(0, count, size):
        rows = min(size, count - start)
        curves[start : start + rows] = _inl(inl, rows, codes, streams[0]) + _dnl(
            dnl, rows, codes, streams[1]
        )
    return curves if curves.any() else None


def _inl(profile: Profile, rows: int, codes: int, rng: np.random.Generator) -> np.ndarray:
    """Make curves of INL, LSB, float64 (rows or 1, codes)."""
    if isinstance(profile, tuple) or profile == 0:
        return _spread(profile, codes)[None]
    angle = np.pi * np.linspace(0, 1, codes)
    orders = np.arange(1, _HARMONICS + 1)
    heights = rng.standard_normal((rows, _HARMONICS)) / orders
    curves = np.zeros((rows, codes))
    for height, order in zip(heights.T, orders, strict=True):
        curves += height[:, None] * np.sin(order * angle)
    curves[:, [0, -1]] = 0
    largest = np.abs(curves).max(axis=1, keepdims=True)
    return np.asarray(curves * (profile / np.where(largest > 0, largest, 1)))


def _dnl(profile: Profile, rows: int, codes: int, rng: np.random.Generator) -> np.ndarray:
    """Make curves of summed DNL, LSB, float64 (rows or 1, codes)."""
    if isinstance(profile, tuple) or profile == 0:
        steps = _spread(profile, codes - 1)[None]
    else:
        steps = profile * rng.standard_normal((rows, codes - 1))
    curves = np.zeros((len(steps), codes))
    np.cumsum(steps, axis=1, out=curves[:, 1:])
    curves -= np.linspace(0, 1, codes) * curves[:, -1:]
    return curves


def _spread(table: Profile, count: int) -> np.ndarray:
    """Interpolate a table to a number of evenly spaced places; a size of 0 is a table of zeros."""
    values = np.asarray(table, dtype=np.float64).ravel()
    if not values.size:
        return np.zeros(count)
    return np.interp(np.linspace(0, 1, count), np.linspace(0, 1, len(values)), values)

"""ADCs whose thresholds are not evenly spaced: each current becomes the value of its step.

A table of bins says how many thresholds lie below a bin and which lie inside; the current is compared
with these. Bins are LSBs cut into (or joined to) powers of two, so that no current gets into another
bin by rounding, and so narrow that a bin holds one threshold where that takes no endless table. Where
all thresholds lie between bins, as those of Lloyd-Max do, the table holds the values themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from rxsim.converters import AdcLevels
from rxsim.onnx_graph import GraphBuilder
from rxsim.patch.hardware import LayerHardware

_BINS_OF_A_STEP = 4  # at least, on average
_MANY_BINS = 2**18  # of all tables: from here on thresholds that share a bin are compared in turn
_MANY_VALUES = 2**22  # of all tables of values (16 MiB)


@dataclass(frozen=True, slots=True, eq=False)
class AdcSteps:
    """A layer's tables of steps in the graph.

    Attributes:
        build: takes the nodes.
        per_lsb: name of the number of bins of an LSB.
        bounds: names of the lowest and the highest bin, before `places` is added.
        places: for each conversion the name of what is added to a bin, int32.
        first: name of the place of a bin's lowest value in `values`, int32; None where a bin's place is
            that of its value.
        inside: names of the thresholds that lie inside each bin, LSB; infinite where there is none.
        values: name of the values, LSB.
    """

    build: GraphBuilder
    per_lsb: str
    bounds: tuple[str, str]
    places: tuple[str, ...]
    first: str | None
    inside: tuple[str, ...]
    values: str

    @staticmethod
    def of(build: GraphBuilder, hardware: LayerHardware) -> AdcSteps | None:
        """Add the tables of a layer's ADCs; None where their codes are evenly spaced."""
        adc = hardware.adc
        if adc is None or adc.levels is None:
            return None
        low, high = int(adc.low[0]), int(adc.high[0])
        # A layer's passes are all signed or all unsigned: its converters have one range of codes.
        assert (adc.low == low).all()
        levels = adc.levels
        between = _power_between(levels, low, high)
        power = _power_of(levels, low, high) if between is None else between
        bins, count = _bins(levels, low, high, power)
        inside, first = _tables(levels, bins, count)
        values = levels.values.astype(np.float32).ravel()
        if between is not None:
            steps = first + sum((table < np.inf).astype(np.int64) for table in inside)
            inside, values = [], values[steps].ravel()
        lowest = _lowest(low, power)
        places = []
        for k, tables in enumerate(levels.tables):
            place = tables * count - lowest
            if (place == place.flat[0]).all():
                shaped = np.asarray(place.flat[0])
            else:
                shaped = hardware.layer.along_channels(place)
            places.append(build.constant(f"adc_bins_{k}", shaped.astype(np.int32)))
        return AdcSteps(
            build,
            build.scalar("adc_bins_per_lsb", 2.0**power),
            (build.scalar("adc_bin_low", lowest), build.scalar("adc_bin_high", lowest + count - 1)),
            tuple(places),
            None
            if between is not None
            else build.constant("adc_step", first.astype(np.int32).ravel()),
            tuple(
                build.constant(f"adc_threshold_{j}", np.asarray(row, dtype=np.float32).ravel())
                for j, row in enumerate(inside)
            ),
            build.constant("adc_values", values),
        )

    def taken(self, k: int, current: str) -> str:
        """Return the name of the values, LSB, that the currents of a conversion are read as.

        Args:
            k: conversion.
            current: name of the current, LSB.
        """
        build = self.build
        place = build.add("Mul", [current, self.per_lsb], f"adc_scaled_{k}")
        place = build.add("Floor", [place], f"adc_bin_{k}")
        place = build.add("Clip", [place, *self.bounds], f"adc_known_bin_{k}")
        place = build.add("Cast", [place], f"adc_whole_bin_{k}", to=TensorProto.INT32)
        place = build.add("Add", [place, self.places[k]], f"adc_place_{k}")
        if self.first is None:
            return build.add("Gather", [self.values, place], f"codes_{k}", axis=0)
        step = build.add("Gather", [self.first, place], f"adc_first_{k}", axis=0)
        for j, table in enumerate(self.inside):
            between = build.add("Gather", [table, place], f"adc_between_{k}_{j}", axis=0)
            above = build.add("GreaterOrEqual", [current, between], f"adc_above_{k}_{j}")
            more = build.add("Cast", [above], f"adc_more_{k}_{j}", to=TensorProto.INT32)
            step = build.add("Add", [step, more], f"adc_step_{k}_{j}")
        return build.add("Gather", [self.values, step], f"codes_{k}", axis=0)


def _power_between(levels: AdcLevels, low: int, high: int) -> int | None:
    """Return a power of two of bins between which all thresholds lie; None for too many bins."""
    exact = levels.thresholds[np.isfinite(levels.thresholds)].astype(np.float32)
    power = 0
    while (high - low + 1) * 2.0**power * len(levels.values) <= _MANY_VALUES:
        scaled = np.ldexp(exact, power)
        if (scaled == np.floor(scaled)).all():
            return power
        power += 1
    return None


def _power_of(levels: AdcLevels, low: int, high: int) -> int:
    """Return into how many bins LSBs are cut, as a power of two (below 0: how many are joined)."""
    tables, steps = levels.values.shape
    start = int(np.ceil(np.log2(_BINS_OF_A_STEP * steps / (high - low))))
    depths = {}
    power = start
    while power == start or ((high - low) * 2.0**power * tables <= _MANY_BINS):
        bins, count = _bins(levels, low, high, power)
        depths[power] = _depth(bins, count)
        if depths[power] <= 1:
            break
        power += 1
    return min(depths, key=lambda each: (depths[each], each))


def _lowest(low: int, power: int) -> int:
    """Return the number of the lowest bin; steps of calibrations reach half an LSB beyond the codes."""
    return int(np.floor(np.ldexp(low - 1, power)))


def _bins(levels: AdcLevels, low: int, high: int, power: int) -> tuple[np.ndarray, int]:
    """Return the bin of each finite threshold (-1 for none), int64, and the number of bins."""
    lowest = _lowest(low, power)
    count = int(np.floor(np.ldexp(high + 1, power))) - lowest + 1
    exact = levels.thresholds.astype(np.float32)
    known = np.isfinite(exact)
    place = np.floor(np.ldexp(np.where(known, exact, 0), power)) - lowest
    return np.where(known, np.clip(place, 0, count - 1), -1).astype(np.int64), count


def _depth(bins: np.ndarray, count: int) -> int:
    """Return how many thresholds the fullest bin holds."""
    places = (np.arange(len(bins))[:, None] * count + bins)[bins >= 0]
    return int(np.unique(places, return_counts=True)[1].max(initial=0))


def _tables(levels: AdcLevels, bins: np.ndarray, count: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Make the tables of the thresholds inside each bin, and of the values' places.

    Args:
        levels: thresholds and values.
        bins: of each threshold, -1 for none.
        count: number of bins.

    Returns:
        Thresholds, LSB, float32 (tables, bins) each; places, int64 (tables, bins).
    """
    tables, steps = levels.values.shape
    inside = [
        np.full((tables, count), np.inf, dtype=np.float32) for _ in range(_depth(bins, count))
    ]
    first = np.empty((tables, count), dtype=np.int64)
    exact = levels.thresholds.astype(np.float32)
    for t in range(tables):
        here = bins[t][bins[t] >= 0]
        first[t] = np.searchsorted(here, np.arange(count), side="left") + t * steps
        for j, table in enumerate(inside):
            nth = np.arange(len(here)) - np.searchsorted(here, here, side="left") == j
            table[t, here[nth]] = exact[t, : len(here)][nth]
    return inside, first

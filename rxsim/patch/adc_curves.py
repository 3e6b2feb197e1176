"""The curves of a layer's ADCs: what is added to a current before its last rounding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from rxsim.onnx_graph import GraphBuilder
from rxsim.patch.hardware import LayerHardware


@dataclass(frozen=True, slots=True, eq=False)
class AdcCurves:
    """A layer's table of curves in the graph, converter by converter.

    Attributes:
        build: takes the nodes.
        table: name of the curves, LSB, float32 (converters * codes,).
        places: for each row tile the name of where code 0 of each channel lies in the table, int32;
            None where it lies at the table's beginning for all.
    """

    build: GraphBuilder
    table: str
    places: tuple[str | None, ...]

    @staticmethod
    def of(build: GraphBuilder, hardware: LayerHardware) -> AdcCurves | None:
        """Add the table of a layer's ADCs; None where they have no curves."""
        adc = hardware.adc
        if adc is None or adc.errors is None or adc.errors.curves is None:
            return None
        curves, lowest = adc.errors.curves, int(adc.low[0])
        # A layer's passes are all signed or all unsigned: its converters have one range of codes.
        assert (adc.low == lowest).all()
        table = build.constant("adc_curves", curves.ravel())
        places: list[str | None] = []
        for p, converters in enumerate(adc.errors.converters):
            first = converters * curves.shape[1] - lowest
            if (first == first.flat[0]).all():
                shaped = np.asarray(first.flat[0], dtype=np.int32)
            else:
                shaped = hardware.layer.along_channels(first).astype(np.int32)
            places.append(build.constant(f"adc_curve_{p}", shaped) if shaped.any() else None)
        return AdcCurves(build, table, tuple(places))

    def bent(self, k: int, current: str, low: str, high: str) -> str:
        """Add the curve at its code to the current of a conversion.

        Args:
            k: conversion.
            current: name of the current, LSB.
            low: name of the lowest code.
            high: name of the highest code.
        """
        build, place = self.build, self.places[k % len(self.places)]
        code = build.add("Clip", [current, low, high], f"straight_{k}")
        code = build.add("Round", [code], f"straight_code_{k}")
        # Places go up to 2^26: whole numbers, which float32 holds up to 2^24 only.
        index = build.add("Cast", [code], f"straight_whole_{k}", to=TensorProto.INT32)
        if place is not None:
            index = build.add("Add", [index, place], f"curve_place_{k}")
        added = build.add("Gather", [self.table, index], f"curve_{k}", axis=0)
        return build.add("Add", [current, added], f"bent_{k}")

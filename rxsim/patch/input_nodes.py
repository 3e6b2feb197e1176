"""The nodes in front of a layer's arrays: activation -> code -> units of a pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from onnx import TensorProto

from rxsim.converters import Dac
from rxsim.encodings import Pass, UnitCurve
from rxsim.onnx_graph import GraphBuilder


class InputNodes:
    """Makes the tensors of codes and units; layers with equal converters on one tensor share them."""

    def __init__(self) -> None:
        # What is in the graph already, by input, converter and pass.
        self._made: dict[tuple[str, Dac, Pass | None], str] = {}

    def inside(self) -> InputNodes:
        """Return the tensors that a body of a later node may read; what it adds stays inside it."""
        inner = InputNodes()
        inner._made = dict(self._made)
        return inner

    def codes(self, build: GraphBuilder, source: str, dac: Dac, dtype: int) -> str:
        """Turn activations into codes (or into shares of x_max where there is no converter).

        Args:
            build: takes the nodes.
            source: name of the tensor of activations.
            dac: the layer's converter.
            dtype: of the tensor.
        """
        key = (source, dac, None)
        if key in self._made:
            return self._made[key]
        value = source
        if dtype != TensorProto.FLOAT:
            value = build.add("Cast", [value], "input", to=TensorProto.FLOAT)
        codes = value
        if dac.code_per_x != 1:
            scale = build.scalar("dac_scale", dac.code_per_x)
            codes = build.add("Mul", [value, scale], "dac_scaled")
        if dac.low is not None and dac.high is not None:
            bounds = [build.scalar("dac_low", dac.low), build.scalar("dac_high", dac.high)]
            codes = build.add("Clip", [codes, *bounds], "dac_clipped")
            codes = build.add("Round", [codes], "dac_codes")
        self._made[key] = codes
        return codes

    def units(self, build: GraphBuilder, source: str, dac: Dac, each: Pass, dtype: int) -> str:
        """Turn activations into the units of a pass, less those that an input of 0 drives.

        Args:
            build: takes the nodes.
            source: name of the tensor of activations.
            dac: the layer's converter.
            each: the pass.
            dtype: of the tensor.
        """
        codes = self.codes(build, source, dac, dtype)
        # The weight of a pass does not change the units that it drives.
        key = (source, dac, replace(each, volt=0.0, weight=0.0, gain=1.0, summed=()))
        if key not in self._made:
            units = each.units.add(build, codes, less_rest=each.curve is None)
            self._made[key] = (
                units if each.curve is None else _curved(build, units, each, each.curve)
            )
        return self._made[key]

    def looked_up(
        self,
        build: GraphBuilder,
        source: str,
        dac: Dac,
        each: Pass,
        dtype: int,
        table: UnitCurve,
        part: str,
    ) -> str:
        """Look up a number for every unit of a pass.

        Args:
            build: takes the nodes.
            source: name of the tensor of activations.
            dac: the layer's converter.
            each: the pass.
            dtype: of the tensor.
            table: a number for each unit.
            part: name of the result.
        """
        codes = self.codes(build, source, dac, dtype)
        units = each.units.add(build, codes, less_rest=False)
        return _gathered(build, units, table.lowest, table.values.astype(np.float32), part)


def _curved(build: GraphBuilder, units: str, each: Pass, curve: UnitCurve) -> str:
    """Look up what units count as, less what the units of an input of 0 count as."""
    table = (curve.values - each.counted_rest).astype(np.float32)
    return _gathered(build, units, curve.lowest, table, "counted")


def _gathered(build: GraphBuilder, units: str, lowest: int, table: np.ndarray, part: str) -> str:
    """Look up units in a table that begins with the lowest."""
    if lowest:
        units = build.add("Sub", [units, build.scalar("curve_lowest", lowest)], "curve_place")
    index = build.add("Cast", [units], "curve_index", to=TensorProto.INT32)
    return build.add("Gather", [build.constant("curve", table), index], part, axis=0)

"""The nodes in front of a layer's arrays: activation -> code -> what each pass drives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from onnx import TensorProto

from rxsim.converters import Dac, DriveCurve, Pass
from rxsim.onnx_graph import GraphBuilder
from rxsim.patch.pulses import Pulses


class DriveNodes:
    """Makes the tensors that passes drive; layers with equal converters on one tensor share them."""

    def __init__(self) -> None:
        # What is in the graph already, by input, converter and pass.
        self._made: dict[tuple[str, Dac, Pass | None], str] = {}

    def codes(self, build: GraphBuilder, source: str, dac: Dac, dtype: int) -> str:
        """Turn activations into codes (or into shares of x_max where there is no converter)."""
        found = self._made.get((source, dac, None))
        if found is not None:
            return found
        value = source
        if dtype != TensorProto.FLOAT:
            value = build.add("Cast", [value], "input", to=TensorProto.FLOAT)
        codes = build.add("Mul", [value, build.scalar("dac_scale", dac.code_per_x)], "dac_scaled")
        if dac.low is not None and dac.high is not None:
            bounds = [build.scalar("dac_low", dac.low), build.scalar("dac_high", dac.high)]
            codes = build.add("Clip", [codes, *bounds], "dac_clipped")
            codes = build.add("Round", [codes], "dac_codes")
        self._made[(source, dac, None)] = codes
        return codes

    def passed(
        self,
        build: GraphBuilder,
        source: str,
        dac: Dac,
        one: Pass,
        dtype: int,
        pulses: Pulses | None = None,
    ) -> str:
        """Turn activations into the units that a pass drives, less those that an input of 0 drives."""
        codes = self.codes(build, source, dac, dtype)
        if one.pulse is not None:
            assert pulses is not None
            steps = 1 if dac.high is None else dac.high
            return pulses.add(build, _part(build, codes, one), one, steps)
        key = (source, dac, replace(one, volt=0.0, weight=0.0, gain=1.0))
        if key not in self._made:
            units = _digit(build, _part(build, codes, one), one)
            self._made[key] = units if one.curve is None else _curved(build, units, one, one.curve)
        return self._made[key]


def _part(build: GraphBuilder, codes: str, one: Pass) -> str:
    """Take the part of the codes that a pass is about."""
    if one.part == "whole":
        return codes
    if one.part == "shifted" and one.digit is None and one.curve is None:
        return codes  # shifted by the offset, less the offset
    if one.part == "positive":
        return build.add("Relu", [codes], "positive")
    if one.part == "negative":
        return build.add("Relu", [build.add("Neg", [codes], "negated")], "negative")
    offset = build.scalar("offset", one.offset)
    if one.part == "shifted":
        return build.add("Add", [codes, offset], "shifted")
    below = build.add("Less", [codes, build.scalar("zero", 0)], "below_zero")
    sign = build.add("Cast", [below], "sign", to=TensorProto.FLOAT)
    if one.part == "sign":
        return sign
    return build.add("Add", [codes, build.add("Mul", [sign, offset], "lift")], "low_bits")


def _digit(build: GraphBuilder, value: str, one: Pass) -> str:
    """Take one digit of a value, with the value's sign; all steps are exact in float32."""
    if one.digit is None:
        return value
    first, bits = one.digit
    part = f"digit_{first}"
    size = build.add("Abs", [value], f"{part}_size") if one.signed else value
    low = build.add("Mul", [size, build.scalar(f"{part}_shift", 2.0**-first)], f"{part}_shifted")
    low = build.add("Floor", [low], f"{part}_floor")
    high = build.add("Mul", [low, build.scalar(f"{part}_next", 2.0**-bits)], f"{part}_above")
    high = build.add("Floor", [high], f"{part}_above_floor")
    high = build.add("Mul", [high, build.scalar(f"{part}_base", 2.0**bits)], f"{part}_rest")
    digit = build.add("Sub", [low, high], part)
    if one.signed:
        digit = build.add(
            "Mul", [digit, build.add("Sign", [value], f"{part}_sign")], f"{part}_signed"
        )
    if one.rest and one.curve is None:
        digit = build.add(
            "Sub", [digit, build.scalar(f"{part}_zero", one.rest)], f"{part}_less_zero"
        )
    return digit


def _curved(build: GraphBuilder, units: str, one: Pass, curve: DriveCurve) -> str:
    """Look up what units count as, less what those of an input of 0 do."""
    table = (curve.values - one.counted_rest).astype(np.float32)
    if curve.lowest:
        units = build.add("Sub", [units, build.scalar("curve_lowest", curve.lowest)], "curve_place")
    index = build.add("Cast", [units], "curve_index", to=TensorProto.INT32)
    return build.add("Gather", [build.constant("curve", table), index], "counted", axis=0)

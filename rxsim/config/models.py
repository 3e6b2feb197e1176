"""The sections of the settings: each key's name, type, range and default, the contract of the YAML."""

from __future__ import annotations

import difflib
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from rxsim.config.iv import IV
from rxsim.config.presets import PRESETS
from rxsim.schema import Integer, NotNegative, Number, Section, Zero, in_yaml, whole

# Assumption: wires, driver and sense are not printed in Jain et al. 2019. 2.5 ohm a cell is what a
# 4F2 cell has between 14 and 10 nm, or a 1T1R cell at 22 nm (wire resistance as NeuroSim computes it).
WIRE_OHM = 2.5
PERIPHERY_OHM = 100.0
# Source: Jain et al., IBM J. Res. Dev. 63(6), 2019, Fig. 9: R_min 200k, R_max 1.4M, 64x64, 6 bits.
R_ON_OHM = 200e3
R_OFF_OHM = 1.4e6
# Source: CrossSim reads at 0.1 V, aihwkit at 0.4 V, NeuroSim at 0.5 V; 0.2 V lies between them.
V_READ = 0.2


class Crossbar(Section):
    """The physical array: its size and its parasitic resistances in ohm (0 = ideal)."""

    rows: Integer = Field(64, ge=1, le=65536, description="wordlines of one array")
    cols: Integer = Field(64, ge=1, le=65536, description="bitlines of one array")
    r_wire_wl: Number = Field(WIRE_OHM, ge=0, description="wordline resistance per cell, ohm")
    r_wire_bl: Number = Field(WIRE_OHM, ge=0, description="bitline resistance per cell, ohm")
    r_driver: Number = Field(PERIPHERY_OHM, ge=0, description="driver resistance per wordline, ohm")
    r_sense: Number = Field(PERIPHERY_OHM, ge=0, description="sense resistance per bitline, ohm")
    r_access: Number = Field(0.0, ge=0, description="resistance in series with every cell, ohm")
    topology: Literal["crossbar", "input_gated"] = Field(
        "crossbar",
        description="input_gated: a row at 0 V has its cells switched off (one-bit inputs)",
    )
    drive_side: Literal["left", "right", "alternate"] = Field(
        "left", description="end of a wordline behind r_driver (alternate: odd rows right)"
    )
    sense_side: Literal["bottom", "top", "alternate"] = Field(
        "bottom", description="end of a bitline behind r_sense (alternate: odd columns top)"
    )
    r_driver_far: NotNegative | None = Field(
        None, description="from a wordline's other end to its source, ohm; null: open"
    )
    r_sense_far: NotNegative | None = Field(
        None, description="from a bitline's other end to its sense, ohm; null: open"
    )


def _with_resistances(schema: dict[str, Any]) -> None:
    """Tell a JSON schema of r_on and r_off, which are no fields of their own."""
    for name in ("on", "off"):
        schema["properties"][f"r_{name}"] = {
            "type": "number",
            "exclusiveMinimum": 0,
            "description": f"1/g_{name}, ohm; instead of g_{name}",
        }


class Device(Section):
    """The memory cell: its conductance range, its levels and its programming errors."""

    model_config = ConfigDict(json_schema_extra=_with_resistances)

    g_on: Number = Field(1 / R_ON_OHM, gt=0, description="largest conductance, siemens")
    g_off: Number = Field(1 / R_OFF_OHM, ge=0, description="smallest conductance, siemens")
    n_bits: Annotated[int, Field(ge=1, le=24), BeforeValidator(whole)] | None = Field(
        6, description="2**n_bits levels; null: continuous"
    )
    n_levels: Annotated[int, Field(ge=2), BeforeValidator(whole)] | None = Field(
        None, description="number of levels, instead of n_bits"
    )
    model: str = Field("ideal", description="a published device; see 'rxsim presets'")
    write_sigma: Number = Field(0.0, ge=0, description="standard deviation of the write error")
    write_unit: Literal["range", "relative"] = Field(
        "range", description="write_sigma is a share of g_on - g_off, or of the cell's own g"
    )
    d2d_sigma: Number = Field(0.0, ge=0, description="sigma of the log-normal variation")
    stuck_lrs: Number = Field(0.0, ge=0, le=1, description="share of cells stuck at g_on")
    stuck_hrs: Number = Field(0.0, ge=0, le=1, description="share of cells stuck at g_off")
    time: Zero = Field(0, description="seconds from programming to the read")
    iv: IV = Field(IV(), description="current-voltage curve of the cell")

    @model_validator(mode="before")
    @classmethod
    def _resolve(cls, values: Any) -> Any:
        """Accept r_on and r_off in place of g_on and g_off, and fill in what a preset gives."""
        if not isinstance(values, dict):
            return values
        values = cls._from_resistance(dict(values))
        preset = PRESETS.get(str(values.get("model", "ideal")))
        return values if preset is None else {**preset.device, **values}

    @staticmethod
    def _from_resistance(values: dict[str, Any]) -> dict[str, Any]:
        for name in ("on", "off"):
            if f"r_{name}" not in values:
                continue
            resistance = values.pop(f"r_{name}")
            if f"g_{name}" in values:
                raise ValueError(
                    f"found both r_{name} and g_{name}, expected one of them; remove the other"
                )
            try:
                ohm = float("nan") if isinstance(resistance, bool) else float(resistance)
            except (TypeError, ValueError):
                ohm = float("nan")
            if not 0 < ohm < float("inf"):
                raise ValueError(
                    f"found r_{name} {in_yaml(resistance)}, expected a resistance above 0 ohm"
                    + (" (for an open cell write g_off: 0)" if name == "off" else "")
                )
            values[f"g_{name}"] = 1 / ohm
        if values.get("n_levels") is not None:
            if values.get("n_bits") is not None:
                raise ValueError("found both n_bits and n_levels, expected one; remove the other")
            values["n_bits"] = None
        return values

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.g_off >= self.g_on:
            raise ValueError(
                f"found g_off {self.g_off:g} S and g_on {self.g_on:g} S, expected g_off below g_on "
                "(r_off above r_on)"
            )
        self._check_model()
        if self.stuck_lrs + self.stuck_hrs > 1:
            raise ValueError("found stuck_lrs + stuck_hrs above 1, expected at most 1 together")
        return self

    def _check_model(self) -> None:
        """Refuse an unknown preset, a range beyond its measurements, and errors counted twice."""
        preset = PRESETS.get(self.model)
        if preset is None:
            near = difflib.get_close_matches(self.model, PRESETS, n=1)
            hint = f"did you mean {near[0]}?" if near else "see 'rxsim presets'"
            raise ValueError(f"found model {self.model!r}, expected a preset's name; {hint}")
        slack = 1 + 1e-9
        if self.g_off * slack < preset.low or self.g_on > preset.high * slack:
            raise ValueError(
                f"found {self.g_off:g} to {self.g_on:g} S, expected a range within the "
                f"{preset.low:g} to {preset.high:g} S that {self.model} was measured in"
            )
        for name in ("write_sigma", "d2d_sigma"):
            if preset.sigma is not None and getattr(self, name):
                raise ValueError(
                    f"found {name} together with model: {self.model}, expected one of them; the "
                    "preset's deviation already holds write error and variation"
                )

    @property
    def levels(self) -> int | None:
        """Number of conductance levels, or None for a continuous device."""
        return self.n_levels if self.n_bits is None else 2**self.n_bits


class Mapping(Section):
    """How weights become conductances on arrays."""

    scheme: Literal["differential", "offset"] = Field(
        "differential", description="signed weights: a pair of cells, or one cell around a middle"
    )
    balance: Literal["one_sided", "two_sided"] = Field(
        "one_sided", description="zero of a pair: both cells at g_off, or both in the middle"
    )
    subtract: Literal["analog", "digital"] = Field(
        "analog", description="a pair (or a reference) is subtracted before or after its conversion"
    )
    w_max_scope: Literal["layer", "tile", "column"] = Field(
        "layer", description="what shares one weight scale (column: one output of the layer)"
    )
    w_percentile: Number = Field(100.0, gt=0, le=100, description="w_max as a percentile of |w|")
    row_order: Literal["channel_major", "kernel_major"] = Field(
        "channel_major",
        description="order of a Conv's rows: channel first or kernel position first",
    )
    split: Literal["fill", "equal"] = Field(
        "fill", description="a matrix is cut into full tiles and a rest, or into equal parts"
    )
    unused_cells: Literal["g_off", "open"] = Field("g_off", description="cells without a weight")
    weight_bits: Annotated[int, Field(ge=2, le=24), BeforeValidator(whole)] | None = Field(
        None, description="weights as integers of this many bits, sign included (bit slicing)"
    )
    bits_per_cell: Annotated[int, Field(ge=1, le=12), BeforeValidator(whole)] | None = Field(
        None, description="bits of one slice of a weight"
    )
    offset_removal: Literal["digital", "reference_column"] = Field(
        "digital", description="an offset is computed from the inputs, or measured on a column"
    )
    layout: Literal["separate", "adjacent"] = Field(
        "separate", description="pairs and slices on arrays of their own, or in adjacent columns"
    )
    pack_groups: bool = Field(False, description="several groups of a Conv on one array")
    spare_cols: Integer = Field(0, ge=0, description="columns of each array left without weights")
    row_permutation: Literal["none", "reversed", "random"] = Field(
        "none", description="which physical rows the rows of a tile take"
    )
    col_permutation: Literal["none", "reversed", "random"] = Field(
        "none", description="which physical columns the columns of a tile take"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.weight_bits is None) != (self.bits_per_cell is None):
            raise ValueError(
                "found only one of weight_bits and bits_per_cell, expected both or none"
            )
        if self.balance == "two_sided" and (self.scheme == "offset" or self.weight_bits):
            with_what = "scheme: offset" if self.scheme == "offset" else "weight_bits"
            raise ValueError(f"found balance: two_sided with {with_what}, expected one_sided")
        if self.offset_removal == "reference_column" and self.scheme != "offset":
            raise ValueError(
                "found offset_removal: reference_column with scheme: differential, expected "
                "scheme: offset"
            )
        if self.pack_groups and self.scheme == "offset" and self.unused_cells == "open":
            raise ValueError(
                "found pack_groups with scheme: offset and unused_cells: open, expected unused_cells: "
                "g_off: rows of other groups would have no offset to remove"
            )
        return self

    @property
    def slices(self) -> int:
        """How many cells side by side carry the digits of one weight; 1 without bit slicing."""
        if self.weight_bits is None or self.bits_per_cell is None:
            return 1
        bits = self.weight_bits - (self.scheme == "differential")
        return -(-bits // self.bits_per_cell)


class Input(Section):
    """How activations reach the wordlines."""

    encoding: Literal["amplitude", "pulse_width", "bit_serial", "stochastic"] = Field(
        "amplitude", description="what carries the value"
    )
    v_read: Number = Field(V_READ, gt=0, description="wordline voltage of the largest input, volt")
    percentile: Number = Field(100.0, gt=0, le=100, description="x_max as a percentile of |x|")
    signed_input: Literal["bipolar", "two_phase", "twos_complement", "offset"] = Field(
        "bipolar", description="how signed inputs are driven"
    )
    bits_per_pulse: Integer = Field(1, ge=1, le=12, description="bits of one pass (bit_serial)")
    pulses: Integer = Field(64, ge=1, le=65536, description="pulses of a stochastic input")
    adc_per_pass: bool = Field(True, description="convert each pass, or their analog sum once")

    @model_validator(mode="after")
    def _check(self) -> Self:
        allowed = {
            "twos_complement": ("bit_serial",),
            "offset": ("amplitude", "pulse_width", "bit_serial"),
        }.get(self.signed_input)
        if allowed is not None and self.encoding not in allowed:
            raise ValueError(
                f"found signed_input: {self.signed_input} with encoding: {self.encoding}, expected "
                f"encoding: {' or '.join(allowed)}"
            )
        return self


Profile = NotNegative | Annotated[tuple[Number, ...], Field(min_length=1)]
"""A random profile of this size, or a table over the codes from lowest to highest (one: everywhere)."""


class Dac(Section):
    """The digital to analog converter of each wordline."""

    n_bits: Annotated[int, Field(ge=1, le=24), BeforeValidator(whole)] | None = Field(
        6, description="resolution; null: no converter"
    )
    gain_sigma: Number = Field(0, ge=0, description="relative spread of the gain over wordlines")
    offset_sigma: Number = Field(0, ge=0, description="spread of the offset over wordlines, LSB")
    inl: Profile = Field(0, description="LSB: largest of a random curve, or a table over the codes")
    dnl: Profile = Field(0, description="LSB: sigma of the steps, or a table over the steps")


class Adc(Section):
    """The analog to digital converter of each bitline pair."""

    n_bits: Annotated[int, Field(ge=2, le=24), BeforeValidator(whole)] | None = Field(
        6, description="resolution; null: no converter"
    )
    where: Literal["per_tile", "per_layer"] = Field(
        "per_tile", description="convert each tile's currents, or their ideal sum over row tiles"
    )
    range: Literal["calibrated", "full_scale", "unit_lsb"] = Field(
        "calibrated",
        description="from the calibration inputs, the array's full scale, or one LSB a weight step",
    )
    scope: Literal["layer", "tile", "column"] = Field("layer", description="what shares a range")
    percentile: Number = Field(100.0, gt=0, le=100, description="range as percentile of |current|")
    criterion: Literal["percentile", "mse"] = Field(
        "percentile", description="a calibrated range: a percentile, or least mean square error"
    )
    gain_sigma: Number = Field(0, ge=0, description="relative spread of the gain over converters")
    offset_sigma: Number = Field(0, ge=0, description="spread of the offset over converters, LSB")
    inl: Profile = Field(0, description="LSB: largest of a random curve, or a table over the codes")
    dnl: Profile = Field(0, description="LSB: sigma of the steps, or a table over the steps")
    share: Integer = Field(1, ge=1, description="columns that share one converter")


class Calibration(Section):
    """The inputs that fix converter ranges."""

    samples: Integer = Field(128, ge=1, description="number of calibration inputs")

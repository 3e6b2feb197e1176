"""The sections of the settings: each key's name, type, range and default, the contract of the YAML."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from itertools import pairwise
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from rxsim.encodings import ENCODINGS, SignedInput
from rxsim.schema import (
    AtMost,
    ChoiceIn,
    Integer,
    NotNegative,
    Number,
    Percentile,
    Positive,
    Relative,
    Section,
    in_yaml,
    whole,
)

# Assumption: wires, driver and sense are not printed in Jain et al. 2019. 2.5 ohm a cell is
# the value of a 4F2 cell between 14 and 10 nm, or a 1T1R cell at 22 nm (computed as in NeuroSim).
WIRE_OHM = 2.5
PERIPHERY_OHM = 100.0
# Assumption: below it a current is less than an electron in 0.1 ms.
SMALLEST_RANGE = 1e-15
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
    w_percentile: Percentile = Field(100.0, description="w_max as a percentile of |w|")
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
    dynamic: Literal["digital"] = Field(
        "digital", description="where products of two activations are computed"
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
    fold: Literal["none", "batchnorm", "exact"] = Field(
        "exact",
        description="what becomes part of the weights: BatchNormalization right behind a Conv or "
        "Gemm, or every constant scale where that is exact",
    )

    skip_zero: bool = Field(
        False,
        description="rows, columns and whole arrays without a weight other than 0 are left out",
    )

    @property
    def is_permuted(self) -> bool:
        """Whether rows or columns of arrays are permuted."""
        return (self.row_permutation, self.col_permutation) != ("none", "none")

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


class FixedInputRange(Section):
    """A range of a layer's inputs that is known beforehand."""

    x_max: Annotated[Positive, AtMost(1e20, "it is a size of activations")] = Field(
        description="largest |x| of the layer's input"
    )


InputRangeRule = Literal["calibrated", "model"]


def _named(rule: Any, mapping: str) -> BeforeValidator:
    """Return what refuses a value that is no name of a rule, and lists all names and the mapping."""

    def known(value: Any) -> Any:
        if value not in get_args(rule):
            raise ValueError(
                f"found {in_yaml(value)}, expected {', '.join(get_args(rule))} or {mapping}"
            )
        return value

    return BeforeValidator(known)


def _form(value: Any) -> str:
    """Tell which form of a setting a value has; forms in brackets stand in no message."""
    if isinstance(value, AnyMapping | Section):
        return "[mapping]"
    return "[list]" if isinstance(value, list | tuple) else "[name]"


_INPUT_RULE = _named(InputRangeRule, "{x_max: 4}")
InputRangeSetting = Annotated[
    Annotated[InputRangeRule, _INPUT_RULE, Tag("[name]")]
    | Annotated[InputRangeRule, _INPUT_RULE, Tag("[list]")]
    | Annotated[FixedInputRange, Tag("[mapping]")],
    Discriminator(_form),
]


class Input(Section):
    """How activations reach the wordlines."""

    encoding: Annotated[str, ChoiceIn("rxsim.encodings")] = Field(
        "amplitude", description="what carries the value"
    )
    v_read: Number = Field(V_READ, gt=0, description="wordline voltage of the largest input, volt")
    range: InputRangeSetting = Field(
        "calibrated",
        description="of the DACs: from the calibration inputs, of the model's own integers, or "
        "{x_max: 4}",
    )
    percentile: Percentile = Field(100.0, description="x_max as a percentile of |x|")
    signed_input: SignedInput = Field("bipolar", description="how signed inputs are driven")
    bits_per_pulse: Integer = Field(1, ge=1, le=12, description="bits of one pass (bit_serial)")
    pulses: Integer = Field(64, ge=1, le=65536, description="pulses of a stochastic input")
    adc_per_pass: bool = Field(True, description="convert each pass, or their analog sum once")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.signed_input not in ENCODINGS[self.encoding].signed_inputs:
            able = [
                name
                for name, encoding in ENCODINGS.all().items()
                if self.signed_input in encoding.signed_inputs
            ]
            raise ValueError(
                f"found signed_input: {self.signed_input} with encoding: {self.encoding}, expected "
                f"encoding: {' or '.join(able)}"
            )
        return self


Profile = NotNegative | Annotated[tuple[Number, ...], Field(min_length=1)]
"""A random profile of this size, or a table over the codes from lowest to highest (one: everywhere)."""


# Assumption: at one half a converter in forty would have a gain below zero.
_GAIN_SIGMA = AtMost(0.5, "it is a share of the gain; one percent is 0.01 or 1%")


def _some_bits(value: Any) -> Any:
    """Refuse 0 bits with the value that is meant by it."""
    if not isinstance(value, bool) and value in (0, "0"):
        raise ValueError("found 0, expected a number of bits or null: null removes the converter")
    return whole(value)


def _check_errors(converter: Dac | Adc) -> None:
    """Refuse errors in LSB beyond half of a converter's codes, where every code would be noise."""
    if converter.n_bits is None:
        return
    half = 2 ** (converter.n_bits - 1)
    for name in ("offset_sigma", "noise", "inl", "dnl"):
        size = getattr(converter, name)
        if isinstance(size, float) and size > half:
            raise ValueError(
                f"found {name} {size:g} with n_bits {converter.n_bits}, expected {half:g} or below: it "
                f"is in LSB, and the converter has {2 * half} codes"
            )


class Dac(Section):
    """The digital to analog converter of each wordline."""

    n_bits: Annotated[int, Field(ge=1, le=24), BeforeValidator(_some_bits)] | None = Field(
        6, description="resolution; null: no converter"
    )
    gain_sigma: Annotated[Relative, _GAIN_SIGMA] = Field(
        0, ge=0, description="relative spread of the gain over wordlines"
    )
    offset_sigma: Number = Field(0, ge=0, description="spread of the offset over wordlines, LSB")
    inl: Profile = Field(0, description="LSB: largest of a random curve, or a table over the codes")
    dnl: Profile = Field(0, description="LSB: sigma of the steps, or a table over the steps")
    noise: Number = Field(
        0, ge=0, description="thermal noise, drawn anew for each driven value, LSB of its pass"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_errors(self)
        return self


class FixedRange(Section):
    """A range of ADCs that is known beforehand."""

    amperes: Annotated[Positive, AtMost(1, "it is in ampere; ten microampere are 1e-5")] = Field(
        description="largest current, ampere (a side, where both signs occur)"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.amperes < SMALLEST_RANGE:
            raise ValueError(
                f"found {self.amperes:g} amperes, expected {SMALLEST_RANGE:g} or above; it is in ampere"
            )
        return self


RangeRule = Literal["calibrated", "full_scale", "unit_lsb"]


def _known_thresholds(value: Any) -> Any:
    """Refuse a value that is neither null, nor lloyd_max, nor a list."""
    if value not in (None, "lloyd_max"):
        raise ValueError(
            f"found {in_yaml(value)}, expected null, lloyd_max, or a list of shares of the range such "
            "as [-0.5, 0, 0.5]"
        )
    return value


_ADC_RULE = _named(RangeRule, "{amperes: 1e-5}")
AdcRange = Annotated[
    Annotated[RangeRule, _ADC_RULE, Tag("[name]")]
    | Annotated[RangeRule, _ADC_RULE, Tag("[list]")]
    | Annotated[FixedRange, Tag("[mapping]")],
    Discriminator(_form),
]
Thresholds = Annotated[
    Annotated[Literal["lloyd_max"] | None, BeforeValidator(_known_thresholds), Tag("[name]")]
    | Annotated[Literal["lloyd_max"] | None, BeforeValidator(_known_thresholds), Tag("[mapping]")]
    | Annotated[tuple[Number, ...], Field(min_length=1), Tag("[list]")],
    Discriminator(_form),
]
# Assumption: the values of more bits lie so close that a Lloyd-Max quantiser gains nothing.
_MOST_LLOYD_MAX_BITS = 10


class Adc(Section):
    """The analog to digital converter of each bitline pair."""

    n_bits: Annotated[int, Field(ge=2, le=24), BeforeValidator(_some_bits)] | None = Field(
        6, description="resolution; null: no converter"
    )
    where: Literal["per_tile", "per_layer"] = Field(
        "per_tile", description="convert each tile's currents, or their ideal sum over row tiles"
    )
    range: AdcRange = Field(
        "calibrated",
        description="from the calibration inputs, the array's full scale, one LSB a weight step, or "
        "fixed: {amperes: 1e-5}",
    )
    scope: Literal["layer", "tile", "column"] = Field("layer", description="what shares a range")
    percentile: Percentile = Field(100.0, description="range as percentile of |current|")
    criterion: Literal["percentile", "mse"] = Field(
        "percentile", description="a calibrated range: a percentile, or least mean square error"
    )
    gain_sigma: Annotated[Relative, _GAIN_SIGMA] = Field(
        0, ge=0, description="relative spread of the gain over converters"
    )
    offset_sigma: Number = Field(0, ge=0, description="spread of the offset over converters, LSB")
    inl: Profile = Field(0, description="LSB: largest of a random curve, or a table over the codes")
    dnl: Profile = Field(0, description="LSB: sigma of the steps, or a table over the steps")
    noise: Number = Field(0, ge=0, description="thermal noise, drawn anew for each conversion, LSB")
    thresholds: Thresholds = Field(
        None,
        description="between the codes: null: evenly spaced; shares of the range, rising; or "
        "lloyd_max: of least mean square error on the calibration inputs",
    )
    share: Integer = Field(1, ge=1, description="columns that share one converter")

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_errors(self)
        if self.thresholds == "lloyd_max":
            self._check_lloyd_max()
        elif self.thresholds is not None:
            self._check_list(self.thresholds)
        return self

    def _check_lloyd_max(self) -> None:
        if self.range != "calibrated":
            raise ValueError(
                "found thresholds: lloyd_max with a range that is not calibrated, expected range: "
                "calibrated: both follow from the same currents"
            )
        if self.n_bits is not None and self.n_bits > _MOST_LLOYD_MAX_BITS:
            raise ValueError(
                f"found thresholds: lloyd_max with n_bits: {self.n_bits}, expected at most "
                f"{_MOST_LLOYD_MAX_BITS} bits; evenly spaced codes (null) lose nothing there"
            )

    def _check_list(self, thresholds: tuple[float, ...]) -> None:
        if any(b <= a for a, b in pairwise(thresholds)):
            raise ValueError("found thresholds that do not rise from one to the next; sort them")
        if thresholds[0] < -1 or thresholds[-1] > 1:
            raise ValueError(
                f"found thresholds from {thresholds[0]:g} to {thresholds[-1]:g}, expected shares of "
                "the range: -1 to 1 where currents of both signs occur, 0 to 1 elsewhere"
            )
        if self.n_bits is not None and len(thresholds) >= 2**self.n_bits:
            raise ValueError(
                f"found {len(thresholds)} thresholds with n_bits: {self.n_bits}, expected at most "
                f"{2**self.n_bits - 1}; use more bits"
            )


class Calibration(Section):
    """The inputs that fix converter ranges."""

    samples: Integer = Field(128, ge=1, description="number of calibration inputs")

"""Random settings over every axis, and random small networks for them: plain dictionaries.

Each draw obeys the rules that the package documents, so a refusal is a failure. What is left out is
where the package says that it is not exact: gains and offsets of DACs in front of cells that are not
linear, but for pulses of one voltage (test_converter_errors.py bounds those).
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from small_networks import network

Section = dict[str, Any]
NO_WIRES: Section = dict.fromkeys(("r_wire_wl", "r_wire_bl", "r_driver", "r_sense"), 0)
NO_ERRORS: Section = {"gain_sigma": 0, "offset_sigma": 0, "inl": 0, "dnl": 0}
LINEAR: Section = {"form": "linear"}
SINH: Section = {"form": "sinh", "v0": 0.12}
CURVES: tuple[Section, ...] = (
    SINH,
    {"form": "cubic", "cubic": 1.0},
    {"form": "table", "v": [0.1, 0.2, 0.7], "f": [0.06, 0.2, 1.4]},
    {"form": "table", "v": [-0.4, -0.1, 0.2, 0.5], "f": [-0.3, -0.05, 0.2, 0.8]},
    {"form": "milo"},
)

MADE_UP: Section = {
    "schema_version": 1,
    "about": "a device of all laws",  # by which the twin knows it
    "source": "-",
    "status": "assumption",
    "range": {"low": 2, "high": 30},
    "device": {"n_bits": None},
    "laws": {
        "write_error": {
            **{"law": "table", "conductances": [2, 10, 30]},
            **{"sigma": [0.5, 1, 0.3], "mean": [-0.4, 0, 0.2]},
        },
        "drift": {
            **{"law": "power_drift", "t0": 10, "scale": 30, "absolute": False},
            **{"nu_mean": [{"polynomial": [0.01]}], "nu_sd": [{"polynomial": [0.02, 0.001]}]},
        },
        "read_noise": {
            "law": "white",
            "sigma": [{"upto": 12, "polynomial": [0.1, 0.02]}, {"power": [1.2, -0.5]}],
        },
    },
}
PCM = ("pcm-nandakumar", "pcm-hermes")
UNMEASURED = ("ideal", "stuck-chen-lrs-1.75")


class Dice:
    """Random choices that follow from a key."""

    def __init__(self, *key: int) -> None:
        self._rng = np.random.default_rng(key)

    def one_of(self, *values: Any) -> Any:
        """Choose one of some values, all alike."""
        return values[self._rng.integers(len(values))]

    def integer(self, low: int, high: int) -> int:
        """Choose a number, both ends included."""
        return int(self._rng.integers(low, high + 1))

    def flip(self) -> bool:
        """Throw a coin."""
        return bool(self._rng.random() < 0.5)


@dataclass(frozen=True)
class Axes:
    """What is drawn besides encodings, schemes, layouts and ranges.

    Attributes:
        wires: Resistances, sides and far ends.
        chip: Programming errors and presets.
        converters: Errors of DACs and ADCs.
        cells: Cells that are not linear or that the inputs gate.
        layers: Settings of single layers.
        steps: ADCs with thresholds of their own, or a range in ampere.
    """

    wires: bool = False
    chip: bool = False
    converters: bool = False
    cells: bool = False
    layers: bool = False
    steps: bool = False


@dataclass(frozen=True)
class Case:
    """A network, its inputs and its settings.

    Attributes:
        text: The network's nodes; its layers are named a and c.
        shapes: Shapes of its weights.
        settings: Nested settings.
        seed: Of weights and inputs.
        input_shape: Shape of one input.
        negative: Whether inputs have both signs.
        trial: Number of the chip.
    """

    text: str
    shapes: dict[str, tuple[int, ...]]
    settings: Section
    seed: int
    input_shape: tuple[int, ...]
    negative: bool
    trial: int

    @property
    def model(self) -> onnx.ModelProto:
        """The network with random weights, some of them zero."""
        rng = np.random.default_rng(self.seed)
        tensors = {
            name: rng.standard_normal(shape) * (rng.random(shape) > 0.15)
            for name, shape in self.shapes.items()
        }
        if "variance" in tensors:
            tensors["variance"] = 0.3 + np.abs(tensors["variance"])
        return network(self.text, self.input_shape, tensors)

    def inputs(self, count: int, which: int) -> NDArray[np.float32]:
        """Return random inputs, some of them zero."""
        rng = np.random.default_rng([self.seed, which])
        x = rng.standard_normal((count, *self.input_shape))
        x *= rng.random(x.shape) > 0.2
        return (x if self.negative else np.abs(x)).astype(np.float32)


def _mapping(dice: Dice) -> Section:
    scheme = dice.one_of("differential", "offset")
    sliced = dice.flip()
    permutations = ("none", "reversed", "random")
    keys = {
        "scheme": scheme,
        "balance": "one_sided",
        "subtract": dice.one_of("analog", "digital"),
        "w_max_scope": dice.one_of("layer", "tile", "column"),
        "w_percentile": dice.one_of(100, 100, 95),
        "row_order": dice.one_of("channel_major", "kernel_major"),
        "split": dice.one_of("fill", "equal"),
        "unused_cells": dice.one_of("g_off", "open"),
        "offset_removal": "digital",
        "layout": dice.one_of("separate", "adjacent"),
        "pack_groups": dice.flip(),
        "spare_cols": dice.one_of(0, 0, 1, 2),
        "row_permutation": dice.one_of(*permutations),
        "col_permutation": dice.one_of(*permutations),
        "weight_bits": dice.integer(2, 8) if sliced else None,
        "bits_per_cell": dice.integer(1, 4) if sliced else None,
    }
    if scheme == "differential" and not sliced:
        keys["balance"] = dice.one_of("one_sided", "two_sided")
    if scheme == "offset":
        keys["offset_removal"] = dice.one_of("digital", "reference_column")
        if keys["unused_cells"] == "open":
            keys["pack_groups"] = False  # cells off the diagonal would lack what is removed
    return keys


def _device(dice: Dice, mapping: Section, axes: Axes, iv: Section) -> Section:
    keys: Section = {"model": "ideal", "g_on": 5e-5, "n_bits": None, "n_levels": None, "iv": iv}
    keys["g_off"] = dice.one_of(0, 1e-6, 8e-6)
    if iv["form"] == "milo":
        keys |= {"g_on": 110e-6, "g_off": 62.5e-6}
    elif dice.flip() and keys["g_off"]:
        keys["r_on"], keys["r_off"] = 1 / keys.pop("g_on"), 1 / keys.pop("g_off")
    how = dice.one_of("continuous", "bits", "bits", "levels")
    least = max(mapping["bits_per_cell"] or 2, 2)
    if how == "bits":
        keys["n_bits"] = dice.integer(least, 7)
    elif how == "levels":
        keys["n_levels"] = 2 * dice.integer(2 ** (least - 1), 40) + 1
    if not axes.chip or iv["form"] == "milo":
        return keys
    model = dice.one_of("ideal", "ideal", "ideal", *PCM, "pcm-joshi", "rram-milo", "sonos-agrawal",
                        "stuck-chen-lrs-1.75", MADE_UP)  # fmt: skip
    keys["model"] = model
    if model not in UNMEASURED:
        for name in ("g_on", "g_off", "r_on", "r_off"):
            keys.pop(name, None)
        if iv["form"] != "linear" and model != "rram-milo":
            keys["g_off"] = 4e-6
    else:
        keys["write_sigma"] = dice.one_of(0, 0.05)
        keys["write_unit"] = dice.one_of("range", "relative")
        if iv["form"] != "linear":
            keys["write_unit"] = "relative"
        keys["d2d_sigma"] = dice.one_of(0, 0.2)
    if model == "ideal":
        keys |= {"stuck_lrs": dice.one_of(0, 0.05), "stuck_hrs": dice.one_of(0, 0.08)}
    return keys | _scales(dice) | _time(dice, model) | _verify(dice)


def _scales(dice: Dice) -> Section:
    """Draw variation of arrays and chips, planes and dead lines."""
    return {
        "array_sigma": dice.one_of(0, 0, 0.1),
        "chip_sigma": dice.one_of(0, 0, 0.15),
        "gradient": dice.one_of(0, 0, 0.2),
        "dead_rows": dice.one_of(0, 0, 0.1),
        "dead_cols": dice.one_of(0, 0, 0.1),
    }


def _time(dice: Dice, model: str | Section) -> Section:
    """Draw the time of the read, steps of a preset that are left out, and read noise."""
    laws = {"drift", "read_noise"} if model in PCM or model == MADE_UP else set()
    keys: Section = {"run_time": dice.one_of(1, 60)}
    left_out = [step for step in sorted(laws) if dice.one_of(True, False, False)]
    keys["without"] = left_out
    if "read_noise" not in laws or "read_noise" in left_out:
        keys["read_sigma"] = dice.one_of(0, 0.03)
        keys["read_unit"] = dice.one_of("range", "relative")
    if "drift" in laws:
        keys["time"] = dice.one_of(0, 45, 5e6, "1h", "1mo", "1y")
        keys["refresh"] = dice.one_of(None, None, 20, 7000, "1h")
    else:
        keys["time"], keys["refresh"] = dice.one_of((0, None), (0, 30), (90, 30), ("1d", "1h"))
    return keys


def _verify(dice: Dice) -> Section:
    """Draw whether cells are verified."""
    keys: Section = {"tolerance": dice.one_of(0, 0.01, 0.05)}
    for name, value in (("attempts", dice.integer(1, 6)), ("read_sigma", dice.one_of(0, 0.02))):
        if dice.flip():
            keys[name] = value
    return {"verify": dice.one_of(None, None, keys)}


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="defect-maps-")


def _faults(dice: Dice, crossbar: Section, axes: Axes) -> str:
    """Write a defect map for arrays of a size; return its name."""
    shape: tuple[int, ...] = (crossbar["rows"], crossbar["cols"])
    # The layer that is sure to be there, and more arrays than it has.
    layer = "*" if axes.layers or dice.flip() else "a"
    if layer == "a":
        shape = (900, *shape)
    seed = dice.integer(0, 10**6)
    rng = np.random.default_rng(seed)
    hit = rng.random(shape) < 0.1
    given: NDArray[Any] = np.where(hit, rng.integers(1, 4, shape), 0)
    if dice.flip():
        given = np.where(hit, rng.random(shape) * 1e-4, np.nan)
    path = Path(_folder().name) / f"{seed}-{layer == 'a'}-{given.dtype}-{shape}.npz"
    arrays: dict[str, Any] = {layer: given}
    np.savez_compressed(path, **arrays)
    return str(path)


def _input(dice: Dice, iv: Section, gated: bool) -> tuple[Section, int | None]:
    """Draw the section `input` and the DAC's bits."""
    encodings = ["amplitude", "pulse_width", "bit_serial", "bit_serial", "stochastic"]
    if gated:
        encodings = ["pulse_width", "bit_serial"]
    encoding = dice.one_of(*encodings)
    modes = ["bipolar", "two_phase"] + ["offset"] * (encoding != "stochastic")
    modes += ["twos_complement"] if encoding == "bit_serial" else []
    keys = {
        "encoding": encoding,
        "signed_input": dice.one_of(*modes),
        "bits_per_pulse": 1 if gated else dice.integer(1, 3),
        "pulses": dice.integer(1, 5),
        "adc_per_pass": dice.flip(),
        "percentile": dice.one_of(100, 100, 97),
        "v_read": 0.3,
    }
    linear = iv["form"] == "linear" and not gated
    one_size = encoding in ("pulse_width", "stochastic")
    without = encoding != "bit_serial" and keys["signed_input"] != "offset"
    n_bits: int | None = dice.integer(2, 7)
    if without and (linear or one_size) and dice.one_of(True, False, False):
        n_bits = None
    if not linear and encoding == "bit_serial" and keys["bits_per_pulse"] > 1:
        keys["adc_per_pass"] = True
    if iv["form"] == "table" and min(iv["v"]) < 0:
        # Pulses of both signs that carry different currents are converted one by one.
        keys["adc_per_pass"] = True
        if encoding == "stochastic":
            keys["signed_input"] = "two_phase"
        elif n_bits is None:
            n_bits = 6  # a table of codes says which of the two
    return keys, n_bits


def _profile(dice: Dice, size: float) -> Any:
    return dice.one_of(0, size, [-size, size, 0.3 * size])


def _dac(
    dice: Dice, drive: Section, n_bits: int | None, iv: Section, gated: bool, on: bool
) -> Section:
    keys = {"n_bits": n_bits, **NO_ERRORS}
    if not on or n_bits is None:
        return keys
    keys["inl"], keys["dnl"] = _profile(dice, 0.8), _profile(dice, 0.4)
    keys["gain_sigma"], keys["offset_sigma"] = dice.one_of(0, 0.1), dice.one_of(0, 0.5)
    if (iv["form"] == "linear" and not gated) or iv["form"] == "milo":
        return keys
    one_voltage = drive["encoding"] in ("pulse_width", "stochastic") or (
        drive["encoding"] == "bit_serial" and drive["bits_per_pulse"] == 1
    )
    if not one_voltage:
        return {**keys, "gain_sigma": 0, "offset_sigma": 0}
    # No voltage beyond what the curves are known for.
    keys["gain_sigma"], keys["offset_sigma"] = dice.one_of(0, 0.05), dice.one_of(0, 0.05)
    if drive["encoding"] != "pulse_width" and drive["signed_input"] == "bipolar":
        keys["offset_sigma"] = 0
    if iv["form"] == "table" and min(iv["v"]) < 0:
        return {"n_bits": n_bits, **NO_ERRORS}
    return keys


def _adc(dice: Dice, mapping: Section, device: Section, dac: Section, on: bool) -> Section:
    n_bits = dice.one_of(None, 3, 5, 7, 8, 10)
    keys = {
        "n_bits": n_bits,
        "where": dice.one_of("per_tile", "per_tile", "per_layer"),
        "range": dice.one_of("calibrated", "calibrated", "full_scale", "unit_lsb"),
        "scope": dice.one_of("layer", "tile", "column"),
        "percentile": dice.one_of(100, 100, 96),
        "criterion": dice.one_of("percentile", "percentile", "mse"),
        "share": dice.integer(1, 3),
        **NO_ERRORS,
    }
    if keys["where"] == "per_layer":
        keys["scope"] = dice.one_of("layer", "column")
        mapping["w_max_scope"] = dice.one_of("layer", "column")
    levels = device["n_bits"] is not None or device["n_levels"] is not None
    stepless = dac["n_bits"] is None or not (levels or mapping["weight_bits"] is not None)
    if keys["range"] == "unit_lsb" and stepless:
        keys["range"] = "calibrated"
    if on and n_bits is not None:
        keys["inl"], keys["dnl"] = _profile(dice, 1.5), _profile(dice, 0.4)
        keys["gain_sigma"], keys["offset_sigma"] = dice.one_of(0, 0.1), dice.one_of(0, 1.0)
    return keys


def _steps(dice: Dice, n_bits: int, mapping: Section) -> Section:
    """Draw what replaces evenly spaced codes, or a calibrated range."""
    kind = dice.one_of("lloyd_max", "list", "list", "amperes")
    if kind == "lloyd_max":
        return {"thresholds": "lloyd_max", "range": "calibrated"}
    if kind == "amperes":
        return {"range": {"amperes": dice.one_of(1e-5, 3e-5, 1e-4)}}
    both_sides = mapping["scheme"] == "differential" and mapping["subtract"] == "analog"
    count = dice.integer(1, min(2**n_bits - 2, 20))
    shares = sorted({dice.integer(-1000 if both_sides else 0, 1000) for _ in range(count)})
    return {"thresholds": [share / 1000 for share in shares]}


def _crossbar(dice: Dice, mapping: Section, axes: Axes, gated: bool) -> Section:
    slices = 1
    if mapping["weight_bits"] is not None:
        bits = mapping["weight_bits"] - (mapping["scheme"] == "differential")
        slices = -(-bits // mapping["bits_per_cell"])
    adjacent, pair = mapping["layout"] == "adjacent", mapping["scheme"] == "differential"
    references = 0
    if mapping["offset_removal"] == "reference_column":
        references = slices if adjacent else 1
    each = slices * (2 if pair else 1) if adjacent else 1
    fits = dice.integer(1, 5)
    keys: Section = {
        "rows": dice.integer(2, 9),
        "cols": fits * each + references + mapping["spare_cols"] + dice.integer(0, 1),
        "topology": "input_gated" if gated else "crossbar",
        **NO_WIRES,
        **{"r_access": 0, "drive_side": "left", "sense_side": "bottom"},
        **{"r_driver_far": None, "r_sense_far": None},
    }
    if axes.wires:
        keys |= {name: dice.one_of(0, 3, 40) for name in NO_WIRES}
        keys["r_access"] = dice.one_of(0, 1500)
        keys["drive_side"] = dice.one_of("left", "right", "alternate")
        keys["sense_side"] = dice.one_of("bottom", "top", "alternate")
        keys["r_driver_far"] = dice.one_of(None, None, 0, 200)
        keys["r_sense_far"] = dice.one_of(None, None, 0, 200)
    return keys


def sections(dice: Dice, axes: Axes) -> Section:
    """Draw the settings of a layer."""
    iv, gated = LINEAR, False
    if axes.cells:
        gated = dice.one_of(True, False, False)
        iv = dice.one_of(LINEAR, *CURVES)
        if gated and iv["form"] == "milo":
            iv = SINH
    mapping = _mapping(dice)
    device = _device(dice, mapping, axes, iv)
    drive, n_bits = _input(dice, iv, gated)
    dac = _dac(dice, drive, n_bits, iv, gated, axes.converters)
    adc = _adc(dice, mapping, device, dac, axes.converters)
    crossbar = _crossbar(dice, mapping, axes, gated)
    if axes.chip and iv["form"] != "milo" and dice.one_of(True, False, False):
        device["faults"] = _faults(dice, crossbar, axes)
    if axes.steps and adc["n_bits"] is not None:
        adc |= _steps(dice, adc["n_bits"], mapping)
    return {"crossbar": crossbar, "device": device, "mapping": mapping, "input": drive,
            "dac": dac, "adc": adc}  # fmt: skip


def _layers(dice: Dice, axes: Axes) -> Section:
    """Draw what differs for single layers: never a pattern that matches none."""
    how = dice.one_of("none", "all sections", "digital", "several")
    if how == "all sections":
        return {dice.one_of("a", "[a]", "?"): sections(dice, axes)}
    if how == "digital":
        return {"a": {"digital": True}}
    if how == "several":
        return {
            "*": {"mapping": {"row_permutation": dice.one_of("none", "random")}},
            "a": {"device": {"model": "ideal", "n_levels": 65, "iv": {"form": "linear"}},
                  "crossbar": {"topology": "crossbar"}},
        }  # fmt: skip
    return {}


def some_case(dice: Dice, axes: Axes) -> Case:
    """Draw a network of one or two layers, its inputs and settings."""
    settings = sections(dice, axes)
    settings["seed"] = dice.integer(0, 3)
    kinds = ["gemm", "conv", "conv", "conv 1d", "rank 3", "two gemms", "two convs", "conv and gemm"]
    kinds += ["transposed", "transposed", "matrices"]
    if axes.layers:
        kinds = ["two gemms", "two convs", "conv and gemm"]
        settings["layers"] = _layers(dice, axes)
    kind = dice.one_of(*kinds)
    n = [dice.integer(1, 5) for _ in range(3)]
    k = dice.integer(1, 9 if axes.wires else 14)
    middle = dice.one_of("[m] m = Relu(h)", "[m] m = Identity(h)")
    shapes: dict[str, tuple[int, ...]]
    shape: tuple[int, ...]
    if kind == "gemm":
        text, shapes, shape = "[a] y = Gemm(x, v, b)", {"v": (k, n[0]), "b": (n[0],)}, (k,)
    elif kind == "rank 3":
        text, shapes, shape = "[a] y = MatMul(x, v)", {"v": (k, n[0])}, (3, k)
    elif kind == "matrices":
        groups, k = dice.integer(2, 4), min(k, 7)
        text, shapes = "[a] y = MatMul(x, v)", {"v": (groups, k, n[0])}
        shape = (groups, 3, k)
    elif kind == "transposed":
        text, shapes, shape = _transposed(dice)
    elif kind == "two gemms":
        text = f"[a] h = Gemm(x, v, b) {middle} [c] y = Gemm<alpha=0.7>(m, w)"
        shapes, shape = {"v": (k, n[0]), "b": (n[0],), "w": (n[0], n[1])}, (k,)
    elif kind == "conv 1d":
        groups = dice.integer(1, 3)
        text = f"[a] y = Conv<group={groups}, pads=[1,2], dilations=[2]>(x, v)"
        shapes, shape = {"v": (2 * groups, 2, 2)}, (2 * groups, 5)
    else:
        text, shapes, shape = _convs(dice, kind, middle)
    seed, trial = dice.integer(0, 10**6), dice.integer(0, 2)
    return Case(text, shapes, settings, seed, shape, dice.flip(), trial)


def _transposed(dice: Dice) -> tuple[str, dict[str, tuple[int, ...]], tuple[int, ...]]:
    """Draw a transposed convolution."""
    groups = dice.integer(1, 3)
    inputs, outputs = groups * dice.integer(1, 3), dice.integer(1, 2)
    kernel = dice.integer(1, 3), dice.integer(1, 2)
    strides = [dice.integer(1, 2) for _ in range(2)]
    pads = [dice.integer(0, 1) for _ in range(4)]
    behind = [dice.integer(0, stride - 1) for stride in strides]
    given = f"group={groups}, strides={strides}, pads={pads}, output_padding={behind}"
    shapes: dict[str, tuple[int, ...]] = {
        "v": (inputs, outputs, *kernel),
        "b": (groups * outputs,),
    }
    return f"[a] y = ConvTranspose<{given}>(x, v, b)", shapes, (inputs, 4, 3)


def _convs(
    dice: Dice, kind: str, middle: str
) -> tuple[str, dict[str, tuple[int, ...]], tuple[int, ...]]:
    """Draw a network that starts with a Conv."""
    groups = dice.integer(1, 4)
    kernel = dice.integer(1, 3), dice.integer(1, 2)
    inputs, outputs = groups * dice.integer(1, 2), groups * dice.integer(1, 2)
    pads = [dice.integer(0, 1) for _ in range(4)]
    strides = [dice.integer(1, 2) for _ in range(2)]
    shape = (inputs, 4, 3)
    given = f"<group={groups}, pads={pads}, strides={strides}>"
    out = [(shape[1 + i] + pads[i] + pads[i + 2] - kernel[i]) // strides[i] + 1 for i in range(2)]
    shapes: dict[str, tuple[int, ...]] = {
        "v": (outputs, inputs // groups, *kernel),
        "b": (outputs,),
    }
    if kind == "conv":
        return f"[a] y = Conv{given}(x, v, b)", shapes, shape
    first = f"[a] h = Conv{given}(x, v, b) {middle}"
    if dice.flip():
        norm = "[n] n = BatchNormalization(h, scale, shift, mean, variance)"
        first = f"[a] h = Conv{given}(x, v, b) {norm} {middle.replace('(h)', '(n)')}"
        shapes |= dict.fromkeys(("scale", "shift", "mean", "variance"), (outputs,))
    if kind == "two convs":
        shapes["w"] = (outputs, 1, 1, 1)
        return f"{first} [c] y = Conv<group={outputs}>(m, w)", shapes, shape
    shapes["w"] = (outputs * out[0] * out[1], dice.integer(1, 4))
    return f"{first} f = Flatten(m) [c] y = Gemm(f, w)", shapes, shape

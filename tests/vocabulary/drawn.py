"""Random settings over the whole vocabulary, and random networks for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from hypothesis import assume
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from rxsim.config import Settings
from vocabulary.models import network
from vocabulary.places import capacity

NO_WIRES = dict.fromkeys(("r_wire_wl", "r_wire_bl", "r_driver", "r_sense"), 0)


@dataclass(frozen=True)
class Case:
    """A network, its inputs and its settings.

    Attributes:
        text: The network's nodes.
        shapes: Shapes of its weights.
        settings: All settings.
        seed: Of weights and inputs.
        input_shape: Shape of one input.
        negative: Whether inputs have both signs.
    """

    text: str
    shapes: dict[str, tuple[int, ...]]
    settings: Settings
    seed: int
    input_shape: tuple[int, ...]
    negative: bool

    @property
    def model(self) -> onnx.ModelProto:
        """The network with random weights, some of them zero."""
        rng = np.random.default_rng(self.seed)
        tensors = {
            name: rng.standard_normal(shape) * (rng.random(shape) > 0.15)
            for name, shape in self.shapes.items()
        }
        return network(self.text, self.input_shape, tensors)

    def inputs(self, count: int, which: int) -> NDArray[np.float32]:
        """Return random inputs, some of them zero."""
        rng = np.random.default_rng([self.seed, which])
        x = rng.standard_normal((count, *self.input_shape))
        x *= rng.random(x.shape) > 0.2
        return (x if self.negative else np.abs(x)).astype(np.float32)


def _one_of(draw: st.DrawFn, *values: Any) -> Any:
    return draw(st.sampled_from(values))


def _mapping(draw: st.DrawFn, random: bool) -> dict[str, Any]:
    scheme = _one_of(draw, "differential", "offset")
    sliced = draw(st.booleans())
    permutations = ("none", "reversed", "random") if random else ("none", "reversed")
    found = {
        "scheme": scheme,
        "balance": "one_sided"
        if sliced or scheme == "offset"
        else _one_of(draw, "one_sided", "two_sided"),
        "subtract": _one_of(draw, "analog", "digital"),
        "w_max_scope": _one_of(draw, "layer", "tile", "column"),
        "w_percentile": _one_of(draw, 100, 100, 95),
        "row_order": _one_of(draw, "channel_major", "kernel_major"),
        "split": _one_of(draw, "fill", "equal"),
        "unused_cells": _one_of(draw, "g_off", "open"),
        "offset_removal": "digital",
        "layout": _one_of(draw, "separate", "adjacent"),
        "pack_groups": draw(st.booleans()),
        "spare_cols": _one_of(draw, 0, 0, 1, 2),
        "row_permutation": _one_of(draw, *permutations),
        "col_permutation": _one_of(draw, *permutations),
    }
    if scheme == "differential" and not sliced:
        found["balance"] = _one_of(draw, "one_sided", "two_sided")
    if scheme == "offset" and found["unused_cells"] == "open":
        found["pack_groups"] = False  # cells off the diagonal would lack the offset that is removed
    if scheme == "offset":
        found["offset_removal"] = _one_of(draw, "digital", "reference_column")
    if sliced:
        found["weight_bits"] = draw(st.integers(2, 8))
        found["bits_per_cell"] = draw(st.integers(1, 4))
    return found


def _device(draw: st.DrawFn, mapping: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"g_on": 5e-5, "g_off": _one_of(draw, 0, 1e-6, 8e-6), "n_bits": None}
    how = _one_of(draw, "continuous", "bits", "bits", "levels")
    least = max(mapping.get("bits_per_cell", 2), 2)
    if how == "bits":
        found["n_bits"] = draw(st.integers(least, 7))

    elif how == "levels":
        found["n_levels"] = 2 * draw(st.integers(2 ** (least - 1), 40)) + 1
    return found


def _drive(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    encoding = _one_of(draw, "amplitude", "pulse_width", "bit_serial", "bit_serial")
    modes = ["bipolar", "two_phase", "offset"]
    modes += ["twos_complement"] if encoding == "bit_serial" else []
    found = {
        "encoding": encoding,
        "signed_input": _one_of(draw, *modes),
        "bits_per_pulse": draw(st.integers(1, 3)),
        "adc_per_pass": draw(st.booleans()),
        "percentile": _one_of(draw, 100, 100, 97),
        "v_read": 0.3,
    }
    without = encoding != "bit_serial" and found["signed_input"] != "offset"
    n_bits = None if without and _one_of(draw, True, False, False) else draw(st.integers(2, 7))
    return found, {"n_bits": n_bits}


def _adc(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "n_bits": _one_of(draw, None, 3, 5, 7, 8, 10),
        "where": _one_of(draw, "per_tile", "per_tile", "per_layer"),
        "range": _one_of(draw, "calibrated", "calibrated", "full_scale", "unit_lsb"),
        "scope": _one_of(draw, "layer", "tile", "column"),
        "percentile": _one_of(draw, 100, 100, 96),
    }


@st.composite
def some_settings(draw: st.DrawFn, wires: bool) -> Settings:
    """Draw settings, with wires or without."""
    mapping = _mapping(draw, random=not wires)
    device = _device(draw, mapping)
    drive, dac = _drive(draw)
    crossbar: dict[str, Any] = {"rows": draw(st.integers(2, 9)), "cols": 1000, **NO_WIRES}
    if wires:
        ohm = {name: _one_of(draw, 0, 3, 40) for name in NO_WIRES}
        crossbar |= {**ohm, "r_access": _one_of(draw, 0, 1500)}
    sections = {"mapping": mapping, "device": device, "input": drive, "dac": dac}
    adc = _adc(draw)
    if adc["where"] == "per_layer":
        adc["scope"] = _one_of(draw, "layer", "column")
        mapping["w_max_scope"] = _one_of(draw, "layer", "column")
    if adc["range"] == "unit_lsb" and (
        dac["n_bits"] is None
        or (
            "weight_bits" not in mapping
            and device["n_bits"] is None
            and device.get("n_levels") is None
        )
    ):
        adc["range"] = "calibrated"
    roomy = Settings(crossbar=crossbar, **sections)
    fits = draw(st.integers(1, 5))
    while capacity(roomy) > fits:
        crossbar["cols"] -= 1
        roomy = roomy.model_copy(update={"crossbar": roomy.crossbar.model_copy(update=crossbar)})
    crossbar["cols"] += draw(st.integers(0, 1))
    try:
        return Settings(crossbar=crossbar, adc=adc, **sections)
    except ValidationError:
        assume(False)
        raise


@st.composite
def some_case(draw: st.DrawFn, wires: bool) -> Case:
    """Draw a network of one or two layers, its inputs and settings."""
    settings = draw(some_settings(wires))
    kind = _one_of(draw, "gemm", "conv", "conv", "two gemms", "two convs", "conv and gemm")
    size = 9 if wires else 14
    n = [draw(st.integers(1, 5)) for _ in range(3)]
    k = draw(st.integers(1, size))
    middle = _one_of(draw, "[m] m = Relu(h)", "[m] m = Identity(h)")
    if kind == "gemm":
        text, shapes, shape = "[a] y = Gemm(x, v, b)", {"v": (k, n[0]), "b": (n[0],)}, (k,)
    elif kind == "two gemms":
        text = f"[a] h = Gemm(x, v, b) {middle} [c] y = Gemm<alpha=0.7>(m, w)"
        shapes, shape = {"v": (k, n[0]), "b": (n[0],), "w": (n[0], n[1])}, (k,)
    else:
        text, shapes, shape = _convs(draw, kind, middle)
    return Case(text, shapes, settings, draw(st.integers(0, 10**6)), shape, draw(st.booleans()))


def _convs(
    draw: st.DrawFn, kind: str, middle: str
) -> tuple[str, dict[str, tuple[int, ...]], tuple[int, ...]]:
    """Draw a network that starts with a Conv."""
    groups = draw(st.integers(1, 4))
    kernel = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    inputs, outputs = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    pads = [draw(st.integers(0, 1)) for _ in range(4)]
    strides = [draw(st.integers(1, 2)) for _ in range(2)]
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
    if kind == "two convs":
        shapes["w"] = (outputs, 1, 1, 1)
        return f"{first} [c] y = Conv<group={outputs}>(m, w)", shapes, shape
    shapes["w"] = (outputs * out[0] * out[1], draw(st.integers(1, 4)))
    return f"{first} f = Flatten(m) [c] y = Gemm(f, w)", shapes, shape

"""Small networks on chips, for tests of what is measured on their calibration inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from beside_twin import assigned
from numpy.typing import NDArray
from small_networks import network

import rxsim
from rxsim.data import GivenArrays
from rxsim.pipeline import DataOptions, Study, open_study
from rxsim.pipeline.chip.foundries import Foundries
from rxsim.pipeline.chip.foundry import Foundry
from rxsim.scenarios import SCENARIOS

Floats = NDArray[np.float64]
LAYERS = ("a", "c")
HARSH = (
    *("crossbar.rows=8", "crossbar.cols=8", "crossbar.r_wire_wl=40", "crossbar.r_wire_bl=40"),
    *("device.write_sigma=0.03", "dac.n_bits=5", "adc.n_bits=6"),
)
SLICES = ("mapping.weight_bits=5", "mapping.bits_per_cell=2")
SCHEMES: dict[str, tuple[str, ...]] = {
    "one_sided": (),
    "two_sided": ("mapping.balance=two_sided",),
    "two conversions": ("mapping.subtract=digital",),
    "offset": ("mapping.scheme=offset",),
    "reference column": ("mapping.scheme=offset", "mapping.offset_removal=reference_column"),
    "reference converted": (
        *("mapping.scheme=offset", "mapping.offset_removal=reference_column"),
        "mapping.subtract=digital",
    ),
    "slices": SLICES,
    "offset slices": ("mapping.scheme=offset", *SLICES),
    "packed groups": ("mapping.pack_groups=true",),
    "adjacent": ("mapping.layout=adjacent", *SLICES),
    "permuted": ("mapping.row_permutation=random", "mapping.col_permutation=random"),
    "kernel major": ("mapping.row_order=kernel_major", "mapping.w_max_scope=tile"),
    "curved cells": ("device.iv={form: sinh, v0: 0.12}",),
    "passes": ("input.encoding=bit_serial", "input.bits_per_pulse=2"),
    "signed by two phases": ("input.encoding=bit_serial", "input.signed_input=two_phase"),
    "a conversion a layer": ("adc.where=per_layer",),
    "ranges of columns": ("adc.scope=column",),
    "no ADCs": ("adc.n_bits=null",),
    "no converters": ("adc.n_bits=null", "dac.n_bits=null"),
    "wrong converters": (
        *("adc.gain_sigma=0.05", "adc.offset_sigma=1", "adc.inl=0.7"),
        *("dac.gain_sigma=0.03", "dac.offset_sigma=0.5"),
    ),
}


def grouped(seed: int = 0) -> onnx.ModelProto:
    """Return a convolution of two groups in several row tiles, and a matrix behind it."""
    rng = np.random.default_rng(seed)
    text = """[a] h = Conv<group=2, pads=[1,1,1,1], strides=[2,2]>(x, w, b) r = Relu(h) f = Flatten(r)
        [c] y = Gemm(f, v, d)"""
    shapes = {"w": (6, 2, 3, 3), "b": (6,), "v": (24, 3), "d": (3,)}
    return network(text, (4, 4, 4), {name: rng.normal(size=of) for name, of in shapes.items()})


def inputs(seed: int, count: int, shape: tuple[int, ...] = (4, 4, 4)) -> NDArray[np.float32]:
    """Return random inputs of both signs, some of them zero."""
    rng = np.random.default_rng([seed, count])
    x = rng.normal(size=(count, *shape)) * (rng.random((count, *shape)) > 0.2)
    return x.astype(np.float32)


def study_of(
    model: onnx.ModelProto, calibration: Any, *assignments: str, data: Any = None, **more: Any
) -> Study:
    """Ask for a network; what calibrates is evaluated, too, unless told otherwise."""
    nested = {**assigned(*assignments), "calibration": {"samples": len(calibration)}}
    x, name = calibration if data is None else data, model.graph.input[0].name
    options = DataOptions(
        data=GivenArrays({name: x}, "inputs"),
        calibrate=GivenArrays({name: calibration}, "calibration"),
        metric="none",
        **more,
    )
    return open_study(model, rxsim.settings(nested), options, threads=1)


def compensated(study: Study) -> Foundry:
    """Open the foundry of chips with all effects and all steps."""
    return Foundries(study).open(SCENARIOS["compensated"])

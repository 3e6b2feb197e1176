"""The package's patched network beside the twin's, both made of the same plain inputs.

The package is entered by its front door: a model, arrays and plain settings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
import yaml
from numpy.typing import NDArray
from onnx import helper
from twin import Network, build
from twin.steps import Steps

import rxsim

TOLERANCE = 2e-6  # of all that was added and subtracted in a layer: what float32 may be off by
Tensor = NDArray[Any]


@dataclass(frozen=True)
class Counts:
    """What a comparison saw.

    Attributes:
        total: Outputs.
        risky: Those behind which a value lies near a threshold.
        differing: Those that differ: the other code was taken.
    """

    total: int
    risky: int
    differing: int

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.total + other.total, self.risky + other.risky, self.differing + other.differing
        )


def assigned(*assignments: str) -> dict[str, Any]:
    """Return nested settings of assignments such as adc.inl=4, values in YAML."""
    nested: dict[str, Any] = {}
    for assignment in assignments:
        name, value = assignment.split("=", 1)
        *sections, key = name.split(".")
        at = nested
        for section in sections:
            at = at.setdefault(section, {})
        at[key] = yaml.safe_load(value)
    return nested


def settings_of(given: Mapping[str, Any], calibration: Tensor) -> rxsim.Settings:
    """Return nested settings as the package reads them; all the inputs calibrate."""
    return rxsim.settings({**given, "calibration": {"samples": len(calibration)}})


def inputs_of(calibration: Tensor) -> rxsim.DataOptions:
    """Return inputs that calibrate, as they are."""
    x: Any = np.asarray(calibration, np.float32)
    return rxsim.DataOptions(data=x, calibrate=x, metric="none")


def patched(
    model: onnx.ModelProto, settings: Mapping[str, Any], calibration: Tensor, trial: int = 0
) -> onnx.ModelProto:
    """Return the package's patched network of one chip, calibrated on given inputs."""
    chosen = settings_of(settings, calibration)
    return rxsim.patched(model, chosen, inputs_of(calibration), trial=trial, threads=1)


def calibrated(
    model: onnx.ModelProto, settings: Mapping[str, Any], calibration: Tensor
) -> dict[str, Any]:
    """Return what `rxsim calibrate` writes."""
    chosen = settings_of(settings, calibration)
    kept = rxsim.calibration(model, chosen, inputs_of(calibration), threads=1)
    record: dict[str, Any] = json.loads(kept.to_json())
    return record


def array_of(
    model: onnx.ModelProto,
    settings: Mapping[str, Any],
    calibration: Tensor,
    place: tuple[str, int],
    trial: int,
) -> Tensor:
    """Return the conductances in S of one array of linear cells, as its netlist states them.

    Args:
        model: The network.
        settings: Nested settings.
        calibration: Inputs.
        place: The layer's name and the array's number.
        trial: Number of the chip.
    """
    layer, number = place
    chosen = settings_of(settings, calibration)
    data = inputs_of(calibration)
    text = rxsim.netlist(model, chosen, data, layer=layer, array=number, trial=trial, threads=1)
    cells = re.findall(r"^rx(\d+)_(\d+) \S+ \S+ (\S+)$", text, re.MULTILINE)
    shape = re.search(rf"^\* array: {number} of \d+, (\d+)x(\d+)$", text, re.MULTILINE)
    assert shape is not None
    conductances = np.zeros((int(shape[1]), int(shape[2])))
    for row, column, ohm in cells:
        conductances[int(row), int(column)] = 1 / float(ohm)
    return conductances


def tensors(model: onnx.ModelProto, names: list[str], x: Tensor) -> dict[str, Tensor]:
    """Run a network with one input; return tensors by name."""
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    stated = {output.name for output in shown.graph.output}
    for name in names:
        if name not in stated:
            shown.graph.output.append(helper.make_tensor_value_info(name, 1, None))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        shown.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    fed = session.get_inputs()[0].name
    wanted = [name for name in names if name != fed]
    values = dict(zip(wanted, session.run(wanted, {fed: np.asarray(x, np.float32)}), strict=True))
    return {**values, fed: np.asarray(x, np.float32)}


def output(model: onnx.ModelProto, x: Tensor) -> Tensor:
    """Return the first output of a network."""
    name = model.graph.output[0].name
    return tensors(model, [name], x)[name]


def compare(
    network: onnx.ModelProto, twin: Network, x: Tensor, *, of_peak: float | None = None
) -> Counts:
    """Compare the patched network with the twin, layer by layer.

    Each layer of the twin is fed what the patched graph fed to its own, so that one value on a
    converter's threshold can't hide behind its consequences. Outputs may differ only where the twin
    says that a value lies on a threshold: float32 may then round to the other side.

    Args:
        network: The package's.
        twin: The twin of the same chip.
        x: Inputs of both.
        of_peak: What may be the difference, as a share of the layer's largest output; `TOLERANCE` of
            all that was added and subtracted where left out.
    """
    layers = twin.layers
    names = [
        name for layer in layers.values() for name in (layer.product.input, layer.product.output)
    ]
    values = tensors(network, list(dict.fromkeys(names)), x)
    counts = Counts(0, 0, 0)
    for name, layer in layers.items():
        expected, risky, size = layer.forward(values[layer.product.input])
        off = np.abs(values[layer.product.output] - expected)
        # Where nothing at all is driven, what is left of constants is far below any weight's share.
        share = float(layer.x_max * layer.w_max.max())
        allowed = max(TOLERANCE * size.max(), 1e-12 * share)
        if of_peak is not None:
            allowed = of_peak * np.abs(expected).max()
        differs = off > allowed
        wrong = differs & ~risky
        assert not wrong.any(), (
            f"{name}: {wrong.sum()} of {wrong.size} outputs differ where no threshold is near, by "
            f"{off[wrong].max() / max(np.abs(expected).max(), 1e-300):.2g} of the largest"
        )
        counts += Counts(risky.size, int(risky.sum()), int(differs.sum()))
    return counts


def with_steps_of(twin: Network, record: Mapping[str, Any]) -> Network:
    """Give the twin's ADCs the Lloyd-Max steps of a calibration."""
    for row in record["layers"]:
        for step in row.get("adc_steps", {}).get("nonideal", ()):
            thresholds, values = (np.array(step[name]) for name in ("thresholds", "values"))
            twin.layers[row["name"]].adc_steps.append(Steps(thresholds, values))
    return twin


def beside(
    model: onnx.ModelProto,
    settings: Mapping[str, Any],
    calibration: Tensor,
    x: Tensor,
    trial: int = 0,
) -> Counts | None:
    """Make one chip twice and compare; None where a calibration input lies on a threshold.

    Such an input may change a range: nothing to compare then.
    """
    twin = build(model, settings, calibration, trial)
    if twin.calibration_risk:
        return None
    if any(layer.settings["adc"]["thresholds"] == "lloyd_max" for layer in twin.layers.values()):
        with_steps_of(twin, calibrated(model, settings, calibration))
    return compare(patched(model, settings, calibration, trial), twin, x)

"""`rxsim card`."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import click
import onnx

from rxsim.commands.arguments import FILE
from rxsim.counted import counted
from rxsim.errors import InputError
from rxsim.files import check_destination, write_atomically
from rxsim.load import InputSpec, Network, load_network
from rxsim.load.inputs import main_input
from rxsim.metrics import metric_options, truth_for
from rxsim.onnx_graph import Shape, shape_of

_PASSED_OVER = {"Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"}
_SCALING = {
    *("Add", "BatchNormalization", "Div", "InstanceNormalization", "Mul", "QuantizeLinear", "Sub"),
}
# What only the user knows; the values are examples.
_UNKNOWN = """\
# What the model does not tell, left to you: remove the # and correct the values.
# data: test.npz            # npz (x, y), folder of images by class, CSV of file,label, IDX or CIFAR-10
# calibrate: train.npz      # data that fix the converters' ranges
# classes: classes.txt      # folder by class: one class name a line, in the order of the labels
# images: images            # CSV: the folder that its files lie in
# label_file: labels-idx1-ubyte   # IDX: where the labels are not beside the images
# labels: {offset: 1}       # added to every label, or {map: FILE} (line i: the output of label i)
# metric: top1              # METRICS
"""
_UNKNOWN_STEPS = """\
  # geometry:               # images: steps in order, before scaling
  #   - resize: 256         # the shorter side, or [height, width]
  #     interpolation: bilinear
  #   - crop: 224           # central
  # data_layout: NHWC       # axes of stored arrays; image, IDX and CIFAR files have their own
  # data_color: RGB         # RGB, BGR or gray
  # model_color: RGB
  # scale: 1/255            # x -> (x * scale - mean) / std; must be stated for whole numbers
  # mean: [0.485, 0.456, 0.406]
  # std: [0.229, 0.224, 0.225]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inferred:
    """What a model tells about the data it takes.

    Attributes:
        input: the input that the data would feed.
        layout: its likely layout, or None.
        output: the output that would be evaluated.
        output_shape: its shape, or None.
        scaling: the operator that the model begins with, where it scales values.
        lines: all of this in sentences.
    """

    input: InputSpec
    layout: str | None
    output: str
    output_shape: Shape | None
    scaling: str | None
    lines: tuple[str, ...]


@click.command("card")
@click.argument("model", type=FILE)
@click.option("-o", "--output", type=FILE, metavar="FILE", help="Default: MODEL.yaml.")
def command(model: Path, output: Path | None) -> None:
    """Write a first card for MODEL.onnx: what it tells, and lines for you to fill in."""
    network = load_network(model)
    path = output or model.with_suffix(".yaml")
    check_destination(path, [model])
    if path.exists():
        raise InputError(
            f"the card {path} exists already, expected a new file; remove it, or name another with -o"
        )
    inferred = infer(network)
    write_atomically(path, card_text(model.name, inferred).encode())
    for line in inferred.lines:
        click.echo(line)
    click.echo(f"{path}: written; its lines that begin with # are yours to fill in")


def infer(network: Network) -> Inferred:
    """Read from a network what it takes and yields."""
    spec = main_input(network.inputs)
    others = [item for item in network.inputs if item is not spec]
    values = network.original.graph.output
    shape = next((shape_of(value) for value in values if value.name == network.output), None)
    layout = _layout(spec.shape)
    scaling = _leading_scaling(network.original.graph, spec.name)
    lines = [f"input {spec.name}: {spec.dtype} {_axes(spec.shape)}"]
    lines += [f"further input {s.name}: {s.dtype} {_axes(s.shape)}" for s in others]
    if layout is not None:
        lines.append(f"layout: {layout}, from where the channel axis seems to be")
    else:
        lines.append("layout: unknown, no single axis of 1 or 3 channels")
    lines.append(f"output {network.output}: {_outputs(shape)}")
    lines += [f"further output {v.name}: {_axes(shape_of(v))}" for v in values[1:]]
    if scaling is None:
        lines.append("scaling: none at the beginning of the model; the card must state it")
    else:
        lines.append(
            f"scaling: the model begins with {scaling}; perhaps it takes raw values (scale: 1)"
        )
    return Inferred(
        input=spec,
        layout=layout,
        output=network.output,
        output_shape=shape,
        scaling=scaling,
        lines=tuple(lines),
    )


def card_text(model_name: str, inferred: Inferred) -> str:
    """Write a card that holds what was inferred, and comments for the rest."""
    spec = inferred.input
    comments = "".join(f"# - {line}\n" for line in map(_one_line, inferred.lines))
    layout = (
        "  # model_layout: NCHW      # axes of the model's input: NCHW, NHWC or NHW\n"
        if inferred.layout is None
        else f"  model_layout: {inferred.layout}\n"
    )
    unknown = _UNKNOWN.replace("METRICS", _metrics())
    flat = "" if len(spec.shape) != 2 else "  # flatten: true           # images become rows\n"
    return (
        f"# Card of {_one_line(model_name)}, begun by `rxsim card`. Inferred from the model:\n"
        f"{comments}"
        f"input: {json.dumps(spec.name)}\n"
        f"output: {json.dumps(inferred.output)}\n"
        f"\n{unknown}"
        f"\npreprocess:\n{layout}{flat}{_UNKNOWN_STEPS}"
        "\n# about: {title: .., source: .., licence: ..}   # for readers\n"
    )


def _layout(shape: Shape) -> str | None:
    """Return the layout where exactly one axis has 1 or 3 channels; else None."""
    if len(shape) == 3:
        return "NHW"
    if len(shape) != 4:
        return None
    first, last = shape[1] in (1, 3), shape[3] in (1, 3)
    if first == last:
        return None
    return "NCHW" if first else "NHWC"


def _leading_scaling(graph: onnx.GraphProto, name: str) -> str | None:
    """Return the first operator on an input's values, where it scales them."""
    for _ in graph.node:
        readers = [node for node in graph.node if name in node.input]
        if len(readers) != 1:
            return None
        if readers[0].op_type in _SCALING:
            return str(readers[0].op_type)
        if readers[0].op_type not in _PASSED_OVER or readers[0].input[0] != name:
            return None
        name = readers[0].output[0]
    return None


def _axes(shape: Shape | None) -> str:
    if shape is None:
        return "of unknown shape"
    return f"[{', '.join('any' if axis is None else str(axis) for axis in shape)}]"


def _outputs(shape: Shape | None) -> str:
    """Describe an output by its shape and, where it is known, the number of classes."""
    if shape is None or len(shape) != 2 or shape[1] is None:
        return _axes(shape)
    background = (
        ", perhaps a background class first (labels: {offset: 1})" if shape[1] == 1001 else ""
    )
    return f"{_axes(shape)}, {counted(shape[1], 'class', 'classes')}{background}"


def _one_line(text: str) -> str:
    """Keep names from the model from breaking out of a comment."""
    return re.sub(r"[^ -~]", "?", text)


def _metrics() -> str:
    """List what `metric` may say, with what it needs."""
    needs = {"values": " (y holds real numbers)", "none": " (no labels needed)"}
    return ", ".join(f"{name}{needs.get(truth_for(name), '')}" for name in metric_options())

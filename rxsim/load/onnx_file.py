"""Read an ONNX file: parsed, complete, and with a name for every node."""

from __future__ import annotations

import re
from pathlib import Path

import onnx
import onnxruntime as ort
from google.protobuf.message import DecodeError

from rxsim.errors import ModelError

# onnxruntime names the place in its own source with the function's full signature, onnx its assertion.
_SOURCE_PLACE = (
    r"/onnxruntime_src/\S+:\d+ .*?\)(?: const)? (?=\S)|^/\S+: .*?Assertion `.*?` failed: "
)


def read_onnx(path: Path) -> onnx.ModelProto:
    """Read a model with its external data.

    Raises:
        ModelError: the file is missing, is not ONNX, is cut short, or has no nodes.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise ModelError(f"model {path} {what}, expected an ONNX file; check the path")
    try:
        model = onnx.load(path, format="protobuf")
    except (DecodeError, UnicodeDecodeError):
        raise ModelError(
            f"model {path} is not an ONNX file, or is cut short (its bytes do not parse); export "
            "or copy it again"
        ) from None
    except (OSError, ValueError, RuntimeError, onnx.checker.ValidationError) as error:
        raise ModelError(f"model {path} can't be read: {first_line(error)}") from None
    if not model.HasField("graph") or not model.opset_import:
        raise ModelError(
            f"model {path} is not an ONNX model (it has no graph or no operator set); export it "
            "again"
        )
    if not model.graph.node or not model.graph.output:
        raise ModelError(f"model {path} has an empty graph: it computes nothing; export it again")
    return model


def name_nodes(model: onnx.ModelProto) -> None:
    """Give every node of the main graph a unique name: its own, else its first output's.

    A name that a node has comes before one that is made up, wherever the nodes stand.
    """
    owners: dict[str, int] = {}
    for place, node in enumerate(model.graph.node):
        if node.name:
            owners.setdefault(node.name, place)
    taken = set(owners)
    for place, node in enumerate(model.graph.node):
        if owners.get(node.name) == place:
            continue
        output = next((output for output in node.output if output), "")
        name = node.name or output or node.op_type
        if name in taken:
            name = f"{name}:{output}"
        number = 2
        unique = name
        while unique in taken:
            unique, number = f"{name}#{number}", number + 1
        node.name = unique
        taken.add(unique)


def check_loads(model: onnx.ModelProto, path: Path) -> None:
    """Let onnxruntime judge a model, so that later passes may rely on a valid graph.

    Raises:
        ModelError: onnxruntime refuses it.
    """
    try:
        ort.InferenceSession(
            model.SerializeToString(), quiet_options(), providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime raises many types
        raise ModelError(f"onnxruntime can't load model {path}: {first_line(error)}") from None


def quiet_options() -> ort.SessionOptions:
    """Return options for a session that is used once: one thread, no optimisation, no log."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return options


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, for messages of one sentence."""
    lines = str(error).strip().splitlines()
    if not lines:
        return type(error).__name__
    return re.sub(_SOURCE_PLACE, "", lines[0])[:300]

"""Read an ONNX file: parsed, complete, and with a name for every node."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError, EncodeError, Message

from rxsim.errors import ModelError
from rxsim.load.passes.time_first import time_first
from rxsim.load.passes.to_float32 import to_float32, types_without_kernels
from rxsim.load.runtime import open_session
from rxsim.load.tensors import complete_tensors, shortened, stored_tensors
from rxsim.mapped_files import pieces_in
from rxsim.onnx_graph import (
    all_nodes,
    as_bytes,
    attributes,
    content_of,
    is_heavy,
    lies_in_file,
    part_of,
    without_large_constants,
)

# onnxruntime names the place in its own source with the function's full signature, onnx its assertion.
_SOURCE_PLACE = (
    r"/onnxruntime_src/\S+:\d+ .*?\)(?: const)? (?=\S)|^/\S+: .*?Assertion `.*?` failed: "
)
# What onnxruntime says before it says what is wrong.
_VERDICT = (
    r"^\[ONNXRuntimeError\] : \d+ : \w+ : (?:This is an invalid model\. |Invalid model\. )?"
    r"(?:Error: )?"
)
# Source: onnxruntime's kernels: most operators begin with this operator set.
_OLDEST = 7
# The second is said of operators of sets that did not know the type yet, as PyTorch exports them.
_NO_KERNEL = r"NOT_IMPLEMENTED|Type 'tensor\(bfloat16\)' of input parameter .* is invalid"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Original:
    """A model as it was read.

    Attributes:
        model: with a name for every node, and with the values of all its tensors.
        identity: SHA-256 of the file and of the values that it keeps beside itself, or of the bytes of
            a model in memory.
        as_float32: types for which float32 stands, because onnxruntime can't compute in them.
    """

    model: onnx.ModelProto
    identity: str
    as_float32: tuple[str, ...] = ()


def read_onnx(path: Path) -> Original:
    """Read a model with its external data; onnxruntime judges it, so that passes meet valid graphs.

    Raises:
        ModelError: the file is missing, is not ONNX, is cut short, has no nodes, lacks values of a
            tensor, or onnxruntime refuses it.
    """
    content = _read_bytes(path)
    model = _parse(content, path)
    _check_operator_set(model, path)
    external = complete_tensors(model, path, mapped=True)
    altered = time_first(model)
    digest = hashlib.sha256(content)
    if external:
        for tensor in stored_tensors(model):
            for piece in pieces_in(part_of(tensor)) if lies_in_file(tensor) else [tensor.raw_data]:
                digest.update(piece)
    as_it_is = not altered and not external and not is_heavy(model) and _loads(content)
    del content  # a large file is not held beside what was read from it
    name_nodes(model)
    replaced = () if as_it_is else make_loadable(model, path)
    return Original(model=model, identity=digest.hexdigest(), as_float32=replaced)


IN_MEMORY = Path("ModelProto")
"""What messages and results call a model that was given in memory."""


def take_onnx(given: onnx.ModelProto) -> Original:
    """Take a copy of a model in memory, judged as a file is; what was given is not changed.

    Raises:
        ModelError: it is empty, takes over 2 GiB without its constants, lacks values of a tensor, or
            onnxruntime refuses it.
    """
    content = as_bytes(given)
    if content is None:
        model = onnx.ModelProto()
        model.CopyFrom(given)
        content = _content_of_large(given)
        _check_graph(model, IN_MEMORY)
    else:
        model = _parse(content, IN_MEMORY)
    _check_operator_set(model, IN_MEMORY)
    for tensor in stored_tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise ModelError(
                f"model {IN_MEMORY}: its tensor {shortened(tensor.name)} has its values in a file, "
                "expected them in memory; give the model's path, or read it with onnx.load"
            )
    complete_tensors(model, IN_MEMORY)
    time_first(model)
    name_nodes(model)
    return Original(
        model=model,
        identity=hashlib.sha256(content).hexdigest(),
        as_float32=make_loadable(model, IN_MEMORY),
    )


def _content_of_large(given: onnx.ModelProto) -> bytes:
    try:
        return content_of(given)
    except EncodeError as error:
        raise ModelError(
            f"model {IN_MEMORY} can't be written as ONNX ({first_line(error)}), expected 2 GiB or "
            "less without its initializers; export it again"
        ) from None


def _read_bytes(path: Path) -> bytes:
    try:
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "does not exist"
            raise ModelError(f"model {path} {what}, expected an ONNX file; check the path")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"model {path} can't be read: {error.strerror or error}; check the path"
        ) from None


def _parse(content: bytes, path: Path) -> onnx.ModelProto:
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
        _read_texts(model)
    except (DecodeError, UnicodeDecodeError):
        raise ModelError(
            f"model {path} is not an ONNX file, or is cut short (its bytes do not parse); export "
            "or copy it again"
        ) from None
    _check_graph(model, path)
    return model


def _check_graph(model: onnx.ModelProto, path: Path) -> None:
    if not model.HasField("graph") or not model.opset_import:
        raise ModelError(
            f"model {path} is not an ONNX model (it has no graph or no operator set); export it "
            "again"
        )
    if not model.graph.node or not model.graph.output:
        raise ModelError(f"model {path} has an empty graph: it computes nothing; export it again")


def _check_operator_set(model: onnx.ModelProto, path: Path) -> None:
    newest = onnx.defs.onnx_opset_version()
    for item in model.opset_import:
        if item.domain in ("", "ai.onnx") and not 1 <= item.version <= newest:
            raise ModelError(
                f"model {path} uses operator set {item.version}, expected 1 to {newest}; export it at "
                "operator set 17 or install a newer onnx and onnxruntime"
            )


def _read_texts(message: Message) -> None:
    """Read every text once: only then does damage show.

    Raises:
        UnicodeDecodeError: a text is not UTF-8.
    """
    for field, value in message.ListFields():
        if field.message_type is None:
            if field.type == field.TYPE_STRING:  # bytes stand for what is no text
                for text in [value] if isinstance(value, str | bytes) else value:
                    _ = text.decode() if isinstance(text, bytes) else text
            continue
        for item in [value] if isinstance(value, Message) else value:
            _read_texts(item)


def _loads(content: bytes) -> bool:
    """Tell whether onnxruntime takes a file as it is: quicker than to write the model once more."""
    try:
        open_session(content)
    except Exception:  # onnxruntime raises many types
        return False
    return True


def name_nodes(model: onnx.ModelProto) -> None:
    """Give every node of the main graph a unique name: the name in the file, else its first output's.

    Names in the file come before names that are made up, wherever the nodes stand.
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


def _check_equations(model: onnx.ModelProto, path: Path) -> None:
    """Refuse an Einsum whose dots are not three: the shape inference of onnx 1.23 never ends on it.

    Raises:
        ModelError: naming the node.
    """
    for node in [*all_nodes(model.graph), *(node for f in model.functions for node in f.node)]:
        equation = attributes(node).get("equation", b"") if node.op_type == "Einsum" else b""
        if b"." in equation.replace(b"...", b""):
            raise ModelError(
                f"model {path}: its node {node.name} (Einsum) has the equation "
                f"{shortened(equation.decode('utf-8', 'replace'))}, expected dots in threes; correct "
                "the model or export it again"
            )


def make_loadable(model: onnx.ModelProto, path: Path) -> tuple[str, ...]:
    """Let onnxruntime judge a model whose nodes are named, so that its verdict names a node.

    Where it lacks an operator for a type, float32 stands for that type, in place.

    Returns:
        The types for which float32 stands.

    Raises:
        ModelError: onnxruntime refuses it.
    """
    _check_equations(model, path)
    refused = _refusal(model)
    if refused is None:
        return ()
    present = types_without_kernels(model)
    still: Exception | None = refused
    for names in (tuple(present[: n + 1]) for n in range(len(present))):
        if re.search(_NO_KERNEL, str(still)) is None:
            break
        changed = onnx.ModelProto()
        changed.CopyFrom(model)
        to_float32(changed, names)
        still = _refusal(changed)
        if still is None:
            model.CopyFrom(changed)
            return names
    verdict = first_line(refused)
    versions = [item.version for item in model.opset_import if item.domain in ("", "ai.onnx")]
    oldest = min(versions, default=_OLDEST)
    if oldest < _OLDEST and "NOT_IMPLEMENTED" in str(refused):
        raise ModelError(
            f"model {path} uses operator set {oldest}, expected {_OLDEST} or later ({verdict}); export "
            "it again, or convert it with onnx.version_converter.convert_version(model, 17)"
        )
    raise ModelError(
        f"onnxruntime can't load model {path}: {_unknown_operator(model, verdict) or verdict}; "
        "correct the model or export it again"
    )


def _refusal(model: onnx.ModelProto) -> Exception | None:
    """Return what onnxruntime says against a model; None where it takes it.

    Weights need not be there for that, and onnxruntime copies them several times. A heavy model that is
    refused without them is asked once more whole, where ONNX can hold it.
    """
    if is_heavy(model) and _refusal_of(without_large_constants(model)) is None:
        return None
    content = as_bytes(model)
    return _refusal_of(without_large_constants(model) if content is None else content)


def _refusal_of(model: onnx.ModelProto | bytes) -> Exception | None:
    try:
        open_session(model)
    except Exception as error:  # onnxruntime raises many types
        return error
    return None


def _unknown_operator(model: onnx.ModelProto, verdict: str) -> str | None:
    """Name the node where onnxruntime names only an operator that it does not know."""
    match = re.match(r"Fatal error: (\S*):(\S+)\(-?\d+\) is not a registered", verdict)
    if match is None:
        return None
    names = [n.name for n in model.graph.node if (n.domain, n.op_type) == match.groups()]
    where = f"its node {names[0]} has" if names else "it has"
    return f"{where} the operator {match[2]} of the domain {match[1]!r}, which is not known"


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, for messages of a single sentence."""
    lines = str(error).strip().splitlines()
    if not lines:
        return type(error).__name__
    return re.sub(_VERDICT, "", re.sub(_SOURCE_PLACE, "", lines[0]))[:300].rstrip(" .")

"""Damaged settings files and models: they work or are refused in one sentence; never anything else.

Hypothesis draws a list of (mutation, seed); `python tests/test_fuzz.py serve` is the process in which a
case runs, so that a crash, a hang or a flood of memory in native code is seen and told.
"""

from __future__ import annotations

import json
import os
import random
import resource
import select
import struct
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, parser

ROOT = Path(__file__).resolve().parents[1]
FAST, LONG = 50, 1500
SECONDS = 20.0
PEAK_BYTES = 2 * 2**30
DATA_LIMIT = 6 * 2**30
"""Ends a flood of memory with an exception before it harms the machine; a case fails at PEAK_BYTES."""

KNOWN_WARNINGS = {
    ("patch", "builder", "overflow encountered in cast"),
    ("run", "diagnose", "invalid value encountered in subtract"),
}
"""Of networks whose activations come near 1e38: numpy says so, the result is none to rely on."""


# --- the process that runs cases ---------------------------------------------------------------------


def _run_settings(path: Path) -> None:
    from rxsim.config import load_settings

    load_settings(path)


def _run_model(path: Path) -> None:
    from rxsim.config import load_settings
    from rxsim.load import load_network
    from rxsim.pipeline import DataOptions, evaluate, open_study, take_inventory

    small = load_settings(xbar="16x16", assignments=["calibration.samples=2"])
    network = load_network(path)
    take_inventory(network, small, {spec.name: (1, 1, 8, 8) for spec in network.inputs})
    evaluate(open_study(path, small, DataOptions(limit=2), threads=1))


_RUNNERS: dict[str, Callable[[Path], None]] = {"settings": _run_settings, "model": _run_model}


def _peak_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def _outcome(kind: str, path: Path) -> tuple[str, str]:
    """Return what became of a case: works, refused or broken, and the words."""
    import traceback

    from rxsim.errors import RxsimError

    said = os.fstat(2).st_size
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            _RUNNERS[kind](path)
        outcome = ("works", "")
    except RxsimError as error:
        text = str(error)
        sentence = error.exit_code == 2 and len(text) < 1500 and "\n" not in text.strip()
        outcome = ("refused" if sentence else "broken", text)
    except BaseException:
        outcome = ("broken", traceback.format_exc())
    for item in warned:
        place = Path(item.filename).parent.name, Path(item.filename).stem, str(item.message)
        if outcome[0] != "broken" and place not in KNOWN_WARNINGS:
            outcome = ("broken", f"it warns: {item.message} ({item.filename}:{item.lineno})")
    if outcome[0] != "broken" and os.fstat(2).st_size > said:
        noise = os.pread(2, 300, said).decode(errors="replace")
        outcome = ("broken", f"it prints: {noise}")
    return outcome


def _serve() -> None:
    """Answer lines of JSON (kind, path) with lines of JSON (outcome, words, peak memory)."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    resource.setrlimit(resource.RLIMIT_DATA, (DATA_LIMIT, DATA_LIMIT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for line in sys.stdin:
        kind, path = json.loads(line)
        Path("/proc/self/clear_refs").write_text("5")  # restarts the peak of memory
        outcome = _outcome(kind, Path(path))
        print(json.dumps([*outcome, _peak_bytes()]), file=replies, flush=True)


class Server:
    """The process that runs cases, started again where one ended it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seen: dict[str, int] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._noise = (folder / "noise").open("wb+")

    def _start(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, __file__, "serve"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._noise,
            )
            self._ask("model", ROOT / "models" / "digits_cnn.onnx", 400)  # imports and compiles
        return self._process

    def _ask(self, kind: str, path: Path, seconds: float) -> tuple[str, str, int]:
        process = self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps([kind, str(path)]).encode() + b"\n")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], seconds)
        answer = process.stdout.readline() if ready else b""
        if answer:
            outcome, words, peak = json.loads(answer)
            return outcome, words, peak
        if not ready:
            self.stop()
            return "broken", f"it took more than {seconds:g} s", 0
        code = process.wait()
        self._process = None
        return "broken", f"the process ended with code {code}", 0

    def check(self, kind: str, content: bytes, case: object) -> None:
        """Run one case.

        Raises:
            AssertionError: it neither works nor is refused in one sentence.
        """
        path = self.folder / ("case.onnx" if kind == "model" else "case.yaml")
        path.write_bytes(content)
        outcome, words, peak = self._ask(kind, path, SECONDS)
        self.seen[outcome] = self.seen.get(outcome, 0) + 1
        assert outcome != "broken", f"{case}: {words}"
        assert peak < PEAK_BYTES, f"{case}: {peak / 2**30:.1f} GiB ({outcome} {words})"

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("fuzz"))
    yield running
    running.stop()


# --- damage to bytes ---------------------------------------------------------------------------------

Damage = Callable[[bytearray, random.Random], None]


def _flip(content: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice([1, 1, 2, 8, 64])):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)


def _flip_early(content: bytearray, rng: random.Random) -> None:
    """Flip a bit of the first or last 2,000 bytes: graph and names, not weights."""
    start = rng.choice([0, max(len(content) - 2000, 0)])
    content[rng.randrange(start, min(start + 2000, len(content)))] ^= 1 << rng.randrange(8)


def _cut(content: bytearray, rng: random.Random) -> None:
    del content[rng.randrange(len(content)) + 1 :]


def _range(content: bytearray, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(content))
    return start, min(start + rng.choice([1, 4, 30, 500, 5000]), len(content))


def _drop_range(content: bytearray, rng: random.Random) -> None:
    start, stop = _range(content, rng)
    del content[start:stop]
    content.extend(b"" if content else b"\0")


def _double_range(content: bytearray, rng: random.Random) -> None:
    start, stop = _range(content, rng)
    content[stop:stop] = content[start:stop]


def _splice(content: bytearray, rng: random.Random) -> None:
    start, stop = _range(content, rng)
    place = rng.randrange(len(content))
    content[place : place + stop - start] = content[start:stop]


def _overwrite(content: bytearray, rng: random.Random) -> None:
    start, stop = _range(content, rng)
    fill = rng.choice([b"\0", b"\xff", b"\x80", None])
    content[start:stop] = rng.randbytes(stop - start) if fill is None else fill * (stop - start)


BYTES: dict[str, Damage] = {
    "flip": _flip,
    "flip early": _flip_early,
    "cut": _cut,
    "drop range": _drop_range,
    "double range": _double_range,
    "splice": _splice,
    "overwrite": _overwrite,
}

# --- damage to settings files ------------------------------------------------------------------------

SETTINGS = (ROOT / "configs" / "rxnn-64.yaml").read_text()
ODD_VALUES = [
    *(
        "1" + "0" * 400,
        "9" * 5000,
        "-" + "9" * 5000,
        "1e999",
        "-1e-999",
        "1.0e+400",
        "0x" + "f" * 5000,
    ),
    *(
        ".nan",
        ".inf",
        "-.inf",
        "-0.0",
        "1_000",
        "1:30:00",
        "190:20:30.15",
        "0o17",
        "017",
        "0b101",
        "0xFF",
    ),
    *("2024-01-01", "2024-13-45", "2024-01-01T00:00:00Z", "0001-01-01", "2024-01-01 1:1:1+99:99"),
    *(
        "null",
        "~",
        "''",
        '""',
        "on",
        "No",
        "y",
        "=",
        "<<",
        "<<: *x",
        "*x",
        "&x 1",
        "&x [*x]",
        "? 1",
        "- 1",
    ),
    *(
        "!!int x",
        "!!float x",
        "!!int ''",
        "!!float ''",
        "!!bool maybe",
        "!!null 1",
        "!!timestamp x",
    ),
    *(
        "!!binary '='",
        "!!binary aGk=",
        "!!set {a, b}",
        "!!omap [a: 1]",
        "!!pairs [a: 1]",
        "!!str 1",
    ),
    *(
        "!!python/name:os.system",
        "!!python/object/apply:os.abort []",
        "!mine 1",
        "!<tag:x> 1",
        "!!map 1",
    ),
    *(
        "!!seq 1",
        "!!omap 1",
        "!!set [1]",
        "!!merge 1",
        "!!value 1",
        "!!int {a: 1}",
        "!!int '-'",
        "!!int '+'",
    ),
    *(
        "[]",
        "{}",
        "[1, 2]",
        "{a: {b: c}}",
        "[" * 60 + "]" * 60,
        "[" * 3000,
        "- " * 3000,
        "? " * 3000,
        "{a: " * 900 + "}" * 900,
    ),
    *(
        "'" + "x" * 100000 + "'",
        "'\u202e\U0001f600\u0000'",
        "\ufeff",
        "é",
        "\U0001d7d8",
        "٣",
        "1\u00a0",
    ),
    *(
        "|\n  x",
        ">\n  x",
        "%YAML 9.9",
        "---",
        "...",
        "--- 1\n--- 2",
        "#",
        "@",
        "`",
        "\t",
        "\x7f",
        "!!",
        "!",
        "%",
    ),
    *(
        "{? [1]: 2}",
        "{? {a: 1}: 2}",
        "{<<: 1}",
        "{<<: [1]}",
        "{<<: {n_bits: 4}}",
        "{1: 2}",
        "{null: 1}",
    ),
    *(
        "true",
        "1e3",
        "1.5e3",
        "6.0",
        "'6'",
        "' 6 '",
        "6e0",
        "1e308",
        "4.9e-324",
        "65536",
        "65537",
        "-1",
        "0",
    ),
    *(
        "1" + "0" * 18,
        "1" + "0" * 19,
        "2e24",
        "'1e400'",
        "'0x10'",
        "'1_0'",
        "'٣'",
        "!!float 1e400",
        "!!int 1:1",
    ),
]


def _bomb(rng: random.Random) -> str:
    """Aliases of aliases: 10 lines stand for 10**9 values."""
    kind = rng.choice(["list", "map", "merge"])
    lines = ["a0: &a0 [x, x]" if kind == "list" else "a0: &a0 {x: 1}"]
    for level in range(1, 30):
        alias = f"*a{level - 1}"
        inner = {
            "list": f"[{', '.join([alias] * 9)}]",
            "map": "{" + ", ".join(f"k{i}: {alias}" for i in range(9)) + "}",
            "merge": f"{{<<: [{', '.join([alias] * 9)}]}}",
        }[kind]
        lines.append(f"a{level}: &a{level} {inner}")
    lines.append(
        rng.choice(["seed: *a29", "crossbar: *a29", "device: {g_on: *a29, r_on: *a29}", ""])
    )
    return "\n".join(lines) + "\n"


def _lines(content: bytearray, change: Callable[[list[bytes]], None]) -> None:
    lines = bytes(content).split(b"\n")
    change(lines)
    content[:] = b"\n".join(lines)


def _drop_line(content: bytearray, rng: random.Random) -> None:
    _lines(content, lambda lines: lines.__delitem__(rng.randrange(len(lines))))


def _double_line(content: bytearray, rng: random.Random) -> None:
    _lines(content, lambda lines: lines.insert(rng.randrange(len(lines)), rng.choice(lines)))


def _swap_lines(content: bytearray, rng: random.Random) -> None:
    def swap(lines: list[bytes]) -> None:
        i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
        lines[i], lines[j] = lines[j], lines[i]

    _lines(content, swap)


def _odd_value(content: bytearray, rng: random.Random) -> None:
    """Put an odd value in place of what stands after a colon."""
    places = [i for i, byte in enumerate(content) if byte == ord(":")]
    if not places:
        return
    start = rng.choice(places) + 1
    stop = start
    while stop < len(content) and content[stop] not in b",}\n":
        stop += 1
    content[start:stop] = b" " + rng.choice(ODD_VALUES).encode(errors="surrogatepass")


def _odd_key(content: bytearray, rng: random.Random) -> None:
    content.extend(f"\n{rng.choice(ODD_VALUES)}: {rng.choice(ODD_VALUES)}\n".encode())


def _only_odd(content: bytearray, rng: random.Random) -> None:
    content[:] = rng.choice(ODD_VALUES).encode()


def _only_bomb(content: bytearray, rng: random.Random) -> None:
    content[:] = _bomb(rng).encode()


def _setting(content: bytearray, rng: random.Random) -> None:
    """Write one setting alone, with an odd value."""
    from rxsim.config import Settings
    from rxsim.schema import dotted_names

    parts = rng.choice(sorted(dotted_names(Settings))).split(".")
    text = rng.choice(ODD_VALUES)
    for part in reversed(parts[1:]):
        text = f"{{{part}: {text}}}"
    content[:] = f"{parts[0]}: {text}\n".encode()


def _other_coding(content: bytearray, rng: random.Random) -> None:
    text = bytes(content).decode(errors="replace")
    content[:] = text.encode(
        rng.choice(["utf-16", "utf-32", "utf-8-sig", "utf-7", "cp037"]), "replace"
    )


LINES: dict[str, Damage] = {
    "drop line": _drop_line,
    "double line": _double_line,
    "swap lines": _swap_lines,
    "odd value": _odd_value,
    "odd key": _odd_key,
    "only odd": _only_odd,
    "bomb": _only_bomb,
    "setting": _setting,
    "coding": _other_coding,
}
SETTINGS_DAMAGE = {**LINES, **BYTES}

# --- damage to models --------------------------------------------------------------------------------

EXTRA_MODELS = {
    "quantised": """<ir_version: 8, opset_import: ["" : 13]>
        g (float[N,1,8,8] x) => (float[N,10] y)
        <int8[10,64] w, float s = {0.01}, int8 z = {0}, int64[2] shape = {-1, 64}> {
        v = DequantizeLinear(w, s, z) f = Reshape(x, shape) y = Gemm<transB=1>(f, v) }""",
    "constants": """<ir_version: 8, opset_import: ["" : 17]>
        g (float[N,1,8,8] x) => (float[N,4] y) <float[4,64] w, float[4] b> {
        n = Constant<value_ints=[4]>() o = ConstantOfShape<value=float[1] {2.0}>(n)
        t = Transpose<perm=[1,0]>(w) c = Mul(b, o) f = Flatten(x) m = MatMul(f, t) y = Add(m, c) }""",
    "left": """<ir_version: 8, opset_import: ["" : 17]>
        g (float[8,8] x) => (float[4,8] y) <float[4,8] w, float[8,8] v, float[8] b> {
        t = MatMul(v, x) y = Gemm<alpha=0.5, beta=2.0>(w, t, b) }""",
    "old": """<ir_version: 3, opset_import: ["" : 7]>
        g (float[1,1,8,8] x) => (float[1,6] y)
        <float[3,1,3,3] w, float[3] p, float[3] q, float[3] r, float[3] s, float[108,6] v, float[6] b> {
        c = Conv<kernel_shape=[3,3]>(x, w) n = BatchNormalization(c, p, q, r, s) a = Relu(n)
        f = Flatten(a) m = MatMul(f, v) y = Add(m, b) }""",
    "inner": """<ir_version: 8, opset_import: ["" : 17, "local" : 1]>
        g (float[N,8] x) => (float[N,4] y) <float[8,4] w, bool c = {1}> {
        a = MatMul(x, w) t = If(c) <then_branch = yes () => (u) { u = Relu(a) },
        else_branch = no () => (u) { u = Neg(a) }> y = local.twice(t) }
        <domain: "local", opset_import: ["" : 17]> twice (a) => (b) { b = Add(a, a) }""",
}


def _base_models() -> dict[str, bytes]:
    models = {path.name: path.read_bytes() for path in sorted((ROOT / "models").glob("*.onnx"))}
    for name, text in EXTRA_MODELS.items():
        model = parser.parse_model(text)
        for tensor in model.graph.initializer:
            rng = random.Random(tensor.name)
            if not any([tensor.raw_data, tensor.float_data, tensor.int32_data, tensor.int64_data]):
                values = [rng.uniform(0.1, 1) for _ in range(_size(tensor.dims))]
                if tensor.data_type == TensorProto.INT8:
                    values = [int(100 * value) for value in values]
                tensor.CopyFrom(
                    helper.make_tensor(tensor.name, tensor.data_type, tensor.dims, values)
                )
        models[name] = model.SerializeToString()
    return models


def _size(dims: Any) -> int:
    size = 1
    for length in dims:
        size *= length
    return size


ModelDamage = Callable[[onnx.ModelProto, random.Random], None]
ODD_AXES = [0, 1, -1, 2, 3, 7, 40, 2**31 - 1, 2**31, -(2**31), 2**32, 2**40, 2**62, -(2**63)]
"""No few thousands: a network of such a batch is valid and takes minutes."""
ODD_INTS = [
    0,
    1,
    -1,
    2,
    3,
    7,
    100,
    5000,
    2**15,
    2**31 - 1,
    2**31,
    -(2**31),
    2**32,
    2**40,
    2**62,
    -(2**63),
]
ODD_FLOATS = [0.0, -0.0, 1.0, -1.0, 1e-45, 1e38, -1e38, float("nan"), float("inf"), float("-inf")]
OPERATORS = [
    *("Conv", "ConvTranspose", "Gemm", "MatMul", "BatchNormalization", "Relu", "Clip", "MaxPool"),
    *("AveragePool", "Flatten", "Reshape", "Add", "Transpose", "Concat", "Slice", "Split"),
    *("Gather", "Cast", "Expand", "Tile", "Resize", "Pad", "Range", "ConstantOfShape", "Shape"),
    *("Size", "NonZero", "Identity", "Dropout", "Softmax", "TopK", "OneHot", "LSTM", "GRU", "RNN"),
    *("If", "Loop", "Scan", "Einsum", "QLinearConv", "ConvInteger", "DequantizeLinear"),
    *("QuantizeLinear", "DynamicQuantizeLinear", "LayerNormalization", "InstanceNormalization"),
    *("LRN", "SequenceConstruct", "SequenceAt", "Optional", "StringNormalizer", "RandomNormal"),
    *("Multinomial", "Unique", "Upsample", "DepthToSpace", "SpaceToDepth", "GridSample", "Where"),
    *("CumSum", "Mod", "Pow", "MaxUnpool", "RoiAlign", "NonMaxSuppression", "Nope"),
]


def _attribute(model: onnx.ModelProto, rng: random.Random) -> None:
    """Change, add, drop or retype an attribute."""
    node = rng.choice(model.graph.node)
    names = [item.name for item in node.attribute]
    known = "group kernel_shape pads strides dilations axis alpha beta transA transB perm epsilon "
    extra = (known + "auto_pad ceil_mode training_mode keepdims to value output_shape").split()
    name = rng.choice(names or extra) if rng.random() < 0.7 else rng.choice(extra)
    kept = [item for item in node.attribute if item.name != name]
    del node.attribute[:]
    node.attribute.extend(kept)
    value: Any = rng.choice(
        [
            rng.choice(ODD_INTS),
            [rng.choice(ODD_INTS) for _ in range(rng.randrange(1, 7))],
            [rng.randrange(-1, 4) for _ in range(rng.randrange(1, 7))],
            rng.choice(ODD_FLOATS),
            rng.choice(["SAME_UPPER", "VALID", "x" * 1000, b"\xff\xfe"]),
            None,
        ]
    )
    if value is not None:
        node.attribute.append(helper.make_attribute(name, value))


def _one_long_attribute(model: onnx.ModelProto, rng: random.Random) -> None:
    """Make one entry of a list of whole numbers odd: pads, strides, kernels."""
    lists = [item for node in model.graph.node for item in node.attribute if len(item.ints)]
    if lists:
        chosen = rng.choice(lists)
        chosen.ints[rng.randrange(len(chosen.ints))] = rng.choice(ODD_INTS)


def _drop(model: onnx.ModelProto, rng: random.Random) -> None:
    """Drop a node, a constant, an input, an output, an operator set or a value's type."""
    graph = model.graph
    node = rng.choice(graph.node)
    held: Any = rng.choice(
        [
            *(graph.node, graph.initializer, graph.input, graph.output, graph.value_info),
            *(node.input, node.output, node.attribute, model.opset_import),
        ]
    )
    if len(held):
        del held[rng.randrange(len(held))]


def _double(model: onnx.ModelProto, rng: random.Random) -> None:
    graph = model.graph
    held: Any = rng.choice(
        [graph.node, graph.initializer, graph.input, graph.output, model.opset_import]
    )
    if len(held):
        held.append(rng.choice(held))


def _shuffle(model: onnx.ModelProto, rng: random.Random) -> None:
    nodes = list(model.graph.node)
    rng.shuffle(nodes)
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)


def _dims(model: onnx.ModelProto, rng: random.Random) -> None:
    """Change the shape of a constant, an input or an output."""
    values = [*model.graph.input, *model.graph.output]
    if rng.random() < 0.5 and len(model.graph.initializer):
        dims = rng.choice(model.graph.initializer).dims
        action = rng.randrange(3)
        if action == 0 and len(dims):
            dims[rng.randrange(len(dims))] = rng.choice(ODD_AXES)
        elif action == 1:
            dims.append(rng.choice([*ODD_AXES, 1, 1, 1]))
        elif len(dims):
            del dims[rng.randrange(len(dims))]
        return
    axes = rng.choice(values).type.tensor_type.shape.dim if values else []
    if len(axes) and rng.random() < 0.7:
        axis = rng.choice(axes)
        axis.Clear()
        if rng.random() < 0.8:
            axis.dim_value = rng.choice(ODD_AXES)
        else:
            axis.dim_param = rng.choice(["N", "", "x" * 100])
    elif len(axes):
        del axes[rng.randrange(len(axes))]


def _type(model: onnx.ModelProto, rng: random.Random) -> None:
    kind = rng.randrange(-1, 30)
    if rng.random() < 0.5 and len(model.graph.initializer):
        rng.choice(model.graph.initializer).data_type = kind
        return
    value = rng.choice([*model.graph.input, *model.graph.output, onnx.ValueInfoProto()])
    action = rng.randrange(4)
    if action == 0:
        value.type.sequence_type.elem_type.tensor_type.elem_type = 1
    elif action == 1:
        value.ClearField("type")
    elif action == 2:
        value.type.tensor_type.ClearField("shape")
    else:
        value.type.tensor_type.elem_type = kind


def _values(model: onnx.ModelProto, rng: random.Random) -> None:
    """Fill a constant of floats with odd values."""
    chosen = [tensor for tensor in model.graph.initializer if tensor.data_type == 1]
    if not chosen:
        return
    tensor = rng.choice(chosen)
    n_values = max(_size(tensor.dims), 1)
    if not 0 < n_values < 10**6:
        return
    fill = rng.choice(ODD_FLOATS)
    tensor.ClearField("float_data")
    values = [fill] * n_values if rng.random() < 0.5 else [0.5] * (n_values - 1) + [fill]
    tensor.raw_data = struct.pack(f"<{n_values}f", *values)


def _rewire(model: onnx.ModelProto, rng: random.Random) -> None:
    """Make a node read or write another tensor: cycles, doubles, missing ones."""
    nodes = model.graph.node
    names = [name for node in nodes for name in [*node.input, *node.output]]
    names += ["", "missing", *(value.name for value in model.graph.input)]
    node = rng.choice(nodes)
    held = rng.choice([node.input, node.output])
    if len(held) and rng.random() < 0.8:
        held[rng.randrange(len(held))] = rng.choice(names)
    else:
        held.append(rng.choice(names))


def _rename(model: onnx.ModelProto, rng: random.Random) -> None:
    held: Any = rng.choice(
        [model.graph.initializer, model.graph.input, model.graph.output, model.graph.node]
    )
    if len(held):
        names = ["", "x", "y", "é\u202e", "x" * 3000, "a/b:c#d", rng.choice(held).name]
        rng.choice(held).name = rng.choice(names)


LOCATIONS = [
    *(
        "../../etc/passwd",
        "/etc/passwd",
        "/dev/zero",
        "/dev/stdin",
        "missing.bin",
        "",
        ".",
        "..",
        "case.onnx",
    ),
    *(
        "./case.onnx",
        "a/../case.onnx",
        "\0",
        "x" * 5000,
        "case.onnx/",
        "~",
        "/proc/self/mem",
        "C:\\x",
        "é",
    ),
]


def _external(model: onnx.ModelProto, rng: random.Random) -> None:
    if not model.graph.initializer:
        return
    tensor = rng.choice(model.graph.initializer)
    if rng.random() < 0.8:
        tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entries = {"location": rng.choice(LOCATIONS)}
    for key in ("offset", "length", "checksum", "odd"):
        if rng.random() < 0.4:
            entries[key] = rng.choice(["0", "4", "64", "-1", "1e3", "x", "", "9" * 30, "²"])
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)


def _operator(model: onnx.ModelProto, rng: random.Random) -> None:
    node = rng.choice(model.graph.node)
    if rng.random() < 0.85:
        node.op_type = rng.choice(OPERATORS)
    else:
        node.domain = rng.choice(
            ["com.microsoft", "ai.onnx", "ai.onnx.ml", "mine", "ai.onnx.training"]
        )


def _opset(model: onnx.ModelProto, rng: random.Random) -> None:
    if rng.random() < 0.6 and len(model.opset_import):
        rng.choice(model.opset_import).version = rng.choice([*range(-1, 30), 99, 2**31, 2**62])
    elif rng.random() < 0.5:
        model.ir_version = rng.choice([*range(-1, 16), 99, 2**40])
    else:
        rng.choice(model.opset_import or [onnx.OperatorSetIdProto()]).domain = rng.choice(
            ["ai.onnx", "q"]
        )


def _grow(model: onnx.ModelProto, rng: random.Random) -> None:
    """Put a node in front of the network's first that makes a huge or an odd tensor of constants."""
    number = rng.choice(ODD_INTS)
    rank = rng.randrange(1, 5)
    graph = model.graph
    shape = helper.make_tensor("grow_shape", TensorProto.INT64, [rank], [number] + [1] * (rank - 1))
    one = helper.make_tensor("grow_one", TensorProto.FLOAT, [1] * rank, [1.0])
    graph.initializer.extend([shape, one])
    first = graph.node[0]
    source = rng.choice(["grow_one", first.input[0] if len(first.input) else "grow_one"])
    op = rng.choice(["ConstantOfShape", "Expand", "Tile"])
    inputs = ["grow_shape"] if op == "ConstantOfShape" else [source, "grow_shape"]
    graph.node.insert(0, helper.make_node(op, inputs, ["grown"]))
    target = rng.choice(graph.node[1:] or [first])
    if len(target.input):
        target.input[rng.randrange(len(target.input))] = "grown"


STRUCTURE: dict[str, ModelDamage] = {
    "attribute": _attribute,
    "long attribute": _one_long_attribute,
    "drop": _drop,
    "double": _double,
    "shuffle": _shuffle,
    "dims": _dims,
    "type": _type,
    "values": _values,
    "rewire": _rewire,
    "rename": _rename,
    "external": _external,
    "operator": _operator,
    "opset": _opset,
    "grow": _grow,
}


def _damaged_model(content: bytes, steps: list[tuple[str, int]]) -> bytes:
    model = onnx.ModelProto.FromString(content)
    for name, seed in steps:
        if not model.graph.node:
            break
        STRUCTURE[name](model, random.Random(seed))
    return model.SerializeToString()


def _damaged_bytes(content: bytes, steps: list[tuple[str, int]], ways: dict[str, Damage]) -> bytes:
    changed = bytearray(content)
    for name, seed in steps:
        if not changed:
            break
        ways[name](changed, random.Random(seed))
    return bytes(changed)


# --- the tests ---------------------------------------------------------------------------------------


def _steps(ways: dict[str, Any], most: int) -> st.SearchStrategy[list[tuple[str, int]]]:
    step = st.tuples(st.sampled_from(sorted(ways)), st.integers(0, 2**31))
    return st.lists(step, min_size=1, max_size=most)


BASE_MODELS = _base_models()
Case = st.one_of(
    st.tuples(st.just("structure"), st.sampled_from(sorted(BASE_MODELS)), _steps(STRUCTURE, 3)),
    st.tuples(st.just("structure"), st.sampled_from(sorted(BASE_MODELS)), _steps(STRUCTURE, 1)),
    st.tuples(st.just("bytes"), st.sampled_from(sorted(BASE_MODELS)), _steps(BYTES, 2)),
)
_OPTIONS: dict[str, Any] = {
    "derandomize": True,
    "database": None,
    "deadline": None,
    "print_blob": False,
    "suppress_health_check": list(HealthCheck),
}


def _amounts() -> list[Any]:
    return [pytest.param(FAST, id="some"), pytest.param(LONG, id="many", marks=pytest.mark.slow)]


@pytest.mark.parametrize("amount", _amounts())
def test_damaged_settings_files_work_or_are_refused(amount: int, server: Server) -> None:
    @settings(max_examples=amount, **_OPTIONS)
    @given(_steps(SETTINGS_DAMAGE, 4))
    def check(steps: list[tuple[str, int]]) -> None:
        server.check("settings", _damaged_bytes(SETTINGS.encode(), steps, SETTINGS_DAMAGE), steps)

    check()


@pytest.mark.parametrize("amount", _amounts())
def test_random_text_as_settings_is_refused_or_works(amount: int, server: Server) -> None:
    @settings(max_examples=amount // 3, **_OPTIONS)
    @given(
        st.one_of(
            st.text(alphabet=st.sampled_from("ab1:-?[]{},&*!|>'\"%@# \n\t.<=~"), max_size=60),
            st.text(),
        )
    )
    def check(text: str) -> None:
        server.check("settings", text.encode(errors="surrogatepass"), repr(text))

    check()


@pytest.mark.parametrize("amount", _amounts())
def test_damaged_models_work_or_are_refused(amount: int, server: Server) -> None:
    @settings(max_examples=amount, **_OPTIONS)
    @given(Case)
    def check(case: tuple[str, str, list[tuple[str, int]]]) -> None:
        kind, name, steps = case
        damaged = (
            _damaged_model(BASE_MODELS[name], steps)
            if kind == "structure"
            else _damaged_bytes(BASE_MODELS[name], steps, BYTES)
        )
        server.check("model", damaged, case)

    check()


def test_the_models_to_be_damaged_work(server: Server) -> None:
    for name, content in BASE_MODELS.items():
        server.check("model", content, name)
    assert server.seen.get("works", 0) >= len(BASE_MODELS)


if __name__ == "__main__" and sys.argv[1:] == ["serve"]:
    _serve()

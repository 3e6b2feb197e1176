"""An operator is added by one new file: a copy of the package, the file, and networks that need it.

The operator is Einsum, which the copy is made to know nothing of: the package's own file is left out.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from commands_of import Commands
from onnx import numpy_helper, parser

ROOT = Path(__file__).parent.parent
EINSUM = '''
"""Einsum "bkl,kn->bnl": channels first, one row of the array for each."""

import numpy as np
from onnx import numpy_helper

from rxsim.onnx_graph import attributes, n_entries, take
from rxsim.operators import Layout, Operator, Product, Windows
from rxsim.operators._shared import why_not_weights
from rxsim.operators._single import SingleProduct


class Einsum(SingleProduct):
    op_types = (("", "Einsum"),)

    def why_not(self, node, constants):
        if attributes(node)["equation"] != b"bkl,kn->bnl":
            return "its equation is no matrix product along the channels"
        return why_not_weights(constants.get(node.input[1]))

    def products(self, node, constants):
        stored = numpy_helper.to_array(constants[node.input[1]])
        return [
            Product(
                stored=stored, matrices=stored[None], input=node.input[0], layout=Layout(1, 1, ())
            )
        ]

    def macs(self, node, shapes):
        size, weights = n_entries(shapes.get(node.output[0])), shapes.get(node.input[1])
        return None if size is None or weights is None else size * weights[0]

    def windows(self, layer, values):
        batch, channels, places = values.shape
        starts = np.arange(batch)[:, None] * channels * places + np.arange(places)
        return Windows(starts.ravel(), np.arange(channels) * places, values.ravel())

    def add_product(self, build, layer, source, part):
        source = take(build, source, part.rows, part.n_inputs, 1, f"rows_{part.name}")
        matrix = part.matrix[0][np.argsort(part.rows)].T.astype(np.float32)
        inputs = [build.constant(f"matrix_{part.name}", matrix), source]
        if part.added is None:
            return build.add("MatMul", inputs, part.name)
        product = build.add("MatMul", inputs, f"driven_{part.name}")
        added = layer.along_channels(part.added[0]).astype(np.float32)
        return build.add("Add", [product, build.constant(f"added_{part.name}", added)], part.name)


OPERATOR: Operator = Einsum()
'''
GATED = '''
"""Einsum "bk,kn,bl,ln->bn": two products of one node, multiplied entry by entry."""

from onnx import numpy_helper

from rxsim.onnx_graph import attributes, n_entries
from rxsim.operators import ROWS, Operator, Product
from rxsim.operators._matrix_product import MatrixProduct


class Gated(MatrixProduct):
    op_types = (("", "Einsum"),)

    def why_not(self, node, constants):
        if attributes(node)["equation"] != b"bk,kn,bl,ln->bn":
            return "its equation is not one of two products"
        return ""

    def products(self, node, constants):
        parts = (("value", node.input[:2]), ("gate", node.input[2:]))
        stored = {part: numpy_helper.to_array(constants[names[1]]) for part, names in parts}
        return [
            Product(
                stored=stored[part],
                matrices=stored[part][None],
                input=names[0],
                layout=ROWS,
                part=part,
            )
            for part, names in parts
        ]

    def misfit(self, layer, data, constants):
        return ""

    def macs(self, node, shapes):
        return sum(n_entries(shapes[name]) for name in (node.input[1], node.input[3]))

    def write(self, build, layers, multiply, constants):
        value, gate = (multiply(build, layer, layer.input) for layer in layers)
        return [build.add("Mul", [value, gate], "gated")]


OPERATOR: Operator = Gated()
'''
PERFECT = [
    *(f"crossbar.{name}=0" for name in ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense")),
    *(f"{section}.n_bits=null" for section in ("device", "dac", "adc")),
]
HARSH = [
    *("crossbar.r_wire_wl=5", "crossbar.r_wire_bl=5", "crossbar.r_driver=100"),
    *("device.write_sigma=0.05", "adc.n_bits=6", "adc.offset_sigma=0.4", "mapping.scheme=offset"),
    *("input.signed_input=two_phase", "mapping.subtract=digital"),
]


class Copy:
    """A copy of the package without its Einsum and with one of the test's."""

    def __init__(self, folder: Path, source: str) -> None:
        self.folder = folder
        shutil.copytree(ROOT / "rxsim", folder / "rxsim")  # with its compiled kernels
        (folder / "rxsim/operators/einsum.py").unlink()
        (folder / "rxsim/operators/sums.py").write_text(source)
        names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
        self.commands = Commands(folder, **dict.fromkeys(names, "1"))

    def evaluated(self, model: onnx.ModelProto, settings: list[str]) -> tuple[Any, bytes]:
        """Return the JSON of an evaluation, and the patched network."""
        onnx.save(model, self.folder / "net.onnx")
        words = ["eval", "net.onnx", "--xbar", "5x4", "--threads", "1"]
        words += ["--json", "result.json", "--save-patched", "patched.onnx"]
        words += [word for setting in settings for word in ("--set", setting)]
        self.commands.run(*words)
        result = json.loads((self.folder / "result.json").read_text())
        return result, (self.folder / "patched.onnx").read_bytes()


def network(inputs: str, output: str, body: str, **weights: np.ndarray) -> onnx.ModelProto:
    model = parser.parse_model(
        f'<ir_version: 8, opset_import: ["" : 17]>\nagraph ({inputs}) => ({output}) {{ {body} }}'
    )
    for name, value in weights.items():
        model.graph.initializer.append(numpy_helper.from_array(value.astype(np.float32), name))
    return model


def run(model: bytes, feeds: dict[str, np.ndarray]) -> np.ndarray:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, feeds)[0])


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.fixture(scope="module")
def einsum(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    made = Copy(tmp_path_factory.mktemp("einsum"), EINSUM)
    yield made
    made.commands.close()


WEIGHTS = normal(1, 8, 6)
SECOND = normal(2, 6, 3)
CHANNELS_FIRST = network(
    "float[N,8,6] x",
    "float[N,M,L] y",
    '[e] t = Einsum<equation="bkl,kn->bnl">(x, w) r = Relu(t) '
    '[f] y = Einsum<equation="bkl,kn->bnl">(r, v)',
    w=WEIGHTS,
    v=SECOND,
)


def test_a_new_operator_is_mapped_counted_and_computes_what_numpy_does(einsum: Copy) -> None:
    result, patched = einsum.evaluated(CHANNELS_FIRST, PERFECT)
    layers = result["layers"]
    assert [(row["name"], row["op"], row["rows"], row["cols"]) for row in layers] == [
        ("e", "Einsum", 8, 6),
        ("f", "Einsum", 6, 3),
    ]
    assert [row["macs"] for row in layers] == [8 * 6 * 6, 6 * 3 * 6]
    assert "Einsum" not in {node.op_type for node in onnx.load_from_string(patched).graph.node}
    x = normal(3, 4, 8, 6)
    inner = np.maximum(np.einsum("bkl,kn->bnl", x.astype(np.float64), WEIGHTS), 0)
    wanted = np.einsum("bkl,kn->bnl", inner, SECOND)
    assert np.abs(run(patched, {"x": x}) - wanted).max() <= 1e-4 * np.abs(wanted).max()


def test_its_hardware_is_that_of_the_convolution_that_computes_the_same(einsum: Copy) -> None:
    same = network(
        "float[N,8,6] x",
        "float[N,M,L] y",
        "[e] t = Conv(x, w) r = Relu(t) [f] y = Conv(r, v)",
        w=WEIGHTS.T[:, :, None],
        v=SECOND.T[:, :, None],
    )
    results = [einsum.evaluated(model, HARSH) for model in (CHANNELS_FIRST, same)]
    x = normal(4, 5, 8, 6)
    new, known = (run(patched, {"x": x}) for _, patched in results)
    exact = run(same.SerializeToString(), {"x": x})
    assert np.abs(known - exact).max() > 0.05 * np.abs(exact).max()  # the arrays are felt
    assert np.abs(new - known).max() <= 1e-5 * np.abs(known).max()
    arrays = [
        [(row["arrays"], row["utilisation"]) for row in result["layers"]] for result, _ in results
    ]
    assert arrays[0] == arrays[1]


def test_its_arrays_are_verified_by_the_vectors_that_it_lays_out(einsum: Copy) -> None:
    onnx.save(CHANNELS_FIRST, einsum.folder / "net.onnx")
    words = ["verify", "net.onnx", "--xbar", "5x4", "--arrays", "4", "--reference", "sparse"]
    einsum.commands.run(*words, "--json", "verified.json")
    found = json.loads((einsum.folder / "verified.json").read_text())
    assert found["passed"]
    assert {check["layer"] for check in found["checks"]} == {"e", "f"}


def test_nodes_that_it_does_not_take_stay_digital_with_its_reason(einsum: Copy) -> None:
    mixed = network(
        "float[N,8,6] x",
        "float[N,M,L] y",
        '[e] t = Einsum<equation="bkl,kn->bnl">(x, w) [d] y = Einsum<equation="bnl,nm->blm">(t, v)',
        w=WEIGHTS,
        v=SECOND,
    )
    result, _ = einsum.evaluated(mixed, PERFECT)
    (row,) = [row for row in result["digital"] if row["op"] == "Einsum"]
    assert row["reason"] == "its equation is no matrix product along the channels"
    assert row["macs"] == 6 * 6 * 3
    assert result["shares"]["macs_mapped"] == pytest.approx(288 / (288 + 108))


@pytest.fixture(scope="module")
def gated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    made = Copy(tmp_path_factory.mktemp("gated"), GATED)
    yield made
    made.commands.close()


@pytest.mark.parametrize("digital", [False, True])
def test_a_node_may_have_two_products_either_one_digital(gated: Copy, digital: bool) -> None:
    w, v = normal(5, 7, 3), normal(6, 9, 3)
    model = network(
        "float[N,7] x, float[N,9] z",
        "float[N,M] y",
        '[g] y = Einsum<equation="bk,kn,bl,ln->bn">(x, w, z, v)',
        w=w,
        v=v,
    )
    more = ["layers.g?gate.digital=true"] if digital else []
    result, patched = gated.evaluated(model, PERFECT + more)
    places = [(row["name"], row["rows"], row["macs"]) for row in result["layers"]]
    assert places == [("g.value", 7, 21), ("g.gate", 9, 27)][: 1 if digital else 2]
    assert result["shares"]["macs_mapped"] == (21 / 48 if digital else 1)
    x, z = normal(7, 4, 7), normal(8, 4, 9)
    wanted = (x.astype(np.float64) @ w) * (z.astype(np.float64) @ v)
    assert np.abs(run(patched, {"x": x, "z": z}) - wanted).max() <= 1e-4 * np.abs(wanted).max()

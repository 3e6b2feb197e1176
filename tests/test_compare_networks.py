"""scripts/compare_networks.py: its own nodal analysis agrees with rxsim; workers answer in a pipe."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from imported_scripts import imported
from onnx import TensorProto, helper, numpy_helper

import rxsim
from rxsim.errors import InputError

SCRIPTS = Path(__file__).parents[1] / "scripts"
MODULES = ("peer_tiles", "nodal_products", "numpy_network", "product_worker")
WORKER = """
import numpy as np
from peer_tiles import on_rows, tiles_of
from product_worker import serve

def program(matrices, circuit, x_max):
    print("what a library prints disturbs nothing")
    def product(layer, inputs):
        assert np.abs(inputs).max() <= x_max[layer]
        matrix = matrices[layer]
        result = np.zeros((len(inputs), matrix.shape[1]))
        for tile in tiles_of(matrix, circuit):
            used = result[:, tile.cols]
            used += (on_rows(inputs, tile) @ tile.weights)[:, :used.shape[1]]
        return result * np.abs(matrix).max()
    return "stand-in", product

serve(program)
"""


@pytest.fixture(scope="module")
def scripts() -> Iterator[dict[str, ModuleType]]:
    """Scripts by name; they import each other by theirs, as they do when run."""
    with imported(*MODULES) as scripts:
        yield scripts


def small_network(group: int = 1) -> onnx.ModelProto:
    """A strided, padded, dilated convolution, pooling, a MatMul and a Gemm, on images (2, 9, 9)."""
    rng = np.random.default_rng(5)
    weights = {
        "w1": rng.normal(size=(6, 2 // group, 3, 3)),
        "b1": rng.normal(size=6),
        "w2": rng.normal(size=(24, 5)),
        "w3": rng.normal(size=(3, 5)),
        "b3": rng.normal(size=3),
    }
    nodes = [
        helper.make_node(
            "Conv",
            ["x", "w1", "b1"],
            ["c"],
            name="conv",
            strides=[2, 1],
            pads=[1, 0, 2, 1],
            dilations=[1, 2],
            group=group,
        ),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 3]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("MatMul", ["f", "w2"], ["m"], name="matmul"),
        helper.make_node("Gemm", ["m", "w3", "b3"], ["y"], name="gemm", transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 2, 9, 9])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3])],
        [numpy_helper.from_array(value.astype(np.float32), key) for key, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


IMAGES = {"x": np.random.default_rng(6).normal(size=(3, 2, 9, 9)).astype(np.float32)}
CIRCUITS = {
    "all": {"r_wire_wl": 4.0, "r_wire_bl": 7.0, "r_driver": 90.0, "r_sense": 150.0},
    "bitlines": {"r_wire_wl": 0.0, "r_wire_bl": 7.0, "r_driver": 0.0, "r_sense": 0.0},
    "wordlines": {"r_wire_wl": 7.0, "r_wire_bl": 0.0, "r_driver": 20.0, "r_sense": 0.0},
}


@pytest.mark.parametrize("lines", CIRCUITS)
def test_a_solve_for_each_vector_gives_the_outputs_of_the_patched_network(
    scripts: dict[str, ModuleType], lines: str
) -> None:
    model, resistances = small_network(), CIRCUITS[lines]
    circuit = scripts["peer_tiles"].Circuit(
        rows=8, cols=4, g_on=1 / 5e3, g_off=1 / 4e4, **resistances
    )
    numpy_network = scripts["numpy_network"]
    matrices = numpy_network.matrices_of(model)
    exact = numpy_network.run(
        model, "y", IMAGES, scripts["nodal_products"].NodalProducts(matrices, circuit)
    )
    plain = numpy_network.run(model, "y", IMAGES, lambda layer, x: x @ matrices[layer])
    crossbar = {"rows": 8, "cols": 4, **resistances}
    chip = rxsim.patched(
        model,
        {
            "crossbar": crossbar,
            "device": {"r_on": 5e3, "r_off": 4e4, "n_bits": None},
            "dac": {"n_bits": None},
            "adc": {"n_bits": None},
        },
        IMAGES["x"],
    )
    ours = ort.InferenceSession(chip.SerializeToString()).run(["y"], IMAGES)[0]
    size = np.linalg.norm(exact)
    # float32 keeps 6e-8; the sums here have at most 24 terms.
    assert np.linalg.norm(ours - exact) < 2e-6 * size
    assert np.linalg.norm(plain - exact) > 1e-2 * size


def test_superposed_currents_are_those_of_each_vector(scripts: dict[str, ModuleType]) -> None:
    rng = np.random.default_rng(4)
    matrices = {"layer": rng.normal(size=(11, 6))}
    inputs = rng.uniform(-2, 2, size=(20, 11))
    circuit = scripts["peer_tiles"].Circuit(
        rows=8, cols=4, g_on=2e-4, g_off=2e-5, **CIRCUITS["all"]
    )
    products = scripts["nodal_products"].NodalProducts
    each = products(matrices, circuit)("layer", inputs)
    superposed = products(matrices, circuit, superposed=True)("layer", inputs)
    np.testing.assert_allclose(superposed, each, rtol=1e-9, atol=1e-9 * np.abs(each).max())


def test_numpy_runs_the_network_as_onnxruntime_does(scripts: dict[str, ModuleType]) -> None:
    model, numpy_network = small_network(), scripts["numpy_network"]
    matrices = numpy_network.matrices_of(model)
    assert {name: matrix.shape for name, matrix in matrices.items()} == {
        "conv": (18, 6),
        "matmul": (24, 5),
        "gemm": (5, 3),
    }
    plain = numpy_network.run(model, "y", IMAGES, lambda layer, x: x @ matrices[layer])
    reference = ort.InferenceSession(model.SerializeToString()).run(["y"], IMAGES)[0]
    np.testing.assert_allclose(plain, reference, rtol=0, atol=2e-6 * np.abs(reference).max())


def test_products_of_another_process(
    scripts: dict[str, ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "stand_in.py"
    script.write_text(WORKER)
    monkeypatch.setenv("PYTHONPATH", str(SCRIPTS))
    model, numpy_network = small_network(), scripts["numpy_network"]
    matrices = numpy_network.matrices_of(model)
    circuit = scripts["peer_tiles"].Circuit(
        rows=8, cols=4, g_on=2e-4, g_off=2e-5, **CIRCUITS["all"]
    )
    x_max: dict[str, float] = {}

    def plain(layer: str, inputs: np.ndarray) -> np.ndarray:
        x_max[layer] = float(np.abs(inputs).max()) * (1 + 1e-12)
        return np.asarray(inputs @ matrices[layer])

    wanted = numpy_network.run(model, "y", IMAGES, plain)
    worker = scripts["product_worker"].WorkerProducts(
        [sys.executable, str(script)], matrices, circuit, x_max
    )
    answered = numpy_network.run(model, "y", IMAGES, worker)
    worker.close()
    assert worker.name == "stand-in"
    np.testing.assert_allclose(answered, wanted, rtol=1e-12)


def test_a_simulator_of_fewer_images_is_judged_on_those(
    scripts: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OMP", "OPENBLAS", "MKL", "NUMBA"):  # the script sets them for itself
        monkeypatch.setenv(f"{name}_NUM_THREADS", "1")
    monkeypatch.syspath_prepend(str(SCRIPTS))
    compare = importlib.import_module("compare_networks")
    exact = np.array([[2.0, 1.0], [0.0, 1.0], [5.0, 9.0]])
    plain = exact + np.array([[1.0, 0.0], [0.0, 1.0], [90.0, 0.0]])
    labels = np.array([0, 1, 1, 0])
    ours = compare.Row(title="ours", logits=np.vstack([exact, [[1.0, 0.0]]]), each=2.0, before=92.0)
    half = compare.Row(
        title="half", logits=plain[:2] * 0.5 + exact[:2] * 0.5, each=20.0, before=8.0
    )
    shown = list(compare.table([ours, half], ours, labels, np.vstack([plain, plain[:1]]), exact))
    # 4 images of ours take 92 + 4 * 2 = 100 s, of the other 8 + 4 * 20 = 88 s.
    assert shown[2] == "| ours | 1 | 1 | 1 | 1.000 | 0.750 | 0 |"
    assert shown[3] == "| half | 10 | 0.087 | 0.88 | 1.000 of 2 | 1.000 of 2 | 0.5 |"


def test_a_convolution_of_groups_is_refused_in_a_sentence(scripts: dict[str, ModuleType]) -> None:
    with pytest.raises(InputError, match=r"layer conv: found a Conv with .*group.*one group"):
        scripts["numpy_network"].matrices_of(small_network(group=2))

"""scripts/crosssim_products.py, with a stand-in of CrossSim that solves what its text describes.

The stand-in knows nodal analysis only: segments at both ends of a line, terminals beside them, the
range of weights by percentile or by limits. CrossSim itself is not installed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from imported_scripts import imported

SCRIPTS = Path(__file__).parents[1] / "scripts"
MODULES = ("peer_tiles", "nodal_products", "product_worker", "crosssim_products")
STAND_IN = """
from types import SimpleNamespace as Group
import numpy as np
from nodal_products import Nodes
from peer_tiles import Circuit

def CrossSimParameters():
    mapped = dict(percentile=1.0, min=None, max=None)
    parasitics = Group(
        enable=False, Rp_row=0, Rp_col=0, Rp_row_terminal=0, Rp_col_terminal=0,
        current_from_input=False,
    )
    converter = lambda: Group(mvm=Group(bits=8))
    return Group(
        core=Group(
            style=None, rows_max=0, cols_max=0, balanced=Group(
                style=None, interleaved_posneg=True, subtract_current_in_xbar=False
            ),
            mapping=Group(weights=Group(**mapped), inputs=Group(mvm=Group(**mapped))),
        ),
        xbar=Group(
            device=Group(Rmin=0, Rmax=0, infinite_on_off_ratio=True, cell_bits=8),
            adc=converter(), dac=converter(), array=Group(parasitics=parasitics),
        ),
        simulation=Group(Verr_th_mvm=1e-3),
    )

class AnalogCore:
    def __init__(self, matrix, params):
        wires, device = params.xbar.array.parasitics, params.xbar.device
        limits = params.core.mapping.weights
        assert wires.enable and wires.current_from_input and not params.xbar.dac.mvm.bits
        self.limit = limits.max if limits.percentile is None else np.abs(matrix).max()
        self.span = 1 / device.Rmin - 1 / device.Rmax
        circuit = Circuit(
            rows=matrix.shape[1], cols=matrix.shape[0], g_on=1 / device.Rmin, g_off=1 / device.Rmax,
            r_wire_wl=wires.Rp_row, r_wire_bl=wires.Rp_col,
            r_driver=wires.Rp_row + wires.Rp_row_terminal,
            r_sense=wires.Rp_col + wires.Rp_col_terminal,
        )
        parts = [np.maximum(sign * matrix.T / self.limit, 0) for sign in (1, -1)]
        nodes = [Nodes(1 / device.Rmax + self.span * part, circuit) for part in parts]
        self.pair = [(each, each.factor()) for each in nodes]
    def __matmul__(self, x):
        plus, minus = (nodes.currents(factor, x.T) for nodes, factor in self.pair)
        return (plus - minus).T * self.limit / self.span
"""
WIRES = {"r_wire_wl": 4.0, "r_wire_bl": 7.0, "r_driver": 90.0, "r_sense": 7.0}


@pytest.fixture(scope="module")
def scripts() -> Iterator[dict[str, ModuleType]]:
    """Scripts by name; they import each other by theirs, as they do when run."""
    with imported(*MODULES) as scripts:
        yield scripts


def checkout(folder: Path, text: str = STAND_IN) -> Path:
    """Write a stand-in of CrossSim, and return where it is."""
    (folder / "simulator").mkdir()
    (folder / "simulator" / "__init__.py").write_text(text)
    (folder / "pyproject.toml").write_text('[project]\nversion = "3.x"\n')
    return folder


def test_its_products_are_those_of_the_same_circuit(
    scripts: dict[str, ModuleType], tmp_path: Path
) -> None:
    rng = np.random.default_rng(3)
    # The second row tile is small: by its own largest weight its cells would be others.
    matrices = {"layer": rng.normal(size=(11, 6)) * np.where(np.arange(11) < 8, 1, 0.2)[:, None]}
    inputs = rng.uniform(-2, 2, size=(5, 11))
    circuit = scripts["peer_tiles"].Circuit(rows=8, cols=4, g_on=2e-4, g_off=2e-5, **WIRES)
    exact = scripts["nodal_products"].NodalProducts(matrices, circuit)("layer", inputs)
    script = str(SCRIPTS / "crosssim_products.py")
    worker = scripts["product_worker"].WorkerProducts(
        [sys.executable, script, "--path", str(checkout(tmp_path))],
        matrices,
        circuit,
        {"layer": 2.0},
    )
    products = worker("layer", inputs)
    worker.close()
    assert worker.name == "CrossSim 3.x, solved to 0.001"
    np.testing.assert_allclose(products, exact, rtol=1e-9, atol=1e-9 * np.abs(exact).max())
    assert np.abs(exact - inputs @ matrices["layer"]).max() > 1e-2 * np.abs(exact).max()


@pytest.mark.parametrize(
    ("text", "wires", "sentence"),
    [
        (None, {}, "found no package simulator"),
        ("import no_such_package", {}, "needs the Python package no_such_package"),
        ("", {}, "can't be loaded"),
        (
            STAND_IN.replace("current_from_input=False,", ""),
            {},
            r"no parameter xbar\.array\.parasitics\.current_from_input, expected version 3\.1",
        ),
        (STAND_IN, {"r_sense": 0.0}, "found senses of 0 ohm at wires of 7 ohm a segment"),
    ],
    ids=["no checkout", "no package", "other package", "no parameter", "no such circuit"],
)
def test_what_it_cannot_use_is_a_sentence(
    scripts: dict[str, ModuleType],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str | None,
    wires: dict[str, float],
    sentence: str,
) -> None:
    if text is not None:
        checkout(tmp_path, text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "simulator", raising=False)
    circuit = scripts["peer_tiles"].Circuit(
        rows=8, cols=4, g_on=2e-4, g_off=2e-5, **{**WIRES, **wires}
    )
    crosssim = scripts["crosssim_products"]
    with pytest.raises(crosssim.UnusableError, match=sentence):
        crosssim.parameters(circuit, 1e-3)
    sys.modules.pop("simulator", None)


def test_without_crosssim_the_process_ends_with_a_sentence(
    scripts: dict[str, ModuleType], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    circuit = scripts["peer_tiles"].Circuit(rows=8, cols=4, g_on=2e-4, g_off=2e-5, **WIRES)
    command = [sys.executable, str(SCRIPTS / "crosssim_products.py"), "--path", str(tmp_path)]
    with pytest.raises(RuntimeError, match="ended early, with 2"):
        scripts["product_worker"].WorkerProducts(
            command, {"layer": np.ones((8, 4))}, circuit, {"layer": 1.0}
        )
    told = capfd.readouterr().err
    assert told.startswith("error: found no package simulator")
    assert len(told.strip().splitlines()) == 1

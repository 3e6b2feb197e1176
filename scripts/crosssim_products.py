"""Products by CrossSim's analog cores, for `compare_networks.py`; it imports nothing of rxsim.

For versions 3.1 and 3.2. It was checked against the public text of sandialabs/cross-sim (readme files
and parameters of commits 57ffc04 and 0a2eb1e; the latter states version 3.2), and not run. It rests on:

- `Rp_row`, `Rp_col` and the resistances of terminals are in ohm; CrossSim divides them by `Rmin`.
- One more segment of wire lies in front of the first cell of a row, and behind the last of a column. A
  terminal comes in addition, so it is given what the driver or the sense has above a segment.
- `current_from_input`: the rows that carry the inputs also carry the cells' currents.
- Weights are mapped by their percentile unless that is None; then from `min` and `max`. The percentile
  would give each tile the range of its own largest weight.
- A core holds (outputs, inputs) and multiplies a matrix (inputs, vectors), all vectors at once. It
  iterates until every cell's voltage changes by less than `Verr_th_mvm` of the largest input.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from peer_tiles import Circuit, largest, on_rows, tiles_of
from product_worker import Programmed, serve

# Assumption: so many vectors stay below 100 MB, with six arrays of (column, row, vector) in float64.
BLOCK_CELLS = 2_000_000


class UnusableError(Exception):
    """CrossSim is missing, another version, or cannot do what is asked for; the text is a sentence."""


def parameters(circuit: Circuit, tolerance: float) -> Any:
    """Return the parameters of a pair of arrays whose wires act, and nothing else.

    Args:
        circuit: of each array.
        tolerance: at which the solver stops, of a cell's voltage over the largest input.

    Raises:
        UnusableError: there is no CrossSim, it lacks a parameter, or has no such circuit.
    """
    _, kind = _crosssim()
    params = kind()
    for path, value in _values(circuit, tolerance):
        *groups, name = path.split(".")
        group = params
        for each in groups:
            group = getattr(group, each, None)
        if not hasattr(group, name):
            raise UnusableError(
                f"this CrossSim has no parameter {path}, expected version 3.1 or 3.2; take one of these"
            )
        setattr(group, name, value)
    return params


def _values(circuit: Circuit, tolerance: float) -> Iterator[tuple[str, Any]]:
    """Yield the parameters that are set, by their path."""
    yield "core.style", "BALANCED"
    yield "core.balanced.style", "ONE_SIDED"
    yield "core.balanced.interleaved_posneg", False
    yield "core.balanced.subtract_current_in_xbar", True
    yield "core.rows_max", circuit.rows
    yield "core.cols_max", circuit.cols
    for mapped in ("weights", "inputs.mvm"):
        yield f"core.mapping.{mapped}.percentile", None
        yield f"core.mapping.{mapped}.min", -1.0
        yield f"core.mapping.{mapped}.max", 1.0
    yield "xbar.device.Rmin", 1 / circuit.g_on
    yield "xbar.device.Rmax", 1 / circuit.g_off
    yield "xbar.device.infinite_on_off_ratio", False
    yield "xbar.device.cell_bits", 0
    yield "xbar.adc.mvm.bits", 0
    yield "xbar.dac.mvm.bits", 0
    yield "xbar.array.parasitics.enable", True
    yield "xbar.array.parasitics.current_from_input", True
    yield "xbar.array.parasitics.Rp_row", circuit.r_wire_wl
    yield "xbar.array.parasitics.Rp_col", circuit.r_wire_bl
    driver = _terminal("drivers", circuit.r_driver, circuit.r_wire_wl)
    sense = _terminal("senses", circuit.r_sense, circuit.r_wire_bl)
    yield "xbar.array.parasitics.Rp_row_terminal", driver
    yield "xbar.array.parasitics.Rp_col_terminal", sense
    yield "simulation.Verr_th_mvm", tolerance


def _terminal(what: str, end: float, segment: float) -> float:
    """Return what a line's end has above the segment of wire that CrossSim puts there, ohm."""
    if end < segment:
        raise UnusableError(
            f"found {what} of {end:g} ohm at wires of {segment:g} ohm a segment, expected no less than "
            "a segment, which CrossSim has at the end of each line; take another --circuit"
        )
    return end - segment


def _crosssim() -> tuple[Any, Any]:
    """Return `AnalogCore` and `CrossSimParameters`."""
    try:
        from simulator import AnalogCore, CrossSimParameters
    except ModuleNotFoundError as error:
        if error.name == "simulator":
            raise UnusableError(
                "found no package simulator, expected a checkout of CrossSim; give its path"
            ) from None
        raise UnusableError(
            f"CrossSim needs the Python package {error.name}, which {sys.executable} lacks; install it "
            "there, or name an interpreter that has it"
        ) from None
    except ImportError as error:
        raise UnusableError(
            f"CrossSim can't be loaded ({error}), expected version 3.1 or 3.2; take one of these"
        ) from None
    return AnalogCore, CrossSimParameters


class Layers:
    """The analog cores of a network's layers, one a tile."""

    def __init__(
        self,
        matrices: Mapping[str, np.ndarray],
        circuit: Circuit,
        x_max: Mapping[str, float],
        tolerance: float,
    ) -> None:
        """Program the cores."""
        core, _ = _crosssim()
        self._x_max = x_max
        self._matrices = matrices
        self._block = max(1, BLOCK_CELLS // (circuit.rows * circuit.cols))
        self._cores = {
            name: [
                (tile, core(tile.weights.T, params=parameters(circuit, tolerance)))
                for tile in tiles_of(matrix, circuit)
            ]
            for name, matrix in matrices.items()
        }

    def __call__(self, layer: str, inputs: np.ndarray) -> np.ndarray:
        """Return the products (n, N) of a layer with input vectors (n, K).

        Raises:
            UnusableError: CrossSim's solver gave up.
        """
        matrix, x_max = self._matrices[layer], self._x_max[layer]
        result = np.zeros((len(inputs), matrix.shape[1]))
        for tile, core in self._cores[layer]:
            rows = on_rows(inputs / x_max, tile)
            for at in range(0, len(rows), self._block):
                used = result[at : at + self._block, tile.cols]
                try:
                    product = np.asarray(core @ rows[at : at + self._block].T)
                except ValueError as error:
                    raise UnusableError(
                        f"CrossSim gave up on layer {layer} ({error}); take another --circuit"
                    ) from None
                used += product.T[:, : used.shape[1]]
        return result * largest(matrix) * x_max


def version_of(checkout: Path) -> str:
    """Return the version that a checkout states; '(version unknown)' where it states none."""
    file = checkout / "pyproject.toml"
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    stated = re.search(r'^version *= *"(.+)"', text, re.MULTILINE)
    return stated[1] if stated else "(version unknown)"


def main() -> int:
    """Serve the products of the network that the last argument describes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--path", type=Path, required=True, help="checkout of CrossSim")
    parser.add_argument("--tolerance", type=float, default=1e-3, help="of its solver")
    parser.add_argument("request")
    given = parser.parse_args()
    sys.path.insert(0, str(given.path.resolve()))

    def program(
        matrices: Mapping[str, np.ndarray], circuit: Circuit, x_max: Mapping[str, float]
    ) -> Programmed:
        name = f"CrossSim {version_of(given.path)}, solved to {given.tolerance:g}"
        return name, Layers(matrices, circuit, x_max, given.tolerance)

    try:
        serve(program)
    except UnusableError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

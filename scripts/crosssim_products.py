"""Products by CrossSim's analog cores, for `compare_networks.py`; it imports nothing of rxsim.

Written after CrossSim's documentation (version 3.1 and later: readme files of `simulator/parameters`,
`simulator/cores` and `simulator/circuits/array`), for an installed CrossSim or a checkout.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from peer_tiles import Circuit, largest, on_rows, tiles_of
from product_worker import Programmed, serve


def parameters(circuit: Circuit) -> Any:
    """Return the parameters of a pair of arrays whose wires act, and nothing else."""
    from simulator import CrossSimParameters

    params = CrossSimParameters()
    params.core.style = "BALANCED"
    params.core.balanced.interleaved_posneg = False
    params.core.balanced.subtract_current_in_xbar = True
    params.core.rows_max, params.core.cols_max = circuit.rows, circuit.cols
    params.core.mapping.weights.min, params.core.mapping.weights.max = -1.0, 1.0
    params.core.mapping.inputs.mvm.min, params.core.mapping.inputs.mvm.max = -1.0, 1.0
    params.xbar.device.Rmin, params.xbar.device.Rmax = 1 / circuit.g_on, 1 / circuit.g_off
    params.xbar.device.infinite_on_off_ratio = False
    params.xbar.device.cell_bits = 0
    params.xbar.adc.mvm.bits = params.xbar.dac.mvm.bits = 0
    parasitics = params.xbar.array.parasitics
    parasitics.enable = True
    parasitics.current_from_input = True
    parasitics.Rp_row, parasitics.Rp_col = circuit.r_wire_wl, circuit.r_wire_bl
    parasitics.Rp_row_terminal, parasitics.Rp_col_terminal = circuit.r_driver, circuit.r_sense
    return params


class Layers:
    """The analog cores of a network's layers, one a tile."""

    def __init__(
        self, matrices: Mapping[str, np.ndarray], circuit: Circuit, x_max: Mapping[str, float]
    ) -> None:
        """Program the cores: a matrix-vector product takes (outputs, inputs)."""
        from simulator import AnalogCore

        self._x_max = x_max
        self._matrices = matrices
        self._cores = {
            name: [
                (tile, AnalogCore(tile.weights.T, params=parameters(circuit)))
                for tile in tiles_of(matrix, circuit)
            ]
            for name, matrix in matrices.items()
        }

    def __call__(self, layer: str, inputs: np.ndarray) -> np.ndarray:
        """Return the products (n, N) of a layer with input vectors (n, K)."""
        matrix, x_max = self._matrices[layer], self._x_max[layer]
        result = np.zeros((len(inputs), matrix.shape[1]))
        for tile, core in self._cores[layer]:
            used = result[:, tile.cols]
            products = [np.asarray(core @ row) for row in on_rows(inputs / x_max, tile)]
            used += np.stack(products)[:, : used.shape[1]]
        return result * largest(matrix) * x_max


def main() -> None:
    """Serve the products of the network that the last argument describes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--path", type=Path, required=True, help="checkout of CrossSim")
    parser.add_argument("request")
    sys.path.insert(0, str(parser.parse_args().path.resolve()))

    def program(
        matrices: Mapping[str, np.ndarray], circuit: Circuit, x_max: Mapping[str, float]
    ) -> Programmed:
        return "CrossSim, `AnalogCore`", Layers(matrices, circuit, x_max)

    serve(program)


if __name__ == "__main__":
    main()

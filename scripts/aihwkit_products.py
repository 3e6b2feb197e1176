"""Products by aihwkit, for `compare_networks.py`: its two models of IR drop, everything else ideal.

It runs in an environment that holds aihwkit, and imports nothing of rxsim. `--model approximate` is
the `ir_drop` of `IOParameters`, a formula for the loss along the bitlines. `--model timed` is
`IOParametersIRDropT`, which follows each bitline through the time steps of pulse-width inputs.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from aihwkit.inference.converter.conductance import SinglePairConductanceConverter
from aihwkit.simulator.configs import (
    BoundManagementType,
    InferenceRPUConfig,
    NoiseManagementType,
    TorchInferenceRPUConfigIRDropT,
)
from aihwkit.simulator.parameters.io import IOParametersIRDropT
from aihwkit.version import __version__
from peer_tiles import Circuit, largest, on_rows, tiles_of
from product_worker import Programmed, serve

TITLES = {"approximate": "`ir_drop`", "timed": "`IOParametersIRDropT`"}
# Assumption: so many vectors of the timed model, whose tensors hold (vector, row, column, time step),
# stay below 1 GB at 64 x 64 cells and 127 steps.
BLOCK = 32


def approximate(circuit: Circuit) -> Any:
    """Return the settings of an array with the formula for IR drop, all else ideal."""
    config = InferenceRPUConfig()
    config.forward.ir_drop = 1.0
    config.forward.ir_drop_g_ratio = 1 / (circuit.r_wire_bl * circuit.g_on)
    config.forward.inp_res = config.forward.out_res = -1
    return _ideal(config)


def timed(circuit: Circuit) -> Any:
    """Return the settings of an array that is followed in time, 8-bit pulse widths, no ADC."""
    config = TorchInferenceRPUConfigIRDropT(forward=IOParametersIRDropT())
    config.forward.ir_drop = 1.0
    config.forward.ir_drop_rs = circuit.r_wire_bl
    config.forward.ir_drop_segments = circuit.rows
    config.forward.ir_drop_v_read = 0.4  # the model's voltage of an idle row
    config.forward.inp_res = 1 / (2**8 - 2)
    config.forward.inp_bound = 1.0
    config.forward.out_res = -1
    config.forward.adc_quantization = False
    config.mapping.max_input_size = circuit.rows
    config.noise_model.g_converter = SinglePairConductanceConverter(
        g_max=circuit.g_on * 1e6, g_min=circuit.g_off * 1e6
    )
    return _ideal(config)


def _ideal(config: Any) -> Any:
    config.forward.out_noise = 0.0
    config.forward.w_noise = 0.0
    config.forward.out_bound = 0.0
    config.forward.noise_management = NoiseManagementType.NONE
    config.forward.bound_management = BoundManagementType.NONE
    config.drift_compensation = None
    return config


class Layers:
    """The analog tiles of a network's layers."""

    def __init__(
        self,
        matrices: Mapping[str, np.ndarray],
        circuit: Circuit,
        x_max: Mapping[str, float],
        model: str,
    ) -> None:
        """Program the tiles; unused columns, which the models do not see, are left out."""
        self._x_max = x_max
        self._block = BLOCK if model == "timed" else 1 << 20
        self._shapes = {name: matrix.shape[1] for name, matrix in matrices.items()}
        self._scales = {name: largest(matrix) for name, matrix in matrices.items()}
        make = {"approximate": approximate, "timed": timed}[model]
        self._tiles = {
            name: [
                (tile, _programmed(tile.weights[:, : matrix[:, tile.cols].shape[1]], make(circuit)))
                for tile in tiles_of(matrix, circuit)
            ]
            for name, matrix in matrices.items()
        }

    def __call__(self, layer: str, inputs: np.ndarray) -> np.ndarray:
        """Return the products (n, N) of a layer with input vectors (n, K)."""
        result = np.zeros((len(inputs), self._shapes[layer]))
        with torch.no_grad():
            for tile, analog in self._tiles[layer]:
                rows = on_rows(inputs / self._x_max[layer], tile).astype(np.float32)
                for at in range(0, len(rows), self._block):
                    part = torch.from_numpy(rows[at : at + self._block])
                    result[at : at + self._block, tile.cols] += analog(part).numpy()
        return result * self._scales[layer] * self._x_max[layer]


def _programmed(weights: np.ndarray, config: Any) -> Any:
    """Return an analog tile that holds weights (rows, columns), as a function of its inputs."""
    n_cols = weights.shape[1]
    odd = n_cols % 2 if isinstance(config, TorchInferenceRPUConfigIRDropT) else 0
    held = np.pad(weights, ((0, 0), (0, odd))).T.astype(np.float32)  # the timed model pairs columns
    tile = config.tile_class(held.shape[0], held.shape[1], config, bias=False)
    tile.set_weights(torch.from_numpy(np.ascontiguousarray(held)))
    tile.eval()
    return lambda inputs: tile.forward(inputs)[:, :n_cols]


def main() -> None:
    """Serve the products of the network that the last argument describes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=TITLES, required=True)
    parser.add_argument("request")
    model = parser.parse_args().model
    torch.set_num_threads(1)

    def program(
        matrices: Mapping[str, np.ndarray], circuit: Circuit, x_max: Mapping[str, float]
    ) -> Programmed:
        return f"aihwkit {__version__}, {TITLES[model]}", Layers(matrices, circuit, x_max, model)

    serve(program)


if __name__ == "__main__":
    main()

"""What a chip's stuck cells change in the weights of its layers, without wires."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from rxsim.tiles import LayerTransfer


def stuck_weights(
    faulty: Sequence[LayerTransfer], faultless: Sequence[LayerTransfer]
) -> Mapping[str, np.ndarray]:
    """Return the difference of two chips' weights.

    Args:
        faulty: transfer matrices with stuck cells, without wires and other errors.
        faultless: the same without stuck cells.

    Returns:
        By layer name, float64 (groups, K, N) of its tiling: of packed groups also between them.
    """
    return {
        with_faults.mapped.layer.name: _difference(with_faults, without)
        for with_faults, without in zip(faulty, faultless, strict=True)
    }


def _difference(faulty: LayerTransfer, faultless: LayerTransfer) -> np.ndarray:
    mapped = faulty.mapped
    tiling, readouts = mapped.tiling, mapped.readouts
    weights = np.zeros((tiling.groups, tiling.n_inputs, tiling.n_outputs))
    for p, rows in enumerate(mapped.row_tiles):
        siemens = faulty.matrices[p] - faultless.matrices[p]
        outputs = np.einsum("t,gktn->gkn", readouts.weights, siemens[:, :, readouts.places])
        weights[:, rows] = outputs * mapped.weight_per_siemens[p][:, None, :]
    return weights

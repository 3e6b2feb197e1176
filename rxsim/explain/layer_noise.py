"""The noise that each layer adds to its own output, its inputs those of the float network.

noise = sum (y - y')^2 / sum y^2, with y the float network's output before the activation and y' the
layer's on its arrays. Every layer is looked at in one run: its arrays lie beside the float network.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rxsim.metrics.snr_db import energy
from rxsim.onnx_graph import with_outputs
from rxsim.patch import LayerHardware, patch_beside
from rxsim.pipeline import Study
from rxsim.session import Inputs, Session, over_batches


def clean_noise(
    study: Study, layers: Sequence[LayerHardware], exact: Sequence[LayerHardware], inputs: Inputs
) -> dict[str, float | None]:
    """Measure each layer's noise with clean inputs.

    Args:
        study: whose network.
        layers: a chip's hardware with its converters.
        exact: hardware without any effect: what the layers' products are without noise.
        inputs: the network inputs.

    Returns:
        By layer name; None where its output is 0 everywhere or was not computed.
    """
    first = patch_beside(study.network.model, exact)
    # Names of the second network's nodes are chosen apart from those of the first.
    both = patch_beside(first.model, layers)
    pairs = {
        layer.layer.name: tuple(
            zip(first.products[layer.layer.name], both.products[layer.layer.name], strict=True)
        )
        for layer in layers
    }
    outputs = {layer.layer.name: layer.layer.output for layer in layers}
    names = [*outputs.values(), *(name for two in pairs.values() for pair in two for name in pair)]
    names = list(dict.fromkeys(names))
    model = with_outputs(both.model, names)
    session = Session(model, "the arrays beside the float network", study.network.fixed_batch)

    def work(start: int, stop: int) -> np.ndarray:
        tensors = dict(zip(names, session.run_inputs(inputs, names, start, stop), strict=True))
        rows = []
        for name, two in pairs.items():
            noise = sum(energy(tensors[right] - tensors[found]) for right, found in two)
            rows.append((energy(tensors[outputs[name]]), float(noise)))
        return np.array(rows)

    size = study.network.fixed_batch or max(study.batch // 2, 1)
    with study.stages("clean inputs") as progress:
        flying = session.in_flight(study.in_flight)
        totals = sum(
            over_batches(work, len(inputs), size, flying, progress), np.zeros((len(pairs), 2))
        )
    return {
        name: float(noise / signal) if signal > 0 else None
        for name, (signal, noise) in zip(pairs, np.asarray(totals), strict=True)
    }

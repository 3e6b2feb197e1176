"""Trained values back in the user's file: the same graph, the same names, other initialisers.

Training sees the normalised graph, where normalisations are folded into weights. `write_back` finds the
values of the file from which the loader makes the trained weights again: w = factor u + constant is
solved for u (`probes`). The file is then loaded once more and compared, constant by constant.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

import numpy as np
import onnx

from rxsim.errors import RxsimError
from rxsim.load import Network, load_network
from rxsim.retrain.accepted import accepted
from rxsim.retrain.provenance import Provenance, constants_of, provenance_of
from rxsim.retrain.target import Target
from rxsim.retrain.trainable import Trainable, judged

# Biases are solved by steps from what the file gives; the second mends the first's rounding.
_STEPS = 4


def trainable_layers(
    network: Network, *, fold: str = "exact", source: onnx.ModelProto | None = None
) -> dict[str, Trainable]:
    """Say of every layer on crossbars what can be trained and written back into the file.

    Args:
        network: the network.
        fold: the setting `mapping.fold` that it was loaded with.
        source: the model that it was loaded from, where that was in memory.

    Raises:
        ModelError: the file is not what the network was loaded from.
    """
    return judged(provenance_of(network, fold, source))


def write_back(
    network: Network,
    weights: Mapping[str, np.ndarray],
    biases: Mapping[str, np.ndarray],
    *,
    fold: str = "exact",
    source: onnx.ModelProto | None = None,
) -> onnx.ModelProto:
    """Return the user's model with trained values; `rxsim.load.write_onnx` writes it.

    Graph, names, inputs, outputs, operator set and metadata are those of the file, and values that
    were not trained keep their bytes. Loaded again, it gives the trained weights and biases, rounded
    to the types of the file.

    Args:
        network: the network as it was before training.
        weights: layer name -> its weights, of the shape of the initialiser of the normalised graph
            (`rxsim.retrain.places.weight_name`); other layers keep theirs.
        biases: layer name -> its bias, likewise (`bias_name`).
        fold: the setting `mapping.fold` that the network was loaded with.
        source: the model that it was loaded from, where that was in memory; without it, nodes
            without a name get one, and float32 stands for the types of `network.as_float32`.

    Raises:
        InputError: a layer is unknown, its values are of another shape, not finite, or can't be
            written back; or two layers that share a tensor were given different values.
        ModelError: the file is not what the network was loaded from.
        RxsimError: the file loaded again does not give the trained values.
    """
    origin = provenance_of(network, fold, source)
    before = constants_of(network.model)
    wanted = accepted(origin, before, weights, biases)
    model = onnx.ModelProto()
    model.CopyFrom(origin.file)
    target = Target(origin, before, wanted)
    target.put(model, target.weights())
    for _ in range(_STEPS):
        reached = constants_of(load_network(model, fold).model)
        off = target.off(model, reached)
        if not off & origin.biases.maps.keys():
            break
        target.put(model, target.biases(model, reached))
    if off:
        _refuse(origin, off)
    return model


def _refuse(origin: Provenance, off: frozenset[str]) -> NoReturn:
    for part, what in ((origin.weights, "weights"), (origin.biases, "bias")):
        for layer, name in part.names.items():
            if name in off:
                raise RxsimError(
                    f"layer {layer}: its {what} can't be written back, the file loaded again gives "
                    "other values than those trained; report this as a bug and leave the layer out"
                )
    raise RxsimError(
        f"the constant {min(off)} can't keep its values when trained weights are written back, "
        "expected it to be no layer's; report this as a bug"
    )

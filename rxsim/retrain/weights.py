"""A network with other values in the initialisers of its normalised graph."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import onnx
from onnx import numpy_helper

from rxsim.load import Network
from rxsim.load.layers import find_layers
from rxsim.sealed import hash_of


def with_values(network: Network, values: Mapping[str, np.ndarray]) -> Network:
    """Return a network whose initialisers have other values; the original is kept as it is.

    Args:
        network: the network.
        values: by name of the initialiser in the normalised graph, of its shape.
    """
    model = onnx.ModelProto()
    model.CopyFrom(network.model)
    for tensor in model.graph.initializer:
        if tensor.name in values:
            given = values[tensor.name]
            dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
            tensor.CopyFrom(numpy_helper.from_array(given.astype(dtype), tensor.name))
    kept = {layer.name for layer in network.layers}
    found, _ = find_layers(model)
    identity = hash_of(
        [network.identity, {name: _digest(array) for name, array in sorted(values.items())}]
    )
    return replace(
        network,
        identity=identity,
        model=model,
        layers=tuple(layer for layer in found if layer.name in kept),
    )


def _digest(values: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(values, dtype=np.float32).tobytes()).hexdigest()

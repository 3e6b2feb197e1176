"""A loaded network as a torch Module whose trained values go back into the user's file."""

from __future__ import annotations

import numpy as np
import onnx

from rxsim.load import Network
from rxsim.retrain.initialisers import Trained
from rxsim.retrain.interpreter import OnnxModule
from rxsim.retrain.places import bias_names, weight_name
from rxsim.retrain.torch_library import torch
from rxsim.retrain.write_back import write_back


class NetworkModule(OnnxModule):
    """The normalised graph of a network.

    Attributes:
        network: the network.
    """

    def __init__(
        self,
        network: Network,
        trainable: Trained | None = None,
        *,
        fold: str = "exact",
        source: onnx.ModelProto | None = None,
        straight_through: bool = True,
        generator: torch.Generator | None = None,
    ) -> None:
        """Read the graph; see `OnnxModule`.

        Args:
            network: the network.
            trainable: which float initialisers are Parameters; None: weights and biases of the layers
                that crossbars can hold.
            fold: the setting `mapping.fold` that the network was loaded with.
            source: the model that it was loaded from, where that was in memory.
            straight_through: let gradients pass through rounding and integers.
            generator: of the numbers that random operators draw.

        Raises:
            ModelError: it holds what can't be computed.
            InputError: `trainable` names what is no float initialiser.
        """
        weights = {layer.name: weight_name(layer) for layer in network.layers}
        biases = bias_names(network.model, list(network.layers))
        if trainable is None:
            stored = {tensor.name for tensor in network.model.graph.initializer}
            trainable = stored & {*weights.values(), *biases.values()}
        super().__init__(
            network.model, trainable, straight_through=straight_through, generator=generator
        )
        self.network = network
        self._weights, self._biases = weights, biases
        self._fold, self._source = fold, source

    def onnx_model(self) -> onnx.ModelProto:
        """Return the user's model with the values that the Parameters have now.

        Raises:
            InputError: a layer's values are not finite, or can't be written back.
        """
        now = {name: held.detach().numpy().copy() for name, held in self.trained().items()}

        def of(names: dict[str, str]) -> dict[str, np.ndarray]:
            return {layer: now[name] for layer, name in names.items() if name in now}

        weights, biases = of(self._weights), of(self._biases)
        return write_back(self.network, weights, biases, fold=self._fold, source=self._source)

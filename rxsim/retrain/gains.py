"""A gain for each output channel, trained in place of the weights: `--train norms`.

A normalisation behind a layer multiplies its channels. Here the weights w of a channel become w exp(t),
with t = 0 in front of each step, so that dt = sum(w dw) over the channel's weights. Nothing but the
weights has to be kept.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rxsim.load import Network
from rxsim.onnx_graph import constants
from rxsim.operators import operator_of
from rxsim.retrain.interpreter import OnnxModule
from rxsim.retrain.places import weight_name
from rxsim.retrain.torch_library import Tensor, torch


def channel_numbers(network: Network) -> dict[str, Tensor]:
    """Return the output channel of each weight, by name of the weights' initialiser.

    Returns:
        int64, of a shape that spreads over the weights. A layer that does not tell its channels has a
        single one.
    """
    held = constants(network.model)
    numbers = {}
    for layer in network.layers:
        name, operator = weight_name(layer), operator_of(layer.node)
        affine = None if operator is None else operator.affine(layer.node, held)
        of_weights = np.zeros((1,) * len(held[name].dims), dtype=np.int64)
        if affine is not None:
            of_weights = affine.over_outputs(np.arange(affine.outputs))
        numbers[name] = torch.from_numpy(np.ascontiguousarray(of_weights))
    return numbers


class Gains:
    """The gains of the channels of layers."""

    def __init__(self, module: OnnxModule, numbers: Mapping[str, Tensor]) -> None:
        """Start with gains of 1.

        Args:
            module: holds the weights.
            numbers: the output channel of each weight, by name of the trained weights.
        """
        self._weights = {name: module.value(name) for name in numbers}
        self._numbers = {
            name: each.expand(self._weights[name].shape).reshape(-1)
            for name, each in numbers.items()
        }
        self._logs = {
            name: torch.zeros(int(each.max()) + 1, requires_grad=True)
            for name, each in numbers.items()
        }

    def parameters(self) -> dict[str, Tensor]:
        """Return what the optimiser moves, by name of the weights: float32 (channels,)."""
        return self._logs

    def pull(self) -> None:
        """Give the gains the gradients that their weights have."""
        for name, log in self._logs.items():
            weight = self._weights[name]
            if weight.grad is not None:
                each = (weight.grad * weight.detach()).reshape(-1)
                log.grad = torch.zeros_like(log).index_add_(0, self._numbers[name], each)
                weight.grad = None

    def take_up(self) -> None:
        """Multiply the weights by what the optimiser made of their gains."""
        with torch.no_grad():
            for name, log in self._logs.items():
                weight = self._weights[name]
                weight.mul_(log.exp()[self._numbers[name]].reshape(weight.shape))
                log.zero_()

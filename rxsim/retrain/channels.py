"""Bring every channel's mean and deviation on the chip to the float network's: `--start matched`.

What normalisations do that are measured anew on the hardware. Layer by layer, with y the output on the
chip and f that of the float network, both over the same inputs,

    s = std(f) / std(y),   w <- s w,   b <- s b + mean(f) - s mean(y)

and the layers behind see what the corrected ones give. ADC ranges were calibrated while deep layers got
attenuated inputs, so a second round measures them again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import onnx

from rxsim.load import Layer, Network
from rxsim.retrain.gains import channel_numbers
from rxsim.retrain.interpreter import Hook, OnnxModule
from rxsim.retrain.places import bias_names, weight_name
from rxsim.retrain.torch_library import Tensor, torch

# Assumption: a channel that varies less than this share of its layer's is silent on the chip, and no
# gain brings it back.
_SILENT = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Mean and standard deviation of each channel of a layer's output.

    Attributes:
        mean: of a shape that spreads over the output.
        deviation: likewise.
    """

    mean: Tensor
    deviation: Tensor

    @staticmethod
    def of(output: Tensor, axis: int) -> Moments:
        """Measure an output whose channels lie along an axis."""
        others = [each for each in range(output.dim()) if each != axis % output.dim()]
        return Moments(
            output.mean(dim=others, keepdim=True),
            output.std(dim=others, keepdim=True, unbiased=False),
        )


class Matching:
    """Measures the layers of the float network, and changes weights until the chip gives the same."""

    def __init__(self, network: Network, module: OnnxModule) -> None:
        """Find out where weights and biases lie.

        Args:
            network: the network.
            module: holds the Parameters; what is none stays.
        """
        self._module, self._layers = module, network.layers
        self._biases = bias_names(network.model, list(network.layers))
        self._numbers = channel_numbers(network)
        self._trained = module.trained()
        subtracted = {
            name
            for node in network.model.graph.node
            if node.op_type == "Sub"
            for name in node.input
        }
        self._shifted = {
            layer.name
            for layer in network.layers
            if self._biases[layer.name] in self._trained
            and self._biases[layer.name] not in subtracted
        }
        self._float: dict[str, Moments] = {}
        self._change: dict[str, tuple[Tensor, Tensor]] = {}

    def float_hooks(self) -> Mapping[str, Hook]:
        """Return what measures the layers of the float network."""
        return {layer.node.name: self._measuring(layer) for layer in self._layers}

    def chip_hooks(self, on_chip: Mapping[str, Hook]) -> Mapping[str, Hook]:
        """Return what computes layers on the chip and brings their channels back.

        Args:
            on_chip: the layers on the chip.
        """
        return {
            layer.node.name: self._bringing_back(layer, on_chip[layer.node.name])
            for layer in self._layers
        }

    def _measuring(self, layer: Layer) -> Hook:
        def measured(node: onnx.NodeProto, inputs: Sequence[Tensor | None]) -> Tensor:
            x = inputs[list(node.input).index(layer.input)]
            assert x is not None
            output = self._module({layer.input: x}, [layer.output])[layer.output]
            self._float[layer.name] = Moments.of(output, layer.channel_axis)
            return output

        return measured

    def _bringing_back(self, layer: Layer, on_chip: Hook) -> Hook:
        def matched(node: onnx.NodeProto, inputs: Sequence[Tensor | None]) -> Tensor:
            output = on_chip(node, inputs)
            assert isinstance(output, Tensor)
            gain, shift = self._wanted(layer, Moments.of(output, layer.channel_axis))
            self._change[layer.name] = gain.reshape(-1), shift.reshape(-1)
            return gain * output + shift

        return matched

    def _wanted(self, layer: Layer, now: Moments) -> tuple[Tensor, Tensor]:
        wanted = self._float[layer.name]
        gain = torch.ones_like(now.deviation)
        bias = self._biases[layer.name]
        stays = bias in layer.node.input and bias not in self._trained
        if weight_name(layer) in self._trained and not stays:
            heard = now.deviation > _SILENT * wanted.deviation.mean()
            gain = torch.where(heard, wanted.deviation / now.deviation.clamp_min(1e-30), gain)
        if layer.name not in self._shifted:
            return gain, torch.zeros_like(gain)
        return gain, wanted.mean - gain * now.mean

    def take_up(self) -> None:
        """Write what was measured last into weights and biases."""
        with torch.no_grad():
            for layer in self._layers:
                gain, shift = self._change[layer.name]
                name, bias = weight_name(layer), self._biases[layer.name]
                if name in self._trained:
                    weight, numbers = self._trained[name], self._numbers[name]
                    weight.mul_(
                        gain[numbers] if numbers.max() > 0 or len(gain) == 1 else gain.mean()
                    )
                if layer.name in self._shifted:
                    held = self._trained[bias]
                    inside = bias in layer.node.input
                    before = held.reshape(-1) * (gain if inside else 1)
                    held.copy_((before + shift).reshape(held.shape))

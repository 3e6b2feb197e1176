"""What stands in place of the products of layers while a network is trained.

A forward gives hooks for the interpreter: for the node of each layer on crossbars a function of its
inputs. Its gradient is that of the layer itself, straight through what hardware does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal, Protocol

import onnx

from rxsim.load import Network
from rxsim.pipeline import Study, patched_chip
from rxsim.retrain.input_ranges import InputRanges
from rxsim.retrain.interpreter import Hook, OnnxModule
from rxsim.retrain.places import check_main_graph, weight_name
from rxsim.retrain.torch_library import Tensor, torch
from rxsim.retrain.weights import with_values

Gradient = Literal["identity", "column"]


class Forward(Protocol):
    """How layers on crossbars compute while a network is trained."""

    def refresh(self, module: OnnxModule, number: int) -> None:
        """Take up the weights as they are now.

        Args:
            module: holds them.
            number: of the refresh, from 0; a random chip is another at each.
        """
        ...

    def hooks(self, module: OnnxModule) -> Mapping[str, Hook]:
        """Return what computes the layers, by the names of their nodes."""
        ...


class FloatForward:
    """The network as it is: no hardware."""

    def refresh(self, module: OnnxModule, number: int) -> None:
        """Take up nothing."""

    def hooks(self, module: OnnxModule) -> Mapping[str, Hook]:
        """Return none."""
        return {}


class GaussianForward:
    """Weights with noise of their own at every product. Source: Joshi et al., Nat. Commun. 11, 2020."""

    def __init__(self, network: Network, sigma: float, generator: torch.Generator) -> None:
        """Set the noise.

        Args:
            network: whose layers on crossbars get it.
            sigma: share of a layer's largest weight.
            generator: draws it.
        """
        self._layers = [(layer, weight_name(layer)) for layer in network.layers]
        self._sigma, self._generator = sigma, generator

    def refresh(self, module: OnnxModule, number: int) -> None:
        """Take up nothing: noise is drawn at every product."""

    def hooks(self, module: OnnxModule) -> Mapping[str, Hook]:
        """Return each layer with noisy weights."""
        return {
            layer.node.name: self._hook(module, layer.input, layer.output, weight)
            for layer, weight in self._layers
        }

    def _hook(self, module: OnnxModule, given: str, output: str, weight: str) -> Hook:
        def noisy(node: onnx.NodeProto, inputs: Sequence[Tensor | None]) -> Tensor:
            values = module.value(weight)
            noise = torch.randn(values.shape, generator=self._generator)
            scale = self._sigma * values.detach().abs().max()
            return _product(module, node, inputs, given, output, {weight: values + noise * scale})

        return noisy


class ExactForward:
    """The solved chip: what `rxsim patch` writes, moved along with the weights between refreshes.

    With w0 the weights of the last refresh, H the hardware that it wrote and f the layer itself,

        y = H(x) + f(clip(x), w a) - f(clip(x), w0 a),   dy = df(clip(x), w a)

    where the DACs clip x, and a is 1 (`identity`) or the factor of each column that the arrays put on
    its weights (`column`). Right behind a refresh y = H(x).
    """

    def __init__(
        self,
        study: Study,
        gradient: Gradient = "identity",
        chip: int | None = None,
        ranges: InputRanges | None = None,
    ) -> None:
        """Keep the study whose chips are programmed.

        Args:
            study: network and settings.
            gradient: what weights are multiplied by where gradients are taken.
            chip: number of the chip that is trained for; None: another at each refresh.
            ranges: of the layers' inputs, where they are held on to; None: measured at each refresh.

        Raises:
            ModelError: a layer lies in a body of a loop or has no weights of its own.
        """
        check_main_graph(study.network)
        self._study, self._gradient, self._chip, self._ranges = study, gradient, chip, ranges
        self._axis = {layer.name: layer.channel_axis for layer in study.network.layers}
        self._patched: OnnxModule | None = None
        self._before: dict[str, Tensor] = {}
        self._factors: dict[str, Tensor] = {}
        self._bounds: dict[str, tuple[float, float] | None] = {}

    def refresh(self, module: OnnxModule, number: int) -> None:
        """Program and solve a chip with the weights as they are."""
        values = {name: held.detach().numpy() for name, held in module.trained().items()}
        study = self._study if self._ranges is None else self._ranges.refresh(self._study)
        network = with_values(study.network, values)
        trial = number if self._chip is None else self._chip
        chip = patched_chip(replace(study, network=network), trial)
        generator = torch.Generator().manual_seed(self._study.settings.seed + number)
        self._patched = OnnxModule(chip.model, straight_through=False, generator=generator)
        self._bounds = {name: taps.input_bounds for name, taps in chip.taps.items()}
        self._factors = {}
        self._before = {name: module.value(name).detach().clone() for name in self._reads(module)}

    def _reads(self, module: OnnxModule) -> list[str]:
        """Name the initialisers that layers read: weights and biases."""
        stored = set(module.trained())
        read = {name for layer in self._study.network.layers for name in layer.node.input}
        return sorted(read & stored)

    def _factor(self, name: str, hardware: Tensor, wanted: Tensor, axis: int) -> Tensor:
        """Return the factors of a layer's columns on the first batch behind a refresh."""
        if name not in self._factors:
            self._factors[name] = _column_factor(hardware, wanted, axis)
        return self._factors[name]

    def hooks(self, module: OnnxModule) -> Mapping[str, Hook]:
        """Return each layer on the chip of the last refresh."""
        return {
            layer.node.name: self._hook(module, layer.name, layer.input, layer.output)
            for layer in self._study.network.layers
        }

    def _hook(self, module: OnnxModule, name: str, given: str, output: str) -> Hook:
        def on_chip(node: onnx.NodeProto, inputs: Sequence[Tensor | None]) -> Tensor:
            assert self._patched is not None
            x = inputs[list(node.input).index(given)]
            assert x is not None
            before = {key: self._before[key] for key in node.input if key in self._before}
            bounds = self._bounds.get(name)
            refreshed = _clipped(x, bounds)  # to the range of the last refresh
            clipped = refreshed
            if bounds is not None and self._ranges is not None and self._ranges.learns(name):
                clipped = self._ranges.clipped(name, x, bounds)
            with torch.no_grad():
                hardware = self._patched({given: x}, [output])[output]
                moved = module({given: refreshed.detach(), **before}, [output])[output]
            now = {key: module.value(key) for key in before}
            product = module({given: clipped, **now}, [output])[output]
            if self._gradient == "identity":
                return product + (hardware - moved)
            factor = self._factor(name, hardware, moved, self._axis[name])
            return factor * (product - moved) + hardware

        return on_chip


def _column_factor(hardware: Tensor, wanted: Tensor, axis: int) -> Tensor:
    """Return a with a x wanted nearest to hardware in the least squares, for each channel."""
    others = [each for each in range(wanted.dim()) if each != axis % wanted.dim()]
    square = (wanted * wanted).sum(dim=others, keepdim=True)
    found = (hardware * wanted).sum(dim=others, keepdim=True)
    return torch.where(square > 0, found / square.clamp_min(1e-30), torch.ones_like(square))


def _clipped(x: Tensor, bounds: tuple[float, float] | None) -> Tensor:
    """Clip activations as DACs do; what is clipped has no gradient."""
    return x if bounds is None else torch.clamp(x, bounds[0], bounds[1])


def _product(
    module: OnnxModule,
    node: onnx.NodeProto,
    inputs: Sequence[Tensor | None],
    given: str,
    output: str,
    values: Mapping[str, Tensor],
) -> Tensor:
    """Return a layer's product with other values of its initialisers."""
    x = inputs[list(node.input).index(given)]
    assert x is not None
    return module({given: x, **values}, [output])[output]

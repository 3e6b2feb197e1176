"""Which values of the user's file become which weights and biases of the normalised graph."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from rxsim.errors import ModelError
from rxsim.load import Network, load_network
from rxsim.load.onnx_file import IN_MEMORY
from rxsim.load.passes.time_first import time_first
from rxsim.load.passes.to_float32 import to_float32
from rxsim.load.tensors import complete_tensors, stored_tensors
from rxsim.onnx_graph import all_nodes, use_counts
from rxsim.retrain.file_tensors import Feed, feeds_of, put_values, tensors_of, values_of
from rxsim.retrain.places import bias_names, weight_name
from rxsim.retrain.probes import Constants, Elements, Map, Rounding, measured

# Bases of the digits: 1 + d / base is exact in the type, and survives some roundings.
_BASE = {"weights": 2**18, "biases": 2**10}
_BASE_FLOAT16 = 2**5


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Part:
    """The weights of all layers, or the biases of all.

    Attributes:
        elements: the values of the file that may become them.
        places: tensor key -> numbers of those of its values that are trained, int64.
        names: layer name -> constant of the normalised graph; empty for none.
        maps: constant -> where it comes from; only what can be written back.
        now: what the values are, float64 (elements,).
        changed: constants of the normalised graph that depend on the values.
        shared: constant -> a node elsewhere that reads the same values, which hinders to train them.
    """

    elements: Elements
    places: Mapping[str, np.ndarray]
    names: Mapping[str, str]
    maps: Mapping[str, Map]
    now: np.ndarray
    changed: frozenset[str]
    shared: Mapping[str, str]

    def map_of(self, layer: str) -> Map | None:
        """Return where a layer's values come from; None where they can't be written back."""
        return self.maps.get(self.names[layer])

    def tied(self) -> dict[str, frozenset[str]]:
        """Return for each layer the others that take values of the file that it takes too."""
        owners = np.full(self.elements.count, -1)
        names = list(self.maps)
        pairs = {name: {name} for name in names}
        for place, name in enumerate(names):
            numbers = self.maps[name].numbers
            numbers = numbers[numbers >= 0]
            for other in np.unique(owners[numbers]):
                if other >= 0:
                    pairs[name].add(names[other])
                    pairs[names[other]].add(name)
            owners[numbers] = place
        return {
            layer: frozenset(
                other
                for other, held in self.names.items()
                if other != layer and held in pairs.get(name, ())
            )
            for layer, name in self.names.items()
        }


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Provenance:
    """A network, its file, and the way from one to the other.

    Attributes:
        network: the network.
        file: the user's model, unchanged.
        fold: the setting `mapping.fold` that the network was loaded with.
        feeds: the products of the file.
        weights: the layers' weights.
        biases: the layers' biases.
    """

    network: Network
    file: onnx.ModelProto
    fold: str
    feeds: tuple[Feed, ...]
    weights: Part
    biases: Part


def provenance_of(
    network: Network, fold: str = "exact", source: onnx.ModelProto | None = None
) -> Provenance:
    """Measure where a network's weights come from; this loads the file about ten times.

    Args:
        network: the network.
        fold: the setting `mapping.fold` that it was loaded with.
        source: the model that it was loaded from, where that was in memory; without it, the
            network's own copy, in which float32 stands for the types of `network.as_float32`.

    Raises:
        ModelError: the file is not what the network was loaded from, or it was loaded with another
            setting.
    """
    file = file_of(network, source)
    fresh = load_network(file, fold)
    if _skeleton(fresh.model) != _skeleton(network.model):
        raise ModelError(
            f"model {network.path} does not give the network's graph with mapping.fold {fold}, "
            "expected the file and the setting that it was loaded with; load it again"
        )
    norms = {
        node.output[0]
        for node in all_nodes(network.model.graph)
        if node.op_type == "BatchNormalization"
    }
    feeds = tuple(feeds_of(file, norms))
    layers = list(network.layers)
    weight_names = {layer.name: weight_name(layer) for layer in layers}
    added = bias_names(network.model, layers)
    keys = dict.fromkeys(key for feed in feeds for key in feed.weights)
    halves = {key: feed.half for feed in feeds for key in feed.bias if key not in keys}
    probe = _Probe(network, file, fold, frozenset([*weight_names.values(), *added.values()]))
    weights = probe.part("weights", dict.fromkeys(keys, False), weight_names)
    biases = probe.part("biases", halves, added)
    return Provenance(
        network=network, file=file, fold=fold, feeds=feeds, weights=weights, biases=biases
    )


def file_of(network: Network, source: onnx.ModelProto | None) -> onnx.ModelProto:
    """Return the model as the user wrote it, with the values of all its tensors."""
    model = onnx.ModelProto()
    if source is not None or network.path == IN_MEMORY:
        model.CopyFrom(network.original if source is None else source)
        return model
    try:
        content = network.path.read_bytes()
        model.ParseFromString(content)
    except (OSError, DecodeError) as error:
        raise ModelError(
            f"model {network.path} can't be read again ({type(error).__name__}), expected the file "
            "that was loaded; put it back"
        ) from None
    digest = hashlib.sha256(content)
    if complete_tensors(model, network.path):
        turned = onnx.ModelProto()
        turned.CopyFrom(model)
        time_first(turned)
        for tensor in stored_tensors(turned):
            digest.update(tensor.raw_data)
    if digest.hexdigest() != network.identity:
        raise ModelError(
            f"model {network.path} changed after it was loaded, expected the same file; load it again"
        )
    return model


def constants_of(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    """Return a graph's float initialisers by name."""
    held = {tensor.name: values_of(tensor) for tensor in model.graph.initializer}
    return {name: values for name, values in held.items() if values.dtype.kind == "f"}


def _skeleton(model: onnx.ModelProto) -> list[tuple[object, ...]]:
    return [(node.op_type, node.name, *node.input, *node.output) for node in all_nodes(model.graph)]


@dataclass(frozen=True, slots=True, eq=False)
class _Probe:
    """Loads the file with other values.

    Attributes:
        network: the network.
        file: the user's model.
        fold: the setting.
        layers: constants that hold weights or biases of layers.
    """

    network: Network
    file: onnx.ModelProto
    fold: str
    layers: frozenset[str]

    def part(self, what: str, halves: Mapping[str, bool], names: Mapping[str, str]) -> Part:
        """Measure a part.

        Args:
            what: "weights" or "biases".
            halves: tensors that may hold it; whether only half of their last axis does.
            names: layer name -> constant of the normalised graph.
        """
        plain = onnx.ModelProto()
        plain.CopyFrom(self.file)
        to_float32(plain, self.network.as_float32)
        tensors = tensors_of(plain)
        held = {key: values_of(tensors[key]) for key in halves if key in tensors}
        places = {key: _trained(values.shape, halves[key]) for key, values in held.items()}
        elements = Elements.of({key: len(where) for key, where in places.items()})

        def load(values: np.ndarray) -> Constants:
            for key, part in elements.parts(values):
                changed = held[key].copy()
                changed.reshape(-1)[places[key]] = part
                put_values(tensors[key], changed)
            return constants_of(load_network(plain, self.fold).model)

        types = {values.dtype for values in held.values()}
        types.update(layer.dtype for layer in self.network.layers)
        base = _BASE_FLOAT16 if np.dtype(np.float16) in types else _BASE[what]
        seen = measured(elements.count, load, base, shifted=what == "biases")
        now = elements.joined({key: held[key].reshape(-1)[where] for key, where in places.items()})
        maps = {
            name: seen.maps[name]
            for name in {*names.values()} & seen.maps.keys()
            if self._holds(name, seen.maps[name], now)
        }
        shared = self._shared(names, maps, seen.maps, elements.count)
        return Part(
            elements=elements,
            places=places,
            names=names,
            maps={name: held for name, held in maps.items() if name not in shared},
            now=now,
            changed=seen.changed,
            shared=shared,
        )

    def _holds(self, name: str, held: Map, now: np.ndarray) -> bool:
        """Tell whether a map gives a constant as it is."""
        actual = constants_of(self.network.model)[name]
        off = np.abs(held.predicted(now) - actual)
        return bool((off <= held.doubt(now, Rounding.to(actual.dtype))).all())

    def _shared(
        self,
        names: Mapping[str, str],
        maps: Mapping[str, Map],
        seen: Mapping[str, Map],
        count: int,
    ) -> dict[str, str]:
        """Return the constants whose values constants of other nodes take too, with such a node."""
        graph, mapped = self.network.model, {layer.node.name for layer in self.network.layers}
        readers: dict[str, str] = {}
        for node in all_nodes(graph.graph):
            for name in node.input:
                if node.name not in mapped or name not in readers:
                    readers[name] = f"{node.name} ({node.op_type})"
        uses, layers = use_counts(graph), Counter(names.values())
        shared = {
            name: readers.get(name, "the graph's output")
            for name in maps
            if uses[name] > layers[name]
        }
        for other in sorted(seen.keys() - self.layers):
            touched = np.zeros(count + 1, dtype=bool)
            touched[seen[other].numbers] = True
            touched[-1] = False
            for name, held in maps.items():
                if touched[held.numbers].any():
                    shared.setdefault(name, readers.get(other, other))
        return shared


def _trained(shape: tuple[int, ...], half: bool) -> np.ndarray:
    """Return the flat places of a tensor's values, or of the first half of its last axis."""
    places = np.arange(int(np.prod(shape))).reshape(shape)
    if half and shape:
        places = places[..., : shape[-1] // 2]
    return places.reshape(-1)

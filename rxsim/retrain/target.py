"""Solve for the values of the file that give wanted constants of the normalised graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx

from rxsim.errors import InputError
from rxsim.retrain.file_tensors import put_values, tensors_of, values_of
from rxsim.retrain.probes import Map, Rounding
from rxsim.retrain.provenance import Part, Provenance


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """New values of the file.

    Attributes:
        part: weights or biases.
        old: float64 (elements,).
        new: float64 (elements,).
    """

    part: Part
    old: np.ndarray
    new: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """What the normalised graph shall hold.

    Attributes:
        origin: the network and its file.
        before: its constants before training.
        wanted: its constants after.
    """

    origin: Provenance
    before: Mapping[str, np.ndarray]
    wanted: Mapping[str, np.ndarray]

    def weights(self) -> Solution:
        """Solve for the weights: each is a factor times a value of the file.

        Raises:
            InputError: layers want different values of a tensor that they share.
        """
        part = self.origin.weights
        values = {}
        for name, held in part.maps.items():
            with np.errstate(all="ignore"):
                solved = (self.wanted[name].astype(np.float64) - held.constant) / held.factor
            kept = self.wanted[name] == self.before[name]
            values[name] = np.where(kept, part.now[held.numbers], solved)
        return self._joined(part, part.now, values)

    def biases(self, model: onnx.ModelProto, reached: Mapping[str, np.ndarray]) -> Solution:
        """Move the biases by what is missing; what is added on their way need not be known for it.

        Args:
            model: the file so far.
            reached: the constants that it gives.

        Raises:
            InputError: layers want different values of a tensor that they share.
        """
        part = self.origin.biases
        old = held_values(model, part)
        values = {}
        for name, held in part.maps.items():
            missing = self.wanted[name].astype(np.float64) - reached[name]
            with np.errstate(all="ignore"):
                values[name] = old[held.numbers] + missing / held.factor
        return self._joined(part, old, values)

    def _joined(self, part: Part, old: np.ndarray, values: Mapping[str, np.ndarray]) -> Solution:
        """Join what the layers want of each value of the file."""
        new, owners = old.copy(), np.full(len(old), -1)
        # In the order of the layers, which decides whose value is taken where they nearly agree.
        order = {name: place for place, name in enumerate(part.names.values())}
        names = sorted(values, key=lambda name: (order.get(name, len(order)), name))
        for place, name in enumerate(names):
            held = part.maps[name]
            free = ~held.fixed
            numbers, want = held.numbers[free], values[name][free]
            slack = self._slack(part, name, old)[free]
            taken = owners[numbers] >= 0
            first = np.where(taken, new[numbers], want)
            new[numbers] = first
            apart = np.abs(new[numbers] - want) * np.abs(held.factor[free]) > slack
            if apart.any():
                other = owners[numbers[apart]][0]
                self._refuse_shared(part, name, names[other] if other >= 0 else name)
            owners[numbers] = np.where(taken, owners[numbers], place)
        return Solution(part, old, new)

    def _refuse_shared(self, part: Part, name: str, other: str) -> None:
        pair = [layer for layer, held in part.names.items() if held in (other, name)]
        pair = [pair[0], pair[-1]] if other != name else [pair[0], pair[0]]
        if pair[0] == pair[1]:
            raise InputError(
                f"layer {pair[0]} reads values of the file in several places, expected the same "
                "trained values there; train them as one"
            )
        raise InputError(
            f"layers {pair[0]} and {pair[1]} share a tensor of the file, expected the same trained "
            "values for both; train them as one"
        )

    def put(self, model: onnx.ModelProto, solution: Solution) -> None:
        """Write new values into a file; values that stay keep their bytes.

        Raises:
            InputError: a value lies beyond the tensor's type.
        """
        part, tensors = solution.part, tensors_of(model)
        changed = dict(part.elements.parts(solution.new != solution.old))
        for key, values in part.elements.parts(solution.new):
            if not changed[key].any():
                continue
            held = values_of(tensors[key]).copy()
            with np.errstate(over="ignore"):
                rounded = values[changed[key]].astype(held.dtype)
            if not np.isfinite(rounded.astype(np.float64)).all():
                raise InputError(
                    f"trained values reach beyond the tensor {key} of {held.dtype} in the file, "
                    "expected smaller ones; clip the weights while training"
                )
            held.reshape(-1)[part.places[key][changed[key]]] = rounded
            put_values(tensors[key], held)

    def off(self, model: onnx.ModelProto, reached: Mapping[str, np.ndarray]) -> frozenset[str]:
        """Return the constants that a file gives otherwise than wanted, beyond rounding."""
        off = set(self.wanted.keys() ^ reached.keys())
        held = {id(p): held_values(model, p) for p in (self.origin.weights, self.origin.biases)}
        for name in self.wanted.keys() & reached.keys():
            wanted, now = self.wanted[name], reached[name]
            if wanted.shape == now.shape and np.array_equal(wanted, now):
                continue
            parts = [p for p in (self.origin.weights, self.origin.biases) if name in p.maps]
            if not parts or wanted.shape != now.shape:
                off.add(name)
                continue
            slack = self._slack(parts[0], name, held[id(parts[0])])
            if (np.abs(wanted.astype(np.float64) - now) > slack).any():
                off.add(name)
        return frozenset(off)

    def _slack(self, part: Part, name: str, values: np.ndarray) -> np.ndarray:
        """Return by how much roundings may change a constant."""
        held = part.maps[name]
        keys = part.elements.keys_of(held.numbers)
        stored = tensors_of(self.origin.file)
        types = [values_of(stored[key]).dtype for key in keys]
        rounding = Rounding.to(self.before[name].dtype, *types)
        bound = Map(held.numbers, held.factor, np.abs(self.wanted[name]).astype(np.float64))
        return bound.slack(values, rounding)


def held_values(model: onnx.ModelProto, part: Part) -> np.ndarray:
    """Return the values of a part as a file holds them, float64 (elements,)."""
    tensors = tensors_of(model)
    return part.elements.joined(
        {
            key: values_of(tensors[key]).reshape(-1)[where].astype(np.float64)
            for key, where in part.places.items()
        }
    )

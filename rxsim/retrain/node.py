"""A node as the makers of kernels read it: its attributes, its fixed inputs, the operator set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from rxsim.retrain.torch_library import Tensor, torch

Kernel = Callable[..., Any]
"""`kernel(*inputs)`: the output's tensor, or a tuple of them where the node has several outputs.

Inputs that are left out are None, or missing at the end.
"""


class UnsupportedError(Exception):
    """A kernel can't be made for a node; the message names what is in the way."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Node:
    """A node of the graph.

    Attributes:
        proto: the node itself.
        opset: the operator set in which it is written.
        attributes: its attributes as Python values, texts as str.
        fixed: the constants of the graph that nobody trains, by name.
        types: ONNX's number of the type of each constant, by name.
        generator: of the numbers of random operators; None where none may be drawn.
    """

    proto: onnx.NodeProto
    opset: int
    attributes: Mapping[str, Any]
    fixed: Mapping[str, np.ndarray]
    types: Mapping[str, int]
    generator: torch.Generator | None = None

    @property
    def outputs(self) -> int:
        """How many outputs the node has, those left out at the end not counted."""
        return max((i + 1 for i, name in enumerate(self.proto.output) if name), default=0)

    def get(self, name: str, default: Any = None) -> Any:
        """Return an attribute, or what stands for one that is left out."""
        return self.attributes.get(name, default)

    def has(self, place: int) -> bool:
        """Tell whether an input is given."""
        return len(self.proto.input) > place and bool(self.proto.input[place])

    def constant(self, place: int) -> np.ndarray | None:
        """Return an input that nobody trains; None for one that is computed, trained or left out."""
        return self.fixed.get(self.proto.input[place]) if self.has(place) else None

    def scalar(self, place: int) -> Any:
        """Return an input of one fixed value as a Python number; None for all others."""
        value = self.constant(place)
        return value.item() if value is not None and value.size == 1 else None

    def listed(
        self, place: int, attribute: str = ""
    ) -> Callable[[Sequence[Tensor | None]], list[Any] | None]:
        """Return what reads a list of numbers: now where it is fixed, else from the node's inputs.

        Args:
            place: of the input that holds the list.
            attribute: which holds it in older operator sets.
        """
        given = self.attributes.get(attribute)
        if given is None:
            constant = self.constant(place)
            given = None if constant is None else constant.reshape(-1).tolist()
        known = None if given is None else list(given)
        if known is not None or not self.has(place):
            return lambda inputs: known
        return lambda inputs: _as_list(inputs[place])

    def only_first_output(self) -> None:
        """Refuse a node that gives more than its first output.

        Raises:
            UnsupportedError: it does.
        """
        if self.outputs > 1:
            raise UnsupportedError(f"its output {self.proto.output[self.outputs - 1]}")

    def one_of(self, name: str, default: str, known: Sequence[str]) -> str:
        """Return an attribute that names a choice.

        Raises:
            UnsupportedError: there is no such choice.
        """
        value = str(self.get(name, default))
        if value not in known:
            raise UnsupportedError(f"{name} {value}")
        return value


def _as_list(values: Tensor | None) -> list[Any] | None:
    return None if values is None else list(values.reshape(-1).tolist())


def always(kernel: Kernel) -> Callable[[Node], Kernel]:
    """Return the maker of a kernel that is the same for every node."""
    return lambda node: kernel

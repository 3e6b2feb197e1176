"""Refuse networks whose inputs have no known shape, where shapes are all that there is."""

from __future__ import annotations

from collections.abc import Mapping

from rxsim.errors import InputError
from rxsim.load import Network
from rxsim.pipeline.study.input_axes import ask_for_axes, told


def require_shapes(network: Network, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse inputs whose shape is not known.

    Args:
        network: the network.
        shapes: of inputs, by name.

    Raises:
        InputError: naming the options that fix the free axes.
    """
    unknown = [spec for spec in network.inputs if spec.name not in shapes]
    if unknown:
        told_of = ", ".join(f"{spec.name} {told(spec.shape)}" for spec in unknown)
        raise InputError(
            f"model {network.path.name}: found inputs with free axes besides the batch ({told_of}), "
            f"expected the shape of one input; {ask_for_axes(unknown)}"
        )

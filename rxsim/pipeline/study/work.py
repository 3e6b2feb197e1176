"""The multiply-accumulates of a network: from shapes, and where these do not tell from a run."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rxsim.load import Network
from rxsim.load.macs import Work, count_work, tensors_of
from rxsim.run.executed import executed_shapes
from rxsim.seeds import Sample, sample_generator


def work_of(network: Network, feeds: Mapping[str, np.ndarray]) -> Work:
    """Count the multiply-accumulates of every product per network input.

    Args:
        network: the network.
        feeds: one input by tensor name, with its batch axis; it is run only where shape inference
            leaves a product's size open, or for products in bodies, which run as often as they run.
    """
    shapes = {name: tensor.shape for name, tensor in feeds.items()}
    work = count_work(network.model, shapes)
    if not work.unknown:
        return work
    filled = _filled(feeds, network.fixed_batch)
    tensors = tensors_of(network.model, work.unknown)
    executed = executed_shapes(network.model, filled, tensors)
    return count_work(network.model, shapes, executed)


def work_at(network: Network, input_shapes: Mapping[str, tuple[int, ...]]) -> Work:
    """Count the multiply-accumulates at given shapes of the inputs, whatever their values.

    Args:
        network: the network.
        input_shapes: shape of each input, with a batch axis of 1; inputs may be left out.
    """
    if any(spec.name not in input_shapes for spec in network.inputs):
        return count_work(network.model, input_shapes)
    rng = sample_generator(0, Sample.MADE_UP_EVALUATION)
    feeds = {
        spec.name: rng.standard_normal(input_shapes[spec.name]).astype(spec.dtype)
        for spec in network.inputs
    }
    return work_of(network, feeds)


def _filled(feeds: Mapping[str, np.ndarray], batch: int | None) -> dict[str, np.ndarray]:
    """Repeat an input until it fills the batch that the model prescribes."""
    if batch is None:
        return dict(feeds)
    return {
        name: np.repeat(tensor, batch, axis=0) if len(tensor) == 1 else tensor
        for name, tensor in feeds.items()
    }

"""The multiply-accumulates of a network: from shapes, and where these do not tell from a run."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rxsim.load import Network
from rxsim.load.macs import Work, count_work, tensors_of
from rxsim.load.network import left_digital
from rxsim.load.tensor_sizes import TensorSize, tensor_sizes
from rxsim.onnx_graph import all_nodes
from rxsim.pipeline.study.make_up import example_feeds, is_text
from rxsim.run.executed import executed_shapes


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
    filled = _filled(network, feeds)
    tensors = tensors_of(network.model, work.unknown)
    executed = executed_shapes(network.model, filled, tensors)
    return count_work(network.model, shapes, executed)


def mappable(network: Network, work: Work) -> Network:
    """Leave digital what a run showed that can't be watched.

    Raises:
        ModelError: no layer is left.
    """
    return left_digital(
        network, work.varying, "in a loop where its tensors change their shape: not mapped"
    )


def work_at(network: Network, input_shapes: Mapping[str, tuple[int, ...]]) -> Work:
    """Count the multiply-accumulates at given shapes of the inputs, whatever their values.

    Args:
        network: the network.
        input_shapes: shape of each input, with a batch axis of 1; inputs may be left out.
    """
    unfit = any(spec.name not in input_shapes or is_text(spec) for spec in network.inputs)
    if unfit:
        return count_work(network.model, input_shapes)
    return work_of(network, example_feeds(network, input_shapes))


def sizes_of(network: Network, feeds: Mapping[str, np.ndarray]) -> dict[str, TensorSize]:
    """Return the sizes of all tensors per network input, from a run if need be.

    Args:
        network: the network.
        feeds: one input by tensor name, with its batch axis; it is run only where shape inference
            leaves what a node makes open, as in bodies of loops.
    """
    shapes = {name: tensor.shape for name, tensor in feeds.items()}
    sizes = tensor_sizes(network.model, shapes)
    names = [layer.input for layer in network.layers]
    names += [name for node in all_nodes(network.model.graph) for name in node.output[:1]]
    missing = [name for name in dict.fromkeys(names) if name and name not in sizes]
    if not missing:
        return sizes
    executed = executed_shapes(network.model, _filled(network, feeds), missing)
    return tensor_sizes(network.model, shapes, executed)


def _filled(network: Network, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Repeat an input until it fills the batch that the model prescribes."""
    batch, filled = network.fixed_batch, dict(feeds)
    if batch is None:
        return filled
    for spec in network.inputs:
        axis, tensor = spec.batch_axis, feeds[spec.name]
        if axis is not None and tensor.shape[axis] == 1:
            filled[spec.name] = np.repeat(tensor, batch, axis=axis)
    return filled

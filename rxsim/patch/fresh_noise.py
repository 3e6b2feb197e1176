"""Noise that a graph draws anew for each value: a standard normal number times a deviation.

The numbers are those of ONNX's RandomNormalLike with a seed. A session draws them in the order in which
its batches run, so a new session gives the same for the same inputs in batches of the same size. Where
a batch holds an even number of the values (pairs are drawn), its size does not matter either.
"""

from __future__ import annotations

from rxsim.onnx_graph import GraphBuilder


def add_fresh_noise(
    build: GraphBuilder, tensor: str, deviation: float | str, seed: int, part: str
) -> str:
    """Add normal noise to every value of a tensor.

    Args:
        build: takes the nodes.
        tensor: name of a float tensor of known type.
        deviation: standard deviation in units of the tensor: one for all values, or the name of a
            tensor of deviations that broadcasts to the tensor's shape.
        seed: of the numbers, see `rxsim.seeds.graph_seed`; no two noises of a network share one.
        part: name of the result; the nodes before it are named after it.

    Returns:
        The name of the noisy tensor.
    """
    scale = deviation if isinstance(deviation, float) else 1.0
    noise = build.add(
        "RandomNormalLike", [tensor], f"{part}_drawn", seed=float(seed), mean=0.0, scale=scale
    )
    if isinstance(deviation, str):
        noise = build.add("Mul", [noise, deviation], f"{part}_noise")
    return build.add("Add", [tensor, noise], part)

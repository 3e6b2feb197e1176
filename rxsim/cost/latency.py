"""How long a network takes, as functions of the times that a technology gives.

    t_stage   = max(t_read, share x t_conversion x c'/c)
    t_product = t_stage (c + stages - 1)
    t_layer   = steps x ceil(P / steps / replicas) x t_product

with c pulses of which c' are converted (all, unless they are summed in analog), P positions, and steps
of a loop, which wait for each other. Source: docs/concepts/cost.md, "Latency".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from rxsim.cost.layer_counts import LayerCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTimes:
    """The times of a read.

    Attributes:
        t_read: for a pulse and its currents to settle, second; 0: not stated.
        t_conversion: of an ADC, second.
        share: columns that an ADC converts one after the other.
        stages: of the pipeline from buffer to buffer.
    """

    t_read: float
    t_conversion: float
    share: int
    stages: int = 1


def stage_seconds(counts: LayerCounts, times: StageTimes) -> float:
    """Return the time of a stage, second: a read, or the conversions that fall on it."""
    return max(times.t_read, times.share * times.t_conversion * counts.passes / counts.pulses)


def product_seconds(counts: LayerCounts, times: StageTimes) -> float:
    """Return the time of a product: all pulses of a position, through all stages, second."""
    return stage_seconds(counts, times) * (counts.pulses + times.stages - 1)


def products_in_turn(counts: LayerCounts, replicas: int = 1) -> int:
    """Return how many products one copy of a layer computes one after the other.

    Args:
        counts: of the layer.
        replicas: copies of its arrays, which share the positions of a step.
    """
    return counts.steps * -(-_of_a_step(counts) // replicas)


def layer_seconds(counts: LayerCounts, times: StageTimes, replicas: int = 1) -> float:
    """Return the time of a layer for one inference, second."""
    return products_in_turn(counts, replicas) * product_seconds(counts, times)


def inference_seconds(seconds: Mapping[str, float]) -> float:
    """Return the time of one inference: layers one after the other, second.

    Args:
        seconds: of each layer, by its name.
    """
    return sum(seconds.values())


def pipelined_seconds(layers: Iterable[LayerCounts], seconds: Mapping[str, float]) -> float:
    """Return the time from one inference to the next where layers work at the same time, second.

    Layers on the same arrays take turns.

    Args:
        layers: counts of the layers.
        seconds: of each layer, by its name.
    """
    of_arrays: dict[str, float] = {}
    for layer in layers:
        owner = layer.shared_with or layer.name
        of_arrays[owner] = of_arrays.get(owner, 0.0) + seconds[layer.name]
    return max(of_arrays.values(), default=0.0)


def more_replicas(counts: LayerCounts, replicas: int) -> int | None:
    """Return the least number of copies that takes fewer products in turn; None where none does."""
    positions = _of_a_step(counts)
    in_turn = -(-positions // replicas)
    return None if in_turn <= 1 else -(-positions // (in_turn - 1))


def exact_seconds(counts: LayerCounts, seconds: float, replicas: int) -> Fraction:
    """Return the time of a layer without rounding, so that equal times are found equal.

    Args:
        counts: of the layer.
        seconds: of a product.
        replicas: copies of its arrays.
    """
    return products_in_turn(counts, replicas) * Fraction(seconds)


def _of_a_step(counts: LayerCounts) -> int:
    return -(-counts.positions // counts.steps)

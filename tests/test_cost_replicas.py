"""Latency from printed times, and replicas against a search through all choices."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rxsim.compensate import Needs
from rxsim.cost.latency import (
    StageTimes,
    inference_seconds,
    layer_seconds,
    pipelined_seconds,
    product_seconds,
    stage_seconds,
)
from rxsim.cost.layer_counts import Actions, Hardware, LayerCounts
from rxsim.cost.replicas import balanced_replicas, no_replicas
from rxsim.errors import SettingError


def counted(
    name: str,
    *,
    positions: int = 1,
    arrays: int = 1,
    steps: int = 1,
    pulses: int = 1,
    passes: int | None = None,
    shared_with: str | None = None,
) -> LayerCounts:
    return LayerCounts(
        name=name,
        op="Conv",
        shared_with=shared_with,
        positions=positions,
        steps=steps,
        pulses=pulses,
        passes=passes or pulses,
        sum_bits=16,
        actions=Actions(),
        hardware=Hardware(arrays=arrays),
        needs=Needs(),
    )


def test_a_product_of_puma_takes_2304_ns() -> None:
    """16 bits through 3 stages of 128 ns: an ADC converts 128 columns at 1 GHz (Ankit 2019)."""
    layer = counted("m", pulses=16)
    times = StageTimes(t_read=100e-9, t_conversion=1e-9, share=128, stages=3)
    assert stage_seconds(layer, times) == pytest.approx(128e-9, rel=1e-12)
    assert product_seconds(layer, times) == pytest.approx(2304e-9, rel=1e-12)


def test_a_read_of_isaac_is_longer_than_its_conversions() -> None:
    layer = counted("m", pulses=16)
    times = StageTimes(t_read=100e-9, t_conversion=1 / 1.28e9, share=100)
    assert product_seconds(layer, times) == pytest.approx(1.6e-6, rel=1e-12)


def test_pulses_that_are_summed_in_analog_share_a_conversion() -> None:
    """8 pulses of 10 ns and one conversion of 16 columns of 40 ns: 640 ns in all."""
    times = StageTimes(t_read=10e-9, t_conversion=40e-9, share=16)
    assert product_seconds(counted("m", pulses=8, passes=1), times) == pytest.approx(640e-9)
    assert product_seconds(counted("m", pulses=8), times) == pytest.approx(8 * 640e-9)


def test_layers_add_up_or_the_slowest_counts() -> None:
    times = StageTimes(t_read=1e-6, t_conversion=0.0, share=1)
    layers = {
        "a": counted("a", positions=100),
        "b": counted("b", positions=40),
        "c": counted("c", positions=70, shared_with="b"),
        "d": counted("d", positions=20, steps=10),
    }
    seconds = {name: layer_seconds(layer, times) for name, layer in layers.items()}
    assert inference_seconds(seconds) == pytest.approx(230e-6)
    assert pipelined_seconds(layers.values(), seconds) == pytest.approx(110e-6)
    # 33 + 34 + 33 positions; of two positions in each of ten steps one is left with three copies.
    assert layer_seconds(layers["a"], times, replicas=3) == pytest.approx(34e-6)
    assert layer_seconds(layers["d"], times, replicas=3) == pytest.approx(10e-6)
    assert no_replicas(layers) == {"a": 1, "b": 1, "c": 1, "d": 1}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 9), st.integers(1, 3), st.integers(1, 4)), min_size=1, max_size=3
    ),
    st.integers(0, 14),
)
def test_replicas_are_the_best_of_all_choices(
    given_layers: list[tuple[int, int, int]], more: int
) -> None:
    """Least time of the slowest layer, and for it the fewest arrays."""
    layers, seconds = {}, {}
    for number, (positions, arrays, time) in enumerate(given_layers):
        layers[str(number)] = counted(str(number), positions=positions, arrays=arrays)
        seconds[str(number)] = time * 1e-7
    allowed = sum(arrays for _, arrays, _ in given_layers) + more
    found = tuple(balanced_replicas(layers, seconds, allowed).values())

    def judged(copies: tuple[int, ...]) -> tuple[int, int]:
        slowest = max(
            math.ceil(p / r) * t for (p, _, t), r in zip(given_layers, copies, strict=True)
        )
        return slowest, sum(r * a for (_, a, _), r in zip(given_layers, copies, strict=True))

    every = itertools.product(*(range(1, p + 1) for p, _, _ in given_layers))
    best = min(judged(copies) for copies in every if judged(copies)[1] <= allowed)
    assert judged(found) == best


def test_layers_on_the_same_arrays_are_copied_together() -> None:
    layers = {
        "a": counted("a", positions=8, arrays=2),
        "b": counted("b", positions=6, arrays=2, shared_with="a"),
        "c": counted("c", positions=12, arrays=1),
    }
    seconds = dict.fromkeys(layers, 1e-6)
    # One copy: 14 and 12. Two: 4 + 3 and 12; two of each: 7 and 6.
    assert balanced_replicas(layers, seconds, 5) == {"a": 2, "b": 2, "c": 1}
    assert balanced_replicas(layers, seconds, 6) == {"a": 2, "b": 2, "c": 2}


def test_copies_do_not_help_steps_that_wait() -> None:
    layer = counted("r", positions=20, steps=20)
    assert balanced_replicas({"r": layer}, {"r": 1e-6}, 100) == {"r": 1}
    freed = replace(layer, steps=1)
    assert balanced_replicas({"r": freed}, {"r": 1e-6}, 100) == {"r": 20}


def test_too_few_arrays_are_told() -> None:
    layers = {"a": counted("a", arrays=3), "b": counted("b", arrays=4)}
    with pytest.raises(SettingError, match="found 6 arrays, expected at least the 7"):
        balanced_replicas(layers, dict.fromkeys(layers, 1e-6), 6)

"""Noise that a graph draws anew for each value: reproducible, normal, independent."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import pytest
from onnx import TensorProto, helper

from rxsim.data import MadeUpInputs
from rxsim.onnx_graph import GraphBuilder, draws_numbers
from rxsim.patch.fresh_noise import add_fresh_noise
from rxsim.run import predict
from rxsim.seeds import Effect, graph_seed
from rxsim.session import Session

INPUTS = 96


def noisy(
    seeds: list[int], deviation: float | np.ndarray = 1.0, columns: int = 100
) -> onnx.ModelProto:
    """Return a model that adds a noise for each seed to its input, one beside the other."""
    build = GraphBuilder("layer", set())
    spread: float | str
    if isinstance(deviation, float):
        spread = deviation
    else:
        spread = build.constant("deviation", deviation.astype(np.float32))
    parts = [
        add_fresh_noise(build, "x", spread, seed, f"noisy_{k}") for k, seed in enumerate(seeds)
    ]
    build.add("Concat", parts, "y", "y", axis=1)
    shapes = [("x", columns), ("y", columns * len(seeds))]
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", c]) for n, c in shapes)
    graph = helper.make_graph(build.nodes, "g", [x], [y], build.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def zeros(columns: int = 100) -> MadeUpInputs:
    return MadeUpInputs({"x": np.zeros((INPUTS, columns), np.float32)})


def run(
    model: onnx.ModelProto, *, batch: int = 8, threads: int = 1, columns: int = 100
) -> np.ndarray:
    inputs = zeros(columns)
    return predict(model, "y", inputs, what="noise", batch=batch, threads=threads)


def test_a_new_session_draws_the_same_whatever_the_threads() -> None:
    model = noisy([11, 12])
    first = run(model)
    assert len(np.unique(first)) > 0.99 * first.size  # nothing is drawn twice
    for threads in (1, 2, 4):
        assert (run(model, threads=threads) == first).all()
    assert not (run(noisy([11, 13])) == first).all()


def test_a_session_goes_on_drawing_one_batch_after_the_other() -> None:
    session = Session(noisy([11]), "noise")
    assert session.draws_numbers
    assert session.in_flight(8) == 1
    runs = [list(session.batches(zeros(), ["y"], batch=32, threads=8)) for _ in range(2)]
    first, second = (np.concatenate([values for (values,) in each]) for each in runs)
    assert (first == run(noisy([11]))).all()
    assert not (first == second).any()


def test_batch_sizes_matter_only_where_a_batch_holds_an_odd_number_of_values() -> None:
    even, odd = noisy([11], columns=100), noisy([11], columns=99)
    assert all((run(even, batch=n) == run(even)).all() for n in (1, 5, INPUTS))
    assert (run(odd, batch=2, columns=99) == run(odd, columns=99)).all()
    assert not (run(odd, batch=1, columns=99) == run(odd, columns=99)).all()


@pytest.mark.parametrize(("op", "random"), [("RandomNormalLike", True), ("Identity", False)])
def test_random_nodes_in_bodies_are_seen(op: str, random: bool) -> None:
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["": 17]> g (float[N,3] x, bool c) => (float[N,3] y) {'
        f"y = If(c) <then_branch = a () => (float[N,3] z) {{z = {op}(x)}}, "
        "else_branch = b () => (float[N,3] w) {w = Neg(x)}>}"
    )
    assert draws_numbers(model) == random


def test_noise_is_standard_normal_times_its_deviation_and_independent() -> None:
    deviation = np.linspace(0.5, 2, 100)
    seeds = [graph_seed(0, 0, layer, Effect.ADC_NOISE, k) for layer in (0, 1) for k in range(3)]
    drawn = run(noisy(seeds, deviation)).reshape(INPUTS, len(seeds), 100) / deviation
    per_seed = np.moveaxis(drawn, 1, 0).reshape(len(seeds), -1).astype(np.float64)
    # Sampling errors of n normal numbers: mean 1/sqrt(n), variance sqrt(2/n), covariance 1/sqrt(n);
    # bounds are four of them, on 6 seeds.
    n = per_seed.shape[1]
    assert (np.abs(per_seed.mean(axis=1)) < 4 / np.sqrt(n)).all()
    covariance = per_seed @ per_seed.T / n
    bound = np.where(np.eye(len(seeds), dtype=bool), 4 * np.sqrt(2 / n), 4 / np.sqrt(n))
    assert (np.abs(covariance - np.eye(len(seeds))) < bound).all()
    assert (np.abs((per_seed**4).mean(axis=1) - 3) < 4 * np.sqrt(96 / n)).all()
    lagged = (per_seed[:, 1:] * per_seed[:, :-1]).mean(axis=1)
    assert (np.abs(lagged) < 4 / np.sqrt(n)).all()
    assert (run(noisy([5], 0.25)) == np.float32(0.25) * run(noisy([5]))).all()


@pytest.mark.parametrize("changed", range(5))
def test_seeds_of_nodes_follow_from_every_part_of_their_key(changed: int) -> None:
    key = [3, 1, 4, int(Effect.ADC_NOISE), 5]
    other = [value + (place == changed) for place, value in enumerate(key)]
    seed = graph_seed(*key)
    assert seed == graph_seed(*key) != graph_seed(*other)
    assert 0 < seed < 2**24
    assert float(np.float32(seed)) == seed

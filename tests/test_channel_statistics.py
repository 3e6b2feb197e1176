"""`statistics`: channels of chips have the float network's moments, whatever way they were measured."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
from bench_networks import HARSH, SCHEMES, Floats, compensated, grouped, inputs, study_of
from chips import bench_of, foundry_of
from recurrent_models import recurrent_model
from small_networks import dense, network

from rxsim.compensate import ChannelMoments, correction_of_moments
from rxsim.compensate.steps.columns import STEP as COLUMNS
from rxsim.compensate.steps.columns import ColumnsOptions
from rxsim.compensate.steps.statistics import STEP, StatisticsOptions
from rxsim.errors import RxsimError
from rxsim.onnx_graph import with_outputs
from rxsim.pipeline import Study
from rxsim.pipeline.chip import normalising
from rxsim.session import Session


def depthwise() -> onnx.ModelProto:
    """Return a depthwise convolution of seven groups, of which two fit on an array, and a pointwise."""
    rng = np.random.default_rng(1)
    text = """[a] h = Conv<group=7, pads=[1,1,1,1]>(x, w, b) r = Relu(h)
        [c] y = Conv(r, v)"""
    tensors = {"w": rng.normal(size=(7, 1, 2, 2)), "b": rng.normal(size=7)}
    return network(text, (7, 3, 3), {**tensors, "v": rng.normal(size=(5, 7, 1, 1))})


def lstm() -> onnx.ModelProto:
    return recurrent_model("LSTM", layout=1, outputs=("Y",), seed=3)


NETWORKS: dict[str, tuple[onnx.ModelProto, Any, tuple[str, ...]]] = {
    "conv and gemm": (grouped(), inputs(1, 40), ()),
    "packed groups": (depthwise(), inputs(2, 40, (7, 3, 3)), ("mapping.pack_groups=true",)),
    "depthwise": (depthwise(), inputs(2, 40, (7, 3, 3)), ()),
    "lstm": (lstm(), inputs(3, 40, (5, 3)), ("adc.n_bits=8",)),
}


def outputs_of(study: Study, model: onnx.ModelProto) -> dict[str, Floats]:
    """Run the calibration inputs; return each layer's outputs, (values, channels)."""
    names = [layer.output for layer in study.network.layers]
    session = Session(with_outputs(model, names), "it", study.network.fixed_batch)
    parts = list(session.batches(study.calibration, names, batch=study.batch, threads=1))
    found = {}
    for layer, *tensors in zip(study.network.layers, *parts, strict=True):
        place = -1 - layer.layout.spatial_axes
        rows = [
            np.moveaxis(tensor, place, -1).reshape(-1, tensor.shape[place]) for tensor in tensors
        ]
        found[layer.name] = np.concatenate(rows).astype(np.float64)
    return found


def errors(found: Floats, goal: Floats, kind: Any) -> float:
    """Return the worst error of a channel's mean or deviation, of the spread of all values."""
    return float(np.abs(kind(found, axis=0) - kind(goal, axis=0)).max() / goal.std())


@pytest.mark.parametrize("spread", [True, False])
@pytest.mark.parametrize("name", NETWORKS)
def test_channels_have_the_moments_of_the_float_network(name: str, spread: bool) -> None:
    """In the patched network itself, beside the float network; up to float32."""
    model, x, more = NETWORKS[name]
    study = study_of(model, x, *HARSH, *more, f"compensate=[{{statistics: {{spread: {spread}}}}}]")
    wanted = outputs_of(study, study.network.model)
    before = outputs_of(study, foundry_of(study).make(1).network.model)
    made = compensated(study).make(1)
    after = outputs_of(study, made.network.model)
    for layer, goal in wanted.items():
        for kind in (np.mean, np.std) if spread else (np.mean,):
            assert errors(after[layer], goal, kind) < 1e-6
            assert errors(before[layer], goal, kind) > 5e-3
        residual = made.residuals[layer]["statistics"]
        assert residual.before > 5e-3
        assert (residual.after < 1e-6) == spread


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_is_brought_to_the_float_network(scheme: str) -> None:
    x = inputs(1, 40)
    changes = (*HARSH, *SCHEMES[scheme], "compensate=[columns, statistics]")
    study = study_of(grouped(), x, *changes)
    wanted, made = outputs_of(study, study.network.model), compensated(study).make(1)
    after = outputs_of(study, made.network.model)
    for layer, goal in wanted.items():
        assert max(errors(after[layer], goal, kind) for kind in (np.mean, np.std)) < 1e-6
        assert set(made.residuals[layer]) == {"columns", "statistics"}


def test_the_order_of_both_steps_composes() -> None:
    """Behind statistics columns takes the place of what was added; before it, it lessens the rest."""
    x = inputs(1, 200)
    off = {}
    for steps in ("[]", "[columns]", "[columns, statistics]", "[statistics, columns]"):
        study = study_of(grouped(), x, *HARSH, f"compensate={steps}")
        goal = outputs_of(study, study.network.model)["c"]
        after = outputs_of(study, compensated(study).make(1).network.model)["c"]
        off[steps] = float(np.sqrt(np.mean((after - goal) ** 2)) / goal.std())
    assert off["[columns]"] < 0.9 * off["[]"]
    for both in ("[columns, statistics]", "[statistics, columns]"):
        assert off[both] < 1.1 * off["[columns]"]


@pytest.mark.parametrize("spread", [True, False])
@pytest.mark.parametrize("name", ["conv and gemm", "packed groups", "depthwise"])
def test_a_single_run_gives_what_a_run_for_each_layer_gives(name: str, spread: bool) -> None:
    model, x, more = NETWORKS[name]
    study = study_of(model, x, *HARSH, *more)
    layers = bench_of(compensated(study), 1).hardware
    wanted = normalising.float_moments(study, layers)
    assert normalising.fits_a_single_run(study, layers)
    quick = normalising.in_a_single_run(study, layers, wanted, spread=spread)
    plain = normalising.layer_by_layer(study, layers, wanted, spread=spread)
    assert quick is not None
    for layer, each in plain.items():
        size = each.wanted.std.max()
        for kind in ("before", "after"):
            for number in ("mean", "std"):
                one, other = (getattr(getattr(of[layer], kind), number) for of in (quick, plain))
                assert np.abs(one - other).max() < 1e-6 * size
        assert quick[layer].gain == pytest.approx(each.gain, rel=1e-6)
        assert quick[layer].added == pytest.approx(each.added, abs=1e-6 * size)


def test_products_of_loops_take_a_run_for_each_layer() -> None:
    model, x, more = NETWORKS["lstm"]
    study = study_of(model, x, *HARSH, *more)
    layers = bench_of(compensated(study), 1).hardware
    wanted = normalising.float_moments(study, layers)
    assert normalising.in_a_single_run(study, layers, wanted, spread=True) is None


def test_a_newer_operator_set_gives_the_same() -> None:
    x, newer = inputs(1, 40), grouped()
    newer.opset_import[0].version = 18
    one, other = (
        bench_of(compensated(study_of(model, x, *HARSH)), 1).partial_sums()
        for model in (grouped(), newer)
    )
    for name in "ac":
        assert np.array_equal(one[name].products, other[name].products)


@pytest.mark.parametrize("batch", [1, 4, 40])
def test_a_network_of_a_fixed_batch_gives_the_same(batch: int) -> None:
    """The last batch is filled up by repeating an input, which counts once."""
    x = inputs(1, 38 if batch == 4 else 40)
    fixed = grouped()
    fixed.graph.input[0].type.tensor_type.shape.dim[0].dim_value = batch
    gains = []
    for model in (grouped(), fixed):
        bench = bench_of(compensated(study_of(model, x, *HARSH)), 1)
        found = bench.normalised(spread=True)
        sums = bench.partial_sums()
        gains.append(
            [*(found[name].gain for name in "ac"), *(sums[name].products for name in "ac")]
        )
        assert [sums[name].count for name in "ac"] == [4 * len(x), len(x)]
    for one, other in zip(*gains, strict=True):
        assert one == pytest.approx(other, rel=1e-6, abs=1e-6 * np.abs(one).max())


def test_read_noise_is_averaged() -> None:
    """Other draws of the noise than those that were measured give the same means, up to their error.

    Bound: 5 standard errors of the difference of two means of n values whose noise has the seen size.
    """
    x = inputs(1, 400)
    noise = ("device.read_sigma=0.1", "device.read_noise=fresh", "adc.noise=0.5")
    study = study_of(grouped(), x, *HARSH, *noise, "compensate=[statistics]")
    made = compensated(study).make(1)
    goal = outputs_of(study, study.network.model)["a"]
    names = [study.network.layers[0].output]
    session = Session(with_outputs(made.network.model, names), "it", None)

    def drawn() -> Floats:
        parts = session.batches(study.calibration, names, batch=64, threads=1)
        return np.concatenate([part for (part,) in parts]).astype(np.float64)

    first, second, third = drawn(), drawn(), drawn()
    flat = [np.moveaxis(each, 1, -1).reshape(-1, 6).astype(np.float64) for each in (second, third)]
    sigma = (flat[0] - flat[1]).std(axis=0) / np.sqrt(2)
    assert sigma.min() > 0.05 * goal.std()
    error = np.abs(flat[1].mean(axis=0) - goal.mean(axis=0))
    assert (error < 5 * sigma * np.sqrt(2 / len(goal))).all()
    assert np.abs(first - second).max() > 0


class Trap:
    """Inputs that must not be looked at."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.sprung = 0

    def __len__(self) -> int:
        return len(self._inner)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def feeds(self, start: int, stop: int, size: int | None = None) -> dict[str, np.ndarray]:
        self.sprung += 1
        feeds = self._inner.feeds(start, stop, size)
        return {name: np.full_like(value, np.nan) for name, value in feeds.items()}


@pytest.mark.parametrize("steps", ["[columns]", "[statistics]", "[columns, statistics]"])
def test_evaluated_inputs_never_reach_the_bench(steps: str) -> None:
    """Instead of the evaluated inputs there are NaN, and a count of who looks at them."""
    x, other = inputs(1, 20), inputs(2, 30)
    study = study_of(grouped(), x, *HARSH, f"compensate={steps}", data=other)
    trap: Any = Trap(study.inputs)
    made, leaking = (
        compensated(each).make(1).network.model.SerializeToString(deterministic=True)
        for each in (study, replace(study, inputs=trap))
    )
    assert trap.sprung == 0
    assert made == leaking
    # The trap works: inputs that are calibrated on spring it.
    caught: Any = Trap(study.calibration)
    with np.errstate(all="ignore"), contextlib.suppress(RxsimError):
        compensated(replace(study, calibration=caught)).make(1)
    assert caught.sprung > 0


def moments(mean: list[float], std: list[float], count: int = 100) -> ChannelMoments:
    return ChannelMoments(np.array(mean), np.array(std), count)


def test_silent_channels_and_few_values_keep_their_gain() -> None:
    wanted = moments([1, 2, 3, 4], [1, 0, 2, 1e-4])
    found = moments([0, 2, 1, 4], [0.5, 1, 0, 1e-6])
    gain, added = correction_of_moments(wanted, found, spread=True)
    assert gain == pytest.approx([2, 1, 1, 1])
    assert added == pytest.approx([1, 0, 2, 0])
    gain, added = correction_of_moments(wanted, found, spread=False)
    assert gain == pytest.approx([1, 1, 1, 1])
    assert added == pytest.approx([1, 0, 2, 0])
    few = replace(found, count=9)
    assert not correction_of_moments(wanted, few, spread=True)[1].any()


def test_a_column_of_zeros_stays_as_it_is() -> None:
    """Quickly and plainly: outputs that never vary are moved, not multiplied."""
    rng = np.random.default_rng(2)
    weight = rng.normal(size=(12, 4))
    weight[:, 1] = 0
    x = rng.normal(size=(40, 12)).astype(np.float32)
    study = study_of(dense(weight), x, *HARSH, "device.write_sigma=0")
    bench = bench_of(compensated(study))
    quick = bench.normalised(spread=True)["fc"]
    assert quick.gain[1] == 1
    assert (quick.gain[[0, 2, 3]] != 1).all()
    wanted = {"fc": quick.wanted}
    plain = normalising.layer_by_layer(study, bench.hardware, wanted, spread=True)["fc"]
    assert plain.gain == pytest.approx(quick.gain, rel=1e-6)


@pytest.mark.parametrize(("options", "parts"), [(True, (3, 3, 6)), (False, (0, 3, 3))])
def test_what_a_layer_needs(options: bool, parts: tuple[int, int, int]) -> None:
    study = study_of(grouped(), inputs(1, 20), *HARSH)
    (conv, gemm) = bench_of(compensated(study)).layers
    needs = STEP.needs(gemm, StatisticsOptions(spread=options))
    assert (needs.multipliers, needs.adders, needs.stored_values) == parts
    assert needs.reads == 1
    columns = COLUMNS.needs(conv, ColumnsOptions(offset=options))
    # 18 rows of a group lie in three tiles of 8.
    added = 6 if options else 0
    assert (columns.multipliers, columns.adders, columns.stored_values) == (18, added, 18 + added)

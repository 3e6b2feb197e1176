"""`columns`: least squares by plain numpy on the twin's partial sums, for every scheme."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bench_networks import (
    HARSH,
    LAYERS,
    SCHEMES,
    Floats,
    compensated,
    grouped,
    inputs,
    study_of,
)
from beside_twin import assigned, tensors
from chips import bench_of
from known import known
from twin import Network, build

from rxsim.compensate import Correction, PartialSums, Residual
from rxsim.compensate.steps.columns import STEP, ColumnsOptions, fitted_lines, inverted_lines
from rxsim.errors import SettingError

COUNT = 14


def without_risk(*assignments: str) -> tuple[Any, Network, dict[str, tuple[Floats, Floats]]]:
    """Draw inputs until none lies on a threshold of a chip.

    Returns:
        The inputs, the twin, and of each layer measured and wanted partial sums, (row tiles, places,
        channels).
    """
    model, given = grouped(), {**assigned(*assignments), "calibration": {"samples": COUNT}}
    for seed in range(40):
        x = inputs(seed, COUNT)
        twin = build(model, given, x, 1, on_float_inputs=True)
        for layer in twin.layers.values():
            layer.eps = 1e-5
        if twin.calibration_risk:
            continue
        sums, risk = {}, False
        names = [layer.product.input for layer in twin.layers.values()]
        seen = tensors(model, list(dict.fromkeys(names)), x)
        for name, layer in twin.layers.items():
            measured, risky = layer.partial_sums(seen[layer.product.input])
            wanted = layer.exact_partial_sums(seen[layer.product.input])
            risk = risk or bool(risky.any())
            flat = (*measured.shape[:2], -1)
            sums[name] = measured.reshape(flat), wanted.reshape(flat)
        if not risk:
            return x, twin, sums
    raise AssertionError("every input lies on a threshold")


def least_squares(x: Floats, y: Floats, offset: bool) -> tuple[float, float]:
    """Fit y to x by numpy, as the step says."""
    n, varies = len(x), np.ptp(x) > 1e-6 * max(np.abs(x).max(), 1e-300)
    columns = [x] * bool(varies) + [np.ones(n)] * offset
    if not columns:
        return 1.0, 0.0
    matrix = np.stack(columns, axis=1)
    goal = y if varies else y - x
    found = np.linalg.lstsq(matrix, goal, rcond=None)[0]
    k, left = len(columns), ((matrix @ found - goal) ** 2).sum()
    if left * (n + k) / (n - k) >= ((x - y) ** 2).sum():
        return 1.0, 0.0
    return (found[0] if varies else 1.0), (found[-1] if offset else 0.0)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_gains_are_the_least_squares_of_the_twins_partial_sums(scheme: str) -> None:
    """And the patched network computes with them."""
    changes = (*HARSH, *SCHEMES[scheme])
    x, twin, sums = without_risk(*changes)
    options = ColumnsOptions(offset=scheme != "slices")
    step = {"columns": {"offset": options.offset}}
    foundry = compensated(study_of(grouped(), x, *changes, f"compensate=[{step}]"))
    bench = bench_of(foundry, 1)
    corrections = STEP.correct(bench, options)
    made = foundry.make(1).network.model
    for layer in bench.layers:
        name = layer.layer.name
        measured, wanted = sums[name]
        fitted = np.array(
            [
                [least_squares(a, b, options.offset) for a, b in zip(m.T, w.T, strict=True)]
                for m, w in zip(measured, wanted, strict=True)
            ]
        )
        gain, offset = fitted[..., 0], fitted[..., 1]
        channels = gain.shape[1]
        correction = corrections[name]
        assert correction.gain is not None
        found = correction.gain.reshape(len(gain), -1)[:, :channels]
        assert found == pytest.approx(gain, rel=2e-5)
        total = (gain[:, None] * measured + offset[:, None]).sum(axis=0)
        peak = np.abs(measured).sum(axis=0).max()
        seen = tensors(made, [twin.layers[name].product.output], x)
        if name == "a":  # later layers see other inputs than those that were measured on
            product = twin.layers[name].product
            biased = np.moveaxis(seen[product.output] - product.bias, 1, -1).reshape(-1, channels)
            assert np.abs(biased - total).max() < 5e-6 * peak
        before, after = (
            np.sqrt(((rest - wanted) ** 2).mean() / (wanted.sum(axis=0) ** 2).mean())
            for rest in (measured, gain[:, None] * measured + offset[:, None])
        )
        residual = correction.residual
        assert isinstance(residual, Residual)
        assert [residual.before, residual.after] == pytest.approx([before, after], rel=1e-4)
        assert residual.after < residual.before


def sums_of(x: Floats, y: Floats, added: float = 0.0) -> PartialSums:
    """Add up pairs of one row tile, (values, channels) each."""
    return PartialSums(
        count=len(x),
        measured=x.sum(axis=0)[None],
        wanted=y.sum(axis=0)[None],
        measured_squares=(x * x).sum(axis=0)[None],
        wanted_squares=(y * y).sum(axis=0)[None],
        products=(x * y).sum(axis=0)[None],
        output_squares=(y * y).sum(axis=0),
        added=np.full(x.shape[1], added),
    )


@pytest.mark.parametrize("offset", [False, True])
def test_a_column_that_never_varies_keeps_gain_1(offset: bool) -> None:
    rng = np.random.default_rng(3)
    y = rng.normal(2, 0.1, (50, 2))
    lines = fitted_lines(sums_of(np.array([1.25, 0.0]) * np.ones((50, 2)), y), offset=offset)
    wanted = y.mean(axis=0) - [1.25, 0.0] if offset else [0.0, 0.0]
    assert lines.offset[0] == pytest.approx(wanted)
    # A constant that is not 0 has a gain through 0; one of 0 has none.
    assert lines.gain[0] == pytest.approx([1.0 if offset else y[:, 0].mean() / 1.25, 1.0])


def test_too_few_values_are_left_alone() -> None:
    rng = np.random.default_rng(4)
    y = rng.normal(size=(10, 3))
    for count, kept in ((9, False), (10, True)):
        lines = fitted_lines(sums_of(0.5 * y[:count], y[:count]), offset=True)
        assert (lines.kept == kept).all()
        assert lines.gain[0] == pytest.approx([2.0 if kept else 1.0] * 3)


def test_chance_is_not_fitted() -> None:
    """Of measured values that are right but for noise most keep gain 1, and none gets far worse.

    The line is taken where it seems to help beyond 2k/n, k = 2: a chi-squared number with 2 degrees of
    freedom above 4, in e^-2 = 13.5 % of all columns. Bound: 4 standard errors of a share of 4000.
    """
    rng = np.random.default_rng(5)
    y = rng.normal(size=(200, 4000))
    # Noise in y alone, so that the best line is y = x.
    lines = fitted_lines(sums_of(y, y + 0.3 * rng.normal(size=y.shape)), offset=True)
    share = float(np.exp(-2))
    assert abs(lines.kept.mean() - share) < 4 * np.sqrt(share * (1 - share) / 4000)


@pytest.mark.parametrize("offset", [False, True])
def test_the_fit_of_size_is_the_inverse_line_of_numpy(offset: bool) -> None:
    rng = np.random.default_rng(7)
    y = rng.normal(0.3, 1.0, (400, 5))
    x = y * [0.5, 0.8, 1.3, 0.9, 0.7] + 0.2 * offset + 0.3 * rng.normal(size=y.shape)
    lines = inverted_lines(sums_of(x, y), offset=offset)
    for at in range(5):
        matrix = np.stack([y[:, at], np.ones(400)][: 1 + offset], axis=1)
        slope, start = [*np.linalg.lstsq(matrix, x[:, at], rcond=None)[0], 0.0][:2]
        assert lines.gain[0, at] == pytest.approx(1 / slope, rel=1e-9)
        assert lines.offset[0, at] == pytest.approx(-start / slope, rel=1e-9, abs=1e-12)
        left = (x[:, at] / slope - start / slope - y[:, at]) ** 2
        assert lines.after[0, at] == pytest.approx(left.sum(), rel=1e-9)


def test_noise_shrinks_the_line_of_least_error_but_not_that_of_size() -> None:
    """x = 0.8 y + noise of the same power as y: gains 0.8/1.64 and 1/0.8, within 5 standard errors.

    Those of a slope of n pairs: deviation of what is left, over that of what it is a slope on, over
    sqrt(n); a quotient has the relative error of its slope.
    """
    rng, n = np.random.default_rng(8), 20_000
    y = rng.normal(size=(n, 4))
    sums = sums_of(0.8 * y + rng.normal(size=y.shape), y)
    least, size = fitted_lines(sums, offset=True), inverted_lines(sums, offset=True)
    power = 0.8**2 + 1
    left = np.sqrt(1 - 0.8**2 / power)
    assert least.gain[0] == pytest.approx([0.8 / power] * 4, abs=5 * left / np.sqrt(power * n))
    assert size.gain[0] == pytest.approx([1 / 0.8] * 4, rel=5 / 0.8 / np.sqrt(n))
    assert (size.after > least.after).all()


def test_a_column_whose_size_is_not_known_is_left_alone() -> None:
    """A dead column and pure noise; one of half the size is doubled."""
    rng = np.random.default_rng(9)
    y = rng.normal(size=(300, 3))
    x = np.stack([np.zeros(300), rng.normal(size=300), 0.5 * y[:, 2]], axis=1)
    lines = inverted_lines(sums_of(x, y), offset=True)
    assert lines.kept[0].tolist() == [False, False, True]
    assert lines.gain[0] == pytest.approx([1.0, 1.0, 2.0])
    assert lines.offset[0] == pytest.approx([0.0, 0.0, 0.0], abs=1e-12)


def test_the_step_takes_the_fit_that_is_asked_for() -> None:
    x = inputs(0, 60)
    bench = bench_of(compensated(study_of(grouped(), x, *HARSH)), 1)
    found = STEP.correct(bench, ColumnsOptions(fit="size"))
    for name, sums in bench.partial_sums().items():
        gain = known(found[name].gain).reshape(len(sums.measured), -1)[:, : sums.measured.shape[1]]
        assert gain == pytest.approx(inverted_lines(sums, offset=True).gain)


def test_measured_on_the_design_every_chip_has_the_nominal_gains() -> None:
    x = inputs(0, 30)
    study = study_of(grouped(), x, *HARSH)
    options = ColumnsOptions(measure="design")
    foundry = compensated(study)
    first, second = (STEP.correct(bench_of(foundry, trial), options) for trial in (0, 1))
    quiet = compensated(study_of(grouped(), x, *HARSH, "device.write_sigma=0"))
    nominal = STEP.correct(bench_of(quiet), ColumnsOptions())
    chip = STEP.correct(bench_of(foundry, 0), ColumnsOptions())
    for name in LAYERS:
        gains = [known(each[name].gain) for each in (first, second, nominal, chip)]
        assert np.array_equal(gains[0], gains[1])
        assert np.array_equal(gains[0], gains[2])
        assert not np.allclose(gains[0], gains[3])


def test_the_design_is_not_measured_after_the_chip() -> None:
    with pytest.raises(
        SettingError,
        match="columns: layer a: found measure: design after statistics, expected it before",
    ):
        study_of(grouped(), inputs(0, 12), "compensate=[statistics, {columns: {measure: design}}]")
    study_of(grouped(), inputs(0, 12), "compensate=[{columns: {measure: design}}, statistics]")


@pytest.mark.parametrize("options", ["{gain: 1}", "{measure: both}", "{offset: 3}"])
def test_unknown_options_are_refused(options: str) -> None:
    with pytest.raises(SettingError, match=r"compensate\.0\.columns: "):
        study_of(grouped(), inputs(0, 12), f"compensate=[{{columns: {options}}}]")


def test_what_was_added_before_is_replaced_and_what_is_digital_is_left_out() -> None:
    """A layer whose outputs were moved, and some of whose weights are computed digitally."""
    x = inputs(0, 60)
    bench = bench_of(compensated(study_of(grouped(), x, *HARSH)), 1)
    rng = np.random.default_rng(6)
    (conv, _) = bench.layers
    weights = conv.layer.matrices.astype(np.float64) * (rng.random(conv.layer.matrices.shape) < 0.2)
    shape = (conv.tiling.groups, conv.tiling.n_outputs)
    moved = bench.corrected({"a": Correction(added=rng.normal(size=shape), weights=weights)})
    corrected = moved.corrected(STEP.correct(moved, ColumnsOptions()))
    # Lines with offsets leave no mean error; where one is not taken, its tile keeps its own.
    sums = moved.partial_sums()["a"]
    taken = fitted_lines(sums, offset=True).kept.all(axis=0)
    assert taken.sum() >= 3
    found = corrected.normalised(spread=False)["a"]
    error = np.abs(found.before.mean - found.wanted.mean)[taken].max()
    assert error < 1e-5 * found.wanted.std.max()
    # Digital products take the codes of the DACs: 5 bits, 15 steps a side.
    step = np.abs(x).max() / 15
    coded = step * np.round(x / step)
    goal = np.einsum("ngk,gkc->gc", windows(x), conv.layer.matrices.astype(np.float64)).ravel()
    goal -= np.einsum("ngk,gkc->gc", windows(coded), weights).ravel()
    assert sums.wanted.sum(axis=0) == pytest.approx(goal, abs=1e-4 * np.abs(goal).max())


def windows(x: Any) -> Floats:
    """Lay out what the convolution's windows see, (places, groups, K)."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))).astype(np.float64)
    places = [
        padded[:, :, i : i + 3, j : j + 3].reshape(len(x), 2, -1) for i in (0, 2) for j in (0, 2)
    ]
    return np.concatenate(places)

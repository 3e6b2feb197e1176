"""Curves fitted to made-up cells: the truth within the stated errors, and no needless terms."""

from __future__ import annotations

import numpy as np
import pytest
from measured_tables import normal_table
from scipy import stats

from rxsim.errors import DataError
from rxsim.fitting import DeviceFit, FitOptions, fit_device, preset_text
from rxsim.fitting.bases import Logarithm, NoCurve, Points, Polynomial
from rxsim.fitting.blocks import blocks_of
from rxsim.fitting.choose import FOLDS, dealt
from rxsim.fitting.fit_values import fit_values
from rxsim.fitting.fit_warnings import warnings_of
from rxsim.fitting.goodness import Goodness, anderson_darling_p
from rxsim.fitting.likelihood import fit_normal, gathered, log_likelihoods, sample_of
from rxsim.fitting.outliers import find_outliers

LEVELS = np.linspace(2, 20, 7)
POLYNOMIAL = np.polynomial.polynomial.polyval


def fitted(table: dict[str, np.ndarray], **options: object) -> DeviceFit:
    return fit_device(table, FitOptions(**options))  # type: ignore[arg-type]


def names(fit: DeviceFit) -> tuple[str, str]:
    return fit.write_error.sigma.basis.name, fit.write_error.mean.basis.name


# The likelihood


def test_a_constant_has_the_closed_form_of_a_normal_sample() -> None:
    y = np.random.default_rng(1).normal(3, 2, 50)
    fit = fit_normal(sample_of(np.ones(50), y), Polynomial(0), Polynomial(0))
    assert fit is not None
    assert fit.a[0] == pytest.approx(y.mean(), rel=1e-9)
    assert fit.b[0] == pytest.approx(y.std(), rel=1e-6)
    errors = y.std() / np.sqrt([50, 100])
    assert np.sqrt(np.diag(fit.covariance)) == pytest.approx(errors, rel=1e-5)
    assert fit.log_likelihood == pytest.approx(stats.norm.logpdf(y, y.mean(), y.std()).sum())


def test_equal_deviations_give_weighted_least_squares() -> None:
    """With known variances the mean's coefficients are those of the normal equations."""
    rng = np.random.default_rng(2)
    x, spread = rng.uniform(0, 1, 400), rng.uniform(0.5, 2, 400)
    y = 1 - 2 * x + spread * rng.standard_normal(400)
    fit = fit_normal(sample_of(x, y, variance=spread**2), Polynomial(1), Polynomial(0))
    assert fit is not None
    total = spread**2 + fit.b[0] ** 2
    factors = np.stack([np.ones(400), x], axis=1)
    covariance = np.linalg.inv(factors.T @ (factors / total[:, None]))
    assert fit.a == pytest.approx(covariance @ factors.T @ (y / total), rel=1e-5)


def test_derivatives_lead_to_the_maximum_also_where_values_are_hidden() -> None:
    """No coefficient can be moved by a tenth of its error and gain: scipy's likelihood is the judge."""
    rng = np.random.default_rng(3)
    x = np.repeat([0.0, 0.3, 1.0], 300)
    y = 0.1 + (0.5 + x) * rng.standard_normal(900)
    floor = np.where(x == 0, 0.0, -5.0)
    hidden = y <= floor
    sample = sample_of(
        x, np.where(hidden, floor, y), floor=np.where(hidden, floor, -np.inf), variance=0.0
    )
    fit = fit_normal(sample, Polynomial(1), Polynomial(1))
    assert fit is not None
    assert hidden.sum() > 100

    def likelihood(theta: np.ndarray) -> float:
        mean, sigma = theta[0] + theta[1] * x, theta[2] + theta[3] * x
        seen = stats.norm.logpdf(y, mean, sigma)
        return float(np.where(hidden, stats.norm.logcdf(floor, mean, sigma), seen).sum())

    theta = np.concatenate([fit.a, fit.b])
    assert fit.log_likelihood == pytest.approx(likelihood(theta), rel=1e-9)
    assert log_likelihoods(fit, sample).sum() == pytest.approx(likelihood(theta), rel=1e-9)
    errors = np.sqrt(np.diag(fit.covariance))
    for place, error in enumerate(errors):
        step = np.zeros(4)
        step[place] = error / 10
        ends = [likelihood(theta + step), likelihood(theta - step)]
        assert max(ends) < fit.log_likelihood
    # Second derivatives: a step of e along e_i loses e^2 (C^-1)_ii / 2.
    precision = np.linalg.inv(fit.covariance)
    for place, error in enumerate(errors):
        step = np.zeros(4)
        step[place] = error / 100
        lost = fit.log_likelihood - (likelihood(theta + step) + likelihood(theta - step)) / 2
        assert lost == pytest.approx(step[place] ** 2 * precision[place, place] / 2, rel=1e-3)


def test_rows_of_a_level_count_together_as_they_do_one_by_one() -> None:
    rng = np.random.default_rng(4)
    x = np.repeat([0.2, 0.6, 1.0], 100)
    sample = sample_of(x, x * rng.standard_normal(300), weight=rng.uniform(0.5, 1, 300))
    whole = gathered(sample)
    assert len(whole) == 3
    fit = fit_normal(sample, Polynomial(1), Points((0.2, 0.6, 1.0)))
    assert fit is not None
    assert fit.log_likelihood == pytest.approx(log_likelihoods(fit, sample).sum(), rel=1e-12)


def test_bases_are_the_curves_that_a_preset_can_hold() -> None:
    x = np.array([0.1, 0.25, 0.5, 2.0])
    assert NoCurve().at(x).shape == (4, 0)
    assert Polynomial(2).at(x) @ [1, 2, 3] == pytest.approx(1 + 2 * x + 3 * x**2)
    assert Logarithm().at(x) @ [2, 1] == pytest.approx(2 * np.log(x) + 1)
    points = Points((0.2, 0.4, 1.0))
    assert points.at(x) @ [1, 5, 2] == pytest.approx(np.interp(x, [0.2, 0.4, 1.0], [1, 5, 2]))


# Stated errors


# Quicker: test_fit_presets.py fits every preset, which must come back within four stated errors.
@pytest.mark.slow
def test_stated_errors_cover_the_truth_as_often_as_they_say() -> None:
    """30 tables: of all curves at all levels 95.4 % lie within two errors, less what 30 tables vary."""
    truth = {"sigma": [0.2, 0.05], "mean": [0.1, -0.02]}
    inside: dict[str, list[np.ndarray]] = {"sigma": [], "mean": []}
    for seed in range(30):
        fit = fitted(normal_table(seed, LEVELS, 120, truth["sigma"], truth["mean"]))
        for name in inside:
            curve = getattr(fit.write_error, name)
            x = fit.levels() / fit.scale
            away = curve.at(x) - POLYNOMIAL(LEVELS, truth[name])
            inside[name].append(np.abs(away) < 2 * curve.error_at(x))
    for name, tables in inside.items():
        shares = np.mean(tables, axis=1)
        error = shares.std() / np.sqrt(len(shares))
        assert shares.mean() > 0.954 - 3 * error, name


def test_cells_hidden_below_0_do_not_bias_the_curves() -> None:
    """Half of the cells of a target of 0 are read as 0."""
    levels = np.linspace(0, 10, 6)
    fit = fitted(normal_table(5, levels, 2000, [0.5, 0.05]))
    x = levels / 10
    sigma, mean = fit.write_error.sigma, fit.write_error.mean
    assert (np.abs(sigma.at(x) - (0.5 + 0.05 * levels)) < 4 * sigma.error_at(x)).all()
    assert (np.abs(mean.at(x)) <= 4 * mean.error_at(x) + 1e-12).all()
    assert sigma.error_at(x)[0] < 0.02


def test_writing_0_for_negative_readings_is_not_biased_and_leaving_them_out_is() -> None:
    """What the refusal of negative readings advises, against what it warns of."""
    levels = np.linspace(0.5, 10, 6)
    table = normal_table(6, levels, 2000, [0.5, 0.05])  # negative ones are 0
    seen = table["achieved_uS"] > 0

    def away(rows: np.ndarray) -> float:
        fit = fitted({name: column[rows] for name, column in table.items()})
        x = levels[:1] / 10
        mean = fit.write_error.mean
        sums = table["achieved_uS"][rows & (table["target_uS"] == levels[0])] - levels[0]
        error = max(float(mean.error_at(x)[0]), float(sums.std() / np.sqrt(len(sums))))
        return float(mean.at(x)[0]) / error

    assert abs(away(np.ones(len(seen), dtype=bool))) < 4
    assert away(seen) > 4


# Which form


@pytest.mark.parametrize("seed", range(4))
def test_a_line_is_not_fitted_by_more(seed: int) -> None:
    assert names(fitted(normal_table(seed, LEVELS, 300, [0.2, 0.05]))) == (
        "polynomial of degree 1",
        "none",
    )


def test_a_constant_is_a_constant_and_a_mean_is_seen() -> None:
    shapes = [
        names(fitted(normal_table(seed, LEVELS, 200, [0.5], [0.4, -0.05]))) for seed in range(5)
    ]
    assert shapes == [("constant", "polynomial of degree 1")] * 5


def test_a_curve_that_no_polynomial_is_becomes_a_table() -> None:
    """A jump between two levels; a mean that is curved is written as a table beside it."""
    table = normal_table(6, np.linspace(2, 20, 16), 400, [0.3], [0.5, -0.2, 0.01])
    target = table["target_uS"]
    away = (table["achieved_uS"] - target) * np.where(target > 11, 5, 1)
    fit = fitted({"target_uS": target, "achieved_uS": target + away})
    assert fit.write_error.is_table
    assert fit.write_error.mean.is_points
    x = fit.levels() / fit.scale
    sigma = fit.write_error.sigma
    truth = np.where(fit.levels() > 11e-6, 1.5, 0.3)
    assert (np.abs(sigma.at(x) - truth) < 4 * sigma.error_at(x)).all()


def test_targets_that_all_differ_are_fitted_too() -> None:
    rng = np.random.default_rng(7)
    target = np.sort(rng.uniform(1, 20, 3000))
    achieved = target - 0.1 + (0.2 + 0.03 * target) * rng.standard_normal(3000)
    fit = fitted({"target_uS": target, "achieved_uS": achieved})
    assert not fit.blocks.levels
    assert names(fit) == ("polynomial of degree 1", "constant")
    grid = np.linspace(1, 20, 50)
    sigma = fit.write_error.sigma
    x = grid * 1e-6 / fit.scale
    assert (np.abs(sigma.at(x) - 0.2 - 0.03 * grid) < 4 * sigma.error_at(x)).all()


def test_a_level_without_spread_has_a_deviation_of_0() -> None:
    table = normal_table(8, LEVELS, 50, [0.2])
    off = np.zeros(50)
    fit = fitted(
        {
            "target_uS": np.concatenate([off, table["target_uS"]]),
            "achieved_uS": np.concatenate([off, table["achieved_uS"]]),
        }
    )
    assert fit.write_error.sigma.at(np.zeros(1))[0] == 0
    assert fit.write_error.sigma.at(np.ones(1))[0] == pytest.approx(0.2, rel=0.4)
    flat = np.repeat(LEVELS, 50)
    with pytest.raises(DataError, match="the same achieved conductance in every row"):
        fitted({"target_uS": flat, "achieved_uS": flat + 0.1})


# Goodness of fit


def test_anderson_darlings_p_is_uniform_for_normal_samples_and_small_for_others() -> None:
    rng = np.random.default_rng(9)
    p = np.array([anderson_darling_p(rng.normal(2, 3, 60)) for _ in range(800)])
    # Kolmogorov's statistic of a uniform sample exceeds 1.63/sqrt(n) in 1 % of all cases.
    assert stats.kstest(p, "uniform").statistic < 1.63 / np.sqrt(800) + 0.01
    assert anderson_darling_p(rng.exponential(1, 500)) < 1e-6
    assert anderson_darling_p(rng.standard_t(3, 2000)) < 1e-6


def test_chi_squares_are_about_1_where_the_curves_are_right_and_large_where_not() -> None:
    good = fitted(normal_table(10, LEVELS, 200, [0.2, 0.03])).write_error.goodness
    for value in (good.chi2_mean, good.chi2_sigma):
        assert value is not None
        assert value < 1 + 4 * np.sqrt(2 / 5)
    assert good.normal_p > 0.01
    table = normal_table(11, LEVELS, 200, [0.2])
    skewed = np.random.default_rng(12).exponential(0.3, 1400)
    fit = fitted({**table, "achieved_uS": table["target_uS"] + skewed})
    assert fit.write_error.goodness.normal_p < 1e-6


# Outliers


def spoiled() -> dict[str, np.ndarray]:
    table = normal_table(13, LEVELS, 100, [0.2, 0.01])
    table["achieved_uS"][[150, 350]] = [20.1, 19.9]  # stuck at the upper end
    table["achieved_uS"][450] = 9.0  # simply wrong
    return table


def test_outliers_are_told_by_line_and_kept_or_dropped() -> None:
    kept, dropped = fitted(spoiled()), fitted(spoiled(), outliers="drop")
    rows = kept.outliers.rows
    assert [(row.line, row.stuck) for row in rows] == [(151, "lrs"), (351, "lrs"), (451, "")]
    assert all(abs(row.distance) > kept.outliers.bound for row in rows)
    assert (kept.dropped, dropped.dropped) == (0, 3)
    assert dropped.outliers.stuck_lrs == pytest.approx(2 / 600)
    assert dropped.outliers.stuck_hrs == 0
    assert dropped.outliers.stuck_lrs_g == pytest.approx(20e-6)  # the mean of 20.1 and 19.9
    assert dropped.outliers.stuck_hrs_g is None
    assert "# measured on average: stuck_lrs 20 uS" in preset_text(dropped)
    x = LEVELS / 20
    sigma = dropped.write_error.sigma
    assert (np.abs(sigma.at(x) - 0.2 - 0.01 * LEVELS) < 4 * sigma.error_at(x)).all()
    assert kept.write_error.goodness.normal_p < 1e-6 < dropped.write_error.goodness.normal_p


def test_a_few_stuck_cells_are_warned_of_loudly_until_they_are_dropped() -> None:
    table = normal_table(17, LEVELS, 200, [0.1])
    stuck = [205, 410, 615, 820]
    table["achieved_uS"][stuck] = 20.0
    kept, dropped = fitted(table), fitted(table, outliers="drop")
    away = (table["achieved_uS"] - table["target_uS"]).reshape(len(LEVELS), 200)
    good = np.isin(np.arange(1400), stuck, invert=True).reshape(away.shape)
    ratio = max(row.std() / row[g].std() for row, g in zip(away, good, strict=True))
    told = " ".join(kept.warnings)
    assert f"the deviation of a level is {ratio:.3g} times" in told
    assert "--outliers drop" in told
    assert f"# Warning: {kept.warnings[0]}." in preset_text(kept)
    assert dropped.warnings == ()


def test_a_poor_fit_is_warned_of() -> None:
    good, poor = Goodness(100, 1.2, 5.0, 0.3), Goodness(100, 0.9, 5.1, 0.3)
    fit = fitted(normal_table(18, LEVELS, 40, [0.1]))
    assert fit.warnings == ()
    rest = (fit.cells, fit.blocks, fit.outliers, 0)
    assert warnings_of({"drift": good}, *rest, dropped=False) == ()
    (told,) = warnings_of({"drift": poor}, *rest, dropped=False)
    assert told.startswith("the drift fits poorly (reduced chi2 5.1, above 5)")


@pytest.mark.slow
def test_a_mean_that_is_not_needed_has_a_bound_that_holds() -> None:
    """Means of 0.01 uS, too small to be seen: of 40 tables 97.7 % have a larger bound, or more."""
    inside = []
    for seed in range(40):
        table = normal_table(seed, LEVELS, 50, [0.3], [0.01])
        error = fitted(table).write_error
        if error.bounds is not None:
            inside.append(error.bounds.of_all > 0.01)
            means = (table["achieved_uS"] - table["target_uS"]).mean()
            assert error.bounds.of_all == pytest.approx(abs(means) + 0.6 / np.sqrt(350), rel=0.2)
            assert error.bounds.of_a_level > error.bounds.of_all
    assert len(inside) > 20
    # Binomial: 3 standard errors below 97.7 % of n.
    assert np.mean(inside) > 0.977 - 3 * np.sqrt(0.977 * 0.023 / len(inside))


def test_coarse_readings_are_no_outliers() -> None:
    """An instrument of 0.5 uS and cells of 0.1 uS: 1 % lie a step away; a stuck one is found."""
    table = normal_table(15, LEVELS, 400, [0.1])
    table["achieved_uS"] = np.round(table["achieved_uS"] / 0.5) * 0.5
    away = np.abs(table["achieved_uS"] - table["target_uS"])
    assert 1 < (away > 0.4).sum() < 100
    assert fitted(table).outliers.rows == ()
    table["achieved_uS"][900] = 20.0
    assert [row.line for row in fitted(table).outliers.rows] == [901]


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_rows_has_no_part_in_the_fit(seed: int) -> None:
    table = normal_table(seed, LEVELS, 40, [0.2, 0.03], [0.1])
    order = np.random.default_rng(seed).permutation(len(table["target_uS"]))
    first = fitted(table)
    second = fitted({name: column[order] for name, column in table.items()})
    curves = (fit_values(fit)["write_error"] for fit in (first, second))
    assert next(curves) == next(curves)


def test_folds_are_dealt_by_values_evenly_over_levels_and_by_chance_within() -> None:
    rng = np.random.default_rng(16)
    x, y = np.repeat([0.2, 0.5, 1.0], 1000), rng.standard_normal(3000)
    folds, order = dealt(x, y), rng.permutation(3000)
    assert (dealt(x[order], y[order]) == folds[order]).all()
    assert (dealt(x, y * 1e3) == folds).mean() > 0.99  # whatever the unit
    for level in np.unique(x):
        means = [y[(x == level) & (folds == fold)].mean() for fold in range(FOLDS)]
        assert (np.bincount(folds[x == level]) == 200).all()
        # Folds of 200 normal values: chi-square of five means, 1e-3 and 1 - 1e-3.
        assert 0.21 < 200 * np.square(means).sum() < 20.5


def test_normal_cells_are_hardly_ever_outliers() -> None:
    """Of 54,000 cells, a tenth of a target of 0: normal ones beyond 5 deviations would be 0.03."""
    found = 0
    for seed in range(100):
        table = normal_table(seed, np.linspace(0, 20, 9), 60, [0.3, 0.02])
        target, line = table["target_uS"], np.arange(540)
        blocks = blocks_of(target, line, "data", 1.0, "uS")
        found += len(find_outliers(target, table["achieved_uS"], line, blocks).rows)
    assert found <= 3

"""Intervals and scores: against closed forms, simulation, and definitions written out."""

from __future__ import annotations

import numpy as np
import pytest
from known import known
from scipy import stats

from rxsim.metrics.snr_db import decibel
from rxsim.run import score
from rxsim.statistics import chip_interval, population_interval, population_method, standard_error


def test_the_interval_over_chips_is_students() -> None:
    values = np.array([0.90, 0.92, 0.95, 0.91])
    low, high = stats.t.interval(0.95, 3, values.mean(), stats.sem(values))
    found = known(chip_interval(values))
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-12)


def test_one_chip_says_nothing_about_other_chips() -> None:
    assert chip_interval(np.array([0.9])) is None


def test_the_variance_of_the_grand_mean_is_the_stated_sum() -> None:
    """By the definition: s_chip^2/C + s_img^2/I - s_resid^2/(C I), as loops."""
    rng = np.random.default_rng(0)
    table = (rng.random((4, 50)) < rng.beta(2, 0.5, 50)).astype(float)
    chips, images = table.shape
    chip_means, image_means, mean = table.mean(1), table.mean(0), table.mean()
    s_resid = sum(
        (table[c, i] - chip_means[c] - image_means[i] + mean) ** 2
        for c in range(chips)
        for i in range(images)
    ) / ((chips - 1) * (images - 1))
    variance = (
        np.var(chip_means, ddof=1) / chips
        + np.var(image_means, ddof=1) / images
        - s_resid / (chips * images)
    )
    found = known(population_interval(table))
    half = (found.high - found.low) / 2
    # Between the normal quantile and Student's for the few chips, depending on what dominates.
    widest = stats.t.ppf(0.975, chips - 1) * np.sqrt(variance)
    assert 1.96 * np.sqrt(variance) < half <= widest * (1 + 1e-12)


def test_misses_of_different_images_by_two_chips_are_no_certainty() -> None:
    """The parts of the variance cancel there; it is not below that of C I values of their own."""
    table = np.ones((2, 60))
    table[0, 32] = table[1, 28] = 0
    found = known(population_interval(table))
    share = 118 / 120
    least = np.sqrt(share * (1 - share) / 119)
    assert (found.high - found.low) / 2 == pytest.approx(stats.t.ppf(0.975, 59) * least)
    assert standard_error(table) == pytest.approx(least)


def test_chips_without_a_difference_tell_no_more_than_their_images() -> None:
    for hit in (0.0, 1.0):
        many, one = np.full((5, 60), hit), np.full((1, 60), hit)
        assert population_interval(many) == population_interval(one)
        assert population_method(many) == "wilson"


@pytest.mark.slow
def test_the_interval_for_new_images_covers_the_truth_nineteen_times_in_twenty() -> None:
    """Chips and images with effects of their own; the truth is the mean over both populations."""
    rng = np.random.default_rng(1)
    truth_draws = 1 / (
        1 + np.exp(-(1.5 + rng.normal(0, 0.5, 4_000_000) + rng.normal(0, 2, 4_000_000)))
    )
    truth = truth_draws.mean()
    covered = 0
    n_studies = 1500
    for _ in range(n_studies):
        logit = 1.5 + rng.normal(0, 0.5, (8, 1)) + rng.normal(0, 2, (1, 300))
        hits = rng.random((8, 300)) < 1 / (1 + np.exp(-logit))
        interval = known(population_interval(hits))
        covered += interval.low <= truth <= interval.high
    assert covered / n_studies == pytest.approx(0.95, abs=0.02)


def test_one_chips_interval_is_wilsons_for_its_images() -> None:
    hits = (np.random.default_rng(2).random((1, 400)) < 0.9).astype(float)
    found = known(population_interval(hits))
    low, high = stats.binomtest(int(hits.sum()), 400).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-12)


def test_no_error_in_twenty_images_does_not_mean_certainty() -> None:
    found = known(population_interval(np.ones((1, 20))))
    assert found.high == pytest.approx(1.0)
    assert found.low == pytest.approx(0.8389, abs=1e-4)  # Wilson's lower bound of 20 of 20


def test_the_interval_for_new_images_is_never_the_narrower_one() -> None:
    rng = np.random.default_rng(4)
    for _ in range(200):
        chance = rng.uniform(0.6, 0.99) + rng.normal(0, 0.05, (3, 1))
        hits = (rng.random((3, 60)) < chance).astype(float)
        these = known(chip_interval(hits.mean(axis=1)))
        new = known(population_interval(hits))
        assert new.high - new.low >= (these.high - these.low) * (1 - 1e-12)


def test_one_chips_mean_error_has_students_interval() -> None:
    errors = np.random.default_rng(5).random((1, 30))
    low, high = stats.t.interval(0.95, 29, errors.mean(), stats.sem(errors[0]))
    found = known(population_interval(errors))
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-12)


def test_scores_follow_their_definitions() -> None:
    reference = np.array([[1.0, 2.0, 3.0], [4.0, 0.0, 1.0]], dtype=np.float32)
    outputs = np.array([[1.0, 2.5, 2.0], [4.0, 0.0, 2.0]], dtype=np.float32)
    found = score(outputs, reference, np.array([2, 0]))
    assert found.predictions.tolist() == [1, 0]
    assert known(found.each("accuracy")).tolist() == [False, True]
    assert found.each("top5") is None
    assert found.mean("agreement") == 0.5
    assert found.mean("snr_db") == pytest.approx(
        10 * np.log10((1 + 4 + 9 + 16 + 1) / (0.25 + 1 + 1))
    )
    assert found.mean("relative_difference") == pytest.approx(1 / 4)


def test_top_5_counts_labels_among_the_five_largest_beyond_ten_classes() -> None:
    outputs = np.tile(np.arange(12, dtype=np.float32), (3, 1))
    found = score(outputs, outputs, np.array([7, 6, 11]))
    assert known(found.each("top5")).tolist() == [True, False, True]
    assert known(found.each("accuracy")).tolist() == [False, False, True]


def test_snr_at_its_ends() -> None:
    assert decibel(1.0, 0.0) == float("inf")
    assert decibel(0.0, 1.0) == float("-inf")
    assert decibel(100.0, 1.0) == pytest.approx(20.0)

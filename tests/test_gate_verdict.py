"""The gate's verdict: closed forms, enumeration, and both error rates by simulation."""

import importlib.util
import itertools
import math
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy import stats

from rxsim.gate import Drop, Verdict, holm, judge, measure_drop, sign_flip_p
from rxsim.statistics import population_interval

LEVEL = 0.01


@pytest.fixture(scope="module")
def rates() -> ModuleType:
    """scripts/gate_rates.py, whose scenarios are those of docs/guides/ci-gate.md."""
    path = Path(__file__).resolve().parents[1] / "scripts" / "gate_rates.py"
    spec = importlib.util.spec_from_file_location("gate_rates", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["gate_rates"] = module
    spec.loader.exec_module(module)
    return module


def drop_of(difference: list[list[int]] | np.ndarray, smallest: float = 0.01) -> Drop:
    table = np.asarray(difference)
    before = table >= 0  # 1 and 0: a hit; -1: a miss
    after = table <= 0  # 0 and -1: a hit; 1: a miss
    assert (before.astype(int) - after == table).all()
    return measure_drop(before, after, LEVEL, smallest)


def verdict_of(difference: list[list[int]] | np.ndarray, smallest: float = 0.01) -> Verdict:
    (verdict,) = judge([drop_of(difference, smallest)], LEVEL, [smallest])
    return verdict


def row(worse: int, better: int, images: int) -> list[list[int]]:
    """One chip: so many images lost, so many gained."""
    return [[1] * worse + [-1] * better + [0] * (images - worse - better)]


def test_one_chip_has_the_standard_error_of_a_mean() -> None:
    drop = drop_of(row(8, 3, 40))
    mean = 5 / 40
    error = math.sqrt((11 - 25 / 40) / 39 / 40)  # sum of squares about the mean
    assert drop.mean == pytest.approx(mean, rel=1e-12)
    assert drop.low == pytest.approx(mean - stats.t.ppf(1 - LEVEL, 39) * error, rel=1e-9)
    assert drop.high == pytest.approx(mean + stats.t.ppf(1 - LEVEL, 39) * error, rel=1e-9)
    assert (drop.worse, drop.better, drop.differing, drop.chips) == (8, 3, 11, 1)


def _with_effects(chip: float, image: float) -> np.ndarray:
    """Differences of six chips on forty images: chips lose unevenly, and some images do."""
    rng = np.random.default_rng(5)
    chance = 0.3 + chip * np.linspace(-1, 1, 6)[:, None] + image * (np.arange(40) < 10)
    return (rng.random((6, 40)) < chance).astype(int)


# Every chip loses as many images as every other: their means tell of no variance at all.
_EVEN = np.array([np.roll([1] * 10 + [0] * 30, 10 * (chip % 3)) for chip in range(6)])


@pytest.mark.parametrize(
    ("difference", "widest"),
    [
        (_with_effects(0.0, 0.7), "all"),
        (_with_effects(0.1, 0.0), "chips"),
        (_EVEN, "values"),
    ],
    ids=["all", "chips", "values"],
)
def test_several_chips_have_the_variance_of_section_8(difference: np.ndarray, widest: str) -> None:
    """A plain slow twin with explicit residuals: the widest of four bounds counts."""
    chips, images = difference.shape
    mean = difference.mean()
    over_chips, over_images = difference.mean(axis=1), difference.mean(axis=0)
    squares = 0.0
    for chip, image in itertools.product(range(chips), range(images)):
        squares += (difference[chip, image] - over_chips[chip] - over_images[image] + mean) ** 2
    parts = [
        (over_chips.var(ddof=1) / chips, chips - 1),
        (over_images.var(ddof=1) / images, images - 1),
        (-squares / ((chips - 1) * (images - 1)) / (chips * images), (chips - 1) * (images - 1)),
    ]
    variance = sum(part for part, _ in parts)
    own = variance**2 / sum(part**2 / count for part, count in parts)
    scales = {
        "chips": (math.sqrt(parts[0][0]), chips - 1),
        "images": (math.sqrt(parts[1][0]), images - 1),
        "values": (math.sqrt(difference.var(ddof=1) / difference.size), images - 1),
        **({"all": (math.sqrt(variance), max(own, chips - 1))} if variance > 0 else {}),
    }
    halves = {name: stats.t.isf(LEVEL, count) * error for name, (error, count) in scales.items()}
    assert max(halves, key=lambda name: halves[name]) == widest, halves
    drop = drop_of(difference)
    assert drop.mean - drop.low == pytest.approx(halves[widest], rel=1e-9)
    tails = [stats.t.sf(mean / error, count) for error, count in scales.values() if error > 0]
    p = max([*tails, sign_flip_p(difference.sum(axis=0))])
    assert drop.p_worse == pytest.approx(p, rel=1e-9)
    two_sided = population_interval(difference)
    assert two_sided is not None
    wide = measure_drop(difference >= 0, difference <= 0, 0.025, 0.01)
    assert wide.low <= two_sided.low + 1e-12  # never narrower than the interval of `rxsim eval`


def test_chips_that_fall_alike_count_as_one() -> None:
    """Copies of a chip add no images: the bounds are those of a single chip."""
    one, many = drop_of(row(30, 4, 500)), drop_of(row(30, 4, 500) * 5)
    assert (many.low, many.high) == pytest.approx((one.low, one.high), abs=1e-12)
    assert many.p_worse == pytest.approx(one.p_worse, rel=1e-9)


def test_uneven_chips_widen_the_bounds() -> None:
    """The same images lost, all on one chip of five: other chips may be as bad, or as good."""
    uneven = np.zeros((5, 1000), dtype=int)
    uneven[0, :100] = 1
    assert drop_of(uneven).low < 0 < drop_of(row(20, 0, 1000) * 5).low


@pytest.mark.parametrize("seed", range(8))
def test_the_sign_flip_test_is_what_enumeration_gives(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sums = rng.integers(-3, 4, size=11)
    sizes = np.abs(sums)
    totals = [np.dot(signs, sizes) for signs in itertools.product((-1, 1), repeat=len(sizes))]
    assert sign_flip_p(sums) == pytest.approx(np.mean(np.array(totals) >= sums.sum()), abs=1e-12)


@pytest.mark.parametrize(("worse", "better"), [(7, 0), (6, 0), (12, 3), (40, 38), (3, 9)])
def test_with_one_chip_it_is_mcnemars_exact_test(worse: int, better: int) -> None:
    p = stats.binomtest(worse, worse + better, 0.5, alternative="greater").pvalue
    assert sign_flip_p(np.array(row(worse, better, 200)[0])) == pytest.approx(p, rel=1e-12)


@pytest.mark.parametrize(("worse", "better"), [(560, 500), (600, 500), (510, 500)])
def test_many_images_take_the_normal_law(worse: int, better: int) -> None:
    p = stats.binomtest(worse, worse + better, 0.5, alternative="greater").pvalue
    assert sign_flip_p(np.array(row(worse, better, 2000)[0])) == pytest.approx(p, rel=0.05)


def test_holm_corrects_step_by_step() -> None:
    # Worked by hand: 4 x 0.01, 3 x 0.02 (0.06), 2 x 0.03 (stays 0.06), 1 x 0.2.
    assert holm([0.2, 0.01, 0.03, 0.02]) == pytest.approx([0.2, 0.04, 0.06, 0.06])
    assert holm([0.6, 0.5]) == [1.0, 1.0]


@pytest.mark.parametrize("images", [1, 2, 10, 5000])
def test_the_same_hits_pass_however_few(images: int) -> None:
    verdict = verdict_of(np.zeros((1, images), dtype=int))
    assert (verdict.outcome, verdict.drop.mean, verdict.needed) == ("passed", 0.0, None)
    assert (verdict.drop.high < 0.01) == (images == 5000)  # the bound itself is not 0


@pytest.mark.parametrize("images", [2, 8, 30, 540, 5000])
@pytest.mark.parametrize("worse", [1, 2, 3, 6])
def test_a_few_lost_images_are_never_a_regression(images: int, worse: int) -> None:
    """Up to six flipped images have a chance of 1/64 each way, more than the level."""
    worse = min(worse, images)
    for chips in (1, 2, 5):
        assert verdict_of(row(worse, 0, images) * chips).outcome != "regression"


def test_seven_lost_images_are_one_where_they_may_matter() -> None:
    """2^-7 is below the level: 7 of 500 are proven; of 5,000 they can't amount to a point."""
    assert verdict_of(row(7, 0, 500)).outcome == "regression"
    assert verdict_of(row(7, 0, 5000)).outcome == "passed"


def test_two_chances_of_a_false_alarm_ask_for_more() -> None:
    """2^-7 fails a case that stands alone; of two cases it is 2^-6, above the level."""
    seven, eight = drop_of(row(7, 0, 500)), drop_of(row(8, 0, 500))
    assert [one.outcome for one in judge([seven] * 2, LEVEL, [0.01] * 2)] == ["undecided"] * 2
    both = judge([seven, eight], LEVEL, [0.01] * 2)
    assert [one.p for one in both] == pytest.approx([2**-7, 2**-7])  # Holm: 1 x, and 2 x 2^-8
    assert [one.outcome for one in both] == ["regression"] * 2


def test_a_real_but_small_drop_passes() -> None:
    verdict = verdict_of(row(60, 10, 20000))  # a quarter of a point, beyond doubt
    assert verdict.p < 1e-6
    assert verdict.outcome == "passed"


def test_a_rise_is_never_a_failure() -> None:
    for rise in (row(0, 60, 1000), row(5, 60, 1000) * 3):
        verdict = verdict_of(rise)
        assert (verdict.outcome, verdict.improved, verdict.p) == ("passed", True, 1.0)


def test_few_images_pass_nothing_that_differs() -> None:
    """One image gained of 100: the estimate is a rise, but 100 images can't rule out a point."""
    verdict = verdict_of(row(0, 1, 100))
    assert verdict.outcome == "undecided"
    assert verdict.needed is not None
    assert verdict.needed[1] > 100


def test_the_bound_of_images_without_a_loss_is_near_the_exact_one() -> None:
    """None lost of n rules out a drop D where (1 - D)^n < level; the floor asks for 20 % more."""
    exact = math.log(LEVEL) / math.log(1 - 0.01)
    fewest = next(n for n in range(300, 900) if drop_of(row(0, 0, n)).high < 0.01)
    assert exact < fewest < 1.25 * exact


def test_what_is_said_to_be_needed_decides() -> None:
    rng = np.random.default_rng(8)

    def draw(chips: int, images: int) -> np.ndarray:
        shared = rng.choice([-1, 0, 1], p=[0.02, 0.955, 0.025], size=images)
        own = rng.choice([-1, 0, 1], p=[0.02, 0.96, 0.02], size=(chips, images))
        return np.where(shared == 0, own, shared)

    verdict = verdict_of(draw(5, 1000))
    assert verdict.outcome == "undecided"
    assert verdict.needed is not None
    chips, images = verdict.needed
    outcomes = [verdict_of(draw(chips, images)).outcome for _ in range(40)]
    assert outcomes.count("undecided") <= 4


def test_more_chips_are_asked_for_where_images_would_not_do() -> None:
    rng = np.random.default_rng(9)
    uneven = np.array([0.06, -0.05, 0.05])[:, None]  # shares that each chip loses or gains
    difference = (rng.random((3, 4000)) < np.abs(uneven)) * np.sign(uneven).astype(int)
    verdict = verdict_of(difference)
    assert verdict.outcome == "undecided"
    assert verdict.needed is not None
    assert verdict.needed[0] > 20  # t * 0.06 / sqrt(chips) has to come below half a point


def _at_most(count: int, pairs: int, share: float) -> bool:
    """Whether a count is compatible with a chance of at most `share` (one in a thousand)."""
    return bool(stats.binomtest(count, pairs, share, alternative="greater").pvalue > 1e-3)


@pytest.mark.parametrize(("number", "pairs"), [(0, 1500), (2, 300), (4, 300), (5, 1000), (6, 1500)])
def test_noise_fails_at_most_as_often_as_the_level_says(
    rates: ModuleType, number: int, pairs: int
) -> None:
    scenario = rates.NO_DROP[number]
    assert scenario.drop == 0
    counts = rates.outcomes(scenario, pairs, seed=1)
    assert _at_most(counts["regression"], pairs, LEVEL), (scenario.name, counts)
    if number == 0:  # the level is used, not far undercut
        assert counts["regression"] >= 4


def test_ten_cases_together_fail_no_more_often(rates: ModuleType) -> None:
    """Ten tests at the level each would fail 10 % of files; Holm keeps them at 1 %."""
    ten = rates.Scenario("ten", rates.other_model(1, 200, 0.1), cases=10)
    counts = rates.outcomes(ten, 300, seed=2)
    assert _at_most(counts["regression"], 300, LEVEL), counts
    assert not _at_most(30, 300, LEVEL)  # what a test without it would find


@pytest.mark.parametrize("number", [0, 2, 5])
def test_a_real_drop_is_found_nine_times_out_of_ten(rates: ModuleType, number: int) -> None:
    """One point on 2,000 images (conditions in the scenario's name), three points on 540."""
    scenario, pairs = rates.DROPS[number], 400
    counts = rates.outcomes(scenario, pairs, seed=4)
    found = stats.binomtest(counts["regression"], pairs, 0.9, alternative="less").pvalue > 0.01
    assert found, (scenario.name, counts)
    assert _at_most(counts["passed"], pairs, LEVEL), (scenario.name, counts)


def test_a_drop_that_matters_passes_no_more_often_than_the_level(rates: ModuleType) -> None:
    """Where noise hides it, the answer is undecided."""
    scenario, pairs = rates.DROPS[3], 500
    counts = rates.outcomes(scenario, pairs, seed=5)
    assert _at_most(counts["passed"], pairs, LEVEL), counts
    assert counts["undecided"] > pairs / 2

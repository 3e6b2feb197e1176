"""Data: preprocessing against plain numpy, seeded balanced samples, percentiles of a stream."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from known import known

from rxsim.calibrate import UpperQuantile
from rxsim.data import (
    InputSet,
    Preprocess,
    Recipe,
    StoredArrays,
    choose_positions,
    choose_samples,
    fit_inputs,
    made_up_inputs,
    read_card,
    read_npz,
)
from rxsim.data.sample import balanced_sample
from rxsim.errors import DataError
from rxsim.load import InputSpec

ROOT = Path(__file__).resolve().parents[1]
RNG = np.random.default_rng(11)
IMAGES = RNG.integers(0, 256, (5, 6, 7, 3), dtype=np.uint8)
"""Five images of 6 x 7 pixels, channels last."""


def _labels(sizes: list[int], seed: int = 0) -> np.ndarray:
    """Return shuffled labels: `sizes[c]` of class c."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    return np.random.default_rng(seed).permutation(labels)


# --- preprocessing ------------------------------------------------------------------------------


def test_channels_last_become_channels_first() -> None:
    found = Preprocess(data_layout="NHWC").apply(IMAGES)
    assert found.shape == (5, 3, 6, 7)
    assert found.dtype == np.float32
    for n, c, h, w in [(0, 0, 0, 0), (4, 2, 5, 6), (2, 1, 3, 4)]:
        assert found[n, c, h, w] == IMAGES[n, h, w, c]


def test_channels_first_become_channels_last() -> None:
    stored = np.moveaxis(IMAGES, 3, 1)
    found = Preprocess(data_layout="NCHW", model_layout="NHWC").apply(stored)
    np.testing.assert_array_equal(found, IMAGES)


@pytest.mark.parametrize(("layout", "shape"), [("NCHW", (5, 1, 6, 7)), ("NHWC", (5, 6, 7, 1))])
def test_grey_images_gain_a_channel_axis(layout: str, shape: tuple[int, ...]) -> None:
    grey = IMAGES[..., 0]
    found = Preprocess(data_layout="NHW", model_layout=layout).apply(grey)
    assert found.shape == shape
    np.testing.assert_array_equal(found.reshape(5, 6, 7), grey)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize(("data", "model"), [("RGB", "BGR"), ("BGR", "RGB")])
def test_colours_are_reversed_where_they_differ(layout: str, data: str, model: str) -> None:
    step = Preprocess(data_layout="NHWC", model_layout=layout, data_color=data, model_color=model)
    found = step.apply(IMAGES)
    for c in range(3):
        plane = found[:, c] if layout == "NCHW" else found[..., c]
        np.testing.assert_array_equal(plane, IMAGES[..., 2 - c])


@pytest.mark.parametrize("color", ["RGB", "BGR"])
def test_colours_are_kept_where_they_agree(color: str) -> None:
    step = Preprocess(data_layout="NHWC", data_color=color, model_color=color)
    np.testing.assert_array_equal(step.apply(IMAGES)[:, 0], IMAGES[..., 0])


@pytest.mark.parametrize("scale", ["1/255", 1 / 255, "0.00392156862745098"])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_scale_comes_first_then_mean_then_std_of_each_channel(
    scale: float | str, layout: str
) -> None:
    # Source: the customary ImageNet statistics.
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    step = Preprocess.model_validate(
        {
            "data_layout": "NHWC",
            "model_layout": layout,
            "scale": scale,
            "mean": mean,
            "std": std,
        }
    )
    wanted = (IMAGES.astype(np.float64) / 255 - np.array(mean)) / np.array(std)
    found = step.apply(IMAGES)
    if layout == "NCHW":
        found = np.moveaxis(found, 1, 3)
    np.testing.assert_allclose(found, wanted, rtol=2e-6, atol=1e-6)


def test_mean_belongs_to_the_models_colour_order() -> None:
    step = Preprocess(data_layout="NHWC", model_color="BGR", mean=[1, 2, 3])
    found = step.apply(IMAGES)
    np.testing.assert_array_equal(found[:, 0], IMAGES[..., 2].astype(np.float32) - 1)
    np.testing.assert_array_equal(found[:, 2], IMAGES[..., 0].astype(np.float32) - 3)


def test_one_mean_and_one_std_serve_all_channels() -> None:
    step = Preprocess.model_validate({"mean": 10, "std": "4"})
    np.testing.assert_array_equal(step.apply(IMAGES), (IMAGES.astype(np.float32) - 10) / 4)


def test_without_any_setting_floats_pass_unchanged() -> None:
    stored = RNG.standard_normal((4, 9)).astype(np.float32)
    np.testing.assert_array_equal(Preprocess().apply(stored), stored)


def test_the_stored_samples_are_not_changed() -> None:
    stored = RNG.standard_normal((4, 2, 3, 3)).astype(np.float32)
    before = stored.copy()
    Preprocess.model_validate({"scale": 2, "mean": [1, 2], "std": [3, 4]}).apply(stored)
    np.testing.assert_array_equal(stored, before)


def test_the_digits_card_gives_sixteenths() -> None:
    card = read_card(ROOT / "models" / "digits_cnn.yaml")
    data = read_npz(ROOT / "models" / "digits_test.npz")
    inputs = InputSet(
        data=data,
        indices=np.array([7, 3]),
        preprocess=known(card.preprocess),
        input_name="x",
        dtype=np.dtype(np.float32),
    )
    with np.load(ROOT / "models" / "digits_test.npz") as archive:
        stored, labels = archive["x"], archive["y"]
    np.testing.assert_array_equal(inputs.feeds(0, 2)["x"], stored[[7, 3]] / np.float32(16))
    np.testing.assert_array_equal(inputs.feeds(1, 2)["x"], stored[[3]] / np.float32(16))
    np.testing.assert_array_equal(data.labels, labels)
    one = inputs.subset(np.array([1])).feeds(0, 1)["x"]
    np.testing.assert_array_equal(one, stored[[3]] / np.float32(16))


def test_a_free_axis_takes_any_length_and_a_fixed_one_only_its_own() -> None:
    data = StoredArrays(
        name="d.npz", identity="", x=IMAGES.astype(np.float32), labels=np.zeros(5, dtype=np.int64)
    )
    step = Preprocess(data_layout="NHWC")
    free = InputSpec("x", np.dtype(np.float32), (None, 3, None, None))
    fixed = InputSpec("x", np.dtype(np.float32), (None, 3, None, 8))
    assert fit_inputs(data, step, [free], free, "net.onnx").shape == (3, 6, 7)
    with pytest.raises(DataError, match=r"shape \[3, 6, 7\], expected \[3, 'any', 8\]"):
        fit_inputs(data, step, [fixed], fixed, "net.onnx")


# --- samples ------------------------------------------------------------------------------------

SIZES = st.lists(st.integers(0, 12), min_size=1, max_size=6).filter(lambda sizes: sum(sizes) > 0)


def _balanced(counts: Counter[int], available: Counter[int]) -> bool:
    """Tell whether no class could have given one more in place of a class with two more."""
    most = max(counts.values(), default=0)
    return all(
        counts[label] >= most - 1 or counts[label] == size for label, size in available.items()
    )


@settings(max_examples=150, deadline=None)
@given(sizes=SIZES, count=st.integers(0, 80), seed=st.integers(0, 2**32))
def test_a_balanced_sample_is_as_even_as_the_classes_allow(
    sizes: list[int], count: int, seed: int
) -> None:
    labels = _labels(sizes, seed)
    pool = np.flatnonzero(np.random.default_rng(seed).random(len(labels)) < 0.8)
    chosen = balanced_sample(pool, labels, count, np.random.default_rng(seed))
    assert len(chosen) == min(count, len(pool))
    assert (np.diff(chosen) > 0).all()
    assert set(chosen.tolist()) <= set(pool.tolist())
    counts = Counter(labels[chosen].tolist())
    assert _balanced(counts, Counter(labels[pool].tolist()))
    again = balanced_sample(pool, labels, count, np.random.default_rng(seed))
    np.testing.assert_array_equal(chosen, again)


@settings(max_examples=150, deadline=None)
@given(
    sizes=SIZES,
    limit=st.none() | st.integers(1, 80),
    n_calibration=st.integers(1, 80),
    seed=st.integers(0, 2**32),
)
def test_calibration_is_disjoint_where_it_can_be_and_its_overlap_is_counted(
    sizes: list[int], limit: int | None, n_calibration: int, seed: int
) -> None:
    labels = _labels(sizes, seed)
    total = len(labels)
    split = choose_samples(
        labels, limit=limit, n_calibration=n_calibration, calibration_labels=None, seed=seed
    )
    evaluated, calibration = set(split.evaluated.tolist()), set(split.calibration.tolist())
    assert len(split.evaluated) == len(evaluated) == min(limit or total, total)
    assert len(split.calibration) == len(calibration) == min(n_calibration, total)
    assert evaluated | calibration <= set(range(total))
    assert split.overlap == len(evaluated & calibration)
    assert split.overlap == max(0, len(calibration) - (total - len(evaluated)))
    assert (np.diff(split.evaluated) > 0).all()
    assert (np.diff(split.calibration) > 0).all()
    assert _balanced(Counter(labels[split.evaluated].tolist()), Counter(labels.tolist()))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), n_calibration=st.integers(1, 60))
def test_calibration_data_of_their_own_do_not_touch_the_evaluated(
    seed: int, n_calibration: int
) -> None:
    labels, other = _labels([9, 9, 9]), _labels([5, 15, 3], 1)
    split = choose_samples(
        labels, limit=None, n_calibration=n_calibration, calibration_labels=other, seed=seed
    )
    np.testing.assert_array_equal(split.evaluated, np.arange(27))
    assert split.overlap == 0
    assert len(split.calibration) == min(n_calibration, 23)
    assert _balanced(Counter(other[split.calibration].tolist()), Counter(other.tolist()))


def _choose(limit: int | None, seed: int, n_calibration: int = 20) -> list[int]:
    labels = _labels([30] * 10)
    split = choose_samples(
        labels, limit=limit, n_calibration=n_calibration, calibration_labels=None, seed=seed
    )
    return list(split.evaluated.tolist())


@pytest.mark.parametrize("limit", [1, 10, 37, 299])
def test_limited_classes_differ_by_at_most_one(limit: int) -> None:
    labels = _labels([30] * 10)
    counts = Counter(labels[_choose(limit, 0)].tolist())
    sizes = [counts[label] for label in range(10)]
    assert sum(sizes) == limit
    assert max(sizes) - min(sizes) <= 1


def test_a_limited_sample_follows_the_seed_alone() -> None:
    assert _choose(40, 3) == _choose(40, 3)
    assert _choose(40, 3) == _choose(40, 3, n_calibration=90)
    assert _choose(40, 3) != _choose(40, 4)


@pytest.mark.parametrize("seed", range(5))
def test_a_limited_sample_is_not_the_first_of_the_file(seed: int) -> None:
    chosen = _choose(40, seed)
    assert chosen != list(range(40))
    assert max(chosen) > 200  # 40 of 300: all below 200 has a chance of 1e-7


@pytest.mark.parametrize("limit", [300, 301, 10**9, None])
def test_a_limit_beyond_the_data_takes_them_all(limit: int | None) -> None:
    assert _choose(limit, 0) == list(range(300))


def test_no_class_comes_first_where_not_all_fit() -> None:
    labels = _labels([30] * 10)
    assert {int(labels[_choose(1, seed)[0]]) for seed in range(100)} == set(range(10))


def test_every_sample_can_be_drawn() -> None:
    drawn = {index for seed in range(60) for index in _choose(40, seed)}
    assert drawn == set(range(300))


@settings(max_examples=60, deadline=None)
@given(total=st.integers(1, 60), count=st.integers(1, 80), seed=st.integers(0, 2**32))
def test_positions_for_the_closer_look_are_places_of_evaluated_inputs(
    total: int, count: int, seed: int
) -> None:
    for labels in (None, np.random.default_rng(seed).integers(0, 3, total)):
        found = choose_positions(labels, total, count, seed)
        assert len(found) == min(count, total)
        assert (np.diff(found) > 0).all()
        assert found.min() >= 0
        assert found.max() < total


# --- percentile of a stream ---------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    total=st.integers(1, 300),
    percentile=st.one_of(
        st.just(100.0), st.floats(1e-6, 100), st.sampled_from([50, 75, 90, 99, 99.9])
    ),
    cuts=st.lists(st.integers(0, 300), max_size=8),
    ties=st.booleans(),
)
def test_the_percentile_of_a_stream_is_numpys(
    seed: int, total: int, percentile: float, cuts: list[int], ties: bool
) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 5, total).astype(float) if ties else rng.standard_normal(total)
    quantile = UpperQuantile(percentile, total)
    for part in np.split(values, sorted(min(cut, total) for cut in cuts)):
        quantile.add(part)
    spread = np.ptp(values)
    assert quantile.value() == pytest.approx(np.percentile(values, percentile), abs=1e-12 * spread)


def test_parts_of_any_shape_and_of_float32_are_taken() -> None:
    values = RNG.standard_normal((6, 3, 4)).astype(np.float32)
    quantile = UpperQuantile(97.5, values.size)
    for part in values:
        quantile.add(part)
    assert quantile.value() == pytest.approx(np.percentile(values.astype(float), 97.5), rel=1e-12)


def test_a_percentile_of_missing_values_is_refused() -> None:
    quantile = UpperQuantile(90, 10)
    quantile.add(np.arange(9.0))
    with pytest.raises(ValueError, match="9 of 10"):
        quantile.value()


# --- made-up inputs -----------------------------------------------------------------------------


def _made_up(count: int, seed: int, *, calibration: bool = False) -> np.ndarray:
    recipes = {"x": Recipe(fill="normal", shape=(3, 4), dtype=np.dtype(np.float32))}
    inputs = made_up_inputs(recipes, count, calibration=calibration, seed=seed)
    assert len(inputs) == count
    return inputs.feeds(0, count)["x"]


def test_made_up_inputs_follow_the_seed_alone() -> None:
    np.random.seed(1)  # noqa: NPY002 - the global generator must not matter
    first = _made_up(20, 5)
    np.random.seed(2)  # noqa: NPY002
    np.testing.assert_array_equal(first, _made_up(20, 5))
    assert not np.array_equal(first, _made_up(20, 6))


def test_a_longer_set_of_made_up_inputs_begins_with_the_shorter() -> None:
    np.testing.assert_array_equal(_made_up(30, 5)[:20], _made_up(20, 5))


def test_made_up_calibration_inputs_are_others() -> None:
    evaluated, calibration = _made_up(20, 5), _made_up(20, 5, calibration=True)
    assert not np.intersect1d(evaluated, calibration).size


def test_made_up_inputs_are_standard_normal() -> None:
    values = _made_up(20000, 1).ravel().astype(float)
    n = values.size
    assert abs(values.mean()) < 4 / np.sqrt(n)
    assert abs(values.var() - 1) < 4 * np.sqrt(2 / n)


@given(start=st.integers(0, 19), length=st.integers(1, 20))
def test_made_up_inputs_come_in_slices(start: int, length: int) -> None:
    assume(start + length <= 20)
    shapes: dict[str, tuple[int, ...]] = {"x": (2,), "z": (1, 5)}
    dtypes: dict[str, np.dtype[Any]] = {"x": np.dtype("f4"), "z": np.dtype("f8")}
    recipes = {
        name: Recipe(fill="normal", shape=shapes[name], dtype=dtypes[name]) for name in shapes
    }
    inputs = made_up_inputs(recipes, 20, calibration=False, seed=0)
    whole, part = inputs.feeds(0, 20), inputs.feeds(start, start + length)
    assert {name: tensor.dtype for name, tensor in part.items()} == dtypes
    for name in shapes:
        np.testing.assert_array_equal(part[name], whole[name][start : start + length])
    chosen = inputs.subset(np.array([start, 0]))
    np.testing.assert_array_equal(chosen.feeds(0, 2)["z"], whole["z"][[start, 0]])

"""`spares`: the columns whose known faults cost most get spare ones, at the least cost of all ways."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
from known_tiles import SCHEMES, SINGLE, Bench, bench, sums_of

from rxsim.compensate import STEPS, KnownTile, check_steps
from rxsim.config import load_settings
from rxsim.errors import SettingError
from rxsim.mapping import PhysicalArray

SPARES, PAIRS = STEPS["spares"], STEPS["pairs"]
ALL = SCHEMES | SINGLE
TWO = ("mapping.spare_cols=2",)


def placed(array: PhysicalArray, order: np.ndarray) -> PhysicalArray:
    """Return an array whose place c holds what lay at order[c], column by column."""
    references = [
        -1 if array.references[old] < 0 else int(np.flatnonzero(order == array.references[old])[0])
        for old in order
    ]
    return replace(
        array,
        target=np.stack([array.target[:, old] for old in order], axis=1),
        blank=np.stack([array.blank[:, old] for old in order], axis=1),
        cols=array.cols[order],
        col_signs=array.col_signs[order],
        references=np.array(references),
    )


def free_of(array: PhysicalArray) -> list[int]:
    """The columns without weights, references left out."""
    referred = set(array.references[array.references >= 0].tolist())
    return [c for c in range(len(array.cols)) if array.cols[c] < 0 and c not in referred]


def ways(array: PhysicalArray, spares: Sequence[int]) -> Iterator[PhysicalArray]:
    """Yield an array in every way in which used columns lie at their own places or at spares."""
    used = sorted(set(range(len(array.cols))) - set(free_of(array)))
    for count in range(len(spares) + 1):
        for moved in itertools.permutations(used, count):
            for taken in itertools.combinations(spares, count):
                order = np.arange(len(array.cols))
                for home, spare in zip(moved, taken, strict=True):
                    order[home], order[spare] = spare, home
                yield placed(array, order)


def cost(made: Bench, arrays: Sequence[PhysicalArray]) -> float:
    return float(np.square(made.errors(arrays)).sum())


@pytest.mark.parametrize("scheme", ["offset", "one_sided", "digital", "open", "permuted", "packed"])
def test_it_is_the_best_of_all_ways(scheme: str) -> None:
    """Where the faults are on one array: the columns of the other stay."""
    small = ("crossbar.cols=6", *TWO) if scheme != "packed" else ("crossbar.cols=9", *TWO)
    for seed in range(4):
        made = bench((*ALL[scheme], *small), seed=seed, shape=(6, 4))
        array, *others = made.tile.arrays
        clean = [np.full(each.target.shape, np.nan) for each in others]
        made = replace(made, tile=KnownTile(made.tile.arrays, (made.tile.stuck[0], *clean)))
        spares = free_of(array)[-2:]
        best = min(cost(made, (way, *others)) for way in ways(array, spares))
        assert cost(made, made.taken(SPARES)) == pytest.approx(best, rel=1e-9)
        assert best < cost(made, made.tile.arrays)


@pytest.mark.parametrize("scheme", ALL)
def test_no_array_by_itself_can_be_better(scheme: str) -> None:
    """Also where both columns of a pair, or columns and their reference, have faults."""
    width = 7 if "adjacent" not in scheme and scheme != "packed" and "slices" not in scheme else 14
    small = (*ALL[scheme], f"crossbar.cols={width}", *TWO)
    made = bench(small, seed=3, shape=(6, 3))
    arrays = made.taken(SPARES)
    reached, before = cost(made, arrays), cost(made, made.tile.arrays)
    assert reached < before
    for number, array in enumerate(made.tile.arrays):
        if "adjacent" in scheme or "reference" in scheme or scheme == "offset slices":
            continue  # sets of one array compete for its spares: see below
        for way in ways(array, free_of(array)[-2:]):
            tried = [*arrays[:number], way, *arrays[number + 1 :]]
            assert cost(made, tried) >= reached * (1 - 1e-9)


@pytest.mark.parametrize("scheme", ["adjacent", "reference", "digital reference"])
def test_columns_that_share_sums_come_near_the_best_of_all_ways(scheme: str) -> None:
    ratios = []
    for seed in range(6):
        made = bench((*ALL[scheme], "crossbar.cols=8", *TWO), seed=seed, shape=(6, 3), share=0.4)
        (array,) = made.tile.arrays
        best = min(cost(made, (way,)) for way in ways(array, free_of(array)[-2:]))
        ratios.append(cost(made, made.taken(SPARES)) / best)
    assert min(ratios) >= 1 - 1e-9
    assert np.mean(ratios) < 1.15


@pytest.mark.parametrize("scheme", ALL)
def test_nothing_but_places_changes(scheme: str) -> None:
    """Without faults the sums are the same, so readouts, signs and references went along."""
    made = bench((*ALL[scheme], *TWO))
    for cells in made.tile.stuck:
        cells[:, -4:] = np.nan  # spares without faults
    arrays = made.taken(SPARES)
    moved = sum(
        int((a.cols != b.cols).sum()) for a, b in zip(made.tile.arrays, arrays, strict=True)
    )
    assert moved > 0
    plain = sums_of(made.tile.arrays, None, made.layer)
    assert sums_of(arrays, None, made.layer) == pytest.approx(plain, abs=1e-18)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_before_and_after_pairs(scheme: str) -> None:
    """Spares before pairs count what pairs can't mend; after them they mend on. Neither does harm."""
    alone, first, last, after = 0.0, 0.0, 0.0, 0.0
    for seed in range(4):
        made = bench((*SCHEMES[scheme], *TWO), seed=seed)
        mended = made.taken(PAIRS)
        alone += cost(made, mended)
        after_pairs = cost(made, made.taken(SPARES, mended))
        assert after_pairs <= cost(made, mended) * (1 + 1e-9)
        after += after_pairs
        knowing = replace(
            made, settings=made.settings.model_copy(update={"compensate": ("spares", "pairs")})
        )
        last += cost(made, made.taken(PAIRS, made.taken(SPARES)))
        first += cost(made, made.taken(PAIRS, knowing.taken(SPARES)))
    assert first < last < alone or scheme in ("adjacent slices", "slices")
    assert first < alone
    assert after < alone


def test_what_has_no_faults_stays() -> None:
    made = bench(TWO, share=0.0)
    for cells in made.tile.stuck:
        cells[2, 20] = 0.0  # of a column without weights
    for array, after in zip(made.tile.arrays, made.taken(SPARES), strict=True):
        assert np.array_equal(array.cols, after.cols)


def test_a_dead_spare_takes_nothing_over() -> None:
    made = bench((*TWO, "crossbar.cols=6"), shape=(6, 4), share=0.0)
    for cells in made.tile.stuck:
        cells[1, :4] = made.layer.device.g_on
        cells[:, 4:] = 0.0
    for after in made.taken(SPARES):
        assert (after.cols[4:] < 0).all()


def test_no_spare_columns_are_refused() -> None:
    settings = load_settings(assignments=["compensate=[spares]"])
    with pytest.raises(
        SettingError, match=r"spares: layer fc: found mapping.spare_cols: 0.*set it"
    ):
        check_steps({"fc": settings})


def test_it_asks_for_its_columns() -> None:
    made = bench(TWO)
    needs = SPARES.needs(made.layer, SPARES.options())
    assert (needs.spare_columns, needs.stored_values, needs.cell_reads) == (4, 4, 2 * 8 * 24)

"""Merging results files: any order gives the same rows, contradictions change nothing."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stored import ALL, failed_of, plain_rows, point_of, trial_of

from rxsim.errors import InputError
from rxsim.store import Point, Trial, merge_results, open_results

_POINTS = [point_of(bits) for bits in range(2)]
# Few, so that they meet often: two failures at one moment, later ones, and for trial 0 a finish.
_CANDIDATES = [
    *((point, trial_of(point, 0, images=9)) for point in _POINTS),
    *(
        (point, failed_of(point, number, error, finished))
        for point in _POINTS
        for number in range(2)
        for error, finished in (("a", "1"), ("b", "1"), ("a", "2"))
    ),
]
_STEP = st.tuples(st.integers(0, 1), st.integers(0, len(_CANDIDATES) - 1))


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(_STEP, min_size=10, max_size=25), st.randoms(use_true_random=False))
def test_any_order_and_repetition_of_adds_and_merges_gives_the_same_rows(
    steps: list[tuple[int, int]], rng: Any
) -> None:
    expected: dict[str, tuple[bool, str, str]] = {}
    for _, which in steps:
        trial = _CANDIDATES[which][1]
        value = (trial.status == "done", trial.finished, trial.error or "")
        expected[trial.key] = max(value, expected.get(trial.key, value))
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for shuffled in (False, True):
            order = [*steps, *steps] if shuffled else list(steps)
            if shuffled:
                rng.shuffle(order)
            paths = [Path(folder) / f"{shuffled}{half}.db" for half in (0, 1)]
            for half in (0, 1):
                with open_results(paths[half], write=True) as results:
                    for place, which in order:
                        if place == half:
                            results.add(*_CANDIDATES[which])
            into = Path(folder) / f"{shuffled}.db"
            merge_results(into, paths[::-1] if shuffled else paths)
            again = merge_results(into, [*paths, *paths])
            assert (again.points, again.trials, again.replaced) == (0, 0, 0)
            found.append(plain_rows(into, ALL))
    assert found[0] == found[1]
    assert {row[1]: (row[4] == "done", row[13], row[11] or "") for row in found[0]} == expected


def made(path: Path, *rows: tuple[Point, Trial]) -> Path:
    with open_results(path, write=True) as results:
        for point, trial in rows:
            results.add(point, trial)
    return path


def test_a_merge_joins_files_and_leaves_its_sources_alone(tmp_path: Path) -> None:
    one, two = point_of(1), point_of(2)
    first = made(tmp_path / "a.db", (one, trial_of(one, 0)), (one, failed_of(one, 1)))
    second = made(tmp_path / "b.db", (one, trial_of(one, 1)), (two, trial_of(two, 0)))
    with open_results(first, write=True) as results:
        results.add_sweep("s", "x: 1", [one.key])
    with open_results(second, write=True) as results:
        results.add_sweep("s", "x: 2", [two.key, one.key])
        results.add(two, trial_of(two, 0), {"late": True})
    before = first.read_bytes(), second.read_bytes()
    merged = merge_results(tmp_path / "c.db", [first, second])
    assert (merged.points, merged.trials, merged.replaced, merged.present) == (2, 3, 1, 0)
    with open_results(tmp_path / "c.db") as results:
        assert [trial.status for trial in results.trials()] == ["done"] * 3
        (sweep,) = results.sweeps()
        assert (sweep.text, sweep.points) == ("x: 1", (one.key, two.key))
        details = {point.key: point.details for point in results.points(details=True)}
    assert details == {one.key: None, two.key: {"late": True}}
    assert (first.read_bytes(), second.read_bytes()) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.db", "b.db", "c.db"]


def test_a_merge_of_contradicting_numbers_names_the_key_and_does_nothing(tmp_path: Path) -> None:
    one, two = point_of(1), point_of(2)
    into = made(tmp_path / "into.db", (one, trial_of(one, 0)))
    fine = made(tmp_path / "fine.db", (two, trial_of(two, 0)))
    original = trial_of(one, 0)
    assert original.hits is not None
    for changes in ({"accuracy": 0.123}, {"hits": ~original.hits}, {"snr_db": 99.0}, {"mse": 1.0}):
        (tmp_path / "wrong.db").unlink(missing_ok=True)
        wrong = made(tmp_path / "wrong.db", (one, trial_of(one, 0, **changes)))
        before = plain_rows(into, ALL)
        with pytest.raises(InputError, match=f"{original.key}.*another {next(iter(changes))} "):
            merge_results(into, [fine, wrong])
        assert plain_rows(into, ALL) == before
        with pytest.raises(InputError, match=original.key):
            merge_results(tmp_path / "new.db", [fine, into, wrong])
        assert not list(tmp_path.glob("new.db*"))
    # What another processor's rounding changes is no contradiction; times are not compared.
    assert original.values["snr_db"] is not None
    near = trial_of(
        one, 0, snr_db=original.values["snr_db"] * (1 + 1e-6), seconds=9.0, finished="2"
    )
    before = plain_rows(into, ALL)
    assert merge_results(into, [made(tmp_path / "near.db", (one, near))]).present == 1
    assert plain_rows(into, ALL) == before


def test_a_merge_refuses_itself_and_what_is_no_results_file(tmp_path: Path) -> None:
    path = made(tmp_path / "a.db", (point_of(), trial_of(point_of(), 0)))
    (tmp_path / "text").write_text("hello")
    for into, sources, words in (
        (path, [path], "another file of this command"),
        (tmp_path / "new", [path, tmp_path / "text"], "not a results file"),
        (tmp_path / "new", [path, tmp_path / "missing"], "do not exist"),
        (tmp_path / "text", [path], "not a results file"),
    ):
        with pytest.raises(InputError, match=words):
            merge_results(into, sources)
    assert not (tmp_path / "new").exists()
    assert (tmp_path / "text").read_text() == "hello"

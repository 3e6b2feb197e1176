"""What tells points apart: content and not names, evaluated images, axes of a sweep, the key."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from stored import plain_rows, point_of, trial_of

from rxsim.store import Point, Summary, level_key, merge_results, open_results, summarise

Told = Sequence[tuple[Point, Mapping[str, Any]]]


def settings_with(bits: int, off: float = 1e-6) -> dict[str, Any]:
    return {"device": {"g_off": off}, "adc": {"n_bits": bits}, "seed": 0}


def written(path: Path, *points: Point, images: int = 50, sweep: Told = ()) -> Path:
    with open_results(path, write=True) as results:
        for point in (*points, *(point for point, _ in sweep)):
            results.add(point, trial_of(point, 0, images))
        if sweep:
            keys = [point.key for point, _ in sweep]
            results.add_sweep("s", "x: 1", keys, [values for _, values in sweep])
    return path


def summary_of(path: Path, **more: Any) -> Summary:
    with open_results(path) as results:
        return summarise(results, **more)


def table_of(summary: Summary) -> set[tuple[Any, ...]]:
    return {tuple(point.values[name] for name in summary.names) for point in summary.points}


def test_networks_and_data_of_one_name_are_told_apart_by_their_hashes(tmp_path: Path) -> None:
    points = [
        point_of(key=f"{model}{data}" * 32, model_sha256=model * 64, data_sha256=data * 64)
        for model in "ab"
        for data in "cd"
    ]
    found = summary_of(written(tmp_path / "r.db", *points))
    assert found.names == ("model", "data")
    assert table_of(found) == {
        (f"net.onnx@{model * 8}", f"test@{data * 8}") for model in "ab" for data in "cd"
    }
    assert {point.model for point in found.points} == {"net.onnx"}


def test_hashes_that_begin_alike_get_more_digits(tmp_path: Path) -> None:
    hashes = [f"{'a' * 10}{end}{'0' * 53}" for end in "12"]
    points = [
        point_of(key=end * 64, model_sha256=one) for end, one in zip("12", hashes, strict=True)
    ]
    found = summary_of(written(tmp_path / "r.db", *points))
    assert table_of(found) == {(f"net.onnx@{one[:11]}",) for one in hashes}


def test_one_network_under_two_names_does_not_vary(tmp_path: Path) -> None:
    points = [point_of(4, model="a.onnx"), point_of(6, model="b.onnx"), point_of(8, data=None)]
    points[2] = point_of(8, data=None, data_sha256=None)
    found = summary_of(written(tmp_path / "r.db", *points))
    assert found.names == ("data", "adc.n_bits")
    assert table_of(found) == {("test", 4), ("test", 6), (None, 8)}


@pytest.mark.parametrize(
    "details", [None, {"images": 30}, {"provenance": {"evaluated": 30, "name": '"images":7,'}}]
)
def test_evaluated_images_are_told_by_hits_or_by_details(
    tmp_path: Path, details: dict[str, Any] | None
) -> None:
    path = written(tmp_path / "r.db", point_of(6), images=20)
    other = point_of(6, key="f" * 64)
    failed = point_of(6, key="e" * 64)
    with open_results(path, write=True) as results:
        hits = {} if details is None else {"hits": None}
        results.add(other, trial_of(other, 0, 30, **hits), details)
    found = summary_of(path)
    assert (found.names, table_of(found)) == (("images",), {(20,), (30,)})
    assert {point.images for point in found.points} == {20, 30}
    with open_results(path, write=True) as results:
        results.add(failed, trial_of(failed, 0, hits=None))
    assert table_of(summary_of(path)) == {(20,), (30,), (None,)}


def test_points_that_are_alike_in_all_else_are_told_apart_by_their_keys(tmp_path: Path) -> None:
    keys = ["1" * 64, "12" * 32, f"{'1' * 8}{'2' * 56}"]
    found = summary_of(written(tmp_path / "r.db", *(point_of(key=key) for key in keys)))
    assert found.names == ("point",)
    assert table_of(found) == {(key[:9],) for key in keys}
    two = summary_of(written(tmp_path / "two.db", *(point_of(key=key) for key in keys[:2])))
    assert table_of(two) == {(key[:8],) for key in keys[:2]}


def swept(*bits: int) -> list[tuple[Point, dict[str, Any]]]:
    """Points of two settings files that differ in more than the axis that names them."""
    return [
        (
            point_of(key=f"{number}{len(name)}" * 32, settings=settings_with(number, off)),
            {"config": name, "adc.n_bits": number, "device.n_bits": 6},
        )
        for number in bits
        for name, off in (("isaac", 1e-6), ("puma", 2e-6))
    ]


def test_the_axes_of_a_sweep_are_the_names_and_what_is_tied_to_them_is_more(tmp_path: Path) -> None:
    path = written(tmp_path / "r.db", sweep=swept(4, 6))
    for found in (summary_of(path), summary_of(path, sweep="s")):
        assert (found.names, found.more) == (("config", "adc.n_bits"), ("device.g_off",))
        assert table_of(found) == {(name, n) for name in ("isaac", "puma") for n in (4, 6)}
        for point in found.points:
            assert (
                point.values["device.g_off"]
                == {"isaac": 1e-6, "puma": 2e-6}[point.values["config"]]
            )
    written(path, point_of(8))
    assert "config" not in summary_of(path).names
    assert summary_of(path, sweep="s").names == ("config", "adc.n_bits")


def test_points_that_no_axis_tells_apart_get_the_setting_that_does(tmp_path: Path) -> None:
    later = [
        (point_of(key=f"f{n}" * 32, settings=settings_with(n, 5e-6)), {"adc.n_bits": n})
        for n in (4, 6)
    ]
    first = [(point, {"adc.n_bits": values["adc.n_bits"]}) for point, values in swept(4, 6)[::2]]
    found = summary_of(written(tmp_path / "r.db", sweep=[*first, *later]))
    assert (found.names, found.more) == (("adc.n_bits", "device.g_off"), ())
    assert len(table_of(found)) == 4


def test_without_values_of_all_points_settings_are_the_names(tmp_path: Path) -> None:
    rows = swept(4, 6)
    found = summary_of(written(tmp_path / "r.db", sweep=[*rows[:3], (rows[3][0], {})]))
    assert (found.names, found.more) == (("device.g_off", "adc.n_bits"), ())


def test_values_are_kept_with_the_sweep_and_merged(tmp_path: Path) -> None:
    rows = swept(4, 6)
    one = written(tmp_path / "1.db", sweep=[(rows[0][0], {}), rows[1]])
    two = written(tmp_path / "2.db", sweep=[rows[2], rows[0], (rows[1][0], {"other": 1})])
    merge_results(tmp_path / "3.db", [one, two])
    with open_results(tmp_path / "3.db") as results:
        (sweep,) = results.sweeps()
    assert sweep.points == tuple(point.key for point, _ in rows[:3])
    assert sweep.values == tuple(values for _, values in rows[:3])
    stored = plain_rows(one, "SELECT axes FROM sweep_points ORDER BY position")
    assert stored == [(None,), ('{"config":"puma","adc.n_bits":4,"device.n_bits":6}',)]
    with open_results(one, write=True) as results:
        results.add_sweep("s", "x: 1", ["a", "b"])
        assert results.sweeps()[0].values == ({}, {})
        with pytest.raises(ValueError, match="1 values for 2 points"):
            results.add_sweep("s", "x: 1", ["a", "b"], [{}])


def test_values_are_alike_where_they_are_equal() -> None:
    assert level_key(4) == level_key(4.0) != level_key("4")
    assert level_key(1) != level_key(True)
    assert level_key({"a": 1, "b": 2}) == level_key({"b": 2, "a": 1})

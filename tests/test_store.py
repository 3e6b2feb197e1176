"""The results file: what was added is there, other files are refused, a summary is its mean."""

import json
import os
import sqlite3
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from known import known
from stored import failed_of, key_of, plain_rows, point_of, trial_of

from rxsim.errors import InputError
from rxsim.statistics import chip_interval, population_interval
from rxsim.store import Trial, failures, open_results, summarise
from rxsim.store.connection import file_system, journal_of


def test_what_was_added_is_in_the_file_and_comes_back(tmp_path: Path) -> None:
    path, point = tmp_path / "r.db", point_of()
    trial = trial_of(point, 3, images=13, mse=0.1 + 0.2)
    with open_results(path, write=True) as results:
        results.add(point, trial, {"totals": {"arrays": 7}, "snr": float("inf")})
    ((settings_text, details, accuracy, mse, images, hits),) = plain_rows(
        path,
        "SELECT p.settings, p.details, t.accuracy, t.mse, t.images, t.hits "
        "FROM trials t JOIN points p ON p.id = t.point",
    )
    assert json.loads(settings_text) == point.settings
    assert json.loads(zlib.decompress(details)) == {"totals": {"arrays": 7}, "snr": None}
    assert (accuracy, mse, images) == (trial.values["accuracy"], 0.1 + 0.2, 13)
    assert trial.hits is not None
    letters = "".join(f"{byte:08b}" for byte in hits)
    assert letters == "".join("01"[int(hit)] for hit in trial.hits) + "000"
    with open_results(path) as results:
        (back,) = results.trials(hits=True)
        (bare,) = results.trials()
        (whole,) = results.points(details=True)
        (short,) = results.points()
        assert back.values == bare.values == {**dict.fromkeys(results.metrics), **trial.values}
    for name in Trial.__slots__:
        if name not in ("hits", "values"):
            assert getattr(back, name) == getattr(trial, name) == getattr(bare, name)
    assert bare.hits is None
    assert back.hits is not None
    assert back.hits.dtype == bool
    assert back.hits.tolist() == trial.hits.tolist()
    assert whole.details == {"totals": {"arrays": 7}, "snr": None}
    assert short.details is None
    assert (short.settings, short.model, short.data) == (point.settings, "net.onnx", "test")


def test_rows_are_ordered_and_selected_by_point(tmp_path: Path) -> None:
    points = [point_of(bits) for bits in range(5)]
    with open_results(tmp_path / "r.db", write=True) as results:
        for number in (2, 0, 1):
            for point in points:
                results.add(point, trial_of(point, number))
        wanted = [points[3].key, points[1].key, "nothing"]
        assert [point.key for point in results.points(wanted)] == sorted(wanted[:2])
        found = [(trial.point, trial.trial) for trial in results.trials(wanted)]
        assert found == [(key, number) for key in sorted(wanted[:2]) for number in range(3)]
        assert len(results.trials()) == 15
        assert results.trials([]) == []
        keys = [key_of(points[0].key, 1), "nothing"]
        assert results.status(keys) == {keys[0]: "done"}


def test_a_done_trial_stays_and_a_failed_one_gives_way(tmp_path: Path) -> None:
    point = point_of()
    with open_results(tmp_path / "r.db", write=True) as results:

        def now() -> tuple[str, str | None, float | None]:
            (trial,) = results.trials()
            return trial.status, trial.error, trial.values["accuracy"]

        results.add(point, failed_of(point, 0, "first", "1"))
        results.add(point, failed_of(point, 0, "second", "2"))
        assert now() == ("failed", "second", None)
        results.add(point, failed_of(point, 0, "zeroth", "0"))
        assert now() == ("failed", "second", None)
        results.add(point, failed_of(point, 0, "a second", "2"))
        assert now() == ("failed", "second", None)
        results.add(point, failed_of(point, 0, "the second", "2"))
        assert now() == ("failed", "the second", None)
        results.add(point, trial_of(point, 0, accuracy=0.25))
        assert now() == ("done", None, 0.25)
        results.add(point, trial_of(point, 0, accuracy=0.75))
        results.add(point, failed_of(point, 0, "third", "3"))
        assert now() == ("done", None, 0.25)
        assert results.points(details=True)[0].details is None
        results.add(point, trial_of(point, 1), {"a": 1})
        results.add(point, trial_of(point, 2), {"a": 2})
        assert results.points(details=True)[0].details == {"a": 1}
        with pytest.raises(ValueError, match="is of point"):
            results.add(point_of(7), trial_of(point, 0))


def test_sweeps_are_kept_in_order_and_replaced_by_name(tmp_path: Path) -> None:
    with open_results(tmp_path / "r.db", write=True) as results:
        results.add_sweep("b", "text: 1", ["z", "x", "y"])
        results.add_sweep("a", "text: 2", [])
        results.add_sweep("b", "text: 3", ["y", "z"])
        found = [(sweep.name, sweep.text, sweep.points) for sweep in results.sweeps()]
    assert found == [("a", "text: 2", ()), ("b", "text: 3", ("y", "z"))]


# Files that are no results files


def test_a_file_of_another_kind_is_refused_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "file"
    other = sqlite3.connect(tmp_path / "other")
    other.execute("CREATE TABLE t (x)")
    other.execute("PRAGMA user_version = 1")
    other.commit()
    other.close()
    with open_results(tmp_path / "newer", write=True) as results:
        results.connection.execute("PRAGMA user_version = 2")
    path.write_bytes(b"not a database at all" * 100)
    (tmp_path / "empty").touch()
    expected = {
        "file": "not a results file",
        "other": "another program",
        "newer": "version 2",
        ".": "folder",
    }
    for write in (False, True):
        for name, words in expected.items():
            before = None if name == "." else (tmp_path / name).read_bytes()
            with pytest.raises(InputError, match=words) as caught:
                open_results(tmp_path / name, write=write)
            assert "\n" not in str(caught.value)
            assert before is None or (tmp_path / name).read_bytes() == before
    for name, words in (("missing", "do not exist"), ("empty", "no results yet")):
        with pytest.raises(InputError, match=words):
            open_results(tmp_path / name)
        with open_results(tmp_path / name, write=True) as results:
            assert results.trials() == []
    with pytest.raises(InputError, match="does not exist"):
        open_results(tmp_path / "no folder" / "r.db", write=True)


def test_every_cut_of_a_file_is_found_when_it_is_opened(tmp_path: Path) -> None:
    whole, cut = tmp_path / "r.db", tmp_path / "cut"
    with open_results(whole, write=True) as results:
        for bits in range(30):
            results.add(point_of(bits), trial_of(point_of(bits), 0, images=5000))
    content = whole.read_bytes()
    for length in (1, 50, 99, 100, 1000, 4096, 5000, len(content) // 2, len(content) - 1):
        for write in (False, True):
            cut.write_bytes(content[:length])
            with pytest.raises(InputError, match=r"cut off|not a results file|damaged"):
                open_results(cut, write=write)


def test_a_damaged_page_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    with open_results(path, write=True) as results:
        for bits in range(50):
            results.add(point_of(bits), trial_of(point_of(bits), 0, images=5000))
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with open_results(path) as results, pytest.raises(InputError, match="damaged"):
        results.trials()


@pytest.mark.skipif(not hasattr(os, "fork") or sys.platform == "darwin", reason="needs Linux")
@pytest.mark.parametrize("killed", [False, True])
def test_a_folder_that_can_not_be_written_can_be_read(tmp_path: Path, killed: bool) -> None:
    """Also where a killed writer left the file in the mode that needs a log beside it."""
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "r.db"
    with open_results(path, write=True) as results:
        results.add(point_of(), trial_of(point_of(), 0))
    if killed:
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.close()
        assert path.read_bytes()[18:20] == b"\x02\x02"
    for place in (*(p for p in tmp_path.parents if p.owner() == path.owner()), tmp_path):
        if place != Path("/") and place.name != "tmp" and place.is_relative_to("/tmp"):
            place.chmod(0o755)
    path.chmod(0o444)
    folder.chmod(0o555)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            if os.getuid() == 0:
                os.setuid(65534)
            with open_results(path) as results:
                code = 0 if len(results.trials()) == 1 else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    folder.chmod(0o755)
    assert os.waitstatus_to_exitcode(status) == 0
    assert sorted(p.name for p in folder.iterdir()) == ["r.db"]


MOUNTS = r"""22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:50 / /home rw shared:2 master:1 - nfs4 server:/home rw
31 30 0:51 / /home/me/scratch rw - xfs /dev/sdb rw
32 22 0:52 / /data\040sets rw - fuse.sshfs host: rw
33 22 0:53 / /over rw - nfs a rw
34 22 0:54 / /over rw - tmpfs b rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/r.db", "ext4"),
        ("/homely/r.db", "ext4"),
        ("/home/me/r.db", "nfs4"),
        ("/home/me/scratch/a/r.db", "xfs"),
        ("/data sets/r.db", "fuse.sshfs"),
        ("/over/r.db", "tmpfs"),
    ],
)
def test_the_file_system_is_that_of_the_innermost_last_mount(path: str, kind: str) -> None:
    assert file_system(Path(path), MOUNTS) == kind


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_the_log_is_used_on_local_disks_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind, journal in (
        ("ext4", "wal"),
        ("nfs", "delete"),
        ("fuse.x", "delete"),
        ("9p", "delete"),
    ):
        text = f"22 1 8:1 / / rw - {kind} /dev/sda1 rw\n"
        monkeypatch.setattr(Path, "read_text", lambda *_, text=text, **__: text)
        assert journal_of(tmp_path / "r.db").lower() == journal
        with open_results(tmp_path / f"{kind}.db", write=True) as results:
            assert results.connection.execute("PRAGMA journal_mode").fetchone() == (journal,)
            results.add(point_of(), trial_of(point_of(), 0))
        assert [p.name for p in tmp_path.glob(f"{kind}.db*")] == [f"{kind}.db"]  # no log is left
        assert plain_rows(tmp_path / f"{kind}.db", "SELECT count(*) FROM trials") == [(1,)]


# Summaries


def test_a_summary_is_the_mean_over_chips_with_their_interval(tmp_path: Path) -> None:
    points = [point_of(bits) for bits in (10, 4, 6, 8)]
    with open_results(tmp_path / "r.db", write=True) as results:
        for point, chips in zip(points, (5, 2, 1, 0), strict=True):
            for number in range(chips):
                results.add(point, trial_of(point, number))
            results.add(point, failed_of(point, 9, "no \u2713"))
        results.add_sweep("some", "x: 1", [points[1].key, "f" * 64, points[0].key])
        whole, some = summarise(results), summarise(results, sweep="some")
        noise, wide = summarise(results, quantity="snr_db"), summarise(results, images=True)
        trials = results.trials(hits=True)
        assert failures(results) == [("no \u2713", 4)]
        assert failures(results, "some") == [("no \u2713", 2)]
    assert (whole.quantity, whole.names) == ("accuracy", ("adc.n_bits",))
    assert [point.values["adc.n_bits"] for point in whole.points] == [4, 6, 8, 10]
    assert [point.values["adc.n_bits"] for point in some.points] == [4, 10]
    assert [(p.done, p.failed) for p in whole.points] == [(2, 1), (1, 1), (0, 1), (5, 1)]
    for summary, name in ((whole, "accuracy"), (noise, "snr_db"), (wide, "accuracy")):
        for row in summary.points:
            done = [t for t in trials if t.point == row.key and t.status == "done"]
            values = np.array([trial.values[name] for trial in done])
            if not done:
                assert (row.mean, row.std, row.interval) == (None, None, None)
                continue
            assert row.mean == pytest.approx(values.mean(), rel=1e-12)
            assert row.seconds == pytest.approx(0.5)
            if len(done) > 1:
                assert row.std == pytest.approx(values.std(ddof=1), rel=1e-9)
            expected = chip_interval(values)
            if summary is wide:
                expected = population_interval(np.stack([known(t.hits) for t in done]))
            if expected is None:
                assert row.interval is None
                continue
            low, high = expected.low, expected.high
            if name == "accuracy":
                low, high = max(low, 0.0), min(high, 1.0)
            assert row.interval == pytest.approx((low, high), rel=1e-9)
    assert some.points[0].mean == whole.points[0].mean


def test_what_varies_is_found_in_the_order_of_the_settings(tmp_path: Path) -> None:
    def settings_with(rows: int, bits: int | None, **rest: Any) -> dict[str, Any]:
        return {"crossbar": {"rows": rows, "cols": 64}, "adc": {"n_bits": bits}, "seed": 0, **rest}

    plain = [
        settings_with(64, 6, layers={}),
        settings_with(64, None, layers={"a.b": {"adc": {"n_bits": 8}}}),
        settings_with(32, 6, iv={"v": [0, 1]}),
    ]
    with open_results(tmp_path / "r.db", write=True) as results:
        for place, values in enumerate(plain):
            network = {"model": f"{place % 2}.onnx", "model_sha256": str(place % 2) * 64}
            point = point_of(place, settings=values, **network)
            results.add(point, trial_of(point, 0))
        summary = summarise(results)
    assert summary.names == (
        "model",
        "crossbar.rows",
        "adc.n_bits",
        "iv.v",
        "layers.a.b.adc.n_bits",
    )
    found = sorted(json.dumps(dict(row.values)) for row in summary.points)
    wanted = (
        ("0.onnx", 64, 6, None, None),
        ("1.onnx", 64, None, None, 8),
        ("0.onnx", 32, 6, [0, 1], None),
    )
    expected = [json.dumps(dict(zip(summary.names, row, strict=True))) for row in wanted]
    assert found == sorted(expected)


def test_a_quantity_that_a_finished_trial_lacks_has_no_mean(tmp_path: Path) -> None:
    point = point_of(metric="none")
    with open_results(tmp_path / "r.db", write=True) as results:
        assert summarise(results).points == ()
        results.add(point, trial_of(point, 0, accuracy=None, hits=None))
        results.add(point, trial_of(point, 1, accuracy=None, hits=None, snr_db=None))
        assert summarise(results).quantity == "agreement"
        assert summarise(results, images=True).points[0].mean == pytest.approx(0.9)
        lacking = summarise(results, quantity="snr_db").points[0]
        assert (lacking.done, lacking.mean, lacking.std, lacking.interval) == (2, None, None, None)
        refused: tuple[tuple[dict[str, Any], str], ...] = (
            ({"quantity": "acuracy"}, "did you mean accuracy"),
            ({"sweep": "x"}, "no sweep"),
        )
        for given, words in refused:
            with pytest.raises(InputError, match=words):
                summarise(results, **given)


@pytest.mark.parametrize(
    ("metric", "name"), [("top1", "accuracy"), ("top5", "top5"), ("mse", "mse")]
)
def test_the_usual_quantity_is_what_the_metric_measures(
    tmp_path: Path, metric: str, name: str
) -> None:
    point = point_of(metric=metric)
    with open_results(tmp_path / "r.db", write=True) as results:
        measured: dict[str, Any] = {name: 0.5}
        results.add(point, trial_of(point, 0, **measured))
        summary = summarise(results)
    assert (summary.quantity, summary.points[0].mean) == (name, 0.5)

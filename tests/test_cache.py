"""Arrays kept by content: the right ones come back, whatever happened to the folder."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rxsim.cache import Cache, content_key

SOME = {"a": np.arange(6.0).reshape(2, 3), "b": np.array([True, False])}


def same(found: dict[str, np.ndarray] | None, wanted: dict[str, np.ndarray]) -> bool:
    return (
        found is not None
        and found.keys() == wanted.keys()
        and all(
            found[k].dtype == wanted[k].dtype and np.array_equal(found[k], wanted[k])
            for k in wanted
        )
    )


def entries(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_what_was_put_comes_back(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "new" / "folder")
    key = content_key("x")
    assert cache.get(key) is None
    cache.put(key, SOME)
    assert same(cache.get(key), SOME)
    assert same(Cache(cache.folder).get(key), SOME)
    assert (cache.hits, cache.misses) == (1, 1)


def test_remember_computes_once(tmp_path: Path) -> None:
    cache, calls = Cache(tmp_path), []

    def compute() -> dict[str, np.ndarray]:
        calls.append(1)
        return SOME

    for _ in range(3):
        assert same(cache.remember("ab" * 32, compute), SOME)
    assert len(calls) == 1


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 nonsense", b"\x93NUMPY", os.urandom(5000)])
def test_a_damaged_entry_is_computed_anew(tmp_path: Path, damage: bytes) -> None:
    cache, key = Cache(tmp_path), content_key("x")
    cache.put(key, SOME)
    (path,) = entries(tmp_path)
    path.write_bytes(damage)
    assert cache.get(key) is None
    assert same(cache.remember(key, lambda: SOME), SOME)
    assert same(cache.get(key), SOME)


def test_every_cut_and_flipped_byte_of_an_entry_is_noticed(tmp_path: Path) -> None:
    cache, key = Cache(tmp_path), content_key("x")
    cache.put(key, SOME)
    (path,) = entries(tmp_path)
    whole = path.read_bytes()
    for at in range(0, len(whole), 7):
        path.write_bytes(whole[:at])
        assert cache.get(key) is None
        flipped = bytearray(whole)
        flipped[at] ^= 0x55
        path.write_bytes(bytes(flipped))
        found = cache.get(key)
        # A byte of a name or a time stamp in the archive does not touch the arrays.
        assert found is None or found.keys() != SOME.keys() or same(found, SOME)


def test_a_pickled_entry_is_never_loaded(tmp_path: Path) -> None:
    cache, key = Cache(tmp_path), content_key("x")
    cache.put(key, SOME)
    (path,) = entries(tmp_path)
    np.savez(path, a=np.array([{"x": 1}], dtype=object), allow_pickle=True)
    assert cache.get(key) is None


def test_the_folder_stays_below_its_limit_and_keeps_what_was_used_last(tmp_path: Path) -> None:
    limit = 2_000_000
    cache = Cache(tmp_path, limit)
    block = np.zeros(8_000)  # 64 kB
    for number in range(100):
        cache.put(content_key(number), {"a": block})
        assert sum(path.stat().st_size for path in entries(tmp_path)) <= 1.1 * limit
        cache.get(content_key(0))
        # File times have a resolution; entries must have an order.
        os.utime(cache._path(content_key(number)), ns=(number, number))
        if cache.get(content_key(0)) is not None:
            os.utime(cache._path(content_key(0)), ns=(10**6 + number, 10**6 + number))
    assert cache.get(content_key(0)) is not None
    assert cache.get(content_key(99)) is not None
    assert cache.get(content_key(3)) is None


def test_what_is_larger_than_the_cache_bears_is_not_kept(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 1000)
    cache.put("ab" * 32, {"a": np.zeros(100)})
    assert entries(tmp_path) == []


def test_what_no_writer_finished_is_cleared_away(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    old, young = tmp_path / "ab" / ".x.tmp", tmp_path / "ab" / ".y.tmp"
    old.parent.mkdir()
    for path in (old, young):
        path.write_bytes(b"half")
    past = time.time() - 7200
    os.utime(old, (past, past))
    cache.put(content_key("x"), SOME)
    assert not old.exists()
    assert young.exists()


def test_a_folder_that_can_not_be_written_is_done_without(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    cache = Cache(blocked / "cache")
    assert same(cache.remember("ab" * 32, lambda: SOME), SOME)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.integers(), st.text(), st.binary(), st.lists(st.integers(), max_size=3), st.none()
        ),
        max_size=4,
    ),
    st.lists(
        st.one_of(
            st.integers(), st.text(), st.binary(), st.lists(st.integers(), max_size=3), st.none()
        ),
        max_size=4,
    ),
)
def test_keys_are_equal_just_for_equal_parts(one: list[object], other: list[object]) -> None:
    alike = len(one) == len(other) and all(
        type(a) is type(b) and a == b for a, b in zip(one, other, strict=True)
    )
    assert (content_key(*one) == content_key(*other)) == alike


def test_keys_tell_shapes_types_and_values_of_arrays_apart() -> None:
    arrays = [
        np.zeros(4),
        np.zeros((2, 2)),
        np.zeros(4, np.float32),
        np.zeros(4, np.int64),
        np.ones(4),
        np.zeros(5),
    ]
    assert len({content_key(array) for array in arrays}) == len(arrays)
    assert content_key(np.arange(6).reshape(2, 3).T) == content_key(
        np.ascontiguousarray(np.arange(6).reshape(2, 3).T)
    )


def test_many_processes_share_a_folder(tmp_path: Path) -> None:
    """Each process finds nothing or the whole truth while others write and make room."""
    script = (
        "import sys, numpy as np\n"
        "from pathlib import Path\n"
        "from rxsim.cache import Cache, content_key\n"
        "cache = Cache(Path(sys.argv[1]), 400_000)\n"
        "rng = np.random.default_rng(int(sys.argv[2]))\n"
        "for _ in range(300):\n"
        "    number = int(rng.integers(40))\n"
        "    array = cache.remember(content_key(number), lambda: {'a': np.full(2000, number)})['a']\n"
        "    assert (array == number).all() and len(array) == 2000\n"
        "print(cache.hits)\n"
    )
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path), str(number)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    found = [int(worker.communicate()[0]) for worker in workers]
    assert all(worker.returncode == 0 for worker in workers)
    assert min(found) > 100

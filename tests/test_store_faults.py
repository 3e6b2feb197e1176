"""What the results file acknowledged stays: killed writers, full disks, several processes."""

import os
import resource
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TextIO

import numpy as np
import pytest
from stored import plain_rows, point_of, trial_of

from rxsim.errors import WriteError
from rxsim.store import open_results

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def forked(work: Callable[[Callable[[object], None]], None]) -> tuple[int, TextIO]:
    """Do some work in another process; return its number and what it says, a line each."""
    reader, sender = os.pipe()

    def say(said: object) -> None:
        os.write(sender, f"{said}\n".encode())

    child = os.fork()
    if child == 0:
        code = 1
        try:
            work(say)
            code = 0
        except WriteError as error:
            os.write(sender, f"{error}\n".encode())
            code = error.exit_code
        finally:
            os._exit(code)
    os.close(sender)
    return child, os.fdopen(reader)


def ended(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def adding(path: Path, numbers: Iterable[int]) -> Callable[[Callable[[object], None]], None]:
    """Return work that adds some trials and says the number of each that is acknowledged."""

    def work(say: Callable[[object], None]) -> None:
        with open_results(path, write=True) as results:
            for number in numbers:
                point = point_of(number % 7)
                results.add(point, trial_of(point, number, images=3000), {"number": number})
                say(number)

    return work


def check_numbers(path: Path, numbers: set[int]) -> set[int]:
    """Check the file with plain SQLite and that the trials of some numbers are whole."""
    assert plain_rows(path, "PRAGMA integrity_check") == [("ok",)]
    assert plain_rows(path, "PRAGMA foreign_key_check") == []
    found = dict(plain_rows(path, "SELECT trial, hits FROM trials"))
    assert numbers <= found.keys()
    for number, hits in found.items():
        expected = trial_of(point_of(number % 7), number, images=3000).hits
        assert expected is not None
        assert hits == np.packbits(expected).tobytes()
    return set(found)


def test_a_killed_writer_loses_no_acknowledged_trial(tmp_path: Path) -> None:
    """Twelve writers one after the other, each killed at a random moment, the first ones early."""
    path = tmp_path / "r.db"
    rng = np.random.default_rng(5)
    acknowledged: set[int] = set()
    begun = 0
    for moment in range(12):
        child, said = forked(adding(path, range(begun, begun + 100_000)))
        time.sleep(float(rng.uniform(0, 0.03 if moment < 4 else 0.3)))
        os.kill(child, signal.SIGKILL)
        with said:
            acknowledged |= set(map(int, said))
        assert ended(child) == -signal.SIGKILL
        with open_results(path, write=True):
            pass
        begun = max(check_numbers(path, acknowledged), default=-1) + 1
    assert len(acknowledged) > 10


def test_two_writers_at_once_both_finish(tmp_path: Path) -> None:
    """They make the file together; a third of what they add is the same."""
    path = tmp_path / "r.db"
    parts = [range(0, 60, 2), range(0, 90, 3)]
    writers = [forked(adding(path, part)) for part in parts]
    said = [list(map(int, lines)) for _, lines in writers]
    assert [ended(child) for child, _ in writers] == [0, 0]
    assert said == [list(part) for part in parts]
    assert check_numbers(path, set(said[0] + said[1])) == set(said[0] + said[1])
    assert [p.name for p in tmp_path.iterdir()] == ["r.db"]


def test_a_reader_sees_one_moment_while_another_writes(tmp_path: Path) -> None:
    path, point = tmp_path / "r.db", point_of()
    with open_results(path, write=True) as results:
        results.add(point, trial_of(point, 0))
        with open_results(path) as reader, reader.snapshot():
            assert len(reader.trials()) == 1
            results.add(point, trial_of(point, 1))
            assert len(reader.trials()) == 1
        with open_results(path) as reader:
            assert len(reader.trials()) == 2
            with pytest.raises(WriteError):
                reader.add(point, trial_of(point, 2))


def test_a_full_database_is_one_sentence_and_the_file_stays_whole(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    with open_results(path, write=True) as results:
        pages = results.connection.execute("PRAGMA page_count").fetchone()[0]
        results.connection.execute(f"PRAGMA max_page_count = {pages + 8}")
        added = 0
        sentence = ""
        while not sentence:
            try:
                results.add(point_of(added), trial_of(point_of(added), 0, images=5000))
                added += 1
            except WriteError as error:
                sentence = str(error)
        assert "the disk is full; earlier trials are safe; free space and run" in sentence
        assert len(results.trials()) == added > 0
        results.connection.execute("PRAGMA max_page_count = 100000")
        results.add(point_of(added), trial_of(point_of(added), 0, images=5000))
    assert plain_rows(path, "SELECT count(*) FROM trials") == [(added + 1,)]
    assert plain_rows(path, "SELECT count(*) FROM points") == [(added + 1,)]
    assert plain_rows(path, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize("journal", ["WAL", "DELETE"])
def test_a_file_that_may_not_grow_stops_cleanly_and_goes_on_later(
    tmp_path: Path, journal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rxsim.store.connection.journal_of", lambda _: journal)
    path = tmp_path / "r.db"

    def work(say: Callable[[object], None]) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        adding(path, range(2000))(say)

    child, lines = forked(work)
    *numbers, sentence = lines.read().splitlines()
    assert ended(child) == 4
    assert "earlier trials are safe; free space and run the same command again" in sentence
    assert numbers
    assert check_numbers(path, set(map(int, numbers))) == set(map(int, numbers))
    with open_results(path, write=True) as results:
        number = len(numbers)
        results.add(point_of(number % 7), trial_of(point_of(number % 7), number, images=3000))
    check_numbers(path, set(range(number + 1)))

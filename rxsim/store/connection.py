"""Connections to results files: what may be opened, how it is locked, and what failures mean."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from rxsim.errors import InputError, RxsimError, WriteError
from rxsim.files import check_destination
from rxsim.metrics import all_metrics
from rxsim.store.tables import APPLICATION_ID, VERSION, create_tables

BUSY_SECONDS = 60.0
"""How long one process waits for another that writes; a trial is written in milliseconds."""

# Write-ahead logs need memory shared by all processes, which only file systems of one machine have.
# Other file systems get the rollback journal, which works everywhere.
_LOCAL = {
    *("bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "jfs", "ntfs3", "overlay"),
    *("ramfs", "reiserfs", "tmpfs", "vfat", "xfs", "zfs"),
}
_SMALLEST_PAGE = 512  # Source: SQLite's file format, section 1.3.2
_SAFE = "earlier trials are safe"


def connect(path: Path, *, write: bool) -> sqlite3.Connection:
    """Open a results file, or make it.

    Args:
        path: the file.
        write: create it if it is not there, and journal as its file system allows.

    Raises:
        InputError: the file is missing, of another kind, of a newer version or damaged.
        WriteError: it can't be written.
    """
    if write:
        check_destination(path)
    _check_kind(path, write)
    with explained_errors(path, writing=write):
        connection = _connected(path, write)
        try:
            empty = _check_content(connection, path)
            if write:
                _set_journal(connection, journal_of(path))
                connection.execute("PRAGMA foreign_keys = ON")
                if empty:
                    _create(connection, path)
            elif empty:
                raise InputError(
                    f"{path} holds no results yet, expected a file that 'rxsim sweep' has written; "
                    "check the path"
                )
        except BaseException:
            connection.close()
            raise
    return connection


def disconnect(connection: sqlite3.Connection, *, write: bool) -> None:
    """Close a connection; the last writer leaves a single plain file, without a log beside it."""
    if write and not connection.in_transaction:
        with contextlib.suppress(sqlite3.Error):  # others are at work, or the disk is full
            connection.execute("PRAGMA busy_timeout = 0")
            connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()


@contextlib.contextmanager
def explained_errors(path: Path, *, writing: bool) -> Iterator[None]:
    """Turn SQLite's errors into a sentence about the file."""
    try:
        yield
    except sqlite3.ProgrammingError:
        raise
    except sqlite3.Error as error:
        raise _sentence(path, error, writing) from None


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    """Write all changes made inside, or none of them."""
    with explained_errors(path, writing=True):
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
            raise


def journal_of(path: Path) -> str:
    """Return the journal that suits the file system of a path: WAL or DELETE."""
    if not sys.platform.startswith("linux"):
        return "DELETE"
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return "DELETE"
    return "WAL" if file_system(path.resolve(), mounts) in _LOCAL else "DELETE"


def file_system(path: Path, mounts: str) -> str | None:
    """Return the type of the file system that a path lies on.

    Args:
        path: absolute, without links.
        mounts: the text of /proc/self/mountinfo (proc(5)); the last of several mounts at one place
            hides the others.
    """
    nearest: tuple[int, str] | None = None
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields, rest = before.split(" "), after.split(" ")
        if len(fields) < 5 or not rest[0]:
            continue
        place = Path(_unescaped(fields[4]))
        depth = len(place.parts)
        if path.is_relative_to(place) and (nearest is None or depth >= nearest[0]):
            nearest = depth, rest[0]
    return None if nearest is None else nearest[1]


def _unescaped(text: str) -> str:
    """Undo the octal escapes of spaces, tabs, line ends and backslashes."""
    for letter in " \t\n\\":
        text = text.replace(f"\\{ord(letter):03o}", letter)
    return text


def _check_kind(path: Path, write: bool) -> None:
    """Refuse paths that are no file, and a missing file unless it is to be made."""
    try:
        if path.is_file() or (write and not path.exists()):
            return
        missing = not path.exists()
    except OSError as error:
        raise InputError(
            f"the results {path} can't be read: {error.strerror or error}; check the path"
        ) from None
    problem = "do not exist" if missing else "are a folder or a device"
    raise InputError(
        f"the results {path} {problem}, expected a file that 'rxsim sweep' has written; check the path"
    )


def _connected(path: Path, write: bool) -> sqlite3.Connection:
    """Connect and read a little, so that what can't be opened fails here."""
    modes = ["mode=rwc"] if write else ["mode=ro"]
    if not write and _is_at_rest(path):
        # A log can't be made beside a file on read-only media. Nobody can write there either.
        modes.append("mode=ro&immutable=1")
    for mode in modes:
        connection = sqlite3.connect(
            f"file:{quote(os.fsencode(path.absolute()))}?{mode}",
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
        )
        try:
            connection.execute("PRAGMA application_id").fetchone()
        except BaseException as error:
            connection.close()
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if mode == modes[-1] or code not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
                raise
        else:
            return connection
    raise AssertionError("unreachable")


def _is_at_rest(path: Path) -> bool:
    """Tell whether no log with unfinished business lies beside the file."""
    for ending in ("-wal", "-journal"):
        beside = path.with_name(path.name + ending)
        if beside.exists() and beside.stat().st_size:
            return False
    return True


def _check_content(connection: sqlite3.Connection, path: Path) -> bool:
    """Refuse files of others, of later versions and cut ones; tell whether the file is empty.

    Raises:
        InputError: it is such a file.
    """
    connection.execute("BEGIN")  # all reads here see the same state of the file
    try:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if application == 0 and tables == 0 and version == 0:
            _check_nothing(path)
            return True
        if application != APPLICATION_ID:
            raise InputError(
                f"{path} is a SQLite file of another program, expected a file that 'rxsim sweep' has "
                "written; check the path"
            )
        if version > VERSION:
            raise InputError(
                f"{path} has version {version} of the results file, expected {VERSION} or below; "
                "update rxsim"
            )
        _check_length(connection, path)
        return False
    finally:
        connection.execute("COMMIT")


def _check_nothing(path: Path) -> None:
    """Refuse what is too short for SQLite to look at: it would be overwritten.

    The file must not be opened to look inside: closing it would drop SQLite's locks on it.
    """
    size = path.stat().st_size
    if 0 < size < _SMALLEST_PAGE:
        raise InputError(
            f"{path} has {size} bytes and is not a results file, expected one that 'rxsim sweep' has "
            "written; check the path"
        )


def _check_length(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a file that has lost its end, as a broken copy has."""
    if not _is_at_rest(path):  # its last pages may be in the log
        return
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    expected = pages * connection.execute("PRAGMA page_size").fetchone()[0]
    size = path.stat().st_size
    if size < expected:
        raise InputError(
            f"{path} is cut off: it has {size:,} bytes, expected {expected:,}; copy it again"
        )


def _set_journal(connection: sqlite3.Connection, journal: str) -> None:
    """Choose the journal; where others hold the file, it keeps the journal that it has.

    Commits wait for the disk (FULL): against the seconds that a trial takes this is nothing, and a
    trial survives a power cut as well as a killed process.
    """
    connection.execute("PRAGMA synchronous = FULL")
    until = time.monotonic() + 2.0
    while True:
        try:
            connection.execute(f"PRAGMA journal_mode = {journal}")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
        if time.monotonic() > until:
            return
        time.sleep(0.02)


def _create(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables, unless another process was quicker."""
    with transaction(connection, path):
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            return
        create_tables(connection, tuple(all_metrics()))


def _sentence(path: Path, error: sqlite3.Error, writing: bool) -> RxsimError:
    """Say what happened to the file and what to do."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_NOTADB:
        return InputError(
            f"{path} is not a results file, expected one that 'rxsim sweep' has written; check the "
            "path"
        )
    if code == sqlite3.SQLITE_CORRUPT:
        return InputError(
            f"{path} is damaged ({error}); copy it again, or save what is left with "
            "'sqlite3 FILE .recover'"
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        kind = WriteError if writing else InputError
        return kind(
            f"{path} has been locked by another process for {BUSY_SECONDS:g} s; {_SAFE}; wait for it "
            "or end it, and run the same command again"
        )
    if code == sqlite3.SQLITE_CONSTRAINT:
        return InputError(
            f"{path} refused a row that contradicts others ({error}); check that all files are "
            "results of this version of rxsim"
        )
    if not writing:
        return InputError(f"the results {path} can't be read: {error}; check the file")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return WriteError(
            f"{path} can't be written: {error}; allow it for the file and its folder, or choose "
            "another place"
        )
    reason = "the disk is full" if code == sqlite3.SQLITE_FULL else str(error)
    return WriteError(
        f"{path} can't be written: {reason}; {_SAFE}; free space and run the same command again"
    )

"""Read a results file with SQL, without being able to change anything."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rxsim.errors import InputError
from rxsim.store.connection import connect

# Functions are those of SQLite itself: nothing is loaded. ATTACH and PRAGMA are not among these.
_ALLOWED = {
    *(sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION),
    sqlite3.SQLITE_RECURSIVE,
}
_STEPS_BETWEEN_SIGNALS = 100_000


class Query:
    """The answer to a statement; a context manager.

    Attributes:
        names: of the columns.
    """

    def __init__(self, path: Path, sql: str) -> None:
        """Ask; see `Query.rows` for the answer.

        Raises:
            InputError: the file can't be read, or the statement is wrong or would write.
        """
        self._connection = connect(path, write=False)
        try:
            self._connection.execute("PRAGMA query_only = ON")
            self._connection.set_authorizer(_only_reading)
            # Python acts upon an interrupt between two of its own steps only: give it some.
            self._connection.set_progress_handler(lambda: 0, _STEPS_BETWEEN_SIGNALS)
            self._cursor = self._run(sql)
        except BaseException:
            self._connection.close()
            raise
        self.names = tuple(column[0] for column in self._cursor.description)

    def __enter__(self) -> Query:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def _run(self, sql: str) -> sqlite3.Cursor:
        try:
            cursor = self._connection.execute(sql)
        except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
            raise _sentence(error) from None
        if cursor.description is None:
            raise InputError(
                'the statement has no answer, expected one SELECT; for instance "SELECT model, '
                'avg(accuracy) FROM results GROUP BY point"'
            )
        return cursor

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of the answer as they are found.

        Raises:
            InputError: a row can't be computed or read.
        """
        while True:
            try:
                rows = self._cursor.fetchmany(500)
            except sqlite3.Error as error:
                raise _sentence(error) from None
            if not rows:
                return
            yield from rows


def _only_reading(action: int, *_: object) -> int:
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY


def _sentence(error: Exception) -> BaseException:
    """Tell in one sentence what is wrong with a statement."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_INTERRUPT:
        return KeyboardInterrupt()
    if code in (sqlite3.SQLITE_AUTH, sqlite3.SQLITE_READONLY):
        return InputError(
            "the statement does more than read, expected one SELECT; results are changed by "
            "'rxsim sweep' and 'rxsim results merge' only"
        )
    return InputError(
        f"the SQL can't be run: {' '.join(str(error).split())}; 'SELECT * FROM results LIMIT 1' shows "
        "the columns, and json_extract(settings, '$.adc.n_bits') reads a setting"
    )

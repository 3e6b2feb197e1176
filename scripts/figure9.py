"""Evaluate networks on arrays of 16, 32, 64 and 128 rows, as Fig. 9 of Jain et al. (2019) does.

Usage: RXSIM_ASSETS=FOLDER python scripts/figure9.py -o RESULTS [--compensate-at 128] [..]
       python scripts/figure9.py -o RESULTS --quick

The hardware is configs/rxnn-64.yaml with a write error. Each row is a sweep of a single point, run
by `rxsim sweep` in a process of its own, so that its time and memory are known. RESULTS is a folder:
figure9.sqlite (which `rxsim results`, `report` and `plot` read), table.md, changes.md, table.csv,
figure9.svg. The same command goes on where it was stopped; what is there is not computed again.
--quick takes the shipped networks on few images, and needs no RXSIM_ASSETS.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from figure9_rows import ALL, PUBLIC, SHIPPED, SIZES, Row, missing, rows_of
from figure9_shown import Outcome, as_csv, changes, figure, markdown, outcome
from measured_run import measured

from rxsim.errors import RxsimError
from rxsim.files import write_atomically
from rxsim.store import open_results

QUICK_SIZES, QUICK_IMAGES, QUICK_CHIPS = (16, 64), 60, 2


class Record:
    """The folder of results.

    Attributes:
        results: the results file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._took = folder, folder / "took.json"
        self.results = folder / "figure9.sqlite"
        (folder / "rows").mkdir(parents=True, exist_ok=True)

    def is_whole(self, row: Row) -> bool:
        """Whether all chips of a row are there; writes its sweep file."""
        with open_results(self.results, write=True) as results:
            return not missing(row.write(self._folder / "rows"), results)

    def run(self, row: Row, memory: float) -> bool:
        """Run what is missing of a row; return whether that went well.

        Args:
            row: the row.
            memory: GB, at most.
        """
        sweep = row.write(self._folder / "rows")
        options = ["--workers", "1", "--memory", str(memory), "--cache", "none", "--quiet"]
        took = measured(["rxsim", "sweep", str(sweep), "-o", str(self.results), *options])
        before = self.took().get(row.name, {"processor_seconds": 0.0, "megabytes": 0.0})
        now = {
            "processor_seconds": before["processor_seconds"] + took.processor_seconds,
            "megabytes": max(before["megabytes"], took.megabytes),
        }
        write_atomically(self._took, json.dumps({**self.took(), row.name: now}, indent=1).encode())
        return took.exit_code == 0

    def took(self) -> dict[str, dict[str, float]]:
        """Return processor_seconds and megabytes by row."""
        return dict(json.loads(self._took.read_text())) if self._took.exists() else {}

    def outcomes(self, rows: Sequence[Row]) -> list[Outcome]:
        """Return what those rows came to that are there."""
        with open_results(self.results) as results:
            found = [outcome(row, results, self.took().get(row.name, {})) for row in rows]
        return [each for each in found if each is not None]

    def show(self, rows: Sequence[Row]) -> str:
        """Write tables and figure of the rows that are there; return the table."""
        known = self.outcomes(rows)
        with open_results(self.results) as results:
            paired = changes(known, results)
        texts = {"table.md": markdown(known), "table.csv": as_csv(known), "changes.md": paired}
        for name, text in texts.items():
            write_atomically(self._folder / name, text.encode())
        if known:
            write_atomically(self._folder / "figure9.svg", figure(known))
        return markdown(known)


def arguments(words: Sequence[str]) -> argparse.Namespace:
    """Read the command line.

    Raises:
        SystemExit: it can't be used.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, required=True, help="a folder")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--networks", default="", help=f"some of {', '.join(ALL)}")
    parser.add_argument("--sizes", help="such as 16,64")
    parser.add_argument("--compensate-at", default="", help="sizes, such as 128")
    parser.add_argument("--retrained", action="append", default=[], metavar="NETWORK:SIZE=FILE")
    parser.add_argument("--images", type=int, help="at most")
    parser.add_argument("--chips", type=int, help="at most")
    parser.add_argument("--memory", type=float, default=4.0, help="GB of a row's process")
    parser.add_argument("--show", action="store_true", help="run nothing: tables and figure anew")
    return parser.parse_args(words)


def rows_wanted(given: argparse.Namespace) -> list[Row]:
    """Return the rows of a command line.

    Raises:
        SystemExit: a network is not known, or its folder is not named.
    """
    names = [name for name in given.networks.split(",") if name]
    unknown = [name for name in names if name not in ALL]
    if unknown:
        sys.exit(f"--networks: found {', '.join(unknown)}, expected some of {', '.join(ALL)}")
    names = names or list(SHIPPED if given.quick else ALL)
    if any(name in PUBLIC for name in names) and "RXSIM_ASSETS" not in os.environ:
        sys.exit(
            "set RXSIM_ASSETS to the folder of networks and data that docs/evidence/networks.md names, "
            f"or choose --networks {','.join(SHIPPED)}"
        )
    most = (given.images, given.chips)
    if given.quick:
        most = (given.images or QUICK_IMAGES, given.chips or QUICK_CHIPS)
    sizes = _numbers(given.sizes) if given.sizes else QUICK_SIZES if given.quick else SIZES
    files = dict(map(_retrained, given.retrained))
    return list(rows_of(names, sizes, _numbers(given.compensate_at), files, most))


def _retrained(text: str) -> tuple[tuple[str, int], Path]:
    """Read NETWORK:SIZE=FILE."""
    match = re.fullmatch(r"(\w+):(\d+)=(.+)", text)
    if match is None or match[1] not in ALL:
        sys.exit(
            f"--retrained: found {text!r}, expected NETWORK:SIZE=FILE, trained for arrays of SIZE"
        )
    if not Path(match[3]).is_file():
        sys.exit(f"--retrained: found no file {match[3]}, expected what rxsim retrain wrote")
    return (match[1], int(match[2])), Path(match[3])


def _numbers(text: str) -> list[int]:
    try:
        return [int(word) for word in text.split(",") if word]
    except ValueError:
        sys.exit(f"found the sizes {text!r}, expected whole numbers with commas between them")


def main(words: Sequence[str]) -> None:
    """Run the rows, then write tables and figure."""
    given = arguments(words)
    rows = rows_wanted(given)
    record, failed = Record(given.output), []
    try:
        for row in [] if given.show else rows:
            if record.is_whole(row):
                continue
            if not record.run(row, given.memory):
                failed.append(row.name)
            print("".join(markdown(record.outcomes([row])).splitlines()[2:]), flush=True)
        print(f"\n{record.show(rows)}")
    except RxsimError as error:
        sys.exit(str(error))
    if failed:
        sys.exit(f"failed, see 'rxsim results show {record.results}': {'; '.join(failed)}")


if __name__ == "__main__":
    main(sys.argv[1:])

"""The folder of figure9.py: which rows it holds, what they took, their tables and figure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from figure9_rows import ALL, Row
from figure9_shown import VARIANTS, Outcome, as_csv, changes, figure, markdown, outcome
from measured_run import measured
from script_options import make_folder, refuse

from rxsim.files import write_atomically
from rxsim.store import open_results, summarise
from rxsim.sweep import read_plan


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A row as the folder remembers it.

    Attributes:
        row: the row.
        point: the key of its point in the results: what its network, data and settings are.
        processor_seconds: that its chips took so far.
        megabytes: peak memory of the largest of its processes.
    """

    row: Row
    point: str
    processor_seconds: float = 0.0
    megabytes: float = 0.0


class Record:
    """The folder of results.

    Attributes:
        results: the results file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._rows = make_folder(folder), make_folder(folder / "rows")
        self._file = folder / "rows.json"
        self.results = folder / "figure9.sqlite"
        self._kept = self._read()

    def _read(self) -> dict[str, Kept]:
        """Return the rows that the folder remembers, by name."""
        if not self._file.exists():
            return {}
        try:
            listed = json.loads(self._file.read_text(encoding="utf-8"))
            kept = [Kept(**{**each, "row": Row.from_json(each["row"])}) for each in listed]
        except (ValueError, KeyError, TypeError, OSError):
            refuse(
                f"found {self._file} that can't be read, expected what this script wrote; remove it: "
                "finished chips stay in figure9.sqlite, only times and memory are lost"
            )
        return {each.row.name: each for each in kept}

    def _keep(self, each: Kept) -> None:
        self._kept[each.row.name] = each
        listed = [{**asdict(kept), "row": kept.row.as_json()} for kept in self._kept.values()]
        write_atomically(self._file, json.dumps(listed, indent=1).encode())

    def is_whole(self, row: Row) -> bool:
        """Tell whether all chips of a row are there; from now on the row is what it says here."""
        plan = read_plan(row.write(self._rows))
        (point,) = plan.points
        before = self._kept.get(row.name)
        if before is None or before.point != point.point.key:
            before = Kept(row=row, point=point.point.key)
        self._keep(replace(before, row=row))
        keys = [point.trial_key(trial) for trial in range(plan.trials if point.is_random else 1)]
        with open_results(self.results, write=True) as results:
            done = results.status(keys)
        return all(done.get(key) == "done" for key in keys)

    def run(self, row: Row, memory: str) -> bool:
        """Run what is missing of a row that `is_whole` looked at; return whether that went well.

        Args:
            row: the row.
            memory: at most, such as 4GB.
        """
        sweep = row.file(self._rows)
        options = ["--workers", "1", "--memory", memory, "--cache", "none", "--quiet"]
        took = measured(["rxsim", "sweep", str(sweep), "-o", str(self.results), *options])
        before = self._kept[row.name]
        self._keep(
            replace(
                before,
                processor_seconds=before.processor_seconds + took.processor_seconds,
                megabytes=max(before.megabytes, took.megabytes),
            )
        )
        return took.exit_code == 0

    def outcomes(self, names: Sequence[str] | None = None) -> list[Outcome]:
        """Return what rows came to, those of a network side by side.

        Args:
            names: of the rows; all that the folder holds where left out.
        """
        kept = [self._kept[name] for name in names or self._kept if name in self._kept]
        if not self.results.exists():
            return []
        with open_results(self.results) as results:
            these = {p.key: p for p in summarise(results, quantity="accuracy").points}
            new = {p.key: p for p in summarise(results, quantity="accuracy", images=True).points}
            points = results.points(
                [each.point for each in kept if each.point in these], details=True
            )
        details = {point.key: point.details for point in points}
        told = [
            outcome(
                each.row,
                these[each.point],
                new[each.point].interval,
                details[each.point],
                (each.processor_seconds, each.megabytes),
            )
            for each in sorted(kept, key=lambda each: _place(each.row))
            if details.get(each.point) is not None and these[each.point].mean is not None
        ]
        return told

    def show(self) -> str:
        """Write tables and figure of all rows that the folder holds; return the table."""
        known = self.outcomes()
        texts = {"table.md": markdown(known), "table.csv": as_csv(known)}
        if known:
            points = {each.row.name: each.point for each in self._kept.values()}
            with open_results(self.results) as results:
                texts["changes.md"] = changes(known, points, results)
        for name, text in texts.items():
            write_atomically(self._folder / name, text.encode())
        if any(each.row.variant == "plain" for each in known):
            write_atomically(self._folder / "figure9.svg", figure(known))
        return markdown(known)


def _place(row: Row) -> tuple[Any, ...]:
    """Return a key that brings rows of a network together: the figure's networks first."""
    names = list(ALL)
    name = row.network.name
    return (
        names.index(name) if name in ALL else len(names),
        name,
        row.network.scopes.index(row.scope),
        VARIANTS.index(row.variant),
        row.size,
    )

"""Results as the interface returns them: they print as tables, in a notebook too."""

from __future__ import annotations

import html
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import onnx
from rich.table import Table

from rxsim import comparison, explain, pipeline
from rxsim.config import Settings
from rxsim.cost.price import network as cost
from rxsim.errors import InputError
from rxsim.report.comparison_terminal import (
    comparison_notes,
    comparison_tables,
    verdict_sentence,
)
from rxsim.report.compensation_terminal import compensation_notes, compensation_table
from rxsim.report.cost_brief import brief_lines
from rxsim.report.cost_terminal import print_cost
from rxsim.report.explain_terminal import print_explanation
from rxsim.report.notebook import as_frame, as_html, as_text, printed
from rxsim.report.over_time_terminal import over_time_table
from rxsim.report.retrain_terminal import print_training
from rxsim.report.statistics_notes import chips_note, yield_notes
from rxsim.report.terminal import inventory_tables, ladder_table
from rxsim.report.verification_terminal import verification_table
from rxsim.retrain.result import Training

Shown = TypeVar("Shown")


class Evaluation(pipeline.Evaluation):
    """All that an evaluation found; it prints as the ladder, what compensation did, and over time."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Write the ladder as a table of text, and what has to be said of it."""
        return "\n".join([as_text(self._tables()), *self._notes()])

    def _repr_html_(self) -> str:
        """Write the ladder for a notebook."""
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self._notes())
        return as_html(self._tables()) + notes

    def _tables(self) -> list[Table]:
        steps = [] if self.compensation is None else [compensation_table(self.compensation)]
        over_time = [over_time_table(self)] if len(self.over_time) > 1 else []
        return [ladder_table(self), *steps, *over_time]

    def _notes(self) -> list[str]:
        needed = chips_note(self)
        asked = [] if self.compensation is None else compensation_notes(self.compensation)
        asked += [] if needed is None else [needed]
        if self.yield_at is not None:
            asked += yield_notes(self)
        asked += [] if self.cost is None else brief_lines(self.cost)
        return [*asked, *(f"Note: {remark}." for remark in self.remarks.values())]

    def to_frame(self, what: str = "ladder") -> Any:
        """Return the rungs, the layers, or the built chips over time as a pandas table.

        Args:
            what: "ladder" (a row a rung), "layers" (a row a layer) or "over_time" (a row a time, by
                seconds).

        Raises:
            InputError: pandas is not installed, or there is no such table.
        """
        if what == "layers":
            return as_frame([row.as_json() for row in self.layers], "name")
        if what == "over_time":
            rows = [{"time": item.seconds, **item.rung.summary()} for item in self.over_time]
            return as_frame(rows, "time")
        if what != "ladder":
            raise InputError(
                f"to_frame: found {what!r}, expected ladder, layers or over_time; choose one"
            )
        return as_frame([{"rung": rung.name, **rung.summary()} for rung in self.ladder], "rung")


class Explanation(explain.Explanation):
    """Why accuracy fell; it prints as `rxsim explain` does."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Write the verdict and the tables as text."""
        return printed(lambda console: print_explanation(self, console))

    def _repr_html_(self) -> str:
        """Write the same for a notebook."""
        return f"<pre>{html.escape(repr(self))}</pre>"

    def to_frame(self, what: str = "effects") -> Any:
        """Return the effects, the layers, or the remedies as a pandas table.

        Args:
            what: "effects" (a row an effect), "layers" (a row a layer) or "attempts" (a row a remedy).

        Raises:
            InputError: pandas is not installed, or there is no such table.
        """
        rows = {
            "effects": None if self.effects is None else self.effects.rows,
            "layers": None if self.layers is None else self.layers.rows,
            "attempts": self.attempts,
        }
        chosen = rows.get(what)
        if chosen is None:
            known = ", ".join(name for name, table in rows.items() if table is not None)
            raise InputError(f"to_frame: found {what!r}, expected one of {known}; choose one")
        return as_frame(
            [row.as_json() for row in chosen], "title" if what == "attempts" else "name"
        )


class NetworkCost(cost.NetworkCost):
    """What a network costs; it prints as `rxsim cost` does."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Write the totals, the components, the layers, and what the numbers leave out as text."""
        return printed(lambda console: print_cost("Cost", self, {}, console))

    def _repr_html_(self) -> str:
        """Write the same for a notebook."""
        return f"<pre>{html.escape(repr(self))}</pre>"

    def to_frame(self, what: str = "components") -> Any:
        """Return the components or the layers as a pandas table, by name.

        Args:
            what: "components" or "layers".

        Raises:
            InputError: pandas is not installed, or there is no such table.
        """
        if what not in ("components", "layers"):
            raise InputError(f"to_frame: found {what!r}, expected components or layers; choose one")
        return as_frame([each.as_json() for each in getattr(self, what)], "name")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class Retraining(Training):
    """The curve of a training; it prints as `rxsim retrain` does.

    Attributes:
        model: the trained network: the user's model with other values in its initialisers.
        settings: what it is for: the settings that were given, with input ranges that were held on to.
    """

    model: onnx.ModelProto
    settings: Settings

    def __repr__(self) -> str:
        """Write the curve as a table of text."""
        return printed(lambda console: print_training(self, "model", {}, console))

    def _repr_html_(self) -> str:
        """Write the same for a notebook."""
        return f"<pre>{html.escape(repr(self))}</pre>"

    def to_frame(self) -> Any:
        """Return the curve as a pandas table, a row a refresh, by iteration.

        Raises:
            InputError: pandas is not installed.
        """
        return as_frame(self.as_json()["points"], "iteration")


class Inventory(pipeline.Inventory):
    """What is mapped and what is not; it prints as the tables of `rxsim map`."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Write the layers and what stays digital as tables of text."""
        return as_text(inventory_tables(self))

    def _repr_html_(self) -> str:
        """Write the layers and what stays digital for a notebook."""
        return as_html(inventory_tables(self))

    def to_frame(self) -> Any:
        """Return the mapped layers as a pandas table, a row a layer.

        Raises:
            InputError: pandas is not installed.
        """
        return as_frame(self.as_json()["layers"], "name")


class Comparison(comparison.Comparison):
    """Two evaluations, chip by chip; it prints as `rxsim compare` does."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Write the change, what differs, and the verdict as text."""
        return "\n".join([as_text(comparison_tables(self)), *self._lines()])

    def _repr_html_(self) -> str:
        """Write the change, what differs, and the verdict for a notebook."""
        lines = "".join(f"<p>{html.escape(line)}</p>" for line in self._lines())
        return as_html(comparison_tables(self)) + lines

    def _lines(self) -> list[str]:
        return [*comparison_notes(self), verdict_sentence(self)]


class Verification(pipeline.Verification):
    """Solved arrays against an independent solver; it prints as the table of `rxsim verify`."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Write the errors by layer as a table of text."""
        return as_text([verification_table(self)])

    def _repr_html_(self) -> str:
        """Write the errors by layer for a notebook."""
        return as_html([verification_table(self)])


def shown(result: Any, kind: type[Shown]) -> Shown:
    """Return a result of the pipeline as the class of the same name that prints as a table."""
    return kind(**{field.name: getattr(result, field.name) for field in fields(result)})

"""The built chips at several times, and what programming took, on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rxsim.counted import counted
from rxsim.durations import written
from rxsim.metrics import all_metrics, chosen_metric
from rxsim.pipeline import Evaluation
from rxsim.report.rung_cells import main_cells, mean_cell
from rxsim.report.work_shares import percent


def print_over_time(result: Evaluation, console: Console) -> None:
    """Print the built chips at each time, where there are several times."""
    if len(result.over_time) > 1:
        first = written(result.over_time[0].seconds)
        console.print(f"The ladder and the numbers by layer are those at {first}.", soft_wrap=True)
        console.print(over_time_table(result))
        console.print(escape(circumstances(result.settings)), soft_wrap=True)


def print_programming(result: Evaluation, console: Console) -> None:
    """Print what programming took, where cells are verified."""
    pulses = result.pulses
    if pulses is not None and pulses.cells:
        console.print(
            f"Programming (first chip): {counted(pulses.cells, 'cell')}, "
            f"{_per_cell(pulses.total / pulses.cells)} per cell, {pulses.worst} at worst; "
            f"{percent(pulses.not_accepted / pulses.cells)} not accepted.",
            soft_wrap=True,
        )


def _per_cell(pulses: float) -> str:
    text = f"{pulses:.3g}"
    return f"{text} pulse{'' if text == '1' else 's'}"


def print_drift_factors(result: Evaluation, console: Console) -> None:
    """Print the smallest and largest factor that compensates drift, at each time."""
    at_times = {item.seconds: item.drift_factors for item in result.over_time}
    if not any(at_times.values()):
        seconds = float(result.settings["device"]["time"])
        rows = result.layers
        at_times = {
            seconds: {
                row.place.name: row.drift_factor for row in rows if row.drift_factor is not None
            }
        }
    texts = [f"{written(at)}: {_span(factors)}" for at, factors in at_times.items() if factors]
    if texts:
        kind = result.settings.get("drift_compensation", "none")
        what = "mean over the columns of each layer" if kind == "column" else "one a layer"
        text = f"Factors of drift compensation (first chip; {what}): {'; '.join(texts)}."
        console.print(escape(text), soft_wrap=True)


def _span(factors: Mapping[str, float]) -> str:
    """Write the smallest and the largest of several factors, with their layers."""
    low, high = (choose(factors, key=lambda name: factors[name]) for choose in (min, max))
    text = f"{factors[low]:.4g} ({low})"
    return text if low == high else f"{text} to {factors[high]:.4g} ({high})"


def over_time_table(result: Evaluation) -> Table:
    """Return the built chips at each time: the metric, its intervals, its change, all other metrics."""
    summaries = [(item.seconds, item.rung.summary()) for item in result.over_time]
    floating = result.rung("float32").summary()
    main = chosen_metric(result.metric)
    others = {
        name: metric
        for name, metric in all_metrics().items()
        if metric.in_ladder and name != main and any(rung[name] for _, rung in summaries)
    }
    start = next((summary for seconds, summary in summaries if seconds == 0), None)
    against, reference = ("float32", floating) if start is None else ("0 s", start)
    table = Table(title=f"Over time ({result.over_time[0].rung.name})", title_justify="left")
    table.add_column("time", justify="right")
    if main is not None:
        title = all_metrics()[main].title
        for column in (title, "std", "95 % these images", "95 % new images", f"against {against}"):
            table.add_column(column, justify="right")
    for metric in others.values():
        table.add_column(metric.title_beside or metric.title, justify="right")
    for seconds, summary in summaries:
        row = [written(seconds)]
        if main is not None:
            change = summary[main]["mean"] - reference[main]["mean"]
            row += [*main_cells(summary[main]), f"{change:+z.4f}"]
        row += [mean_cell(summary[name], metric) for name, metric in others.items()]
        table.add_row(*row)
    return table


def circumstances(settings: Mapping[str, Any]) -> str:
    """Say what holds at all times: which chips, how they are corrected and programmed anew.

    Args:
        settings: of the evaluation, plain.
    """
    refresh = settings["device"].get("refresh")
    again = "never" if refresh is None else f"every {written(float(refresh))}"
    return (
        "The same chips at each time; drift_compensation: "
        f"{settings.get('drift_compensation', 'none')}, device.refresh: {again}."
    )

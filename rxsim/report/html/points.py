"""All points, the arrays that lose most, and what failed."""

from __future__ import annotations

from collections.abc import Sequence

from rxsim.report.html.overview import point_name
from rxsim.report.html.page_blocks import Block, Paragraph, Section, Table
from rxsim.report.json_values import as_list, as_number, as_text, at
from rxsim.report.labels import setting_text, shortened
from rxsim.report.material import Material, Row
from rxsim.report.price_labels import MINIMAL_PRICES, PRICES

MOST_ROWS = 200
_MOST_FAILURES = 50
_MOST_ARRAYS = 20
_LONGEST_SENTENCE = 1000


def points_section(material: Material) -> Section:
    """Return the table of all points; where they are many, of the best."""
    rows: Sequence[Row] = material.rows
    blocks: list[Block] = []
    if len(rows) > MOST_ROWS:
        sign = -1.0 if material.quantity.higher else 1.0
        known = sorted(
            (row for row in rows if row.mean is not None), key=lambda r: sign * (r.mean or 0)
        )
        text = (
            f"The best {MOST_ROWS} of {len(rows):,} points; 'rxsim results export' writes them all."
        )
        blocks.append(Paragraph(text, note=True))
        rows = known[:MOST_ROWS]
    blocks.append(_table(material, rows))
    return Section("points", "All points", blocks)


def _table(material: Material, rows: Sequence[Row]) -> Table:
    """Write points as rows; columns that would be the same or empty in all of them are left out."""
    unit = material.quantity
    columns: dict[str, list[str]] = {"key": [row.key[:10] for row in rows]}
    if len({row.model for row in material.rows}) > 1 and "model" not in material.names:
        columns["model"] = [shortened(row.model, 60) for row in rows]
    for name in material.names:
        columns[shortened(name, 60)] = [setting_text(name, row.settings.get(name)) for row in rows]
    texts = {
        place
        for place, cells in enumerate(columns.values())
        if not place or not all(map(_is_number, cells))
    }
    columns[unit.label.full] = [unit.text(row.mean, unit=False) for row in rows]
    columns["std"] = [unit.text(row.std, unit=False) for row in rows]
    columns["95 % interval"] = [unit.span(row.interval) for row in rows]
    columns["chips"] = [f"{row.done:,}" for row in rows]
    if any(row.failed for row in material.rows):
        columns["failed"] = [f"{row.failed:,}" if row.failed else "-" for row in rows]
    for name in ("arrays", "conversions"):
        if any(name in row.costs for row in rows):
            columns[name] = [
                f"{row.costs[name]:,.0f}" if name in row.costs else "-" for row in rows
            ]
    for name in MINIMAL_PRICES:
        if any(name in row.costs for row in rows):
            columns[PRICES[name].title] = [
                PRICES[name].write(row.costs[name]) if name in row.costs else "-" for row in rows
            ]
    columns["s per chip"] = [f"{row.seconds:.2f}" if row.seconds else "-" for row in rows]
    best = material.best()
    marked = frozenset(place for place, row in enumerate(rows) if row is best)
    return Table(
        caption="The points" + (" (the best one is marked)" if marked else ""),
        head=tuple(columns),
        rows=list(zip(*columns.values(), strict=True)),
        text_columns=frozenset(texts),
        marked=marked,
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text == "none"
    return True


def worst_arrays(material: Material) -> Section | None:
    """Return the arrays whose wires take most; None where that is not known."""
    details = None if material.chosen is None else material.chosen.point.details
    rows = [
        (
            shortened(as_text(at(array, "layer")) or "-", 120),
            _whole(at(array, "array")),
            _share(at(array, "loss")),
        )
        for array in as_list(at(details, "worst_arrays"))[:_MOST_ARRAYS]
    ]
    if not rows:
        return None
    head = ("layer", "array", "loss (%)")
    text = "The share of an array's current that its wires take, on the first chip; worst first."
    return Section(
        "worst-arrays",
        "Worst arrays",
        [Paragraph(text, note=True), Table(caption="The arrays", head=head, rows=rows)],
    )


def _whole(value: object) -> str:
    number = as_number(value)
    return "-" if number is None else f"{number:.0f}"


def _share(value: object) -> str:
    number = as_number(value)
    return "-" if number is None else f"{100 * number:.3g}"


def failures_section(material: Material) -> Section | None:
    """Return what failed and why; None where nothing did."""
    if not material.failures:
        return None
    names = {row.key: row for row in material.rows}
    shown = material.failures[:_MOST_FAILURES]
    rows = [
        (
            trial.point[:10],
            point_name(material, names[trial.point]) if trial.point in names else "-",
            str(trial.trial),
            shortened(trial.error or "no reason was recorded", _LONGEST_SENTENCE),
        )
        for trial in shown
    ]
    caption = "Chips that failed"
    if len(shown) < len(material.failures):
        caption += f" (the first {len(shown)} of {len(material.failures):,})"
    table = Table(
        caption=caption,
        head=("key", "point", "chip", "why"),
        rows=rows,
        text_columns=frozenset({0, 1, 3}),
    )
    return Section("failures", "Failed", [table])

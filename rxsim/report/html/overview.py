"""The first section: what was run, the main numbers, and remarks on how far they can be trusted."""

from __future__ import annotations

from collections.abc import Mapping

from rxsim.counted import counted
from rxsim.metrics import all_metrics
from rxsim.report.curves import Points, levels_of, value_in_unit
from rxsim.report.drawing import shared_reference
from rxsim.report.html.page_blocks import Block, Paragraph, Section, Terms
from rxsim.report.json_values import as_number, as_text, at
from rxsim.report.labels import label_of, shortened, within_text
from rxsim.report.material import Material, Row


def overview(material: Material, points: Points | None = None) -> Section:
    """Return the summary; points are the material's, made here where left out."""
    points = Points(material.rows) if points is None else points
    blocks: list[Block] = [Paragraph(_what(material)), Terms(_figures(material), large=True)]
    if material.names:
        blocks.append(Terms([(shortened(name), _levels(points, name)) for name in material.names]))
    blocks += [Paragraph(text, note=True) for text in _remarks(material)]
    return Section("summary", "Summary", blocks)


def title_of(material: Material) -> str:
    """Return the page's title: the networks, or how many there are."""
    return f"{_networks(material)} on resistive crossbars"


def _networks(material: Material) -> str:
    """Name the network, or count networks that differ in content."""
    if "model" in material.names:
        return f"{len({row.settings['model'] for row in material.rows})} networks"
    return shortened(material.rows[0].model, 80)


def _inputs(material: Material) -> str:
    """Name the evaluated data, or count data that differ in content."""
    if "data" in material.names:
        return f"{len({row.settings['data'] for row in material.rows})} sets of data"
    data = material.rows[0].data
    return "made-up inputs" if data is None else shortened(data, 80)


def point_name(material: Material, row: Row) -> str:
    """Name a point by what sets it apart, or by its key where nothing does."""
    parts = [
        f"{label_of(name).text} {value_in_unit(name, row.settings.get(name))}"
        for name in material.names
    ]
    return ", ".join(parts) or f"point {row.key[:12]}"


def _what(material: Material) -> str:
    rows = material.rows
    chips = sum(row.done for row in rows)
    how_many = "one chip" if chips == 1 else counted(chips, "chip")
    if len(rows) > 1:
        how_many = f"{counted(len(rows), 'point')}, {how_many}"
    images = [row.images for row in rows if row.images is not None]
    count = f"{counted(min(images), 'input')} of " if images else ""
    if images and min(images) < max(images):
        count = f"{min(images):,} to {max(images):,} inputs of "
    return f"{_networks(material)}, evaluated on {count}{_inputs(material)} ({how_many})."


def _figures(material: Material) -> list[tuple[str, str]]:
    unit = material.quantity
    best, worst = material.best(), material.worst()
    reference = shared_reference([row.reference for row in material.rows])
    pairs = []
    if reference is not None:
        pairs.append(("float32 reference", unit.text(reference)))
    if best is not None and worst is not None:
        if best is worst:
            pairs.append(
                (f"On crossbars: {within_text(unit.label.text)}", _with_interval(material, best))
            )
        else:
            pairs.append((f"Best: {point_name(material, best)}", _with_interval(material, best)))
            pairs.append((f"Worst: {point_name(material, worst)}", _with_interval(material, worst)))
    failed = sum(row.failed for row in material.rows)
    if failed:
        pairs.append(("Failed chips", f"{failed:,}"))
    return pairs


def _with_interval(material: Material, row: Row) -> str:
    text = material.quantity.text(row.mean)
    return text if row.interval is None else f"{text}\n{material.quantity.span(row.interval)}"


def _levels(points: Points, name: str) -> str:
    axis = levels_of(points, name)
    unit = f" {axis.label.unit}" if axis.label.unit and axis.numeric else ""
    said = "" if axis.label.text == name else f"{axis.label.text}: "
    if len(axis) <= 12:
        return said + ", ".join(shortened(text, 40) for text in axis.tick_texts) + unit
    ends = f"{axis.tick_texts[0]} to {axis.tick_texts[-1]}" if axis.numeric else "text"
    return f"{said}{ends}{unit}, {len(axis):,} values"


def _remarks(material: Material) -> list[str]:
    """List remarks that the numbers alone do not tell, such as failed chips."""
    said = [_interval_remark(material)]
    details = None if material.chosen is None else material.chosen.point.details
    if material.deterministic:
        said.append("Nothing in these settings is random: all chips are the same.")
    if all_metrics()[material.quantity.name].truth == "none":
        said.append(
            f"What is compared is {material.quantity.label.text}, which needs no labels; it is "
            "against the float32 network, not against the truth."
        )
    remarks = at(details, "remarks")
    if isinstance(remarks, Mapping):
        texts = [shortened(as_text(remark) or "", 300) for remark in list(remarks.values())[:5]]
        said += [f"{text[:1].upper()}{text[1:]}." for text in texts if text]
    overlap = as_number(at(details, "provenance", "calibration", "overlap"))
    if overlap:
        said.append(
            f"Of the inputs that fixed the converters' ranges {overlap:.0f} "
            f"{'is' if overlap == 1 else 'are'} "
            "among the evaluated ones."
        )
    waiting = sum(row.mean is None for row in material.rows)
    if waiting:
        said.append(
            f"Without an evaluated chip: {waiting:,} of {counted(len(material.rows), 'point')}."
        )
    return said


def _interval_remark(material: Material) -> str:
    if material.new_images:
        return (
            "Intervals of single points are 95 % for other chips and other images alike; those of "
            "averages over points are for other chips on these images."
        )
    return (
        "Intervals are 95 % for other chips on these very images (Student t over chips); one chip "
        "has none."
    )

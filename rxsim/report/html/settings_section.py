"""The settings, where everything came from, and how to cite it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from rxsim.counted import counted
from rxsim.report.html.page_blocks import (
    Block,
    Code,
    Group,
    Heading,
    Paragraph,
    Reference,
    Section,
    Table,
    Terms,
)
from rxsim.report.json_values import at
from rxsim.report.labels import clean, flat, setting_text, shortened, value_text
from rxsim.report.material import Material, common_settings
from rxsim.version import __version__

_LONGEST_LIST = 8
_MOST_ENTRIES = 200
_LONGEST_SWEEP = 20_000
_RXNN = (
    "S. Jain, A. Sengupta, K. Roy, A. Raghunathan. RxNN: A Framework for Evaluating Deep Neural "
    "Networks on Resistive Crossbars. IEEE Transactions on Computer-Aided Design of Integrated "
    "Circuits and Systems 40(2), 2021; arXiv:1809.00072.",
    "https://arxiv.org/abs/1809.00072",
)


def settings_section(material: Material) -> Section | None:
    """Return the settings: those that all points share, and the names of those that vary."""
    shared = common_settings(material)
    if not shared:
        return None
    blocks: list[Block] = []
    varying = [name for name in material.names if name not in ("model", "data")]
    if varying or material.more:
        listed = ", ".join(shortened(name, 80) for name in varying)
        text = "The same in all points."
        text += f" What varies stands with the points: {listed}." if varying else ""
        if material.more:
            tied = ", ".join(shortened(name, 80) for name in material.more)
            text += f" Also vary, along with these: {tied}."
        blocks.append(Paragraph(text))
    blocks.append(settings_tables(shared))
    return Section("settings", "Settings", blocks)


def settings_tables(by_name: Mapping[str, Any]) -> Group:
    """Return a table for each section of settings.

    Args:
        by_name: value of each setting by its dotted name.
    """
    parts: dict[str, list[tuple[str, str]]] = {}
    for name, value in by_name.items():
        section, _, rest = name.partition(".")
        parts.setdefault(section if rest else "general", []).append(
            (shortened(rest or name, 80), setting_text(name, value))
        )
    return Group(
        [
            Table(caption=shortened(section, 80), head=("setting", "value"), rows=rows)
            for section, rows in parts.items()
        ]
    )


def origin_pairs(known: Mapping[str, Any], said: Collection[str] = ()) -> list[tuple[str, str]]:
    """Return where numbers came from, name by name.

    Args:
        known: nested, as results hold it.
        said: dotted names that are left out.
    """
    return [
        (shortened(name, 80), clean(_plain(value)))
        for name, value in list(flat(known).items())[:_MOST_ENTRIES]
        if name not in said
    ]


def provenance_section(material: Material, command: str) -> Section:
    """Return what the numbers came from: files, hashes, versions, seed, commands."""
    blocks: list[Block] = []
    if material.chosen is not None:
        point = material.chosen.point
        pairs = [
            ("network", shortened(point.model)),
            ("network SHA-256", point.model_sha256 or "-"),
        ]
        if point.data is not None:
            pairs.append(("data", shortened(point.data)))
        if point.data_sha256 is not None:
            pairs.append(("data SHA-256", point.data_sha256))
        pairs += [("point", point.key), ("seed", value_text(at(point.settings, "seed")))]
        known = at(point.details, "provenance")
        if isinstance(known, Mapping):
            said = {"model.name", "model.sha256", "data.name", "data.sha256", "seed"}
            pairs += origin_pairs(known, said)
        blocks.append(Terms([(name, clean(text)) for name, text in pairs]))
    others = list(dict.fromkeys((row.model, row.data) for row in material.rows))
    if len(others) > 1:
        blocks.append(Paragraph("The hashes above are of the point shown in detail.", note=True))
    times = sorted(
        t.finished for t in (material.chosen.trials if material.chosen else ()) if t.finished
    )
    if times:
        blocks.append(Terms([("chips evaluated until", shortened(times[-1], 40))]))
    blocks += [
        Heading("Commands"),
        Code("", clean(command)),
        *(
            Code(
                f"Sweep {shortened(name, 80)}",
                "\n".join(map(clean, text[:_LONGEST_SWEEP].splitlines())),
            )
            for name, text in material.sweeps
        ),
    ]
    return Section("provenance", "Provenance", blocks)


def _plain(value: Any) -> str:
    """Write a value; of a long list only how long it is."""
    if isinstance(value, list):
        if len(value) > _LONGEST_LIST:
            return counted(len(value), "number")
        return ", ".join(value_text(part) for part in value) or "none"
    return value_text(value)


def citation_section(material: Material) -> Section:
    """Return how to cite the program, its method, and the devices that were used."""
    blocks: list[Block] = [
        Reference(f"rxsim, version {__version__} (the program that computed these results)."),
        Reference(*_RXNN),
    ]
    names = {row.settings.get("device.model") for row in material.rows}
    from_files: list[Block] = []
    if material.chosen is not None:
        model = at(material.chosen.point.settings, "device", "model")
        if isinstance(model, dict):  # a preset's file of the user's own
            from_files = [Reference(f"{model.get('source')} (device model: {model.get('about')}).")]
        else:
            names.add(model)
    blocks += [*_devices({name for name in names if isinstance(name, str)}), *from_files]
    return Section("cite", "How to cite", blocks)


def _devices(names: set[str]) -> list[Block]:
    """Return the publications of the devices of these names."""
    if names <= {"ideal"}:
        return []  # nothing was published; to import the settings takes longer than this page's text
    from rxsim.config import named_preset, preset_names

    sources = {name: named_preset(name).source for name in sorted(names & {*preset_names()})}
    return [
        Reference(f"{source} (device model {name}).")
        for name, source in sources.items()
        if source != "-"
    ]

"""The HTML report on names, files and details that try to break it."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from html_page import Page
from made_results import failed_trial, made_point, made_trial

from rxsim.commands.report import command
from rxsim.errors import RxsimError
from rxsim.report.html import build_page
from rxsim.report.html.ladder_section import ladder_section
from rxsim.report.html.layers_section import layers_section
from rxsim.report.html.overview import overview
from rxsim.report.html.points import points_section, worst_arrays
from rxsim.report.html.settings_section import provenance_section
from rxsim.report.html.svg import SvgMaker
from rxsim.report.labels import clean, shortened
from rxsim.report.material import read_material
from rxsim.store import open_results

HOSTILE = (
    "</text></svg><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    r"$\frac{",
    "{{ 7 * 7 }}",
    "_hidden",
    "n" * 10_000,
    "\u202egnp.exe\u05e9\u05dc\u05d5\u05dd",
    "a\x00b\x1bc\ud800d\u2028e",
    "]]>&amp;<!--",
    "卷积层",
)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=True)


def test_hostile_names_are_only_text(tmp_path: Path) -> None:
    """As networks, data, layers, error sentences and the command."""
    path = tmp_path / "hostile.sqlite"
    stored = [name.replace("\ud800", "?") for name in HOSTILE]
    with open_results(path, write=True) as results:
        for number, name in enumerate(stored):
            point = made_point({}, model=name, data=stored[-1 - number], names=stored)
            results.add(point, made_trial(point, 0, 0.8 - number / 100), point.details)
            results.add(point, failed_trial(point, 1, name))
    text = build_page(read_material(path), " ".join(HOSTILE))
    text.encode()
    page = Page(text)
    assert page.tags["script"] == page.tags["img"] == 0
    assert [row[0] for row in page.table("layer")] == [shortened(name, 120) for name in stored]
    assert sorted(row[3] for row in page.table("key", "point", "chip", "why")) == sorted(
        shortened(name, 1000) for name in stored
    )
    drawn = " ".join(page.svg_text)
    assert all(shortened(name, 18) in drawn for name in stored)
    assert not set("\x00\x1b\u202e\u2028") & set(text)


def test_hostile_names_are_cleaned_and_cut() -> None:
    assert clean("a\x00b\u202ec\ud800") == "a\ufffdb\ufffdc\ufffd"
    assert clean("Größe 卷积 שלום") == "Größe 卷积 שלום"
    assert len(shortened("n" * 10_000)) == 200


@pytest.mark.parametrize("value", [None, 3, "text", [None, 7], {"a": {"b": [1]}}])
def test_details_of_other_versions_make_no_report_fail(value: Any, tmp_path: Path) -> None:
    for missing in (
        "layers",
        "totals",
        "ladder",
        "provenance",
        "shares",
        "worst_arrays",
        "digital",
    ):
        path = tmp_path / f"{missing}.sqlite"
        with open_results(path, write=True) as results:
            point = made_point({}, names=["conv1"])
            assert point.details is not None
            results.add(point, made_trial(point, 0, 0.9), {**point.details, missing: value})
        material = read_material(path)
        (row,) = material.rows
        assert row.mean == 0.9
        if missing == "layers":
            # Its own drawing is the costly part of the page; the others draw no more than text.
            assert layers_section(material, SvgMaker()) is None or value == [None, 7]
            continue
        for section in (ladder_section, worst_arrays):
            section(material, *([SvgMaker()] if section is ladder_section else []))
        overview(material), provenance_section(material, ""), points_section(material)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "can't be read"),
        (b"", "neither a results file nor the JSON"),
        (b"hello", "neither a results file nor the JSON"),
        (b"{", "not valid JSON"),
        (b"{}", "no evaluation"),
        (b"{}", "'rxsim sweep' or 'rxsim search', or what 'rxsim eval --json', 'rxsim explain"),
        (b'{"ladder": 3, "settings": {}, "provenance": {}}', "no evaluation"),
        (b"SQLite format 3\x00 but cut", "is not a results file"),
    ],
)
def test_a_file_of_another_kind_is_refused(
    content: bytes | None, words: str, tmp_path: Path
) -> None:
    path, output = tmp_path / "results", tmp_path / "report.html"
    if content is not None:
        path.write_bytes(content)
    result = run(path, "-o", output)
    assert isinstance(result.exception, RxsimError)
    assert result.exception.exit_code == 2
    assert words in str(result.exception)
    assert "\n" not in str(result.exception)
    assert not output.exists()

"""An explanation on the terminal, as a page and as figures: its numbers, its words, hostile names."""

import json
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from html_page import Page
from made_explanations import (
    ALL,
    EFFECTS,
    FLOATING,
    NONE,
    made_attempts,
    made_effects,
    made_estimate,
    made_explanation,
    made_layers,
    mobile_names,
)
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from rich.console import Console

from rxsim.commands.plot import command as plot
from rxsim.commands.report import command as report
from rxsim.errors import InputError
from rxsim.explain.quantity import Quantity
from rxsim.explain.result import Attempt, Explanation, Trap
from rxsim.report.console import standard_console
from rxsim.report.explain_terminal import print_explanation
from rxsim.report.explanation_verdict import verdict
from rxsim.report.explanation_words import Wording, marked_layers
from rxsim.report.html.explanation_page import build_explanation_page
from rxsim.report.layer_names import short_names
from rxsim.report.remedies_chart import draw_remedies
from rxsim.report.waterfall import draw_waterfall, waterfall_steps


def printed(explanation: Explanation, width: int = 140) -> str:
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    print_explanation(explanation, console)
    return console.export_text()


def sentences(explanation: Explanation) -> str:
    return " ".join(verdict(explanation, Wording(explanation.quantity)))


def minus(text: str) -> float:
    return float(text.replace("\N{MINUS SIGN}", "-"))


def written(path: Path, explanation: Explanation) -> Path:
    path.write_text(json.dumps(explanation.as_json(), allow_nan=False))
    return path


def run(command: Any, *arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


# The verdict


def test_the_verdict_names_effect_layer_and_remedy() -> None:
    assert sentences(made_explanation()) == (
        "Accuracy fell from 91.70 to 62.40 % (95 % 59.80 to 65.00). "
        "Most of it comes from wires (Shapley -21.30 +- 1.20 points). "
        "Layer conv7 costs most: digital, it gives 8.10 points back. "
        "Of 4 remedies tried and 1 finalist confirmed, the best is: "
        "arrays of 32x32 and an ADC of 7 bits in layer4/conv7, "
        "+26.10 points (95 % +23.30 to +28.90) on images that had no part in the choice."
    )


def test_the_verdict_claims_nothing_within_the_errors() -> None:
    wide = made_estimate(-0.02, 0.05)
    effects = made_effects()
    effects = replace(effects, rows=tuple(replace(row, shapley=wide) for row in effects.rows))
    layers = made_layers(("a", "b", "c"))
    layers = replace(layers, rows=tuple(replace(row, all_but=wide) for row in layers.rows))
    said = sentences(made_explanation(effects=effects, layers=layers, better=None))
    assert "No effect takes more than the errors" in said
    assert "No single layer gives back more than the errors" in said
    assert "1 finalist confirmed, none is proven to help." in said


def test_the_verdict_where_nothing_fell_or_less_is_better() -> None:
    said = sentences(made_explanation(all=0.92))
    assert said == "Accuracy did not get worse: 91.70 as float32, 92.00 % on the built chips."
    # An error that rises by 0.3, 0.213 of it by the wires: worse, though the sign is plus.
    effects = made_effects()
    rows = tuple(
        replace(row, shapley=made_estimate(-value))
        for row, (*_, value) in zip(effects.rows, EFFECTS, strict=True)
    )
    rising = made_explanation(
        quantity="mse",
        floating=0.1,
        none=0.1,
        all=0.391,
        interval=None,
        effects=replace(effects, rows=rows),
        layers=None,
        attempts=None,
    )
    assert sentences(rising) == (
        "Mean squared error rose from 0.1 to 0.391. "
        "Most of it comes from wires (Shapley +0.213 +- 0.012)."
    )


def test_the_signal_to_noise_of_float32_is_no_fall() -> None:
    said = sentences(made_explanation(quantity="snr_db", floating=100.0, none=99.0, all=18.86))
    assert said.startswith("Output SNR is 18.86 dB on the built chips (float32 counts as 100.00).")


def test_without_shapley_values_the_verdict_gives_both_ends() -> None:
    said = sentences(made_explanation(effects=made_effects(shapley=False)))
    assert "wires (alone -19.00, where all others are on -23.60 points)" in said


# The terminal


def test_the_terminal_shows_the_numbers() -> None:
    text = printed(made_explanation())
    assert (
        text.index("Accuracy fell") < text.index("Trap: Columns") < text.index("What each effect")
    )
    for _, title, *values in EFFECTS:
        effects = text.split("What each layer")[0].splitlines()
        (line,) = [line for line in effects if f"│ {title} " in line]
        assert [float(number) for number in re.findall(r"[-+]?\d+\.\d+", line)[:4]] == [
            pytest.approx(100 * value, abs=1e-9) for value in values
        ]
    (whole,) = [line for line in text.splitlines() if "all of them" in line]
    assert whole.count(f"{100 * (ALL - NONE):.2f}") == 2
    assert "95 %, chips and images both samples" in text
    assert "Note: Remedies against drift were not tried." in text
    assert "Seconds by stage: load 0.4, effects 61.0, layers 40.2" in text


def test_sampled_orders_add_to_the_error() -> None:
    text = printed(made_explanation(effects=made_effects(sampled=True)))
    assert "-21.30 +- 1.30" in text  # 1.2 and 0.5 points, independent of each other
    assert "with that of 16 sampled orders" in text


@pytest.mark.parametrize("width", [50, 80, 110, 140])
def test_no_terminal_loses_a_number(width: int) -> None:
    explanation = made_explanation(mobile_names())
    lines = printed(explanation, width).splitlines()
    assert all(len(line) <= width for line in lines if "│" in line)
    assert "…" not in "".join(lines)
    joined = " ".join("".join(lines).split())
    for number in ("-8.10", "-21.30", "4,812", "12.0"):
        assert number in joined


def test_the_terminal_takes_any_name_as_text() -> None:
    names = ("[bold]x[/bold]", "[/]", "a\x1b[31mb")
    text = printed(made_explanation(names))
    assert "[bold]x[/bold]" in text
    assert "[/]" in text
    assert "\x1b[31m" not in text


def many_attempts(count: int, proven: int) -> tuple[Attempt, ...]:
    """Return remedies: the first two are the best and its first part; `proven` more help for sure."""
    best, *_ = made_attempts()
    others = [
        replace(
            best, title=f"remedy {at}", confirmed=None, gain=made_estimate(0.1 if sure else 0.0)
        )
        for at in range(count)
        for sure in [at < proven]
    ]
    one_more = replace(best, title=f"{best.title} + half the rows", confirmed=None)
    return (best, one_more, *others)


@pytest.mark.parametrize("width", [60, 140])
def test_the_terminal_shows_the_best_remedies_and_those_that_are_proven(width: int) -> None:
    best = made_attempts()[0].title
    for proven, shown in ((3, 10), (15, 15)):
        text = " ".join(
            printed(made_explanation(attempts=many_attempts(30, proven)), width).split()
        )
        assert [at for at in range(30) if re.search(rf"remedy {at}\b", text)] == list(range(shown))
        assert f"{30 - shown} more remedies tried: --json holds all." in text
        assert "the first + half the rows" in text
        assert f"{best} + half" not in text
        assert "Gain is of the half of the images that chooses" in text
    text = printed(made_explanation(attempts=many_attempts(5, 2)))
    assert "more remedies" not in text


def test_remedies_that_change_nothing_have_no_row() -> None:
    first, *rest = many_attempts(16, 12)
    idle = [
        replace(each, title=f"idle {at}", gain=made_estimate(0, 0)) for at, each in enumerate(rest)
    ]
    text = printed(made_explanation(attempts=(first, *rest[:2], *idle, *rest[2:])))
    assert "idle" not in text
    assert f"{len(idle)} remedies changed nothing and left no row." in text
    # The best twelve; the thirteenth and fourteenth are proven.
    assert "Shown are the best 12, and others whose gain is proven." in text
    assert [at for at in range(16) if re.search(rf"remedy {at}\b", text)] == list(range(12))
    text = printed(made_explanation(attempts=tuple(idle)))
    assert "Remedies tried" not in text
    page = Page(build_explanation_page(made_explanation(attempts=(first, *idle)), "x.json"))
    assert [row[0] for row in page.table("remedy")] == [first.title]
    assert f"{len(idle)} changed nothing and have no row" in "".join(page.text)


@pytest.mark.parametrize("width", [120, 180])
def test_names_of_layers_are_whole_where_there_is_room(width: int) -> None:
    names = mobile_names()
    text = printed(made_explanation(names), width)
    tables = 1 if width == 180 else 2
    rows = text[text.index("What each layer costs") :].splitlines()
    for name in names:
        assert sum(f" {name} " in line for line in rows if "│" in line) == tables


@pytest.mark.parametrize(
    ("columns", "width"), [(None, 120), ("180", 180), ("80", 80), ("7", 40), ("0", 120), ("x", 120)]
)
def test_a_report_that_is_no_terminal_is_as_wide_as_asked(
    monkeypatch: pytest.MonkeyPatch, columns: str | None, width: int
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    assert standard_console().width == width


def test_nothing_lost_is_nothing_to_mend() -> None:
    explanation = made_explanation(all=0.92)
    note = "nothing to mend: accuracy of the built chips is no worse than the float network's"
    told = printed(replace(explanation, attempts=(), left_out=(note, "layers took too long")))
    assert told.lower().count("nothing to mend") == 1
    assert "Note: Layers took too long." in told
    for text in (printed(explanation), build_explanation_page(explanation, "x.json")):
        assert "Nothing was lost, so there is nothing to mend." in text
        assert "Remedies tried" not in text
        assert "ADC of 7 bits" not in text.split("Settings")[0]


def test_only_layers_that_do_harm_are_marked() -> None:
    names = tuple("abcdefghi")
    layers = made_layers(names)
    rows = {row.name: replace(row, all_but=made_estimate(0.01, 0.001)) for row in layers.rows}
    rows["c"] = replace(rows["c"], all_but=made_estimate(-0.02, 0.001))
    layers = replace(layers, rows=tuple(rows.values()), worst_first=("c", "b", "a", *"defghi"))
    assert marked_layers(made_explanation(layers=layers)) == {"c"}
    # Where none is proven, noise of the output tells.
    noise = {"c": 0.0, "b": 0.3, "a": -0.1}
    unsure = [
        replace(row, all_but=made_estimate(-0.01, 0.1), output_noise=noise.get(row.name, 0.1))
        for row in layers.rows
    ]
    explanation = made_explanation(layers=replace(layers, rows=tuple(unsure)))
    assert marked_layers(explanation) == {"b"}
    assert "* b" in printed(explanation)
    # A layer that costs nothing is not marked, even if it is the only one.
    free = made_layers(("x",))
    row = replace(free.rows[0], all_but=made_estimate(0.0, 0.0), output_noise=0.0)
    assert "*" not in printed(made_explanation(layers=replace(free, rows=(row,))))


def test_without_runs_of_layers_the_verdict_takes_what_a_layer_does_itself() -> None:
    layers = made_layers(("a", "b", "c"))
    rows = tuple(
        replace(row, only=None, all_but=None, output_noise=None, snr_clean_db=clean, snr_db=built)
        for row, clean, built in zip(
            layers.rows, (30.0, 12.5, 31.0), (30.0, 12.0, 8.0), strict=True
        )
    )
    said = sentences(made_explanation(layers=replace(layers, rows=rows)))
    assert "Layer b has the lowest SNR with clean inputs (12.5 dB)." in said


# The page


def test_the_page_shows_the_numbers_of_the_json(tmp_path: Path) -> None:
    explanation = made_explanation(effects=made_effects(sampled=True))
    source = written(tmp_path / "x.json", explanation)
    assert run(report, source, "-o", tmp_path / "x.html").exit_code == 0
    page = Page((tmp_path / "x.html").read_text())
    content = json.loads(source.read_text())
    for shown, row in zip(page.table("effect", "alone"), content["effects"]["rows"], strict=False):
        numbers = [
            *(row[name]["mean"] for name in ("alone", "left_out", "added", "shapley")),
            row["shapley"]["standard_error"],
        ]
        assert shown[0] == row["title"]
        assert list(map(minus, shown[1:6])) == [pytest.approx(100 * v, abs=5e-3) for v in numbers]
        assert list(map(minus, shown[6].split(" to "))) == [
            pytest.approx(100 * bound, abs=5e-3) for bound in row["shapley"]["interval"]
        ]
        assert float(shown[7]) == pytest.approx(100 * row["sampling_error"], abs=5e-3)
    rows = page.table("layer", "operator")
    assert len(rows) == len(content["layers"]["rows"])
    for shown, row in zip(rows, content["layers"]["rows"], strict=True):
        assert shown[:2] == [row["name"], row["op"]]
        assert minus(shown[2]) == pytest.approx(100 * row["only"]["mean"], abs=5e-3)
        assert minus(shown[3]) == pytest.approx(100 * row["all_but"]["mean"], abs=5e-3)
        assert float(shown[7]) == pytest.approx(row["snr_clean_db"], abs=0.05)
        assert float(shown[8]) == pytest.approx(row["snr_db"], abs=0.05)
    for shown, row in zip(page.table("remedy"), content["attempts"], strict=True):
        assert shown[0] == row["title"]
        assert minus(shown[1]) == pytest.approx(100 * row["gain"]["mean"], abs=5e-3)
        if row["confirmed"] is None:
            assert shown[3] == "-"
        else:
            assert minus(shown[3]) == pytest.approx(100 * row["confirmed"]["mean"], abs=5e-3)
        assert float(shown[5]) == pytest.approx(100 * row["value"], abs=5e-3)
        assert shown[6:] == [f"{row['arrays']:,}", f"{row['conversions']:,}"]
    assert page.tags["svg"] == 5
    assert len(set(page.ids)) == len(page.ids)
    assert content["traps"]["one_range"] in "".join(page.text)


def test_the_page_bears_any_name_and_asks_for_nothing() -> None:
    names = ("<b>x</b>", "</text></svg><script>alert(1)</script>", "\u202eevil", "$\\frac{")
    hostile = "<img src=http://example.org/x onerror=alert(1)>"
    explanation = made_explanation(
        names,
        traps=(Trap(name=hostile, sentence=hostile),),
        left_out=(hostile,),
        settings={hostile: {hostile: hostile}},
        provenance={"model": {"name": hostile}, hostile: [hostile] * 3},
        seconds={hostile: 1.0},
    )
    text = build_explanation_page(explanation, hostile, hostile)
    page = Page(text)
    assert page.tags["b"] == page.tags["script"] == page.tags["img"] == 0
    assert page.table("layer", "operator")[0][0] == "<b>x</b>"
    addresses = [
        value
        for _, attributes in page.attributes
        for name, value in attributes.items()
        if name in ("src", "href") and value and not value.startswith(("#", "data:"))
    ]
    assert addresses == []
    assert text == build_explanation_page(explanation, hostile, hostile)


@pytest.mark.parametrize("left", ["effects", "layers", "attempts"])
def test_a_page_of_a_part(left: str) -> None:
    parts: dict[str, Any] = {
        name: None for name in ("effects", "layers", "attempts") if name != left
    }
    page = Page(build_explanation_page(made_explanation(**parts, better=None), "x.json"))
    anchor = {"attempts": "remedies"}.get(left, left)
    sections = {attributes.get("id") for tag, attributes in page.attributes if tag == "section"}
    assert {"effects", "layers", "remedies"} & sections == {anchor}
    for name in ("effects", "layers", "remedies"):
        said = f"{name.capitalize()} were not asked for." in "".join(page.text)
        assert said == (name != anchor)


def test_a_page_of_equal_and_unknown_numbers() -> None:
    """No noise, arrays without a target, no errors: what other runs may well bring."""
    layers = made_layers(("a",))
    array = replace(layers.arrays[0], ratio=layers.arrays[0].ratio * float("nan"))
    row = replace(
        layers.rows[0],
        only=None,
        all_but=None,
        snr_db=None,
        snr_clean_db=None,
        noise_alone={},
        dominant="",
    )
    effects = made_effects(shapley=False)
    explanation = made_explanation(
        all=FLOATING,
        none=FLOATING,
        interval=None,
        effects=replace(effects, rows=(replace(effects.rows[0], added=made_estimate(0, None)),)),
        layers=replace(layers, rows=(row,), worst_first=(), arrays=(array,)),
        attempts=(),
        better=None,
    )
    Page(build_explanation_page(explanation, "x.json"))
    assert "did not get worse" in printed(explanation)


# Figures


@pytest.mark.parametrize("shapley", [True, False])
def test_the_waterfall_leads_from_the_float_network_to_the_built_chips(shapley: bool) -> None:
    explanation = made_explanation(effects=made_effects(shapley=shapley))
    axes = Figure().subplots()
    draw_waterfall(axes, explanation, Wording(explanation.quantity))
    bars = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    at = 100 * FLOATING
    for bar in bars:
        assert bar.get_x() == pytest.approx(at)
        at = bar.get_x() + bar.get_width()
    assert at == pytest.approx(100 * ALL)
    columns = {title: (added, value) for _, title, _, _, added, value in EFFECTS}
    changes = {s.title: s.end - s.start for s in waterfall_steps(explanation) if s.change}
    assert changes == {
        title: pytest.approx(pair[1] if shapley else pair[0]) for title, pair in columns.items()
    }
    values = list(changes.values())
    assert not shapley or values == sorted(values)


def test_a_waterfall_says_what_does_not_add_up() -> None:
    steps = waterfall_steps(made_explanation(all=0.5))
    assert steps[-2].title == "not told apart"
    assert steps[-1].end == 0.5
    assert [step.end for step in steps[:-1]] == [step.start for step in steps[1:-1]] + [0.5]


@pytest.mark.parametrize("kind", ["effects", "layers", "remedies"])
def test_plot_draws_each_kind(tmp_path: Path, kind: str) -> None:
    source = written(tmp_path / "x.json", made_explanation(("<b>", "b", "c"), traps=()))
    output = tmp_path / "x.svg"
    assert run(plot, source, "--x", kind, "-o", output).exit_code == 0
    first = output.read_bytes()
    ElementTree.fromstring(first)
    assert run(plot, source, "--x", kind, "-o", output).exit_code == 0
    assert output.read_bytes() == first


def test_remedies_of_a_figure_are_told_apart_and_no_more_than_ten() -> None:
    best, *rest = many_attempts(30, 20)
    parts = [f"a change of settings that is called number {at}" for at in range(4)]
    together = tuple(
        replace(best, title=" + ".join([*parts, end]))
        for end in ("half the rows of each array", "half the columns of each array")
    )
    nothing = replace(best, title="nothing", gain=made_estimate(0.0))
    explanation = made_explanation(attempts=(*together, nothing, *rest))
    axes = Figure(figsize=(7, 5)).subplots()
    draw_remedies(axes, explanation, Wording(explanation.quantity))
    labels = [text.get_text() for text in axes.get_yticklabels()]
    assert len(labels) == len(set(labels)) == 10
    for label, attempt in zip(labels, together, strict=False):
        assert label.replace("\n", " ") == attempt.title
    assert "nothing" not in labels
    # A line of text has the same height in each row, and bars stand in the middle of theirs.
    lines = [label.count("\n") + 1 for label in labels]
    places = list(axes.get_yticks())
    gaps = [after - before for before, after in pairwise(places)]
    assert [gap - (a + b) / 2 for gap, (a, b) in zip(gaps, pairwise(lines), strict=True)] == (
        pytest.approx([gaps[0] - lines[0] / 2 - lines[1] / 2] * 9)
    )


def test_plot_draws_the_waterfall_unasked_and_refuses_the_rest(tmp_path: Path) -> None:
    source = written(tmp_path / "x.json", made_explanation(layers=None, attempts=None))
    output = tmp_path / "x.pdf"
    assert run(plot, source, "-o", output).exit_code == 0
    assert output.read_bytes().startswith(b"%PDF")
    output = tmp_path / "y.svg"
    for more, named in (
        (("--x", "adc.n_bits"), "--x"),
        (("--x", "layers"), "holds no layers"),
        (("--y", "accuracy"), "--y"),
        (("--mean",), "--mean"),
        (("--width", 40), "--width"),
    ):
        result = run(plot, source, *more, "-o", output)
        assert isinstance(result.exception, InputError)
        assert named in str(result.exception)
        assert not output.exists()
    result = run(report, source, "--quantity", "agreement", "-o", tmp_path / "x.html")
    assert "--quantity" in str(result.exception)


def test_names_are_short_and_stay_apart() -> None:
    names = mobile_names()
    short = short_names(names, 20)
    assert short[:2] == ["features.0/conv.0.0", "features.0/conv.1.0"]
    assert short[-1] == "classifier.1"
    assert len(set(short)) == len(names)
    assert max(map(len, short)) <= 20
    assert short_names(["a/Conv", "a/Gemm", "b"], 20) == ["a/Conv", "a/Gemm", "b"]
    assert short_names(["", "/", "//"], 20) == ["", "/", "//"]


def test_quantities_without_a_unit_have_no_points() -> None:
    assert Wording(Quantity("accuracy")).unit == "points"
    assert Wording(Quantity("snr_db")).unit == "dB"
    assert Wording(Quantity("mse")).unit == ""

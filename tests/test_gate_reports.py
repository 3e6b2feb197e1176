"""The gate's reports: whatever names hold stays text in each of them, and nothing is left out."""

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from markdown_it import MarkdownIt

from rxsim.gate import Check, CheckedCase, Record, judge, measure_drop
from rxsim.gate.baseline import NamedHash, Sources
from rxsim.report.gate_github import workflow_commands
from rxsim.report.gate_junit import junit_xml
from rxsim.report.gate_markdown import markdown
from rxsim.report.gate_terminal import print_check

NASTY = 'a|b`c`\r\n::error::x <script>alert(1)</script> & "q" @team #1 *b* \x00\x1b\ud83d 100%, :,'


def nasty_check() -> Check:
    """A regression, an undecided case and a passed one, all with a hostile name."""
    rng = np.random.default_rng(1)
    cases, drops = [], []
    for lost in (60, 3, 0):
        before = rng.random((2, 300)) < 2
        after = before.copy()
        after[:, :lost] = False
        drops.append(measure_drop(before, after, 0.01, 0.01))
        cases.append((before, after))
    verdicts = judge(drops, 0.01, [0.01] * 3)
    assert [one.outcome for one in verdicts] == ["regression", "undecided", "passed"]

    def record(hits: np.ndarray) -> Record:
        hashed = NamedHash(name=NASTY, sha256="0" * 64)
        sources = Sources(
            model=hashed, data=hashed, images_sha256="", calibration=hashed, inputs={}, versions={}
        )
        rungs = dict.fromkeys(("float32", "weights", "ideal"), hits[0])
        return Record(
            name=NASTY,
            metric="top1",
            hits=hits,
            ladder=rungs,
            sources=sources,
            settings={},
            settings_sha256="0" * 64,
        )

    return Check(
        0.01,
        tuple(
            CheckedCase(
                name=NASTY,
                before=record(before),
                after=record(after),
                changes=(f"model {NASTY}",),
                verdict=verdict,
                seconds=0.5,
            )
            for (before, after), verdict in zip(cases, verdicts, strict=True)
        ),
    )


def test_hostile_names_stay_text_in_junit() -> None:
    text = junit_xml(nasty_check())
    root = ElementTree.fromstring(text.encode())  # strict: invalid characters would fail
    names = [case.get("name") for case in root.iter("testcase")]
    assert names == [NASTY.translate({0: "\ufffd", 0x1B: "\ufffd", 0xD83D: "\ufffd"})] * 3
    assert {element.tag for element in root.iter()} == {
        *("testsuites", "testsuite", "testcase", "failure", "skipped", "system-out")
    }
    for suite in root.iter("testsuite"):
        counts = [suite.get(name) for name in ("tests", "failures", "errors", "skipped")]
        assert counts == ["3", "1", "0", "1"]
        assert float(suite.get("time", "")) == 1.5
    for case in root.iter("testcase"):
        assert set(case.attrib) == {"classname", "name", "time"}


def test_hostile_names_stay_text_in_markdown() -> None:
    text = markdown(nasty_check())
    assert text.isprintable() or set(re.findall(r"[^ -~]", text)) <= {"\n", "\ufffd"}
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(text)
    kinds = {inner.type for token in tokens for inner in token.children or []}
    assert kinds <= {"text", "text_special", "strong_open", "strong_close", "softbreak"}
    rows = [token for token in tokens if token.type == "tr_open"]
    cells = [token for token in tokens if token.type == "td_open"]
    assert (len(rows), len(cells)) == (4, 18)
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "a|b`c`  ::error::x" in html
    assert not re.search(r"@team|://|(^|\n)::", text)


def test_hostile_names_stay_one_line_in_annotations() -> None:
    lines = workflow_commands(nasty_check(), Path("a,b:c\n.yaml"))
    assert [line.split(" ")[0] for line in lines] == ["::error", "::warning"]
    for line in lines:
        assert len(line.splitlines()) == 1 or set("\r\n").isdisjoint(line)
        head, _, message = line[2:].partition("::")
        assert "%3A%3Aerror" in head  # the name's own colons can't end the properties
        assert head.count(",") == 1
        decoded = message.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")
        assert NASTY in decoded


def test_hostile_names_stay_text_on_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    check = nasty_check()
    tidy = "[bold]x[/bold] [link=http://a]y[/link]"
    cases = tuple(
        CheckedCase(
            name=tidy,
            before=case.before,
            after=case.after,
            changes=(tidy,),
            verdict=case.verdict,
            seconds=1.0,
        )
        for case in check.cases
    )
    print_check(Check(0.01, cases))
    assert f"  {tidy}\n" in capsys.readouterr().out


def with_unchecked(*names: str) -> Check:
    """A passed case with the same hits, and names that only the baseline holds."""
    check = nasty_check()
    return Check(0.01, (replace(check.cases[2], name="kept", changes=()),), names)


def test_hostile_names_of_unchecked_cases_stay_text(capsys: pytest.CaptureFixture[str]) -> None:
    check = with_unchecked(NASTY, "[bold]x[/bold]")
    print_check(check)
    said = [line for line in capsys.readouterr().out.splitlines() if "Not checked" in line]
    assert len(said) == 1
    assert "a|b`c`  ::error::x" in said[0]
    assert said[0].endswith("100%, :,, [bold]x[/bold].")
    assert said[0].isprintable()

    (line,) = workflow_commands(check, Path("a.yaml"))
    assert line.startswith("::warning file=a.yaml,title=rxsim check%3A cases not checked::")
    assert line.isprintable()

    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown(check))
    assert "a|b`c`  ::error::x &lt;script&gt;alert(1)&lt;/script&gt;" in html

    *_, first, second = ElementTree.fromstring(junit_xml(check).encode()).iter("testcase")
    assert "\x1b" not in str(first.get("name"))
    assert second.get("name") == "[bold]x[/bold]"


@pytest.mark.parametrize(
    ("strict", "kind", "counts"),
    [(False, "skipped", ["3", "0", "0", "2"]), (True, "failure", ["3", "2", "0", "0"])],
)
def test_junit_holds_a_testcase_for_each_unchecked_case(
    strict: bool, kind: str, counts: list[str]
) -> None:
    root = ElementTree.fromstring(junit_xml(with_unchecked("a", "b"), strict=strict).encode())
    for suite in root.iter("testsuite"):
        assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == counts
    found = {test.get("name"): [child.tag for child in test] for test in root.iter("testcase")}
    assert found == {"kept": ["system-out"], "a": [kind], "b": [kind]}


def test_the_same_hits_have_no_interval(capsys: pytest.CaptureFixture[str]) -> None:
    check = with_unchecked()
    print_check(check)
    (row,) = [line for line in capsys.readouterr().out.splitlines() if "same hits" in line]
    assert " .. " not in row
    assert row.split("│")[5].strip() == "-"
    (row,) = [line for line in markdown(check).splitlines() if line.startswith("| kept")]
    assert row.split(" | ")[3:5] == ["0.00", "-"]
    other = Check(0.01, nasty_check().cases[1:2])  # some hits differ
    assert " .. " in markdown(other)


def test_where_all_were_checked_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    check = with_unchecked()
    print_check(check)
    said = capsys.readouterr().out + markdown(check) + junit_xml(check)
    assert "ot checked" not in said
    assert workflow_commands(check, Path("a.yaml"), strict=True) == []

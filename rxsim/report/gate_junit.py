"""A gate's verdicts as JUnit XML, which continuous integration systems show as tests."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from rxsim.gate import Check, CheckedCase
from rxsim.report import gate_text as text

# Source: XML 1.0 (5th edition), section 2.2: what is not a Char can't be written, not even escaped.
_NOT_A_CHAR = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(check: Check, *, strict: bool = False) -> str:
    """Write a test case for each case: a regression fails, undecided and unchecked are skipped.

    Args:
        check: the verdicts.
        strict: whether undecided and unchecked fail as well.
    """
    unclear = len(check.named("undecided")) + len(check.unchecked)
    counts = {
        "tests": str(len(check.cases) + len(check.unchecked)),
        "failures": str(len(check.named("regression")) + (unclear if strict else 0)),
        "errors": "0",
        "skipped": str(0 if strict else unclear),
        "time": f"{sum(case.seconds for case in check.cases):.3f}",
    }
    suites = ElementTree.Element("testsuites", {"name": "rxsim", **counts})
    suite = ElementTree.SubElement(suites, "testsuite", {"name": "rxsim check", **counts})
    for case in check.cases:
        _add(suite, case, check, strict)
    for name in check.unchecked:
        _add_unchecked(suite, name, strict)
    ElementTree.indent(suites)
    body = ElementTree.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def _fails(case: CheckedCase, strict: bool) -> bool:
    outcome = case.verdict.outcome
    return outcome == "regression" or (strict and outcome == "undecided")


def _add(suite: ElementTree.Element, case: CheckedCase, check: Check, strict: bool) -> None:
    test = ElementTree.SubElement(
        suite,
        "testcase",
        {"classname": "rxsim.check", "name": _valid(case.name), "time": f"{case.seconds:.3f}"},
    )
    said = _valid(text.sentence(case, check))
    details = _valid("\n".join([f"ladder: {text.ladder(case)}", *case.changes]))
    if _fails(case, strict):
        kind = {"message": said, "type": case.verdict.outcome}
        ElementTree.SubElement(test, "failure", kind).text = details
    elif case.verdict.outcome == "undecided":
        ElementTree.SubElement(test, "skipped", {"message": said})
    out = ElementTree.SubElement(test, "system-out")
    out.text = f"{said}\n{details}"


def _add_unchecked(suite: ElementTree.Element, name: str, strict: bool) -> None:
    about = {"classname": "rxsim.check", "name": _valid(name), "time": "0.000"}
    test = ElementTree.SubElement(suite, "testcase", about)
    said = {"message": "not checked, though in the baseline"}
    if strict:
        ElementTree.SubElement(test, "failure", {**said, "type": "unchecked"})
    else:
        ElementTree.SubElement(test, "skipped", said)


def _valid(value: str) -> str:
    """Replace what XML has no character for."""
    return _NOT_A_CHAR.sub("\ufffd", value)

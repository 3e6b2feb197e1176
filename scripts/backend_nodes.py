#!/usr/bin/env python
"""How many of the onnx package's node tests of products run on crossbars: a table by operator.

    .venv/bin/python scripts/backend_nodes.py               # all operators, about ten seconds
    .venv/bin/python scripts/backend_nodes.py Conv MatMul   # some

A case is a node test with every input but one made constant. `mapped`: it lies on crossbars;
`passed`: and without converters, levels and wires the patched network gives what the onnx package
expects, to 1e-4 of the largest entry. What is refused is listed with its reason.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent.parent / "tests")]

from backend_nodes import FREE_INPUTS, Outcome, outcomes  # noqa: E402


def row(op: str, found: list[Outcome]) -> str:
    """Return an operator's line of the table."""
    mapped = sum(item.mapped > 0 for item in found)
    passed = sum(item.passed for item in found)
    worst = max((item.error for item in found if item.error is not None), default=0.0)
    return f"| {op} | {len(found)} | {mapped} | {passed} | {len(found) - mapped} | {worst:.1e} |"


def reason(item: Outcome) -> str:
    """Return why a case stays digital: the words in brackets of the refusal, names left out."""
    inner = re.search(r"\((.*)\), expected", item.refused)
    return (inner[1] if inner else item.refused).split(": ", 1)[-1]


def main(wanted: list[str]) -> int:
    """Print the tables."""
    unknown = sorted(set(wanted) - set(FREE_INPUTS))
    if unknown:
        print(f"found {', '.join(unknown)}, expected some of {', '.join(FREE_INPUTS)}")
        return 2
    by_op = {op: outcomes(op) for op in wanted or FREE_INPUTS}
    print("| operator | cases | mapped | passed | refused | largest error |")
    print("|---|---|---|---|---|---|")
    for op, found in by_op.items():
        print(row(op, found))
    print("\n| operator | refused | reason |\n|---|---|---|")
    for op, found in by_op.items():
        for words, count in Counter(reason(item) for item in found if not item.mapped).items():
            print(f"| {op} | {count} | {words} |")
    failed = [item for found in by_op.values() for item in found if item.mapped and not item.passed]
    for item in failed:
        print(f"not right: {item.case}, off by {item.error:.2g}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

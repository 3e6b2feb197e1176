"""Write the ladder of a result as a picture of its own: the chart of `rxsim report`, in one SVG file.

Usage: python scripts/ladder_picture.py RESULT.json PICTURE.svg

RESULT.json is what `rxsim eval --json` wrote (or a sweep's results file, whose best point is drawn).
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from rxsim.files import write_atomically
from rxsim.report.html import build_page
from rxsim.report.material import read_material

_CHART = re.compile(r'<section id="ladder".*?(<svg.*?</svg>)', re.DOTALL)
_VARIABLE = re.compile(r"var\(--[\w-]+,(#[0-9a-f]+)\)")


def ladder_picture(results: Path) -> str:
    """Return the chart as a file that any browser shows: white behind it, colours and font in it."""
    found = _CHART.search(build_page(read_material(results), "rxsim report"))
    if found is None:
        sys.exit(f"{results}: found no ladder, expected what 'rxsim eval --json' writes")
    start, rest = found[1].split(">", 1)
    start = start.replace(
        "<svg", '<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif"'
    )
    paper = '<rect width="100%" height="100%" fill="#ffffff" />'
    body = start + ">" + _VARIABLE.sub(r"\1", rest)
    return body.replace("</desc>", f"</desc>{paper}", 1) + "\n"


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    write_atomically(Path(sys.argv[2]), ladder_picture(Path(sys.argv[1])).encode())


if __name__ == "__main__":
    main()

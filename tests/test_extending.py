"""The page on extending rxsim: its files, added to a copy of the package, do what it says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "extending.md"
OTHER_PAGES = [ROOT / "docs" / "concepts" / name for name in ("encodings.md", "devices.md")]
BLOCK = re.compile(r"^```(?:python|yaml)\n# (.*?)\n(.*?)^```", re.MULTILINE | re.DOTALL)
NEW = {
    "rxsim/operators/dft.py",
    "rxsim/encodings/two_pulse.py",
    "rxsim/devices/laws/my_drift.py",
    "rxsim/devices/presets/toy-drift.yaml",
    "rxsim/metrics/top2.py",
    "rxsim/scenarios/design.py",
    "rxsim/compensate/steps/mirrored.py",
}


def shown_blocks() -> tuple[dict[str, str], dict[str, str]]:
    """Return the files that the pages show, by path, and what is to be tried, by name."""
    pages = (PAGE, *OTHER_PAGES)
    shown = [block for page in pages for block in BLOCK.findall(page.read_text("utf-8"))]
    files = {head: body for head, body in shown if head.startswith("rxsim/")}
    tries = {head: body for head, body in shown if head.startswith("try it")}
    return files, {head.removeprefix("try it: "): body for head, body in tries.items()}


FILES, TRIES = shown_blocks()
# Each try has names of its own, as in a file of its own.
TRY_ALL = """
import json, sys, traceback

found = {}
for name, text in json.loads(sys.argv[1]).items():
    try:
        exec(compile(text, name, "exec"), {"__name__": "__main__"})
        found[name] = ""
    except BaseException:
        found[name] = traceback.format_exc()
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a copy of the package, the new files, and the shipped networks."""
    folder = tmp_path_factory.mktemp("extended")
    shutil.copytree(ROOT / "rxsim", folder / "rxsim")  # with its compiled kernels
    (folder / "models").symlink_to(ROOT / "models")
    for path, text in FILES.items():
        assert not (folder / path).exists(), f"{path} is to be a new file"
        (folder / path).write_text(text, encoding="utf-8")
    return folder


def test_the_pages_show_one_file_of_each_kind() -> None:
    assert set(FILES) == NEW


@pytest.fixture(scope="module")
def failures(copy: Path) -> dict[str, str]:
    """Try everything in one process, which imports the copy once; tracebacks by name."""
    pins = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
    done = subprocess.run(
        [sys.executable, "-c", TRY_ALL, json.dumps(TRIES)],
        cwd=copy,
        env={**os.environ, **pins, "PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("name", TRIES)
def test_a_new_file_does_what_the_page_says(failures: dict[str, str], name: str) -> None:
    assert failures[name] == ""

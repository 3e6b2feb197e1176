"""Commands of a package of one's own, run one by one in a process that imports it once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

_SERVE = """
import contextlib, io, json, sys, traceback
from rxsim.cli import main
from rxsim.commands import workers

sys.path.append(sys.argv[1])
from here_pool import HerePool

workers.LocalPool = lambda count, memory: HerePool()  # no processes of its own

for line in sys.stdin:
    shown, told, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(told):
        try:
            main(json.loads(line))
        except SystemExit as end:
            code = end.code or 0
        except BaseException:
            code = traceback.format_exc()
    print(json.dumps([code, shown.getvalue(), told.getvalue()]), flush=True)
"""


class Commands:
    """A process in a folder that holds a package rxsim."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, str(Path(__file__).parent)],
            cwd=folder,  # what lies there comes before PYTHONPATH
            env={**os.environ, "PYTHONPATH": str(folder), **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str) -> str:
        """Run a command, which must succeed, and return its standard output."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"the process ended in {words}"
        code, shown, told = json.loads(answer)
        assert code == 0, f"{code}: {told}"
        return str(shown)

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

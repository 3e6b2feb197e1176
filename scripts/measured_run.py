"""Run an rxsim command in a process of its own, and tell what it took."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Measured:
    """What a command took.

    Attributes:
        seconds: wall time.
        processor_seconds: of all its processes, in user and system mode.
        megabytes: peak memory of the largest of its processes.
        exit_code: 0 where it went well.
    """

    seconds: float
    processor_seconds: float
    megabytes: float
    exit_code: int


@dataclass(frozen=True)
class MeasuredRun:
    """What a command gave and took.

    Attributes:
        result: what it wrote with --json.
        seconds: wall time.
        megabytes: peak memory.
    """

    result: dict[str, Any]
    seconds: float
    megabytes: float


def measured(command: Sequence[str]) -> Measured:
    """Run a command, its output left out.

    Args:
        command: its words, `rxsim` first; variables of the environment in them are put in.
    """
    words = [sys.executable, "-m", "rxsim", *map(os.path.expandvars, command[1:])]
    start = time.perf_counter()
    child = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    return Measured(
        seconds=time.perf_counter() - start,
        processor_seconds=usage.ru_utime + usage.ru_stime,
        megabytes=usage.ru_maxrss / 1024,
        exit_code=os.waitstatus_to_exitcode(status),
    )


def measured_run(command: Sequence[str]) -> MeasuredRun:
    """Run a command that takes --json FILE.

    Args:
        command: its words, `rxsim` first; variables of the environment in them are put in.

    Raises:
        SystemExit: it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        took = measured([*command, "--json", str(result)])
        if took.exit_code:
            raise SystemExit(f"{shlex.join(command)} failed")
        return MeasuredRun(json.loads(result.read_text()), took.seconds, took.megabytes)

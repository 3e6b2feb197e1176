"""Run ngspice: it reads a netlist from standard input and prints currents to standard output."""

from __future__ import annotations

import re
import shutil
import subprocess

import numpy as np

from rxsim.circuit.lines import Lines
from rxsim.errors import CircuitError
from rxsim.verify.netlist import sweep_netlist

# Assumption: a 128x128 operating point takes a minute; nobody waits for more than ten.
_TIMEOUT_S = 600.0
_CURRENT = re.compile(r"^c(\d+)\[(\d+)\] = (\S+)\s*$", re.MULTILINE)


def ngspice_installed() -> bool:
    """Tell whether the program ngspice is on the PATH."""
    return shutil.which("ngspice") is not None


def ngspice_currents(
    g: np.ndarray, lines: Lines, v_in: np.ndarray, r_access: float = 0.0
) -> np.ndarray:
    """Solve an array of linear cells for several input vectors, in one process.

    Args:
        g: device conductances, siemens, (n_rows, n_cols); 0 is an open device.
        lines: wires and ends.
        v_in: source voltages, volt, (n_vectors, n_rows).
        r_access: in series with every cell, ohm.

    Returns:
        Sensed currents, ampere, (n_vectors, n_cols).

    Raises:
        CircuitError: ngspice fails.
    """
    printed = _run(sweep_netlist(g, lines, v_in, r_access=r_access))
    currents = {(int(k), int(j)): float(value) for j, k, value in _CURRENT.findall(printed)}
    wanted = [(k, j) for k in range(len(v_in)) for j in range(g.shape[1])]
    missing = [place for place in wanted if place not in currents]
    if missing:
        raise CircuitError(
            f"ngspice printed {len(currents)} of {len(wanted)} currents: {_last_line(printed)}"
        )
    return np.array([currents[place] for place in wanted]).reshape(len(v_in), g.shape[1])


def _run(netlist: str) -> str:
    """Return what ngspice prints for a netlist.

    `-n` leaves the user's start-up file out; in batch mode (`-b`) it reads standard input.
    """
    try:
        done = subprocess.run(
            ["ngspice", "-n", "-b"],
            input=netlist,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CircuitError(f"ngspice did not finish in {_TIMEOUT_S:.0f} s") from None
    except OSError as error:
        raise CircuitError(f"ngspice can't be run: {error.strerror or error}") from None
    if done.returncode != 0 or "singular" in done.stderr.lower():
        raise CircuitError(f"ngspice failed ({done.returncode}): {_last_line(done.stderr)}")
    return done.stdout


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "it printed nothing"

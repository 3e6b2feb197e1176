"""Crossbars solved by ngspice, in one process per array.

ngspice reads a resistor of 0 ohm as 1 mohm, so nodes joined by 0 ohm get one name. Devices of 0 S
and branches of infinite resistance are left out, and so are parts of the circuit that then have
no path to a source or to ground, as they would make ngspice's matrix singular. Currents are
measured by 0 V sources between the sense resistors and ground.
"""

import math
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

_OPTIONS = ".options reltol=1e-12 abstol=1e-20 vntol=1e-18 gmin=1e-30 pivrel=1e-3 pivtol=1e-30"
_TIMEOUT_S = 300.0
_CURRENT = re.compile(r"^vm(\d+)#branch = (\S+)$", re.MULTILINE)

_Resistor = tuple[str, str, str, float]


def available() -> bool:
    """Return whether ngspice is installed."""
    return shutil.which("ngspice") is not None


def netlist(
    g: ArrayLike,
    r_wire_wl: float,
    r_wire_bl: float,
    r_driver: float,
    r_sense: float,
    v_in: ArrayLike,
) -> str:
    """Return a netlist that prints the sensed currents at the given input voltages.

    Args:
        g: Device conductances in S, shape (n_rows, n_cols); 0 is an open device.
        r_wire_wl: Resistance between neighbouring wordline nodes in ohm.
        r_wire_bl: Resistance between neighbouring bitline nodes in ohm.
        r_driver: Resistance between each source and its wordline in ohm.
        r_sense: Resistance between each bitline and ground in ohm.
        v_in: Source voltages in V, shape (n_rows,).

    Returns:
        The netlist; source i is ``vs<i>`` and the current of column j that of ``vm<j>``.
    """
    g = np.asarray(g, dtype=np.float64)
    circuit = _circuit(g, r_wire_wl, r_wire_bl, r_driver, r_sense, np.asarray(v_in, np.float64))
    return _deck(circuit, ["op", *_prints(g.shape[1])])


def g_eff(
    g: ArrayLike, r_wire_wl: float, r_wire_bl: float, r_driver: float, r_sense: float
) -> NDArray[np.float64]:
    """Return the effective conductance matrix, one operating point per row in one process.

    Args:
        g: Device conductances in S, shape (n_rows, n_cols); 0 is an open device.
        r_wire_wl: Resistance between neighbouring wordline nodes in ohm.
        r_wire_bl: Resistance between neighbouring bitline nodes in ohm.
        r_driver: Resistance between each source and its wordline in ohm.
        r_sense: Resistance between each bitline and ground in ohm.

    Returns:
        Effective conductances in S, shape (n_rows, n_cols).

    Raises:
        RuntimeError: If ngspice fails or does not report every current.
    """
    g = np.asarray(g, dtype=np.float64)
    n_rows, n_cols = g.shape
    circuit = _circuit(g, r_wire_wl, r_wire_bl, r_driver, r_sense, np.zeros(n_rows))
    control = []
    for i in range(n_rows):
        control += [f"alter vs{i} dc = 1", "op", *_prints(n_cols), f"alter vs{i} dc = 0"]
        control.append("destroy all")
    values = currents(_deck(circuit, control))
    if values.size != g.size:
        raise RuntimeError(f"ngspice reported {values.size} currents instead of {g.size}")
    return values.reshape(n_rows, n_cols)


def currents(deck: str) -> NDArray[np.float64]:
    """Run a netlist and return the sensed currents in the order it prints them.

    Args:
        deck: A netlist from ``netlist``.

    Returns:
        Currents in A, shape (n_cols,) for one operating point.

    Raises:
        RuntimeError: If ngspice fails or a current is missing.
    """
    output = _run(deck)
    found = _CURRENT.findall(output)
    asked = re.findall(r"^print vm(\d+)#branch$", deck, re.MULTILINE)
    if [j for j, _ in found] != asked:
        raise RuntimeError(f"ngspice did not report every current:\n{output[-2000:]}")
    return np.array([float(value) for _, value in found])


def _circuit(
    g: NDArray[np.float64],
    r_wire_wl: float,
    r_wire_bl: float,
    r_driver: float,
    r_sense: float,
    v_in: NDArray[np.float64],
) -> list[str]:
    """Return the element lines of a netlist."""
    n_rows, n_cols = g.shape
    if v_in.shape != (n_rows,):
        raise ValueError(f"v_in must have shape {(n_rows,)}, got {v_in.shape}")
    lines = [f"vs{i} s{i} 0 dc {float(v)!r}" for i, v in enumerate(v_in)]
    lines += [f"vm{j} m{j} 0 dc 0" for j in range(n_cols)]
    anchors = {f"s{i}" for i in range(n_rows)} | {f"m{j}" for j in range(n_cols)}
    resistors = _resistors(g, r_wire_wl, r_wire_bl, r_driver, r_sense)
    connected = _reachable(resistors, anchors)
    lines += [f"{name} {a} {b} {r!r}" for name, a, b, r in resistors if a in connected]
    return lines


def _resistors(
    g: NDArray[np.float64], r_wire_wl: float, r_wire_bl: float, r_driver: float, r_sense: float
) -> list[_Resistor]:
    """Return name, nodes and resistance in ohm of every branch that is neither 0 nor open."""
    n_rows, n_cols = g.shape

    def wl(i: int, j: int) -> str:
        """Return the name of a wordline node."""
        first = 0 if r_wire_wl == 0 else j
        return f"s{i}" if first == 0 and r_driver == 0 else f"w{i}_{first}"

    def bl(i: int, j: int) -> str:
        """Return the name of a bitline node."""
        last = n_rows - 1 if r_wire_bl == 0 else i
        return f"m{j}" if last == n_rows - 1 and r_sense == 0 else f"b{last}_{j}"

    branches: list[_Resistor] = []
    for i, j in np.ndindex(n_rows, n_cols):
        if j == 0:
            branches.append((f"rd{i}", f"s{i}", wl(i, 0), float(r_driver)))
        else:
            branches.append((f"rw{i}_{j}", wl(i, j - 1), wl(i, j), float(r_wire_wl)))
        if i == n_rows - 1:
            branches.append((f"rs{j}", bl(i, j), f"m{j}", float(r_sense)))
        else:
            branches.append((f"rb{i}_{j}", bl(i, j), bl(i + 1, j), float(r_wire_bl)))
        if g[i, j] > 0:
            branches.append((f"rx{i}_{j}", wl(i, j), bl(i, j), 1 / float(g[i, j])))
    return [branch for branch in branches if 0 < branch[3] < math.inf]


def _reachable(resistors: list[_Resistor], anchors: set[str]) -> set[str]:
    """Return the nodes with a path through resistors to a node of known voltage."""
    neighbours: dict[str, list[str]] = {}
    for _, a, b, _ in resistors:
        neighbours.setdefault(a, []).append(b)
        neighbours.setdefault(b, []).append(a)
    seen, stack = set(anchors), list(anchors)
    while stack:
        for node in neighbours.get(stack.pop(), []):
            if node not in seen:
                seen.add(node)
                stack.append(node)
    return seen


def _prints(n_cols: int) -> list[str]:
    """Return the commands that print the sensed currents."""
    return [f"print vm{j}#branch" for j in range(n_cols)]


def _deck(circuit: list[str], control: list[str]) -> str:
    """Return a complete ngspice input file."""
    head = ["* resistive crossbar", *circuit, _OPTIONS]
    body = [".control", "set numdgt=17", *control, "quit 0", ".endc", ".end"]
    return "\n".join([*head, *body, ""])


def _run(deck: str) -> str:
    """Return what ngspice prints for an input file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "crossbar.cir"
        path.write_text(deck)
        done = subprocess.run(
            ["ngspice", "-n", "-b", str(path)],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            cwd=folder,
            check=False,
        )
    if done.returncode != 0 or "singular" in done.stderr.lower():
        raise RuntimeError(f"ngspice failed ({done.returncode}):\n{done.stderr[-2000:]}")
    return done.stdout

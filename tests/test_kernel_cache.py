"""numba's cache of compiled kernels: shared by processes, loaded again, and never stale.

The cache holds a kernel for as long as the file that it stands in does not change, whatever it calls
or reads from other files: those are compiled in.
"""

from __future__ import annotations

import ast
import importlib
import json
import os
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from numba.core.dispatcher import Dispatcher

import rxsim.circuit

# Constants that kernels read from another file, with the value that is compiled into them. Where one
# changes, the kernels that read it must be compiled again: change their files too, then this table.
COMPILED_IN = {
    "rxsim.circuit.factors.F_WL": 0,
    "rxsim.circuit.factors.Z_WL": 1,
    "rxsim.circuit.factors.F_DOWN": 2,
    "rxsim.circuit.factors.Z_DOWN": 3,
    "rxsim.circuit.factors.F_UP": 4,
    "rxsim.circuit.factors.Z_UP": 5,
    "rxsim.circuit.factors.V_DRIVEN": 6,
    "rxsim.circuit.factors.G_SENSED": 7,
}

# Solves one array by relaxation and one by elimination, both with node voltages.
PROGRAM = """
import json, sys
import numba.core.event as event
import numpy as np

compiled = event.RecordingListener()
event.register("numba:compile", compiled)
import rxsim, rxsim.circuit
from numba.core.dispatcher import Dispatcher
from rxsim import Crossbar

mild = rxsim.solve(np.full((40, 36), 1e-6), Crossbar(), np.full(40, 0.2))
harsh = rxsim.solve(np.full((5, 4), 1e-3), Crossbar(r_wire_wl=1e3, r_wire_bl=1e3), np.full(5, 0.2))
kernels = {
    kernel
    for name, module in list(sys.modules.items()) if name.startswith("rxsim.circuit")
    for kernel in vars(module).values() if isinstance(kernel, Dispatcher)
}
print(json.dumps({
    "methods": [mild.method, harsh.method],
    "g_eff": [mild.g_eff.sum().hex(), harsh.g_eff.sum().hex()],
    "i_out": [mild.i_out.sum().hex(), harsh.i_out.sum().hex()],
    "compiled": len(compiled.buffer),
    "hits": sum(sum(kernel.stats.cache_hits.values()) for kernel in kernels),
    "misses": sum(sum(kernel.stats.cache_misses.values()) for kernel in kernels),
}))
"""


def start(cache: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache), "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def answer(process: subprocess.Popen[str]) -> dict[str, object]:
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    assert err == ""
    return json.loads(out)


@pytest.mark.slow
def test_two_processes_fill_a_cold_cache_and_a_third_one_loads_it(tmp_path):
    first, second = (answer(process) for process in [start(tmp_path), start(tmp_path)])
    assert first["methods"] == ["relaxation", "elimination"]
    assert first["compiled"] > 0
    third = answer(start(tmp_path))
    assert third["compiled"] == 0
    assert third["misses"] == 0
    assert third["hits"] > 0
    for other in (second, third):
        assert [other[key] for key in ("methods", "g_eff", "i_out")] == [
            first[key] for key in ("methods", "g_eff", "i_out")
        ]


def kernel_files() -> list[ModuleType]:
    """Return the modules of the circuit that hold kernels of their own."""
    names = [module.name for module in pkgutil.walk_packages(rxsim.circuit.__path__)]
    modules = [importlib.import_module(f"rxsim.circuit.{name}") for name in names]
    return [module for module in modules if kernels_of(module)]


def kernels_of(module: ModuleType) -> list[Dispatcher]:
    return [
        value
        for value in vars(module).values()
        if isinstance(value, Dispatcher) and value.__module__ == module.__name__
    ]


def imported_names(module: ModuleType) -> dict[str, str]:
    """Return the names that a file imports from the package, with where they come from."""
    found = {}
    for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text())):
        if isinstance(node, ast.ImportFrom):
            # A relative import would hide where a name comes from; ruff and mypy see none here.
            assert node.level == 0
            if (node.module or "").split(".")[0] == "rxsim":
                for alias in node.names:
                    found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Import):
            assert not any(alias.name.startswith("rxsim") for alias in node.names)
    return found


@pytest.mark.parametrize("module", kernel_files(), ids=lambda module: module.__name__)
def test_a_kernel_reads_nothing_from_another_file_that_can_change_unseen(module):
    imported = imported_names(module)
    for kernel in kernels_of(module):
        for name in set(kernel.py_func.__code__.co_names) & set(imported):
            value, origin = vars(module)[name], imported[name]
            assert not callable(value), f"{kernel.py_func.__name__} calls {origin}"
            assert origin in COMPILED_IN, f"{kernel.py_func.__name__} reads {origin}"
            assert value == COMPILED_IN[origin], f"{origin} changed under {kernel.py_func.__name__}"


def test_the_check_sees_kernels():
    """The test above would pass if it looked at nothing."""
    found = {kernel.py_func.__name__ for module in kernel_files() for kernel in kernels_of(module)}
    assert {"relax", "eliminate"} <= found
    assert len(found) > 10

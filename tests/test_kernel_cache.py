"""The folder of compiled kernels: shared by processes, loaded again, tidied, and never stale.

`rxsim.circuit.jit` names the folder after the sources of `rxsim.circuit`, so kernels may take from one
another across its files, and from nowhere else in the package.
"""

from __future__ import annotations

import ast
import importlib
import json
import os
import pkgutil
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numba
import pytest
from numba.core.dispatcher import Dispatcher

import rxsim.circuit
from rxsim.circuit import jit

# Solves one array by relaxation and one by elimination, both with node voltages.
TWO_ARRAYS = """
import rxsim
mild = rxsim.solve(np.full((40, 36), 1e-6), Crossbar(), np.full(40, 0.2))
harsh = rxsim.solve(np.full((5, 4), 1e-3), Crossbar(r_wire_wl=1e3, r_wire_bl=1e3), np.full(5, 0.2))
answer = {
    "methods": [mild.method, harsh.method],
    "g_eff": [mild.g_eff.sum().hex(), harsh.g_eff.sum().hex()],
    "i_out": [mild.i_out.sum().hex(), harsh.i_out.sum().hex()],
}
"""
# Folds the wordline of a single cell of 1 mS behind a driver of 1 kohm: 1 / (1 + 1 kohm 1 mS) = 0.5.
ONE_CELL = """
from rxsim.circuit.factors import F_WL, line_factors
from rxsim.circuit.lines import lines_of
factors = line_factors(np.full((1, 1), 1e-3), lines_of(Crossbar(r_driver=1000.0), 1, 1))
answer = {"factor": factors[F_WL, 0, 0]}
"""
# Folds the same cell by a kernel of a line, which takes from a file beside it as the package's own do.
ONE_FOLD = """
from rxsim.circuit.one_fold import attenuation
answer = {"factor": attenuation(1e-3, 1000.0)}
"""
ATTENUATION = """
from rxsim.circuit.jit import entry
from rxsim.circuit.ladder import fold

@entry
def attenuation(t, r):
    return fold(t, r)[0]
"""
FRAME = """
import json, sys
import numba.core.event as event
import numpy as np

compiled = event.RecordingListener()
event.register("numba:compile", compiled)
from rxsim.circuit import jit
from rxsim.config import Crossbar
%s
loads = {
    "compiled": len(compiled.buffer),
    "hits": sum(sum(kernel.stats.cache_hits.values()) for kernel in jit.ENTRIES),
    "misses": sum(sum(kernel.stats.cache_misses.values()) for kernel in jit.ENTRIES),
    "kept": [kernel.stats.cache_path for kernel in jit.ENTRIES],
}
print(json.dumps(answer | loads))
"""


def start(program: str, **environment: str | Path) -> subprocess.Popen[str]:
    settings = {name: str(value) for name, value in environment.items()}
    return subprocess.Popen(
        [sys.executable, "-P", "-W", "error", "-c", FRAME % program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", **settings},
    )


def answer(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    # onnxruntime warns of a user's cache folder that it can't write to; nothing else may be said.
    assert [line for line in err.splitlines() if "W:onnxruntime" not in line] == []
    answered: dict[str, Any] = json.loads(out)
    return answered


def folders(parent: Path) -> list[str]:
    return sorted(str(folder) for folder in parent.rglob("rxsim-kernels-*"))


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package's sources; a process that has its parent on the path imports it."""
    source = Path(rxsim.__file__).parent
    ignored = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(source, tmp_path / "copy" / "rxsim", ignore=ignored))


@pytest.mark.slow
def test_two_processes_fill_a_cold_cache_and_a_third_one_loads_it(tmp_path: Path) -> None:
    processes = [start(TWO_ARRAYS, NUMBA_CACHE_DIR=tmp_path) for _ in range(2)]
    first, second = (answer(process) for process in processes)
    assert first["methods"] == ["relaxation", "elimination"]
    assert first["compiled"] > 0
    third = answer(start(TWO_ARRAYS, NUMBA_CACHE_DIR=tmp_path))
    assert third["compiled"] == 0
    assert third["misses"] == 0
    assert third["hits"] > 0
    for other in (second, third):
        assert [other[key] for key in ("methods", "g_eff", "i_out")] == [
            first[key] for key in ("methods", "g_eff", "i_out")
        ]
    assert set(first["kept"]) == set(folders(tmp_path))
    assert len(folders(tmp_path)) == 1


def test_a_change_to_a_shared_kernel_reaches_the_kernels_of_other_files(
    package: Path, tmp_path: Path
) -> None:
    """The changed file is not the one that the entry kernel stands in: numba alone would not see it."""
    places = {"PYTHONPATH": package.parent, "NUMBA_CACHE_DIR": tmp_path / "cache"}
    (package / "circuit" / "one_fold.py").write_text(ATTENUATION)
    before = answer(start(ONE_FOLD, **places))
    ladder = package / "circuit" / "ladder.py"
    source = ladder.read_text()
    assert source.count("f = 1.0 / (1.0 + r * t)") == 1
    ladder.write_text(source.replace("f = 1.0 / (1.0 + r * t)", "f = 3.0 / (1.0 + r * t)"))
    changed = answer(start(ONE_FOLD, **places))
    ladder.write_text(source)
    again = answer(start(ONE_FOLD, **places))
    assert [run["factor"] for run in (before, changed, again)] == [0.5, 1.5, 0.5]
    assert before["kept"] == again["kept"]
    assert before["kept"] != changed["kept"]
    assert before["compiled"] > 0
    assert changed["compiled"] > 0
    assert again["compiled"] == 0
    assert len(folders(tmp_path / "cache")) == 2


@pytest.mark.slow
def test_kernels_are_kept_beside_the_sources_else_in_the_users_cache_else_not_at_all(
    package: Any, tmp_path: Path
) -> None:
    """A file where `__pycache__` belongs can't be written to by anyone, the superuser included."""
    places: dict[str, str | Path] = {
        "PYTHONPATH": package.parent,
        "NUMBA_CACHE_DIR": "",
        "PYTHONDONTWRITEBYTECODE": "1",
        "XDG_CACHE_HOME": tmp_path / "users",
    }
    beside = answer(start(ONE_CELL, **places))
    assert {Path(path).parent for path in beside["kept"]} == {package / "circuit" / "__pycache__"}
    shutil.rmtree(package / "circuit" / "__pycache__")
    (package / "circuit" / "__pycache__").touch()
    users, users_again = (answer(start(ONE_CELL, **places)) for _ in range(2))
    assert set(users["kept"]) == set(folders(tmp_path / "users"))
    assert [users["compiled"] > 0, users_again["compiled"]] == [True, 0]
    shutil.rmtree(tmp_path / "users")
    (tmp_path / "users").touch()
    nowhere = answer(start(ONE_CELL, **places))
    assert set(nowhere["kept"]) == {None}
    assert [run["factor"] for run in (beside, users, users_again, nowhere)] == [0.5] * 4


@pytest.fixture
def kept_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which kernels that a test defines are kept, and known to nobody else."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(jit, "ENTRIES", [])
    return tmp_path


def twice(x: Any) -> Any:
    return 2 * x


def only_folder(parent: Path) -> Path:
    (folder,) = folders(parent)
    return Path(folder)


def test_the_fixture_above_keeps_and_loads_a_kernel(kept_in: Path) -> None:
    first, second = jit.entry(twice), jit.entry(twice)
    assert [first(3), second(4)] == [6, 8]
    assert [sum(kernel.stats.cache_hits.values()) for kernel in (first, second)] == [0, 1]
    assert only_folder(kept_in).name == f"rxsim-kernels-{jit.sources_hash()}"


@pytest.mark.parametrize("damage", ["emptied", "cut", "removed", "folder removed"])
def test_a_damaged_cache_is_compiled_again(kept_in: Path, damage: str) -> None:
    assert jit.entry(twice)(3) == 6
    second = jit.entry(twice)
    folder = only_folder(kept_in)
    files = list(folder.iterdir())
    assert {file.suffix for file in files} == {".nbi", ".nbc"}
    if damage == "folder removed":
        shutil.rmtree(folder)
    for file in files if folder.exists() else []:
        if damage == "removed":
            file.unlink()
        else:
            file.write_bytes(b"" if damage == "emptied" else file.read_bytes()[:50])
    assert second(3) == 6
    assert sum(second.stats.cache_hits.values()) == 0
    third = jit.entry(twice)
    assert third(3) == 6


def test_a_kernel_that_cannot_be_kept_still_runs(
    kept_in: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    kernel = jit.entry(twice)
    assert kernel(3) == 6
    assert not [file for file in only_folder(kept_in).iterdir() if file.suffix == ".nbc"]


def test_the_oldest_folders_are_removed_when_a_new_one_is_made(kept_in: Path) -> None:
    kernel = jit.entry(twice)
    parent = Path(kernel.stats.cache_path).parent
    for age in range(6):
        folder = parent / f"rxsim-kernels-{age}"
        folder.mkdir(parents=True)
        (folder / "a.nbc").touch()
        os.utime(folder, (1e9 - age, 1e9 - age))
    (parent / "other").mkdir()
    assert kernel(3) == 6
    newest = [f"rxsim-kernels-{age}" for age in range(3)]
    current = f"rxsim-kernels-{jit.sources_hash()}"
    assert {folder.name for folder in parent.iterdir()} == {*newest, current, "other"}


def test_a_folder_in_use_counts_as_new(kept_in: Path) -> None:
    kernel = jit.entry(twice)
    kernel(3)
    folder = only_folder(kept_in)
    os.utime(folder, (1e9, 1e9))
    jit.entry(twice)
    assert folder.stat().st_mtime > 1e9


def circuit_modules() -> list[ModuleType]:
    names = [module.name for module in pkgutil.walk_packages(rxsim.circuit.__path__)]
    return [importlib.import_module(f"rxsim.circuit.{name}") for name in names]


def kernels_of(module: ModuleType) -> list[Dispatcher]:
    return [
        value
        for value in vars(module).values()
        if isinstance(value, Dispatcher) and value.__module__ == module.__name__
    ]


def imported_names(module: ModuleType) -> dict[str, str]:
    """Return the names that a file imports from the package, with where they come from."""
    origins = {}
    for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text())):
        if isinstance(node, ast.ImportFrom):
            # A relative import would hide where a name comes from; ruff and mypy see none here.
            assert node.level == 0
            if (node.module or "").split(".")[0] == "rxsim":
                for alias in node.names:
                    origins[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Import):
            assert not any(alias.name.startswith("rxsim") for alias in node.names)
    return origins


def test_every_kernel_is_compiled_by_jit() -> None:
    """A kernel with a decorator of its own would be kept by numba's rule, and become stale."""
    kernels = {id(kernel) for module in circuit_modules() for kernel in kernels_of(module)}
    assert kernels == {id(kernel) for kernel in [*jit.ENTRIES, *jit.INNERS]}
    assert {"relax", "eliminate"} <= {kernel.py_func.__name__ for kernel in jit.ENTRIES}
    assert len(kernels) > 30


def taken_from_elsewhere(kernel: Any, origins: dict[str, str]) -> list[str]:
    """Return what a kernel takes from the package, but not from the circuit."""
    names = set(kernel.py_func.__code__.co_names) & set(origins)
    return [origins[name] for name in names if not origins[name].startswith("rxsim.circuit.")]


@pytest.mark.parametrize("module", circuit_modules(), ids=lambda module: module.__name__)
def test_a_kernel_takes_nothing_from_sources_that_the_folder_is_not_named_after(
    module: Any,
) -> None:
    origins = imported_names(module)
    for kernel in kernels_of(module):
        assert taken_from_elsewhere(kernel, origins) == [], kernel.py_func.__name__


def test_the_check_above_sees_what_a_kernel_takes() -> None:
    kernels = {kernel.py_func.__name__: kernel for kernel in jit.INNERS}
    relax = kernels["_relax"]
    assert taken_from_elsewhere(relax, {"LANES": "rxsim.seeds.LANES"}) == ["rxsim.seeds.LANES"]

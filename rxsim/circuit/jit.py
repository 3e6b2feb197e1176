"""How the circuit's kernels are compiled, and where the compiled ones are kept.

A kernel is a function that numba compiles. An entry kernel (`@entry`) is called from Python, and is
kept on disk with all that it calls. An inner kernel (`@inner`) is called by other kernels only, and
becomes part of each of them.

numba compiles a kernel anew when the file in which it stands has changed. It does not look at the
other files from which the kernel takes functions and constants. So compiled kernels are kept in a
folder whose name carries a hash of all sources of `rxsim.circuit`: with any change to them every
kernel is compiled anew, and kernels may share code across files. They take nothing from other parts
of the package.

The folder stands where numba would put its files: in NUMBA_CACHE_DIR if that is set, else in
`__pycache__` beside the sources, else in the user's cache folder. Where none of them can be written to,
every process compiles for itself. Any number of processes may read, fill and tidy the folders at once.
"""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import hashlib
import os
import pickle
import shutil
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache

# These change last bits only, as nothing is ever subtracted; infinite resistances stay ordinary values.
FASTMATH = {"contract", "reassoc", "nsz"}
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": FASTMATH}
_njit: Any = numba.njit  # its stub knows of no wrappers
_PREFIX = "rxsim-kernels-"
_KEPT = 4  # folders: the one in use and the latest ones of other states of the sources

ENTRIES: list[Any] = []
"""All entry kernels (numba's dispatchers), in the order of their definition."""
INNERS: list[Any] = []
"""All inner kernels, likewise."""


def entry(function: Callable[..., Any]) -> Any:
    """Compile a function that Python calls; the compiled kernel is kept on disk."""
    kernel = _njit(**_OPTIONS)(function)
    # numba raises this where it knows no folder that it can write to.
    with suppress(RuntimeError):
        kernel._cache = _KernelCache(function)
    ENTRIES.append(kernel)
    return kernel


def inner(function: Callable[..., Any]) -> Any:
    """Compile a function that only kernels call, into each of them."""
    # numba's wrappers for calls from Python and C would take time to compile, and nobody calls them.
    kernel = _njit(**_OPTIONS, no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)
    INNERS.append(kernel)
    return kernel


@cache
def sources_hash() -> str:
    """Hash all sources of this package, with their names, and numba's version."""
    content = hashlib.sha256(str(numba.__version__).encode())
    here = Path(__file__).parent
    for path in sorted(here.rglob("*.py")):
        source = path.read_bytes()
        content.update(f"\n{path.relative_to(here).as_posix()} {len(source)}\n".encode())
        content.update(source)
    return content.hexdigest()[:16]


class _KernelFolder:
    """The folder of this state of the sources, within the one that numba chose (its "locator")."""

    def __init__(self, chosen: Any) -> None:
        self._chosen = chosen
        self._path = os.path.join(chosen.get_cache_path(), _PREFIX + sources_hash())
        with suppress(OSError):
            os.utime(self._path)  # in use: the last to be tidied away

    def get_cache_path(self) -> str:
        """Return the folder."""
        return self._path

    def ensure_cache_path(self) -> None:
        """Make the folder; where it is new, remove the oldest ones beside it."""
        if not os.path.isdir(self._path):
            os.makedirs(self._path, exist_ok=True)
            _remove_oldest(Path(self._path).parent)

    def get_source_stamp(self) -> str:
        """Return what must not have changed: the folder's name says it all."""
        return sources_hash()

    def get_disambiguator(self) -> Any:
        """Tell kernels of the same name apart."""
        return self._chosen.get_disambiguator()


def _remove_oldest(parent: Path) -> None:
    """Remove all but the latest folders of compiled kernels; who uses a removed one compiles again."""
    ages = {}
    for folder in parent.glob(_PREFIX + "*"):
        with suppress(OSError):  # another process was quicker
            ages[folder] = folder.stat().st_mtime
    for folder in sorted(ages, key=lambda name: ages[name], reverse=True)[_KEPT:]:
        shutil.rmtree(folder, ignore_errors=True)


class _CacheFiles(CompileResultCacheImpl):
    """numba's files of compiled kernels, in the kernels' folder."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._locator = _KernelFolder(self._locator)


class _KernelCache(FunctionCache):
    """numba's cache of one kernel, where a file that can't be read or written is no error."""

    _impl_class = _CacheFiles

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the compiled kernel, or None if there is none that can be read."""
        try:
            return super().load_overload(sig, target_context)
        except (OSError, EOFError, pickle.UnpicklingError):
            with suppress(OSError):
                self.flush()  # else the damaged index could not be written to either
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled kernel; on a full disk, or where the folder was just removed, don't."""
        with suppress(OSError):
            super().save_overload(sig, data)

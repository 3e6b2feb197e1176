"""How much memory this process may still take: what the machine has left, and the limits set on it.

And what it has freed, and not given back.
"""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Iterator
from pathlib import Path

from rxsim.errors import InputError

LITTLE = 256 * 2**20
"""Bytes below which nobody looks how many are free."""
_PROC, _GROUPS = Path("/proc"), Path("/sys/fs/cgroup")
_KIB = 1024
_SIZE = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*([kmgt]i?b)", re.IGNORECASE)
_SIZES = {
    f"{letter}{kind}": base**power
    for kind, base in (("b", 1000), ("ib", _KIB))
    for power, letter in enumerate("kmgt", 1)
}
_LEAST, _MOST = 256 * 2**20, 2**60
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")


def available_bytes(proc: Path = _PROC, groups: Path = _GROUPS) -> int | None:
    """Return the bytes that can still be taken without swapping; None where nobody tells.

    It is the least of what the machine has left, what the control groups of this process (a container,
    a batch job) leave it, and the limits of its own (`ulimit -v`, `ulimit -d`).

    Args:
        proc: where the kernel tells of processes.
        groups: where it tells of control groups.
    """
    found = [_left_on_machine(proc), *_left_of_limits(proc), *_left_in_groups(proc, groups)]
    known = [number for number in found if number is not None]
    return max(min(known), 0) if known else None


def half_of_free() -> int | None:
    """Return half of the bytes that can still be taken: what a run takes at most by default."""
    free = available_bytes()
    return None if free is None else free // 2


def read_size(text: str, option: str) -> int:
    """Read a number of bytes such as 3GB (10^9 each) or 500MiB (2^20 each).

    Args:
        text: what was given.
        option: what messages call it.

    Raises:
        InputError: it is no such number, or less than any run takes.
    """
    match = _SIZE.fullmatch(text.strip())
    size = 0.0
    if match is not None:
        number, unit = match.groups()
        size = float(number) * _SIZES[unit.lower()]
    if match is None or not _LEAST <= size < _MOST:
        raise InputError(
            f"{option}: found {text!r}, expected a size from {as_text(_LEAST)} on with its unit, such "
            "as 3GB, 500MB or 4GiB; give one"
        )
    return int(size)


def as_text(size: float) -> str:
    """Write a number of bytes in the unit that suits it: 2.1 GiB."""
    power = 0
    while size >= _KIB and power < len(_UNITS) - 1:
        size, power = size / _KIB, power + 1
    return f"{size:.0f} {_UNITS[0]}" if power == 0 else f"{size:.1f} {_UNITS[power]}"


def give_back() -> None:
    """Give freed memory back to the machine, where the C library can be asked for it (glibc's).

    It keeps freed blocks below 32 MiB, and matrices of single row tiles are smaller.
    Source: malloc_trim(3); mallopt(3), M_MMAP_THRESHOLD.
    """
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # other C libraries, other systems
        return
    trim(0)


def require(needed: int, what: str) -> None:
    """Refuse work that takes more memory than is free.

    Args:
        needed: bytes; a little is never refused.
        what: what takes them, such as "an array of 2048x2048".

    Raises:
        InputError: naming both and the bytes.
    """
    left = available_bytes() if needed > LITTLE else None
    if left is not None and needed > left:
        raise InputError(
            f"found {what}, which takes {as_text(needed)} of memory to solve, expected at most the "
            f"{as_text(left)} that are free; use smaller arrays or a machine with more memory"
        )


def _left_on_machine(proc: Path) -> int | None:
    """Return what the machine has left; where it does not tell, all that it has."""
    left = _named_number(proc / "meminfo", "MemAvailable:")
    if left is not None:
        return left * _KIB
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not a name that every system knows
        return None


def _left_of_limits(proc: Path) -> Iterator[int | None]:
    """Yield what the limits of this process's address space and data leave; None: unlimited."""
    try:
        import resource  # not on every system
    except ImportError:
        return
    for which, used in ((resource.RLIMIT_AS, "VmSize:"), (resource.RLIMIT_DATA, "VmData:")):
        limit = resource.getrlimit(which)[0]
        taken = _named_number(proc / "self" / "status", used) or 0
        yield None if limit == resource.RLIM_INFINITY else limit - taken * _KIB


def _left_in_groups(proc: Path, groups: Path) -> Iterator[int | None]:
    """Yield what each control group above this process leaves; both versions of their files."""
    try:
        lines = (proc / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers == "":
            yield from _left_above(groups, path, "memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            yield from _left_above(groups / "memory", path, *names)


def _left_above(top: Path, path: str, most: str, used: str, cached: str) -> Iterator[int | None]:
    """Yield what a group and those above it leave; within a container the topmost is its own."""
    parts = [part for part in path.split("/") if part not in ("", "..")]
    for count in range(len(parts), -1, -1):
        folder = top.joinpath(*parts[:count])
        limit, taken = _number(folder / most), _number(folder / used)
        if limit is not None and taken is not None:
            # The kernel gives back what it keeps of files before it refuses anything.
            yield limit - taken + (_named_number(folder / "memory.stat", cached) or 0)


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):  # there is no such file, or it says "max"
        return None


def _named_number(file: Path, name: str) -> int | None:
    """Return the number behind a name at the start of a line."""
    try:
        for line in file.read_text().splitlines():
            words = line.split()
            if len(words) > 1 and words[0] == name:
                return int(words[1])
    except (OSError, ValueError):
        return None
    return None

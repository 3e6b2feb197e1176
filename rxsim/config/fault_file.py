"""A defect map from a file: which cells of which arrays are stuck, and where.

The file is a NumPy archive (npz) with an array for each layer, named like it; `*` stands for all
others. An array has the shape (rows, cols), for every physical array of the layer alike, or (arrays,
rows, cols).

- Whole numbers: 0 the cell works, 1 stuck at g_on, 2 stuck at g_off, 3 open. Booleans: true is 1.
- Floats: the conductance in siemens at which the cell is stuck, 1 S at most; NaN where it works.

Settings hold where the file lies and what it contains (its hash): results depend on the content alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from pydantic import Field

from rxsim.errors import InputError
from rxsim.schema import Section, in_yaml

OTHERS = "*"
"""Name of the map for layers without one of their name."""
_CODES = (0, 1, 2, 3)
_LARGEST = 1.0  # siemens. Assumption: a cell of less than 1 ohm is a number in another unit


class FaultFile(Section):
    """A file with a defect map."""

    file: str = Field(min_length=1, description="where it lies")
    sha256: str = Field(
        min_length=64, max_length=64, description="hash of its content; rxsim fills it in"
    )


def fault_file(path: Path) -> FaultFile:
    """Identify a defect map by its content.

    Raises:
        InputError: it can't be read, or holds no defect map.
    """
    content = _content(path)
    sha256 = hashlib.sha256(content).hexdigest()
    given = FaultFile(file=str(path.resolve()), sha256=sha256)
    fault_maps(given)
    return given


@lru_cache(maxsize=4)
def fault_maps(given: FaultFile) -> MappingProxyType[str, np.ndarray]:
    """Read a defect map.

    Args:
        given: the file.

    Returns:
        By layer name (or `*`) its map, (rows, cols) or (arrays, rows, cols): int8 codes, or float64
        siemens with NaN where cells work.

    Raises:
        InputError: it can't be read, has other content than it had, or holds no defect map.
    """
    path = Path(given.file)
    if hashlib.sha256(_content(path)).hexdigest() != given.sha256:
        raise InputError(
            f"defect map {path}: found another content than these settings were made with (SHA-256 "
            f"{given.sha256[:12]}), expected the same; bring the old file back, or name it anew"
        )
    try:
        with np.load(path, allow_pickle=False) as archive:
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ValueError("no archive")
            maps = {name: archive[name] for name in archive.files}
    except Exception:  # numpy and zipfile raise many types
        raise InputError(
            f"defect map {path}: found no archive of plain arrays , expected a file that numpy.savez "
            "wrote; write it anew"
        ) from None
    if not maps:
        raise InputError(
            f"defect map {path}: found no array, expected one for each layer or '*'; add it"
        )
    return MappingProxyType({name: _checked(path, name, value) for name, value in maps.items()})


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"can't read the defect map {path}: {error.strerror or error}; check the name"
        ) from None
    except ValueError:  # a null in it
        raise InputError(
            f"can't read the defect map {in_yaml(str(path))}: no file can have this name; check the "
            "name"
        ) from None


def _checked(path: Path, name: str, values: np.ndarray) -> np.ndarray:
    where = f"defect map {path}: {name}"
    if values.ndim not in (2, 3) or not values.size:
        raise InputError(
            f"{where}: found the shape {list(values.shape)}, expected (rows, cols) or (arrays, rows, "
            "cols); reshape it"
        )
    if values.dtype.kind in "biu":
        wrong = values[(values < _CODES[0]) | (values > _CODES[-1])]
        if wrong.size:
            raise InputError(
                f"{where}: found the code {int(wrong[0])}, expected 0 (works), 1 (stuck at g_on), 2 "
                "(stuck at g_off) or 3 (open); correct it"
            )
        return values.astype(np.int8)
    if values.dtype.kind != "f":
        raise InputError(
            f"{where}: found values of type {values.dtype}, expected whole codes, or siemens with NaN "
            "where a cell works; convert them"
        )
    wrong = values[(values < 0) | (values > _LARGEST)]
    if wrong.size:
        raise InputError(
            f"{where}: found a conductance of {float(wrong[0]):g} S, expected 0 to {_LARGEST:g} S, "
            "or NaN where a cell works; correct it, or bring it to siemens"
        )
    if np.isin(values, _CODES).all():
        # Assumption: nobody means that all cells of a layer conduct 0 or 1 S: these are codes.
        raise InputError(
            f"{where}: found nothing but {' and '.join(f'{code:g}' for code in np.unique(values))} as "
            "floats, which are siemens: no cell would work; expected NaN where a cell works, or whole "
            "codes; save codes as int (an open cell has the code 3)"
        )
    return values.astype(np.float64)


def read_faults(given: Any, folder: Path) -> Any:
    """Replace the name of a defect map by the file and its hash; return other values as they are."""
    if isinstance(given, Mapping) and {*given} == {"file"}:
        given = given["file"]
    return fault_file(folder / given) if isinstance(given, str) else given


def known_faults(given: Any) -> Any:
    """Refuse a value that names no defect map, in the words of a settings file."""
    if given is None or isinstance(given, FaultFile | Mapping):
        return given
    raise ValueError(f"found {in_yaml(given)}, expected the name of a file that numpy.savez wrote")


def or_file_name(schema: dict[str, Any]) -> None:
    """Let a JSON schema take the name alone: that is what users write."""
    schema["anyOf"] = [{"type": "string", "description": "the file's name"}, *schema["anyOf"]]

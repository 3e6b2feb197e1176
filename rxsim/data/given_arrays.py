"""Data in memory: numpy arrays by name, as an npz file holds them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rxsim.errors import DataError

IN_MEMORY = "data in memory"
"""What messages and results call arrays that were given in place of a path."""


@dataclass(frozen=True, slots=True, eq=False)
class GivenArrays:
    """Arrays of samples and labels, given in place of a path to data.

    Attributes:
        arrays: `x` (samples) and `y` (labels), or one array for each network input, first axis the
            sample.
        identity: SHA-256 of their names, types, shapes and values.
        name: their name in messages and results.
    """

    arrays: Mapping[str, np.ndarray]
    identity: str
    name: str = IN_MEMORY

    @property
    def labelled(self) -> bool:
        """Whether labels are among them."""
        return "y" in self.arrays


def given_arrays(values: Any, what: str = "data") -> GivenArrays:
    """Take samples alone, a pair (samples, labels), or a mapping of arrays by name.

    Args:
        values: an array (n, ..); a pair of arrays; or a mapping such as {"x": x, "y": y}.
        what: name of the argument in messages.

    Raises:
        DataError: none of these, or a part is no array of numbers.
    """
    if isinstance(values, np.ndarray):
        parts: Mapping[Any, Any] = {"x": values}
    elif isinstance(values, tuple | list) and len(values) == 2:
        parts = {"x": values[0], "y": values[1]}
    elif isinstance(values, Mapping) and values and all(isinstance(name, str) for name in values):
        parts = values
    else:
        raise DataError(
            f"{what}: found {_described(values)}, expected a path, an array x, a pair of arrays "
            "(x, y), a mapping of arrays by name, or DataOptions; give one of them"
        )
    arrays = {name: _array(part, f"{what}: {name}") for name, part in parts.items()}
    return GivenArrays(arrays, _identity(arrays))


def _described(values: Any) -> str:
    if isinstance(values, tuple | list):
        return f"a {type(values).__name__} of {len(values)}"
    if isinstance(values, Mapping):
        return "a mapping without arrays by name"
    return f"a value of type {type(values).__name__}"


def _array(values: Any, where: str) -> np.ndarray:
    """Return an array of plain numbers."""
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, RuntimeError):  # rows of several lengths, or a tensor elsewhere
        array = np.empty(0, dtype=object)
    if array.dtype.kind not in "biuf":
        raise DataError(
            f"{where}: found a value of type {type(values).__name__} that is no array of real numbers, "
            "expected one; convert it with numpy.asarray"
        )
    return array


def _identity(arrays: Mapping[str, np.ndarray]) -> str:
    """Hash arrays by name and content; their order and their layout in memory change nothing."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name}\0{array.dtype.str}\0{list(array.shape)}\0".encode())
        digest.update(np.ascontiguousarray(array).data if array.size else b"")
    return digest.hexdigest()

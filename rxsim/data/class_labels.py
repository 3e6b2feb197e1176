"""Labels: names of classes, and the network output of each label."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rxsim.counted import counted
from rxsim.data.data_set import DataSet
from rxsim.errors import DataError


def read_classes(path: Path) -> dict[str, int]:
    """Read class names, one a line; the line's number from 0 is the label.

    Raises:
        DataError: it can't be read, is empty, or names a class twice.
    """
    labels: dict[str, int] = {}
    for number, name in enumerate(_lines(path, "classes file")):
        if not name:
            raise DataError(
                f"classes file {path}, line {number + 1} is empty, expected one class name a line; "
                "remove it or name the class"
            )
        if name in labels:
            raise DataError(
                f"classes file {path}, line {number + 1}: found {name} again (first in line "
                f"{labels[name] + 1}), expected each class once; correct it"
            )
        labels[name] = number
    return labels


def unknown_class(name: str, classes: dict[str, int], path: Path) -> str:
    """Say that a class is not in the classes file, with the nearest name."""
    near = difflib.get_close_matches(name, list(classes), n=1, cutoff=0.6)
    hint = f"did you mean {near[0]}?" if near else "add it there, or take its images away"
    known = counted(len(classes), "class", "classes")
    return f"found the class {name}, expected one of {known} of {path}; {hint}"


@dataclass(frozen=True, slots=True)
class LabelRule:
    """How a data label becomes the number of a network output.

    Attributes:
        offset: added to every label.
        map: text file whose line i (from 0) holds the output of label i; or None.
    """

    offset: int = 0
    map: Path | None = None

    def outputs(self, data: DataSet, n_outputs: int | None, model_name: str) -> np.ndarray:
        """Return the network output that is right for every sample, int64 (n,).

        Args:
            data: a data set with whole-number labels.
            n_outputs: number of the network's outputs; None where it is unknown before a run.
            model_name: for messages.

        Raises:
            DataError: a label without an output, or a map that can't be read.
        """
        labels = data.labels
        assert labels is not None
        result = labels + self.offset
        how = f" (with the offset {self.offset}: {{}})" if self.offset else ""
        if self.map is not None:
            table = read_label_map(self.map)
            _refuse_first(
                data,
                labels >= len(table),
                f"expected labels below {len(table)}, the number of lines of the label map "
                f"{self.map}; complete the map",
            )
            result = table[labels]
            how = f" (output {{}} by the label map {self.map})"
        _refuse_first(data, result < 0, "expected an output of 0 and above", how, result)
        if n_outputs is not None:
            _refuse_first(
                data,
                result >= n_outputs,
                f"expected labels below {n_outputs}, the number of outputs of {model_name}; check "
                "the data, the label offset or the model",
                how,
                result,
            )
        return result


def _refuse_first(
    data: DataSet,
    wrong: np.ndarray,
    expected: str,
    how: str = "",
    result: np.ndarray | None = None,
) -> None:
    """Refuse data with a wrong sample; the message names the place of the first one."""
    if not wrong.any():
        return
    index = int(wrong.argmax())
    assert data.labels is not None
    became = "" if result is None else how.format(int(result[index]))
    raise DataError(
        f"{data.place(index)}: found the label {int(data.labels[index])}{became}, {expected}"
    )


def read_label_map(path: Path) -> np.ndarray:
    """Read the network output of each data label, one a line, int64.

    Raises:
        DataError: it can't be read, or a line is not a whole number.
    """
    outputs: list[int] = []
    for number, line in enumerate(_lines(path, "label map")):
        if not is_whole(line):
            raise DataError(
                f"label map {path}, line {number + 1}: found {line!r}, expected a whole number of 0 "
                "and above, the output of that label; correct it"
            )
        outputs.append(int(line))
    return np.asarray(outputs, dtype=np.int64)


def is_whole(text: str) -> bool:
    """Tell whether a text is a whole number of 0 and above that fits int64."""
    return text.isascii() and text.isdigit() and len(text) <= 18


def _lines(path: Path, what: str) -> Sequence[str]:
    """Read the lines of a text file without the space around them.

    Raises:
        DataError: it can't be read, or holds nothing.
    """
    try:
        text = path.read_text(encoding="utf-8-sig").rstrip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise DataError(f"{what} {path} can't be read: {reason}; check the path") from None
    if not text:
        raise DataError(f"{what} {path} is empty, expected one entry a line; fill it in")
    return [line.strip() for line in text.split("\n")]

"""A CSV list of images: a header `file,label`, then a file name and its label per line."""

from __future__ import annotations

import csv
from pathlib import Path

from rxsim.data.class_labels import is_whole, read_classes, unknown_class
from rxsim.data.data_set import Truth
from rxsim.data.image_files import ImageFiles, list_images
from rxsim.errors import DataError


def read_csv_list(
    path: Path, images: Path | None, classes: Path | None, truth: Truth
) -> ImageFiles:
    """List the images that a CSV names; other columns are ignored, entries may repeat.

    Args:
        path: the CSV.
        images: the folder that its files lie in; None: the CSV's own.
        classes: the classes file, for labels that are names.
        truth: what the data must hold; without labels the column may be missing.

    Raises:
        DataError: unreadable, without the columns, or a line whose file or label can't be used.
    """
    rows = _rows(path)
    columns = rows[0][1] if rows else []
    labelled = _has_labels(path, columns, truth)
    known = read_classes(classes) if classes is not None and labelled else None
    names: list[str] = []
    labels: list[int] = []
    places: list[str] = []
    for line, values in rows[1:]:
        row = dict(zip(columns, values, strict=False))
        place, file = f"{path}, line {line}", row.get("file", "")
        if not file:
            raise DataError(f"{place}: found no file name, expected one; correct the line")
        names.append(file)
        places.append(place)
        if labelled and truth == "any" and known is None and not is_whole(row.get("label", "")):
            labelled = False  # class names without numbers: calibration needs no labels
        if labelled:
            labels.append(_label(row.get("label", ""), place, known, classes))
    if not names:
        raise DataError(
            f"{path}: found no line below the header, expected one a sample; fill it in"
        )
    folder = path.parent if images is None else images
    return list_images(path.name, folder, names, labels if labelled else None, places)


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """Return the number and the values of every line that is not blank, the header first."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.reader(handle, strict=True)
            rows = ((reader.line_num, [value.strip() for value in values]) for values in reader)
            return [(line, values) for line, values in rows if any(values)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or (
            "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error)
        )
        raise DataError(
            f"data file {path} can't be read: {reason}, expected a CSV with the columns file and "
            "label; check it"
        ) from None


def _has_labels(path: Path, columns: list[str], truth: Truth) -> bool:
    """Refuse a header without the needed columns; tell whether labels are to be read."""
    needed = ["file", "label"] if truth == "classes" else ["file"]
    missing = [name for name in needed if name not in columns]
    if missing:
        raise DataError(
            f"{path}: found the columns {', '.join(columns) or 'nothing'} in its first line, expected "
            f"a header with file and label (no {' and no '.join(missing)}); add it, or give --metric "
            "none where there are no labels"
        )
    twice = [name for name in ("file", "label") if columns.count(name) > 1]
    if twice:
        raise DataError(
            f"{path}: found the column {twice[0]} twice, expected it once; rename the other"
        )
    return truth != "none" and "label" in columns


def _label(text: str, place: str, known: dict[str, int] | None, classes: Path | None) -> int:
    if known is not None and classes is not None and text in known:
        return known[text]
    if is_whole(text):
        return int(text)
    if known is not None and classes is not None:
        raise DataError(f"{place}: {unknown_class(text, known, classes)}")
    raise DataError(
        f"{place}: found the label {text!r}, expected a whole number of 0 and above; correct it, or "
        "give the class names in order with --classes FILE"
    )

"""A folder of images by class: `folder/classname/*.jpg`."""

from __future__ import annotations

from pathlib import Path

from rxsim.data.class_labels import is_whole, read_classes, unknown_class
from rxsim.data.data_set import Truth
from rxsim.data.image_files import SUFFIXES, ImageFiles, list_images
from rxsim.errors import DataError


def read_image_folder(path: Path, classes: Path | None, truth: Truth) -> ImageFiles:
    """List the images of a folder.

    Args:
        path: the folder; hidden files and files that are no images by name are passed over.
        classes: the classes file, one name a line in the order of the network's outputs; without it
            the class folders must be named by whole numbers, the labels.
        truth: what the data must hold; without labels the images may lie in the folder itself.

    Raises:
        DataError: no images, an unknown or empty class, or nothing that states the order of classes.
    """
    try:
        entries = sorted(entry for entry in path.iterdir() if not entry.name.startswith("."))
        flat = [entry.name for entry in entries if _is_image(entry)]
        folders = {
            entry.name: sorted(file.name for file in entry.iterdir() if _is_image(file))
            for entry in entries
            if entry.is_dir()
        }
    except OSError as error:
        raise DataError(
            f"data folder {error.filename or path} can't be read: {error.strerror}; check the path"
        ) from None
    if not flat and not any(folders.values()):
        raise DataError(
            f"data {path} is a folder without images, expected class folders with images "
            "(folder/classname/*.jpg), one pair of IDX files, CIFAR-10 *.bin files, or the path of an "
            "npz or CSV file; check the path"
        )
    if flat and folders:
        raise DataError(
            f"data folder {path} holds images of its own ({flat[0]}) beside folders "
            f"({next(iter(folders))}), expected one or the other; move them"
        )
    if flat:
        return _flat(path, flat, truth)
    labels = _labels_of(path, folders, classes, truth)
    names = [f"{folder}/{file}" for folder, files in folders.items() for file in files]
    if labels is None:
        return list_images(path.name, path, names, None)
    of_each = [labels[folder] for folder, files in folders.items() for _ in files]
    return list_images(path.name, path, names, of_each)


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def _flat(path: Path, names: list[str], truth: Truth) -> ImageFiles:
    if truth == "classes":
        raise DataError(
            f"data folder {path} holds images without class folders, expected "
            "folder/classname/*.jpg; sort them, list them in a CSV of file,label, or give --metric "
            "none to measure agreement and SNR only"
        )
    return list_images(path.name, path, names, None)


def _labels_of(
    path: Path, folders: dict[str, list[str]], classes: Path | None, truth: Truth
) -> dict[str, int] | None:
    """Return the label of each class folder; None where labels are not needed and not stated."""
    if truth == "none":
        return None
    empty = [name for name, files in folders.items() if not files]
    if empty:
        raise DataError(
            f"class folder {path / empty[0]} holds no images, expected at least one (.jpg, .png, "
            "..) in each class folder; add some or remove the folder"
        )
    if classes is not None:
        known = read_classes(classes)
        for name in folders:
            if name not in known:
                raise DataError(f"data folder {path}: {unknown_class(name, known, classes)}")
        return {name: known[name] for name in folders}
    if all(is_whole(name) for name in folders):
        labels = {name: int(name) for name in folders}
        if len(set(labels.values())) < len(labels):
            raise DataError(
                f"data folder {path}: found class folders of the same number, such as 1 and 01, "
                "expected each label once; rename one"
            )
        return labels
    if truth == "any":
        return None
    raise DataError(
        f"data folder {path}: found class folders such as {next(iter(folders))} and nothing that says "
        "which network output each is, expected a text file with one class name a line in the order "
        "of the outputs; give it with --classes FILE or `classes: FILE` in the card"
    )

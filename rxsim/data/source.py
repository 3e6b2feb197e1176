"""Open a data set: tell its kind from its path, and call the reader of that kind."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from rxsim.data.cifar import cifar_files, pickled_batches, read_cifar, refuse_pickle
from rxsim.data.csv_list import read_csv_list
from rxsim.data.data_set import DataSet, Truth
from rxsim.data.given_arrays import GivenArrays
from rxsim.data.idx import find_idx_images, is_idx, read_idx
from rxsim.data.image_files import SUFFIXES
from rxsim.data.image_folder import read_image_folder
from rxsim.data.npz import read_npz, use_arrays
from rxsim.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The place of a data set, and the files that belong to it.

    Attributes:
        path: an npz, CSV, IDX or CIFAR-10 file, or a folder of images, IDX or CIFAR-10 files; or arrays
            in memory, which are taken as an npz is.
        truth: what it must hold besides samples.
        classes: names of the classes in the order of the labels, for folders and CSVs.
        images: the folder of a CSV's files.
        label_file: the labels of IDX images.
        inputs: names of the network's inputs that need data.
        main: the input that the samples feed.
        whole: those inputs that are stored once, for all samples.
        single: those inputs that take a single value of each sample.
    """

    path: Path | GivenArrays
    truth: Truth = "classes"
    classes: Path | None = None
    images: Path | None = None
    label_file: Path | None = None
    inputs: Sequence[str] = ()
    main: str | None = None
    whole: Collection[str] = ()
    single: Collection[str] = ()


def open_data(source: Source) -> DataSet:
    """Open a data set with the reader of its kind.

    Raises:
        DataError: an unknown kind, unusable data, or a companion file that its kind does not take.
    """
    path = source.path
    if isinstance(path, GivenArrays):
        _check_companions(source, path.name, "npz")
        return use_arrays(
            path,
            source.truth,
            source.inputs,
            source.main,
            whole=source.whole,
            single=source.single,
        )
    try:
        folder = path.is_dir()
        if not folder:
            path.open("rb").close()
        kind = _kind_of_folder(path) if folder else _kind_of_file(path)
    except OSError as error:
        raise DataError(
            f"data file {path} can't be read: {error.strerror or error}; check the path"
        ) from None
    _check_companions(source, str(path), kind)
    if kind == "npz":
        return read_npz(
            path,
            source.truth,
            source.inputs,
            source.main,
            whole=source.whole,
            single=source.single,
        )
    if kind == "csv":
        return read_csv_list(path, source.images, source.classes, source.truth)
    if kind == "idx":
        images = _only(find_idx_images(path), path) if folder else path
        return read_idx(images, source.label_file, source.truth)
    if kind == "cifar":
        return read_cifar(cifar_files(path, source.truth) if folder else [path], source.truth)
    return read_image_folder(path, source.classes, source.truth)


def _kind_of_folder(folder: Path) -> str:
    if cifar_files(folder, "any"):
        return "cifar"
    if find_idx_images(folder):
        return "idx"
    pickled = pickled_batches(folder)
    if pickled:
        raise refuse_pickle(pickled[0])
    return "images"


def _kind_of_file(path: Path) -> str:
    """Tell a file's kind by its name."""
    suffix, name = path.suffix.lower(), path.name
    if suffix == ".npz":
        return "npz"
    if suffix == ".csv":
        return "csv"
    if is_idx(path):
        return "idx"
    if suffix == ".bin":
        return "cifar"
    if suffix in (".pkl", ".pickle") or name == "test_batch" or name.startswith("data_batch_"):
        raise refuse_pickle(path)
    problem = (
        "is a single image" if suffix in SUFFIXES else f"is of no known kind ({suffix or name})"
    )
    raise DataError(
        f"data file {path} {problem}, expected an npz, a CSV of file,label, IDX images "
        "(..idx3-ubyte[.gz]), CIFAR-10's *.bin, or a folder of images by class; convert it, or check "
        "the path"
    )


def _check_companions(source: Source, where: str, kind: str) -> None:
    """Refuse a companion file that this kind of data has no use for."""
    if source.truth == "values" and kind != "npz":
        raise DataError(
            f"data {where}: found no place for targets that are real numbers, expected an npz "
            "with x and y for the metric mse; convert the data or choose another --metric"
        )
    if source.label_file is not None and kind != "idx":
        raise DataError(
            f"--labels (label_file: {source.label_file}) was given for {where}, expected it with "
            "IDX images only, as other kinds hold their labels; leave it out"
        )
    if source.images is not None and kind != "csv":
        raise DataError(
            f"--images (images: {source.images}) was given for {where}, expected it with a CSV "
            "of file,label only; leave it out"
        )
    if len(source.inputs) > 1 and kind != "npz":
        raise DataError(
            f"data {where} feeds one input, expected an npz with one array for each of the "
            f"network's inputs ({', '.join(source.inputs)}); or leave --data out to use made-up inputs"
        )


def _only(images: list[Path], folder: Path) -> Path:
    if len(images) > 1:
        raise DataError(
            f"data folder {folder} holds {len(images)} IDX image files "
            f"({', '.join(path.name for path in images)}), expected one; give the path of the file"
        )
    return images[0]

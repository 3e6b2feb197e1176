"""Arrays by name: `x` (samples) and `y` (labels), or one array for each network input.

They come from an npz file, or are given in memory. Pickled arrays are never loaded.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

from rxsim.counted import counted
from rxsim.data.data_set import StoredArrays, Truth
from rxsim.data.given_arrays import GivenArrays
from rxsim.errors import DataError
from rxsim.files import sha256_of

_Arrays = tuple[np.ndarray, np.ndarray | None, dict[str, np.ndarray]]
"""Samples, labels, and further inputs by name."""


def read_npz(
    path: Path,
    truth: Truth = "classes",
    inputs: Sequence[str] = (),
    main: str | None = None,
    *,
    whole: Collection[str] = (),
    single: Collection[str] = (),
) -> StoredArrays:
    """Read a data set.

    Args:
        path: the file.
        truth: what `y` must hold.
        inputs: names of the network's inputs; the samples of several lie under these names.
        main: the input that `x` feeds; the first by default.
        whole: those that are stored once, for all samples.
        single: those that take a single value of each sample.

    Raises:
        DataError: not an npz, pickled, keys missing, or arrays of the wrong type or length.
    """
    names = tuple(inputs)
    sample_name = main or (names[0] if names else "x")
    arrays = _read_arrays(path, truth, names, sample_name)
    return _checked(
        arrays, truth, str(path), path.name, sha256_of(path), sample_name, whole, single
    )


def use_arrays(
    given: GivenArrays,
    truth: Truth = "classes",
    inputs: Sequence[str] = (),
    main: str | None = None,
    *,
    whole: Collection[str] = (),
    single: Collection[str] = (),
) -> StoredArrays:
    """Take a data set from memory; the arguments are those of `read_npz`.

    Raises:
        DataError: keys missing, or arrays of the wrong type or length.
    """
    names = tuple(inputs)
    sample_name = main or (names[0] if names else "x")
    arrays = _named_arrays(given.arrays, given.name, truth, names, sample_name)
    return _checked(
        arrays, truth, given.name, given.name, given.identity, sample_name, whole, single
    )


def _checked(
    arrays: _Arrays,
    truth: Truth,
    where: str,
    name: str,
    identity: str,
    main: str,
    whole: Collection[str],
    single: Collection[str],
) -> StoredArrays:
    """Refuse samples and labels of the wrong type or length."""
    x, y, extra = arrays
    _check_samples(where, "x", x, 1 if main in single else 2)
    once = {key: extra.pop(key) for key in [key for key in extra if key in whole]}
    for key, values in once.items():
        _check_kind(where, key, values)
        _check_numbers(where, key, values)
    for key, values in extra.items():
        _check_samples(where, key, values, 1 if key in single else 2)
        if len(values) != len(x):
            raise DataError(
                f"{where}: found {counted(len(values), 'sample')} of {key}, expected {len(x)} "
                "as in the other "
                "inputs; check how they were stored"
            )
    labels = None
    if truth == "values":
        assert y is not None
        labels = _targets(where, y, len(x))
    elif y is not None and (truth == "classes" or (y.ndim == 1 and y.dtype.kind in "iu")):
        labels = _class_labels(where, y, len(x))
    return StoredArrays(name=name, identity=identity, x=x, labels=labels, extra=extra, whole=once)


def _check_kind(where: str, key: str, x: np.ndarray) -> None:
    if x.dtype.kind not in "fiu" and x.dtype != np.bool_:
        raise DataError(
            f"{where}: found {key} of type {x.dtype}, expected real numbers; convert it"
        )


def _check_samples(where: str, key: str, x: np.ndarray, least: int = 2) -> None:
    """Refuse what is no array of samples with at least `least` axes, the samples' included."""
    _check_kind(where, key, x)
    if x.ndim < least or len(x) == 0:
        raise DataError(
            f"{where}: found {key} of shape {list(x.shape)}, expected samples along a first axis"
            + (" and at least one axis of values" if least > 1 else "")
        )
    _check_numbers(where, key, x)


def _check_numbers(where: str, key: str, x: np.ndarray) -> None:
    if x.dtype.kind != "f" or x.size == 0:
        return
    if not np.isfinite(x).all():
        raise DataError(
            f"{where}: {key} holds NaN or infinity, expected finite numbers; clean the data"
        )
    if max(float(x.max()), -float(x.min())) > float(np.finfo(np.float32).max):
        raise DataError(
            f"{where}: {key} holds numbers beyond the range of float32, expected numbers a network "
            "can take; scale the data"
        )


def _class_labels(where: str, y: np.ndarray, count: int) -> np.ndarray:
    if y.ndim != 1 or len(y) != count:
        raise DataError(
            f"{where}: found y of shape {list(y.shape)} for {counted(count, 'sample')}, "
            "expected one label "
            f"for each: shape [{count}]"
            + ("; one-hot rows become labels by y.argmax(1)" if y.ndim == 2 else "; correct it")
        )
    if y.dtype.kind not in "iu":
        raise DataError(
            f"{where}: found y of type {y.dtype}, expected whole-number labels; convert them, e.g. "
            "with y.astype('int64'), or give --metric mse for targets that are real numbers"
        )
    if int(y.min()) < 0:
        raise DataError(
            f"{where}: found the label {int(y.min())} at sample {int(y.argmin())}, expected labels of "
            "0 and above; leave unlabelled samples out, or store labels from 0 on"
        )
    if int(y.max()) > np.iinfo(np.int64).max:
        raise DataError(f"{where}: found the label {int(y.max())}, expected labels that fit int64")
    return y.astype(np.int64)


def _targets(where: str, y: np.ndarray, count: int) -> np.ndarray:
    if y.dtype.kind not in "fiu":
        raise DataError(f"{where}: found y of type {y.dtype}, expected real numbers; convert it")
    if y.ndim < 1 or len(y) != count:
        raise DataError(
            f"{where}: found y of shape {list(y.shape)} for {counted(count, 'sample')}, "
            "expected one target for "
            "each, of the shape of the network's output; check how it was stored"
        )
    _check_numbers(where, "y", y)
    return y.astype(np.float32)


def _read_arrays(path: Path, truth: Truth, inputs: tuple[str, ...], main: str) -> _Arrays:
    try:
        handle = path.open("rb")
    except IsADirectoryError:
        raise DataError(
            f"data file {path} is a folder, expected an npz file with x and y; check the path"
        ) from None
    except OSError as error:
        raise DataError(
            f"data file {path} can't be read: {error.strerror}; check the path"
        ) from None
    with handle:
        try:
            archive = np.load(handle, allow_pickle=False)
        except (OSError, zipfile.BadZipFile, EOFError):
            raise DataError(
                f"data file {path} can't be read: it is empty, damaged or cut short, expected an npz "
                "file with x and y; copy or write it again"
            ) from None
        except ValueError:
            raise DataError(
                f"data file {path} is not an npz of plain arrays (pickled data are never loaded), "
                "expected arrays x and y written by numpy.savez"
            ) from None
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise DataError(
                f"data file {path} holds a single array, expected an npz with x and y; write it "
                "with numpy.savez"
            )
        with archive:
            return _named_arrays(archive, f"data file {path}", truth, inputs, main)


def _named_arrays(
    archive: Mapping[str, np.ndarray], what: str, truth: Truth, inputs: tuple[str, ...], main: str
) -> _Arrays:
    """Read what the network takes: samples of the main input, labels, further inputs by name."""
    by_name = len(inputs) > 1 or ("x" not in archive and main in archive)
    sample_key = main if by_name else "x"
    extra_keys = [name for name in inputs if name != main]
    labelled = truth in ("classes", "values") or (truth == "any" and "y" in archive)
    if labelled and "y" in inputs and by_name:
        raise DataError(
            f"{what}: y would be both labels and an input of the network, expected one; give "
            "--metric none, or rename the network's input"
        )
    keys = [sample_key, *extra_keys, *(["y"] if labelled else [])]
    missing = [key for key in keys if key not in archive]
    if missing:
        samples = f"the inputs {', '.join(inputs)}" if len(inputs) > 1 else "x (samples)"
        raise DataError(
            f"{what} has no {' and no '.join(missing)} (found: "
            f"{', '.join(sorted(archive)) or 'nothing'}), expected {samples} and y "
            "(labels); without labels give --metric none, or leave --data out to measure agreement "
            "and SNR only"
        )
    try:
        extra = {key: archive[key] for key in extra_keys}
        return archive[sample_key], archive["y"] if labelled else None, extra
    except (ValueError, RuntimeError, zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        pickled = isinstance(error, ValueError) and "allow_pickle" in str(error)
        reason = "it holds pickled objects, which are never loaded" if pickled else "it is damaged"
        raise DataError(
            f"{what} can't be read: {reason}; expected plain arrays x and y; write it "
            "again with numpy.savez"
        ) from None

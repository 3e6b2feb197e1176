"""Where an output holds each input's values: which axis is the batch, or that there is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rxsim.errors import ModelError
from rxsim.session import Inputs, Session

_AXIS = "state it with --batch-axis, or name another tensor with --output"


def rows_of(values: np.ndarray, axis: int | None, count: int) -> np.ndarray | None:
    """Return the values of each input, (count, values); None where the output holds no such rows.

    Args:
        values: an output for some inputs.
        axis: its batch axis; None: all of it belongs to the one input.
        count: number of inputs.
    """
    if axis is None:
        return values.reshape(1, -1) if count == 1 else None
    if axis >= values.ndim or values.shape[axis] != count:
        return None
    return np.moveaxis(values, axis, 0).reshape(count, -1)


@dataclass(frozen=True, slots=True)
class OutputAxis:
    """How an output follows the batch.

    Attributes:
        axis: the batch axis; None: it has none, and inputs are run one by one.
        one_by_one: whether inputs are run one by one though the file leaves the batch free.
        problem: why it has no row for each input; empty where it has.
        note: what a user should be told of it.
    """

    axis: int | None
    one_by_one: bool = False
    problem: str = ""
    note: str = ""


def find_batch_axis(
    session: Session,
    inputs: Inputs,
    output: str,
    *,
    what: str,
    follows: bool,
    stated: int | None = None,
) -> OutputAxis:
    """Find an output's batch axis by running the network on a few inputs.

    It is the first axis, where that is as long as the batch; else the axis that is. Where the batch is
    free, an axis that is as long by chance is told from it by a second run; where it is fixed, by a
    run on equal inputs. A free batch axis may be free in name only, as exporters leave it now and then.

    Args:
        session: of the network.
        inputs: its inputs.
        output: the output.
        what: what to call the network in an error message.
        follows: whether the file itself leaves the output's first axis free.
        stated: the axis that a user states.

    Raises:
        ModelError: onnxruntime fails, or the stated axis does not fit.
    """
    size = session.fixed_batch
    if size is not None and size > 1:
        (values,) = session.run([output], inputs.feeds(0, 1, size))
        if stated is not None:
            return OutputAxis(_place(values, stated, size, output, what))
        return _axis_of_fixed(values, size, output, what)
    if size == 1 or len(inputs) < 2:
        if stated is not None:
            (values,) = session.run_inputs(inputs, [output], 0, 1)
            _place(values, stated, 1, output, what)
        return OutputAxis(None)
    try:
        (values,) = session.run_inputs(inputs, [output], 0, 2)
    except ModelError:
        session.run_inputs(inputs, [output], 0, 1)  # its own failure is the one to tell
        return OutputAxis(
            None,
            one_by_one=True,
            note=f"{what}: its batch axis is free in name, but it runs with one input at a time only; "
            "export it with a batch of two in the example input for speed",
        )
    only_first = [axis for axis, length in enumerate(values.shape) if length == 2] == [0]
    if stated is None and follows and only_first:
        return OutputAxis(0)
    (single,) = session.run_inputs(inputs, [output], 0, 1)
    if stated is not None:
        place = _place(single, stated, 1, output, what)
        return OutputAxis(_place(values, place, 2, output, what))
    axis = None
    if single.ndim == values.ndim:
        pairs = zip(single.shape, values.shape, strict=True)
        fitting = [place for place, lengths in enumerate(pairs) if lengths == (1, 2)]
        axis = next((a for a in fitting if a == 0 or _holds(values, single, a)), None)
    if axis is not None:
        return OutputAxis(axis)
    note = f"{what}: inputs are run one at a time, for the output {output} has no axis for them"
    return OutputAxis(None, one_by_one=True, note=note)


def _holds(values: np.ndarray, single: np.ndarray, axis: int) -> bool:
    """Tell whether the first part along an axis is what the first input alone gives."""
    first = values.take([0], axis=axis)
    if first.shape != single.shape:
        return False
    if first.dtype.kind != "f":
        return bool((first == single).all())
    # Assumption: sums in another order differ by less than this share of the largest value.
    return bool(np.abs(first - single).max(initial=0) <= 1e-3 * np.abs(single).max(initial=1e-30))


def _axis_of_fixed(values: np.ndarray, size: int, output: str, what: str) -> OutputAxis:
    """Return the axis along which equal inputs have equal parts."""
    fitting = [axis for axis, length in enumerate(values.shape) if length == size]
    if len(fitting) > 1:
        fitting = [axis for axis in fitting if _equal_parts(values, axis)] or fitting
    if fitting:
        return OutputAxis(fitting[0])
    return OutputAxis(
        None,
        problem=f"{what}: found an output {output} of shape {list(values.shape)} for its fixed batch "
        f"of {size}, expected an axis of that length, or another --output",
    )


def _equal_parts(values: np.ndarray, axis: int) -> bool:
    parts = np.moveaxis(values, axis, 0)
    return bool((parts == parts[:1]).all())


def _place(values: np.ndarray, stated: int, size: int, output: str, what: str) -> int:
    """Return the axis that a user states, counted from the first.

    Raises:
        ModelError: it is none, or not as long as the batch.
    """
    place = stated + values.ndim if stated < 0 else stated
    if not 0 <= place < values.ndim or values.shape[place] != size:
        raise ModelError(
            f"--batch-axis: found {stated}, expected the axis of {output} of {what} that is as long as "
            f"the batch: for a batch of {size} its shape is {list(values.shape)}; correct it"
        )
    return place


def row_reader(axis: int | None, output: str, what: str) -> Callable[[np.ndarray, int], np.ndarray]:
    """Return a function that takes an output for some inputs apart into rows, (inputs, values).

    Raises:
        ModelError: (the function) the output is not of numbers, or holds no row for each input, or rows
            of several lengths.
    """
    lengths: set[int] = set()

    def rows(values: np.ndarray, count: int) -> np.ndarray:
        found = rows_of(values, axis, count) if values.dtype.kind in "fiub" else None
        if found is None or not found.size:
            raise ModelError(
                f"{what}: found an output {output} of shape {list(values.shape)} and type "
                f"{values.dtype} for {count} inputs, expected one row of numbers for each; {_AXIS}"
            )
        lengths.add(found.shape[1])
        if len(lengths) > 1:
            few, many = sorted(lengths)
            raise ModelError(
                f"{what}: found {few} values of the output {output} for one input and {many} for "
                "another: its size depends on the data, expected one size; name a tensor before it "
                "with --output"
            )
        return found

    return rows

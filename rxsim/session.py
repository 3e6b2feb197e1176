"""onnxruntime sessions: one intra-op thread each, batches in parallel, results in order.

With a single intra-op thread results do not depend on how many sessions run side by side:
onnxruntime's outputs can differ in their last bits between thread counts, but not between batch sizes.

A network that draws random numbers goes on drawing from batch to batch: its batches run one after the
other, so that a new session that runs the same inputs in batches of one size gives the same again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Protocol, TypeVar

import numpy as np
import onnx
import onnxruntime as ort
from google.protobuf.message import EncodeError

from rxsim.errors import ModelError
from rxsim.load.blocked_layout import in_blocked_layout
from rxsim.load.providers import CPU, chosen_providers
from rxsim.load.runtime import Extend, quiet_options, session_of
from rxsim.onnx_graph import content_of, draws_numbers, is_heavy, with_outputs
from rxsim.parallel import ordered

Progress = Callable[[int, int], None]
T = TypeVar("T")

# Source: onnxruntime_session_options_config_keys.h. By default onnxruntime replaces floats behind
# DequantizeLinear by integer kernels of its own, and multiplies uint8 by int8 with sums of pairs that
# saturate at 16 bits on x86 processors without VNNI. With these keys a file is computed as written.
_WITHOUT_OWN_KERNELS = "session.disable_quant_qdq"
_WITHOUT_SATURATION = "session.x64quantprecision"


class Inputs(Protocol):
    """Network inputs by position, as a session takes them."""

    def __len__(self) -> int:
        """Return how many inputs there are."""

    def feeds(self, start: int, stop: int, size: int | None = None) -> dict[str, np.ndarray]:
        """Return the inputs from position `start` up to `stop`, by tensor name.

        Args:
            start: the first.
            stop: the one after the last.
            size: repeat the last one until there are so many.
        """


class DivisibleInputs(Inputs, Protocol):
    """Inputs of which a part can be taken."""

    def subset(self, positions: np.ndarray) -> DivisibleInputs:
        """Return the inputs at some positions."""


def default_threads() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def identifying(model: onnx.ModelProto, what: str) -> bytes:
    """Return what identifies a model, the same for equal models: its bytes where ONNX can hold them.

    Args:
        model: the model.
        what: name of the model in an error message.

    Raises:
        ModelError: it takes more than 2 GiB without its initializers.
    """
    try:
        return content_of(model)
    except EncodeError as error:
        raise _too_large(what, error) from None


def _too_large(what: str, error: EncodeError) -> ModelError:
    return ModelError(
        f"{what} takes more than the 2 GiB that ONNX can hold beside initializers "
        f"({_first_line(error)}); export it with its weights as initializers"
    )


class Session:
    """A model in onnxruntime, on the execution providers that are chosen when it is opened.

    Attributes:
        fixed_batch: the batch size that the model prescribes, or None where it is free.
        draws_numbers: whether the model draws random numbers: open a new session for each run.
    """

    def __init__(
        self,
        model: onnx.ModelProto,
        what: str,
        fixed_batch: int | None = None,
        watched: Sequence[str] = (),
        extend: Extend | None = None,
    ) -> None:
        """Load a model.

        Args:
            model: the model.
            what: name of the model in an error message.
            fixed_batch: the batch size that the model prescribes, or None where it is free.
            watched: inner tensors that it returns besides; a heavy model is not copied for them.
            extend: what else is added to it, before the watched tensors are brought out.

        Raises:
            ModelError: onnxruntime refuses it.
        """
        self._what = what
        self.fixed_batch = fixed_batch
        self.draws_numbers = draws_numbers(model)
        try:
            self._session = _opened(model, partial(_extended, watched=watched, extend=extend))
        except EncodeError as error:
            raise _too_large(what, error) from None
        except Exception as error:  # onnxruntime raises many types
            raise ModelError(f"onnxruntime can't load {what}: {_first_line(error)}") from None

    def run(self, outputs: Sequence[str], feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Run one batch.

        Raises:
            ModelError: onnxruntime fails on it, or yields something else than a tensor.
        """
        try:
            results: list[np.ndarray] = self._session.run(list(outputs), feeds)
        except Exception as error:  # onnxruntime raises many types
            raise ModelError(f"onnxruntime can't run {self._what}: {_first_line(error)}") from None
        for name, values in zip(outputs, results, strict=True):
            if not isinstance(values, np.ndarray):
                raise ModelError(
                    f"{self._what}: {name} is a {type(values).__name__} of values, expected a tensor; "
                    "name a tensor with --output"
                )
        return results

    def run_inputs(
        self, inputs: Inputs, outputs: Sequence[str], start: int, stop: int
    ) -> list[np.ndarray]:
        """Run the inputs from position `start` up to `stop`; a fixed batch is filled up and cut."""
        count = stop - start
        size = self.fixed_batch or 0
        if size <= count:
            return self.run(outputs, inputs.feeds(start, stop))
        results = self.run(outputs, inputs.feeds(start, stop, size))
        return [_real_part(item, count, size) for item in results]

    def in_flight(self, threads: int) -> int:
        """Return how many of so many batches may run at once: one where random numbers are drawn.

        Args:
            threads: batches that others would have in flight.
        """
        return 1 if self.draws_numbers else threads

    def batches(
        self,
        inputs: Inputs,
        outputs: Sequence[str],
        *,
        batch: int,
        threads: int,
        progress: Progress | None = None,
        waits: bool = True,
    ) -> Iterator[list[np.ndarray]]:
        """Run all inputs, batch by batch, and yield the named outputs in order.

        Args:
            inputs: the network inputs.
            outputs: names of the wanted tensors; their first axis is the batch.
            batch: inputs per batch; a batch size that the model prescribes wins.
            threads: batches in flight at once, where the model leaves them independent.
            progress: called with the number of inputs done and their total.
            waits: whether outputs may wait for their turn; else those of one batch are in memory.
        """
        return over_batches(
            lambda start, stop: self.run_inputs(inputs, outputs, start, stop),
            len(inputs),
            self.fixed_batch or batch,
            self.in_flight(threads),
            progress,
            waits=waits,
        )


def _extended(
    model: onnx.ModelProto, *, watched: Sequence[str], extend: Extend | None
) -> onnx.ModelProto:
    """Add to a model what is watched in it; it is copied for this only."""
    model = model if extend is None else extend(model)
    return with_outputs(model, watched) if watched else model


def _opened(model: onnx.ModelProto, extend: Extend) -> ort.InferenceSession:
    """Open a session in which quantised operators compute as they are defined.

    With the second key onnxruntime finds no kernels for int8 activations; those that it has without it
    are exact.
    """
    providers = chosen_providers()
    rest: Extend | None = extend
    if not is_heavy(model):  # it may be copied, and written as it runs fastest here
        model, rest = extend(model), None
    if providers == CPU:
        model = in_blocked_layout(model)
    try:
        return session_of(
            model, _options(_WITHOUT_OWN_KERNELS, _WITHOUT_SATURATION), providers, rest
        )
    except EncodeError:
        raise
    except Exception:  # onnxruntime raises many types
        return session_of(model, _options(_WITHOUT_OWN_KERNELS), providers, rest)


def _options(*keys: str) -> ort.SessionOptions:
    options = quiet_options()
    for key in keys:
        options.add_session_config_entry(key, "1")
    return options


def over_batches(
    work: Callable[[int, int], T],
    total: int,
    size: int,
    threads: int,
    progress: Progress | None = None,
    *,
    waits: bool = True,
) -> Iterator[T]:
    """Work on every range of `size` positions up to `total`; yield the results in order.

    A few ranges are in flight at once, so that waiting results take bounded memory; a single one where
    results may not wait.
    """
    starts = range(0, total, size)
    results = ordered(
        lambda start: work(start, min(start + size, total)), starts, threads, waits=waits
    )
    for start, result in zip(starts, results, strict=True):
        yield result
        if progress is not None:
            progress(min(start + size, total), total)


def _real_part(result: np.ndarray, count: int, size: int) -> np.ndarray:
    """Cut what belongs to the first `count` of a batch's `size` inputs; the others repeat the last.

    The batch lies along the first axis whose length fits, alone or as its slower part (rows of a folded
    sequence), and along which the last inputs, which are equal, have equal parts. A result without such
    an axis is left whole.
    """
    fitting = [axis for axis, length in enumerate(result.shape) if length and length % size == 0]
    if len(fitting) > 1:
        alike = [axis for axis in fitting if _repeats(result, axis, count, size)]
        fitting = alike or fitting
    if not fitting:
        return result
    axis = fitting[0]
    cut: np.ndarray = result[
        (slice(None),) * axis + (slice(0, result.shape[axis] // size * count),)
    ]
    return cut


def _repeats(result: np.ndarray, axis: int, count: int, size: int) -> bool:
    """Tell whether the parts of a batch's inputs from the one before `count` on are all equal."""
    moved = np.moveaxis(result, axis, 0)
    parts = moved.reshape(size, -1)
    return bool((parts[count:] == parts[count - 1]).all())


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__

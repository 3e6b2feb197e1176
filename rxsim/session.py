"""onnxruntime sessions: one intra-op thread each, batches in parallel, results in order.

With a single intra-op thread results do not depend on how many sessions run side by side:
onnxruntime's outputs can differ in their last bits between thread counts, but not between batch sizes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

import numpy as np
import onnx
import onnxruntime as ort

from rxsim.errors import ModelError
from rxsim.parallel import ordered

Progress = Callable[[int, int], None]
T = TypeVar("T")


class Inputs(Protocol):
    """Network inputs by position, as a session takes them."""

    def __len__(self) -> int:
        """Return how many inputs there are."""

    def feeds(self, start: int, stop: int) -> dict[str, np.ndarray]:
        """Return the inputs from position `start` up to `stop`, by tensor name."""


def default_threads() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def serialized(model: onnx.ModelProto, what: str) -> bytes:
    """Return a model's bytes, the same for equal models.

    Args:
        model: the model.
        what: name of the model in an error message.

    Raises:
        ModelError: it takes more than the 2 GiB that ONNX can hold.
    """
    try:
        return bytes(model.SerializeToString(deterministic=True))
    except Exception as error:  # protobuf's own, of a type that depends on its implementation
        raise ModelError(
            f"{what} takes more than the 2 GiB that ONNX can hold ({_first_line(error)}); use fewer "
            "slices or passes, one ADC range for all passes, or keep large layers digital (layers:)"
        ) from None


class Session:
    """A model in onnxruntime on the CPU.

    Attributes:
        fixed_batch: the batch size that the model prescribes, or None where it is free.
    """

    def __init__(self, model: onnx.ModelProto, what: str, fixed_batch: int | None = None) -> None:
        """Load a model.

        Args:
            model: the model.
            what: name of the model in an error message.
            fixed_batch: the batch size that the model prescribes, or None where it is free.

        Raises:
            ModelError: onnxruntime refuses it.
        """
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        self._what = what
        self.fixed_batch = fixed_batch
        content = serialized(model, what)
        try:
            self._session = ort.InferenceSession(
                content,
                options,
                providers=["CPUExecutionProvider"],
                enable_fallback=0,  # or it prints its errors and tries once more
            )
        except Exception as error:  # onnxruntime raises many types
            raise ModelError(f"onnxruntime can't load {what}: {_first_line(error)}") from None

    def run(self, outputs: Sequence[str], feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Run one batch.

        Raises:
            ModelError: onnxruntime fails on it.
        """
        try:
            results: list[np.ndarray] = self._session.run(list(outputs), feeds)
        except Exception as error:  # onnxruntime raises many types
            raise ModelError(f"onnxruntime can't run {self._what}: {_first_line(error)}") from None
        return results

    def run_inputs(
        self, inputs: Inputs, outputs: Sequence[str], start: int, stop: int
    ) -> list[np.ndarray]:
        """Run the inputs from position `start` up to `stop`; a fixed batch is filled up and cut."""
        feeds = inputs.feeds(start, stop)
        missing = (self.fixed_batch or 0) - (stop - start)
        if missing <= 0:
            return self.run(outputs, feeds)
        padded = {
            name: np.concatenate([tensor, np.repeat(tensor[-1:], missing, axis=0)])
            for name, tensor in feeds.items()
        }
        size = missing + stop - start
        return [_real_part(result, stop - start, size) for result in self.run(outputs, padded)]

    def batches(
        self,
        inputs: Inputs,
        outputs: Sequence[str],
        *,
        batch: int,
        threads: int,
        progress: Progress | None = None,
    ) -> Iterator[list[np.ndarray]]:
        """Run all inputs, batch by batch, and yield the named outputs in order.

        Args:
            inputs: the network inputs.
            outputs: names of the wanted tensors; their first axis is the batch.
            batch: inputs per batch; a batch size that the model prescribes wins.
            threads: batches in flight at once.
            progress: called with the number of inputs done and their total.
        """
        return over_batches(
            lambda start, stop: self.run_inputs(inputs, outputs, start, stop),
            len(inputs),
            self.fixed_batch or batch,
            threads,
            progress,
        )


def over_batches(
    work: Callable[[int, int], T],
    total: int,
    size: int,
    threads: int,
    progress: Progress | None = None,
) -> Iterator[T]:
    """Work on every range of `size` positions up to `total`; yield the results in order.

    A few ranges are in flight at once, so that waiting results take bounded memory.
    """
    starts = range(0, total, size)
    results = ordered(lambda start: work(start, min(start + size, total)), starts, threads)
    for start, result in zip(starts, results, strict=True):
        yield result
        if progress is not None:
            progress(min(start + size, total), total)


def _real_part(result: np.ndarray, count: int, size: int) -> np.ndarray:
    """Cut what belongs to the first `count` of a batch's `size` inputs.

    The batch lies along the first axis, alone or as its slower part (rows of a folded sequence), else
    along the first axis whose length fits; a result without such an axis is left whole.
    """
    for axis, length in enumerate(result.shape):
        if length and length % size == 0:
            cut: np.ndarray = result[(slice(None),) * axis + (slice(0, length // size * count),)]
            return cut
    return result


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__

"""onnxruntime sessions: one intra-op thread each, batches in parallel, results in order.

One intra-op thread makes results independent of how many run side by side: onnxruntime's outputs can
differ in their last bits between thread counts, but not between batch sizes.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

import numpy as np
import onnx
import onnxruntime as ort

from rxsim.errors import ModelError

Progress = Callable[[int, int], None]


class Inputs(Protocol):
    """What a session is fed: network inputs by position."""

    def __len__(self) -> int:
        """Return how many inputs there are."""

    def feeds(self, start: int, stop: int) -> dict[str, np.ndarray]:
        """Return the inputs from position `start` up to `stop`, by tensor name."""


def default_threads() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def with_outputs(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """Return a copy of a model that also returns the named inner tensors."""
    extended = onnx.ModelProto()
    extended.CopyFrom(model)
    present = {value.name for value in extended.graph.output}
    for name in names:
        if name not in present:
            present.add(name)
            extended.graph.output.append(onnx.ValueInfoProto(name=name))
    return extended


class Session:
    """A model in onnxruntime on the CPU."""

    def __init__(self, model: onnx.ModelProto, what: str, fixed_batch: int | None = None) -> None:
        """Load a model.

        Args:
            model: the model.
            what: what to call it in an error message.
            fixed_batch: the batch size that the model prescribes, or None where it is free.

        Raises:
            ModelError: onnxruntime refuses it.
        """
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        self._what = what
        self._fixed_batch = fixed_batch
        try:
            self._session = ort.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
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

    def batches(
        self,
        inputs: Inputs,
        outputs: Sequence[str],
        *,
        batch: int,
        threads: int,
        progress: Progress | None = None,
    ) -> Iterator[list[np.ndarray]]:
        """Run all inputs, batch by batch, and yield the outputs in order.

        Args:
            inputs: the network inputs.
            outputs: names of the wanted tensors; their first axis is the batch.
            batch: inputs a batch; the model's own batch size, where it has one, comes first.
            threads: batches in flight at once.
            progress: told how many inputs of how many are done.
        """
        size = self._fixed_batch or batch
        total = len(inputs)
        pending: deque[tuple[Future[list[np.ndarray]], int]] = deque()
        with ThreadPoolExecutor(threads) as pool:
            starts = iter(range(0, total, size))
            exhausted = False
            try:
                while pending or not exhausted:
                    while not exhausted and len(pending) < 2 * threads:
                        start = next(starts, None)
                        if start is None:
                            exhausted = True
                            break
                        stop = min(start + size, total)
                        job = pool.submit(self._run_range, inputs, outputs, start, stop)
                        pending.append((job, stop))
                    if pending:
                        job, stop = pending.popleft()
                        yield job.result()
                        if progress is not None:
                            progress(stop, total)
            finally:
                for job, _ in pending:
                    job.cancel()

    def _run_range(
        self, inputs: Inputs, outputs: Sequence[str], start: int, stop: int
    ) -> list[np.ndarray]:
        feeds = inputs.feeds(start, stop)
        missing = (self._fixed_batch or 0) - (stop - start)
        if missing <= 0:
            return self.run(outputs, feeds)
        padded = {
            name: np.concatenate([tensor, np.repeat(tensor[-1:], missing, axis=0)])
            for name, tensor in feeds.items()
        }
        return [result[: stop - start] for result in self.run(outputs, padded)]


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__

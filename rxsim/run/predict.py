"""Run a network over a set of inputs and gather its output."""

from __future__ import annotations

import numpy as np
import onnx

from rxsim.errors import ModelError
from rxsim.session import Inputs, Progress, Session


def predict(
    model: onnx.ModelProto,
    output: str,
    inputs: Inputs,
    *,
    what: str,
    batch: int,
    threads: int,
    fixed_batch: int | None = None,
    progress: Progress | None = None,
) -> np.ndarray:
    """Return a network's output for every input.

    Args:
        model: the network.
        output: the wanted output tensor.
        inputs: its inputs.
        what: what to call the network in an error message.
        batch: inputs a batch.
        threads: batches in flight; the result does not depend on it.
        fixed_batch: the batch size that the model prescribes.
        progress: told how many inputs of how many are done.

    Returns:
        float32 (inputs, values of the output flattened).

    Raises:
        ModelError: the output has no batch axis, or is not a number.
    """
    session = Session(model, what, fixed_batch)
    parts: list[np.ndarray] = []
    for (values,) in session.batches(
        inputs, [output], batch=batch, threads=threads, progress=progress
    ):
        expected = min(fixed_batch or batch, len(inputs) - sum(map(len, parts)))
        if values.ndim < 2 or len(values) != expected or values.dtype.kind != "f":
            raise ModelError(
                f"{what}: found an output {output} of shape {list(values.shape)} and type "
                f"{values.dtype} for {expected} inputs, expected one row of real numbers for each"
            )
        parts.append(values.reshape(expected, -1).astype(np.float32))
    outputs = np.concatenate(parts)
    if not np.isfinite(outputs).all():
        raise ModelError(
            f"{what} yields NaN or infinity at its output {output}; check the preprocessing and "
            "the model"
        )
    return outputs

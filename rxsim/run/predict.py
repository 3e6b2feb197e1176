"""Run a network over a set of inputs and gather its output."""

from __future__ import annotations

import numpy as np
import onnx

from rxsim.errors import ModelError
from rxsim.onnx_graph import with_outputs
from rxsim.run.output_rows import row_reader
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
    axis: int | None = 0,
    progress: Progress | None = None,
) -> np.ndarray:
    """Return a network's output for every input.

    Args:
        model: the network.
        output: the wanted tensor, an output or an inner one.
        inputs: its inputs.
        what: what to call the network in an error message.
        batch: inputs a batch.
        threads: batches in flight; the result does not depend on it.
        fixed_batch: the batch size that the model prescribes.
        axis: the output's batch axis; None: it has none, and the batch is 1.
        progress: told how many inputs of how many are done.

    Returns:
        float32 (inputs, values of the output flattened).

    Raises:
        ModelError: the output holds no row of numbers for each input, or NaN.
    """
    if output not in (value.name for value in model.graph.output):
        model = with_outputs(model, [output])
    session = Session(model, what, fixed_batch)
    rows_in = row_reader(axis, output, what)
    parts: list[np.ndarray] = []
    for (values,) in session.batches(
        inputs, [output], batch=batch, threads=threads, progress=progress
    ):
        expected = min(fixed_batch or batch, len(inputs) - sum(map(len, parts)))
        parts.append(rows_in(values, expected).astype(np.float32))
    outputs = np.concatenate(parts)
    if not np.isfinite(outputs).all():
        raise ModelError(
            f"{what} yields NaN or infinity at its output {output}, expected finite numbers; check the "
            "inputs (made-up ones: state them with --input-value or give --data), the preprocessing "
            "and the model"
        )
    return outputs

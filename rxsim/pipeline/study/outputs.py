"""The outputs of a network over a study's evaluated inputs."""

from __future__ import annotations

import numpy as np
import onnx

from rxsim.pipeline.study.study import Study
from rxsim.run import predict


def outputs_of(study: Study, model: onnx.ModelProto, stage: str, what: str) -> np.ndarray:
    """Run a network over the evaluated inputs of a study.

    Args:
        study: the study.
        model: its float network, or a patched one.
        stage: what the time is counted as.
        what: what to call the network in an error message.

    Returns:
        float32 (inputs, values of the output flattened).

    Raises:
        ModelError: the output holds no row of numbers for each input, or NaN.
    """
    with study.stages(stage) as progress:
        return predict(
            model,
            study.output,
            study.inputs,
            what=what,
            batch=study.batch,
            threads=study.in_flight,
            fixed_batch=study.network.fixed_batch,
            axis=study.output_axis,
            progress=progress,
        )

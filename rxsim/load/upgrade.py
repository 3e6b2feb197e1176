"""Pass: bring a model to operator set 17 or later, with functions inlined.

Needs named nodes. Changes operator versions, strips constants from the graph inputs, keeps names.
"""

from __future__ import annotations

import onnx
from onnx import inliner, version_converter

from rxsim.errors import ModelError
from rxsim.load.onnx_file import first_line

OPSET = 17
# Source: ONNX's release table: IR version 8 came with operator set 15 to 18.
IR_VERSION = 8


def upgrade(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """Return the model at operator set >= 17.

    Raises:
        ModelError: ONNX's version converter can't convert an operator.
    """
    if model.functions:
        model = inliner.inline_local_functions(model)
    initialised = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in initialised]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    model.ir_version = max(model.ir_version, IR_VERSION)
    version = next((item.version for item in model.opset_import if item.domain in ("", "ai.onnx")), 0)
    if not 0 < version < OPSET:
        return model
    try:
        return version_converter.convert_version(model, OPSET)
    except (RuntimeError, ValueError, onnx.checker.ValidationError) as error:
        raise ModelError(
            f"model {name} uses operator set {version} and can't be brought to {OPSET}: "
            f"{first_line(error)}; export it at operator set {OPSET} or later"
        ) from None

"""Why a node stays digital, in words for the report."""

from __future__ import annotations

_OPERATORS_BY_REASON = {
    "activation function": (
        "Relu Clip LeakyRelu PRelu Sigmoid Tanh Softmax LogSoftmax HardSigmoid HardSwish Elu Selu "
        "Celu Gelu Mish Softplus Softsign ThresholdedRelu Erf "
        "QLinearLeakyRelu QLinearSigmoid QLinearSoftmax"
    ),
    "pooling": (
        "MaxPool AveragePool GlobalAveragePool GlobalMaxPool LpPool "
        "QLinearAveragePool QLinearGlobalAveragePool"
    ),
    "normalisation that can't be folded into a Conv or Gemm": (
        "BatchNormalization LayerNormalization InstanceNormalization GroupNormalization LRN "
        "LpNormalization"
    ),
    "changes shape, order or type only": (
        "Flatten Reshape Transpose Concat Slice Split Squeeze Unsqueeze Pad Gather Identity Cast "
        "Expand Tile Resize Upsample DepthToSpace SpaceToDepth Shape Constant Dropout "
        "QLinearConcat"
    ),
    "element by element": (
        "Add Sub Mul Div Pow Sqrt Exp Log Neg Abs Max Min Sum Mean QLinearAdd QLinearMul"
    ),
    "changes floats into integers or back": (
        "QuantizeLinear DequantizeLinear DynamicQuantizeLinear"
    ),
    "control flow: what it holds is mapped where it can be": "If Loop Scan",
}
_REASONS = {
    operator: reason
    for reason, operators in _OPERATORS_BY_REASON.items()
    for operator in operators.split()
}


def reason_for(op_type: str) -> str:
    """Return why an operator runs outside the crossbars."""
    return _REASONS.get(op_type, "no crossbar form of this operator")

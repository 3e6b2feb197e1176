"""Why a node stays digital, in words for the report."""

from __future__ import annotations

from collections.abc import Mapping

_NO_FORM = "no crossbar form of this operator"
ACTIVATION = "activation function"
POOLING = "pooling"
NORMALISATION = "normalisation that can't be folded into a Conv or Gemm"
SHAPE = "changes shape, order or type only"
ELEMENTS = "element by element"
CONVERSION = "changes floats into integers or back"
CONTROL_FLOW = "control flow: what it holds is mapped where it can be"
_OTHER_MODEL = "decides without products"
_KERNEL = "its products are inside of a kernel function"
_OPERATORS_BY_REASON: Mapping[str, Mapping[str, str]] = {
    "": {
        ACTIVATION: (
            "Relu Clip LeakyRelu PRelu Sigmoid Tanh Softmax LogSoftmax HardSigmoid HardSwish Elu Selu "
            "Celu Gelu Mish Softplus Softsign ThresholdedRelu Erf"
        ),
        POOLING: "MaxPool AveragePool GlobalAveragePool GlobalMaxPool LpPool",
        NORMALISATION: (
            "BatchNormalization LayerNormalization InstanceNormalization GroupNormalization LRN "
            "LpNormalization"
        ),
        SHAPE: (
            "Flatten Reshape Transpose Concat Slice Split Squeeze Unsqueeze Pad Gather Identity Cast "
            "Expand Tile Resize Upsample DepthToSpace SpaceToDepth Shape Constant Dropout"
        ),
        ELEMENTS: "Add Sub Mul Div Pow Sqrt Exp Log Neg Abs Max Min Sum Mean",
        CONVERSION: ("QuantizeLinear DequantizeLinear DynamicQuantizeLinear"),
        CONTROL_FLOW: "If Loop Scan",
    },
    "ai.onnx.ml": {
        NORMALISATION: "Normalizer Scaler",
        SHAPE: "ArrayFeatureExtractor CastMap DictVectorizer FeatureVectorizer LabelEncoder ZipMap",
        _OTHER_MODEL: "TreeEnsemble TreeEnsembleClassifier TreeEnsembleRegressor Binarizer Imputer",
        _KERNEL: "SVMClassifier SVMRegressor",
    },
    "com.microsoft": {
        ACTIVATION: (
            "Gelu BiasGelu FastGelu QuickGelu BiasSoftmax "
            "QLinearLeakyRelu QLinearSigmoid QLinearSoftmax"
        ),
        POOLING: "QLinearAveragePool QLinearGlobalAveragePool",
        ELEMENTS: "QLinearAdd QLinearMul",
        NORMALISATION: (
            "SkipLayerNormalization SimplifiedLayerNormalization SkipSimplifiedLayerNormalization "
            "EmbedLayerNormalization GroupNorm SkipGroupNorm"
        ),
        SHAPE: "Pad Trilu QLinearConcat",
    },
    "com.microsoft.nchwc": {
        POOLING: "MaxPool AveragePool GlobalAveragePool GlobalMaxPool",
        SHAPE: "ReorderInput ReorderOutput Upsample",
    },
}
_REASONS = {
    domain: {
        operator: reason for reason, operators in rows.items() for operator in operators.split()
    }
    for domain, rows in _OPERATORS_BY_REASON.items()
}


def reason_for(op_type: str, domain: str = "") -> str:
    """Return why an operator of a domain runs outside the crossbars."""
    reasons = _REASONS.get("" if domain == "ai.onnx" else domain)
    if reasons is None:
        return f"its domain {domain} is not known"
    return reasons.get(op_type, _NO_FORM)


def may_multiply(op_type: str, domain: str) -> bool:
    """Tell whether an operator without a file in `rxsim/operators` may multiply all the same.

    ONNX's own operators are known; of others those are that have a reason here.
    """
    if domain in ("", "ai.onnx"):
        return op_type in ("DFT", "STFT")  # how often depends on the algorithm
    return reason_for(op_type, domain) in (_NO_FORM, _KERNEL, f"its domain {domain} is not known")

"""What skl2onnx writes by default."""

from __future__ import annotations

import numpy as np
from exported import Exported, drawn, exported, longs

# scikit-learn: 6 features, 5 hidden units, 3 classes.
MLP_MACS = 6 * 5 + 5 * 3
PROBABILITIES = "int64[B] output_label, seq(map(int64, float)) output_probability"


def skl_mlp() -> Exported:
    text = """
    [Cast] cast_input = Cast<to=1>(x)
    [MatMul] mul_result = MatMul(cast_input, coefficient)
    [Add] add_result = Add(mul_result, intercepts)
    [Relu] next_activations = Relu(add_result)
    [MatMul1] mul_result1 = MatMul(next_activations, coefficient1)
    [Add1] add_result1 = Add(mul_result1, intercepts1)
    [Relu1] out_activations_result = Softmax(add_result1)
    [ArgMax] argmax_output = ArgMax<axis=1>(out_activations_result)
    [ZipMap] output_probability = ai.onnx.ml.ZipMap<classlabels_int64s=[0,1,2]>
        (out_activations_result)
    [ArrayFeatureExtractor] extracted = ai.onnx.ml.ArrayFeatureExtractor(classes, argmax_output)
    [Reshape] reshaped_result = Reshape(extracted, shape_tensor)
    [Cast1] label = Cast<to=7>(reshaped_result)
    [Cast2] output_label = Cast<to=7>(label)
    """
    tensors = {
        "coefficient": drawn(6, 5),
        "intercepts": drawn(1, 5),
        "coefficient1": drawn(5, 3),
        "intercepts1": drawn(1, 3),
        "classes": np.array([0, 1, 2], np.int32),
        "shape_tensor": longs(-1),
    }
    return Exported(model=exported(text, (6,), tensors, PROBABILITIES), shape=(6,), mapped=MLP_MACS)


def skl_scaled_regressor() -> Exported:
    """A pipeline of StandardScaler and MLPRegressor: nothing infers a shape through Scaler."""
    text = """
    [Scaler] scaled = ai.onnx.ml.Scaler<offset=[0.1,0.2,-0.1,-0.2,-0.3,0.1],
        scale=[0.9,1.1,1.0,0.8,1.2,1.3]>(x)
    [Cast] cast_input = Cast<to=1>(scaled)
    [MatMul] mul_result = MatMul(cast_input, coefficient)
    [Add] add_result = Add(mul_result, intercepts)
    [Relu] next_activations = Relu(add_result)
    [MatMul1] mul_result1 = MatMul(next_activations, coefficient1)
    [Add1] add_result1 = Add(mul_result1, intercepts1)
    [Reshape] y = Reshape(add_result1, shape_tensor)
    """
    tensors = {
        "coefficient": drawn(6, 4),
        "intercepts": drawn(1, 4),
        "coefficient1": drawn(4, 1),
        "intercepts1": drawn(1, 1),
        "shape_tensor": longs(-1, 1),
    }
    return Exported(model=exported(text, (6,), tensors), shape=(6,), mapped=6 * 4 + 4)


def skl_logistic_regression() -> Exported:
    """The weights are an attribute, a row for each of 3 classes."""
    text = """
    [LinearClassifier] label, probability_tensor = ai.onnx.ml.LinearClassifier
        <classlabels_ints=[0,1,2], multi_class=1, post_transform="SOFTMAX", intercepts=[0.1,0.3,-0.4],
        coefficients=[-1.4,-1.7,0.1,0.2,-0.1,-0.2,-0.3,0.1,0.1,-0.1,-0.1,0.1,1.7,1.6,-0.1,-0.2,0.1,0.3]>(x)
    [Cast] output_label = Cast<to=7>(label)
    [Normalizer] probabilities = ai.onnx.ml.Normalizer<norm="L1">(probability_tensor)
    [ZipMap] output_probability = ai.onnx.ml.ZipMap<classlabels_int64s=[0,1,2]>(probabilities)
    """
    return Exported(model=exported(text, (6,), {}, PROBABILITIES), shape=(6,), mapped=6 * 3)


def skl_linear_regression() -> Exported:
    text = """
    [LinearRegressor] y = ai.onnx.ml.LinearRegressor
        <coefficients=[0.35,0.41,-0.01,-0.03,0.01,0.06], intercepts=[0.9]>(x)
    """
    return Exported(model=exported(text, (6,), {}), shape=(6,), mapped=6)

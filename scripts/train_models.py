"""Train the four example networks and write them to ``models/``.

A maintainers' tool: rxsim itself needs neither torch nor scikit-learn. It needs::

    pip install torch==2.13.0 scikit-learn onnx onnxruntime
    python scripts/train_models.py [--out models]

It makes, from scikit-learn's digits (1797 images of 8x8 pixels, grey values 0..16):

* ``digits_test.npz``: 540 held-out images, ``x`` uint8 [N,1,8,8] (0..16) and ``y`` int64 [N];
* ``digits_train.npz``: 300 of the 1257 training images, 30 of each class, for calibration;
* ``digits_{mlp,cnn,resnet,dsconv}.onnx`` with a card (``.yaml``) each.

Every network takes ``image`` float32 [N,1,8,8] (pixel value / 16) and gives ``logits`` [N,10].
The last epoch's weights are kept whatever they score; the held-out images choose nothing.
The result is the same on every run on one machine and one set of package versions; another
processor may round differently, and the weights then differ.
"""

from __future__ import annotations

import argparse
import io
import os
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
import torch.fx
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

SEED = 20240607
TEST_IMAGES = 540
CALIBRATION_PER_CLASS = 30
CLASSES = 10
SCALE = 0.0625
BATCH = 64
LEARNING_RATE = 4e-3
WEIGHT_DECAY = 1e-2
OPSET = 17
IR_VERSION = 8
LOGIT_TOLERANCE = 1e-4


# ---------------------------------------------------------------------------------------- data


@dataclass(frozen=True)
class Images:
    """Labelled raw images.

    Attributes:
        x: uint8 [N,1,8,8], grey values 0..16.
        y: int64 [N], the digit.
    """

    x: np.ndarray
    y: np.ndarray

    def take(self, index: np.ndarray) -> Images:
        """Returns the images at ``index``."""
        return Images(self.x[index], self.y[index])

    def scaled(self) -> np.ndarray:
        """Returns the pixels as a network takes them: float32, 0..1."""
        return self.x.astype(np.float32) * np.float32(SCALE)


def split_digits() -> tuple[Images, Images]:
    """Splits scikit-learn's digits into a training and a held-out part, stratified by class."""
    digits = load_digits()
    x = digits.images.astype(np.uint8)[:, np.newaxis]
    if not np.array_equal(x[:, 0], digits.images):
        raise RuntimeError("the digits are no longer whole grey values 0..16")
    images = Images(x, digits.target.astype(np.int64))
    train, test = train_test_split(
        np.arange(len(images.y)), test_size=TEST_IMAGES, stratify=images.y, random_state=SEED
    )
    return images.take(train), images.take(test)


def calibration_part(train: Images) -> Images:
    """Draws the same number of training images of each class, in mixed order."""
    rng = np.random.default_rng(SEED)
    chosen = [
        rng.choice(np.flatnonzero(train.y == digit), CALIBRATION_PER_CLASS, replace=False)
        for digit in range(CLASSES)
    ]
    return train.take(rng.permutation(np.concatenate(chosen)))


# ------------------------------------------------------------------------------------ networks


class Add(nn.Module):
    """The sum of two tensors, as a module so that its ONNX node gets a name."""

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Returns ``a + b``."""
        return a + b


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut, each with batch normalisation.

    The shortcut is the identity, or a strided 1x1 convolution where the shape changes.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        """Makes a block from ``inputs`` to ``outputs`` channels."""
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Sequential | None = None
        if stride != 1 or inputs != outputs:
            conv = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.shortcut = nn.Sequential(OrderedDict(conv=conv, bn=nn.BatchNorm2d(outputs)))
        self.add = Add()
        self.relu2 = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Applies the block."""
        residual = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        return self.relu2(self.add(residual, x if self.shortcut is None else self.shortcut(x)))


def separable_block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Makes a 3x3 depthwise and a 1x1 pointwise convolution, each with batch norm and ReLU6."""
    return nn.Sequential(
        OrderedDict(
            depthwise=nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False),
            bn1=nn.BatchNorm2d(inputs),
            relu1=nn.ReLU6(),
            pointwise=nn.Conv2d(inputs, outputs, 1, bias=False),
            bn2=nn.BatchNorm2d(outputs),
            relu2=nn.ReLU6(),
        )
    )


def make_mlp() -> nn.Module:
    """Makes a perceptron with two hidden layers."""
    return nn.Sequential(
        OrderedDict(
            flatten=nn.Flatten(),
            fc1=nn.Linear(64, 64),
            relu1=nn.ReLU(),
            fc2=nn.Linear(64, 32),
            relu2=nn.ReLU(),
            fc3=nn.Linear(32, CLASSES),
        )
    )


def make_cnn() -> nn.Module:
    """Makes a LeNet-like network: two padded convolutions with pooling, two full layers."""
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 16, 3, padding=1),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(16, 32, 3, padding=1),
            relu2=nn.ReLU(),
            pool2=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            fc1=nn.Linear(32 * 2 * 2, 64),
            relu3=nn.ReLU(),
            fc2=nn.Linear(64, CLASSES),
        )
    )


def make_resnet() -> nn.Module:
    """Makes a residual network of two blocks, the second strided."""
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 16, 3, padding=1, bias=False),
            bn1=nn.BatchNorm2d(16),
            relu1=nn.ReLU(),
            block1=ResidualBlock(16, 16),
            block2=ResidualBlock(16, 32, stride=2),
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            fc=nn.Linear(32, CLASSES),
        )
    )


def make_dsconv() -> nn.Module:
    """Makes a network of three depthwise-separable blocks, the second strided."""
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 16, 3, padding=1, bias=False),
            bn1=nn.BatchNorm2d(16),
            relu1=nn.ReLU6(),
            block1=separable_block(16, 32),
            block2=separable_block(32, 64, stride=2),
            block3=separable_block(64, 64),
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            fc=nn.Linear(64, CLASSES),
        )
    )


@dataclass(frozen=True)
class Recipe:
    """One network to make.

    Attributes:
        name: its name, and that of its files.
        summary: the first line of its card.
        title: a short title for people.
        make: makes the untrained network.
        epochs: how many times the training images are seen.
    """

    name: str
    summary: str
    title: str
    make: Callable[[], nn.Module]
    epochs: int


RECIPES = (
    Recipe(
        "digits_mlp",
        "A perceptron for 8x8 digits: three Gemm layers with ReLU between.",
        "Digits perceptron (64-64-32-10)",
        make_mlp,
        epochs=150,
    ),
    Recipe(
        "digits_cnn",
        "A LeNet-like network for 8x8 digits: two padded convolutions, two Gemm layers.",
        "Digits CNN (LeNet-like)",
        make_cnn,
        epochs=60,
    ),
    Recipe(
        "digits_resnet",
        "A residual network for 8x8 digits, with its BatchNormalization nodes kept.",
        "Digits residual network (two blocks)",
        make_resnet,
        epochs=60,
    ),
    Recipe(
        "digits_dsconv",
        "A network of depthwise-separable convolutions for 8x8 digits, with BatchNormalization "
        "and ReLU6.",
        "Digits depthwise-separable network (three blocks)",
        make_dsconv,
        epochs=60,
    ),
)


# ------------------------------------------------------------------------------------ training


def shifted(x: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Moves each image by -1, 0 or 1 pixels each way (zero half the time), zeros moving in."""
    windows = nn.functional.pad(x, (1, 1, 1, 1)).unfold(2, 8, 1).unfold(3, 8, 1)
    dy, dx = torch.randint(0, 2, (2, 2, len(x)), generator=rng).sum(dim=1)
    return windows[torch.arange(len(x)), :, dy, dx]


def train_network(recipe: Recipe, data: Images) -> nn.Module:
    """Trains one network on all of ``data``.

    Args:
        recipe: what to train, and for how long.
        data: the training images.

    Returns:
        The network after the last epoch, in evaluation mode.
    """
    torch.manual_seed(SEED)
    rng = torch.Generator().manual_seed(SEED)
    network = recipe.make().train()
    x, y = torch.from_numpy(data.scaled()), torch.from_numpy(data.y)
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.epochs)
    for _ in range(recipe.epochs):
        for batch in torch.randperm(len(x), generator=rng).split(BATCH):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(network(shifted(x[batch], rng)), y[batch])
            loss.backward()
            optimizer.step()
        schedule.step()
    return network.eval()


# -------------------------------------------------------------------------------- ONNX writing


@dataclass(frozen=True)
class OnnxOp:
    """What one torch module becomes in ONNX.

    Attributes:
        op_type: the ONNX operator.
        constants: its inputs after the data, by the name that follows the node's.
        attributes: its attributes.
    """

    op_type: str
    constants: dict[str, np.ndarray]
    attributes: dict[str, object]


def weights(module: nn.Module, *names: str) -> dict[str, np.ndarray]:
    """Returns those parameters and buffers of a module that it has, in the order named."""
    found = {name: getattr(module, name) for name in names}
    return {name: t.detach().numpy() for name, t in found.items() if t is not None}


def conv_op(conv: nn.Conv2d) -> OnnxOp:
    """Describes a convolution with whole-number padding."""
    attributes = {
        "dilations": list(conv.dilation),
        "group": conv.groups,
        "kernel_shape": list(conv.kernel_size),
        "pads": list(conv.padding) * 2,
        "strides": list(conv.stride),
    }
    return OnnxOp("Conv", weights(conv, "weight", "bias"), attributes)


def batch_norm_op(norm: nn.BatchNorm2d) -> OnnxOp:
    """Describes a batch normalisation as it is after training."""
    constants = weights(norm, "weight", "bias", "running_mean", "running_var")
    return OnnxOp("BatchNormalization", constants, {"epsilon": norm.eps})


def max_pool_op(pool: nn.MaxPool2d) -> OnnxOp:
    """Describes a square max pooling without padding."""
    attributes = {"kernel_shape": [pool.kernel_size] * 2, "strides": [pool.stride] * 2}
    return OnnxOp("MaxPool", {}, attributes)


def relu6_op(_: nn.ReLU6) -> OnnxOp:
    """Describes a ReLU6 as a Clip."""
    return OnnxOp("Clip", {"min": np.float32(0), "max": np.float32(6)}, {})


OPS: dict[type[nn.Module], Callable[..., OnnxOp]] = {
    nn.Conv2d: conv_op,
    nn.BatchNorm2d: batch_norm_op,
    nn.MaxPool2d: max_pool_op,
    nn.ReLU6: relu6_op,
    nn.Linear: lambda m: OnnxOp("Gemm", weights(m, "weight", "bias"), {"transB": 1}),
    nn.AdaptiveAvgPool2d: lambda m: OnnxOp("GlobalAveragePool", {}, {}),
    nn.Flatten: lambda m: OnnxOp("Flatten", {}, {"axis": 1}),
    nn.ReLU: lambda m: OnnxOp("Relu", {}, {}),
    Add: lambda m: OnnxOp("Add", {}, {}),
}


class LeafTracer(torch.fx.Tracer):
    """Traces a network down to the modules that hold no others."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Tells whether ``m`` becomes one node."""
        return next(m.children(), None) is None


def to_onnx(network: nn.Module, name: str) -> onnx.ModelProto:
    """Writes a network as ONNX, each node named as its module (``block1.conv2``).

    Args:
        network: the trained network, of modules listed in ``OPS`` only.
        name: the graph's name.

    Returns:
        The checked model.
    """
    modules = dict(network.named_modules())
    trace = list(LeafTracer().trace(network).nodes)
    (last,) = trace[-1].all_input_nodes
    tensors: dict[torch.fx.Node, str] = {}
    nodes: list[onnx.NodeProto] = []
    initializers: list[onnx.TensorProto] = []
    for step in trace[:-1]:
        if step.op == "placeholder":
            tensors[step] = "image"
            continue
        op = OPS[type(modules[step.target])](modules[step.target])
        constants = {f"{step.target}.{key}": value for key, value in op.constants.items()}
        initializers += [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()]
        inputs = [*(tensors[node] for node in step.all_input_nodes), *constants]
        tensors[step] = "logits" if step is last else f"{step.target}.out"
        output = [tensors[step]]
        nodes.append(helper.make_node(op.op_type, inputs, output, step.target, **op.attributes))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, 8, 8])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", CLASSES])
    graph = helper.make_graph(nodes, name, [image], [logits], initializers)
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="scripts/train_models.py",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


# ----------------------------------------------------------------------------- checks and files


def onnx_logits(model: bytes, x: np.ndarray) -> np.ndarray:
    """Runs a model in onnxruntime on the CPU, one thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    for batch in (1, 7):
        (part,) = session.run(["logits"], {"image": x[:batch]})
        if part.shape != (batch, CLASSES):
            raise RuntimeError(f"a batch of {batch} gave logits of shape {part.shape}")
    return session.run(["logits"], {"image": x})[0]


def accuracy(logits: np.ndarray, y: np.ndarray) -> float:
    """Returns the share of images whose largest logit is the right one."""
    return float((logits.argmax(axis=1) == y).mean())


def card_text(recipe: Recipe, float_accuracy: float, parameters: int) -> str:
    """Writes a model's card."""
    return f"""\
# {recipe.summary}
data: digits_test.npz            # default --data, path relative to this card
calibrate: digits_train.npz      # default --calibrate
preprocess:
  data_layout: NCHW
  model_layout: NCHW
  scale: {SCALE}
about:
  title: {recipe.title}
  task: classify 8x8 grey images of handwritten digits (10 classes)
  source: "trained by scripts/train_models.py on scikit-learn's digits (UCI optical recognition of \
handwritten digits, test part)"
  licence: "model files: MIT, like this project; data: E. Alpaydin and C. Kaynak, CC BY 4.0 at \
UCI (doi.org/10.24432/C50P49), as copied in scikit-learn (which names no other licence for it)"
  float_accuracy: {float_accuracy:.4f}   # onnxruntime, all {TEST_IMAGES} images of digits_test.npz
  parameters: {parameters}   # trained; BatchNormalization's running mean and variance not counted
"""


def write_file(path: Path, content: bytes) -> None:
    """Writes a file under a temporary name, then renames it into place."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_images(path: Path, images: Images) -> None:
    """Writes images as a compressed npz with keys ``x`` and ``y``."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, x=images.x, y=images.y)
    write_file(path, buffer.getvalue())


def build(recipe: Recipe, train: Images, test: Images, out: Path) -> None:
    """Trains, exports, checks and writes one network with its card, and prints how it does.

    Raises:
        RuntimeError: torch and onnxruntime disagree.
    """
    network = train_network(recipe, train)
    model = to_onnx(network, recipe.name).SerializeToString(deterministic=True)
    x = test.scaled()
    with torch.inference_mode():
        expected = network(torch.from_numpy(x)).numpy()
    found = onnx_logits(model, x)
    difference = float(np.abs(found - expected).max())
    if not difference <= LOGIT_TOLERANCE:
        raise RuntimeError(f"{recipe.name}: torch and onnxruntime differ by {difference:g}")
    parameters = sum(p.numel() for p in network.parameters())
    score = accuracy(found, test.y)
    write_file(out / f"{recipe.name}.onnx", model)
    write_file(out / f"{recipe.name}.yaml", card_text(recipe, score, parameters).encode())
    print(
        f"{recipe.name:14} held-out accuracy {score:.4f} (torch {accuracy(expected, test.y):.4f}, "
        f"logits differ by {difference:.1e})  {parameters} parameters, {len(model)} bytes"
    )


def main() -> None:
    """Makes everything."""
    parser = argparse.ArgumentParser(description="Train the example networks.")
    default = Path(__file__).resolve().parent.parent / "models"
    parser.add_argument("--out", type=Path, default=default, help="folder to write to")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    train, test = split_digits()
    write_images(out / "digits_test.npz", test)
    write_images(out / "digits_train.npz", calibration_part(train))
    for recipe in RECIPES:
        build(recipe, train, test, out)


if __name__ == "__main__":
    main()

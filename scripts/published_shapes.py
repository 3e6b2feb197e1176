"""Write networks with the layer shapes of published ones and random weights, for studies of cost.

Usage: python scripts/published_shapes.py NAME [NAME ..] [-o FOLDER] [--seed 0]
       python scripts/published_shapes.py --list

Cost follows from shapes, so random weights do. Every file has a free batch axis. Beyond 2 GiB weights
lie in a file beside it (`NAME.onnx.data`).

Sources of the shapes:
- vgg16: Simonyan and Zisserman, ICLR 2015, table 1, column D.
- resnet50: He et al., CVPR 2016, table 1; as torchvision has it, the stride is on the 3x3. Convolutions
  have no biases, normalisations stand apart; of these, scale and shift count as parameters.
- alexnet: torchvision's: Krizhevsky's "one weird trick" (2014), on one device and without groups.
- googlenet: Szegedy et al., CVPR 2015, table 1, without the auxiliary classifiers; pools round up, as
  Caffe's do.
- bert-base, tinyllama: see transformer_shapes.py. tinyllama2, -4 and -8 have so many of its 22 layers.
- mlpl4 to lstm2048: the benchmarks of PUMA (Ankit et al., ASPLOS 2019). Layers and lengths are those of
  the authors' scripts, github.com/Aayush-Ankit/ml-inference-benchmarks; a sequence has 50 steps.
  Parameters follow the formulas there: 5, 21, 91, 125, 856 and 554 million. The paper's abstract says
  5 M to 800 M synapses.

Assumptions, where that leaves something open:
- nmtl3, nmtl5: the decoder starts with the encoder's last states, as in the scripts; both run once over
  50 steps. Word embeddings (a look-up) and the softmax are not part of it.
- biglstm, lstm2048: a cell feeds all of its 8,192 hidden values back, and its projection (to 1,024 or
  2,048) follows it. The authors count so: 4 x 8,192 x 8,192 weights for the recurrence. A cell that
  feeds the projected values back, as theirs does when it runs, would have 386 and 352 million in all.
  The output layer over 793,000 words is not part of it, nor is it of theirs.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import onnx
from shape_builder import FIXED, ShapeBuilder
from transformer_shapes import BERT_BASE, TINYLLAMA, decoder, encoder

from rxsim.errors import RxsimError
from rxsim.load import write_onnx
from rxsim.onnx_graph import without_large_constants

CLASSES = 1000
STEPS = 50
# Source: table 1 of each paper.
VGG_STAGES = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
RESNET_STAGES = ((3, 64), (4, 128), (6, 256), (3, 512))
EXPANSION = 4
# 1x1; 1x1 and 3x3; 1x1 and 5x5; 1x1 behind the pool. None: a pool that halves.
INCEPTIONS: tuple[tuple[str, tuple[int, ...] | None], ...] = (
    ("3a", (64, 96, 128, 16, 32, 32)),
    ("3b", (128, 128, 192, 32, 96, 64)),
    ("pool3", None),
    ("4a", (192, 96, 208, 16, 48, 64)),
    ("4b", (160, 112, 224, 24, 64, 64)),
    ("4c", (128, 128, 256, 24, 64, 64)),
    ("4d", (112, 144, 288, 32, 64, 64)),
    ("4e", (256, 160, 320, 32, 128, 128)),
    ("pool4", None),
    ("5a", (256, 160, 320, 32, 128, 128)),
    ("5b", (384, 192, 384, 48, 128, 128)),
)


def vgg16(to: ShapeBuilder) -> None:
    """Write 13 convolutions and 3 dense layers."""
    x, channels = to.input("image", 3, 224, 224), 3
    for stage, (layers, width) in enumerate(VGG_STAGES, 1):
        for layer in range(1, layers + 1):
            x = _relu(to, to.conv(x, f"conv{stage}_{layer}", (channels, width), 3))
            channels = width
        x = to.add("MaxPool", [x], f"pool{stage}", kernel_shape=[2, 2], strides=[2, 2])
    _classify(to, x, (channels * 7 * 7, 4096, 4096, CLASSES))


def alexnet(to: ShapeBuilder) -> None:
    """Write 5 convolutions and 3 dense layers."""
    x = to.conv(to.input("image", 3, 224, 224), "conv1", (3, 64), 11, stride=4, pad=2)
    x = to.pool(_relu(to, x), "pool1")
    x = to.pool(_relu(to, to.conv(x, "conv2", (64, 192), 5)), "pool2")
    for layer, channels in enumerate(((192, 384), (384, 256), (256, 256)), 3):
        x = _relu(to, to.conv(x, f"conv{layer}", channels, 3))
    _classify(to, to.pool(x, "pool5"), (256 * 6 * 6, 4096, 4096, CLASSES))


def resnet50(to: ShapeBuilder) -> None:
    """Write 53 convolutions with normalisations, and a dense layer."""
    x = to.conv(to.input("image", 3, 224, 224), "conv1", (3, 64), 7, stride=2, bias=False)
    x = to.pool(_relu(to, to.normalised(x, "norm1", 64)), "pool1", pad=1)
    channels = 64
    for stage, (blocks, width) in enumerate(RESNET_STAGES, 1):
        for block in range(blocks):
            stride = 2 if stage > 1 and not block else 1
            x = _bottleneck(to, x, f"stage{stage}.block{block + 1}", (channels, width), stride)
            channels = EXPANSION * width
    _classify(to, to.add("GlobalAveragePool", [x], "pool"), (channels, CLASSES))


def googlenet(to: ShapeBuilder) -> None:
    """Write 57 convolutions and a dense layer."""
    x = _relu(to, to.conv(to.input("image", 3, 224, 224), "conv1", (3, 64), 7, stride=2))
    x = to.add("LRN", [to.pool(x, "pool1", ceil=True)], "norm1", size=5)
    x = _relu(to, to.conv(x, "conv2.reduce", (64, 64), 1))
    x = _relu(to, to.conv(x, "conv2", (64, 192), 3))
    x = to.pool(to.add("LRN", [x], "norm2", size=5), "pool2", ceil=True)
    channels = 192
    for name, widths in INCEPTIONS:
        if widths is None:
            x = to.pool(x, name, ceil=True)
            continue
        x = _inception(to, x, f"inception{name}", channels, widths)
        channels = widths[0] + widths[2] + widths[4] + widths[5]
    _classify(to, to.add("GlobalAveragePool", [x], "pool"), (channels, CLASSES))


def mlp(to: ShapeBuilder, lengths: Sequence[int]) -> None:
    """Write dense layers with sigmoids between them."""
    x = to.input("values", lengths[0])
    for layer, (n_in, n_out) in enumerate(pairwise(lengths), 1):
        x = to.dense(x, f"fc{layer}", n_in, n_out)
        if layer < len(lengths) - 1:
            x = to.add("Sigmoid", [x], f"fc{layer}.sigmoid")
    to.output(x, lengths[-1])


def translation(
    to: ShapeBuilder, layers: int, width: int = 1024, words: int = 40_000, steps: int = STEPS
) -> None:
    """Write an encoder and a decoder of LSTMs, and a dense layer over the words at each step."""
    source, target = (to.input(name, steps, width) for name in ("source", "target"))
    x, states = to.swapped(source, "source.steps"), []
    for layer in range(1, layers + 1):
        x, last = to.lstm(x, f"encoder{layer}", width, width)
        states.append(last)
    x = to.swapped(target, "target.steps")
    for layer, first in enumerate(states, 1):
        x, _ = to.lstm(x, f"decoder{layer}", width, width, first)
    x = to.product(to.swapped(x, "sentences"), "words", width, words)
    to.output(to.add("Add", [x, to.bias("words.bias", words)], "words.biased"), steps, words)


def language(
    to: ShapeBuilder, layers: int, projected: int, width: int = 8192, steps: int = STEPS
) -> None:
    """Write LSTMs, each with a projection behind it."""
    x, n_in = to.swapped(to.input("words", steps, width), "steps"), width
    for layer in range(1, layers + 1):
        x, _ = to.lstm(x, f"lstm{layer}", n_in, width)
        x, n_in = to.product(x, f"lstm{layer}.projection", width, projected), projected
    to.output(to.swapped(x, "sentences"), steps, projected)


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A published network.

    Attributes:
        write: writes its layers.
        parameters: as published, or as the published formula gives them.
        what: a line about it.
    """

    write: Callable[[ShapeBuilder], None]
    parameters: int
    what: str


NETWORKS: dict[str, Published] = {
    "vgg16": Published(write=vgg16, parameters=138_357_544, what="13 Conv, 3 Gemm, ImageNet"),
    "resnet50": Published(
        write=resnet50,
        parameters=25_557_032,
        what="53 Conv with BatchNormalization, 1 Gemm, ImageNet",
    ),
    "alexnet": Published(write=alexnet, parameters=61_100_840, what="5 Conv, 3 Gemm, ImageNet"),
    "googlenet": Published(write=googlenet, parameters=6_998_552, what="57 Conv, 1 Gemm, ImageNet"),
    "mlpl4": Published(
        write=lambda to: mlp(to, (1024, 1024, 2048, 1024, 10)),
        parameters=5_257_226,
        what="4 Gemm, PUMA",
    ),
    "mlpl5": Published(
        write=lambda to: mlp(to, (1024, 2048, 3072, 3072, 1024, 10)),
        parameters=20_990_986,
        what="5 Gemm, PUMA",
    ),
    "nmtl3": Published(
        write=lambda to: translation(to, 3),
        parameters=91_356_224,
        what="3 + 3 LSTM, 1 MatMul, 50 steps, PUMA",
    ),
    "nmtl5": Published(
        write=lambda to: translation(to, 5),
        parameters=124_927_040,
        what="5 + 5 LSTM, 1 MatMul, 50 steps, PUMA",
    ),
    "biglstm": Published(
        write=lambda to: language(to, 2, 1024),
        parameters=855_703_552,
        what="2 LSTM, 2 MatMul, 50 steps, PUMA, 3.2 GiB",
    ),
    "lstm2048": Published(
        write=lambda to: language(to, 1, 2048),
        parameters=553_680_896,
        what="1 LSTM, 1 MatMul, 50 steps, PUMA, 2.1 GiB",
    ),
    "bert-base": Published(
        write=partial(encoder, of=BERT_BASE),
        parameters=109_482_240,
        what="73 MatMul, 128 tokens",
    ),
    "tinyllama": Published(
        write=partial(decoder, of=TINYLLAMA),
        parameters=1_100_048_384,
        what="155 MatMul, 128 tokens, 4.1 GiB",
    ),
    **{
        f"tinyllama{layers}": Published(
            write=partial(decoder, of=replace(TINYLLAMA, layers=layers)),
            parameters=131_074_048 + layers * 44_044_288,
            what=f"{7 * layers + 1} MatMul, {layers} of the 22 layers of tinyllama",
        )
        for layers in (2, 4, 8)
    },
}


def made(name: str, seed: int = 0) -> onnx.ModelProto:
    """Make a network.

    Args:
        name: one of `NETWORKS`.
        seed: of its weights.
    """
    builder = ShapeBuilder(name, seed)
    NETWORKS[name].write(builder)
    return builder.model


def parameters(model: onnx.ModelProto) -> int:
    """Count the parameters of a network of this script as publications do.

    Scale and shift of a normalisation count, its statistics do not; a gate of an LSTM has one bias.
    """
    sizes = {
        tensor.name: math.prod(tensor.dims)
        for tensor in model.graph.initializer
        if tensor.data_type == onnx.TensorProto.FLOAT and not tensor.name.endswith(FIXED)
    }
    for node in model.graph.node:
        if node.op_type == "BatchNormalization":
            sizes.update(dict.fromkeys(node.input[3:], 0))
        elif node.op_type == "LSTM":
            sizes[node.input[3]] //= 2
    return sum(sizes.values())


def _relu(to: ShapeBuilder, x: str) -> str:
    return to.add("Relu", [x], f"{x.removesuffix('.out')}.relu")


def _classify(to: ShapeBuilder, x: str, lengths: Sequence[int]) -> None:
    """Write the dense layers behind the convolutions."""
    x = to.add("Flatten", [x], "flat")
    for layer, (n_in, n_out) in enumerate(pairwise(lengths), 1):
        x = to.dense(x, f"fc{layer}", n_in, n_out)
        x = _relu(to, x) if layer < len(lengths) - 1 else x
    to.output(x, lengths[-1])


def _bottleneck(to: ShapeBuilder, x: str, name: str, channels: tuple[int, int], stride: int) -> str:
    """Write 1x1, 3x3, 1x1 and the shortcut beside them."""
    c_in, width = channels
    c_out = EXPANSION * width

    def conv(source: str, part: str, ends: tuple[int, int], kernel: int, step: int = 1) -> str:
        source = to.conv(source, f"{name}.{part}", ends, kernel, stride=step, bias=False)
        # Assumption: a branch adds little, or activations would double from block to block.
        scale = 0.3 if part == "conv3" else 1.0
        return to.normalised(source, f"{name}.{part}.norm", ends[1], scale)

    y = _relu(to, conv(x, "conv1", (c_in, width), 1))
    y = _relu(to, conv(y, "conv2", (width, width), 3, stride))
    y = conv(y, "conv3", (width, c_out), 1)
    shortcut = x if c_in == c_out else conv(x, "shortcut", (c_in, c_out), 1, stride)
    return _relu(to, to.add("Add", [y, shortcut], f"{name}.sum"))


def _inception(to: ShapeBuilder, x: str, name: str, c_in: int, widths: Sequence[int]) -> str:
    """Write four branches side by side."""
    one, before_three, three, before_five, five, behind_pool = widths

    def conv(source: str, part: str, ends: tuple[int, int], kernel: int = 1) -> str:
        return _relu(to, to.conv(source, f"{name}.{part}", ends, kernel))

    pooled = to.pool(x, f"{name}.pool", pad=1, stride=1)
    branches = [
        conv(x, "one", (c_in, one)),
        conv(conv(x, "three.reduce", (c_in, before_three)), "three", (before_three, three), 3),
        conv(conv(x, "five.reduce", (c_in, before_five)), "five", (before_five, five), 5),
        conv(pooled, "pooled", (c_in, behind_pool)),
    ]
    return to.add("Concat", branches, name, axis=1)


def main() -> int:
    """Write the networks that are asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NETWORKS))
    parser.add_argument("-o", dest="folder", type=Path, default=Path(), metavar="FOLDER")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--list", action="store_true", help="print the networks and what they hold")
    given = parser.parse_args()
    if given.list:
        for name, network in NETWORKS.items():
            print(f"{name:<10}{network.parameters:>13,}  {network.what}")
        return 0
    unknown = [name for name in given.names if name not in NETWORKS]
    if unknown or not given.names:
        found = unknown[0] if unknown else "no name"
        parser.error(f"found {found}, expected one or more of {', '.join(NETWORKS)}")
    if given.seed < 0:
        parser.error(f"found --seed {given.seed}, expected 0 or more")
    try:
        given.folder.mkdir(parents=True, exist_ok=True)
        for name in given.names:
            model = made(name, given.seed)
            onnx.checker.check_model(without_large_constants(model), full_check=True)
            path = given.folder / f"{name}.onnx"
            write_onnx(path, model)
            onnx.checker.check_model(path)
            print(f"{path}: {parameters(model):,} parameters")
    except (RxsimError, OSError) as error:
        print(f"published_shapes: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Evaluate real networks and print a Markdown table: with configs/rxnn-64.yaml, or on accelerators.

Usage: RXSIM_ASSETS=FOLDER python scripts/bench_networks.py [--accelerators] [NAME ...]

FOLDER holds the networks and data that docs/evidence/networks.md names. Each row is one `rxsim
eval` in a process of its own; its command, wall time and peak memory are printed.
Run it while nothing else does.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from evidence_networks import enter_project
from measured_run import measured_run

MNIST = "mnist/t10k-images-idx3-ubyte.gz"
CIFAR = "cifar10/cifar10_test.npz"
IMAGENET = "imagenet/labels.csv"
COLUMN = ("--set", "mapping.w_max_scope=column")
FEW = ("--set", "calibration.samples=16", "--set", "mapping.pack_groups=true")


@dataclass(frozen=True)
class Row:
    """One evaluation: a network, its card, its data, how many images, further options."""

    name: str
    model: str
    card: str
    data: str
    limit: int
    more: tuple[str, ...] = ()
    config: str = "rxnn-64"

    def command(self) -> list[str]:
        """Return the command with $RXSIM_ASSETS in place of the folder."""
        config = f"configs/{self.config}.yaml"
        options = ["--config", config, "--card", f"scripts/cards/{self.card}.yaml"]
        if self.data == IMAGENET:
            options += ["--images", "$RXSIM_ASSETS/imagenet/images"]
        data = ["--data", f"$RXSIM_ASSETS/{self.data}", "--limit", str(self.limit)]
        return ["rxsim", "eval", f"$RXSIM_ASSETS/{self.model}", *data, *options, *self.more]


ROWS = (
    Row("LeNet (CNTK)", "mnist/mnist-cntk-opset13-dynbatch.onnx", "mnist_cntk", MNIST, 2000),
    Row("ResNet-8", "cifar10/mlperftiny_resnet8_cifar10.onnx", "mlperftiny_resnet8", CIFAR, 2000),
    Row("ResNet-20", "cifar10/resnet20_cifar10.onnx", "resnet_cifar10", CIFAR, 2000),
    Row("ResNet-56", "cifar10/resnet56_cifar10.onnx", "resnet_cifar10", CIFAR, 2000),
    Row("SqueezeNet 1.1", "imagenet/squeezenet1.1.onnx", "squeezenet1.1", IMAGENET, 300),
    *(
        Row(f"{title}, {scope}", f"imagenet/{file}.onnx", file, IMAGENET, 300, more)
        for title, file in (
            ("MobileNetV1 0.25", "mobilenet_v1_0.25_128"),
            ("MobileNetV2", "mobilenet_v2"),
        )
        for scope, more in (("layer", ()), ("column", COLUMN))
    ),
)

# Bits one by one and slices cost over a hundred products each: few images.
ACCELERATORS = tuple(
    Row(f"{title} on {config}", model, card, data, limit, FEW if slow else (), config)
    for config, limits, slow in (
        ("isaac", (100, 10), True),
        ("puma", (100, 10), True),
        ("pcm-hermes-256", (2000, 300), False),
    )
    for (title, model, card, data), limit in zip(
        (
            ("ResNet-20", "cifar10/resnet20_cifar10.onnx", "resnet_cifar10", CIFAR),
            ("MobileNetV2", "imagenet/mobilenet_v2.onnx", "mobilenet_v2", IMAGENET),
        ),
        limits,
        strict=True,
    )
)


def measure(row: Row) -> tuple[dict[str, float], float, float]:
    """Run a row; return accuracies by rung, wall seconds and peak memory in MB."""
    run = measured_run(row.command())
    accuracy = {name: rung["accuracy"]["mean"] for name, rung in run.result["ladder"].items()}
    return accuracy, run.seconds, run.megabytes


def main() -> None:
    """Run the wanted rows and print the table and the commands."""
    enter_project()
    wanted = [name for name in sys.argv[1:] if name != "--accelerators"]
    table = ACCELERATORS if "--accelerators" in sys.argv else ROWS
    rows = [row for row in table if not wanted or any(name in row.name for name in wanted)]
    lines = ["| network, images | float32 | weights | ideal | nonideal | time | peak memory |"]
    lines.append("|---|---|---|---|---|---|---|")
    for row in rows:
        accuracy, seconds, memory = measure(row)
        cells = " | ".join(f"{accuracy[name]:.3f}" for name in accuracy)
        lines.append(f"| {row.name}, {row.limit} | {cells} | {seconds:.0f} s | {memory:.0f} MB |")
        print(f"    {' '.join(row.command())}\n{lines[-1]}", flush=True)
    print("\n".join(lines))


if __name__ == "__main__":
    main()

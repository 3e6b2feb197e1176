"""The public networks of the evidence, and the words of a command that names one with its data."""

from __future__ import annotations

import os
from pathlib import Path

from rxsim.config import load_settings
from rxsim.pipeline import DataOptions, Study, open_study

ROOT = Path(__file__).resolve().parents[1]
CIFAR, IMAGENET = "$RXSIM_ASSETS/cifar10", "$RXSIM_ASSETS/imagenet"
MNIST = "$RXSIM_ASSETS/mnist"
MNIST_DATA = (
    "--data",
    f"{MNIST}/t10k-images-idx3-ubyte.gz",
    "--calibrate",
    f"{MNIST}/mnist_train1000.npz",
)
CIFAR_DATA = (
    "--data",
    f"{CIFAR}/cifar10_test.npz",
    "--calibrate",
    f"{CIFAR}/cifar10_train1000.npz",
)
IMAGES = ("--data", f"{IMAGENET}/labels.csv", "--images", f"{IMAGENET}/images")
NETWORKS = {
    "lenet": (f"{MNIST}/mnist-cntk-opset13-dynbatch.onnx", "mnist_cntk", MNIST_DATA),
    "resnet8": (f"{CIFAR}/mlperftiny_resnet8_cifar10.onnx", "mlperftiny_resnet8", CIFAR_DATA),
    "resnet20": (f"{CIFAR}/resnet20_cifar10.onnx", "resnet_cifar10", CIFAR_DATA),
    "resnet56": (f"{CIFAR}/resnet56_cifar10.onnx", "resnet_cifar10", CIFAR_DATA),
    "squeezenet": (f"{IMAGENET}/squeezenet1.1.onnx", "squeezenet1.1", IMAGES),
    "mobilenet_v1": (f"{IMAGENET}/mobilenet_v1_0.25_128.onnx", "mobilenet_v1_0.25_128", IMAGES),
    "mobilenet_v2": (f"{IMAGENET}/mobilenet_v2.onnx", "mobilenet_v2", IMAGES),
}


def command_of(command: str, name: str, images: int, seed: int, more: list[str]) -> list[str]:
    """Return the words of a command, with $RXSIM_ASSETS in place of the folder.

    Args:
        command: such as eval.
        name: of the network.
        images: how many are evaluated.
        seed: of every random draw.
        more: further options.
    """
    model, card, data = NETWORKS[name]
    return [
        *("rxsim", command, model, "--card", f"scripts/cards/{card}.yaml", *data),
        *("--limit", str(images), "--seed", str(seed), *more),
    ]


def study_of(
    name: str,
    images: int,
    assignments: list[str],
    xbar: str | None = None,
    threads: int | None = None,
    config: Path | None = None,
) -> Study:
    """Open a network under some settings, in the project's folder (see `enter_project`).

    Args:
        name: of the network.
        images: how many are evaluated.
        assignments: settings, as `--set` takes them.
        xbar: array size, as `--xbar` takes it.
        threads: work done side by side; the machine's processors where left out.
        config: a settings file; the defaults where left out.
    """
    model, card, data = NETWORKS[name]
    paths = {
        option: Path(os.path.expandvars(path))
        for option, path in zip(data[::2], data[1::2], strict=True)
    }
    options = DataOptions(
        data=paths["--data"],
        calibrate=paths.get("--calibrate"),
        images=paths.get("--images"),
        card=Path(f"scripts/cards/{card}.yaml"),
        limit=images,
    )
    settings = load_settings(config, xbar=xbar, assignments=assignments)
    return open_study(Path(os.path.expandvars(model)), settings, options, threads=threads)


def enter_project() -> None:
    """Go to the project's folder, whose cards the commands name.

    Raises:
        SystemExit: the folder of networks and data is not named.
    """
    if "RXSIM_ASSETS" not in os.environ:
        raise SystemExit(
            "set RXSIM_ASSETS to the folder of networks and data that docs/evidence/networks.md names"
        )
    os.chdir(ROOT)

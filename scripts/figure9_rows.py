"""The rows of figure9.py: a network on arrays of one size, each a sweep of a single point."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from evidence_networks import NETWORKS, ROOT

from rxsim.store import Results
from rxsim.sweep import read_plan

SIZES = (16, 32, 64, 128)
# Source: Alibart et al., Nanotechnology 23, 075201, 2012: conductances tuned to 1 % of what is wanted.
# Assumption: a normal error with this sigma, of the whole range at every level, which is harsher.
WRITE_SIGMA = 0.01
STEPS = ("order", "predistort", "ranges", "columns", "statistics")
BOTH = ("layer", "column")
"""Scopes of w_max for networks with depthwise layers, whose filters differ much in size."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network of the figure.

    Attributes:
        title: what it is called there.
        group: the panel it stands in.
        images: evaluated in the full run, a seeded and class-balanced sample.
        chips: programmed in the full run.
        scopes: of the largest weight (`mapping.w_max_scope`).
    """

    title: str
    group: str
    images: int = 500
    chips: int = 10
    scopes: tuple[str, ...] = ("layer",)


SMALL, LARGE = "digits, MNIST, CIFAR-10", "ImageNet"
SHIPPED = {
    "digits_mlp": Network(title="digits MLP", group=SMALL, images=540),
    "digits_cnn": Network(title="digits CNN", group=SMALL, images=540),
    "digits_resnet": Network(title="digits ResNet", group=SMALL, images=540),
    "digits_dsconv": Network(title="digits DSConv", group=SMALL, images=540, scopes=BOTH),
}
PUBLIC = {
    "lenet": Network(title="LeNet", group=SMALL),
    "resnet8": Network(title="ResNet-8", group=SMALL),
    "resnet20": Network(title="ResNet-20", group=SMALL),
    "resnet56": Network(title="ResNet-56", group=SMALL),
    "squeezenet": Network(title="SqueezeNet", group=LARGE, images=100, chips=3),
    "mobilenet_v1": Network(
        title="MobileNetV1 0.25", group=LARGE, images=100, chips=3, scopes=BOTH
    ),
    "mobilenet_v2": Network(title="MobileNetV2", group=LARGE, images=100, chips=3, scopes=BOTH),
}
ALL = {**SHIPPED, **PUBLIC}


@dataclass(frozen=True, kw_only=True)
class Row:
    """A network on arrays of one size.

    Attributes:
        network: its name here.
        scope: of the largest weight.
        size: rows and columns of an array.
        variant: plain, compensated or retrained.
        images: at most, evaluated.
        chips: programmed.
        trained: the retrained file; None for the network as it is.
    """

    network: str
    scope: str
    size: int
    variant: str
    images: int
    chips: int
    trained: Path | None = None

    @property
    def name(self) -> str:
        """The name of its sweep."""
        return f"{self.network}, {self.scope}, {self.size}, {self.variant}"

    @property
    def bars(self) -> tuple[str, str]:
        """What rows share that stand side by side in the figure."""
        return self.network, self.scope

    def write(self, folder: Path) -> Path:
        """Write its sweep file, and return where it is."""
        path = folder / f"{self.name.replace(', ', '-')}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(self._sweep(), sort_keys=False), encoding="utf-8")
        return path

    def _sweep(self) -> dict[str, Any]:
        settings: dict[str, Any] = {
            "crossbar": {"rows": self.size, "cols": self.size},
            "device": {"write_sigma": WRITE_SIGMA},
            "mapping": {"w_max_scope": self.scope},
        }
        if self.variant == "compensated":
            settings["compensate"] = list(STEPS)
        files = files_of(self.network)
        if self.trained is not None:
            files["model"] = str(self.trained.absolute())
        return {
            "name": self.name,
            **files,
            "config": str(ROOT / "configs" / "rxnn-64.yaml"),
            "limit": self.images,
            "settings": settings,
            "axes": {},
            "trials": self.chips,
        }


def files_of(network: str) -> dict[str, str]:
    """Return a network's file, card and data as keys of a sweep file."""
    if network in SHIPPED:
        models = ROOT / "models"
        return {"model": str(models / f"{network}.onnx"), "card": str(models / f"{network}.yaml")}
    model, card, data = NETWORKS[network]
    given = {
        option.removeprefix("--"): path for option, path in zip(data[::2], data[1::2], strict=True)
    }
    files = {name: os.path.expandvars(path) for name, path in {"model": model, **given}.items()}
    return {**files, "card": str(ROOT / "scripts" / "cards" / f"{card}.yaml")}


def rows_of(
    names: Sequence[str],
    sizes: Sequence[int],
    compensate_at: Sequence[int],
    retrained: Mapping[tuple[str, int], Path],
    most: tuple[int | None, int | None] = (None, None),
) -> Iterator[Row]:
    """Yield the rows of networks, those of a network side by side.

    Args:
        names: of the networks.
        sizes: of arrays.
        compensate_at: sizes at which the steps of compensation are tried too.
        retrained: a retrained file by network and size of arrays.
        most: images and chips; the network's own number where None, or where that is smaller.
    """
    for name in names:
        network = ALL[name]
        images, chips = (
            own if limit is None else min(own, limit)
            for own, limit in zip((network.images, network.chips), most, strict=True)
        )
        for scope in network.scopes:
            wanted: list[tuple[int, str, Path | None]] = [(size, "plain", None) for size in sizes]
            wanted += [(size, "compensated", None) for size in compensate_at]
            wanted += [
                (size, "retrained", file) for (one, size), file in retrained.items() if one == name
            ]
            for size, variant, trained in wanted:
                yield Row(
                    network=name,
                    scope=scope,
                    size=size,
                    variant=variant,
                    images=images,
                    chips=chips,
                    trained=trained,
                )


def missing(sweep: Path, results: Results) -> int:
    """Count the trials of a sweep that its results do not hold.

    Args:
        sweep: the sweep file.
        results: the results file.
    """
    plan = read_plan(sweep)
    keys = [
        planned.trial_key(trial)
        for planned in plan.points
        for trial in range(plan.trials if planned.is_random else 1)
    ]
    done = results.status(keys)
    return sum(done.get(key) != "done" for key in keys)

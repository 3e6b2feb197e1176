"""The rows of figure9.py: a network on arrays of one size, each a sweep of a single point."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml
from evidence_networks import NETWORKS, ROOT
from script_options import refuse

SIZES = (16, 32, 64, 128)
# Source: Alibart et al., Nanotechnology 23, 075201, 2012: conductances tuned to 1 % of what is wanted.
# Assumption: a normal error with this sigma, of the whole range at every level, which is harsher.
WRITE_SIGMA = 0.01
STEPS = ("order", "predistort", "ranges", "columns", "statistics")
BOTH = ("layer", "column")
"""Scopes of w_max for networks with depthwise layers, whose filters differ much in size."""
SMALL, LARGE, GIVEN = "digits, MNIST, CIFAR-10", "ImageNet", "given networks"


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network of the figure.

    Attributes:
        name: in names of rows.
        title: what it is called in the figure.
        group: the panel it stands in.
        images: evaluated in the full run, a seeded and class-balanced sample.
        chips: programmed in the full run.
        scopes: of the largest weight (`mapping.w_max_scope`); None: as the settings say.
        files: its file, card and data, as keys of a sweep file; variables of the environment in them
            are put in.
    """

    name: str
    title: str
    group: str
    images: int = 500
    chips: int = 10
    scopes: tuple[str | None, ...] = ("layer",)
    files: Mapping[str, str]


def _shipped(name: str, title: str, scopes: tuple[str, ...] = ("layer",)) -> Network:
    models = ROOT / "models"
    files = {"model": str(models / f"{name}.onnx"), "card": str(models / f"{name}.yaml")}
    return Network(name=name, title=title, group=SMALL, images=540, scopes=scopes, files=files)


def _public(name: str, title: str, group: str, **more: Any) -> Network:
    model, card, data = NETWORKS[name]
    words = zip(data[::2], data[1::2], strict=True)
    given = {option.removeprefix("--"): path for option, path in words}
    files = {"model": model, **given, "card": str(ROOT / "scripts" / "cards" / f"{card}.yaml")}
    return Network(name=name, title=title, group=group, files=files, **more)


def check_assets(names: Collection[str]) -> None:
    """Refuse public networks where nobody says in which folder they lie."""
    if any(network.name in names for network in PUBLIC) and "RXSIM_ASSETS" not in os.environ:
        refuse(
            "set RXSIM_ASSETS to the folder of networks and data that docs/evidence/networks.md names, "
            f"or choose --networks {','.join(network.name for network in SHIPPED)}"
        )


def network_of(files: Mapping[str, str]) -> Network:
    """Return a network that is none of the figure's.

    Args:
        files: its file, card and data, as keys of a sweep file.
    """
    title = Path(files["model"]).stem
    name = f"{title} (file)" if title in ALL else title
    absolute = {key: str(Path(path).absolute()) for key, path in files.items()}
    return Network(name=name, title=title, group=GIVEN, scopes=(None,), files=absolute)


SHIPPED = [
    _shipped("digits_mlp", "digits MLP"),
    _shipped("digits_cnn", "digits CNN"),
    _shipped("digits_resnet", "digits ResNet"),
    _shipped("digits_dsconv", "digits DSConv", BOTH),
]
PUBLIC = [
    _public("lenet", "LeNet", SMALL),
    _public("resnet8", "ResNet-8", SMALL),
    _public("resnet20", "ResNet-20", SMALL),
    _public("resnet56", "ResNet-56", SMALL),
    _public("squeezenet", "SqueezeNet", LARGE, images=100),
    _public("mobilenet_v1", "MobileNetV1 0.25", LARGE, images=100, scopes=BOTH),
    _public("mobilenet_v2", "MobileNetV2", LARGE, images=100, scopes=BOTH),
]
ALL = {network.name: network for network in (*SHIPPED, *PUBLIC)}


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """What the rows have in common.

    Attributes:
        config: a settings file.
        settings: laid over it.
    """

    config: str
    settings: Mapping[str, Any]


OF_PAPER = Hardware(
    config=str(ROOT / "configs" / "rxnn-64.yaml"), settings={"device": {"write_sigma": WRITE_SIGMA}}
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A network on arrays of one size.

    Attributes:
        network: the network.
        hardware: what it runs on, but for the size of arrays.
        scope: of the largest weight; None: as the hardware says.
        size: rows and columns of an array.
        variant: plain, compensated or retrained.
        images: at most, evaluated.
        chips: programmed.
        trained: the retrained file; None for the network as it is.
    """

    network: Network
    hardware: Hardware
    scope: str | None
    size: int
    variant: str
    images: int
    chips: int
    trained: str | None = None

    @property
    def name(self) -> str:
        """The name of its sweep."""
        scope = [] if self.scope is None else [self.scope]
        return ", ".join([self.network.name, *scope, str(self.size), self.variant])

    @property
    def bars(self) -> tuple[str, str | None]:
        """What rows share that stand side by side in the figure."""
        return self.network.name, self.scope

    def as_json(self) -> dict[str, Any]:
        """Return the row, plain."""
        return asdict(self)

    @staticmethod
    def from_json(fields: Mapping[str, Any]) -> Row:
        """Return the row that `as_json` made plain."""
        network = {**fields["network"], "scopes": tuple(fields["network"]["scopes"])}
        whole = {
            **fields,
            "network": Network(**network),
            "hardware": Hardware(**fields["hardware"]),
        }
        return Row(**whole)

    def file(self, folder: Path) -> Path:
        """Return where its sweep file lies in a folder."""
        return folder / f"{self.name.replace(', ', '-')}.yaml"

    def write(self, folder: Path) -> Path:
        """Write its sweep file, which plans a single point, and return where it is."""
        path = self.file(folder)
        path.write_text(yaml.safe_dump(self._sweep(), sort_keys=False), encoding="utf-8")
        return path

    def _sweep(self) -> dict[str, Any]:
        settings: dict[str, Any] = {
            "crossbar": {"rows": self.size, "cols": self.size},
            **self.hardware.settings,
        }
        if self.scope is not None:
            settings["mapping"] = {"w_max_scope": self.scope}
        if self.variant == "compensated":
            settings["compensate"] = list(STEPS)
        files = {key: os.path.expandvars(path) for key, path in self.network.files.items()}
        if self.trained is not None:
            files["model"] = self.trained
        return {
            "name": self.name,
            **files,
            "config": self.hardware.config,
            "limit": self.images,
            "settings": settings,
            "axes": {},
            "trials": self.chips,
        }


def rows_of(
    networks: Sequence[Network],
    hardware: Hardware,
    sizes: Sequence[int],
    compensate_at: Sequence[int],
    retrained: Mapping[tuple[str, int], Path],
    most: tuple[int | None, int | None] = (None, None),
) -> Iterator[Row]:
    """Yield the rows of networks, those of a network side by side.

    Args:
        networks: the networks.
        hardware: what they run on.
        sizes: of arrays.
        compensate_at: sizes at which the steps of compensation are tried too.
        retrained: a retrained file by network and size of arrays.
        most: images and chips; the network's number where None, or where that is smaller.
    """
    for network in networks:
        images, chips = (
            usual if limit is None else min(usual, limit)
            for usual, limit in zip((network.images, network.chips), most, strict=True)
        )
        for scope in network.scopes:
            wanted: list[tuple[int, str, str | None]] = [(size, "plain", None) for size in sizes]
            wanted += [(size, "compensated", None) for size in compensate_at]
            wanted += [
                (size, "retrained", str(file.absolute()))
                for (name, size), file in retrained.items()
                if name == network.name
            ]
            for size, variant, trained in wanted:
                yield Row(
                    network=network,
                    hardware=hardware,
                    scope=scope,
                    size=size,
                    variant=variant,
                    images=images,
                    chips=chips,
                    trained=trained,
                )

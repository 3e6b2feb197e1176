"""What a retraining is asked for."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypedDict

from rxsim.errors import SettingError
from rxsim.given import as_count, check_type

Kind = Literal["weights", "biases"]
"""What of a layer is trained."""
_WHOLE = ("all", "weights", "biases", "norms")
_CHOICES = {
    "optimiser": ("adam", "sgd"),
    "gradient": ("identity", "column"),
    "train_on": ("none", "labels"),
    "start": ("file", "matched"),
    "ranges": ("measured", "kept", "learned"),
}


class GivenOptions(TypedDict, total=False):
    """The fields of `RetrainOptions` as keywords, seed left out."""

    iterations: int
    batch: int
    optimiser: Literal["adam", "sgd"]
    learning_rate: float
    noise: str
    gradient: Literal["identity", "column"]
    refresh: int
    train_on: Literal["none", "labels"]
    temperature: float
    train: str
    clip: float | None
    held_out: float
    patience: int | None
    chip: int | None
    start: Literal["file", "matched"]
    ranges: Literal["measured", "kept", "learned"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainOptions:
    """How a network is retrained.

    Attributes:
        iterations: batches.
        batch: inputs of each.
        optimiser: adam or sgd (momentum 0.9).
        learning_rate: of the first iteration; it falls to 0 along half a cosine.
        noise: exact (the solved chip), none, or gaussian:S with S a share of the largest weight.
        gradient: of the chip's products: identity, or column (with the factor of each column).
        refresh: iterations from one chip to the next.
        train_on: none (the float network's outputs: no labels are needed) or labels (cross entropy).
        temperature: of distillation.
        train: all, weights or biases of layers, norms (a gain of each output channel, and biases), or
            patterns of their names with commas between.
        clip: largest weight of a layer in standard deviations of its first weights; None: not clipped.
        held_out: share of the data that is not trained on and chooses the best weights.
        patience: refreshes without a better loss there after which training ends; None: never.
        chip: the chip that is trained for; None: another at each refresh.
        start: file (weights as they are), or matched (every channel's mean and deviation on the chip
            are brought to the float network's first).
        ranges: input ranges: measured (on the float network, at every refresh), kept (those of the
            network as it is) or learned (likewise at first, then trained).
        seed: of batches and noise.
    """

    iterations: int = 150
    batch: int = 64
    optimiser: Literal["adam", "sgd"] = "adam"
    learning_rate: float = 1e-4
    noise: str = "exact"
    gradient: Literal["identity", "column"] = "identity"
    refresh: int = 25
    train_on: Literal["none", "labels"] = "none"
    temperature: float = 2.0
    train: str = "all"
    clip: float | None = None
    held_out: float = 0.1
    patience: int | None = None
    chip: int | None = None
    start: Literal["file", "matched"] = "file"
    ranges: Literal["measured", "kept", "learned"] = "measured"
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what nothing can be trained with.

        Raises:
            InputError: naming what was found and what was expected.
        """
        for name, least in (("iterations", 1), ("batch", 1), ("refresh", 1), ("seed", 0)):
            self._count(name, least)
        for name, least in (("patience", 1), ("chip", 0)):
            if getattr(self, name) is not None:
                self._count(name, least)
        for name in ("learning_rate", "temperature"):
            value = self._number(name)
            if not 0 < value < float("inf"):
                raise SettingError(f"{name}: found {value:g}, expected a finite number above 0")
        if self.clip is not None and not 0 < (value := self._number("clip")) < float("inf"):
            raise SettingError(f"clip: found {value:g}, expected a number above 0, such as 2.5")
        if not 0 < (share := self._number("held_out")) < 1:
            raise SettingError(
                f"held_out: found {share:g}, expected a share above 0 and below 1, such as 0.1"
            )
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise SettingError(
                    f"{name}: found {getattr(self, name)!r}, expected {' or '.join(known)}"
                )
        check_type(self.train, "train", str, "all, weights, biases, norms or names of layers")
        self.gaussian()
        self._check_hardware()

    def _check_hardware(self) -> None:
        """Refuse what only a chip can have, where there is none; and ranges that would not hold."""
        for name, plain in (("start", "file"), ("ranges", "measured")):
            value = getattr(self, name)
            if value != plain and self.noise != "exact":
                raise SettingError(
                    f"{name}: found {value} with noise {self.noise}, which has no chip, expected "
                    f"{plain} or noise exact; leave {name} out"
                )
        if self.start == "matched" and self.ranges == "measured":
            raise SettingError(
                "start: found matched with ranges measured, expected ranges kept or learned: the float "
                "network, on which ranges are measured, no longer computes what the chip does"
            )

    def _count(self, name: str, least: int) -> None:
        object.__setattr__(self, name, as_count(getattr(self, name), name, least))

    def _number(self, name: str) -> float:
        value = getattr(self, name)
        check_type(value, name, float | int, "a number")
        object.__setattr__(self, name, float(value))
        return float(value)

    def gaussian(self) -> float | None:
        """Return the share S of gaussian:S; None for exact and none.

        Raises:
            SettingError: noise is neither.
        """
        check_type(self.noise, "noise", str, "exact, none or gaussian:S")
        kind, _, text = self.noise.partition(":")
        if self.noise in ("exact", "none"):
            return None
        try:
            sigma = float(text) if kind == "gaussian" else -1.0
        except ValueError:
            sigma = -1.0
        if not 0 < sigma < 1:
            raise SettingError(
                f"noise: found {self.noise!r}, expected exact, none or gaussian:S with S above 0 and "
                "below 1, such as gaussian:0.038"
            )
        return sigma

    def trains(self, layer: str, what: Kind) -> bool:
        """Tell whether weights or biases of a layer are trained."""
        if not self._patterns():
            return self.train in ("all", "norms", what)
        return any(_matches(layer, pattern) for pattern in self._patterns())

    def check_patterns(self, layers: Iterable[str]) -> None:
        """Refuse a pattern that no layer matches.

        Args:
            layers: names of the layers on crossbars.

        Raises:
            SettingError: naming the pattern and some layers.
        """
        names = list(layers)
        for pattern in self._patterns():
            if pattern in _WHOLE and pattern not in names:
                raise SettingError(
                    f"train: found {pattern} among others in {self.train!r}, expected it alone, or "
                    "names of layers only"
                )
            if not any(_matches(name, pattern) for name in names):
                raise SettingError(
                    f"train: found {pattern!r}, expected all, weights, biases, norms or names of "
                    f"layers on crossbars, such as {', '.join(names[:3])}"
                )

    def _patterns(self) -> list[str]:
        if self.train in _WHOLE:
            return []
        return [pattern.strip() for pattern in self.train.split(",")]


def _matches(layer: str, pattern: str) -> bool:
    return layer == pattern or fnmatch.fnmatchcase(layer, pattern)

"""What a retraining is asked for."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from typing import Literal

from rxsim.errors import SettingError

Kind = Literal["weights", "biases"]
"""What of a layer is trained."""


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
        labels: data (cross entropy with their labels) or none (distillation from the float network).
        temperature: of distillation.
        train: all, weights or biases of layers, or patterns of their names with commas between.
        clip: largest weight of a layer in standard deviations of its first weights; None: not clipped.
        held_out: share of the data that is not trained on and chooses the best weights.
        patience: refreshes without a better loss there after which training ends; None: never.
        chip: the chip that is trained for; None: another at each refresh.
        seed: of batches and noise.
    """

    iterations: int = 150
    batch: int = 64
    optimiser: Literal["adam", "sgd"] = "adam"
    learning_rate: float = 1e-4
    noise: str = "exact"
    gradient: Literal["identity", "column"] = "identity"
    refresh: int = 25
    labels: Literal["data", "none"] = "none"
    temperature: float = 2.0
    train: str = "all"
    clip: float | None = None
    held_out: float = 0.1
    patience: int | None = None
    chip: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse numbers that nothing can be trained with.

        Raises:
            SettingError: naming what was found and what was expected.
        """
        for name, least in (("iterations", 1), ("batch", 1), ("refresh", 1), ("seed", 0)):
            value = getattr(self, name)
            if value < least:
                raise SettingError(f"{name}: found {value}, expected {least} or above")
        for name in ("learning_rate", "temperature"):
            value = getattr(self, name)
            if not 0 < value < float("inf"):
                raise SettingError(f"{name}: found {value:g}, expected a number above 0")
        if not 0 < self.held_out < 1:
            raise SettingError(
                f"held_out: found {self.held_out:g}, expected a share above 0 and below 1, such as 0.1"
            )
        for name in ("clip", "patience"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise SettingError(
                    f"{name}: found {value:g}, expected a number above 0, or nothing"
                )
        if self.chip is not None and self.chip < 0:
            raise SettingError(f"chip: found {self.chip}, expected 0 or above")
        self.gaussian()

    def gaussian(self) -> float | None:
        """Return the share S of gaussian:S; None for exact and none.

        Raises:
            SettingError: noise is neither.
        """
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
        if self.train in ("all", "weights", "biases"):
            return self.train in ("all", what)
        patterns = [pattern.strip() for pattern in self.train.split(",")]
        return any(layer == each or fnmatch.fnmatchcase(layer, each) for each in patterns)

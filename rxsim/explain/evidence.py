"""What is known when traps are looked for and remedies are chosen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rxsim.explain.quantity import Quantity
from rxsim.explain.result import EffectsTable, LayersTable, Trap
from rxsim.pipeline import Foundry, MadeChip, Study
from rxsim.run import Scores


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Evidence:
    """What is known of a study.

    Attributes:
        study: the study.
        quantity: what is explained.
        floating: scores of the float network.
        foundry: of the built chips: layers on their arrays, settings by layer, ADCs.
        chip: the first of them.
        built: the quantity of the built chips, float64 (chips, images).
        perfect: the quantity of hardware without any effect, likewise.
        effects: what each effect does; None where not asked for.
        layers: what each layer does; None where not asked for.
        seen: names of traps that were seen before the one that looks.
        traps: known mistakes that were seen; what they advise is tried.
        most_chips: chips that are made at most, for lack of time; None: as many as the settings say.
    """

    study: Study
    quantity: Quantity
    floating: Scores
    foundry: Foundry
    chip: MadeChip
    built: np.ndarray
    perfect: np.ndarray
    effects: EffectsTable | None
    layers: LayersTable | None
    seen: frozenset[str] = frozenset()
    traps: tuple[Trap, ...] = ()
    most_chips: int | None = None

    @property
    def worst_layer(self) -> str | None:
        """Name of the layer that costs most; None where that is not known."""
        return self.layers.worst_first[0] if self.layers and self.layers.worst_first else None

    def worst_layers(self, effect: str | None = None) -> tuple[str, ...]:
        """Name layers by what they cost, worst first; none where that is not known.

        Args:
            effect: those come first that suffer from it most.
        """
        if self.layers is None:
            return ()
        suffering = {row.name for row in self.layers.rows if row.dominant == effect}
        return tuple(sorted(self.layers.worst_first, key=lambda name: name not in suffering))

"""Steps that give accuracy back without training, one a file: an ordered list in the settings.

Source: docs/concepts/model.md, section 14.
"""

from __future__ import annotations

from typing import Literal, Protocol

from rxsim.config import Settings
from rxsim.folders import Folder
from rxsim.mapping import MappedLayer, PhysicalArray


class Step(Protocol):
    """A step between mapping and programming."""

    @property
    def knows(self) -> Literal["design", "chip"]:
        """What it may look at: nominal devices and wires, or this chip through its converters."""

    def retarget(
        self, array: PhysicalArray, layer: MappedLayer, settings: Settings
    ) -> PhysicalArray:
        """Return an array with other targets, or with its rows and columns in other places.

        Args:
            array: as it is mapped, or as the step before left it.
            layer: the layer it belongs to.
            settings: the layer's.
        """


STEPS: Folder[Step] = Folder("rxsim.compensate", "STEP")


def compensated(array: PhysicalArray, layer: MappedLayer, settings: Settings) -> PhysicalArray:
    """Take all steps of a layer's settings, in their order."""
    for name in settings.compensate:
        array = STEPS[name].retarget(array, layer, settings)
    return array

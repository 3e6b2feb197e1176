"""Compensation steps, one per file: they raise accuracy without training, in the settings' order.

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
        """The knowledge of a step: nominal devices and wires, or this chip through its converters."""

    def retarget(
        self, array: PhysicalArray, layer: MappedLayer, settings: Settings
    ) -> PhysicalArray:
        """Return an array with other targets, or with its rows and columns moved.

        Args:
            array: the mapped array, or the result of the step before.
            layer: the layer that it belongs to.
            settings: the layer's settings.
        """


STEPS: Folder[Step] = Folder("rxsim.compensate", "STEP")


def compensated(array: PhysicalArray, layer: MappedLayer, settings: Settings) -> PhysicalArray:
    """Take all steps of a layer's settings, in order."""
    for name in settings.compensate:
        array = STEPS[name].retarget(array, layer, settings)
    return array

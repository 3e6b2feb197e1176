"""Settings of devices over time that change nothing as things are: a user is told."""

from __future__ import annotations

from collections.abc import Mapping

from rxsim.config import Settings
from rxsim.devices import acting_laws
from rxsim.devices.read_noise import ReadNoise


def idle_notes(settings: Mapping[str, Settings]) -> tuple[str, ...]:
    """Name the settings that change nothing, a line each.

    Args:
        settings: by name of each layer on crossbars.
    """
    layers = list(settings.values())
    notes = []
    kind = next((each.drift_compensation for each in layers), "none")
    if kind != "none" and all(each.device.age == 0 for each in layers):
        notes.append(
            f"drift_compensation: {kind} changes nothing right after programming; set device.time"
        )
    fresh = [each.device for each in layers if each.device.read_noise == "fresh"]
    if fresh and not any(
        isinstance(law, ReadNoise) for device in fresh for law in acting_laws(device)
    ):
        notes.append(
            "device.read_noise: fresh changes nothing: no cell has read noise; set device.read_sigma "
            "or a device.model that has it"
        )
    return tuple(notes)

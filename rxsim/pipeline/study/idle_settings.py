"""Settings that change nothing as things are: a user is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from rxsim.config import Device, FixedRange, Settings
from rxsim.devices import acting_laws
from rxsim.devices.read_noise import ReadNoise
from rxsim.devices.write_error import WriteError
from rxsim.durations import written


def idle_notes(settings: Iterable[Settings]) -> tuple[str, ...]:
    """Name the settings that change nothing, a line each.

    Args:
        settings: of each layer on crossbars, at each time of reading.
    """
    layers = list(settings)
    return tuple(note for check in _CHECKS if (note := check(layers)))


def _drift_compensation(layers: Sequence[Settings]) -> str:
    kind = next((each.drift_compensation for each in layers), "none")
    if kind == "none" or any(each.device.age > 0 for each in layers):
        return ""
    start = f"drift_compensation: {kind} changes nothing"
    again = [each.device for each in layers if each.device.time > 0 and each.device.refresh]
    if not again:
        return f"{start} right after programming; set device.time"
    times = dict.fromkeys(written(device.time) for device in again)
    return (
        f"{start}: with device.refresh: {written(again[0].refresh or 0.0)} the cells have just been "
        f"programmed anew at {', '.join(times)}; choose a time between two refreshes"
    )


def _refresh(layers: Sequence[Settings]) -> str:
    devices = [each.device for each in layers if each.device.refresh is not None]
    if not devices:
        return ""
    refresh = written(devices[0].refresh or 0.0)
    if not any(device.time for device in devices):
        return f"device.refresh: {refresh} changes nothing right after programming; set device.time"
    if not any(device.refreshes for device in devices):
        longest = written(max(device.time for device in devices))
        return (
            f"device.refresh: {refresh} changes nothing: cells are read before they would be "
            f"programmed anew ({longest} at most); choose a shorter one"
        )
    if not any(device.preset.knows_time and _ages(device) for device in devices):
        return (
            f"device.refresh: {refresh} undoes nothing: no cell changes with time; it only draws write "
            "errors anew"
        )
    return ""


def _ages(device: Device) -> bool:
    """Tell whether anything that is left of a preset may depend on time."""
    return any(step not in device.without for step in device.preset.laws)


def _verify(layers: Sequence[Settings]) -> str:
    devices = [each.device for each in layers if each.device.verify is not None]
    if not devices or any(_writes_or_reads_wrong(device) for device in devices):
        return ""
    return (
        "device.verify changes nothing: writing is exact; set device.write_sigma or a device.model "
        "with a write error"
    )


def _writes_or_reads_wrong(device: Device) -> bool:
    if device.verify is not None and device.verify.read_sigma > 0:
        return True
    return any(isinstance(law, WriteError) for law in acting_laws(device))


def _without(layers: Sequence[Settings]) -> str:
    devices = [each.device for each in layers if each.device.without]
    asked = dict.fromkeys(step for device in devices for step in device.without)
    idle = [
        step
        for step in asked
        if not any(step in device.without and step in device.preset.laws for device in devices)
    ]
    if not idle:
        return ""
    return (
        f"device.without: [{', '.join(idle)}] changes nothing: the device.model has no such law; see "
        "'rxsim presets NAME'"
    )


def _read_noise(layers: Sequence[Settings]) -> str:
    fresh = [each.device for each in layers if each.device.read_noise == "fresh"]
    if not fresh or any(
        isinstance(law, ReadNoise) for device in fresh for law in acting_laws(device)
    ):
        return ""
    return (
        "device.read_noise: fresh changes nothing: no cell has read noise; set device.read_sigma or a "
        "device.model that has it"
    )


def _run_time(layers: Sequence[Settings]) -> str:
    usual = Device.model_fields["run_time"].default
    devices = [each.device for each in layers if each.device.run_time != usual]
    if not devices or any(device.read_noise == "fresh" for device in devices):
        return ""
    return (
        f"device.run_time: {written(devices[0].run_time)} changes nothing with read_noise: frozen; set "
        "device.read_noise: fresh"
    )


def _fixed_range(layers: Sequence[Settings]) -> str:
    adcs = [each.adc for each in layers if isinstance(each.adc.range, FixedRange)]
    if not adcs:
        return ""
    if all(adc.n_bits is None for adc in adcs):
        return (
            "adc.range changes nothing: with adc.n_bits: null there is no converter; set adc.n_bits"
        )
    idle = [
        name
        for name in ("percentile", "criterion", "scope")
        if any(getattr(adc, name) != type(adc).model_fields[name].default for adc in adcs)
    ]
    # A setting for all layers may serve those with a calibrated range.
    if not idle or len(adcs) < len(layers):
        return ""
    return (
        f"adc.{' and adc.'.join(idle)} change{'s' if len(idle) == 1 else ''} nothing: adc.range is "
        "given in amperes; take adc.range: calibrated, or leave it out"
    )


_CHECKS: tuple[Callable[[Sequence[Settings]], str], ...] = (
    _drift_compensation,
    _refresh,
    _verify,
    _without,
    _read_noise,
    _run_time,
    _fixed_range,
)

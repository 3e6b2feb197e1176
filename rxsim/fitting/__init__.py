"""Devices from measurements: tables of measured rows become presets."""

from rxsim.fitting.device_fit import DeviceFit, FitOptions, fit_device
from rxsim.fitting.preset_text import preset_text

__all__ = ["DeviceFit", "FitOptions", "fit_device", "preset_text"]

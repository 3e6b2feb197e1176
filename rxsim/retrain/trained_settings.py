"""The settings that a trained network is for: those given, with the input ranges of its training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import yaml

from rxsim.config import LayerSettings, Settings, as_plain
from rxsim.pipeline import Study
from rxsim.retrain.result import Training


def settings_of(study: Study, training: Training) -> Settings:
    """Return the settings that a trained network is for: those of its study, with its input ranges."""
    return with_input_ranges(study.settings, training.ranges or {})


def settings_text(settings: Settings, lines: Iterable[str]) -> str:
    """Return settings as YAML, of single layers only what they change.

    Args:
        settings: the settings.
        lines: comments in front.
    """
    plain = as_plain(settings)
    plain["layers"] = {
        name: {key: value for key, value in changes.items() if value not in ({}, False)}
        for name, changes in plain["layers"].items()
    }
    return "".join(f"# {line}\n" for line in lines) + yaml.safe_dump(plain, sort_keys=False)


def with_input_ranges(settings: Settings, x_max: Mapping[str, float]) -> Settings:
    """Return settings that state the input ranges of layers.

    Args:
        settings: of all layers.
        x_max: the largest |x| by layer name.
    """
    layers = dict(settings.layers)
    for name, size in x_max.items():
        before = layers.pop(name, LayerSettings())
        changed = {**before.input, "range": {"x_max": size}}
        layers[name] = before.model_copy(update={"input": changed})
    return settings.model_copy(update={"layers": layers})

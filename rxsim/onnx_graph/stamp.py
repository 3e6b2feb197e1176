"""What a written network says of its origin: entries of the ONNX file's metadata_props."""

from __future__ import annotations

from collections.abc import Mapping

import onnx

PREFIX = "rxsim."
"""Every key of ours begins so; what else stands in a file's metadata is the user's."""


def stamp(model: onnx.ModelProto, values: Mapping[str, str]) -> None:
    """Make a model state its origin, in place; what an earlier stamp says is replaced.

    Args:
        model: the model.
        values: texts by key, without the prefix; they are written in the order of their keys.
    """
    others = [entry for entry in model.metadata_props if not entry.key.startswith(PREFIX)]
    del model.metadata_props[:]
    model.metadata_props.extend(others)
    for key in sorted(values):
        model.metadata_props.add(key=PREFIX + key, value=values[key])


def stamp_of(model: onnx.ModelProto) -> dict[str, str]:
    """Return what a model states of its origin, by key without the prefix; empty without a stamp."""
    return {
        entry.key.removeprefix(PREFIX): entry.value
        for entry in model.metadata_props
        if entry.key.startswith(PREFIX)
    }

"""A model's card: the small YAML beside it that says which data it takes and how they are prepared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from rxsim.data.preprocess import Preprocess
from rxsim.files import read_yaml_mapping
from rxsim.schema import Section, validated


class Card(Section):
    """What a card says. `about` is free text for readers and changes nothing."""

    data: str | None = Field(None, description="default --data, relative to the card")
    calibrate: str | None = Field(None, description="default --calibrate, relative to the card")
    preprocess: Preprocess | None = Field(None, description="how a stored sample becomes an input")
    about: dict[str, Any] = Field({}, description="title, source, licence, accuracy: for readers")


def card_beside(model: Path) -> Path | None:
    """Return the card of a model file (`net.onnx` -> `net.yaml`) where there is one."""
    path = model.with_suffix(".yaml")
    return path if path.is_file() else None


def read_card(path: Path) -> Card:
    """Read a card.

    Raises:
        InputError: it can't be read, or holds an unknown key or value.
    """
    return validated(Card, read_yaml_mapping(path, "the card"), f"card {path}")

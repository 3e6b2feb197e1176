"""A model's card: the YAML file beside it that states its data and their preprocessing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from rxsim.data.preprocess import Preprocess
from rxsim.files import read_yaml_mapping
from rxsim.metrics import metric_options
from rxsim.schema import Choice, Integer, Section, validated

MetricOption = Annotated[str, Choice(metric_options)]
"""What is measured: top1, top5, mse, .., or none."""


class CardLabels(Section):
    """How a data label becomes the number of a network output; one of the two."""

    offset: Integer = Field(0, description="added to every label: 1 for a background class first")
    map: str | None = Field(
        None,
        description="text file, relative to the card: line i (from 0) is the output of label i",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.offset and self.map is not None:
            raise ValueError("found both offset and map, expected one of them; remove the other")
        return self


class Card(Section):
    """What a card says. `about` is free text for readers and changes nothing."""

    data: str | None = Field(None, description="default --data, relative to the card")
    calibrate: str | None = Field(None, description="default --calibrate, relative to the card")
    classes: str | None = Field(
        None, description="default --classes: one class name a line, in the order of the labels"
    )
    images: str | None = Field(None, description="default --images: folder of a CSV's files")
    label_file: str | None = Field(None, description="default --labels: labels of IDX images")
    labels: CardLabels = Field(CardLabels(), description="from data labels to network outputs")
    input: str | None = Field(None, description="the input that is preprocessed; null: the first")
    output: str | None = Field(None, description="the output that is evaluated; null: the first")
    metric: MetricOption | None = Field(None, description="null: top1 where there are labels")
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

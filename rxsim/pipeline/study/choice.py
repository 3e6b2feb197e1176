"""Which data a study takes: the card beside the model, and the options laid over it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rxsim.data import Card, LabelRule, Preprocess, card_beside, read_card
from rxsim.errors import InputError, RxsimError
from rxsim.schema import validated


@dataclass(frozen=True, slots=True)
class DataOptions:
    """Where the inputs come from; what is None here comes from the card beside the model.

    Attributes:
        data: data to evaluate.
        calibrate: data that fix converter ranges.
        card: a card in place of the one beside the model.
        preprocess: preprocessing settings laid over the card's.
        limit: evaluate a seeded, class-balanced sample of this size.
        classes: names of the classes, one a line in the order of the labels.
        images: the folder of a CSV's files.
        label_file: labels of IDX images.
        label_offset: added to data labels; this or `label_map` replaces the card's rule.
        label_map: a text file whose line i (from 0) is the output of data label i.
        input: the input that the data feed through the preprocessing.
        output: the output that is evaluated.
        metric: what is measured besides agreement and SNR.
    """

    data: Path | None = None
    calibrate: Path | None = None
    card: Path | None = None
    preprocess: Mapping[str, Any] = field(default_factory=dict)
    limit: int | None = None
    classes: Path | None = None
    images: Path | None = None
    label_file: Path | None = None
    label_offset: int | None = None
    label_map: Path | None = None
    input: str | None = None
    output: str | None = None
    metric: str | None = None


@dataclass(frozen=True, slots=True)
class DataChoice:
    """What card and options say together; None or empty where neither says anything."""

    data: Path | None
    calibrate: Path | None
    classes: Path | None
    images: Path | None
    label_file: Path | None
    rule: LabelRule
    input: str | None
    output: str | None
    metric: str
    preprocess: Preprocess | None
    limit: int | None


def files_of_card(model: Path, card: Path | None) -> list[Path]:
    """List the files that a model's card names; none where it can't be read (said elsewhere).

    Args:
        model: the ONNX file.
        card: the card given in place of the one beside it, or None.
    """
    try:
        path = card or card_beside(model)
        read = read_card(path) if path else Card()
    except RxsimError:
        return []
    names = (read.data, read.calibrate, read.classes, read.label_file, read.labels.map)
    return [path.parent / name for name in names if path and name]


def choose_data(model: Path, options: DataOptions) -> DataChoice:
    """Lay the options over the model's card.

    What belongs to the card's data (`calibrate`, `images`, `label_file`) is dropped with them where
    --data names others.

    Raises:
        InputError: the card can't be used, or --calibrate stands without data.
    """
    path = options.card or card_beside(model)
    card = read_card(path) if path else Card()

    def beside(name: str | None) -> Path | None:
        return path.parent / name if path and name else None

    own = options.data is None
    data = options.data or beside(card.data)
    if data is None and options.calibrate is not None:
        raise InputError("--calibrate was given without --data, expected both; give --data as well")
    return DataChoice(
        data,
        options.calibrate or (beside(card.calibrate) if own else None),
        options.classes or beside(card.classes),
        options.images or (beside(card.images) if own else None),
        options.label_file or (beside(card.label_file) if own else None),
        _label_rule(options, card, beside(card.labels.map)),
        options.input or card.input,
        options.output or card.output,
        options.metric or card.metric or "top1",
        _preprocess(card, options),
        options.limit,
    )


def _label_rule(options: DataOptions, card: Card, card_map: Path | None) -> LabelRule:
    if options.label_offset is not None and options.label_map is not None:
        raise InputError(
            "--label-offset and --label-map were both given, expected one of them; leave the other out"
        )
    if options.label_offset is not None or options.label_map is not None:
        return LabelRule(options.label_offset or 0, options.label_map)
    return LabelRule(card.labels.offset, card_map)


def _preprocess(card: Card, options: DataOptions) -> Preprocess | None:
    """Lay the options over the card's preprocessing; None where neither says anything."""
    if card.preprocess is None and not options.preprocess:
        return None
    stated = {} if card.preprocess is None else card.preprocess.model_dump(exclude_unset=True)
    return validated(Preprocess, {**stated, **options.preprocess}, "preprocessing options")

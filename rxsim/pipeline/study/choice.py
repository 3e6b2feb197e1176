"""Which data a study takes: the card beside the model, and the options laid over it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx

from rxsim.data import (
    Card,
    GivenArrays,
    LabelRule,
    Preprocess,
    card_beside,
    given_arrays,
    read_card,
)
from rxsim.errors import InputError, RxsimError
from rxsim.given import as_count, as_path, check_type
from rxsim.metrics import metric_options
from rxsim.pipeline.study.input_axes import StatedInputs, stated_inputs
from rxsim.schema import in_yaml, validated

DEFAULT_METRIC = "top1"
_PATHS = ("card", "classes", "images", "label_file", "label_map")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataOptions:
    """Where the inputs come from; what is None here comes from the card beside the model.

    Paths may be text. Data may also be arrays in memory: samples, a pair (samples, labels), or a
    mapping of arrays by name.

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
        output: the output that is evaluated, or any other tensor of the graph.
        metric: what is measured besides agreement and SNR.
        input_shapes: shapes by input name, the batch axis included (a batch of 1 leaves it free) or
            left out; under "" of every input that it fits.
        fix_axes: lengths of free axes by the name that the file gives them.
        input_values: a number, or one for each entry, by input name: no data are needed for it.
        batch_axis: the output's batch axis; found out where left out.
        input_batch_axes: which axis of an input is the batch, by its name; None: it has none.
    """

    data: Path | GivenArrays | None = None
    calibrate: Path | GivenArrays | None = None
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
    input_shapes: Mapping[str, Any] = field(default_factory=dict)
    fix_axes: Mapping[str, int] = field(default_factory=dict)
    input_values: Mapping[str, Any] = field(default_factory=dict)
    batch_axis: int | None = None
    input_batch_axes: Mapping[str, int | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make paths of text and data of arrays.

        Raises:
            InputError: a value is of a kind that its field can't take.
        """
        checked: dict[str, Any] = {
            "data": _source(self.data, "data"),
            "calibrate": _source(self.calibrate, "calibrate"),
        }
        for name in _PATHS:
            value = getattr(self, name)
            checked[name] = None if value is None else as_path(value, name)
        for name, least in (("limit", 1), ("label_offset", None), ("batch_axis", None)):
            value = getattr(self, name)
            checked[name] = None if value is None else as_count(value, name, least)
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        for name in ("input", "output"):
            check_type(getattr(self, name) or "", name, str, "the name of one as text")
        check_type(self.preprocess, "preprocess", Mapping, "a mapping such as {'scale': '1/255'}")
        self.stated()
        metrics = metric_options()
        if self.metric is not None and self.metric not in metrics:
            raise InputError(
                f"metric: found {in_yaml(self.metric)}, expected {', '.join(metrics)}; choose one"
            )

    def stated(self) -> StatedInputs:
        """Return what they state of the network's inputs.

        Raises:
            InputError: a value is of a kind that its field can't take.
        """
        return stated_inputs(
            self.input_shapes, self.fix_axes, self.input_values, self.input_batch_axes
        )


def _source(value: Any, name: str) -> Path | GivenArrays | None:
    if value is None or isinstance(value, GivenArrays):
        return value
    return as_path(value, name) if isinstance(value, str | Path) else given_arrays(value, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataChoice:
    """What card and options say together; None or empty where neither says anything."""

    data: Path | GivenArrays | None
    calibrate: Path | GivenArrays | None
    classes: Path | None
    images: Path | None
    label_file: Path | None
    rule: LabelRule
    input: str | None
    output: str | None
    metric: str
    preprocess: Preprocess | None
    limit: int | None
    batch_axis: int | None = None
    stated: StatedInputs = field(default_factory=StatedInputs)


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


def choose_data(
    model: Path | onnx.ModelProto, options: DataOptions, *, evaluates: bool = True
) -> DataChoice:
    """Lay the options over the model's card; a model in memory has none beside it.

    What belongs to the card's data (`calibrate`, `images`, `label_file`) is dropped with them where
    --data names others.

    Args:
        model: the ONNX file, or a model in memory.
        options: what the options say.
        evaluates: whether anything is evaluated; else data that calibrate are enough.

    Raises:
        InputError: the card can't be used, or --calibrate stands without data to evaluate.
    """
    path = options.card or (card_beside(model) if isinstance(model, Path) else None)
    card = read_card(path) if path else Card()

    def beside(name: str | None) -> Path | None:
        return path.parent / name if path and name else None

    from_card = options.data is None
    data = beside(card.data) if options.data is None else options.data
    if evaluates and data is None and options.calibrate is not None:
        raise InputError("--calibrate was given without --data, expected both; give --data as well")
    calibrate: Path | GivenArrays | None = options.calibrate
    if calibrate is None and from_card:
        calibrate = beside(card.calibrate)
    if not evaluates and from_card and calibrate and isinstance(data, Path) and not data.exists():
        data = None
    return DataChoice(
        data=data,
        calibrate=calibrate,
        classes=options.classes or beside(card.classes),
        images=options.images or (beside(card.images) if from_card else None),
        label_file=options.label_file or (beside(card.label_file) if from_card else None),
        rule=_label_rule(options, card, beside(card.labels.map)),
        input=options.input or card.input,
        output=options.output or card.output,
        metric=_metric(options, card),
        preprocess=_preprocess(card, options),
        limit=options.limit,
        batch_axis=options.batch_axis,
        stated=options.stated(),
    )


def _metric(options: DataOptions, card: Card) -> str:
    """Choose what is measured: arrays without labels leave nothing to hit."""
    unlabelled = isinstance(options.data, GivenArrays) and not options.data.labelled
    return options.metric or ("none" if unlabelled else card.metric or DEFAULT_METRIC)


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

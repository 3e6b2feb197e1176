"""Where inputs come from, as files of sweeps and gates say it: the options of `rxsim eval` by name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from rxsim.data import MetricOption
from rxsim.pipeline.study.choice import DataOptions
from rxsim.schema import Integer, Number, Section

_PATHS = ("data", "calibrate", "card", "classes", "images", "label_file", "label_map")
_PLAIN = (
    *("limit", "label_offset", "input", "output", "metric", "preprocess"),
    *("input_shapes", "fix_axes", "input_values", "batch_axis", "input_batch_axes"),
)
_Count = Annotated[Integer, Field(ge=1)]


class DataSection(Section):
    """Base of sections that name data: paths from the file's folder; what is left out is the card's."""

    data: str | None = Field(None, description="data to evaluate, in place of the card's")
    calibrate: str | None = Field(None, description="data that fix converter ranges")
    card: str | None = Field(None, description="card in place of the one beside the model")
    classes: str | None = Field(None, description="class names, one a line, in label order")
    images: str | None = Field(None, description="folder of a CSV's files")
    label_file: str | None = Field(None, description="labels of IDX images")
    label_map: str | None = Field(None, description="line i (from 0): the output of label i")
    label_offset: Integer | None = Field(None, description="added to every label")
    input: str | None = Field(None, description="the input that the data feed")
    output: str | None = Field(None, description="the output that is evaluated")
    metric: MetricOption | None = Field(None, description="null: what the card says")
    preprocess: dict[str, Any] = Field({}, description="laid over the card's preprocessing")
    limit: _Count | None = Field(None, description="a seeded, class-balanced sample of this size")
    input_shapes: dict[str, list[_Count]] = Field(
        {}, description="shapes by input, batch axis included; a batch of 1 leaves it free"
    )
    fix_axes: dict[str, _Count] = Field({}, description="lengths of free axes by their name")
    input_values: dict[str, Number | list[Number]] = Field(
        {}, description="a number by input, or one for each entry: it needs no data"
    )
    batch_axis: Integer | None = Field(None, description="of the output; null: found out")
    input_batch_axes: dict[str, Integer | None] = Field(
        {}, description="batch axes by input; null: it has none"
    )

    def data_options(self, folder: Path) -> DataOptions:
        """Return data options; relative paths start from a folder."""
        chosen: dict[str, Any] = {name: getattr(self, name) for name in _PLAIN}
        for name in _PATHS:
            path = getattr(self, name)
            chosen[name] = None if path is None else folder / path
        return DataOptions(**chosen)

    def data_files(self, folder: Path) -> list[Path]:
        """List the files that it names itself."""
        named = (getattr(self, name) for name in _PATHS)
        return [folder / path for path in named if path is not None]

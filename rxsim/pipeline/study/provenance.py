"""Where a study's inputs come from: names, hashes and numbers of samples, and what identifies them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class EvaluatedData:
    """The data whose samples are evaluated.

    Attributes:
        name: of the data, for messages and results.
        sha256: of their content.
        samples: how many they hold.
    """

    name: str
    sha256: str
    samples: int


@dataclass(frozen=True, slots=True)
class CalibrationData:
    """The samples that fix converter ranges.

    Attributes:
        name: of their data.
        sha256: of the data's content; None where they are made up.
        samples: how many are used.
        overlap: how many of them are evaluated too.
        indices: their places in the data; None where they are made up.
    """

    name: str
    sha256: str | None
    samples: int
    overlap: int
    indices: Sequence[int] | None = None

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON; samples that are made up have no places."""
        values = asdict(self)
        if self.indices is None:
            del values["indices"]
        return values


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a study's inputs come from.

    Attributes:
        data: whose samples are evaluated; None where inputs are made up.
        calibration: the samples that fix converter ranges.
        labels: how labels become outputs, plain; None where inputs are made up.
        input: the network's input that the samples feed; None where inputs are made up.
        preprocess: what turns samples into inputs, plain; None where inputs are made up.
        evaluated: number of evaluated inputs.
        output: name of the evaluated output.
        one_by_one: whether the network takes one input at a time only.
        stated: what the user states of the network's inputs, plain; empty where nothing.
        made_up_of: by input name what it is made up of, in words, where not standard normal.
        output_axis: the output's batch axis that the user states.
        asked: the output that was asked for, where another tensor is evaluated in its place.
        as_float32: types of the network for which float32 stands.
    """

    data: EvaluatedData | None
    calibration: CalibrationData
    labels: Mapping[str, Any] | None
    input: str | None
    preprocess: Mapping[str, Any] | None
    evaluated: int
    output: str = ""
    one_by_one: bool = False
    stated: Mapping[str, Any] = field(default_factory=dict)
    made_up_of: Mapping[str, str] = field(default_factory=dict)
    output_axis: int | None = None
    asked: str | None = None
    as_float32: tuple[str, ...] = ()

    @property
    def made_up(self) -> bool:
        """Whether the inputs are made up: then they follow from the seed and the shapes alone."""
        return self.data is None

    @property
    def made_up_ranges(self) -> bool:
        """Whether converter ranges come from made-up inputs."""
        return self.calibration.sha256 is None

    @property
    def data_sha256(self) -> str | None:
        """Hash of the evaluated data's content; None where inputs are made up."""
        return None if self.data is None else self.data.sha256

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON; of the last keys only those that say something."""
        made_up = {"made_up": dict(self.made_up_of)} if self.made_up_of else {}
        return {
            "made_up": self.made_up,
            "data": None if self.data is None else asdict(self.data),
            "calibration": self.calibration.as_json(),
            "labels": self.labels,
            "input": self.input,
            "preprocess": self.preprocess,
            "evaluated": self.evaluated,
            "output": self.output,
            "one_by_one": self.one_by_one,
            **({"inputs": {**self.stated, **made_up}} if self.stated or made_up else {}),
            **({} if self.output_axis is None else {"batch_axis": self.output_axis}),
            **({} if self.asked is None else {"output_asked": self.asked}),
            **({"as_float32": list(self.as_float32)} if self.as_float32 else {}),
        }

    def evaluated_identity(self, indices: Sequence[int] | None, seed: int) -> list[Any]:
        """Return what the evaluated inputs follow from, plain.

        Args:
            indices: their places in the data.
            seed: of the settings; it counts where inputs are made up.
        """
        axis = [] if self.output_axis is None else [["batch_axis", self.output_axis]]
        prepared = self._prepared(self.data_sha256)
        return [*prepared, indices, self._seed(seed), self.evaluated, *axis]

    def calibration_identity(self, seed: int) -> list[Any]:
        """Return what the calibration inputs follow from, plain."""
        source = self.calibration
        return [
            *self._prepared(source.sha256),
            source.indices,
            self._seed(seed),
            source.samples,
        ]

    def point_identity(self, metric: str) -> list[Any]:
        """Return what a point of a sweep follows from, besides its network and its settings, plain."""
        return [
            *(self.data_sha256, self.calibration.sha256, metric, self.output),
            *(self.made_up, self.labels, self.input, self.preprocess, self.evaluated),
            *([] if self.output_axis is None else [["batch_axis", self.output_axis]]),
            *self._stated(),
        ]

    def _prepared(self, sha256: str | None) -> list[Any]:
        return [sha256, self.input, self.preprocess, *self._stated()]

    def _stated(self) -> list[Any]:
        """Return what is stated of the inputs, where anything is."""
        return [["inputs", self.stated]] if self.stated else []

    def _seed(self, seed: int) -> int | None:
        return seed if self.made_up else None

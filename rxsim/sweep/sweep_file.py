"""The YAML file of a sweep, and its reader."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from rxsim.errors import SettingError
from rxsim.files import read_yaml_mapping
from rxsim.pipeline import DataSection
from rxsim.schema import Integer, Relative, Section, validated
from rxsim.sweep.axes import Axis
from rxsim.sweep.design import MOST_POINTS, Design

_MOST_TRIALS = 100_000


class Stop(Section):
    """The stopping rule: when a point has enough trials."""

    half_width: Annotated[Relative, Field(gt=0)] = Field(
        description="half the 95 % interval of the mean over chips"
    )
    at_least: Integer = Field(3, ge=2, description="trials before it is asked")


class SweepFile(DataSection):
    """The keys of a sweep file; relative paths start from its folder."""

    name: str | None = Field(None, min_length=1, description="of the sweep; default: the file's")
    models: list[Path] = Field(min_length=1, description="ONNX files")
    configs: list[Path] = Field([], description="settings files; default: the defaults")
    settings: dict[str, Any] = Field({}, description="laid over each of them")
    axes: dict[str, Any] = Field({}, description="dotted setting(s): values")
    design: Design = Field("grid", description="how axes are combined")
    points: Integer | None = Field(
        None, ge=1, le=MOST_POINTS, description="of a random or sobol design"
    )
    design_seed: Integer = Field(0, ge=0, description="of a random or sobol design")
    trials: Integer | None = Field(None, ge=1, le=_MOST_TRIALS, description="chips, at most")
    stop: Stop | None = Field(None, description="fewer chips where the mean is known already")
    measure: Literal["accuracy", "cost"] = Field(
        "accuracy", description="cost: points are priced, nothing is evaluated"
    )

    def read_axes(self) -> list[Axis]:
        """Return the axes.

        Raises:
            SettingError: an axis is impossible, or two axes set the same setting.
        """
        axes = [Axis(key, given) for key, given in self.axes.items()]
        names = [name for axis in axes for name in axis.names]
        for name in names:
            if names.count(name) > 1:
                raise SettingError(f"axes: found {name} twice, expected each setting on one axis")
            if name in ("trials", "layers") or name.startswith("layers."):
                raise SettingError(
                    f"axes: found {name}, expected another setting; "
                    + ("give trials: beside axes:" if name == "trials" else "use settings: for it")
                )
        return axes


def read_sweep_file(path: Path) -> tuple[SweepFile, str]:
    """Read a sweep's YAML file.

    `model` and `config` may replace `models` and `configs` with a single entry.

    Returns:
        The file's content, and its text.

    Raises:
        InputError: it can't be read, or a key is unknown or of the wrong type.
    """
    values = read_yaml_mapping(path, "the sweep file")
    for single, several in (("model", "models"), ("config", "configs")):
        if single in values:
            if several in values:
                raise SettingError(
                    f"sweep file {path}: found {single} and {several}, expected one of the two"
                )
            values[several] = [values.pop(single)]
    file = validated(SweepFile, values, f"sweep file {path}")
    if file.measure == "cost" and (file.stop is not None or (file.trials or 1) > 1):
        raise SettingError(
            f"sweep file {path}: found measure: cost with trials or stop, expected neither: no chip is "
            "evaluated; leave them out, or measure: cost"
        )
    return file, path.read_text(encoding="utf-8")

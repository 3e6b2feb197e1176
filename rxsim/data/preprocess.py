"""Preprocessing: the few stated steps between a stored sample and a network's input."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from rxsim.errors import DataError
from rxsim.schema import Number, Section

# Axes of a stored sample batch -> axes order that gives NCHW ("n" inserts a channel axis of one).
_TO_NCHW: dict[str, tuple[int, ...]] = {"NCHW": (0, 1, 2, 3), "NHWC": (0, 3, 1, 2)}


def _fraction(value: Any) -> Any:
    """Read `1/255` as the number it stands for."""
    if isinstance(value, str) and value.count("/") == 1:
        top, bottom = value.split("/")
        try:
            return float(top) / float(bottom)
        except (ValueError, ZeroDivisionError):
            raise ValueError(f"found {value!r}, expected a number or a fraction") from None
    return value


Scale = Annotated[Number, BeforeValidator(_fraction)]
Color = Literal["RGB", "BGR"]


class Preprocess(Section):
    """`x -> (x * scale - mean) / std` after the stated changes of axes and colour order."""

    data_layout: Literal["NCHW", "NHWC", "NHW"] | None = Field(
        None, description="axes of the stored samples; null: the same as the model's"
    )
    model_layout: Literal["NCHW", "NHWC"] = Field("NCHW", description="axes of the model's input")
    data_color: Color = Field("RGB", description="colour order of the stored samples")
    model_color: Color = Field("RGB", description="colour order that the model was trained with")
    scale: Scale = Field(1.0, description="factor, first")
    mean: list[Scale] = Field(
        [], description="subtracted after scaling: one number, or one a channel"
    )
    std: list[Scale] = Field([], description="divides last: one number, or one a channel")

    @model_validator(mode="before")
    @classmethod
    def _listed(cls, values: Any) -> Any:
        """Accept a single number as mean or std."""
        if not isinstance(values, dict):
            return values
        return {
            name: [value]
            if name in ("mean", "std") and value is not None and not isinstance(value, list | tuple)
            else value
            for name, value in values.items()
        }

    @model_validator(mode="after")
    def _check(self) -> Self:
        if any(value <= 0 for value in self.std):
            raise ValueError(f"found std {self.std}, expected numbers above 0")
        if self.data_color != self.model_color and self.data_layout == "NHW":
            raise ValueError("found a change of colour order on grey images; remove it")
        return self

    def apply(self, stored: np.ndarray) -> np.ndarray:
        """Turn stored samples into model inputs.

        Args:
            stored: samples as the data set holds them, first axis the batch.

        Returns:
            float32 array in the model's layout.

        Raises:
            DataError: the samples do not have the axes that `data_layout` says.
        """
        x = self._arranged(stored)
        channel_axis = 1 if self.model_layout == "NCHW" else x.ndim - 1
        if self.data_color != self.model_color:
            if x.ndim < 2 or x.shape[channel_axis] != 3:
                raise DataError(
                    f"data: found samples of shape {list(stored.shape[1:])}, expected 3 channels "
                    f"to turn {self.data_color} into {self.model_color}; correct the card"
                )
            x = np.flip(x, axis=channel_axis)
        out = np.ascontiguousarray(x, dtype=np.float32)
        if self.scale != 1.0:
            out = out * np.float32(self.scale)
        if self.mean:
            out = out - self._per_channel(self.mean, out, channel_axis, "mean")
        if self.std:
            out = out / self._per_channel(self.std, out, channel_axis, "std")
        return np.ascontiguousarray(out, dtype=np.float32)

    def _arranged(self, stored: np.ndarray) -> np.ndarray:
        if self.data_layout is None:
            return stored
        if stored.ndim != len(self.data_layout):
            raise DataError(
                f"data: found samples of shape {list(stored.shape[1:])}, expected "
                f"{len(self.data_layout) - 1} axes for data_layout {self.data_layout}; "
                "correct the card or --data-layout"
            )
        nchw = (
            stored[:, np.newaxis]
            if self.data_layout == "NHW"
            else stored.transpose(_TO_NCHW[self.data_layout])
        )
        return nchw if self.model_layout == "NCHW" else nchw.transpose(0, 2, 3, 1)

    @staticmethod
    def _per_channel(values: list[float], x: np.ndarray, axis: int, name: str) -> np.ndarray:
        vector = np.asarray(values, dtype=np.float32)
        if vector.size == 1:
            return vector.reshape(())
        if x.ndim < 2 or x.shape[axis] != vector.size:
            raise DataError(
                f"preprocess.{name}: found {vector.size} numbers, expected one or one for each "
                f"channel of inputs of shape {list(x.shape[1:])}; correct the card"
            )
        shape = [1] * x.ndim
        shape[axis] = vector.size
        return vector.reshape(shape)

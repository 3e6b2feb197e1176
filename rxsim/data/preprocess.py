"""Preprocessing: the stated steps from a stored sample to a network's input."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Self

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from rxsim.counted import counted
from rxsim.data.color import Color, recolored
from rxsim.data.data_set import Layout, Picture
from rxsim.data.geometry import Step, decode, reshape_pixels
from rxsim.errors import DataError
from rxsim.schema import Number, Section, validated

# Axes of a stored sample batch -> axes order that gives NCHW (NHW gains a channel axis of one).
_TO_NCHW: dict[str, tuple[int, ...]] = {"NCHW": (0, 1, 2, 3), "NHWC": (0, 3, 1, 2)}
_VALUE_STEPS = {"scale", "mean", "std"}
"""At least one of these must be stated before integers become inputs."""


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


class Preprocess(Section):
    """`x -> (x * scale - mean) / std` after the stated geometry and changes of axes and colour."""

    geometry: list[Step] = Field([], description="crops and resizes of images, first, in order")
    data_layout: Layout | None = Field(
        None, description="axes of the stored samples; null: the same as the model's"
    )
    model_layout: Layout = Field("NCHW", description="axes of the model's input")
    data_color: Color | None = Field(
        None, description="colours of the stored samples; null: RGB, or gray for NHW"
    )
    model_color: Color | None = Field(
        None,
        description="colours that the model was trained with; null: RGB, or gray for gray data",
    )
    scale: Scale = Field(1.0, description="factor, after geometry, axes and colours")
    mean: list[Scale] = Field(
        [], description="subtracted after scaling: one number, or one a channel"
    )
    std: list[Scale] = Field([], description="divides last: one number, or one a channel")
    flatten: bool = Field(
        False, description="the model takes a row of values, in the order of model_layout"
    )

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
        for layout, color, key in (
            (self.data_layout, self.data_color, "data_color"),
            (self.model_layout, self.model_color, "model_color"),
        ):
            if layout == "NHW" and color not in (None, "gray"):
                raise ValueError(
                    f"found {key} {color}, a colour order on grey images (NHW); remove it"
                )
        return self

    @property
    def states_values(self) -> bool:
        """Whether scale, mean or std is stated, if only as a scale of 1."""
        return bool(_VALUE_STEPS & self.model_fields_set)

    @property
    def changes_values(self) -> bool:
        """Whether scale, mean or std change anything."""
        return self.scale != 1.0 or any(self.mean) or any(value != 1.0 for value in self.std)

    @property
    def colors(self) -> tuple[Color, Color]:
        """Colours of the data and of the model's input."""
        grey = self.data_layout == "NHW" or (
            self.data_layout is None and self.model_layout == "NHW"
        )
        data = self.data_color or ("gray" if grey else "RGB")
        model_grey = self.model_layout == "NHW" or data == "gray"
        return data, self.model_color or ("gray" if model_grey else "RGB")

    def for_files(self, layout: Layout | None, name: str, *, pictures: bool) -> Preprocess:
        """Return the preprocessing with the axes and colours that a file format fixes.

        Args:
            layout: the axes; None: the format fixes none.
            name: name of the data set, for messages.
            pictures: whether the samples are image files, which can be decoded to grey.

        Raises:
            InputError: other axes or colours are stated.
        """
        if layout is None:
            return self
        if self.data_layout not in (None, layout):
            raise DataError(
                f"{name}: found data_layout {self.data_layout}, expected {layout} as this kind of file "
                "fixes the axes; leave data_layout out"
            )
        if layout == "NHWC" and self.data_color not in ((None, "RGB", "gray")[: 2 + pictures]):
            raise DataError(
                f"{name}: found data_color {self.data_color}, expected RGB as this kind of file holds "
                "it; leave data_color out, and state the model's own as model_color"
            )
        stated = self.model_dump(exclude_unset=True)
        return validated(Preprocess, {**stated, "data_layout": layout}, f"preprocess of {name}")

    def apply(
        self, stored: np.ndarray | Iterator[Picture], dtype: np.dtype | type = np.float32
    ) -> np.ndarray:
        """Turn stored samples into model inputs.

        Args:
            stored: samples as the data set holds them, first axis the batch; or image files.
            dtype: type of the input; scale, mean and std are for real numbers only.

        Returns:
            Array in the model's layout.

        Raises:
            DataError: the samples do not have the axes or colours that are stated, or an image can't
                be decoded.
        """
        pixels = self._reshaped(stored) if isinstance(stored, np.ndarray) else self._decoded(stored)
        x = self._arranged(pixels)
        channel_axis = x.ndim - 1 if self.model_layout == "NHWC" else 1
        x = recolored(x, *self.colors, channel_axis)
        if np.dtype(dtype).kind == "f":
            x = self._scaled(x, channel_axis)
        if self.model_layout == "NHW" and self.data_layout is not None:
            if x.shape[1] != 1:
                raise DataError(
                    f"data: found samples of {counted(x.shape[1], 'channel')}, expected 1 for "
                    "model_layout NHW; "
                    "state model_color gray, or correct the card"
                )
            x = x[:, 0]
        if self.flatten:
            x = x.reshape(len(x), -1)
        return np.ascontiguousarray(x, dtype=dtype)

    def _decoded(self, stored: Iterator[Picture]) -> np.ndarray:
        """Decode image files to uint8 (n, height, width, channels)."""
        images: list[np.ndarray] = []
        first = ""
        for picture in stored:
            pixels = decode(picture, self.geometry, gray=self.colors[0] == "gray")
            first = first or picture.name
            if images and pixels.shape != images[0].shape:
                size, first_size = (f"{p.shape[0]}x{p.shape[1]}" for p in (pixels, images[0]))
                raise DataError(
                    f"image {picture.name} is {size} and {first} is {first_size} (height x width), "
                    "expected images of one size; state a crop or resize under preprocess.geometry in "
                    "the card"
                )
            images.append(pixels)
        return np.stack(images)

    def _reshaped(self, stored: np.ndarray) -> np.ndarray:
        """Apply the geometry to arrays that are images."""
        if not self.geometry:
            return stored
        layout = self.data_layout or self.model_layout
        colors = layout == "NHWC" and stored.ndim == 4 and stored.shape[3] == 3
        grey = layout == "NHW" and stored.ndim == 3
        if stored.dtype != np.uint8 or not (colors or grey):
            raise DataError(
                f"preprocess.geometry: found samples of type {stored.dtype} and shape "
                f"{list(stored.shape[1:])} (layout {layout}), expected uint8 images [N,H,W,3] (NHWC) "
                "or [N,H,W] (NHW); remove the geometry, or store the data so"
            )
        return reshape_pixels(stored, self.geometry, "of the data")

    def _arranged(self, stored: np.ndarray) -> np.ndarray:
        """Bring the axes into the model's order, with a channel axis."""
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
        return nchw.transpose(0, 2, 3, 1) if self.model_layout == "NHWC" else nchw

    def _scaled(self, x: np.ndarray, channel_axis: int) -> np.ndarray:
        out = np.ascontiguousarray(x, dtype=np.float32)
        if self.scale != 1.0:
            out = out * np.float32(self.scale)
        if self.mean:
            out = out - self._per_channel(self.mean, out, channel_axis, "mean")
        if self.std:
            out = out / self._per_channel(self.std, out, channel_axis, "std")
        return out

    @staticmethod
    def _per_channel(values: list[float], x: np.ndarray, axis: int, name: str) -> np.ndarray:
        vector = np.asarray(values, dtype=np.float32)
        if vector.size == 1:
            return vector.reshape(())
        if x.ndim < 2 or x.shape[axis] != vector.size:
            raise DataError(
                f"preprocess.{name}: found {counted(vector.size, 'number')}, expected one or one for "
                f"each channel of inputs of shape {list(x.shape[1:])}; correct the card"
            )
        shape = [1] * x.ndim
        shape[axis] = vector.size
        return vector.reshape(shape)

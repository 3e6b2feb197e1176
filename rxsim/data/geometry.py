"""Geometry of images: central crops and Pillow's resizing, in the stated order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

import numpy as np
from PIL import Image, ImageOps
from pydantic import BeforeValidator, Field, model_validator

from rxsim.data.data_set import Picture
from rxsim.errors import DataError
from rxsim.schema import Integer, Section


def _lengths(value: Any) -> Any:
    """Read `224` or `[height, width]` as a list."""
    if value is None or isinstance(value, list | tuple):
        return value
    return [value]


Pixels = Annotated[int, Integer.__metadata__[0], Field(ge=1)]
Lengths = Annotated[list[Pixels], BeforeValidator(_lengths), Field(min_length=1, max_length=2)]
Interpolation = Literal["nearest", "bilinear", "bicubic", "box", "hamming", "lanczos"]


class Step(Section):
    """One geometric step: `crop` or `resize`."""

    crop: Lengths | None = Field(
        None, description="central crop: one length for both sides, or [height, width]"
    )
    resize: Lengths | None = Field(
        None, description="one length for the shorter side, or [height, width]"
    )
    interpolation: Interpolation = Field(
        "bilinear", description="Pillow's filter of that name, antialiased where it shrinks"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.crop is None) == (self.resize is None):
            raise ValueError("found both or neither of crop and resize, expected one in each step")
        if self.crop is not None and "interpolation" in self.model_fields_set:
            raise ValueError("found an interpolation for a crop, expected it with resize only")
        return self

    def apply(self, picture: Picture) -> Picture:
        """Crop or resize.

        Raises:
            DataError: the image is smaller than the crop.
        """
        width, height = picture.image.size
        if self.crop is not None:
            rows, cols = self.crop[0], self.crop[-1]
            if rows > height or cols > width:
                raise DataError(
                    f"image {picture.name} is {height}x{width} (height x width) before the crop of "
                    f"{rows}x{cols}, expected at least that; resize first, or remove the image"
                )
            # Source: torchvision's center_crop; an odd rest is rounded half to even.
            top, left = round((height - rows) / 2), round((width - cols) / 2)
            return Picture(picture.name, picture.image.crop((left, top, left + cols, top + rows)))
        assert self.resize is not None
        size = _resized(width, height, self.resize)
        method = Image.Resampling[self.interpolation.upper()]
        return Picture(picture.name, picture.image.resize(size, method))


def _resized(width: int, height: int, lengths: Sequence[int]) -> tuple[int, int]:
    """Return width and height after resizing; the longer side is rounded down as in torchvision."""
    if len(lengths) == 2:
        return lengths[1], lengths[0]
    short = lengths[0]
    if width <= height:
        return short, max(1, int(short * height / width))
    return max(1, int(short * width / height)), short


def decode(picture: Picture, steps: Sequence[Step], *, gray: bool) -> np.ndarray:
    """Turn an image file into pixels: upright, in RGB or grey, then step by step.

    The first frame of an animation is taken; transparency is dropped, the colours beneath are kept.

    Args:
        picture: the opened file.
        steps: geometric steps in order.
        gray: one channel (Pillow's L) in place of RGB.

    Returns:
        uint8 (height, width, 1 or 3).

    Raises:
        DataError: damaged, or of more than 8 bits a channel.
    """
    if _is_deep(picture.image):
        raise DataError(
            f"image {picture.name} has more than 8 bits a channel (mode {picture.image.mode}), "
            "expected 8; convert the images, or store their values in an npz"
        )
    try:
        upright = ImageOps.exif_transpose(picture.image)
        if "transparency" in upright.info and upright.mode != "RGBA":
            upright = upright.convert("RGBA")
        image = upright.convert("RGB")
        # By way of RGB: Pillow's direct conversions, such as from a palette, round differently.
        image = image.convert("L") if gray else image
    except MemoryError:
        raise
    except Exception:  # Pillow raises many types on damaged files
        raise DataError(
            f"image {picture.name} can't be decoded: it is damaged or cut short, expected a whole "
            "image; replace or remove it"
        ) from None
    return _pixels(Picture(picture.name, image), steps)


def reshape_pixels(stored: np.ndarray, steps: Sequence[Step], name: str) -> np.ndarray:
    """Apply geometric steps to stored images.

    Args:
        stored: uint8 (n, height, width) or (n, height, width, 3).
        steps: geometric steps in order.
        name: name of the images in messages.
    """
    done = [_pixels(Picture(name, Image.fromarray(image)), steps) for image in stored]
    result = np.stack(done)
    return result if stored.ndim == 4 else result[..., 0]


def _pixels(picture: Picture, steps: Sequence[Step]) -> np.ndarray:
    for step in steps:
        picture = step.apply(picture)
    pixels = np.asarray(picture.image, dtype=np.uint8)
    return pixels if pixels.ndim == 3 else pixels[:, :, np.newaxis]


def _is_deep(image: Image.Image) -> bool:
    """Tell whether a file has more than 8 bits per channel, which Pillow may silently cut to 8."""
    if image.mode.startswith("I") or image.mode == "F":
        return True
    # RGB;16B and the like; a BMP's BGR;16 is 16 bits for all three channels.
    return any(re.search(r";16[BLN]", str(tile[3])) for tile in getattr(image, "tile", ()))

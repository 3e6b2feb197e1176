"""From inputs side by side along a first axis to the tensors that a network takes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def placed(
    values: Mapping[str, np.ndarray], axes: Mapping[str, int | None], size: int | None = None
) -> dict[str, np.ndarray]:
    """Move the batch to where a network wants it.

    Args:
        values: by tensor name, first axis the input.
        axes: the batch axis by tensor name, where it is not the first; None for a tensor without one,
            of which there may be one input only.
        size: repeat the last input until there are so many.
    """
    found = {}
    for name, tensor in values.items():
        missing = (size or 0) - len(tensor)
        if missing > 0:
            tensor = np.concatenate([tensor, np.repeat(tensor[-1:], missing, axis=0)])
        axis = axes.get(name, 0)
        if axis is None:
            (single,) = tensor
            found[name] = np.asarray(single)
        elif axis == 0:
            found[name] = tensor
        else:
            found[name] = np.ascontiguousarray(np.moveaxis(tensor, 0, axis))
    return found

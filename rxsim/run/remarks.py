"""What the float network's outputs say about the numbers that are compared with them."""

from __future__ import annotations

import numpy as np

# Assumption: batches of other sizes may round the same output to a few units in its last place.
_ROUNDING = 4 * float(np.finfo(np.float32).eps)


def remarks_on(reference: np.ndarray) -> dict[str, str]:
    """Return what has to be said of outputs, a sentence each by its name; empty where nothing has.

    Args:
        reference: the float network's outputs, float32 (inputs, values).
    """
    remarks = {}
    if len(reference) > 1 and _is_constant(reference):
        zero = "" if reference.any() else ", zeros only"
        remarks["output_does_not_vary"] = (
            f"the float network gives the same output for every input{zero}: agreement and SNR tell "
            "nothing"
        )
    if reference.shape[1] == 1:
        remarks["single_value"] = (
            "the output is a single value for each input: the largest one is always the same, so "
            "agreement is not measured"
        )
    return remarks


def _is_constant(outputs: np.ndarray) -> bool:
    spread = np.ptp(outputs.astype(np.float64), axis=0).max()
    return bool(spread <= _ROUNDING * np.abs(outputs).max())

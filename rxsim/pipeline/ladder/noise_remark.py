"""How far read noise in the graph can be trusted: a cell's noise is seen on its bitline alone."""

from __future__ import annotations

from collections.abc import Sequence

from rxsim.tiles import LayerTransfer

# Loss of current, and by how much the deviation in the graph is too large.
# Source: scripts/fresh_noise_error.py, whose table stands in docs/concepts/model.md, section 4.
_MEASURED = ((0.024, 0.004), (0.146, 0.029), (0.217, 0.069), (0.446, 0.124), (0.704, 0.422))
_LOSS = 0.25


def noise_remark(transfers: Sequence[LayerTransfer]) -> dict[str, str]:
    """Return a sentence on layers whose wires take so much that noise in the graph is too strong.

    Args:
        transfers: what the arrays of a chip compute.

    Returns:
        By its name; empty where there is nothing to say.
    """
    lossy = [
        transfer
        for transfer in transfers
        if transfer.variances is not None and float(transfer.losses.mean()) > _LOSS
    ]
    if not lossy:
        return {}
    worst = max(lossy, key=lambda transfer: float(transfer.losses.mean()))
    loss, name = float(worst.losses.mean()), worst.mapped.layer.name
    return {
        "fresh_read_noise": f"the arrays of layer {name} lose {loss:.0%} of their current to their "
        f"wires: there fresh read noise in the graph is too strong, {how_much(loss)} (exact: "
        "read_noise: frozen)"
    }


def how_much(loss: float) -> str:
    """Say by how much noise is too strong, from what was measured at the losses next to this one.

    Args:
        loss: share of an array's current, above the smallest that was measured.
    """
    below, error_below = max(pair for pair in _MEASURED if pair[0] <= loss)
    above = [pair for pair in _MEASURED if pair[0] > loss]
    if not above:
        return f"by more than {error_below:.0%} (measured at a loss of {below:.0%})"
    known, error = min(above)
    return (
        f"by about {error_below:.0%} to {error:.0%} (measured at losses of {below:.0%} and "
        f"{known:.0%})"
    )

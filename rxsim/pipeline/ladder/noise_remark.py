"""How far read noise in the graph can be trusted: a cell's noise is seen on its bitline alone."""

from __future__ import annotations

from collections.abc import Sequence

from rxsim.tiles import LayerTransfer

# Measured (scripts/fresh_noise_error.py): the deviation in the graph is too large by .4 % at a loss of
# 2 %, 3 % at 15 %, 7 % at 22 %, 12 % at 45 %, and 42 % at 70 %.
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
        "wires: there fresh read noise in the graph is too strong by a fifteenth or more (exact: "
        "read_noise: frozen)"
    }

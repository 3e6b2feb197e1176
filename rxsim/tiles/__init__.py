"""A layer's arrays: programmed, solved, and gathered into transfer matrices."""

from rxsim.tiles.transfer import LayerTransfer, transfer_matrices

__all__ = ["LayerTransfer", "transfer_matrices"]

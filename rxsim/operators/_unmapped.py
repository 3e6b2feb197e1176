"""Operators that multiply but that no crossbar takes yet: named and counted."""

from __future__ import annotations

import onnx

from rxsim.operators import Constants
from rxsim.operators._without_products import WithoutProducts


class Unmapped(WithoutProducts):
    """An operator that stays digital, with the same reason for all of its nodes."""

    maps = False
    reason: str

    def why_not(self, node: onnx.NodeProto, constants: Constants) -> str:
        """Give the reason."""
        return self.reason

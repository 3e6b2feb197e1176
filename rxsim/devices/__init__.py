"""Programming: from target conductances to those of one chip; and the cells' current-voltage curves."""

from rxsim.devices.iv import IVCurve, SeparableCurve, curve_of
from rxsim.devices.program import Chip, has_random_effects, program

__all__ = ["Chip", "IVCurve", "SeparableCurve", "curve_of", "has_random_effects", "program"]

"""Programming: from target conductances to those of one chip."""

from rxsim.devices.program import Chip, has_random_effects, program

__all__ = ["Chip", "has_random_effects", "program"]

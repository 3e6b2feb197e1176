"""torch, imported in this file alone: a sentence for the user where it is not installed.

Whatever needs torch takes it from here, and is imported by nothing that runs without it.
"""

from __future__ import annotations

from rxsim.errors import InputError

try:
    import torch
except ImportError:
    raise InputError(
        "found no torch, expected version 2.4 or later, with which networks are trained; run "
        "pip install 'rxsim[retrain]'"
    ) from None

functional = torch.nn.functional
Tensor = torch.Tensor

__all__ = ["Tensor", "functional", "torch"]

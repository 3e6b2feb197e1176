"""Why accuracy fell: which effect, which layer, and what would help, each from real runs."""

from rxsim.estimate import Estimate
from rxsim.explain.explain import BY, Asked, By, explain
from rxsim.explain.quantity import QUANTITIES
from rxsim.explain.result import (
    ArrayMap,
    Attempt,
    EffectRow,
    EffectsTable,
    Explanation,
    LayerRow,
    LayersTable,
    Trap,
    Untried,
)

__all__ = [
    "BY",
    "QUANTITIES",
    "ArrayMap",
    "Asked",
    "Attempt",
    "By",
    "EffectRow",
    "EffectsTable",
    "Estimate",
    "Explanation",
    "LayerRow",
    "LayersTable",
    "Trap",
    "Untried",
    "explain",
]

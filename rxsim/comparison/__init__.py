"""Two evaluations compared chip by chip and image by image: what `rxsim compare` does."""

from rxsim.comparison.compare import Comparison, compare
from rxsim.comparison.evaluated import Evaluated, read_evaluated, taken
from rxsim.comparison.judging import Criteria, read_criteria

__all__ = [
    "Comparison",
    "Criteria",
    "Evaluated",
    "compare",
    "read_criteria",
    "read_evaluated",
    "taken",
]

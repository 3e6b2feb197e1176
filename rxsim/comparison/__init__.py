"""Two evaluations compared chip by chip and image by image: what `rxsim compare` does."""

from rxsim.comparison.compare import Comparison, Criteria, compare, read_criteria
from rxsim.comparison.evaluated import Evaluated, read_evaluated, taken

__all__ = [
    "Comparison",
    "Criteria",
    "Evaluated",
    "compare",
    "read_criteria",
    "read_evaluated",
    "taken",
]

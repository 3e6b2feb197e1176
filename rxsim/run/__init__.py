"""Patched sessions -> predictions, their scores, and the health of layers."""

from rxsim.run.diagnose import LayerHealth, diagnose_layers
from rxsim.run.predict import predict
from rxsim.run.scores import Scores, score

__all__ = [
    "LayerHealth",
    "Scores",
    "diagnose_layers",
    "predict",
    "score",
]

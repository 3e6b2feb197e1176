"""Patched sessions -> predictions and metrics."""

from rxsim.run.diagnose import LayerHealth, diagnose_layers
from rxsim.run.metrics import Scores, score, snr_db
from rxsim.run.predict import predict

__all__ = [
    "LayerHealth",
    "Scores",
    "diagnose_layers",
    "predict",
    "score",
    "snr_db",
]

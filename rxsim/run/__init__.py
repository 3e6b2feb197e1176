"""Patched sessions -> predictions, metrics and statistics."""

from rxsim.run.diagnose import LayerHealth, diagnose_layers
from rxsim.run.metrics import Scores, score, snr_db
from rxsim.run.predict import predict
from rxsim.run.statistics import Interval, chip_interval, population_interval, within

__all__ = [
    "Interval",
    "LayerHealth",
    "Scores",
    "chip_interval",
    "diagnose_layers",
    "population_interval",
    "predict",
    "score",
    "snr_db",
    "within",
]

"""Patched sessions -> predictions, their scores, and the health of layers."""

from rxsim.run.companions import FREE_BATCH, Companions
from rxsim.run.diagnose import LayerHealth, diagnose_layers
from rxsim.run.output_rows import OutputAxis, find_batch_axis
from rxsim.run.predict import predict
from rxsim.run.remarks import remarks_on
from rxsim.run.scores import Scores, score

__all__ = [
    "FREE_BATCH",
    "Companions",
    "LayerHealth",
    "OutputAxis",
    "Scores",
    "diagnose_layers",
    "find_batch_axis",
    "predict",
    "remarks_on",
    "score",
]

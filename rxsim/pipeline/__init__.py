"""The one place that composes the stages: model, data and settings -> result."""

from rxsim.pipeline.evaluate import evaluate
from rxsim.pipeline.hardware import patched_chip
from rxsim.pipeline.result import Evaluation, LayerReport, Rung
from rxsim.pipeline.study import DataOptions, Study, open_study

__all__ = [
    "DataOptions",
    "Evaluation",
    "LayerReport",
    "Rung",
    "Study",
    "evaluate",
    "open_study",
    "patched_chip",
]

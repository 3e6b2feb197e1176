"""Many evaluations: points on axes, workers, resume."""

from rxsim.sweep.axes import Axis
from rxsim.sweep.design import assignments
from rxsim.sweep.estimate import Estimate, estimate
from rxsim.sweep.plan import (
    Plan,
    PlannedPoint,
    describe,
    planned_point,
    read_plan,
    told_values,
)
from rxsim.sweep.pools import DaskPool, LocalPool, Pool, ending
from rxsim.sweep.run import SweepEnd, SweepProgress, run_sweep
from rxsim.sweep.worker import memory_for

__all__ = [
    "Axis",
    "DaskPool",
    "Estimate",
    "LocalPool",
    "Plan",
    "PlannedPoint",
    "Pool",
    "SweepEnd",
    "SweepProgress",
    "assignments",
    "describe",
    "ending",
    "estimate",
    "memory_for",
    "planned_point",
    "read_plan",
    "run_sweep",
    "told_values",
]

"""Many evaluations: points on axes, workers, resume."""

from rxsim.sweep.estimate import Estimate, estimate
from rxsim.sweep.plan import Plan, PlannedPoint, describe, read_plan
from rxsim.sweep.pools import DaskPool, LocalPool, Pool, ending
from rxsim.sweep.run import SweepEnd, SweepProgress, run_sweep
from rxsim.sweep.worker import memory_for

__all__ = [
    "DaskPool",
    "Estimate",
    "LocalPool",
    "Plan",
    "PlannedPoint",
    "Pool",
    "SweepEnd",
    "SweepProgress",
    "describe",
    "ending",
    "estimate",
    "memory_for",
    "read_plan",
    "run_sweep",
]

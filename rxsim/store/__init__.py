"""Results that are never lost: points and trials in one SQLite file."""

from rxsim.store.costs import COST_NAMES
from rxsim.store.database import Results, Sweep, open_results
from rxsim.store.export import export_results
from rxsim.store.merging import Merged, merge_results
from rxsim.store.query import Query
from rxsim.store.rows import Point, PointCost, Status, Trial
from rxsim.store.summary import PointSummary, Summary, failures, sort_key, summarise
from rxsim.store.varying import level_key

__all__ = [
    "COST_NAMES",
    "Merged",
    "Point",
    "PointCost",
    "PointSummary",
    "Query",
    "Results",
    "Status",
    "Summary",
    "Sweep",
    "Trial",
    "export_results",
    "failures",
    "level_key",
    "merge_results",
    "open_results",
    "sort_key",
    "summarise",
]

"""The least hardware that keeps the accuracy: a bounded search on top of sweeps."""

from rxsim.search.goal import Goal, read_goal
from rxsim.search.judged import Judged
from rxsim.search.minimised import all_minimised, minimised_names
from rxsim.search.over import read_over
from rxsim.search.question import Prepared, Question, prepare_search
from rxsim.search.result import SearchedPoint, SearchResult
from rxsim.search.search import run_search

__all__ = [
    "Goal",
    "Judged",
    "Prepared",
    "Question",
    "SearchResult",
    "SearchedPoint",
    "all_minimised",
    "minimised_names",
    "prepare_search",
    "read_goal",
    "read_over",
    "run_search",
]

"""The gate: test whether the accuracy has fallen since the baseline."""

from rxsim.gate.baseline import Record, is_baseline, read_baseline, to_json
from rxsim.gate.cases import Case, Cases, Level, Share, read_cases
from rxsim.gate.run_cases import Check, CheckedCase, Measured, changes, check_cases, measure_cases
from rxsim.gate.verdict import (
    Drop,
    Outcome,
    Verdict,
    holm,
    judge,
    measure_drop,
    samples_needed,
    sign_flip_p,
)

__all__ = [
    "Case",
    "Cases",
    "Check",
    "CheckedCase",
    "Drop",
    "Level",
    "Measured",
    "Outcome",
    "Record",
    "Share",
    "Verdict",
    "changes",
    "check_cases",
    "holm",
    "is_baseline",
    "judge",
    "measure_cases",
    "measure_drop",
    "read_baseline",
    "read_cases",
    "samples_needed",
    "sign_flip_p",
    "to_json",
]

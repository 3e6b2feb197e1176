"""The inputs of a study with their truth and where they come from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rxsim.data import InputSet, MadeUpInputs
from rxsim.pipeline.study.provenance import Provenance
from rxsim.session import DivisibleInputs


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class StudyData:
    """The inputs of a study (see `Study`, which takes them over)."""

    inputs: InputSet | MadeUpInputs
    labels: np.ndarray | None
    indices: np.ndarray | None
    calibration: DivisibleInputs
    provenance: Provenance
    metric: str
    notes: tuple[str, ...] = ()

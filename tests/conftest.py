"""Kernels are compiled before the first test, so that none says so on standard error."""

import numpy as np
import pytest

from rxsim.circuit import solve_array
from rxsim.config import Crossbar


@pytest.fixture(scope="session", autouse=True)
def compiled_kernels() -> None:
    """Solve by relaxation, by elimination and for an input."""
    rng = np.random.default_rng(0)
    methods = {
        solve_array(rng.uniform(low, 2 * low, (20, 20)), Crossbar(), np.ones(20)).method
        for low in (1e-6, 1e-2)
    }
    assert methods == {"relaxation", "elimination"}

"""What all tests share: compiled kernels, no stage that counts as long, sweeps without workers."""

import gc
import os
from collections.abc import Iterator

import numpy as np
import pytest
from here_pool import HerePool

from rxsim.circuit import solve_array
from rxsim.commands import progress, workers
from rxsim.config import Crossbar

# The files that take longest, the longest first. Two workers that take a file each then end together.
LONG_FILES = (
    *("test_sweep_faults", "test_remedies", "test_laws", "test_twin_drawn", "test_explain"),
    *("test_converter_errors", "test_calibration", "test_kernel_cache", "test_predistort"),
    *("test_patch_float", "test_twin_shipped", "test_fit_curves", "test_fit_presets"),
    *("test_over_time", "test_remember", "test_search", "test_line_ends", "test_fit_drift"),
    *("test_ranges", "test_shipped_sweeps", "test_explanation_shown", "test_newton"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the long files."""
    places = {f"{name}.py": place for place, name in enumerate(LONG_FILES)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


def pytest_collection_finish() -> None:
    """Let the garbage collector look at 10,000 collected tests and all modules once."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def tables_of_the_default_width() -> None:
    """Whatever starts the tests may say how wide its own terminal is."""
    os.environ.pop("COLUMNS", None)


@pytest.fixture(scope="session", autouse=True)
def compiled_kernels() -> None:
    """Solve by relaxation, by elimination and for an input."""
    rng = np.random.default_rng(0)
    methods = {
        solve_array(rng.uniform(low, 2 * low, (20, 20)), Crossbar(), np.ones(20)).method
        for low in (1e-6, 1e-2)
    }
    assert methods == {"relaxation", "elimination"}


@pytest.fixture(scope="session", autouse=True)
def no_stage_is_long() -> Iterator[None]:
    """A busy machine must not add lines to what commands print."""
    before, progress.LONG_SECONDS = progress.LONG_SECONDS, 3600.0
    yield
    progress.LONG_SECONDS = before


@pytest.fixture
def sweeps_run_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sweeps and searches start no workers, where a test is of what they print or store."""
    monkeypatch.setattr(workers, "LocalPool", lambda count, memory: HerePool())

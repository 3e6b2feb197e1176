"""What all tests share: compiled kernels, no stage that counts as long, sweeps without workers."""

import gc
import os
from collections.abc import Iterator

import numpy as np
import pytest
from here_pool import HerePool

from rxsim.api import campaigns, searches
from rxsim.circuit import solve_array
from rxsim.commands import progress, workers
from rxsim.config import Crossbar
from rxsim.memory import half_of_free

# The files that take longest, the longest first. Two workers that take a file each then end together.
LONG_FILES = (
    *("test_remedies", "test_explain", "test_twin_drawn", "test_calibration", "test_laws"),
    *("test_converter_errors", "test_patch_float", "test_line_ends", "test_fit_drift", "test_cli"),
    *("test_shipped_sweeps", "test_over_time", "test_remember", "test_fit_presets"),
    *("test_twin_shipped", "test_fit_command", "test_sweep_faults", "test_figure_labels"),
    *("test_bad_input", "test_fit_curves", "test_sweep_run", "test_time_axis", "test_search"),
    *("test_newton", "test_retrain", "test_torch_interpreter", "test_extending"),
    *("test_explanation_shown", "test_verify", "test_sweep_dask"),
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


@pytest.fixture(scope="session", autouse=True)
def free_memory_is_asked_for_once() -> Iterator[None]:
    """To ask takes a twentieth of what a small patched network takes, and no result follows from it."""
    free = half_of_free()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("rxsim.pipeline.study.study.half_of_free", lambda: free)
        yield


@pytest.fixture
def sweeps_run_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sweeps and searches start no workers, where a test is of what they print or store."""
    for starting in (workers, campaigns, searches):
        monkeypatch.setattr(starting, "LocalPool", lambda count, memory: HerePool())

"""rxsim: what a resistive crossbar does to a neural network.

The Python interface is in `rxsim.api`; its names are here too and are imported when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rxsim.version import __version__

if TYPE_CHECKING:
    from rxsim.api import (
        calibration,
        check,
        evaluate,
        inventory,
        netlist,
        patched,
        run_sweep,
        settings,
        solve,
        verification,
    )
    from rxsim.config import Crossbar, Settings
    from rxsim.errors import RxsimError
    from rxsim.pipeline import Calibration, DataOptions, Evaluation, Verification

_HOMES = {
    **dict.fromkeys(
        (
            *("calibration", "check", "evaluate", "inventory", "netlist"),
            *("patched", "run_sweep", "settings", "solve", "verification"),
        ),
        "rxsim.api",
    ),
    **dict.fromkeys(("Crossbar", "Settings"), "rxsim.config"),
    **dict.fromkeys(("Calibration", "DataOptions", "Evaluation", "Verification"), "rxsim.pipeline"),
    "RxsimError": "rxsim.errors",
}

__all__ = [
    "Calibration",
    "Crossbar",
    "DataOptions",
    "Evaluation",
    "RxsimError",
    "Settings",
    "Verification",
    "__version__",
    "calibration",
    "check",
    "evaluate",
    "inventory",
    "netlist",
    "patched",
    "run_sweep",
    "settings",
    "solve",
    "verification",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import rxsim` itself is quick."""
    if name not in _HOMES:
        raise AttributeError(f"module 'rxsim' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)

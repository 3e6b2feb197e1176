"""rxsim: what a resistive crossbar does to a neural network.

    import rxsim

    result = rxsim.evaluate("models/digits_mlp.onnx", "64x64", limit=100)
    print(result)                               # the ladder: float32, weights, ideal, nonideal
    result.rung("nonideal").table("accuracy").mean()  # the accuracy with wires and devices

Each function does what a command does: `evaluate` (rxsim eval), `calibration` (calibrate), `patched`
(patch), `inventory` (map), `verification` (verify), `netlist` (spice), `solve`, `predistorted`
(solve --predistort), `run_sweep` (sweep), `run_search` (search), `explanation` (explain), `price`
(cost: `rxsim.cost` is the package of counts and technologies), `retrained` (retrain), `check`,
`compare`, `fit`; `settings` resolves settings as --config, --xbar and --set do, and `torch_module` is
a network for a training loop of one's own. What can't be used raises `RxsimError` with one sentence.

The functions are in `rxsim.api`; its names are here too and are imported when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rxsim.version import __version__

if TYPE_CHECKING:
    from rxsim.api import (
        Comparison,
        Evaluation,
        Explanation,
        FittedDevice,
        Inventory,
        NetworkCost,
        Retraining,
        Verification,
        calibration,
        check,
        compare,
        evaluate,
        explanation,
        fit,
        inventory,
        netlist,
        patched,
        predistorted,
        price,
        retrained,
        run_search,
        run_sweep,
        settings,
        solve,
        torch_module,
        verification,
    )
    from rxsim.config import Crossbar, Settings
    from rxsim.errors import RxsimError
    from rxsim.pipeline import Calibration, DataOptions
    from rxsim.scenarios import Scenario

_HOMES = {
    **dict.fromkeys(
        (
            *("calibration", "check", "compare", "evaluate", "explanation", "fit", "inventory"),
            *("netlist", "patched", "predistorted", "price", "run_search", "run_sweep", "settings"),
            *("retrained", "solve", "torch_module", "verification"),
            *("Comparison", "Evaluation", "Explanation", "FittedDevice", "Inventory"),
            *("NetworkCost", "Retraining", "Verification"),
        ),
        "rxsim.api",
    ),
    **dict.fromkeys(("Crossbar", "Settings"), "rxsim.config"),
    **dict.fromkeys(("Calibration", "DataOptions"), "rxsim.pipeline"),
    "RxsimError": "rxsim.errors",
    "Scenario": "rxsim.scenarios",
}

__all__ = [
    "Calibration",
    "Comparison",
    "Crossbar",
    "DataOptions",
    "Evaluation",
    "Explanation",
    "FittedDevice",
    "Inventory",
    "NetworkCost",
    "Retraining",
    "RxsimError",
    "Scenario",
    "Settings",
    "Verification",
    "__version__",
    "calibration",
    "check",
    "compare",
    "evaluate",
    "explanation",
    "fit",
    "inventory",
    "netlist",
    "patched",
    "predistorted",
    "price",
    "retrained",
    "run_search",
    "run_sweep",
    "settings",
    "solve",
    "torch_module",
    "verification",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import rxsim` itself is quick."""
    if name not in _HOMES:
        raise AttributeError(f"module 'rxsim' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """List the interface, whether its names have been imported or not."""
    return sorted(__all__)

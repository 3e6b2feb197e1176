"""The one place that composes the stages: model, data and settings -> result."""

from rxsim.pipeline.calibrating import calibrate
from rxsim.pipeline.calibration import Calibration, read_calibration
from rxsim.pipeline.data_choice import DataOptions, files_of_card
from rxsim.pipeline.data_section import DataSection
from rxsim.pipeline.evaluate import Prepared, evaluate, prepare
from rxsim.pipeline.hardware import is_random, patched_chip
from rxsim.pipeline.inventory import Inventory, LayerPlace, take_inventory
from rxsim.pipeline.result import Evaluation, LayerReport, Rung
from rxsim.pipeline.spice import Netlist, spice_netlist
from rxsim.pipeline.study import Study, open_study
from rxsim.pipeline.trial import TrialResult, run_trial
from rxsim.pipeline.verification import Verification, verify

__all__ = [
    "Calibration",
    "DataOptions",
    "DataSection",
    "Evaluation",
    "Inventory",
    "LayerPlace",
    "LayerReport",
    "Netlist",
    "Prepared",
    "Rung",
    "Study",
    "TrialResult",
    "Verification",
    "calibrate",
    "evaluate",
    "files_of_card",
    "is_random",
    "open_study",
    "patched_chip",
    "prepare",
    "read_calibration",
    "run_trial",
    "spice_netlist",
    "take_inventory",
    "verify",
]

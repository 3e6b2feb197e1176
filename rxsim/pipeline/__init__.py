"""The one place that composes the stages: model, data and settings -> result."""

from rxsim.pipeline.auto.choose import check_chosen, with_chosen_steps
from rxsim.pipeline.chip.calibrate import calibrate
from rxsim.pipeline.chip.contradictions import contradicts_itself
from rxsim.pipeline.chip.foundries import Foundries, patched_chip
from rxsim.pipeline.chip.foundry import Foundry, MadeChip, is_random, patch_study
from rxsim.pipeline.chip.mapped import for_each, input_ranges
from rxsim.pipeline.chip.stamp import with_origin
from rxsim.pipeline.inspect.cost import check_cost, network_cost, study_cost
from rxsim.pipeline.inspect.placement import LayerPlacement, take_placement
from rxsim.pipeline.inspect.point_price import (
    price_numbers,
    technology_identity,
    unstated,
)
from rxsim.pipeline.inspect.spice import Netlist, spice_netlist
from rxsim.pipeline.inspect.verification import Verification, verify
from rxsim.pipeline.ladder.chip_yield import ChipYield, WithinLimit, loss_limit
from rxsim.pipeline.ladder.compensation import Compensation, StepTold
from rxsim.pipeline.ladder.enough_chips import ChipsNeeded, UntilCi, until_ci
from rxsim.pipeline.ladder.inventory import Inventory, LayerPlace, take_inventory
from rxsim.pipeline.ladder.ladder import Prepared, evaluate, prepare, rungs_of
from rxsim.pipeline.ladder.result import AtTime, Evaluation, LayerReport
from rxsim.pipeline.ladder.rung import Rung
from rxsim.pipeline.ladder.runner import Runner
from rxsim.pipeline.ladder.totals import totals
from rxsim.pipeline.ladder.trial import TrialResult, run_trial
from rxsim.pipeline.study.calibration import Calibration, read_calibration
from rxsim.pipeline.study.choice import DataOptions, files_of_card
from rxsim.pipeline.study.input_axes import (
    StatedInputs,
    example_shapes,
    on_batch,
    stated_inputs,
    with_ranks,
    with_stated,
)
from rxsim.pipeline.study.section import DataSection
from rxsim.pipeline.study.study import Study, open_study, with_settings

__all__ = [
    "AtTime",
    "Calibration",
    "ChipYield",
    "ChipsNeeded",
    "Compensation",
    "DataOptions",
    "DataSection",
    "Evaluation",
    "Foundries",
    "Foundry",
    "Inventory",
    "LayerPlace",
    "LayerPlacement",
    "LayerReport",
    "MadeChip",
    "Netlist",
    "Prepared",
    "Rung",
    "Runner",
    "StatedInputs",
    "StepTold",
    "Study",
    "TrialResult",
    "UntilCi",
    "Verification",
    "WithinLimit",
    "calibrate",
    "check_chosen",
    "check_cost",
    "contradicts_itself",
    "evaluate",
    "example_shapes",
    "files_of_card",
    "for_each",
    "input_ranges",
    "is_random",
    "loss_limit",
    "network_cost",
    "on_batch",
    "open_study",
    "patch_study",
    "patched_chip",
    "prepare",
    "price_numbers",
    "read_calibration",
    "run_trial",
    "rungs_of",
    "spice_netlist",
    "stated_inputs",
    "study_cost",
    "take_inventory",
    "take_placement",
    "technology_identity",
    "totals",
    "unstated",
    "until_ci",
    "verify",
    "with_chosen_steps",
    "with_origin",
    "with_ranks",
    "with_settings",
    "with_stated",
]

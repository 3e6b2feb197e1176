"""Predistortion: targets whose exact g_eff, wires included, is nearest to the wanted conductances.

Source: docs/concepts/model.md, section 14.
"""

from rxsim.compensate.predistortion.freedom import ScaleBy, start_and_freedom
from rxsim.compensate.predistortion.held_array import WantedArray
from rxsim.compensate.predistortion.layer import GainSlots, wanted_array, with_targets
from rxsim.compensate.predistortion.search import Predistortion, searched
from rxsim.compensate.predistortion.single import Predistorted, predistorted, refuse_beyond_range
from rxsim.compensate.predistortion.written import with_write_errors

__all__ = [
    "GainSlots",
    "Predistorted",
    "Predistortion",
    "ScaleBy",
    "WantedArray",
    "predistorted",
    "refuse_beyond_range",
    "searched",
    "start_and_freedom",
    "wanted_array",
    "with_targets",
    "with_write_errors",
]

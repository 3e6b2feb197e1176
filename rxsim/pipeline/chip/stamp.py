"""What the file of a patched network says of where it comes from (docs/guides/own-model.md)."""

from __future__ import annotations

import onnx

from rxsim.config import as_yaml, settings_hash
from rxsim.onnx_graph import stamp
from rxsim.pipeline.study.study import Study
from rxsim.version import __version__


def with_origin(model: onnx.ModelProto, study: Study, scenario: str, trial: int) -> onnx.ModelProto:
    """Make a patched network state its origin, for a file; it is changed in place and returned.

    Networks that are patched within an evaluation do without: they are gone when it ends.

    Args:
        model: the patched network.
        study: whose network it is.
        scenario: name of the scenario that it was made under.
        trial: number of its chip.
    """
    source, ranges = study.network, study.provenance.calibration
    settings = study.settings.model_copy(update={"trials": 1})  # it is one chip, however many ran
    values = {
        "version": __version__,
        "source.name": source.path.name,
        "source.sha256": source.identity,
        "settings": as_yaml(settings),
        "settings.sha256": settings_hash(settings),
        "seed": str(study.settings.seed),
        "chip": str(trial),
        "scenario": scenario,
        "ranges.made_up": "true" if study.provenance.made_up_ranges else "false",
        "ranges.data": ranges.name,
        **({} if ranges.sha256 is None else {"ranges.sha256": ranges.sha256}),
    }
    stamp(model, values)
    return model

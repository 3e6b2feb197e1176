"""An output that does not vary: of the float network, or of the built chip where the network died."""

from __future__ import annotations

import numpy as np
import onnx

from rxsim.data import choose_positions
from rxsim.explain.evidence import Evidence
from rxsim.explain.traps._fallen import has_fallen
from rxsim.explain.traps._sight import Sight
from rxsim.metrics import truth_for
from rxsim.pipeline.study.study import Study
from rxsim.run import diagnose_layers, predict, remarks_on

# Assumption: a network whose classes differ over all inputs shows it on so many, balanced over labels.
INPUTS = 24
# Assumption: an output of zeros has 0 dB, and one of noise less; next to nothing is above.
LOST_DB = 1.0
_CAUSES = frozenset({"digital_offset", "outlier_range", "shared_adc_range", "shared_weight_scale"})
"""Traps that may be why a signal is lost: where one was seen, its advice comes first."""


def look(evidence: Evidence) -> Sight | None:
    """Compare what the float network and the first chip say of a few inputs."""
    study = evidence.study
    classes = study.labels if truth_for(study.metric) == "classes" else None
    chosen = choose_positions(classes, len(study.inputs), INPUTS, study.settings.seed)
    if len(chosen) < 2:
        return None
    wanted = evidence.floating.predictions[chosen]
    if (wanted == wanted[0]).all():
        reference = _outputs(study, study.network.original, chosen, "the float network")
        remark = remarks_on(reference).get("output_does_not_vary")
        return (
            None if remark is None else Sight(f"{remark}; check the inputs and the preprocessing")
        )
    if not has_fallen(evidence):
        return None
    outputs = _outputs(study, evidence.chip.network.model, chosen, "the patched network")
    found = outputs.argmax(axis=1)
    if (found != found[0]).any():
        return None
    where = _first_lost(evidence, chosen)
    if evidence.seen & _CAUSES:
        advice = "; mend the mistakes that are named above first"
    else:
        advice = "; give this layer more bits or make it digital" if where else ""
    return Sight(
        f"the built chip gives class {found[0]} for each of {len(chosen)} inputs, the float network "
        f"{len(np.unique(wanted))} different ones: the signal is lost"
        + (f" from layer {where} on" if where else "")
        + advice
    )


def _outputs(study: Study, model: onnx.ModelProto, chosen: np.ndarray, what: str) -> np.ndarray:
    return predict(
        model,
        study.output,
        study.inputs.subset(chosen),
        what=what,
        batch=study.batch,
        threads=study.in_flight,
        fixed_batch=study.network.fixed_batch,
        axis=study.output_axis,
    )


def _first_lost(evidence: Evidence, chosen: np.ndarray) -> str | None:
    """Describe the first layer whose output holds next to no signal; None where there is none."""
    study = evidence.study
    if evidence.layers is not None:
        ratios = {row.name: row.snr_db for row in evidence.layers.rows}
    else:
        health = diagnose_layers(
            study.network.model,
            evidence.chip.network,
            study.network.layers,
            study.inputs.subset(chosen),
            batch=study.batch,
            threads=study.in_flight,
            fixed_batch=study.network.fixed_batch,
        )
        ratios = {name: layer.snr_db for name, layer in health.items()}
    for name, ratio in ratios.items():
        if ratio is not None and ratio < LOST_DB:
            return f"{name} (SNR {ratio:.1f} dB)"
    return None


LOOK = look

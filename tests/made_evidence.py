"""What is known of a study, from runs alone: for tests of traps and remedies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rxsim.explain.evidence import Evidence
from rxsim.explain.quantity import chosen_quantity
from rxsim.explain.result import LayerRow, LayersTable
from rxsim.pipeline import Foundries, Runner, Study
from rxsim.scenarios import Scenario, as_built


def evidence_of(
    study: Study, quantity: str | None = None, worst_first: Sequence[str] = ()
) -> Evidence:
    """Run the built chips and hardware without effects.

    Args:
        study: the study.
        quantity: what is explained.
        worst_first: names of layers, where they are to be known.
    """
    runner, foundries = Runner(study), Foundries(study)
    floating = runner.score_float()
    chosen = chosen_quantity(quantity, study.metric, floating)
    foundry = foundries.open(as_built(study.settings))
    chips = [foundry.make(trial) for trial in range(study.settings.trials if foundry.random else 1)]
    perfect = foundries.open(Scenario("none", frozenset())).make(0)
    return Evidence(
        study=study,
        quantity=chosen,
        floating=floating,
        foundry=foundry,
        chip=chips[0],
        built=np.stack(
            [chosen.values(runner.score(chip.network, "built"), floating) for chip in chips]
        ),
        perfect=chosen.values(runner.score(perfect.network, "none"), floating)[None, :],
        effects=None,
        layers=_layers(worst_first) if worst_first else None,
    )


def _layers(worst_first: Sequence[str]) -> LayersTable:
    rows = tuple(
        LayerRow(
            name=name,
            op="Conv",
            only=None,
            all_but=None,
            output_noise=None,
            snr_clean_db=None,
            snr_db=None,
            dac_clipping=None,
            adc_clipping=None,
            noise_alone={},
            noise_left_out={},
            dominant="",
        )
        for name in worst_first
    )
    return LayersTable(rows=rows, worst_first=tuple(worst_first), arrays=(), inputs=1)

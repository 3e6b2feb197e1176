"""What an explanation has still to run, counted when the built chips were run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rxsim.explain.advice import most_remedies
from rxsim.explain.chips import Chips
from rxsim.explain.effects import needed_sets, shapley_sets
from rxsim.explain.evidence import Evidence
from rxsim.explain.forecast import Ahead
from rxsim.explain.layers import MOST_CHIPS
from rxsim.explain.players import Player
from rxsim.explain.result import LayersTable


def ahead_of(
    evidence: Evidence,
    chips: Chips,
    players: Sequence[Player],
    *,
    effects: bool,
    layers: bool,
    remedies: bool,
) -> Ahead:
    """Count what will be run at most, as if there were time for all.

    Args:
        evidence: effects and layers are not known yet.
        chips: have scored the built chips and those without any effect.
        players: the active effects.
        effects: whether the quantity is attributed to effects.
        layers: whether to layers.
        remedies: whether remedies are tried.
    """
    study, made = evidence.study, chips.count(evidence.foundry)
    names = tuple(layer.layer.name for layer in evidence.chip.converted) if layers else ()
    needed = needed_sets(players) if effects else []
    more = shapley_sets(players, study.settings.seed) if effects else []
    sets, programmed = chips.ahead([*needed, *more])
    # Some remedies are for the worst layers: how many there are does not depend on which these are.
    known = LayersTable(rows=(), worst_first=names, arrays=(), inputs=0) if layers else None
    return Ahead(
        sets=sets,
        programmed=programmed,
        needed=chips.ahead(needed)[0],
        layers=len(names),
        remedies=most_remedies(replace(evidence, layers=known)) if remedies else 0,
        chips=made,
        layer_chips=min(made, MOST_CHIPS),
    )

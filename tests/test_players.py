"""Effects that settings need together are one player; all others stay apart."""

from __future__ import annotations

from itertools import chain, combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rxsim.config import load_settings
from rxsim.explain.players import Player, effects_on, joined_players, players_of
from rxsim.pipeline import DataOptions, open_study

ROOT = Path(__file__).parents[1]
NAMES = ("a", "b", "c", "d", "e")
PAIRS = st.sets(st.sampled_from([(one, two) for one in NAMES for two in NAMES if one != two]))


@given(PAIRS)
def test_every_set_of_players_makes_sense(needs: set[tuple[str, str]]) -> None:
    """The rule of a pair: the first effect needs the second."""

    def makes_sense(on: frozenset[str]) -> bool:
        return all(two in on for one, two in needs if one in on)

    players = joined_players(NAMES, makes_sense)
    assert sorted(name for player in players for name in player.effects) == list(NAMES)
    names = [player.name for player in players]
    for some in chain.from_iterable(combinations(names, size) for size in range(len(names) + 1)):
        assert makes_sense(effects_on(players, frozenset(some)))


@given(PAIRS)
def test_effects_that_need_none_stay_apart(needs: set[tuple[str, str]]) -> None:
    def makes_sense(on: frozenset[str]) -> bool:
        return all(two in on for one, two in needs if one in on)

    players = joined_players(NAMES, makes_sense)
    for name in NAMES:
        if not any(name in pair for pair in needs):
            assert Player((name,)) in players


def found(*assignments: str, config: str | None = None) -> list[str]:
    path = None if config is None else ROOT / "configs" / config
    settings = load_settings(path, xbar=None, assignments=assignments, overrides={})
    study = open_study(ROOT / "models" / "digits_mlp.onnx", settings, DataOptions(limit=10))
    return [player.name for player in players_of(study)]


def test_defaults_have_four_effects_that_stand_alone() -> None:
    assert found() == ["levels", "dac", "adc", "wires"]


@pytest.mark.parametrize(
    ("assignments", "config", "together"),
    [
        # The step of its ADCs is a unit of the DACs' codes.
        ((), "isaac.yaml", "dac+adc"),
        # Gated cells need inputs of one bit.
        (
            ("crossbar.topology=input_gated", "input.encoding=bit_serial"),
            None,
            "dac+nonlinearity",
        ),
    ],
)
def test_what_settings_need_together_is_one_player(
    assignments: tuple[str, ...], config: str | None, together: str
) -> None:
    names = found(*assignments, config=config)
    assert together in names
    assert sum("+" in name for name in names) == 1

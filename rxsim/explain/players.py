"""The effects that are attributed to: those that are on; inseparable ones count as one player.

Some settings make sense only together: a step of an ADC that follows from the bits of cells and DACs
needs all three. Effects are joined until every set of players leaves settings that can be used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations

from rxsim.effects import active_effects, effects
from rxsim.explain.shapley import EXACT_UP_TO, Coalition, all_coalitions, coalitions_of
from rxsim.pipeline import Foundries, Study, contradicts_itself
from rxsim.scenarios import Scenario


@dataclass(frozen=True, slots=True)
class Player:
    """An effect, or several that can't be switched off apart from each other.

    Attributes:
        effects: their names, in the order of the table.
    """

    effects: tuple[str, ...]

    @property
    def name(self) -> str:
        """The effect's name; several are joined by +."""
        return "+".join(self.effects)

    @property
    def title(self) -> str:
        """The name for readers."""
        return " and ".join(effects()[name].title for name in self.effects)

    @property
    def note(self) -> str:
        """What is to be said of switching it off; may be empty."""
        notes = [effects()[name].note for name in self.effects if effects()[name].note]
        joined = ["they can't be switched off apart: the settings need them together"]
        return "; ".join([*(joined if len(self.effects) > 1 else []), *notes])


def players_of(study: Study) -> tuple[Player, ...]:
    """Return the players of a study, in the order of the table of effects."""
    active = active_effects(study.layer_settings().values())
    ranges = Foundries(study).input_ranges

    @cache
    def makes_sense(on: Coalition) -> bool:
        return contradicts_itself(study, ranges, Scenario("a part", on)) is None

    return joined_players(active, makes_sense)


def joined_players(
    active: Sequence[str], makes_sense: Callable[[Coalition], bool]
) -> tuple[Player, ...]:
    """Join effects until every set of players makes sense.

    Two players at a time, those whose joining leaves the fewest sets that do not.

    Args:
        active: names of effects, in their order; all of them together make sense, and none.
        makes_sense: tells whether settings with only some effects on can be used.
    """
    place = {name: at for at, name in enumerate(active)}
    players = [Player((name,)) for name in active]

    def joined(one: Player, two: Player) -> list[Player]:
        both = Player(tuple(sorted((*one.effects, *two.effects), key=place.__getitem__)))
        rest = [player for player in players if player not in (one, two)]
        return sorted([*rest, both], key=lambda player: place[player.effects[0]])

    def senseless(candidates: Sequence[Player]) -> int:
        return sum(not makes_sense(on) for on in _sets(candidates))

    while len(players) > 1 and senseless(players):
        players = min((joined(one, two) for one, two in combinations(players, 2)), key=senseless)
    return tuple(players)


def effects_on(players: Sequence[Player], names: Coalition) -> Coalition:
    """Return the effects that are on where some players, given by name, are."""
    return frozenset(
        effect for player in players if player.name in names for effect in player.effects
    )


def _sets(players: Sequence[Player]) -> list[Coalition]:
    """List the sets of effects that are looked at: all, or where these are many the likely ones."""
    names = [player.name for player in players]
    if len(names) <= EXACT_UP_TO:
        sets = all_coalitions(names)
    else:
        everything = frozenset(names)
        sets = [
            *coalitions_of(names),
            *(frozenset(some) for size in (1, 2) for some in combinations(names, size)),
            *(everything - set(some) for size in (1, 2) for some in combinations(names, size)),
        ]
    return [effects_on(players, on) for on in sets]

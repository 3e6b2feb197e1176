"""What a search makes least: a number that each point's hardware costs, one file each.

A quantity is a file of this folder that holds a `Minimised` named MINIMISED. The file's name is what
`--minimise` calls it. To add one is to add a file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

from rxsim.folders import Folder
from rxsim.mapping import NetworkPlan


@dataclass(frozen=True, slots=True, eq=False)
class Hardware:
    """What a network takes of the hardware at one point, known before anything is evaluated.

    Attributes:
        plan: its layers on their arrays.
        passes: converted passes of each layer's inputs, by its name.
        prices: what it costs in a technology, by the names of `rxsim.store.COST_NAMES`; empty where
            nothing was priced.
    """

    plan: NetworkPlan
    passes: Mapping[str, int]
    prices: Mapping[str, float | None] = field(default_factory=dict)

    def conversions(self) -> dict[str, int | None]:
        """Count the conversions for one input by layer; None where a shape is unknown.

        Layers without ADC are left out.
        """
        return {
            name: layer.conversions(self.passes[name])
            for name, layer in self.plan.layers.items()
            if layer.settings.adc.n_bits is not None
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Minimised:
    """A quantity that can be minimised.

    Attributes:
        title: heading of its column.
        count: computes it; None where it can't be known.
        place: quantities stand in this order; where a search minimises another one, it decides between
            points that are equal in that one. Prices decide so only where one is minimised.
        counts_adcs: whether layers without ADC are left out, so that points without any look cheap.
        price: name of the price that it is, of `Hardware.prices`; None: it needs no technology.
    """

    title: str
    count: Callable[[Hardware], float | None]
    place: int
    counts_adcs: bool = False
    price: str | None = None


_FOLDER = Folder[Minimised]("rxsim.search.minimised", "MINIMISED")


@cache
def all_minimised() -> Mapping[str, Minimised]:
    """Return every quantity by its name, in their order."""
    return dict(sorted(_FOLDER.all().items(), key=lambda item: (item[1].place, item[0])))


def minimised_names() -> tuple[str, ...]:
    """List what `--minimise` may say, without importing any."""
    return _FOLDER.names

"""Known mistakes, one a file: each looks at the evidence and says what it sees, in numbers.

A trap is a file of this folder that holds a function `look` as LOOK: Evidence -> a `Sight` (what was
seen, and what to do; settings that it advises are tried), or None. To add one is to add a file. Causes
look first, and what follows from them last.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from rxsim.explain.evidence import Evidence
from rxsim.explain.result import Trap
from rxsim.explain.traps._sight import Sight
from rxsim.folders import Folder

LOOKS: Folder[Callable[[Evidence], Sight | None]] = Folder("rxsim.explain.traps", "LOOK")
_CONSEQUENCES = ("constant_output",)
"""Traps that another one may explain: they look last, and know what was seen."""


def traps_in(evidence: Evidence) -> tuple[Trap, ...]:
    """Name every trap that is seen, causes before what follows from them."""
    traps: dict[str, Sight] = {}
    for name in sorted(LOOKS.names, key=lambda each: each in _CONSEQUENCES):
        if sight := LOOKS[name](replace(evidence, seen=frozenset(traps))):
            traps[name] = sight
    return tuple(
        Trap(name=name, sentence=sight.sentence, advice=sight.advice)
        for name, sight in traps.items()
    )

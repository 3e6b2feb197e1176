"""Known mistakes, one a file: each looks at the evidence and says what it sees, in numbers.

A trap is a file of this folder that holds a function `look` as LOOK: Evidence -> a sentence (what was
seen, and what to do), or None. To add one is to add a file. Causes look first, and what
follows from them last.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from rxsim.explain.evidence import Evidence
from rxsim.explain.result import Trap
from rxsim.folders import Folder

LOOKS: Folder[Callable[[Evidence], str | None]] = Folder("rxsim.explain.traps", "LOOK")
_CONSEQUENCES = ("constant_output",)
"""Traps that another one may explain: they look last, and know what was seen."""


def traps_in(evidence: Evidence) -> tuple[Trap, ...]:
    """Name every trap that is seen, causes before what follows from them."""
    traps: dict[str, str] = {}
    for name in sorted(LOOKS.names, key=lambda each: each in _CONSEQUENCES):
        if sentence := LOOKS[name](replace(evidence, seen=frozenset(traps))):
            traps[name] = sentence
    return tuple(Trap(name=name, sentence=sentence) for name, sentence in traps.items())

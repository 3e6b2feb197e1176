"""Known mistakes, one a file: each looks at the evidence and says what it sees, in numbers.

A trap is a file of this folder that holds a function `look` as LOOK: Evidence -> a sentence (what was
seen, and what to do), or None. To add one is to add a file.
"""

from __future__ import annotations

from collections.abc import Callable

from rxsim.explain.evidence import Evidence
from rxsim.explain.result import Trap
from rxsim.folders import Folder

LOOKS: Folder[Callable[[Evidence], str | None]] = Folder("rxsim.explain.traps", "LOOK")


def traps_in(evidence: Evidence) -> tuple[Trap, ...]:
    """Name every trap that is seen."""
    seen = ((name, LOOKS[name](evidence)) for name in LOOKS.names)
    return tuple(Trap(name=name, sentence=sentence) for name, sentence in seen if sentence)

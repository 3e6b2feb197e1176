"""Remedies, one a file: changes of settings that may give accuracy back, each to be tried in a run.

A remedy is a file of this folder that holds a `Remedy` named REMEDY. To add one is to add a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rxsim.explain.evidence import Evidence
from rxsim.folders import Folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Settings to be tried.

    Attributes:
        title: what is done, for readers, such as "ADC of 7 bits in conv1".
        changes: settings that differ, by dotted name; `layers.NAME` to a mapping of what differs for
            a layer.
    """

    title: str
    changes: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """A way to give accuracy back.

    Attributes:
        order: remedies are tried in this order where nothing tells them apart.
        against: effects that it may help against; it is tried where one of these is on.
        candidates: chooses the settings to be tried from the evidence; none where it does not apply.
        redraws: weights lie in other cells then, so random errors of devices are drawn anew.
    """

    order: int
    against: frozenset[str]
    candidates: Callable[[Evidence], Iterable[Candidate]]
    redraws: bool = False


REMEDIES: Folder[Remedy] = Folder("rxsim.explain.remedies", "REMEDY")

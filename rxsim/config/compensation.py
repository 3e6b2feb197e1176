"""The list `compensate`: each step is a name, or a name with options; `auto` lets rxsim choose.

A step's options are checked by the step itself (`rxsim.compensate.check_steps`), as a preset's numbers
are by its laws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from rxsim.folders import names_in
from rxsim.schema import in_yaml

STEP_PACKAGE = "rxsim.compensate.steps"
AUTO = ("auto",)
NONE = "none"

StepEntry = str | dict[str, Any]
"""A step's name, or a mapping from its name to its options."""


def step_name(entry: StepEntry) -> str:
    """Return the name of a step of the list."""
    return entry if isinstance(entry, str) else next(iter(entry))


def step_options(entry: StepEntry) -> dict[str, Any]:
    """Return the options that a step of the list is given; empty where it has none."""
    return {} if isinstance(entry, str) else dict(next(iter(entry.values())))


def _read(value: Any) -> Any:
    """Bring a list of steps to its canonical form: a name without options is text.

    A text holds names with commas between them, or `none`.
    """
    if isinstance(value, str):
        value = [] if value.strip() == NONE else [name.strip() for name in value.split(",")]
    if not isinstance(value, Sequence):
        raise ValueError(
            f"found {in_yaml(value)}, expected a list of steps such as [predistort, columns], or auto"
        )
    entries = tuple(_entry(item) for item in value)
    if any(step_name(entry) in AUTO for entry in entries) and len(entries) > 1:
        raise ValueError(
            f"found {in_yaml(value)}, expected auto alone, or steps; leave out one of them"
        )
    return entries


def _entry(item: Any) -> StepEntry:
    if isinstance(item, Mapping) and len(item) == 1:
        name, options = next(iter(item.items()))
        options = {} if options is None else options
        if not isinstance(options, Mapping):
            raise ValueError(
                f"found {in_yaml(options)} for {in_yaml(name)}, expected options of the step, such as "
                "{passes: 4}, or nothing"
            )
        return {_known(name): dict(options)} if options else _known(name)
    return _known(item)


def _known(name: Any) -> str:
    names = names_in(STEP_PACKAGE)
    if not isinstance(name, str) or name not in (*AUTO, *names):
        raise ValueError(
            f"found {in_yaml(name)}, expected steps of {', '.join(names)}, each a name or a mapping "
            "such as {predistort: {passes: 4}}"
        )
    return name


_SCHEMA = {
    "type": "array",
    "items": {"anyOf": [{"type": "string"}, {"type": "object"}]},
}
StepList = Annotated[tuple[StepEntry, ...], BeforeValidator(_read), WithJsonSchema(_SCHEMA)]
"""The steps in their order."""

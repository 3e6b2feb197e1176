"""onnxruntime's execution providers: which are asked for, and which run networks in a block of code.

The CPU is the tested one. On another one sums may be rounded otherwise, so results may differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import onnxruntime as ort

from rxsim.errors import InputError

CPU = ("CPUExecutionProvider",)
"""What networks run on unless something else is asked for."""
_chosen: ContextVar[tuple[str, ...]] = ContextVar("providers", default=CPU)


def read_providers(text: str) -> tuple[str, ...]:
    """Read names of execution providers with commas between them, in the order of their preference.

    Args:
        text: such as "CUDAExecutionProvider,CPUExecutionProvider".

    Raises:
        InputError: onnxruntime has none of that name here, or a name stands twice.
    """
    names = tuple(part.strip() for part in text.split(","))
    known = ort.get_available_providers()
    for name in names:
        if name not in known:
            raise InputError(
                f"--provider: found {name!r}, expected execution providers that onnxruntime has here "
                f"({', '.join(known)}); choose one, or install the onnxruntime package that has it"
            )
    if len(set(names)) < len(names):
        raise InputError(
            f"--provider: found {text!r}, expected each execution provider once; leave the others out"
        )
    return names


@contextmanager
def running_on(names: Sequence[str]) -> Iterator[None]:
    """Let sessions that this thread opens in the block run on some execution providers."""
    token = _chosen.set(tuple(names))
    try:
        yield
    finally:
        _chosen.reset(token)


def chosen_providers() -> tuple[str, ...]:
    """Return the execution providers that sessions opened now run on."""
    return _chosen.get()

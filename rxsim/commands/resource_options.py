"""Options that say how much memory a command's networks may take, and what runs them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from rxsim.load.providers import read_providers, running_on
from rxsim.memory import read_size


def resource_options() -> list[Callable[[Any], Any]]:
    """Return --memory and --provider."""
    return [
        click.option(
            "--memory",
            metavar="SIZE",
            help="Memory to stay under, such as 3GB: fewer batches run at once, no result changes; "
            "default: half of what is free.",
        ),
        click.option(
            "--provider",
            "providers",
            metavar="NAME[,NAME..]",
            help="onnxruntime's execution providers; CPUExecutionProvider, the default, is the tested "
            "one.",
        ),
    ]


def take_providers(given: dict[str, Any]) -> None:
    """Let all networks that the command runs from now on run on what --provider names.

    Raises:
        InputError: onnxruntime has no such execution provider.
    """
    names = given.get("providers")
    if names is not None:
        context = running_on(read_providers(names))
        click.get_current_context().with_resource(context)


def read_memory(given: dict[str, Any]) -> int | None:
    """Return the bytes of --memory; None where it is left out.

    Raises:
        InputError: it is no size.
    """
    memory = given.get("memory")
    return None if memory is None else read_size(memory, "--memory")

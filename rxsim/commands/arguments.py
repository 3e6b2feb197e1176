"""Types of arguments that commands share; light, so that light commands start at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

FILE = click.Path(path_type=Path)
new_images_option = click.option(
    "--new-images",
    is_flag=True,
    help="Intervals of points hold for new images too, not only chips.",
)


def with_options(function: F, options: Sequence[Callable[[Any], Any]]) -> F:
    """Add options to a command; its help lists them in this order."""
    for option in reversed(options):
        function = option(function)
    return function


def progress_options(function: F) -> F:
    """Add --quiet and --verbose; `rxsim.commands.progress.watched` takes their values."""
    verbose = click.option(
        "-v", "--verbose", is_flag=True, help="Tell every stage and its seconds."
    )
    quiet = click.option("-q", "--quiet", is_flag=True, help="No progress and no notices.")
    return quiet(verbose(function))

"""The command line of another command that does its work on what this one was given."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import click
from click.core import ParameterSource


def with_same_options(
    context: click.Context, name: str, but: Collection[str], instead: Mapping[str, Any]
) -> str:
    """Write a command line with the arguments and options that a user gave.

    Args:
        context: of the command that runs.
        name: the other command's name; it takes the same arguments and options.
        but: names of parameters that the other command does not take.
        instead: by name of a parameter, a value in place of the given one, or of the default.
    """
    words = ["rxsim", name]
    for parameter in context.command.params:
        given = parameter.name or ""
        if given in instead:
            words += _words(parameter, instead[given])
        elif given not in but and is_given(context, given):
            words += _words(parameter, context.params[given])
    return shlex.join(words)


def is_given(context: click.Context, name: str) -> bool:
    """Tell whether a parameter stands on the command line."""
    return context.get_parameter_source(name) == ParameterSource.COMMANDLINE


def _words(parameter: click.Parameter, value: Any) -> Iterator[str]:
    """Yield the words that give a parameter its value."""
    if isinstance(parameter, click.Argument):
        yield str(value)
        return
    name = max(parameter.opts, key=len)
    if isinstance(parameter, click.Option) and parameter.is_flag:
        yield name
        return
    for each in value if parameter.multiple else [value]:
        yield from (name, str(each))

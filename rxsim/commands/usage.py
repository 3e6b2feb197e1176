"""One sentence for a command line that can't be understood (click would print a few lines)."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import click


def usage_sentence(error: click.ClickException) -> str:
    """Tell what was found on the command line, what was expected and what to do."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    name = context.command_path if context else "rxsim"
    see = f"see '{name} --help'"
    if isinstance(error, click.MissingParameter):
        return f"{_hint(error)} is missing, expected {_usage(context)}; add it, or {see}"
    if isinstance(error, click.NoSuchOption):
        known = [] if context is None else [o for p in context.command.params for o in p.opts]
        near = _nearest(error.option_name, known)
        return f"{error.option_name} is not an option of '{name}'; " + (
            f"did you mean {near}?" if near else see
        )
    if context is not None and _is_unknown_command(error, context):
        assert isinstance(context.command, click.Group)
        wrong = (context.args or [""])[0] if context.args else _quoted(error.message)
        commands = context.command.list_commands(context)
        near = _nearest(wrong, commands)
        return f"{wrong} is not a command of '{name}'; " + (
            f"did you mean {near}?" if near else f"expected one of {', '.join(commands)}"
        )
    if isinstance(error, click.BadParameter):
        return f"{_hint(error)}: {_clause(error.message)}; {see}"
    return f"{_clause(error.format_message())}; {see}"


def _is_unknown_command(error: click.ClickException, context: click.Context) -> bool:
    """Tell whether a group was asked for a command it does not have (click < 8.4 has no type)."""
    return isinstance(context.command, click.Group) and error.message.startswith("No such command")


def _quoted(message: str) -> str:
    """Return what stands between the first two quotes."""
    return [*message.split("'"), ""][1]


def _hint(error: click.BadParameter) -> str:
    """Return how the parameter is written: its longest option, or the argument's name."""
    if error.param is None:
        return "a parameter"
    if isinstance(error.param, click.Option):
        return max(error.param.opts, key=len)
    return error.param.make_metavar(error.ctx) if error.ctx else (error.param.name or "")


def _usage(context: click.Context | None) -> str:
    return "it" if context is None else f"'{context.get_usage().removeprefix('Usage: ')}'"


def _clause(message: str) -> str:
    message = message.strip().rstrip(".")
    return message[:1].lower() + message[1:]


def _nearest(wrong: str, known: Iterable[str]) -> str | None:
    return next(iter(difflib.get_close_matches(wrong, list(known), n=1, cutoff=0.6)), None)

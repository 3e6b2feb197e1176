"""The `rxsim` command: finds the wanted command, and turns every failure into one sentence."""

from __future__ import annotations

import difflib
import errno
import importlib
import os
import re
import sys
from collections.abc import Iterable
from typing import NoReturn

import click

from rxsim.version import __version__

# Name -> (module, one line of help). The modules are imported only when their command runs: they pull
# in numba and onnxruntime, and `rxsim --help` should be there at once.
_COMMANDS = {
    "eval": ("rxsim.commands.evaluate", "Accuracy of a network before and after the crossbars."),
    "explain": (
        "rxsim.commands.explain",
        "Why accuracy fell: which effect, which layer, what helps.",
    ),
    "retrain": ("rxsim.commands.retrain", "Train a network against its crossbars."),
    "map": ("rxsim.commands.map", "What goes onto crossbars and what stays digital."),
    "cost": ("rxsim.commands.cost", "Area, energy and time by component and layer."),
    "calibrate": ("rxsim.commands.calibrate", "Measure converter ranges once, for later runs."),
    "card": ("rxsim.commands.card", "Write a first card for a network, to edit."),
    "patch": ("rxsim.commands.patch", "Write the patched network as standard ONNX."),
    "solve": ("rxsim.commands.solve", "Solve the circuit of one array."),
    "verify": ("rxsim.commands.verify", "Compare solved arrays with ngspice or a sparse solve."),
    "spice": ("rxsim.commands.spice", "Write one array as a netlist that ngspice runs."),
    "sweep": ("rxsim.commands.sweep", "Evaluate every point of a sweep, with resume."),
    "search": ("rxsim.commands.search", "The least hardware that keeps the accuracy."),
    "results": ("rxsim.commands.results", "Show, query, merge and export a sweep's results."),
    "report": ("rxsim.commands.report", "Results as one HTML page."),
    "plot": ("rxsim.commands.plot", "A figure of results, fit for a paper."),
    "check": ("rxsim.commands.check", "A gate for CI: has accuracy fallen?"),
    "compare": ("rxsim.commands.compare", "Paired comparison of two evaluations."),
    "presets": ("rxsim.commands.presets", "Published devices and their numbers."),
    "fit": ("rxsim.commands.fit", "Turn measured rows of a CSV into a preset."),
    "config": ("rxsim.commands.config", "Show, describe or check settings."),
}

USAGE = 2
CANNOT_WRITE = 4
INTERNAL_ERROR = 70
INTERRUPTED = 130


class _LazyGroup(click.Group):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command = importlib.import_module(_COMMANDS[cmd_name][0]).command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="rxsim")
def root() -> None:
    """What a resistive crossbar does to a neural network: any ONNX model, exact circuit."""


def run() -> None:
    """Entry point of the `rxsim` script: as `main`, but an interrupt does not wait for threads."""
    try:
        main()
    except SystemExit as end:
        if end.code == INTERRUPTED:  # an array may be half solved: nobody wants it any more
            sys.stderr.flush()
            os._exit(INTERRUPTED)
        raise


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code.

    0 ok, 1 a gate failed, 2 unusable input, 3 some points failed, 4 cannot write, 70 internal error,
    130 interrupted.
    """
    from rxsim.errors import RxsimError

    try:
        code = root.main(arguments, prog_name="rxsim", standalone_mode=False)
        sys.stdout.flush()
    except RxsimError as error:
        _fail(str(error), error.exit_code)
    except SystemExit as end:  # click's own way out of a broken pipe: whoever read has left
        sys.exit(0 if end.code == 1 else end.code)
    except click.ClickException as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # click < 8.2 does not know it
            error.show()
            sys.exit(USAGE)
        _fail(_usage_sentence(error), USAGE)
    except (click.exceptions.Abort, KeyboardInterrupt):
        _fail("interrupted; no unfinished file was left", INTERRUPTED)
    except BrokenPipeError:  # whoever read the output has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except MemoryError:
        _fail(
            "out of memory; use fewer images (--limit), threads or smaller arrays", INTERNAL_ERROR
        )
    except Exception as error:
        if os.environ.get("RXSIM_DEBUG"):
            raise
        if isinstance(error, OSError):
            _fail_on_file(error)
        _fail(
            f"internal error: {type(error).__name__}: {error}; this is a bug in rxsim, please report "
            "it with the output of the same command under RXSIM_DEBUG=1",
            INTERNAL_ERROR,
        )
    sys.exit(code if isinstance(code, int) else 0)


def _fail_on_file(error: OSError) -> None:
    """Tell that a named file can't be used or standard output can't be written; else return."""
    reason = error.strerror or type(error).__name__
    if error.filename is not None:
        _fail(f"{error.filename} can't be used: {reason}; check the path", USAGE)
    if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO):
        return
    # What is left in its buffer must not fail once more at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    _fail(f"standard output can't be written: {reason}; send it elsewhere", CANNOT_WRITE)


def _fail(message: str, code: int) -> NoReturn:
    print(f"rxsim: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)


def _usage_sentence(error: click.ClickException) -> str:
    """Tell in one sentence what was found, expected and to do (click would print a few lines)."""
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
        return f"{_hint(error)}: {_not_a_number(error) or _clause(error.message)}; {see}"
    return f"{_clause(error.format_message())}; {see}"


def _not_a_number(error: click.BadParameter) -> str | None:
    """Say what was expected where click knows only the name of its own type."""
    match = re.fullmatch(r"'(.*)' is not a valid (integer|float)( range)?\.", error.message, re.S)
    if match is None:
        return None
    kind = "a whole number" if match[2] == "integer" else "a number"
    least = getattr(error.param and error.param.type, "min", None)
    bound = "" if least is None else f", {least:g} or above"
    return f"found {match[1]!r}, expected {kind}{bound}"


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
    return error.param.metavar or (error.param.name or "").upper()


def _usage(context: click.Context | None) -> str:
    return "it" if context is None else f"'{context.get_usage().removeprefix('Usage: ')}'"


def _clause(message: str) -> str:
    message = message.strip().rstrip(".")
    return message[:1].lower() + message[1:]


def _nearest(wrong: str, known: Iterable[str]) -> str | None:
    return next(iter(difflib.get_close_matches(wrong, list(known), n=1, cutoff=0.6)), None)

"""The `rxsim` command: finds the wanted command, and turns every failure into one sentence."""

from __future__ import annotations

import importlib
import os
import sys
from typing import NoReturn

import click

import rxsim

# Name -> (module, one line of help). The modules are imported only when their command runs: they pull
# in numba and onnxruntime, and `rxsim --help` should be there at once.
_COMMANDS = {
    "eval": ("rxsim.commands.evaluate", "Accuracy of a network before and after the crossbars."),
    "patch": ("rxsim.commands.patch", "Write the patched network as standard ONNX."),
    "solve": ("rxsim.commands.solve", "Solve the circuit of one array."),
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
@click.version_option(rxsim.__version__, prog_name="rxsim")
def root() -> None:
    """What a resistive crossbar does to a neural network: any ONNX model, exact circuit."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code.

    0 ok, 1 a gate failed, 2 unusable input, 3 some points failed, 4 cannot write, 70 internal error,
    130 interrupted.
    """
    from rxsim.errors import RxsimError

    try:
        code = root.main(arguments, prog_name="rxsim", standalone_mode=False)
        sys.stdout.flush()
        sys.exit(code if isinstance(code, int) else 0)
    except RxsimError as error:
        _fail(str(error), error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(USAGE)
    except click.ClickException as error:
        from rxsim.commands.usage import usage_sentence

        _fail(usage_sentence(error), USAGE)
    except (click.exceptions.Abort, KeyboardInterrupt):
        _fail("interrupted; no unfinished file was left", INTERRUPTED)
    except BrokenPipeError:  # whoever read the output has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        if os.environ.get("RXSIM_DEBUG"):
            raise
        _fail_on_file(error)
    except MemoryError:
        _fail(
            "out of memory; use fewer images (--limit), threads or smaller arrays", INTERNAL_ERROR
        )
    except Exception as error:
        if os.environ.get("RXSIM_DEBUG"):
            raise
        _fail(
            f"internal error: {type(error).__name__}: {error}; this is a bug in rxsim, please report "
            "it with the output of the same command under RXSIM_DEBUG=1",
            INTERNAL_ERROR,
        )


def _fail_on_file(error: OSError) -> None:
    """Tell what the system refused: a named file that can't be used, or standard output."""
    reason = error.strerror or type(error).__name__
    if error.filename is not None:
        _fail(f"{error.filename} can't be used: {reason}; check the path", USAGE)
    # What is left in its buffer must not fail once more at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    _fail(f"standard output can't be written: {reason}; send it elsewhere", CANNOT_WRITE)


def _fail(message: str, code: int) -> NoReturn:
    print(f"rxsim: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)

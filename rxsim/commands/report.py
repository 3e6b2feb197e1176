"""`rxsim report`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

import click

from rxsim.commands.arguments import FILE, new_images_option, progress_options
from rxsim.commands.no_gc import nothing_collected
from rxsim.commands.progress import watched
from rxsim.counted import counted
from rxsim.errors import InputError
from rxsim.files import check_destination, write_atomically
from rxsim.report.html import build_page
from rxsim.report.labels import QUANTITIES
from rxsim.report.material import read_material
from rxsim.stages import Stages


@click.command("report")
@click.argument("results", type=FILE)
@click.option("-o", "--output", type=FILE, required=True, metavar="REPORT.html", help="The page.")
@click.option("--sweep", metavar="NAME", help="Only the points of this sweep.")
@click.option(
    "--quantity",
    type=click.Choice(list(QUANTITIES)),
    help="What is compared; default: as the file's metric says.",
)
@click.option(
    "--point",
    metavar="KEY",
    help="The point whose ladder and layers are shown, by the beginning of its key; default: the "
    "best one.",
)
@new_images_option
@progress_options
@nothing_collected()
def command(
    results: Path,
    output: Path,
    sweep: str | None,
    quantity: str | None,
    point: str | None,
    new_images: bool,
    verbose: bool,
    quiet: bool,
) -> None:
    """Write RESULTS as one HTML page that needs nothing else.

    RESULTS is what 'rxsim sweep' or 'rxsim eval --json' wrote. The page holds no scripts, loads
    nothing, is light or dark as the reader likes, and prints.
    """
    check_destination(output, [results])
    if output.suffix.lower() not in (".html", ".htm"):
        raise InputError(
            f"--output: found {output.name}, expected a name that ends in .html: the report is one "
            "HTML page; name it so ('rxsim plot' draws other kinds of figures)"
        )
    options = {"--sweep": sweep, "--quantity": quantity, "--point": point}
    with watched(quiet=quiet, verbose=verbose, solves=False) as watcher:
        stages = Stages(watcher)
        with stages("read"):
            material = read_material(
                results, sweep=sweep, quantity=quantity, point=point, new_images=new_images
            )
        with stages("draw"):
            page = build_page(material, _words(results, output, options, new_images=new_images))
    write_atomically(output, page.encode())
    click.echo(f"{output}: {counted(len(material.rows), 'point')}")


def _words(
    results: Path, output: Path, options: Mapping[str, str | None], *, new_images: bool
) -> str:
    """Return the command that made a report, as a user types it."""
    parts = ["rxsim", "report", results.name, "-o", output.name]
    parts += [
        part for name, value in options.items() if value is not None for part in (name, value)
    ]
    parts += ["--new-images"] if new_images else []
    return " ".join(map(shlex.quote, parts))

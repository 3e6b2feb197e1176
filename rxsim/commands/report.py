"""`rxsim report`."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from rxsim.commands.arguments import FILE, new_images_option
from rxsim.commands.no_gc import nothing_collected
from rxsim.files import check_destination, write_atomically
from rxsim.report.html import build_page
from rxsim.report.labels import QUANTITIES
from rxsim.report.material import read_material


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
@nothing_collected()
def command(
    results: Path,
    output: Path,
    sweep: str | None,
    quantity: str | None,
    point: str | None,
    new_images: bool,
) -> None:
    """Write RESULTS as one HTML page that needs nothing else.

    RESULTS is what 'rxsim sweep' or 'rxsim eval --json' wrote. The page holds no scripts, loads
    nothing, is light or dark as the reader likes, and prints.
    """
    check_destination(output, [results])
    material = read_material(
        results, sweep=sweep, quantity=quantity, point=point, new_images=new_images
    )
    given = {"--sweep": sweep, "--quantity": quantity, "--point": point}
    parts = ["rxsim", "report", results.name, "-o", output.name]
    parts += [part for name, value in given.items() if value is not None for part in (name, value)]
    parts += ["--new-images"] if new_images else []
    page = build_page(material, " ".join(map(shlex.quote, parts)))
    write_atomically(output, page.encode())
    click.echo(f"{output}: {len(material.rows):,} points")

"""Types of arguments that commands share; light, so that light commands start at once."""

from __future__ import annotations

from pathlib import Path

import click

FILE = click.Path(path_type=Path)
new_images_option = click.option(
    "--new-images",
    is_flag=True,
    help="Intervals of points hold for new images too, not only chips.",
)

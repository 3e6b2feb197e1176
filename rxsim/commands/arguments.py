"""Types of arguments that commands share; light, so that light commands start at once."""

from __future__ import annotations

from pathlib import Path

import click

FILE = click.Path(path_type=Path)

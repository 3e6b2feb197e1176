"""`rxsim config show|schema|validate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from rxsim.commands.arguments import FILE
from rxsim.commands.options import read_settings, settings_options
from rxsim.config import Settings, as_full_yaml, load_settings, preset_files
from rxsim.devices import check_preset_files, check_presets
from rxsim.errors import SettingError
from rxsim.files import read_yaml_mapping


@click.group("config")
def command() -> None:
    """Show, describe or check settings."""


@command.command("show")
@settings_options
def show(**given: Any) -> None:
    """Print the resolved settings as YAML, every key with its value."""
    settings = read_settings(given)
    check_presets(settings)
    click.echo(as_full_yaml(settings), nl=False)


@command.command("schema")
def schema() -> None:
    """Print the JSON schema of a settings file."""
    click.echo(json.dumps(Settings.model_json_schema(), indent=2))


@command.command("validate")
@click.argument("files", type=FILE, nargs=-1, required=True, metavar="FILE...")
def validate(files: tuple[Path, ...]) -> None:
    """Check settings files; exit code 2 at the first that can't be used."""
    for path in files:
        if {"schema_version", "status"} <= set(read_yaml_mapping(path, "the settings file")):
            raise SettingError(
                f"{path} looks like a preset file, expected a settings file; "
                f"use 'rxsim presets {path}'"
            )
        settings = load_settings(path)
        check_preset_files(preset_files(path, ()))
        check_presets(settings)
        click.echo(f"{path}: ok")

"""The option --compensate: names of steps, short for --set compensate=[..]."""

from __future__ import annotations

from typing import Any

import click

from rxsim.errors import SettingError

compensate_option = click.option(
    "--compensate",
    metavar="STEP[,STEP]",
    help="Steps of compensation in their order, or auto: --set compensate=[STEP, STEP].",
)


def read_steps(given: dict[str, Any]) -> list[str] | None:
    """Read the names of --compensate; None without it.

    Raises:
        SettingError: a name is empty, or --set gives steps too.
    """
    text = given.get("compensate")
    if text is None:
        return None
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise SettingError(
            f"--compensate: found {text!r}, expected names of steps with commas between them, such as "
            "order,ranges; options of steps go to --set compensate=.."
        )
    if any(item.partition("=")[0].strip() == "compensate" for item in given["assignments"]):
        raise SettingError(
            "found --compensate beside --set compensate=.., expected one of them; leave the other out"
        )
    return names

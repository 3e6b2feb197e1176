"""The option --time: how long after programming cells are read."""

from __future__ import annotations

from typing import Any

import click

from rxsim.commands.options import F, read_settings
from rxsim.config import read_times, settings_over
from rxsim.errors import SettingError

_SETTING = "device.time"


def time_option(function: F) -> F:
    """Add --time for a single time."""
    text = "Time from programming to the read, such as 1d; short for --set device.time=1d."
    return click.option("--time", "times", metavar="TIME", help=text)(function)


def times_option(function: F) -> F:
    """Add --time for one time or several."""
    text = (
        "Time from programming to the read: 10s, 1h, 1d, 1y. Several, as 0,1h,1d,1y: the same chips at "
        "each; the ladder is that of the first."
    )
    return click.option("--time", "times", metavar="TIME[,TIME..]", help=text)(function)


def take_times(given: dict[str, Any], *, several: bool) -> tuple[float, ...]:
    """Read --time out of a command's options, and put the first time into its settings.

    Args:
        given: the options; `times` is taken out, and `assignments` gets the first time.
        several: whether there may be more than one.

    Returns:
        Seconds; none where the option is not given.

    Raises:
        SettingError: a time can't be used, or --set gives one too.
        InputError: the settings can't be read.
    """
    text = given.pop("times")
    if text is None:
        return ()
    times = read_times([part.strip() for part in text.split(",")], "--time")
    if len(times) > 1 and not several:
        raise SettingError(f"--time: found {text!r}, expected a single time; give one")
    names = [assignment.partition("=")[0].strip() for assignment in given["assignments"]]
    if _SETTING in names:
        raise SettingError(
            f"--time: found it together with --set {_SETTING}, expected one of them; leave one out"
        )
    given["assignments"] = (*given["assignments"], f"{_SETTING}={times[0]!r}")
    settings_over(read_settings(given), times)
    return times

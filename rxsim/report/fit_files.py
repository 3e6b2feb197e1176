"""The files that a fit is written to: the preset, a figure, all numbers."""

from __future__ import annotations

import json
from pathlib import Path

from rxsim.errors import SettingError
from rxsim.files import check_destination, write_together
from rxsim.fitting import DeviceFit, preset_text
from rxsim.fitting.fit_values import fit_values

_ENDINGS = {"preset": (".yaml", ".yml"), "plot": (".png", ".pdf", ".svg"), "json": ()}


def check_places(places: dict[str, tuple[str, Path]], table: Path | None) -> None:
    """Refuse names of files that can't be written, or that would not be known for what they are.

    Args:
        places: what a file is (preset, plot, json) -> what messages call its option, and its name.
        table: the table that is read, where it is a file.

    Raises:
        InputError: a name has a wrong ending, is that of another file, or can't be used.
    """
    for kind, (option, path) in places.items():
        endings = _ENDINGS[kind]
        if endings and path.suffix.lower() not in endings:
            ending = f"the ending {path.suffix}" if path.suffix else "no ending"
            raise SettingError(
                f"{option} {path}: found {ending}, expected {' or '.join(endings)}; rename it"
            )
        others = [other for name, (_, other) in places.items() if name != kind]
        check_destination(path, [table, *others])


def write_fit(fit: DeviceFit, places: dict[str, tuple[str, Path]]) -> None:
    """Write all files of a fit, or none.

    Args:
        fit: the fit.
        places: as `check_places` takes them.

    Raises:
        WriteError: the file system refused.
    """
    contents: dict[str, bytes] = {}
    if "json" in places:
        contents["json"] = (json.dumps(fit_values(fit), indent=1) + "\n").encode()
    if "plot" in places:
        from rxsim.report.fit_plot import draw_fit  # matplotlib: only where it is wanted

        contents["plot"] = draw_fit(fit, places["plot"][1].suffix[1:].lower())
    if "preset" in places:
        contents["preset"] = preset_text(fit).encode()
    write_together([(places[kind][1], [content]) for kind, content in contents.items()])

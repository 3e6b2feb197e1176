"""Devices from measurements."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from rxsim.fitting import DeviceFit, FitOptions, fit_device, preset_text
from rxsim.fitting.fit_values import fit_values
from rxsim.given import as_path, check_type
from rxsim.report.fit_files import check_places, write_fit
from rxsim.report.fit_terminal import fit_lines, fit_table, fit_title
from rxsim.report.notebook import as_html, as_text


class FittedDevice(DeviceFit):
    """A device as fitted; it prints as the table of `rxsim fit`."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Write the curves with their errors as text, and how well they fit."""
        return "\n".join([fit_title(self), as_text([fit_table(self)]), *fit_lines(self)])

    def _repr_html_(self) -> str:
        """Write the same for a notebook."""
        lines = "".join(f"<p>{html.escape(line)}</p>" for line in fit_lines(self))
        return f"<p>{html.escape(fit_title(self))}</p>{as_html([fit_table(self)])}{lines}"

    @property
    def preset(self) -> str:
        """The preset as the text of its file (YAML)."""
        return preset_text(self)

    def as_json(self) -> dict[str, Any]:
        """Return all numbers as plain values, as `rxsim fit --json` writes them."""
        return fit_values(self)


def fit(
    data: str | Path | Mapping[str, Any],
    output: str | Path | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    unit: str | None = None,
    time_unit: str | None = None,
    outliers: str = "report",
    outlier_bound: float | None = None,
    t0: float | None = None,
    read_time: float | None = None,
    plot: str | Path | None = None,
) -> FittedDevice:
    """Do what `rxsim fit` does: turn measured rows into a preset.

    Args:
        data: a CSV file, or columns in memory: names with units, such as "target_uS", -> numbers.
        output: where to write the preset, if anywhere; a name that ends in .yaml.
        columns: what a column is (target, achieved, time, read, cell) -> its name in the table.
        unit: of conductances whose name states none.
        time_unit: of times whose name states none; seconds if left out.
        outliers: "report": rows far from their level are only told; "drop": left out.
        outlier_bound: robust deviations beyond which a row is one.
        t0: seconds from programming to the reading in `achieved`; fitted if left out.
        read_time: seconds that a reading lasts; 250 ns if left out.
        plot: where to draw data and curves, if anywhere (.png, .pdf, .svg).

    Raises:
        DataError: the table can't be read, or does not tell what was asked.
        InputError: an argument can't be used.
        WriteError: a file can't be written.

    Example:
        >>> rxsim.fit("data.csv", "mydevice.yaml", unit="uS")
    """
    table = data if isinstance(data, Mapping) else as_path(data, "data")
    places = {
        kind: (name, as_path(value, name))
        for kind, name, value in (("preset", "output", output), ("plot", "plot", plot))
        if value is not None
    }
    check_places(places, table if isinstance(table, Path) else None)
    given: dict[str, Any] = {"t0": t0, "read_time": read_time, "outlier_bound": outlier_bound}
    for name, value in given.items():
        check_type(value, name, int | float | None, "a number")
    for name, text in (("unit", unit), ("time_unit", time_unit)):
        check_type(text, name, str | None, "a unit as text, such as 'uS'")
    check_type(columns, "columns", Mapping | None, "a mapping such as {'target': 'G_set'}")
    options = FitOptions(
        columns={str(role): str(name) for role, name in (columns or {}).items()},
        unit=unit,
        time_unit=time_unit,
        outliers=outliers,  # type: ignore[arg-type]  # checked there
        **{name: value for name, value in given.items() if value is not None},
    )
    made = fit_device(table, options)
    result = FittedDevice(**{field.name: getattr(made, field.name) for field in fields(made)})
    write_fit(result, places)
    return result

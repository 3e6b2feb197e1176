"""Draw the figures of docs/evidence/cost.md from three sweeps, and print their numbers.

Usage: python scripts/cost_figures.py FOLDER PICTURES

FOLDER holds cost-adc-share.sqlite, cost-adc-sharing.sqlite and cost-cell-bits.sqlite, which `rxsim
sweep` makes of the files of these names in configs/sweeps. PICTURES gets an SVG of each name.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from rxsim.errors import RxsimError
from rxsim.files import write_atomically
from rxsim.report.style import DASHES, MARKERS, SERIES, figure_style
from rxsim.store import PointSummary, open_results, summarise

Value = Callable[[PointSummary], float]


def read_points(path: Path) -> Sequence[PointSummary]:
    """Return the priced points of a sweep."""
    with open_results(path) as results:
        return [point for point in summarise(results).points if point.costs]


def draw_lines(
    axes: Axes,
    points: Iterable[PointSummary],
    by: Callable[[PointSummary], Any],
    x: Value,
    y: Value,
) -> None:
    """Draw a line for each value of `by`, through its points by rising x."""
    groups: dict[Any, list[PointSummary]] = {}
    for point in points:
        groups.setdefault(by(point), []).append(point)
    for place, (name, members) in enumerate(groups.items()):
        ends = sorted((x(point), y(point)) for point in members)
        style = {
            "color": SERIES[place % len(SERIES)],
            "marker": MARKERS[place % len(MARKERS)],
            "linestyle": DASHES[place % len(DASHES)],
        }
        axes.plot(*zip(*ends, strict=True), label=str(name), **style)


def plain_decades(axes: Axes, names: str) -> None:
    """Write 100 on logarithmic axes, as text without formulas needs it."""
    for name in names:
        axis = axes.xaxis if name == "x" else axes.yaxis
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())


def adc_share(points: Sequence[PointSummary], figure: Figure) -> None:
    """Shares of energy and area against bits, a line for each size of arrays."""
    panels = figure.subplots(1, 2, sharey=True)
    for axes, name in zip(panels, ("energy", "area"), strict=True):
        draw_lines(
            axes,
            points,
            by=lambda point: f"{point.values['crossbar.rows']} x {point.values['crossbar.rows']}",
            x=lambda point: float(point.values["adc.n_bits"]),
            y=lambda point, name=name: 100 * point.costs[f"adc_{name}_share"],  # type: ignore[misc]
        )
        axes.set(xlabel="ADC resolution (bits)", title=f"ADCs' share of {name} (%)", ylim=(0, 100))
    panels[0].legend(title="arrays", loc="lower right")


def adc_sharing(points: Sequence[PointSummary], figure: Figure) -> None:
    """Power against time, and area against columns for each ADC."""
    power, area = figure.subplots(1, 2)
    draw_lines(
        power,
        points,
        by=lambda point: f"{point.values['adc.n_bits']} bits",
        x=lambda point: 1e9 * point.costs["latency_s"],
        y=lambda point: 1e3 * point.costs["energy_j"] / point.costs["latency_s"],
    )
    power.set(xscale="log", yscale="log", xlabel="Time of an inference (ns)", title="Power (mW)")
    fine = [point for point in points if point.values["adc.n_bits"] == 10]
    for each in fine:
        seconds = each.costs["latency_s"]
        power.annotate(
            str(each.values["cost.adc_share"]),
            (1e9 * seconds, 1e3 * each.costs["energy_j"] / seconds),
            xytext=(4, 4),
            textcoords="offset points",
        )
    plain_decades(power, "xy")
    power.legend(loc="upper right")
    columns = [float(each.values["cost.adc_share"]) for each in fine]
    whole = [1e3 * each.costs["area_mm2"] for each in fine]
    adcs = [1e3 * each.costs["area_mm2"] * each.costs["adc_area_share"] for each in fine]
    area.plot(columns, whole, label="all", marker=MARKERS[0], color=SERIES[0])
    area.plot(columns, adcs, label="ADCs", marker=MARKERS[1], color=SERIES[1], linestyle=DASHES[1])
    area.set(xscale="log", yscale="log", xlabel="Columns for each ADC")
    area.set_title("Area, 10 bits (1000 µm²)")
    area.set_xticks([int(each) for each in columns], [f"{each:g}" for each in columns], minor=False)
    area.minorticks_off()
    plain_decades(area, "y")
    area.set_yticks([25, 50, 100, 200, 400, 800])
    area.legend()


def cell_bits(points: Sequence[PointSummary], figure: Figure) -> None:
    """Energy of all conversions, and of all, against the bits of a cell."""
    panels = figure.subplots(1, 2, sharey=True)
    for axes, which in zip(panels, ("conversions", "all components"), strict=True):
        draw_lines(
            axes,
            points,
            by=lambda point: (
                f"{point.values['cost.adc_model']}, {point.values['crossbar.rows']} rows"
            ),
            x=lambda point: float(point.values["mapping.bits_per_cell"]),
            y=lambda point, which=which: (  # type: ignore[misc]
                1e9
                * point.costs["energy_j"]
                * (point.costs["adc_energy_share"] if which == "conversions" else 1)
            ),
        )
        axes.set(
            xscale="log", yscale="log", xlabel="Bits of a cell", title=f"Energy of {which} (nJ)"
        )
        axes.set_xticks([1, 2, 4, 8], ["1", "2", "4", "8"], minor=False)
        axes.minorticks_off()
        plain_decades(axes, "y")
    panels[0].legend()


FIGURES = {
    "cost-adc-share": adc_share,
    "cost-adc-sharing": adc_sharing,
    "cost-cell-bits": cell_bits,
}


def print_numbers(name: str, points: Sequence[PointSummary]) -> None:
    """Print a sweep's points as a table in Markdown."""
    names = list(points[0].values)
    costs = ["energy_j", "area_mm2", "latency_s", "adc_energy_share", "adc_area_share"]
    print(f"\n{name}\n\n| {' | '.join([*names, 'score', *costs])} |")
    print("|" + "---|" * (len(names) + 1 + len(costs)))
    for point in points:
        score = "-" if point.mean is None else f"{point.mean:.4f}"
        numbers = (f"{point.costs[each]:.4g}" if each in point.costs else "-" for each in costs)
        print(f"| {' | '.join([*(str(point.values[each]) for each in names), score, *numbers])} |")


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    folder, pictures = Path(sys.argv[1]), Path(sys.argv[2])
    for name, draw in FIGURES.items():
        try:
            points = read_points(folder / f"{name}.sqlite")
        except RxsimError as error:
            sys.exit(f"{error} (rxsim sweep configs/sweeps/{name}.yaml)")
        with figure_style(8.0, figure__facecolor="#ffffff", svg__fonttype="none"):
            figure = Figure(figsize=(6.6, 2.7), layout="constrained")
            draw(points, figure)
            picture = io.BytesIO()
            figure.savefig(picture, format="svg", metadata={"Date": None})
        write_atomically(pictures / f"{name}.svg", picture.getvalue())
        print_numbers(name, points)


if __name__ == "__main__":
    main()

"""Search how bad a setting may be until a network loses 1, 5 and 20 points: a table and a figure.

Usage: RXSIM_ASSETS=FOLDER python scripts/loss_thresholds.py -o RESULTS [--networks a,b] [..]

The hardware is that of scripts/figure9.py: configs/rxnn-64.yaml with a write error. One setting (or
some that belong together) is varied, all others stay. Each question is that of `rxsim search`: the
worst of the listed values at which the mean over chips loses at most so much. RESULTS is a folder: a
results file for each network, thresholds.md, thresholds.svg. The same command goes on where it was
stopped.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from figure9_rows import ALL, WRITE_SIGMA, check_assets
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator
from script_options import make_folder, refuse, whole_number

import rxsim
from rxsim.errors import RxsimError
from rxsim.files import write_atomically
from rxsim.pipeline import DataOptions
from rxsim.report.style import MARKERS, SERIES, figure_bytes, figure_style, legend_beneath
from rxsim.search import Question, SearchResult, prepare_search, read_goal, run_search
from rxsim.store import open_results
from rxsim.sweep import Axis, LocalPool, ending

LOSSES = (1, 5, 20)
"""Points of accuracy that are lost at most."""
_PANELS_ASIDE = 3
R_ON, RATIO = 200_000.0, 7.0
"""Of configs/rxnn-64.yaml: 200 kohm to 1.4 Mohm."""


@dataclass(frozen=True, kw_only=True)
class Varied:
    """What is varied, and where it stands in the figure.

    Attributes:
        title: of its panel.
        names: settings that change together, with commas between them.
        values: the worst first; a list has a value for each setting.
        minimise: of `rxsim search`, for which the worst setting is the least hardware where points cost
            the same; None: all values are evaluated.
        factor: from the first setting's value to what is shown.
    """

    title: str
    names: str
    values: Sequence[Any]
    minimise: str | None = "arrays"
    factor: float = 1.0

    @property
    def shown(self) -> list[float]:
        """The values as they are shown, the worst first."""
        firsts = [each[0] if isinstance(each, list) else each for each in self.values]
        return [self.factor * float(first) for first in firsts]


VARIED = {
    "wires": Varied(
        title="wire (ohm a cell)",
        names="crossbar.r_wire_wl,crossbar.r_wire_bl",
        values=[320.0, 160.0, 80.0, 40.0, 20.0, 10.0, 5.0, 2.5, 1.0, 0.0],
    ),
    "r_min": Varied(
        title="R_min (kohm), on/off 7",
        names="device.r_on,device.r_off",
        values=[[1e3 * r, 1e3 * r * RATIO] for r in (6.25, 12.5, 25, 50, 100, 200, 400)],
        factor=1e-3,
    ),
    "on_off": Varied(
        title="on/off, R_min 200 kohm",
        names="device.r_off",
        values=[R_ON * ratio for ratio in (1.25, 1.5, 2, 3, 5, 7, 14)],
        factor=1 / R_ON,
    ),
    "write_error": Varied(
        title="write error (% of the range)",
        names="device.write_sigma",
        values=[0.2, 0.1, 0.05, 0.03, 0.02, 0.01, 0.005, 0.0],
        factor=100,
    ),
    "bits": Varied(
        title="bits of cells, DACs, ADCs",
        names="adc.n_bits,dac.n_bits,device.n_bits",
        values=[3, 4, 5, 6, 7, 8],
        minimise="converted_bits",
    ),
    "size": Varied(
        title="rows and columns",
        names="crossbar.rows,crossbar.cols",
        values=[256, 128, 64, 32, 16],
        minimise=None,  # of arrays that hold a layer, smaller ones would cost less
    ),
}


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """The worst value of a setting that a loss allows.

    Attributes:
        value: as it is shown; None where no value allows it.
        lost: mean loss there, a share; None likewise.
        proven: whether the whole 95 % interval for new images is within the loss.
    """

    value: float | None
    lost: float | None = None
    proven: bool = False


def threshold(result: SearchResult, varied: Varied) -> Threshold:
    """Return the worst value that met the goal."""
    first = varied.names.split(",")[0]
    met = {varied.factor * float(each.values[first]): each for each in result.points if each.meets}
    for value in varied.shown:
        if value in met:
            judged = met[value].judged
            return Threshold(value=value, lost=judged.value, proven=judged.proven)
    return Threshold(value=None)


def thresholds(name: str, key: str, results: Path, images: int, chips: int) -> list[Threshold]:
    """Search a network along one setting, for each loss.

    Args:
        name: of the network.
        key: of the setting.
        results: the results file.
        images: evaluated.
        chips: of a point.
    """
    varied = VARIED[key]
    files = {key: os.path.expandvars(path) for key, path in ALL[name].files.items()}
    data = {option: Path(file) for option, file in files.items() if option != "model"}
    base = {"device.write_sigma": WRITE_SIGMA, "mapping.w_max_scope": ALL[name].scopes[-1]}

    def settings_of(change: Mapping[str, Any]) -> Any:
        return rxsim.settings("configs/rxnn-64.yaml", changes={**base, **change}, trials=chips)

    prepared = prepare_search(
        Question(
            model=Path(files["model"]),
            options=DataOptions(limit=images, **data),
            settings_of=settings_of,
            axes=[Axis(varied.names, list(varied.values))],
            goal=read_goal("accuracy_drop<=1"),
            minimise=varied.minimise or "arrays",
            exhaustive=varied.minimise is None,
        ),
        threads=1,
    )
    told = []
    with ending(LocalPool(1, None)) as pool, open_results(results, write=True) as file:
        for loss in LOSSES:
            goal = read_goal(f"accuracy_drop<={loss / 100}")
            asked = replace(prepared, question=replace(prepared.question, goal=goal))
            told.append(threshold(run_search(asked, file, pool), varied))
    return told


def markdown(found: Mapping[str, Mapping[str, Sequence[Threshold]]]) -> str:
    """Return the table; `~` where the mean alone decides."""
    keys = [key for key in VARIED if any(key in each for each in found.values())]
    lines = [f"| network | {' | '.join(VARIED[key].title for key in keys)} |"]
    lines.append(f"|{'---|' * (1 + len(keys))}")
    for name, by_key in found.items():
        cells = [", ".join(map(_written, by_key.get(key, []))) for key in keys]
        lines.append(f"| {ALL[name].title} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _written(each: Threshold) -> str:
    if each.value is None:
        return "-"
    return ("" if each.proven else "~") + f"{each.value:g}"


def figure(found: Mapping[str, Mapping[str, Sequence[Threshold]]]) -> bytes:
    """Draw a panel for each setting, a line for each network, as SVG."""
    keys = [key for key in VARIED if any(key in each for each in found.values())]
    names = list(found)
    with figure_style(8.0, figure__facecolor="white", svg__fonttype="path"):
        columns = min(_PANELS_ASIDE, len(keys))
        rows = -(-len(keys) // columns)
        height = 0.24 * len(names) + 0.8
        drawn = Figure(figsize=(7.4, height * rows + 0.6), layout="constrained")
        FigureCanvasAgg(drawn)
        grid = drawn.subplots(rows, columns, sharey=True, squeeze=False)
        panels = grid.ravel()
        for axes in panels[len(keys) :]:
            axes.set_visible(False)
        for axes, key in zip(panels, keys, strict=False):
            _dress(axes, VARIED[key])
            for place, name in enumerate(names):
                _draw_marks(axes, place, found[name].get(key, []), VARIED[key])
        panels[0].set_yticks(range(len(names)), [ALL[name].title for name in names])
        panels[0].set_ylim(len(names) - 0.5, -0.5)
        handles = [
            Line2D([], [], ls="none", marker=marker, color=color, ms=5)
            for marker, color in zip(MARKERS, SERIES[: len(LOSSES)], strict=False)
        ]
        labels = [f"loses at most {loss} point{'s' * (loss > 1)}" for loss in LOSSES]
        legend_beneath(grid[-1, 0], handles, labels, ncols=len(LOSSES))
        return figure_bytes(drawn, "svg")


def _dress(axes: Axes, varied: Varied) -> None:
    """Place the values of a setting at equal distances, the worst to the right."""
    texts = [f"{value:g}" for value in reversed(varied.shown)]
    axes.set_xticks(range(len(texts)), texts, rotation=60)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(-0.6, len(texts) - 0.4)
    axes.set_title(varied.title)


def _draw_marks(axes: Axes, place: int, marks: Sequence[Threshold], varied: Varied) -> None:
    """Draw a network's marks of a panel, side by side; hollow where the worst value is allowed, too."""
    values = list(reversed(varied.shown))
    for number, each in enumerate(marks):
        if each.value is not None:
            x = values.index(each.value)
            color = SERIES[number]
            face = "#ffffff" if x == len(values) - 1 else color
            y = place + 0.22 * (number - (len(LOSSES) - 1) / 2)
            look = {"markerfacecolor": face, "markeredgecolor": color}
            axes.plot(x, y, marker=MARKERS[number], ls="none", ms=4.5, **look)


def main(words: Sequence[str]) -> None:
    """Search all networks along all settings, and write table and figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, required=True, help="a folder")
    names = "digits_mlp,digits_cnn,digits_resnet,digits_dsconv,lenet,resnet8,resnet20"
    parser.add_argument("--networks", default=names)
    parser.add_argument("--settings", default=",".join(VARIED), help=f"some of {', '.join(VARIED)}")
    parser.add_argument("--limit", type=whole_number, default=300, help="images, at most")
    parser.add_argument("--chips", type=whole_number, default=3)
    given = parser.parse_args(words)
    wanted, keys = given.networks.split(","), given.settings.split(",")
    for option, listed, known in (("networks", wanted, ALL), ("settings", keys, VARIED)):
        wrong = [name for name in listed if name not in known]
        if wrong:
            refuse(f"--{option}: found {', '.join(wrong)}, expected some of {', '.join(known)}")
    check_assets(wanted)
    make_folder(given.output)
    found: dict[str, dict[str, list[Threshold]]] = {}
    for name in wanted:
        for key in keys:
            results = given.output / f"{name}.sqlite"
            try:
                told = thresholds(name, key, results, given.limit, given.chips)
            except RxsimError as error:
                refuse(f"{name}, {key}: {error}")
            found.setdefault(name, {})[key] = told
            print(f"{name}, {key}: {', '.join(map(_written, told))}", flush=True)
        write_atomically(given.output / "thresholds.md", markdown(found).encode())
        write_atomically(given.output / "thresholds.svg", figure(found))
    print(f"\n{markdown(found)}")


if __name__ == "__main__":
    main(sys.argv[1:])

"""The HTML report: its numbers against plain ones, its form, and names that try to break it."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from html_page import Page
from known import known
from made_results import CLEAN, made_point, sha, write_sweep
from scipy import stats

from rxsim.commands.report import command
from rxsim.errors import InputError
from rxsim.report.curves import levels_of, mean_over
from rxsim.report.html import build_page
from rxsim.report.html.ladder_section import ladder_numbers
from rxsim.report.html.pairs_section import means_of_pair
from rxsim.report.html.pareto_section import front_of
from rxsim.report.labels import LABELS, QUANTITIES
from rxsim.report.material import Row, read_material
from rxsim.report.scales import axis_of
from rxsim.statistics import population_interval


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    path = tmp_path_factory.mktemp("report") / "sweep.sqlite"
    return path, write_sweep(path, wires=(1.0, 2.5, 10.0), bits=(5, 8), failures=2)


@pytest.fixture(scope="module")
def text(swept: tuple[Path, list[Any]]) -> str:
    return build_page(read_material(swept[0]))


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=True)


def t_interval(values: np.ndarray) -> tuple[float, float]:
    low, high = stats.t.interval(
        0.95, len(values) - 1, loc=np.mean(values), scale=stats.sem(values)
    )
    return max(float(low), 0.0), min(float(high), 1.0)


def percent(value: float) -> str:
    return f"{100 * value:.2f}"


def span(bounds: tuple[float, float]) -> str:
    return f"{percent(bounds[0])} to {percent(bounds[1])}"


def test_the_page_is_well_formed_and_needs_nothing_else(text: str, page: Page) -> None:
    assert len(page.ids) == len(set(page.ids)), Counter(page.ids).most_common(3)
    assert page.tags["script"] == page.tags["link"] == page.tags["iframe"] == page.tags["img"] == 0
    for tag, attributes in page.attributes:
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("href", "src", "xlink:href") and not (value or "").startswith(
                ("#", "data:")
            ):
                assert tag == "a"
            for reference in re.findall(r"url\(([^)]*)\)", value or ""):
                assert reference[0] == "#"
                assert reference[1:] in page.ids
            if name == "href" and (value or "").startswith("#"):
                assert (value or "")[1:] in page.ids
    assert "url(" not in text.split("</style>")[0]
    (policy,) = [
        found["content"]
        for tag, found in page.attributes
        if tag == "meta" and found.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:;")


def test_every_drawing_has_a_text_alternative(page: Page) -> None:
    drawings = [attributes for tag, attributes in page.attributes if tag == "svg"]
    assert len(drawings) >= 2 + 3 + 3 + 1  # ladder, layers, three axes, three pairs, front
    for attributes in drawings:
        assert attributes["role"] == "img"
        named = (attributes["aria-labelledby"] or "").split()
        assert len(named) == 2
        assert set(named) <= set(page.ids)
    assert page.tags["title"] == 1 + len(drawings)
    assert page.tags["desc"] == len(drawings)


def test_headings_are_in_order(page: Page) -> None:
    levels = [int(tag[1]) for tag, _ in page.attributes if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_the_numbers_of_all_points_are_those_of_the_rows(
    swept: tuple[Path, list[Any]], page: Page
) -> None:
    rows = {row[0]: row for row in page.table("key")}
    assert len(rows) == len(swept[1])
    for point, trials in swept[1]:
        values = np.array([t.values["accuracy"] for t in trials if t.status == "done"])
        expected = [
            point.key[:10],
            str(point.settings["crossbar"]["rows"]),
            f"{point.settings['crossbar']['r_wire_wl']:g}",
            str(point.settings["adc"]["n_bits"]),
            percent(values.mean()),
            percent(values.std(ddof=1)),
            span(t_interval(values)),
            str(len(values)),
            str(5 - len(values)) if len(values) < 5 else "-",
            str(point.details["totals"]["arrays"]),
        ]
        assert rows[point.key[:10]][: len(expected)] == expected


def test_an_average_over_points_is_taken_chip_by_chip(
    swept: tuple[Path, list[Any]], page: Page
) -> None:
    """Averages over array sizes: Student t over the chips' own averages over the points."""
    rows = page.table("ADC resolution (bits)", "Wordline resistance per cell")
    intervals = 0
    for bits, line, mean, interval, points, chips in rows:
        some = [
            [t.values["accuracy"] for t in trials if t.status == "done"]
            for point, trials in swept[1]
            if str(point.settings["adc"]["n_bits"]) == bits
            and f"{point.settings['crossbar']['r_wire_wl']:g} Ω" == line
        ]
        assert (len(some), points) == (3, "3")
        assert mean == percent(np.mean([np.mean(values) for values in some]))
        if any(len(values) < 5 for values in some):
            assert (interval, chips) == ("-", "-")
            continue
        intervals += 1
        assert (interval, chips) == (span(t_interval(np.mean(some, axis=0))), "5")
    assert (len(rows), intervals) == (6, 4)


def test_points_with_different_chips_have_an_average_but_no_interval() -> None:
    def row(key: str, values: list[float]) -> Row:
        bounds = None if len(values) < 2 else t_interval(np.array(values))
        chips = tuple(range(len(values)))
        return Row(
            key=key,
            model="m",
            data=None,
            settings={},
            done=len(values),
            failed=0,
            mean=float(np.mean(values)),
            std=None,
            interval=bounds,
            chips=chips,
            values=np.array(values),
        )

    unequal = mean_over([row("a", [0.5, 0.7, 0.6]), row("b", [0.2, 0.4])], QUANTITIES["accuracy"])
    assert unequal is not None
    assert unequal.mean == pytest.approx((0.6 + 0.3) / 2)
    assert unequal.bounds is None


def test_chips_that_all_points_share_do_not_count_as_many() -> None:
    """Points with the same draws tell no more of other chips than one of them does."""
    rng = np.random.default_rng(3)
    chips = np.clip(0.7 + 0.05 * rng.standard_normal(5), 0, 1)
    same = [
        Row(
            key=str(i),
            model="m",
            data=None,
            settings={},
            done=5,
            failed=0,
            mean=float(chips.mean()),
            std=None,
            interval=t_interval(chips),
            chips=tuple(range(5)),
            values=chips,
        )
        for i in range(8)
    ]
    found = mean_over(same, QUANTITIES["accuracy"])
    assert found is not None
    assert found.bounds == pytest.approx(t_interval(chips))


def test_the_heat_map_holds_means_over_the_rest(swept: tuple[Path, list[Any]]) -> None:
    rows = read_material(swept[0]).rows
    x, y = levels_of(rows, "crossbar.r_wire_wl"), levels_of(rows, "crossbar.rows")
    found = means_of_pair(rows, x, y, QUANTITIES["accuracy"])
    assert len(found) == 9
    for (i, j), mean in found.items():
        expected = [
            np.mean([t.values["accuracy"] for t in trials if t.status == "done"])
            for point, trials in swept[1]
            if point.settings["crossbar"]["rows"] == (32, 64, 128)[i]
            and point.settings["crossbar"]["r_wire_wl"] == (1.0, 2.5, 10.0)[j]
        ]
        assert mean.mean == pytest.approx(np.mean(expected), abs=1e-12)


@pytest.mark.parametrize("higher", [True, False])
def test_the_pareto_front_is_that_of_brute_force(higher: bool) -> None:
    rng = np.random.default_rng(11)
    quantity = QUANTITIES["accuracy" if higher else "mse"]
    for _ in range(40):
        rows = [
            Row(
                key=str(i),
                model="m",
                data=None,
                settings={},
                done=1,
                failed=0,
                mean=float(mean),
                std=None,
                interval=None,
                costs={"arrays": float(cost)},
            )
            for i, (cost, mean) in enumerate(rng.integers(1, 7, size=(30, 2)))
        ]
        sign = 1 if higher else -1

        def beats(one: Row, other: Row, sign: int = sign) -> bool:
            better = sign * ((one.mean or 0) - (other.mean or 0))
            cheaper = other.costs["arrays"] - one.costs["arrays"]
            return better >= 0 and cheaper >= 0 and (better > 0 or cheaper > 0)

        expected = {row.key for row in rows if not any(beats(other, row) for other in rows)}
        assert {row.key for row in front_of(rows, "arrays", quantity)} == expected


def test_the_ladder_shows_the_best_point_or_the_chosen_one(
    swept: tuple[Path, list[Any]], page: Page
) -> None:
    def mean(trials: list[Any]) -> float:
        return float(np.mean([t.values["accuracy"] for t in trials if t.status == "done"]))

    rungs = page.table("rung")
    assert [row[0] for row in rungs] == ["float32", "weights", "ideal", "nonideal"]
    assert rungs[0][1] == percent(CLEAN)
    assert rungs[3][1] == percent(max(mean(trials) for _, trials in swept[1]))
    other, trials = swept[1][-1]
    material = read_material(swept[0], point=other.key[:12].upper())
    assert material.chosen is not None
    numbers = ladder_numbers(material.chosen, material.quantity)[3]
    assert numbers.mean == pytest.approx(mean(trials))
    table = np.stack([t.hits for t in trials])
    found = population_interval(table)
    assert found is not None
    assert numbers.new == pytest.approx((found.low, found.high))
    with pytest.raises(InputError, match="the beginning of 0 keys among those of 18 points"):
        read_material(swept[0], point="xyz")


def test_failed_chips_stand_with_their_sentence(text: str, page: Page) -> None:
    rows = page.table("key", "point", "chip", "why")
    assert [row[3] for row in rows] == ["layer fc: found 3 columns <b>beyond</b> the array"] * 2
    assert "<b>" not in text


def test_the_same_results_give_the_same_bytes(tmp_path: Path) -> None:
    """In another process too, where sets and hashes come in another order."""
    path = tmp_path / "small.sqlite"
    write_sweep(path, rows=(32, 64), wires=(1.0, 3.0), trials=2, names=["conv1", "fc"])
    script = (
        "import sys, hashlib; from pathlib import Path\n"
        "from rxsim.report.html import build_page\n"
        "from rxsim.report.material import read_material\n"
        "page = build_page(read_material(Path(sys.argv[1])))\n"
        "print(hashlib.sha256(page.encode()).hexdigest())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        env={**os.environ, "PYTHONHASHSEED": "17"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == sha(build_page(read_material(path)))


def test_an_evaluation_is_a_report_of_one_point(tmp_path: Path) -> None:
    point = made_point({}, names=["conv1", "fc"])
    assert point.details is not None
    nonideal = {**point.details["ladder"]["ideal"], "trials": 3}
    each = [0.80, 0.85, 0.90]
    nonideal["accuracy"] = {
        "mean": 0.85,
        "std": 0.05,
        "interval_these_images": list(t_interval(np.array(each))),
        "interval_new_images": [0.7, 0.99],
        "per_trial": each,
    }
    content = {
        **point.details,
        "ladder": {**point.details["ladder"], "nonideal": nonideal},
        "settings": {**point.settings, "trials": 3},
    }
    path, output = tmp_path / "eval.json", tmp_path / "report.html"
    path.write_text(json.dumps(content))
    result = run(path, "-o", output)
    assert (result.exit_code, result.exception) == (0, None)
    page = Page(output.read_text())
    assert page.table("rung")[3][1:6] == [
        *("85.00", "\N{MINUS SIGN}5.10", "5.00", span(t_interval(np.array(each)))),
        "70.00 to 99.00",
    ]
    assert [row[0] for row in page.table("layer", "matrix")] == ["conv1", "fc"]
    assert "rxsim report eval.json -o report.html" in page.text


def test_the_report_never_takes_the_place_of_the_results(swept: tuple[Path, list[Any]]) -> None:
    before = swept[0].read_bytes()
    result = run(swept[0], "-o", swept[0])
    assert isinstance(result.exception, InputError)
    assert "another file of this command" in str(result.exception)
    assert swept[0].read_bytes() == before


def test_many_points_are_cut_to_the_best(tmp_path: Path) -> None:
    path = tmp_path / "many.sqlite"
    wires = np.linspace(0.5, 9.0, 230).tolist()
    write_sweep(path, rows=(64,), wires=wires, trials=2, names=["conv1"])
    material = read_material(path)
    page = Page(build_page(material))
    rows = page.table("key")
    means = sorted((row.mean or 0 for row in material.rows), reverse=True)
    assert [row[2] for row in rows] == [percent(mean) for mean in means[:200]]
    assert any("best 200 of 230 points" in piece for piece in page.text)
    # The wires take 230 values: equally filled parts, each with all its points.
    bins = page.table("Wordline resistance per cell (Ω)", "Accuracy (%)")
    assert sum(int(row[3]) for row in bins) == 230
    ordered = [
        known(row.mean)
        for row in sorted(material.rows, key=lambda r: r.settings["crossbar.r_wire_wl"])
    ]
    first = int(bins[0][3])
    assert bins[0][1] == percent(float(np.mean(ordered[:first])))


@pytest.mark.parametrize(
    ("values", "numeric", "log"),
    [
        ([1, 10, 100], True, True),
        ([32, 64, 128], True, True),
        ([4, 5, 6, 8], True, False),
        ([0, 1, 10, 100], True, False),
        ([1, 2, 3, 4, 5], True, False),
        ([1e-6, 5e-6, 2e-5], True, True),
        ([4, 6, None], False, False),
        (["left", "right"], False, False),
        ([True, False], False, False),
    ],
)
def test_an_axis_has_the_scale_that_its_values_lie_evenly_on(
    values: list[Any], numeric: bool, log: bool
) -> None:
    axis = axis_of("crossbar.rows", values)
    assert (axis.numeric, axis.log, len(axis)) == (numeric, log, len(values))


def test_every_label_is_of_a_setting_that_there_is() -> None:
    from rxsim.config import Settings
    from rxsim.schema import dotted_names

    known = {*dotted_names(Settings), "model", "data", "images", "config", "point"}
    assert set(LABELS) <= known

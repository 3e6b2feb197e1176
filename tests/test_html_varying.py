"""The report of points that differ in what no setting tells, or that are random only in part."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from html_page import Page
from made_results import details_of, made_point, made_trial

from rxsim.commands.report import command
from rxsim.store import Point, open_results

ALL_THE_SAME = "Nothing in these settings is random"


def page_of(path: Path) -> Page:
    output = path.with_suffix(".html")
    result = CliRunner().invoke(command, [str(path), "-o", str(output)])
    assert result.exit_code == 0, result.exception
    return Page(output.read_text())


def written(path: Path, *rows: tuple[Point, dict[str, Any], list[float]]) -> Page:
    with open_results(path, write=True) as results:
        for point, changes, accuracies in rows:
            told = {**details_of(point.settings, ["conv1"]), **changes}
            for number, accuracy in enumerate(accuracies):
                results.add(point, made_trial(point, number, accuracy), told)
    return page_of(path)


def point_with(bits: int) -> Point:
    return made_point({"adc.n_bits": bits}, details=False)


def test_the_number_of_evaluated_inputs_is_a_range_and_groups_points(tmp_path: Path) -> None:
    page = written(
        tmp_path / "r.sqlite",
        *((point_with(bits), {"images": n}, [0.5 + bits / 100]) for bits, n in ((4, 20), (6, 30))),
    )
    text = " ".join(page.text)
    assert "evaluated on 20 to 30 inputs of cifar10_test.npz" in text
    (table,) = [table for table in page.tables if table[0][0] == "key"]
    place = table[0].index("images")
    assert sorted(row[place] for row in table[1:]) == ["20", "30"]


def test_one_number_of_inputs_is_no_range(tmp_path: Path) -> None:
    page = written(tmp_path / "r.sqlite", *((point_with(n), {}, [0.5]) for n in (4, 6)))
    assert "evaluated on 500 inputs of cifar10_test.npz" in " ".join(page.text)


@pytest.mark.parametrize(
    ("told", "chips", "said"),
    [
        ((True, True), ([0.9], [0.8]), True),
        ((True, False), ([0.9], [0.8]), False),
        ((False, True), ([0.9], [0.8]), False),
        ((True, None), ([0.9], [0.8]), False),
        ((True, False), ([0.9, 0.9], [0.8, 0.7]), False),
    ],
)
def test_that_nothing_is_random_is_said_of_all_points_or_not_at_all(
    told: tuple[bool | None, ...], chips: tuple[list[float], ...], said: bool, tmp_path: Path
) -> None:
    """The first point is the best one."""
    page = written(
        tmp_path / "r.sqlite",
        *(
            (point_with(bits), {"deterministic": value}, accuracies)
            for bits, value, accuracies in zip((8, 4), told, chips, strict=True)
        ),
    )
    assert (ALL_THE_SAME in " ".join(page.text)) == said

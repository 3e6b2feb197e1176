"""Two evaluations compared, against plain numpy and scipy on their predictions."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from known import known
from scipy import stats

import rxsim
from rxsim.cli import main
from rxsim.comparison import Criteria, compare, taken
from rxsim.report.comparison_terminal import verdict_sentence
from rxsim.statistics import difference_interval

MODEL = Path(__file__).parents[1] / "models" / "digits_mlp.onnx"
IMAGES = 400


def made(
    hits: np.ndarray, *, deterministic: bool = False, seed: int = 0, **settings: Any
) -> dict[str, Any]:
    """The parts of an evaluation's JSON that count: ten classes, label 0, hits (chips, images)."""
    predictions = np.where(hits, 0, 1)
    clean = [[0] * hits.shape[1]]
    return {
        "metric": "top1",
        "deterministic": deterministic,
        "settings": {"adc": {"n_bits": 6}, **settings},
        "provenance": {
            "model": {"name": "m.onnx", "sha256": "a" * 64},
            "data": {"name": "d.npz", "sha256": "b" * 64},
            "seed": seed,
        },
        "images": {
            "indices": list(range(hits.shape[1])),
            "labels": [0] * hits.shape[1],
            "predictions": {"float32": clean, "ideal": clean, "nonideal": predictions.tolist()},
        },
    }


def drawn(share: float, chips: int = 6, number: int = 0) -> np.ndarray:
    return np.asarray(np.random.default_rng(number).random((chips, IMAGES)) < share)


def test_the_change_is_paired_by_chip_and_image() -> None:
    before, after = drawn(0.9), drawn(0.85, number=1)
    found = compare(taken(made(before), "a"), taken(made(after), "b"))
    each = after.mean(axis=1) - before.mean(axis=1)
    low, high = stats.t.interval(0.95, 5, each.mean(), stats.sem(each))
    these, new = known(found.these_images), known(found.new_images)
    assert found.change == pytest.approx(each.mean(), rel=1e-12)
    assert (these.low, these.high) == pytest.approx((low, high), rel=1e-9)
    wanted = known(difference_interval(after.astype(float) - before))
    assert (new.low, new.high) == (wanted.low, wanted.high)
    lost = (before.astype(int) - after).sum(axis=0)
    drop = found.drop
    assert (drop.worse, drop.better) == ((lost > 0).sum(), (lost < 0).sum())
    assert drop.differing == (before != after).sum()


def test_a_deterministic_side_stands_for_every_chip() -> None:
    one, many = drawn(0.95, 1), drawn(0.8, 5, 1)
    found = compare(
        taken(made(one.repeat(3, axis=0), deterministic=True), "a"), taken(made(many), "b")
    )
    assert found.chips == 5
    each = many.mean(axis=1) - one.mean()
    assert known(found.std) == pytest.approx(each.std(ddof=1), rel=1e-12)
    assert known(found.verdict).outcome == "regression"


def test_two_single_chips_are_compared_by_mcnemars_exact_test() -> None:
    before, after = drawn(0.9, 1), drawn(0.8, 1, 1)
    sides = [made(hits, deterministic=True) for hits in (before, after)]
    found = compare(taken(sides[0], "a"), taken(sides[1], "b"))
    lost, gained = (before & ~after).sum(), (after & ~before).sum()
    p = stats.binomtest(int(lost), int(lost + gained), alternative="greater").pvalue
    assert (found.these_images, found.drawn) == (None, False)
    # The verdict takes the larger of two p-values: this and Student's.
    student = stats.ttest_rel(before[0].astype(float), after[0], alternative="greater").pvalue
    assert known(found.verdict).p == pytest.approx(max(p, student), rel=1e-9)


def test_of_different_numbers_of_chips_the_first_are_compared() -> None:
    before, after = drawn(0.9, 6), drawn(0.85, 4, 1)
    found = compare(taken(made(before), "a"), taken(made(after, seed=1), "b"))
    assert found.chips == 4
    assert found.accuracy[0] == pytest.approx(before[:4].mean())
    assert "the first 4 of both" in found.notes[0]
    assert "the seeds differ (0 and 1)" in found.notes[1]


def whole(side: dict[str, Any], images: int = IMAGES) -> dict[str, Any]:
    side["provenance"]["data"]["samples"] = images
    return side


def test_where_no_hit_differs_there_is_no_interval_of_nil() -> None:
    side = taken(made(drawn(0.9)), "a")
    found = compare(side, side)
    assert (found.change, found.these_images, found.new_images) == (0.0, None, None)
    assert json.dumps(found.as_json(), allow_nan=False)


def test_no_difference_on_few_images_proves_nothing_of_others() -> None:
    """The bound on the share that differs is that of Clopper and Pearson, one-sided."""
    first = made(drawn(0.9, 1)[:, :5], deterministic=True)
    second = made(drawn(0.9, 1)[:, :5], deterministic=True, adc={"n_bits": 8})
    found = compare(taken(first, "a"), taken(second, "b"))
    bound = stats.binomtest(0, 5, alternative="less").proportion_ci(0.99, "exact").high
    assert found.drop.high == pytest.approx(bound, rel=1e-9)
    verdict = known(found.verdict)
    assert (verdict.outcome, found.as_json()["verdict"]["outcome"]) == ("undecided",) * 2
    said = verdict_sentence(found)
    assert "a drop of up to 60 points (1 - 0.01^(1/5)) is possible" in said
    # So many images would do, and one less would not.
    _, images = known(verdict.needed)
    assert f"{images} images without a difference" in said
    for count, outcome in ((images, "passed"), (images - 1, "undecided")):
        same = np.ones((1, count), bool)
        sides = [made(same, deterministic=True, adc={"n_bits": bits}) for bits in (6, 8)]
        found = compare(taken(sides[0], "a"), taken(sides[1], "b"))
        high = stats.binomtest(0, count, alternative="less").proportion_ci(0.99, "exact").high
        assert (known(found.verdict).outcome, high < 0.01) == (outcome, outcome == "passed")
        assert ("1 point or more is ruled out" in verdict_sentence(found)) == (outcome == "passed")


def test_on_the_whole_data_these_images_may_be_asked_about() -> None:
    before, after = drawn(0.9, 1), drawn(0.9, 1)
    after[0, np.flatnonzero(after[0])[:3]] = False
    these = Criteria(these_images=True)

    def judged(second: np.ndarray, **given: Any) -> Any:
        sides = [whole(made(hits, deterministic=True)) for hits in (before, second)]
        return compare(taken(sides[0], "a"), taken(sides[1], "b"), **given)

    same = judged(before, criteria=these)
    assert known(same.verdict).outcome == "passed"
    assert verdict_sentence(same).endswith("on these images every hit is the same.")
    assert known(judged(before).verdict).outcome == "undecided"
    # 3 of 400 are lost for sure: a regression where that matters.
    for smallest, outcome in ((0.01, "passed"), (0.005, "regression")):
        found = judged(after, criteria=Criteria(these_images=True, smallest_drop=smallest))
        assert (known(found.verdict).outcome, found.drop.high) == (outcome, 3 / IMAGES)
    for side in (whole(made(before), IMAGES + 1), made(before)):
        with pytest.raises(
            rxsim.RxsimError, match=r"--these-images: found 400 images.*, expected all images"
        ):
            compare(taken(side, "a"), taken(side, "b"), criteria=these)


def test_of_these_images_only_chips_are_a_sample() -> None:
    before, after = drawn(0.9), drawn(0.85, number=1)
    these = Criteria(these_images=True)
    sides = [taken(whole(made(hits)), "a") for hits in (before, after)]
    found = compare(*sides, criteria=these)
    lost = before.mean(axis=1) - after.mean(axis=1)
    high = lost.mean() + stats.t.ppf(0.99, 5) * stats.sem(lost)
    assert found.drop.high == pytest.approx(high, rel=1e-9)
    p = stats.ttest_1samp(lost, 0, alternative="greater").pvalue
    assert known(found.verdict).p == pytest.approx(p, rel=1e-9)
    # Chips without any difference say little of other chips.
    same = compare(sides[0], sides[0], criteria=these)
    assert known(same.verdict).outcome == "undecided"
    assert same.drop.high == pytest.approx(1 - 0.01 ** (1 / 6))
    assert "on new chips a drop of up to 54 points" in verdict_sentence(same)
    # Nor do chips that all lost the same.
    alike = [taken(whole(made(np.tile(hits[:1], (6, 1)))), "a") for hits in (before, after)]
    found = compare(*alike, criteria=these)
    assert (known(found.verdict).outcome, found.drop.low, found.drop.high) == ("undecided", -1, 1)


def test_where_only_the_seed_differs_there_is_no_verdict() -> None:
    low, high = made(drawn(0.6)), made(drawn(0.99, number=1), seed=1)
    for side, seed in ((low, 0), (high, 1)):
        side["settings"]["seed"] = seed
    found = compare(taken(low, "a"), taken(high, "b"))
    assert (found.verdict, found.drop.mean < -0.3) == (None, True)
    assert "no setting but the seed differs: the difference is chance" in verdict_sentence(found)
    assert "improved" not in verdict_sentence(found)
    plain = found.as_json()["verdict"]
    assert (plain["outcome"], plain["improved"], plain["p"]) == (None, False, None)
    # Where more differs there is one.
    high["settings"]["adc"] = {"n_bits": 8}
    found = compare(taken(low, "a"), taken(high, "b"))
    assert known(found.verdict).improved
    assert "passed (improved)" in verdict_sentence(found)


def test_without_labels_agreement_is_compared() -> None:
    before, after = made(drawn(0.9)), made(drawn(0.5, number=1))
    for side in (before, after):
        side["metric"], side["images"]["labels"] = "none", None
    found = compare(taken(before, "a"), taken(after, "b"))
    assert found.metric == "agreement"
    assert found.accuracy[1] == pytest.approx(drawn(0.5, number=1).mean())
    before["remarks"] = {"single_value": "one output"}
    with pytest.raises(rxsim.RxsimError, match="its output is a single value"):
        compare(taken(before, "a"), taken(after, "b"))


def test_settings_and_models_that_differ_are_listed() -> None:
    before, after = made(drawn(0.9)), made(drawn(0.9), adc={"n_bits": 8, "share": 2})
    after["provenance"]["model"] = {"name": "n.onnx", "sha256": "c" * 64}
    found = compare(taken(before, "a"), taken(after, "b"))
    assert found.settings == {"adc.n_bits": (6, 8), "adc.share": (None, 2)}
    assert "the models differ: m.onnx" in found.notes[0]


def test_other_labels_on_the_same_images_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = made(drawn(0.9)), made(drawn(0.9))
    after["images"]["labels"] = [1, 1, *[0] * (IMAGES - 2)]
    for name, side in (("a.json", before), ("b.json", after)):
        (tmp_path / name).write_text(json.dumps(side))
    with pytest.raises(SystemExit) as end:
        main(["compare", str(tmp_path / "a.json"), str(tmp_path / "b.json")])
    out, err = capsys.readouterr()
    assert (end.value.code, out) == (2, "")
    assert "other labels than in" in err
    assert "for 2 images" in err
    # Agreement needs no labels; nor are they compared where a side has none.
    assert compare(taken(before, "a"), taken(after, "b"), metric="agreement").change == 0
    after["images"]["labels"] = None
    with pytest.raises(rxsim.RxsimError, match="found no hits"):
        compare(taken(before, "a"), taken(after, "b"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"data": {"name": "e.npz", "sha256": "d" * 64}}, "found the data e.npz"),
        ({"data": None}, "its inputs are made up"),
        ({"indices": list(range(1, IMAGES + 1))}, "other images of the data"),
        ({"labels": [0]}, "rows of 1 numbers"),
        ({"predictions": {"nonideal": [[1], [1, 2]]}}, "rows of 400 numbers"),
        ({"predictions": {"nonideal": [[0] * IMAGES]}}, "no predictions of float32"),
        ({"seed": "x"}, "provenance.seed: found 'x'"),
    ],
)
def test_what_can_not_be_compared_is_refused(change: dict[str, Any], words: str) -> None:
    before, after = made(drawn(0.9)), copy.deepcopy(made(drawn(0.9)))
    ((name, value),) = change.items()
    after["provenance" if name in ("data", "seed") else "images"][name] = value
    with pytest.raises(rxsim.RxsimError, match=words):
        compare(taken(before, "a"), taken(after, "b"))


def test_the_command_exits_with_1_only_where_that_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    first.write_text(json.dumps(made(drawn(0.95))))
    second.write_text(json.dumps(made(drawn(0.6, number=1))))
    codes = []
    for more in ([], ["--fail-on-regression"], ["--level=2", "--json=-"], ["--rung=x"]):
        with pytest.raises(SystemExit) as end:
            main(["compare", str(first), str(second), *more])
        codes.append(end.value.code)
    out, err = capsys.readouterr()
    assert codes == [0, 1, 2, 2]
    assert out.count("Verdict: REGRESSION") == 2
    assert "level: found" in err
    assert "rung: found 'x'" in err
    with pytest.raises(SystemExit):
        main(["compare", str(first), str(second), "--json", str(first)])
    assert "another file of this command" in capsys.readouterr().err
    assert json.loads(first.read_text())["metric"] == "top1"


def test_python_and_command_give_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {"crossbar.rows": 32, "crossbar.cols": 32, "device.write_sigma": 0.05}
    coarse, fine = (
        rxsim.evaluate(MODEL, {**settings, "adc.n_bits": bits}, limit=60, trials=2)
        for bits in (4, 8)
    )
    paths = []
    for name, result in (("first", coarse), ("second", fine)):
        paths.append(tmp_path / f"{name}.json")
        paths[-1].write_text(json.dumps(result.as_json()))
    with pytest.raises(SystemExit):
        main(["compare", *map(str, paths), "--json=-"])
    written = json.loads(capsys.readouterr().out)
    found = rxsim.compare(coarse, fine)
    plain = found.as_json()
    assert {**written, "first": 0, "second": 0} == {**plain, "first": 0, "second": 0}
    assert plain["settings"] == {"adc.n_bits": [4, 8]}
    assert found.change == pytest.approx(
        known(fine.rung("nonideal").table("accuracy")).mean()
        - known(coarse.rung("nonideal").table("accuracy")).mean()
    )
    assert "Verdict:" in repr(found)

"""The baseline's file: it comes back as it was, and what is damaged is refused."""

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rxsim.errors import InputError
from rxsim.gate import Record, read_baseline, to_json
from rxsim.gate.baseline import NamedHash, Sources


def a_record(chips: int, images: int) -> Record:
    """Random hits of a case."""
    rng = np.random.default_rng(chips * images)
    hashed = NamedHash(name="net.onnx", sha256="1" * 64)
    sources = Sources(
        model=hashed,
        data=hashed,
        images_sha256="2" * 64,
        calibration=hashed,
        inputs={"input": None},
        versions={"rxsim": "0"},
    )
    rungs = {name: rng.random(images) < 0.9 for name in ("float32", "weights", "ideal")}
    hits = rng.random((chips, images)) < 0.8
    return Record(
        name="a case",
        metric="top1",
        hits=hits,
        ladder=rungs,
        sources=sources,
        settings={"seed": 0, "x": 1e-6},
        settings_sha256="3" * 64,
    )


@pytest.fixture
def accepted() -> str:
    """The text of a baseline of one case."""
    return to_json([a_record(3, 45)])


@pytest.mark.parametrize(("chips", "images"), [(1, 1), (1, 8), (3, 45), (7, 1000)])
def test_hits_come_back_as_they_were(tmp_path: Path, chips: int, images: int) -> None:
    path, record = tmp_path / "b.json", a_record(chips, images)
    path.write_text(to_json([record]))
    (back,) = read_baseline(path).values()
    assert (back.hits == record.hits).all()
    assert back.hits.shape == (chips, images)
    assert all((back.ladder[name] == hits).all() for name, hits in record.ladder.items())
    assert (back.sources, dict(back.settings)) == (record.sources, dict(record.settings))
    assert to_json([back]) == to_json([record])


def sealed(values: dict[str, Any]) -> str:
    """Write a baseline with the hash that its content has."""
    body = {name: value for name, value in values.items() if name != "sha256"}
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return json.dumps({**body, "sha256": hashlib.sha256(canonical.encode()).hexdigest()})


def _damaged(values: dict[str, Any], how: str) -> str:
    case = values["cases"][0]
    if how == "one hit":
        content = bytearray(base64.b64decode(case["hits"]))
        content[3] ^= 1
        case["hits"] = base64.b64encode(content).decode()
        return json.dumps(values)
    if how == "short":
        case["hits"] = case["hits"][:-4]
    elif how == "no base64":
        case["hits"] = "*" + case["hits"][1:]
    elif how == "huge":
        case["chips"] = case["images"] = 2**31
    elif how == "twice":
        values["cases"] *= 2
    elif how == "rung":
        del case["ladder"]["ideal"]
    elif how == "type":
        case["chips"] = "3"
    elif how == "missing":
        del case["sources"]
    elif how == "version":
        values["schema_version"] = 2
    elif how == "kind":
        values["kind"] = "rxsim calibration"
    return sealed(values)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("one hit", "is damaged (a merge by hand?)"),
        ("short", "found hits of"),
        ("no base64", "found hits of 0 bytes"),
        ("huge", "expected fewer"),
        ("twice", "holds a case twice"),
        ("rung", "expected fewer, and float32, weights, ideal"),
        ("type", "cases.0.chips"),
        ("missing", "cases.0.sources is missing"),
        ("version", "has the schema_version 2, expected 1; install a newer rxsim"),
        ("kind", "is something else: found kind 'rxsim calibration', expected rxsim baseline"),
    ],
)
def test_a_damaged_baseline_is_refused(tmp_path: Path, accepted: str, how: str, words: str) -> None:
    path = tmp_path / "b.json"
    path.write_text(_damaged(json.loads(accepted), how))
    with pytest.raises(InputError, match=re.escape(words)):
        read_baseline(path)


def test_sealing_alone_changes_nothing(tmp_path: Path, accepted: str) -> None:
    """What the damaged ones stand on: the untouched content, sealed anew, is read."""
    path = tmp_path / "b.json"
    path.write_text(sealed(json.loads(accepted)))
    assert list(read_baseline(path)) == ["a case"]

"""A folder's files are its choices; settings name them, and messages list them."""

import sys
from pathlib import Path
from typing import Annotated

import pytest

from rxsim.errors import InputError, SettingError
from rxsim.folders import Folder, names_in
from rxsim.schema import ChoiceIn, Section, validated


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    folder = tmp_path / f"fruits_{tmp_path.name}"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "raise RuntimeError('names are listed without an import')\n"
    )
    for name, colour in (("pear", "green"), ("apple", "red")):
        (folder / f"{name}.py").write_text(f"FRUIT = {colour!r}\n")
    (folder / "_shared.py").write_text("")
    (folder / "notes.txt").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    return folder.name


def test_names_are_the_files_sorted_and_nothing_is_imported(package: str) -> None:
    assert names_in(package) == ("apple", "pear")
    assert package not in sys.modules


def test_a_new_file_is_a_new_choice(package: str, tmp_path: Path) -> None:
    (tmp_path / package / "__init__.py").write_text("")
    (tmp_path / package / "fig.py").write_text("FRUIT = 'blue'\n")
    folder: Folder[str] = Folder(package, "FRUIT")
    assert folder.all() == {"apple": "red", "fig": "blue", "pear": "green"}


def test_an_unknown_choice_is_told_with_those_there_are(package: str) -> None:
    folder: Folder[str] = Folder(package, "FRUIT")
    with pytest.raises(InputError, match=r"fruit: found 'plum', expected one of apple, pear"):
        folder["plum"]


def test_a_setting_takes_the_names_of_a_folder_only(package: str) -> None:
    class Bowl(Section):
        fruit: Annotated[str, ChoiceIn(package)] = "pear"

    assert validated(Bowl, {"fruit": "apple"}, "bowl").fruit == "apple"
    with pytest.raises(SettingError, match=r"fruit: found 'plum', expected 'apple' or 'pear'"):
        validated(Bowl, {"fruit": "plum"}, "bowl")
    assert Bowl.model_json_schema()["properties"]["fruit"]["enum"] == ["apple", "pear"]


def test_a_file_that_cannot_be_used_is_named(package: str, tmp_path: Path) -> None:
    (tmp_path / package / "__init__.py").write_text("")
    (tmp_path / package / "bad.py").write_text("def (:\n")
    (tmp_path / package / "empty.py").write_text("")
    folder: Folder[str] = Folder(package, "FRUIT")
    with pytest.raises(InputError, match=r"bad.py can't be imported: .*; correct the file"):
        folder["bad"]
    with pytest.raises(InputError, match=r"empty.py holds no FRUIT, expected one"):
        folder["empty"]

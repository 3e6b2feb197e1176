"""The version stands in the package and in its metadata: both say the same."""

import tomllib
from pathlib import Path

from rxsim.version import __version__


def test_the_package_and_its_metadata_state_one_version() -> None:
    text = (Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8")
    assert tomllib.loads(text)["project"]["version"] == __version__

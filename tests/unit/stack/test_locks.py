"""The locks agree with each other and with the declared dependencies, carry hashes, and name no host."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tieline.stack.paths import checkout

LOCKS = sorted((checkout() / "requirements").glob("*.lock"))


def _pins(file: Path) -> set[tuple[str, str]]:
    return set(re.findall(r"^([a-z0-9-]+)==([^ ;]+)", file.read_text(encoding="utf-8"), flags=re.MULTILINE))


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^A-Za-z0-9-]", requirement)[0].lower() for requirement in requirements}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_every_pin_has_a_hash_and_no_line_names_a_host(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    assert "://" not in text
    for entry in re.split(r"\n(?=\S)", text.strip()):
        assert "--hash=sha256:" in entry, entry


def test_the_image_runs_the_versions_that_are_tested() -> None:
    folder = checkout() / "requirements"
    assert _pins(folder / "runtime.lock") <= _pins(folder / "tieline.lock")


def test_the_image_has_every_declared_dependency() -> None:
    project = tomllib.loads((checkout() / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = _names(project["dependencies"]) | _names(project["optional-dependencies"]["views"])
    assert wanted <= {name for name, _ in _pins(checkout() / "requirements" / "runtime.lock")}

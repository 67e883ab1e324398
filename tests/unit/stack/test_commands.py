"""The command line: one sentence and exit code 1 when something is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tieline.stack.commands import app


@pytest.fixture(autouse=True)
def empty_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "deploy" / "local").mkdir(parents=True)
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STACK", "native")
    return tmp_path


def test_status_of_nothing_fails_with_the_remedy() -> None:
    result = CliRunner().invoke(app, ["status"])
    assert result.exit_code == 1
    assert result.stderr == "tieline: the stack does not run: start it with `make up`.\n"


def test_down_of_nothing_is_fine() -> None:
    result = CliRunner().invoke(app, ["down"])
    assert (result.exit_code, result.stdout) == (0, "nothing was running\n")


def test_purge_keeps_downloads(empty_checkout: Path) -> None:
    root = empty_checkout / ".tieline"
    for name in ("data", "log", "run", "secrets", "downloads"):
        (root / name).mkdir(parents=True)
    assert CliRunner().invoke(app, ["down", "--purge"]).exit_code == 0
    assert [path.name for path in root.iterdir()] == ["downloads"]


def test_up_without_a_landscape_names_the_file() -> None:
    result = CliRunner().invoke(app, ["up"])
    assert result.exit_code == 1
    assert "deploy/local/landscape.yaml" in result.stderr


def test_logs_of_an_unknown_part_name_the_known_ones(empty_checkout: Path) -> None:
    logs = empty_checkout / ".tieline" / "log"
    logs.mkdir(parents=True)
    (logs / "kafka.log").touch()
    result = CliRunner().invoke(app, ["logs", "kafak"])
    assert result.exit_code == 1
    assert result.stderr == "tieline: there is no log of 'kafak'; parts with a log: kafka.\n"

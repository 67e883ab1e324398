"""The command line: every room is there, and none is loaded before it is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from tieline.cli import app
from tieline.rooms import ROOMS

NAMES = [(group, name) for group, commands in ROOMS.items() for name in commands]


@pytest.mark.parametrize(("group", "name"), NAMES)
def test_each_name_leads_to_a_command_that_explains_itself(group: str, name: str) -> None:
    path = [name] if group == "tieline" else [group, name]
    done = CliRunner().invoke(app, [*path, "--help"])
    assert done.exit_code == 0, done.output
    assert f"Usage: tieline {' '.join(path)}" in done.output


def test_a_name_that_nothing_has_is_refused() -> None:
    done = CliRunner().invoke(app, ["topics", "drop"])
    assert done.exit_code == 2
    assert "No such command 'drop'" in done.output


def test_the_command_line_starts_without_loading_a_room() -> None:
    told = "import sys, tieline.cli; print(*sorted(m for m in sys.modules if m.startswith('tieline.')))"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [
        "tieline.cli",
        "tieline.kernel",
        "tieline.kernel.disk",
        "tieline.kernel.errors",
        "tieline.kernel.telemetry",
        "tieline.kernel.troubles",
        "tieline.rooms",
    ]

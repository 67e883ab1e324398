"""Logs are one JSON line an event, and carry no local variables of a failed frame (Invariant 14)."""

import json

import pytest
import structlog

from tieline.kernel.telemetry import Log, configure_logging


def test_a_traceback_shows_the_place_but_no_values(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging()
    password = "correct-horse"  # noqa: S105  - what must not be logged
    try:
        len(password) / 0
    except ZeroDivisionError:
        Log("bench").fault("handler-failed", record="t/0/1")
    structlog.reset_defaults()
    [line] = capsys.readouterr().err.splitlines()
    entry = json.loads(line)
    assert entry["event"] == "handler-failed"
    assert entry["exception"][0]["exc_type"] == "ZeroDivisionError"
    assert entry["exception"][0]["frames"][0]["name"] == "test_a_traceback_shows_the_place_but_no_values"
    assert "correct-horse" not in line

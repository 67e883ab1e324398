"""What ``docker compose ps`` prints, in both its shapes."""

from __future__ import annotations

import json

import pytest

from tieline.stack.docker import read_parts
from tieline.stack.summary import Part

KAFKA = {
    "Service": "kafka",
    "State": "running",
    "Health": "healthy",
    "Publishers": [{"PublishedPort": 0, "TargetPort": 9093}, {"PublishedPort": 9092, "TargetPort": 9092}],
}
ACCEPT = {"Service": "accept", "State": "restarting", "Health": "", "Publishers": None}


@pytest.mark.parametrize(
    "text", [f"{json.dumps(KAFKA)}\n{json.dumps(ACCEPT)}\n", json.dumps([KAFKA, ACCEPT])], ids=["lines", "array"]
)
def test_parts_are_read_from_both_formats(text: str) -> None:
    kafka, accept = read_parts(text)
    assert kafka == Part("kafka", "healthy", 9092, "docker compose logs kafka")
    assert kafka.well
    assert (accept.state, accept.port, accept.well) == ("restarting", None, False)


def test_nothing_runs() -> None:
    assert read_parts("\n") == []

"""The compose file with a real engine: everything comes up and stays up."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import yaml

from tieline.stack import docker
from tieline.stack.docker import read_parts
from tieline.stack.paths import checkout

pytestmark = [
    pytest.mark.docker,
    pytest.mark.integration,
    pytest.mark.skipif(not docker.available(), reason="no Docker engine with Compose v2 answers"),
]


class _NoPorts(yaml.SafeDumper):
    """Writes the tag with which Compose replaces a list instead of adding to it."""


class _Replaced(list[str]):
    """A list that replaces the one below it."""


_NoPorts.add_representer(_Replaced, lambda dumper, data: dumper.represent_sequence("!override", data))


@pytest.fixture
def compose(tmp_path: Path) -> Iterator[list[str]]:
    file = checkout() / "docker-compose.yml"
    services = yaml.safe_load(file.read_text(encoding="utf-8"))["services"]
    # A stack in use has the ports; this one needs none.
    without = {name: {"ports": _Replaced()} for name, service in services.items() if "ports" in service}
    override = tmp_path / "no-ports.yml"
    override.write_text(yaml.dump({"services": without}, Dumper=_NoPorts), encoding="utf-8")
    command = ["docker", "compose", "-p", f"tieline-{uuid4().hex[:8]}", "-f", str(file), "-f", str(override)]
    yield command
    subprocess.run([*command, "down", "--volumes", "--timeout", "5"], check=True, capture_output=True)


def test_compose_up_comes_up_whole_and_stays(compose: list[str]) -> None:
    up = subprocess.run([*compose, "up", "--build", "--detach", "--wait"], check=False, capture_output=True, text=True)
    assert up.returncode == 0, up.stderr[-3000:]
    time.sleep(8)
    listed = subprocess.run([*compose, "ps", "--format", "json"], check=True, capture_output=True, text=True)
    states = {part.name: part.state for part in read_parts(listed.stdout)}
    services = yaml.safe_load((checkout() / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    assert set(states) == set(services) - {"init", "secrets"}
    assert set(states.values()) <= {"running", "healthy"}, states
    topics = subprocess.run(
        [
            *compose,
            "exec",
            "-T",
            "kafka",
            "/opt/kafka/bin/kafka-topics.sh",
            "--bootstrap-server",
            "kafka:19092",
            "--list",
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "asset.asset.event.v1" in topics.stdout.split()

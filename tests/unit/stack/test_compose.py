"""The compose file: derived, on the loopback, without a secret in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tieline.kernel.fleet import processes
from tieline.kernel.landscape import load_landscape
from tieline.stack import compose
from tieline.stack.errors import StackError
from tieline.stack.estate import estate_of


@pytest.fixture
def services(landscape_file: Path) -> dict[str, Any]:
    text = compose.compose(estate_of(load_landscape(landscape_file)))
    found: dict[str, Any] = yaml.safe_load(text)["services"]
    return found


def test_every_part_and_process_is_a_service(services: dict[str, Any], landscape_file: Path) -> None:
    names = [process.name for process in processes(load_landscape(landscape_file))]
    assert list(services) == ["kafka", "registry", "secrets", "tryton", "unio24", "init", *names]


def test_ports_are_published_on_the_loopback_once_and_as_natively(
    services: dict[str, Any], landscape_file: Path
) -> None:
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert all(port.startswith("127.0.0.1:") for port in published)
    outside = sorted(int(port.split(":")[1]) for port in published)
    ports = estate_of(load_landscape(landscape_file)).ports()
    # The controller's port is the broker's own business.
    assert outside == sorted(port for name, port in ports.items() if name != "kafka-controller")


def test_metrics_are_published_by_whoever_has_the_network(document: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "landscape.yaml"
    file.write_text(yaml.safe_dump({**document, "metrics_port": 9464}), encoding="utf-8")
    services = yaml.safe_load(compose.compose(estate_of(load_landscape(file))))["services"]
    assert services["identify"]["ports"] == ["127.0.0.1:9464:9464"]
    assert services["views"]["ports"] == ["127.0.0.1:6066:6066", "127.0.0.1:9471:9471"]
    # Its source and sink live in the sandbox's network.
    assert services["unio24"]["ports"][-2:] == ["127.0.0.1:9469:9469", "127.0.0.1:9470:9470"]
    assert "ports" not in services["source-unio24"]
    assert services["identify"]["environment"]["TIELINE_METRICS_HOST"] == "0.0.0.0"


def test_kafka_has_a_listener_for_the_host_and_one_for_the_network(services: dict[str, Any]) -> None:
    advertised = services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert advertised == "PLAINTEXT://kafka:19092,HOST://127.0.0.1:9092"
    assert services["identify"]["environment"]["TIELINE_KAFKA_BOOTSTRAP"] == "kafka:19092"


def test_what_speaks_to_a_sandbox_lives_in_its_network(services: dict[str, Any]) -> None:
    assert services["source-unio24"]["network_mode"] == services["sink-unio24"]["network_mode"] == "service:unio24"
    assert "network_mode" not in services["sink-tryton"]


def test_processes_wait_for_the_topics(services: dict[str, Any]) -> None:
    assert services["init"]["command"] == ["topics", "apply", "--yes"]
    assert services["accept"]["depends_on"]["init"] == {"condition": "service_completed_successfully"}


def test_the_sandbox_gets_its_secrets_from_files(services: dict[str, Any]) -> None:
    script = services["unio24"]["command"][1]
    assert 'UNIO24_TOKEN="$$(cat /run/tieline/unio24-token)"' in script


def test_a_stale_file_is_noticed(tmp_path: Path, landscape_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deploy" / "local").mkdir(parents=True)
    (tmp_path / "pyproject.toml").touch()
    landscape_file.rename(tmp_path / compose.LANDSCAPE)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StackError, match="does not match"):
        compose.main(["--check"])
    assert compose.main([]) == 0
    assert compose.main(["--check"]) == 0
    file = tmp_path / compose.FILE_NAME
    file.write_text(file.read_text().replace("9092", "9999"))
    with pytest.raises(StackError, match="run `make compose`"):
        compose.main(["--check"])

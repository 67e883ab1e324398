"""What a landscape asks of the local stack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tieline.kernel.landscape import load_landscape
from tieline.stack.errors import StackError
from tieline.stack.estate import estate_of


def test_ports_secrets_and_processes_follow_from_the_landscape(landscape_file: Path) -> None:
    estate = estate_of(load_landscape(landscape_file))
    assert estate.ports() == {
        "kafka": 9092,
        "kafka-controller": 9093,
        "registry": 8081,
        "tryton": 8000,
        "unio24": 8024,
        "source-unio24": 8124,
        "views": 6066,
    }
    assert estate.secret_names() == ("tryton-password", "unio24-token", "unio24-webhook-secret")
    assert {"identify", "accept", "route", "source-tryton", "sink-unio24"} <= {one.name for one in estate.processes}
    erp, sandbox = estate.systems
    assert erp.is_erp
    assert not sandbox.is_erp
    assert sandbox.webhook_url == "http://127.0.0.1:8124/webhooks/unio24"
    assert sandbox.variables() == {
        "UNIO24_TOKEN": "unio24-token",
        "UNIO24_WEBHOOK_SECRET": "unio24-webhook-secret",
    }


def test_each_process_shows_its_metrics_on_a_port_of_its_own(document: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "landscape.yaml"
    file.write_text(yaml.safe_dump({**document, "metrics_port": 9464}), encoding="utf-8")
    estate = estate_of(load_landscape(file))
    names = ("identify", "accept", "route", "source-tryton", "sink-tryton", "source-unio24", "sink-unio24", "views")
    expected = {name: 9464 + place for place, name in enumerate(names)}
    assert estate.metrics_ports == expected
    assert {f"{name} metrics": port for name, port in expected.items()}.items() <= estate.ports().items()


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("kafka", "bootstrap_servers"), "kafka.example.com:9092", r"kafka\.bootstrap_servers .*kafka\.example\.com"),
        (("kafka", "bootstrap_servers"), "127.0.0.1:9092,127.0.0.1:9192", "has one broker"),
        (("registry", "url"), "https://registry.example.com", r"registry\.url .* needs http://127\.0\.0\.1:<port>"),
        (("systems", "unio24", "settings", "endpoint"), "http://127.0.0.1", r"systems\.unio24\.settings\.endpoint"),
        (("systems", "unio24", "connector"), "kit", "the connector kit has no sandbox"),
    ],
)
def test_what_this_machine_cannot_run_is_named(
    document: dict[str, Any], tmp_path: Path, path: tuple[str, ...], value: str, message: str
) -> None:
    changed = yaml.safe_load(yaml.safe_dump(document))
    place = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    file = tmp_path / "landscape.yaml"
    file.write_text(yaml.safe_dump(changed), encoding="utf-8")
    with pytest.raises(StackError, match=message):
        estate_of(load_landscape(file))

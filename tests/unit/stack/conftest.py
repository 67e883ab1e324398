"""A landscape as the stack reads it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

SYSTEMS = {
    "tryton": {
        "connector": "tryton",
        "role": "erp",
        "owner": "finance@example.com",
        "poll_interval_secs": 2,
        "settings": {"endpoint": "http://127.0.0.1:8000", "password": {"secret": "file:../secrets/tryton-password"}},
    },
    "unio24": {
        "connector": "unio24",
        "role": "asset-management",
        "owner": "assets@example.com",
        "poll_interval_secs": 2,
        "settings": {
            "endpoint": "http://127.0.0.1:8024",
            "token": {"secret": "file:../secrets/unio24-token"},
            "webhook_secret": {"secret": "file:../secrets/unio24-webhook-secret"},
            "webhook_port": 8124,
        },
    },
}
FLOW = {"source": "unio24", "target": "tryton", "object": "asset", "interval_mins": 1, "latency_target_secs": 10}


@pytest.fixture
def document() -> dict[str, object]:
    """A landscape before it is written."""
    return {
        "name": "test",
        "kafka": {"bootstrap_servers": "127.0.0.1:9092", "replication_factor": 1},
        "registry": {"url": "http://127.0.0.1:8081/apis/ccompat/v7"},
        "systems": SYSTEMS,
        "flows": [{**FLOW, "owner": "flows@example.com", "on_error": "hold", "mode": "enabled"}],
    }


@pytest.fixture
def landscape_file(document: dict[str, object], tmp_path: Path) -> Path:
    """The landscape as a file."""
    file = tmp_path / "landscape.yaml"
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    return file

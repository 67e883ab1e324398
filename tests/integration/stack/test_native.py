"""The whole native stack, for real, on ports the system chose; only Tieline's own processes are stand-ins."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest
import yaml
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tieline.stack.errors import StackError
from tieline.stack.native import NativeStack
from tieline.stack.paths import checkout
from tieline.stack.ports import free_ports, is_free

pytestmark = pytest.mark.integration

STAND_IN = "import sys, time\nif sys.argv[1] == 'run':\n    time.sleep(3600)\n"


@pytest.fixture
def ports() -> dict[str, int]:
    names = ("registry", "tryton", "unio24", "webhook", "views")
    while True:
        kafka, *others = free_ports(len(names) + 1)
        # The controller has the port after the broker's.
        if is_free(kafka + 1) and kafka + 1 not in others:
            return {"kafka": kafka} | dict(zip(names, others, strict=True))


@pytest.fixture
def landscape(tmp_path: Path, ports: dict[str, int]) -> Path:
    common = {"owner": "tests@example.com", "poll_interval_secs": 2}
    secret = {"secret": "file:secrets/tryton-password"}
    document = {
        "name": "test",
        "kafka": {"bootstrap_servers": f"127.0.0.1:{ports['kafka']}", "replication_factor": 1},
        "registry": {"url": f"http://127.0.0.1:{ports['registry']}/apis/ccompat/v7"},
        "views_port": ports["views"],
        "systems": {
            "tryton": {
                **common,
                "connector": "tryton",
                "role": "erp",
                "settings": {"endpoint": f"http://127.0.0.1:{ports['tryton']}", "password": secret},
            },
            "unio24": {
                **common,
                "connector": "unio24",
                "role": "asset-management",
                "settings": {
                    "endpoint": f"http://127.0.0.1:{ports['unio24']}",
                    "token": {"secret": "file:secrets/unio24-token"},
                    "webhook_secret": {"secret": "file:secrets/unio24-webhook-secret"},
                    "webhook_port": ports["webhook"],
                },
            },
        },
        "flows": [
            {
                "source": "unio24",
                "target": "tryton",
                "object": "asset",
                "interval_mins": 1,
                "latency_target_secs": 10,
                "owner": "tests@example.com",
                "on_error": "hold",
                "mode": "enabled",
            }
        ],
    }
    file = tmp_path / "landscape.yaml"
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    return file


@pytest.fixture
def stack(tmp_path: Path, landscape: Path) -> Iterator[NativeStack]:
    root = tmp_path / "state"
    root.mkdir()
    # What was fetched once serves every test.
    (root / "downloads").symlink_to(checkout() / ".tieline" / "downloads")
    stand_in = tmp_path / "tieline.py"
    stand_in.write_text(STAND_IN, encoding="utf-8")
    found = NativeStack(checkout=checkout(), landscape=landscape, root=root, program=(sys.executable, str(stand_in)))
    yield found
    found.down(purge=True)


def test_up_answers_survives_a_killed_supervisor_and_down_leaves_nothing(
    stack: NativeStack, ports: dict[str, int]
) -> None:
    stack.up()
    assert {part.state for part in stack.parts()} == {"running"}
    assert {"kafka", "registry", "tryton", "unio24", "identify", "views"} <= {part.name for part in stack.parts()}
    token = (stack.paths.secrets / "unio24-token").read_text().strip()
    assets = f"http://127.0.0.1:{ports['unio24']}/api/v1/assets"
    assert httpx.get(assets).status_code == 401
    assert httpx.get(assets, headers={"Authorization": f"Bearer {token}"}).status_code == 200
    bootstrap = f"127.0.0.1:{ports['kafka']}"
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic("kept", 1, 1)])["kept"].result(20)

    supervisor = int((stack.paths.run / "supervisord.pid").read_text())
    os.kill(supervisor, signal.SIGKILL)
    psutil.wait_procs([process for process in psutil.process_iter() if process.pid == supervisor], timeout=10)
    stack.up()
    assert "kept" in AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=10).topics

    assert stack.down(purge=True)
    assert all(is_free(port) for port in ports.values())
    assert not stack.paths.data.exists()
    assert not stack.down(purge=False)


def test_a_part_that_does_not_come_up_is_named_with_the_end_of_its_log(stack: NativeStack) -> None:
    program = Path(stack.tieline.program[1])
    program.write_text(STAND_IN.replace("    time.sleep(3600)", "    sys.exit('no such setting')"), encoding="utf-8")
    with pytest.raises(StackError, match=r"does not come up(.|\n)*no such setting"):
        stack.up()

"""A real schema registry (Apicurio), through its Confluent-compatible API, on the loopback."""

from __future__ import annotations

from pathlib import Path

import httpx

from tieline.stack.java import JavaRuntime
from tieline.stack.ports import HOST

API_PATH = "/apis/ccompat/v7"


def url(port: int) -> str:
    """Address to give a Confluent-compatible client."""
    return f"http://{HOST}:{port}{API_PATH}"


def argv(*, runtime: JavaRuntime, folder: Path) -> tuple[str, ...]:
    """Command line; must run with ``environment`` and ``folder`` as working directory."""
    return runtime.argv("-jar", str(folder / "quarkus-run.jar"))


def environment(*, port: int, bootstrap: str | None) -> dict[str, str]:
    """Settings as environment variables. ``bootstrap`` None keeps schemas in memory, else in that Kafka."""
    settings = {
        "QUARKUS_HTTP_HOST": HOST,
        "QUARKUS_HTTP_PORT": str(port),
        "QUARKUS_MANAGEMENT_HOST": HOST,
        # Nobody asks the management port here; 0 lets the system choose a free one.
        "QUARKUS_MANAGEMENT_PORT": "0",
        "QUARKUS_BANNER_ENABLED": "false",
    }
    return settings | (storage(bootstrap) if bootstrap else {})


def storage(bootstrap: str) -> dict[str, str]:
    """Settings that keep the schemas in a topic of that Kafka."""
    return {
        "APICURIO_STORAGE_KIND": "kafkasql",
        "APICURIO_KAFKASQL_BOOTSTRAP_SERVERS": bootstrap,
        # The registry waits four of these at its start.
        "APICURIO_KAFKASQL_CONSUMER_POLL_TIMEOUT": "500",
    }


def is_ready(port: int, *, timeout_secs: float = 1.0) -> bool:
    """True when the registry lists its subjects, so its storage is there too."""
    try:
        return httpx.get(f"{url(port)}/subjects", timeout=timeout_secs).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False

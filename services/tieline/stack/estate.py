"""What a landscape asks of a local stack: ports, secrets, and which systems run as sandboxes beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from tieline.kernel.fleet import ProcessSpec, metrics_ports, processes
from tieline.kernel.landscape import Landscape, System
from tieline.stack.errors import StackError
from tieline.stack.ports import HOST

_LOOPBACK = {HOST, "localhost"}
# The one system that runs for real: the stack installs it and sets it up.
ERP_CONNECTOR = "tryton"


@dataclass(frozen=True, slots=True)
class LocalSystem:
    """One system of the landscape that this machine runs. ``secrets`` maps a setting's name to its file's name."""

    name: str
    connector: str
    port: int
    secrets: Mapping[str, str] = field(default_factory=dict)
    webhook_port: int | None = None
    webhook_path: str = "/"

    @property
    def is_erp(self) -> bool:
        """True for the real ERP, false for a sandbox."""
        return self.connector == ERP_CONNECTOR

    @property
    def webhook_url(self) -> str | None:
        """Where the hub receives this system's webhooks, if it does."""
        return f"http://{HOST}:{self.webhook_port}{self.webhook_path}" if self.webhook_port else None

    def variables(self) -> dict[str, str]:
        """Environment variables a sandbox reads its secrets from, with their files' names."""
        return {f"{self.connector}_{setting}".upper(): file for setting, file in self.secrets.items()}


@dataclass(frozen=True, slots=True)
class Estate:
    """Everything to run, and on which port of the loopback."""

    kafka_port: int
    registry_port: int
    views_port: int
    systems: tuple[LocalSystem, ...]
    processes: tuple[ProcessSpec, ...]
    metrics_ports: Mapping[str, int] = field(default_factory=dict)

    @property
    def controller_port(self) -> int:
        """The broker's second port."""
        return self.kafka_port + 1

    def secret_names(self) -> tuple[str, ...]:
        """File name of every secret the landscape refers to, each once."""
        return tuple(dict.fromkeys(file for system in self.systems for file in system.secrets.values()))

    def ports(self) -> dict[str, int]:
        """Part names and their ports; ``source-<system>`` has one where webhooks arrive.

        Those of the metrics stand under ``<process> metrics``.
        """
        found = {"kafka": self.kafka_port, "kafka-controller": self.controller_port, "registry": self.registry_port}
        found |= {system.name: system.port for system in self.systems}
        found |= {f"source-{system.name}": system.webhook_port for system in self.systems if system.webhook_port}
        found |= {"views": self.views_port}
        return found | {f"{name} metrics": port for name, port in self.metrics_ports.items()}


def estate_of(landscape: Landscape) -> Estate:
    """Read a landscape for what must run here. Raises ``StackError`` when it points elsewhere than to this machine."""
    kafka = landscape.kafka.bootstrap_servers.split(",")
    if len(kafka) != 1:
        raise StackError("the local stack has one broker: give kafka.bootstrap_servers one address in the landscape.")
    return Estate(
        kafka_port=_port(f"//{kafka[0]}", "kafka.bootstrap_servers"),
        registry_port=_port(landscape.registry.url, "registry.url"),
        views_port=landscape.views_port,
        systems=tuple(_system(name, system) for name, system in landscape.systems.items()),
        processes=tuple(processes(landscape)),
        metrics_ports=metrics_ports(landscape),
    )


def _system(name: str, system: System) -> LocalSystem:
    if system.connector != ERP_CONNECTOR and find_spec(f"tieline.connectors.{system.connector}.sandbox") is None:
        raise StackError(
            f"system {name}: the connector {system.connector} has no sandbox, so the local stack cannot run it;"
            " write one, or leave the system out of this landscape."
        )
    webhook_port = system.settings.get("webhook_port")
    return LocalSystem(
        name=name,
        connector=system.connector,
        port=_port(str(system.settings.get("endpoint", "")), f"systems.{name}.settings.endpoint"),
        secrets=_secrets(system.settings),
        webhook_port=webhook_port if isinstance(webhook_port, int) else None,
        webhook_path=str(system.settings.get("webhook_path", f"/webhooks/{system.connector}")),
    )


def _secrets(settings: Mapping[str, object]) -> dict[str, str]:
    found = {}
    for name, value in settings.items():
        reference = value.get("secret") if isinstance(value, dict) else None
        if isinstance(reference, str) and reference.startswith("file:"):
            found[name] = PurePosixPath(reference.removeprefix("file:")).name
    return found


def _port(address: str, place: str) -> int:
    parts = urlsplit(address)
    if parts.hostname not in _LOOPBACK or parts.port is None:
        raise StackError(
            f"{place} in the landscape is {address.removeprefix('//')!r}; the local stack needs http://{HOST}:<port>"
            " or 127.0.0.1:<port> there."
        )
    return parts.port

"""Writes ``docker-compose.yml`` from the landscape: ``python -m tieline.stack.compose [--check]``.

The containers run the very landscape of the native stack; only addresses differ, and those come as variables.
A sandbox and the two processes that speak to it share one network namespace: their addresses hold as they are,
and the API token stays on a loopback.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

from tieline.kernel.fleet import ProcessSpec
from tieline.kernel.landscape import load_landscape
from tieline.stack.artifacts import KAFKA_VERSION, REGISTRY_VERSION
from tieline.stack.errors import StackError
from tieline.stack.estate import Estate, LocalSystem, estate_of
from tieline.stack.kafka import CLUSTER_ID, tuning
from tieline.stack.paths import checkout
from tieline.stack.registry import API_PATH, storage
from tieline.stack.sandboxes import sandbox_command

FILE_NAME = "docker-compose.yml"
LANDSCAPE = "deploy/local/landscape.yaml"
_NETWORK_KAFKA = "kafka:19092"
_REGISTRY_PORT = 8080
_SECRETS = Path("/run/tieline")
_HEADER = f"""\
# Written by `python -m tieline.stack.compose` from {LANDSCAPE}: change that, then run `make compose`.
"""

Service = dict[str, object]


def compose(estate: Estate) -> str:
    """The whole file as text."""
    document = {
        "name": "tieline",
        "services": {
            "kafka": _kafka(estate),
            "registry": _registry(estate),
            "secrets": _secrets(estate),
            **{system.name: _system(system, estate) for system in estate.systems},
            "init": _init(),
            **{process.name: _process(process, estate) for process in estate.processes},
        },
        "volumes": {name: {} for name in ("kafka", "secrets", *(system.name for system in estate.systems))},
    }
    return _HEADER + yaml.dump(document, Dumper=_Plain, sort_keys=False, width=120)


class _Plain(yaml.SafeDumper):
    """For people: equal parts are repeated instead of pointed at, lists stand on one line."""

    def represent_sequence(
        self,
        tag: str,
        sequence: Iterable[object],
        flow_style: bool | None = True,  # noqa: FBT001, FBT002  - PyYAML's own signature
    ) -> yaml.SequenceNode:
        return super().represent_sequence(tag, sequence, flow_style=flow_style)

    def ignore_aliases(self, _data: object) -> bool:
        return True


def _kafka(estate: Estate) -> Service:
    settings = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": "1@localhost:9093",
        "controller.listener.names": "CONTROLLER",
        # One listener for the network of containers, one for this machine's programs.
        "listeners": f"PLAINTEXT://:19092,HOST://:{estate.kafka_port},CONTROLLER://:9093",
        "advertised.listeners": f"PLAINTEXT://{_NETWORK_KAFKA},HOST://127.0.0.1:{estate.kafka_port}",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,HOST:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": "/var/lib/kafka/data",
        **tuning(),
    }
    variables = {"KAFKA_" + key.upper().replace(".", "_"): str(value) for key, value in settings.items()}
    return {
        "image": f"apache/kafka:{KAFKA_VERSION}",
        "restart": "unless-stopped",
        "environment": {"CLUSTER_ID": CLUSTER_ID, "KAFKA_HEAP_OPTS": "-Xmx512m", **variables},
        "ports": [_published(estate.kafka_port, estate.kafka_port)],
        "volumes": ["kafka:/var/lib/kafka/data"],
        "healthcheck": _health(["CMD", "bash", "-c", "exec 3<>/dev/tcp/localhost/19092"]),
    }


def _registry(estate: Estate) -> Service:
    return {
        "image": f"apicurio/apicurio-registry:{REGISTRY_VERSION}",
        "restart": "unless-stopped",
        "depends_on": {"kafka": {"condition": "service_healthy"}},
        "environment": {"JAVA_OPTS_APPEND": "-Xmx512m", **storage(_NETWORK_KAFKA)},
        "ports": [_published(estate.registry_port, _REGISTRY_PORT)],
        "healthcheck": _health(["CMD", "curl", "-fs", f"http://localhost:{_REGISTRY_PORT}{API_PATH}/subjects"]),
    }


def _secrets(estate: Estate) -> Service:
    """Draws the secrets into a volume that only our user can read; the host needs to prepare nothing."""
    return {
        **_built("tieline"),
        "entrypoint": ["python", "-m", "tieline.stack.credentials"],
        "command": [str(_SECRETS), *estate.secret_names()],
        "network_mode": "none",
        "volumes": [f"secrets:{_SECRETS}"],
    }


def _system(system: LocalSystem, estate: Estate) -> Service:
    probe = f"import socket; socket.create_connection(('127.0.0.1', {system.port}), 2).close()"
    common: Service = {
        "restart": "unless-stopped",
        "depends_on": {"secrets": {"condition": "service_completed_successfully"}},
        "ports": [
            _published(port, port) for port in (system.port, system.webhook_port, *_guests(system, estate)) if port
        ],
        "healthcheck": _health(["CMD", "python", "-c", probe]),
    }
    if system.is_erp:
        return {
            **_built("tryton"),
            "command": [str(_SECRETS / system.secrets["password"])],
            **common,
            "volumes": ["secrets:/run/tieline:ro", f"{system.name}:/var/lib/tryton"],
        }
    variables = {name: _SECRETS / file for name, file in system.variables().items()}
    command = sandbox_command(system, Path("/var/lib/tieline"), variables, python="python", host="0.0.0.0")
    return {
        **_image(),
        "entrypoint": list(command[:1]),
        # Compose would read a dollar sign as one of its own variables.
        "command": [part.replace("$", "$$") for part in command[1:]],
        **common,
        "volumes": ["secrets:/run/tieline:ro", f"{system.name}:/var/lib/tieline"],
    }


def _init() -> Service:
    return {
        **_image(),
        "command": ["topics", "apply", "--yes"],
        "depends_on": _healthy("kafka", "registry"),
        "environment": _addresses(()),
        "volumes": ["secrets:/run/tieline:ro"],
    }


def _process(process: ProcessSpec, estate: Estate) -> Service:
    """One of Tieline's own; whoever speaks to a sandbox moves in with it."""
    host = next((one for one in estate.systems if _lives_with(process.name, one)), None)
    erps = tuple(system for system in estate.systems if system.is_erp)
    service: Service = {
        **_image(),
        "command": list(process.argv[1:]),
        "restart": "unless-stopped",
        "depends_on": {
            "init": {"condition": "service_completed_successfully"},
            **_healthy(*(system.name for system in estate.systems)),
        },
        "environment": _addresses(erps),
        "volumes": ["secrets:/run/tieline:ro"],
    }
    if host is not None:
        service["network_mode"] = f"service:{host.name}"
        return service
    ports = [estate.views_port] if process.name == "views" else []
    ports += [port for name, port in estate.metrics_ports.items() if name == process.name]
    if ports:
        service["ports"] = [_published(port, port) for port in ports]
    if process.name == "views":
        probe = f"import urllib.request as r; r.urlopen('http://127.0.0.1:{estate.views_port}/health', None, 2)"
        service["healthcheck"] = _health(["CMD", "python", "-c", probe])
    return service


def _lives_with(process: str, system: LocalSystem) -> bool:
    return not system.is_erp and process.endswith(f"-{system.name}")


def _guests(system: LocalSystem, estate: Estate) -> list[int]:
    """Metrics ports of those who share a sandbox's network: it publishes for them."""
    return [port for name, port in estate.metrics_ports.items() if _lives_with(name, system)]


def _addresses(erps: tuple[LocalSystem, ...]) -> Mapping[str, str]:
    return {
        "TIELINE_KAFKA_BOOTSTRAP": _NETWORK_KAFKA,
        "TIELINE_REGISTRY_URL": f"http://registry:{_REGISTRY_PORT}{API_PATH}",
        **{f"TIELINE_ENDPOINT_{system.name.upper()}": f"http://{system.name}:{system.port}" for system in erps},
        "TIELINE_SECRETS_DIR": str(_SECRETS),
        # Containers listen on every address of their own network; the host publishes on its loopback only.
        "TIELINE_WEBHOOK_HOST": "0.0.0.0",
        "TIELINE_VIEWS_HOST": "0.0.0.0",
        "TIELINE_METRICS_HOST": "0.0.0.0",
    }


def _built(name: str) -> Service:
    return {
        "image": f"tieline/{name}:local",
        "init": True,
        "build": {"context": ".", "dockerfile": f"deploy/docker/{name}.Dockerfile"},
    }


def _image() -> Service:
    # Built once, by the service that everything else waits for.
    return {"image": "tieline/tieline:local", "pull_policy": "never", "init": True}


def _published(host_port: int, container_port: int) -> str:
    return f"127.0.0.1:{host_port}:{container_port}"


def _healthy(*services: str) -> dict[str, object]:
    return {service: {"condition": "service_healthy"} for service in services}


def _health(test: list[str]) -> Service:
    return {"test": test, "interval": "3s", "timeout": "5s", "retries": 40}


def main(arguments: list[str]) -> int:
    """Write the file, or with ``--check`` only say whether it is current (exit code 1 when not)."""
    root = checkout()
    file = root / FILE_NAME
    wanted = compose(estate_of(load_landscape(root / LANDSCAPE)))
    if "--check" not in arguments:
        file.write_text(wanted, encoding="utf-8")
        return 0
    if not file.is_file() or file.read_text(encoding="utf-8") != wanted:
        raise StackError(f"{FILE_NAME} does not match {LANDSCAPE}: run `make compose` and commit the result.")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except StackError as error:
        sys.exit(f"tieline: {error}")

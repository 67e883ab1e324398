"""How a system's sandbox is started, natively and in a container alike."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from inspect import signature
from pathlib import PurePath

from tieline.stack import credentials
from tieline.stack.estate import LocalSystem
from tieline.stack.ports import HOST


def sandbox_command(
    system: LocalSystem, data: PurePath, variables: Mapping[str, PurePath], *, python: str, host: str = HOST
) -> tuple[str, ...]:
    """Command line of the sandbox with what it keeps under ``data`` and its secrets read from ``variables``' files.

    It is given those of the options ``--host --port --database --journal --webhook-url`` that its command takes.
    """
    module = f"tieline.connectors.{system.connector}.sandbox"
    taken = signature(import_module(module).run).parameters
    offered = {
        "host": host,
        "port": str(system.port),
        "database": str(data / "sandbox.sqlite"),
        "journal": str(data / "journal.jsonl"),
        "webhook_url": system.webhook_url,
    }
    given = [(f"--{name.replace('_', '-')}", value) for name, value in offered.items() if value and name in taken]
    return credentials.exported(variables, (python, "-m", module, *(word for pair in given for word in pair)))

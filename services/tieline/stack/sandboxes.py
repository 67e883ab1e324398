"""How a system's sandbox is started, natively and in a container alike."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath

from tieline.stack import credentials
from tieline.stack.estate import LocalSystem
from tieline.stack.ports import HOST


def sandbox_command(
    system: LocalSystem, data: PurePath, variables: Mapping[str, PurePath], *, python: str, host: str = HOST
) -> tuple[str, ...]:
    """Command line of the sandbox with its database under ``data`` and its secrets read from ``variables``' files."""
    module = f"tieline.connectors.{system.connector}.sandbox"
    webhook = ("--webhook-url", system.webhook_url) if system.webhook_url else ()
    where = ("--host", host, "--port", str(system.port), "--database", str(data / "sandbox.sqlite"))
    return credentials.exported(variables, (python, "-m", module, *where, *webhook))

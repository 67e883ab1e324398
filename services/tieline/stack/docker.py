"""The same stack as containers: Docker Compose with the committed file."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from tieline.kernel.landscape import load_landscape
from tieline.stack import credentials
from tieline.stack.errors import StackError
from tieline.stack.estate import estate_of
from tieline.stack.paths import StackPaths
from tieline.stack.ports import require_free
from tieline.stack.programs import Tieline
from tieline.stack.summary import Part

_PROBE_SECS = 10
_UP_SECS = 1800
_SETTLE_SECS = 5


def available() -> bool:
    """True when a Docker engine answers and Compose v2 is there. Blocks at most some seconds."""
    return _quiet("docker", "info") and _quiet("docker", "compose", "version")


def _quiet(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=_PROBE_SECS, check=False).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


def read_parts(text: str) -> list[Part]:
    """What ``docker compose ps --format json`` printed."""
    # One object a line; the earliest versions of Compose v2 printed one array.
    text = text.strip()
    documents = json.loads(text) if text.startswith("[") else [json.loads(line) for line in text.splitlines()]
    return [
        Part(
            name=str(one["Service"]),
            state=str(one.get("Health") or one["State"]),
            port=next(
                (int(port["PublishedPort"]) for port in one.get("Publishers") or () if port["PublishedPort"]), None
            ),
            log=f"docker compose logs {one['Service']}",
        )
        for one in documents
    ]


class DockerStack:
    """The landscape in containers, driven through ``docker compose`` in the checkout."""

    def __init__(self, *, checkout: Path, landscape: Path) -> None:
        self._checkout = checkout
        self.paths = StackPaths(checkout / ".tieline")
        self.tieline = Tieline(checkout, landscape, self.paths.secrets)

    def up(self) -> None:
        """Build, start, and block until every health check passes. Idempotent; raises ``StackError``."""
        if not available():
            raise StackError(
                "no Docker engine with Compose v2 answers: start Docker, or run the stack without it (STACK=native)."
            )
        if not self.parts():
            estate = estate_of(load_landscape(self.tieline.landscape))
            require_free({name: port for name, port in estate.ports().items() if name != "kafka-controller"})
        if self._compose("up", "--build", "--detach", "--wait", capture=False).returncode != 0:
            raise StackError("`docker compose up` failed, see above; `make logs` shows what each part says.")
        self._settle()
        self._fetch_secrets()

    def _settle(self) -> None:
        """See that our own processes, which have no health check, stay up. Raises ``StackError``."""
        deadline = time.monotonic() + _SETTLE_SECS
        while time.monotonic() < deadline:
            for part in self.parts():
                if not part.well:
                    raise StackError(f"{part.name} is {part.state}: `make logs PART={part.name}` shows why.")
            time.sleep(1)

    def down(self, *, purge: bool) -> bool:
        """Stop and remove the containers, with ``purge`` their volumes too. Returns False when nothing ran."""
        ran = bool(self.parts())
        done = self._compose("down", "--remove-orphans", *(["--volumes"] if purge else []), capture=False)
        if done.returncode != 0:
            raise StackError("`docker compose down` failed, see above.")
        if purge:
            shutil.rmtree(self.paths.secrets, ignore_errors=True)
        return ran

    def parts(self) -> list[Part]:
        """What runs now; empty when nothing does or Docker does not answer."""
        done = self._compose("ps", "--format", "json")
        if done.returncode != 0:
            return []
        return read_parts(done.stdout)

    def logs(self, names: Sequence[str], *, follow: bool) -> int:
        """Print the logs; returns Compose's exit code."""
        arguments = ["logs", "--tail", "50", *(["--follow"] if follow else []), *names]
        return self._compose(*arguments, capture=False, timeout_secs=None).returncode

    def _fetch_secrets(self) -> None:
        """Copy the containers' secrets to the host, so that `tieline` on the host speaks to the same systems."""
        self.paths.create()
        names = estate_of(load_landscape(self.tieline.landscape)).secret_names()
        files = [f"/run/tieline/{name}" for name in names]
        done = self._compose("run", "--rm", "--no-deps", "-T", "--entrypoint", "cat", "secrets", *files)
        values = done.stdout.split()
        if done.returncode != 0 or len(values) != len(names):
            raise StackError(f"the containers' secrets cannot be read: {done.stderr.strip()[-500:]}")
        for name, value in zip(names, values, strict=True):
            credentials.write(self.paths.secrets / name, value)

    def _compose(
        self, *arguments: str, capture: bool = True, timeout_secs: float | None = _UP_SECS
    ) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                ["docker", "compose", *arguments],
                cwd=self._checkout,
                stdin=subprocess.DEVNULL,
                capture_output=capture,
                text=True,
                timeout=timeout_secs,
                check=False,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise StackError(f"`docker compose {arguments[0]}` did not finish: {error}") from error

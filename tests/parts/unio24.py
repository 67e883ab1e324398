"""The UNIO24 sandbox as a process of its own, to run against, kill and start again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tieline.connectors.unio24.demo import Unio24User

TOKEN = "sandbox-token"  # noqa: S105  - of a sandbox that lives as long as a test
WEBHOOK_SECRET = "sandbox-webhook-secret"  # noqa: S105  - as above
START_TIMEOUT_SECS = 20
PROFILE = Path(__file__).parents[2] / "deploy" / "local" / "unio24.profile.yaml"


def free_port() -> int:
    """A port of this machine that nobody uses."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@dataclass(slots=True)
class Unio24Part:
    """One sandbox: its file and port stay, its process comes and goes."""

    database: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    options: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        """The connector's ``endpoint``."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Process id of the running sandbox."""
        assert self.process is not None, "the sandbox is not running"
        return self.process.pid

    def user(self) -> Unio24User:
        """Somebody signed in; close it."""
        return Unio24User(self.url, TOKEN)

    def settings(self, **more: object) -> dict[str, object]:
        """Settings for ``connect``."""
        return {"endpoint": self.url, "profile": str(PROFILE), "token": TOKEN, **more}

    def start(self) -> None:
        """Start, and wait until it answers."""
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tieline.connectors.unio24.sandbox"),
                *("--port", str(self.port), "--database", str(self.database)),
                *self.options,
            ],
            env={**os.environ, "UNIO24_TOKEN": TOKEN},
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + START_TIMEOUT_SECS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"the sandbox ended with {self.process.returncode}")
            try:
                httpx.get(f"{self.url}/_health", trust_env=False).raise_for_status()
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError("the sandbox did not start")

    def kill(self) -> None:
        """End it without a chance to tidy up (SIGKILL)."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to end."""
        self._end(signal.SIGTERM)

    def restart(self) -> None:
        """Kill it, then start on the same file and port."""
        self.kill()
        self.start()

    def _end(self, how: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(10)
            self.process = None


@contextmanager
def start_unio24(folder: Path, *options: str) -> Iterator[Unio24Part]:
    """A running sandbox on a file in ``folder``, with further options of its command; ended with the context."""
    folder.mkdir(parents=True, exist_ok=True)
    part = Unio24Part(folder / "unio24.db", options=options)
    part.start()
    try:
        yield part
    finally:
        part.stop()

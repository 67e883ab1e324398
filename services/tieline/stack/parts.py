"""Real parts as child processes of the caller, for tests: start, stop, ``kill -9``, start again on the same data."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tieline.stack import kafka as broker
from tieline.stack import registry as schema_registry
from tieline.stack.artifacts import bundles
from tieline.stack.downloads import ensure
from tieline.stack.errors import StackError
from tieline.stack.java import find_java
from tieline.stack.paths import StackPaths, checkout
from tieline.stack.ports import HOST, free_ports

_POLL_SECS = 0.1
_LOG_TAIL_BYTES = 2000


class Part:
    """One running process with its log file. A context manager: leaving it stops the process."""

    def __init__(
        self,
        *,
        name: str,
        argv: Sequence[str],
        log: Path,
        is_ready: Callable[[], bool],
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._argv = tuple(argv)
        self._environment = dict(environment or {})
        self._cwd = cwd
        self._is_ready = is_ready
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id; ``StackError`` when it does not run."""
        if self._process is None or self._process.poll() is not None:
            raise StackError(f"{self.name} does not run: see {self.log}.")
        return self._process.pid

    def start(self, *, wait_secs: float = 60) -> None:
        """Start and block until the part answers; ``StackError`` when it dies or does not answer in time."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | self._environment,
                cwd=self._cwd,
                # A Ctrl-C at the terminal is for the caller, who then stops the parts in order.
                start_new_session=True,
            )
        deadline = time.monotonic() + wait_secs
        while not self._is_ready():
            if self._process.poll() is not None:
                raise StackError(f"{self.name} ended with code {self._process.returncode}: {self.log_tail()}")
            if time.monotonic() > deadline:
                self.kill()
                raise StackError(f"{self.name} did not answer within {wait_secs:.0f} s: {self.log_tail()}")
            time.sleep(_POLL_SECS)

    def stop(self, *, timeout_secs: float = 20) -> None:
        """Ask it to end and wait; kill it when it does not. Does nothing when it does not run."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout_secs)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """``kill -9``: the crash tests' tool. Returns when the process is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def pause(self) -> None:
        """Freeze it (SIGSTOP): it holds its connections and answers nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen process go on (SIGCONT)."""
        os.kill(self.pid, signal.SIGCONT)

    def restart(self, *, wait_secs: float = 60) -> None:
        """Stop if it runs, then start on the same data and ports."""
        self.stop()
        self.start(wait_secs=wait_secs)

    def log_tail(self) -> str:
        """The end of its log, for messages."""
        return self.log.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace") if self.log.is_file() else ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class KafkaPart(Part):
    """A broker; ``bootstrap`` is what clients need."""

    bootstrap: str
    port: int


class RegistryPart(Part):
    """A registry; ``url`` is what a Confluent-compatible client needs."""

    url: str
    port: int


def start_kafka(folder: Path, *, port: int | None = None, downloads: Path | None = None) -> KafkaPart:
    """A ready broker with its data, configuration and log under ``folder``; ports from the system unless given.

    Blocks some 3 seconds, longer when Kafka must be fetched first. Raises ``StackError``.
    """
    runtime = find_java()
    jars = ensure(bundles()["kafka"], downloads or _downloads())
    chosen, controller_port = free_ports(2)
    chosen = port or chosen
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "config"
    broker.prepare(
        runtime=runtime,
        jars=jars,
        config=config,
        data=folder / "data",
        port=chosen,
        controller_port=controller_port,
    )
    part = KafkaPart(
        name="kafka",
        argv=broker.argv(runtime=runtime, jars=jars, config=config),
        log=folder / "kafka.log",
        is_ready=lambda: broker.is_ready(chosen),
    )
    part.port = chosen
    part.bootstrap = f"{HOST}:{chosen}"
    part.start()
    return part


def start_registry(
    folder: Path, *, bootstrap: str | None = None, port: int | None = None, downloads: Path | None = None
) -> RegistryPart:
    """A ready registry with its log under ``folder``; in memory unless ``bootstrap`` names the Kafka to keep it in.

    Blocks some 4 seconds (in Kafka: 10). Raises ``StackError``.
    """
    runtime = find_java()
    program = ensure(bundles()["registry"], downloads or _downloads())
    chosen = port or free_ports(1)[0]
    folder.mkdir(parents=True, exist_ok=True)
    part = RegistryPart(
        name="registry",
        argv=schema_registry.argv(runtime=runtime, folder=program),
        log=folder / "registry.log",
        environment=schema_registry.environment(port=chosen, bootstrap=bootstrap),
        cwd=program,
        is_ready=lambda: schema_registry.is_ready(chosen),
    )
    part.port = chosen
    part.url = schema_registry.url(chosen)
    part.start()
    return part


def _downloads() -> Path:
    return StackPaths(checkout() / ".tieline").downloads

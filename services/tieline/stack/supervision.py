"""supervisord: its configuration, and talking to it through its socket."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # it ships no types
from supervisor.xmlrpc import Faults, SupervisorTransport

from tieline.stack.errors import StackError
from tieline.stack.paths import StackPaths

_LOG_LIMIT = "20MB"
_SHUTDOWN_SECS = 60
_START_SECS = 10


@dataclass(frozen=True, slots=True)
class Program:
    """One supervised process. Lower ``stage`` starts earlier and stops later; up ``settled_secs`` means it runs."""

    name: str
    argv: Sequence[str]
    stage: int
    cwd: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_wait_secs: int = 20
    settled_secs: int = 1


def configuration(programs: Sequence[Program], paths: StackPaths) -> str:
    """Supervisord's configuration: nothing starts by itself, what dies unasked is started again."""
    user = "user=root\n" if os.geteuid() == 0 else ""
    head = f"""\
[supervisord]
{user}directory={_escape(paths.root)}
pidfile={_escape(paths.run / "supervisord.pid")}
logfile={_escape(paths.log / "supervisord.log")}
logfile_maxbytes={_LOG_LIMIT}
logfile_backups=1
childlogdir={_escape(paths.log)}
identifier=tieline
minfds=256

[unix_http_server]
file={_escape(paths.socket)}
chmod=0600

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{_escape(paths.socket)}
"""
    return "\n".join([head, *(_section(program) for program in programs)])


def _section(program: Program) -> str:
    environment = ",".join(f'{key}="{_escape(value)}"' for key, value in program.environment.items())
    return f"""\
[program:{program.name}]
command={shlex.join(program.argv).replace("%", "%%")}
directory={_escape(program.cwd)}
environment={environment}
priority={program.stage}
autostart=false
autorestart=true
startsecs={program.settled_secs}
startretries=3
stopwaitsecs={program.stop_wait_secs}
stopasgroup=false
killasgroup=true
redirect_stderr=true
stdout_logfile=log/{program.name}.log
stdout_logfile_maxbytes={_LOG_LIMIT}
stdout_logfile_backups=1
"""


def _escape(value: object) -> str:
    if '"' in str(value) or "\n" in str(value):
        raise StackError(f"{value!s} has a quote or a line break, which supervisord cannot take: rename the folder.")
    return str(value).replace("%", "%%")


@dataclass(frozen=True, slots=True)
class ProgramState:
    """What the supervisor says of one program."""

    name: str
    state: str
    pid: int
    message: str

    @property
    def running(self) -> bool:
        """True when it has been up long enough to count as started."""
        return self.state == "RUNNING"


class Supervisor:
    """A running (or not running) supervisord of one root folder."""

    def __init__(self, paths: StackPaths) -> None:
        self._paths = paths

    @property
    def _pid_file(self) -> Path:
        return self._paths.run / "supervisord.pid"

    def pid(self) -> int | None:
        """Its process id while it answers on its socket, else None."""
        try:
            with self._api() as api:
                return int(api.getPID())
        except (OSError, xmlrpc.client.Error):
            return None

    def launch(self, programs: Sequence[Program]) -> None:
        """Start it with these programs, all stopped; a running one takes over what changed. Raises ``StackError``."""
        config = self._paths.run / "supervisord.conf"
        config.write_text(configuration(programs, self._paths), encoding="utf-8")
        config.chmod(0o600)
        if self.pid() is not None:
            self._reload()
            return
        self._paths.socket.unlink(missing_ok=True)
        command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(config)]
        # Log files are named relative to this folder: supervisord unescapes their names twice, so a % in it would fail.
        done = subprocess.run(command, cwd=self._paths.root, capture_output=True, text=True, timeout=30, check=False)
        if done.returncode != 0:
            raise StackError(f"the process supervisor did not start: {(done.stderr or done.stdout).strip()[-500:]}")
        deadline = time.monotonic() + _START_SECS
        while self.pid() is None:
            if time.monotonic() > deadline:
                raise StackError(f"the process supervisor does not answer: see {self._paths.log}/supervisord.log.")
            time.sleep(0.05)

    def start(self, name: str) -> None:
        """Start one program unless it runs; returns at once. ``StackError`` when it cannot be started."""
        with self._api() as api:
            try:
                api.startProcess(name, False)
            except xmlrpc.client.Fault as fault:
                if fault.faultCode != Faults.ALREADY_STARTED:
                    raise StackError(f"{name} cannot be started: {fault.faultString}") from fault

    def states(self) -> list[ProgramState]:
        """Every program; empty when the supervisor does not run."""
        try:
            with self._api() as api:
                known: Any = api.getAllProcessInfo()
        except (OSError, xmlrpc.client.Error):
            return []
        return [
            ProgramState(str(one["name"]), str(one["statename"]), int(one["pid"]), str(one["description"]))
            for one in known
        ]

    def shutdown(self) -> bool:
        """End it and everything it started, last stage first, and wait until all are gone; False when nothing ran.

        Also ends what a killed supervisor left behind. Raises ``StackError`` when something stays.
        """
        pid = self.pid()
        if pid is not None:
            with self._api() as api, contextlib.suppress(xmlrpc.client.Fault):
                api.shutdown()
            try:
                psutil.Process(pid).wait(_SHUTDOWN_SECS)
            except psutil.NoSuchProcess:
                pass
            except psutil.TimeoutExpired as error:
                raise StackError(f"the process supervisor (pid {pid}) is still stopping its parts.") from error
        left = self.end_leftovers()
        for path in (self._paths.socket, self._pid_file):
            path.unlink(missing_ok=True)
        return pid is not None or left > 0

    def end_leftovers(self) -> int:
        """End processes that a killed supervisor of this very root left behind; returns their number."""
        mark = f"unix://{self._paths.socket}"
        left = [process for process in psutil.process_iter() if _started_by(process, mark)]
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
        _, alive = psutil.wait_procs(left, timeout=20)
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(alive, timeout=5)
        return len(left)

    def _reload(self) -> None:
        with self._api() as api:
            added, changed, removed = (list(names) for names in api.reloadConfig()[0])
            for name in (*changed, *removed):
                api.stopProcessGroup(name)
                api.removeProcessGroup(name)
            for name in (*added, *changed):
                api.addProcessGroup(name)

    @contextlib.contextmanager
    def _api(self) -> Iterator[Any]:
        transport = SupervisorTransport(None, None, f"unix://{self._paths.socket}")
        # The address is a placeholder of xmlrpc's; the transport talks to the socket.
        with xmlrpc.client.ServerProxy("http://localhost", transport=transport) as proxy:
            yield proxy.supervisor


def _started_by(process: psutil.Process, mark: str) -> bool:
    try:
        return bool(process.environ().get("SUPERVISOR_SERVER_URL") == mark)
    except (psutil.Error, OSError):
        return False

"""The stack without containers: what runs, in which order it starts, and how it ends."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tieline.kernel.landscape import load_landscape
from tieline.stack import credentials, erp
from tieline.stack import kafka as broker
from tieline.stack import registry as schema_registry
from tieline.stack.artifacts import bundles
from tieline.stack.downloads import ensure
from tieline.stack.erp import Erp
from tieline.stack.errors import StackError
from tieline.stack.estate import Estate, LocalSystem, estate_of
from tieline.stack.java import JavaRuntime, find_java
from tieline.stack.paths import StackPaths
from tieline.stack.ports import HOST, answers, require_free
from tieline.stack.programs import TIELINE, Tieline
from tieline.stack.sandboxes import sandbox_command
from tieline.stack.summary import Part
from tieline.stack.supervision import Program, Supervisor

_READY_SECS = 90
_POLL_SECS = 0.25
_LOG_TAIL_LINES = 8
# Stages: what starts earlier stops later.
_BROKER, _STORES, _SYSTEMS, _HUB = 10, 20, 30, 40


@dataclass(frozen=True, slots=True)
class _Foreign:
    """Programs that are not ours, ready to start."""

    runtime: JavaRuntime
    jars: Path
    registry: Path
    erps: Mapping[str, Erp]


class NativeStack:
    """A whole landscape as processes of this machine, under one supervisor.

    ``checkout`` holds the committed files and is where Tieline's processes run, ``root`` everything generated;
    ``program`` is what Tieline's command lines begin with (a test may give another).
    """

    def __init__(
        self, *, checkout: Path, landscape: Path, root: Path | None = None, program: Sequence[str] = TIELINE
    ) -> None:
        self.paths = StackPaths(root or checkout / ".tieline")
        self.tieline = Tieline(checkout, landscape, self.paths.secrets, program)
        self._supervisor = Supervisor(self.paths)

    def up(self) -> None:
        """Start what does not run and block until everything answers. Idempotent; raises ``Stop``."""
        estate = estate_of(load_landscape(self.tieline.landscape))
        self.paths.create()
        if self._supervisor.pid() is None:
            self._supervisor.end_leftovers()
            require_free(estate.ports())
        foreign = self._prepare(estate)
        programs = [*self._programs(estate, foreign)]
        ports = {**estate.metrics_ports, **estate.ports()}  # whoever serves nothing else is seen by its metrics
        self._addresses.write_text(json.dumps({one.name: ports.get(one.name) for one in programs}), encoding="utf-8")
        self._supervisor.launch(programs)
        starts: list[Callable[[], None]] = [partial(self._start_stores, estate)]
        starts += [partial(self._start_system, system, foreign.erps.get(system.name)) for system in estate.systems]
        with ThreadPoolExecutor(len(starts)) as pool:
            for job in [pool.submit(start) for start in starts]:
                job.result()
        for process in estate.processes:
            self._supervisor.start(process.name)
        for process in estate.processes:
            self._await(process.name, lambda: True)

    def down(self, *, purge: bool) -> bool:
        """Stop exactly what ``up`` started and wait until it is gone; ``purge`` also removes data, logs, secrets.

        Returns False when nothing ran.
        """
        ran = self._supervisor.shutdown()
        if purge:
            for folder in (self.paths.data, self.paths.run, self.paths.log, self.paths.secrets):
                shutil.rmtree(folder, ignore_errors=True)
        return ran

    def parts(self) -> list[Part]:
        """What runs now, in starting order; empty when the supervisor does not run."""
        states = {one.name: one.state.lower() for one in self._supervisor.states()}
        ports = json.loads(self._addresses.read_text(encoding="utf-8")) if states else {}
        return [Part(name, states[name], port, str(self._log(name))) for name, port in ports.items() if name in states]

    def log_files(self, names: Sequence[str]) -> list[Path]:
        """Existing log files of these parts, of all when none is named. ``StackError`` for an unknown part."""
        wanted = [self._log(name) for name in names] or sorted(self.paths.log.glob("*.log"))
        for file in wanted:
            if not file.is_file():
                known = ", ".join(sorted(path.stem for path in self.paths.log.glob("*.log"))) or "none"
                raise StackError(f"there is no log of {file.stem!r}; parts with a log: {known}.")
        return wanted

    @property
    def _addresses(self) -> Path:
        """The programs in starting order and their ports, so that `status` needs no landscape."""
        return self.paths.run / "ports.json"

    # ---- starting, stage by stage

    def _prepare(self, estate: Estate) -> _Foreign:
        """Fetch, install and configure what is not ours; nothing runs yet."""
        runtime = find_java()
        jars = ensure(bundles()["kafka"], self.paths.downloads)
        registry = ensure(bundles()["registry"], self.paths.downloads)
        secret_files = credentials.ensure(self.paths.secrets, estate.secret_names())
        erps = {system.name: self._erp(system, secret_files) for system in estate.systems if system.is_erp}
        for one in erps.values():
            erp.install(one)
            erp.configure(one)
        broker.prepare(
            runtime=runtime,
            jars=jars,
            config=self.paths.run / "kafka",
            data=self.paths.data / "kafka",
            port=estate.kafka_port,
            controller_port=estate.controller_port,
        )
        return _Foreign(runtime, jars, registry, erps)

    def _start_stores(self, estate: Estate) -> None:
        self._start("kafka", lambda: broker.is_ready(estate.kafka_port))
        self._start("registry", lambda: schema_registry.is_ready(estate.registry_port))
        done = self.tieline.run("topics", "apply", "--yes")
        if done.returncode != 0:
            raise StackError(f"`tieline topics apply` failed: {(done.stderr or done.stdout).strip()[-1500:]}")

    def _start_system(self, system: LocalSystem, real: Erp | None) -> None:
        if real is None:
            self._start(system.name, lambda: answers(system.port))
        else:
            erp.seed(real)
            self._start(system.name, lambda: erp.is_ready(system.port))

    def _start(self, name: str, is_ready: Callable[[], bool]) -> None:
        self._supervisor.start(name)
        self._await(name, is_ready)

    def _await(self, name: str, is_ready: Callable[[], bool]) -> None:
        """Block until the program runs and answers; ``StackError`` with its log's end when it gives up."""
        deadline = time.monotonic() + _READY_SECS
        while True:
            state = next(one for one in self._supervisor.states() if one.name == name)
            if state.running and is_ready():
                return
            if state.state in {"FATAL", "EXITED", "STOPPED"} or time.monotonic() > deadline:
                tail = "\n".join(_last_lines(self._log(name), _LOG_TAIL_LINES))
                raise StackError(f"{name} does not come up ({state.message}); the end of {self._log(name)}:\n{tail}")
            time.sleep(_POLL_SECS)

    # ---- what runs

    def _programs(self, estate: Estate, foreign: _Foreign) -> Iterator[Program]:
        runtime = foreign.runtime
        yield Program(
            name="kafka",
            argv=broker.argv(runtime=runtime, jars=foreign.jars, config=self.paths.run / "kafka"),
            stage=_BROKER,
            cwd=self.paths.run,
            stop_wait_secs=30,
        )
        yield Program(
            name="registry",
            argv=schema_registry.argv(runtime=runtime, folder=foreign.registry),
            stage=_STORES,
            cwd=foreign.registry,
            environment=schema_registry.environment(port=estate.registry_port, bootstrap=f"{HOST}:{estate.kafka_port}"),
        )
        for system in estate.systems:
            real = foreign.erps.get(system.name)
            argv = real.argv() if real else self._sandbox(system)
            yield Program(name=system.name, argv=argv, stage=_SYSTEMS, cwd=self.paths.run)
        for process in estate.processes:
            yield Program(
                name=process.name,
                argv=(*self.tieline.program, *process.argv[1:]),
                stage=_HUB,
                cwd=self.tieline.checkout,
                environment=self.tieline.environment(),
                # Long enough that a wrong setting ends the process before it counts as started.
                settled_secs=4,
            )

    def _sandbox(self, system: LocalSystem) -> tuple[str, ...]:
        data = self.paths.data / system.name
        data.mkdir(parents=True, exist_ok=True)
        variables = {name: self.paths.secrets / file for name, file in system.variables().items()}
        return sandbox_command(system, data, variables, python=sys.executable)

    def _erp(self, system: LocalSystem, secret_files: Mapping[str, Path]) -> Erp:
        if "password" not in system.secrets:
            raise StackError(f"systems.{system.name}.settings.password must be a {{secret: file:…}} in the landscape.")
        return Erp(
            environment=self.paths.downloads / "tryton",
            data=self.paths.data / system.name,
            config=self.paths.run / system.name / "trytond.conf",
            log=self.paths.log / f"{system.name}-setup.log",
            lock=self.tieline.checkout / "requirements" / "tryton.lock",
            setup=self.tieline.checkout / "deploy" / "local" / "tryton" / "setup.py",
            password_file=secret_files[system.secrets["password"]],
            template=self.paths.downloads / "tryton-template",
            port=system.port,
        )

    def _log(self, name: str) -> Path:
        return self.paths.log / f"{name}.log"


def _last_lines(file: Path, count: int) -> list[str]:
    if not file.is_file():
        return ["(no log)"]
    return file.read_text(encoding="utf-8", errors="replace").splitlines()[-count:]

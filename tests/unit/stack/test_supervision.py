"""The supervisor, for real, with programs that only sleep."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest

from tieline.stack.errors import StackError
from tieline.stack.paths import StackPaths
from tieline.stack.supervision import Program, Supervisor, configuration

SLEEP = (sys.executable, "-c", "import time; time.sleep(600)")


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def paths(tmp_path: Path) -> StackPaths:
    found = StackPaths(tmp_path / "a folder with 100% blanks")
    found.create()
    return found


@pytest.fixture
def supervisor(paths: StackPaths) -> Iterator[Supervisor]:
    found = Supervisor(paths)
    yield found
    found.shutdown()


@pytest.fixture
def program(paths: StackPaths) -> Program:
    return Program(name="sleeper", argv=SLEEP, stage=1, cwd=paths.run, environment={"SHARE": "50% x"})


def _pid(supervisor: Supervisor) -> int:
    return next(state.pid for state in supervisor.states() if state.running)


def _running(supervisor: Supervisor) -> bool:
    return any(state.running for state in supervisor.states())


def test_a_program_that_dies_is_started_again(supervisor: Supervisor, program: Program) -> None:
    supervisor.launch([program])
    assert [state.state for state in supervisor.states()] == ["STOPPED"]
    supervisor.start("sleeper")
    supervisor.start("sleeper")
    _until(lambda: _running(supervisor))
    first = _pid(supervisor)
    os.kill(first, signal.SIGKILL)
    _until(lambda: any(state.running and state.pid != first for state in supervisor.states()))


def test_shutdown_ends_everything_and_can_be_repeated(
    supervisor: Supervisor, program: Program, paths: StackPaths
) -> None:
    supervisor.launch([program])
    supervisor.start("sleeper")
    _until(lambda: _running(supervisor))
    pid = _pid(supervisor)
    assert supervisor.shutdown()
    assert not psutil.pid_exists(pid)
    assert supervisor.pid() is None
    assert supervisor.states() == []
    assert not paths.socket.exists()
    assert not supervisor.shutdown()


def test_what_a_killed_supervisor_left_behind_is_ended(supervisor: Supervisor, program: Program) -> None:
    supervisor.launch([program])
    supervisor.start("sleeper")
    _until(lambda: _running(supervisor))
    orphan = _pid(supervisor)
    own = supervisor.pid()
    assert own is not None
    os.kill(own, signal.SIGKILL)
    _until(lambda: supervisor.pid() is None)
    assert psutil.pid_exists(orphan)
    assert supervisor.shutdown()
    assert not psutil.pid_exists(orphan)


def test_a_second_launch_restarts_only_what_changed(supervisor: Supervisor, program: Program) -> None:
    other = replace(program, name="other")
    supervisor.launch([program, other])
    for name in ("sleeper", "other"):
        supervisor.start(name)
    _until(lambda: all(state.running for state in supervisor.states()))
    before = {state.name: state.pid for state in supervisor.states()}
    supervisor.launch([program, replace(other, environment={"SHARE": "2"})])
    supervisor.start("other")
    _until(lambda: all(state.running for state in supervisor.states()))
    after = {state.name: state.pid for state in supervisor.states()}
    assert after["sleeper"] == before["sleeper"]
    assert after["other"] != before["other"]


def test_an_unknown_program_is_an_error(supervisor: Supervisor, program: Program) -> None:
    supervisor.launch([program])
    with pytest.raises(StackError, match="nobody cannot be started"):
        supervisor.start("nobody")


def test_the_environment_reaches_the_program(supervisor: Supervisor, program: Program) -> None:
    supervisor.launch([program])
    supervisor.start("sleeper")
    _until(lambda: _running(supervisor))
    assert psutil.Process(_pid(supervisor)).environ()["SHARE"] == "50% x"


def test_nothing_starts_before_its_turn(program: Program, paths: StackPaths) -> None:
    assert "autostart=false" in configuration([program], paths)


def test_a_long_path_gets_a_short_socket(tmp_path: Path) -> None:
    assert len(str(StackPaths(tmp_path / ("x" * 120)).socket)) < 100


def test_a_value_supervisord_would_misread_is_refused(program: Program, paths: StackPaths) -> None:
    with pytest.raises(StackError, match="rename the folder"):
        configuration([replace(program, environment={"PLACE": 'a "b"'})], paths)

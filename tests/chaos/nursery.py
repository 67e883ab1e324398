"""Starts copies of the hub's processes fast: forks them from a process that has imported the product already.

``python -m tests.chaos.nursery`` reads a line of JSON per start (``Birth``) and forks; the copy then runs the product's
own command as ``launching`` does. It tells each start (``["started", name, pid]``) and each end (``["ended", pid,
returncode]``) in a line. When its input ends, it kills who is left and ends.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

_PRELOADED = (
    "tests.chaos.launching",
    "tests.chaos.ledger_connector",
    "tieline.wiring",
    "tieline.connectors.unio24.connector",
)
START_SECS, END_SECS = 60.0, 30.0


class Child:
    """A copy under way, as ``subprocess.Popen`` would show it. ``returncode`` is minus the signal that killed it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = threading.Event()

    def poll(self) -> int | None:
        """Its return code once it has ended."""
        return self.returncode

    def end(self, returncode: int) -> None:
        """It has ended, and its parent knows."""
        self.returncode = returncode
        self._ended.set()

    def wait(self, timeout_secs: float = END_SECS) -> int:
        """Its return code. Raises ``TimeoutError``."""
        if not self._ended.wait(timeout_secs) or self.returncode is None:
            raise TimeoutError(f"process {self.pid} does not end")
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Nothing happens to who has ended."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """``kill -9``."""
        self.send_signal(signal.SIGKILL)


@dataclass(slots=True)
class _Born:
    """What the nursery told."""

    children: dict[int, Child] = field(default_factory=dict)
    started: dict[int, Child] = field(default_factory=dict)


class Nursery:
    """The other side of it. ``close`` kills everybody, also who is frozen."""

    def __init__(self, path: Mapping[str, str], folder: Path) -> None:
        """``path`` is what its environment has beside ours."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **path},
            cwd=folder,
            text=True,
            bufsize=1,
        )
        self._born = _Born()
        self._asked = 0
        self._told = threading.Condition()
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> Child:
        """A copy that runs ``tieline`` with these arguments, and says what it has to say into the log."""
        assert self._process.stdin is not None
        log.touch()  # whoever looks at it need not wait for the copy
        with self._told:
            self._asked += 1
            number = self._asked
            order = [number, [*arguments], {**environment}, str(log)]
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            if not self._told.wait_for(lambda: number in self._born.started, START_SECS):
                raise TimeoutError("the nursery starts nobody")
            return self._born.started.pop(number)

    def close(self) -> None:
        """End everybody, and it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(END_SECS)
        self._reader.join()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            what, first, second = json.loads(line)
            with self._told:
                if what == "started":
                    child = Child(second)
                    self._born.started[first] = self._born.children[second] = child
                else:
                    self._born.children.pop(first).end(second)
                self._told.notify_all()


def main() -> None:
    """Serve until the input ends. One thread: it forks."""
    for name in _PRELOADED:
        import_module(name)
    gc.collect()
    gc.freeze()  # what is shared stays shared
    out = os.dup(1)
    os.dup2(2, 1)  # nothing but ours goes to whom we tell
    waking, woken = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(waking, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(woken)
    children: set[int] = set()
    pending = b""
    with selectors.DefaultSelector() as selector:
        selector.register(0, selectors.EVENT_READ)
        selector.register(waking, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                data = os.read(key.fd, 65536)
                if key.fd == waking:
                    _tell_ended(out, children)
                    continue
                if not data:
                    _end_all(out, children)
                    return
                *lines, pending = (pending + data).split(b"\n")
                for line in lines:
                    _fork(out, children, json.loads(line), (waking, woken))


def _fork(out: int, children: set[int], order: Sequence[object], ours: Sequence[int]) -> None:
    number, arguments, environment, log = order
    pid = os.fork()
    if pid:
        children.add(pid)
        os.write(out, json.dumps(["started", number, pid]).encode() + b"\n")
        return
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for own in (out, *ours):
        os.close(own)
    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(os.open(str(log), os.O_WRONLY | os.O_APPEND), 1)
        os.dup2(1, 2)
        assert isinstance(environment, dict)
        assert isinstance(arguments, list)
        os.environ.update(environment)
        sys.argv = ["tieline", *arguments]
        code = _run()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _run() -> int:
    launching = import_module("tests.chaos.launching")
    try:
        launching.main()
    except SystemExit as end:
        if isinstance(end.code, str):
            sys.stderr.write(end.code + "\n")
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _tell_ended(out: int, children: set[int], how: int = os.WNOHANG) -> None:
    while children:
        pid, status = os.waitpid(-1, how)
        if not pid:
            return
        children.discard(pid)
        os.write(out, json.dumps(["ended", pid, os.waitstatus_to_exitcode(status)]).encode() + b"\n")


def _end_all(out: int, children: set[int]) -> None:
    for pid in children:
        os.kill(pid, signal.SIGKILL)
    _tell_ended(out, children, how=0)


if __name__ == "__main__":
    main()

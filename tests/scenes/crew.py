"""The hub's processes in a scene: started, paused, replaced, ended; who ended by itself is known."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.chaos.processes import FENCED, ROOT, Copy

START_SECS = 120.0


class Crew:
    """``running`` has the newest copy of each; those before it are ``replaced`` until they have ended."""

    def __init__(self, folder: Path, landscape: Path) -> None:
        self._folder = folder
        self._landscape = landscape
        self._starts = 0
        self.environment: Mapping[str, str] = {}
        self.running: dict[str, Copy] = {}
        self.replaced: list[Copy] = []
        self.fenced = 0
        self.crashes: list[str] = []

    def start(self, names: Iterable[str]) -> None:
        """A copy of each, all side by side; returns when all have taken up their work."""
        for name in names:
            self.launch(name)
        for name in names:
            self.wait(self.running[name])

    def launch(self, name: str) -> Copy:
        """A new copy, without waiting for it; the one before it, if it lives, counts as replaced."""
        before = self.running.get(name)
        if before is not None and before.process.poll() is None:
            self.replaced.append(before)
        self._starts += 1
        log = self._folder / f"{name}-{self._starts}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "tests.scenes.launching", "run"),
                    *(*name.split("-", 1), "--landscape", str(self._landscape)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment},
                cwd=ROOT,
            )
        self.running[name] = Copy(name, process, log, None)
        return self.running[name]

    def wait(self, copy: Copy, *, secs: float = START_SECS) -> None:
        """Until it takes up its work, tables read. Raises ``AssertionError`` if it ends or takes too long."""
        deadline = time.monotonic() + secs
        while not copy.is_started:
            if copy.process.poll() is not None:
                raise AssertionError(f"{copy.name} ended with {copy.process.returncode}: {copy.last_words}")
            if time.monotonic() > deadline:
                raise AssertionError(f"{copy.name} did not start within {secs:.0f} s: {copy.last_words}")
            time.sleep(0.05)

    def end(self, name: str, how: signal.Signals = signal.SIGTERM) -> None:
        """End a process and wait for it."""
        copy = self.running.pop(name)
        copy.process.send_signal(how)
        try:
            copy.process.wait(40)
        except subprocess.TimeoutExpired:
            copy.process.kill()
            copy.process.wait()

    def tend(self) -> list[Copy]:
        """Start again who ended by itself, and say who those were; count the replaced that have ended."""
        ended = [copy for copy in self.running.values() if copy.process.poll() is not None]
        for copy in ended:
            self.launch(copy.name)
        for copy in [*self.replaced]:
            if copy.process.poll() is not None:
                self.replaced.remove(copy)
                if FENCED in copy.last_words:
                    self.fenced += 1
                elif not copy.killed:
                    self.crashes.append(
                        f"a replaced {copy.name} ended with {copy.process.returncode}: {copy.last_words}"
                    )
        return ended

    def repeated(self) -> int:
        """How often a process gave a transaction up and did its work again."""
        return sum(log.read_bytes().count(b'"transaction-repeated"') for log in self._folder.glob("*-*.log"))

    def stop(self) -> None:
        """End everything, also who is frozen."""
        everybody = [*self.running.values(), *self.replaced]
        for copy in everybody:
            copy.process.kill()
        for copy in everybody:
            copy.process.wait()


def resident_mb(pid: int) -> float:
    """Resident memory of a process (MB), from the kernel's own account."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def cpu_secs(pid: int) -> float:
    """Processor time of a process so far (seconds)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

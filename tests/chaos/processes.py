"""The hub's processes under attack: started, armed, found dead, started again; frozen, replaced, woken."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.nursery import Child, Nursery
from tests.chaos.points import FILE, Arm, read_struck

FENCED = "another copy of it has taken over"
ROOT = Path(__file__).parents[2]
AHEAD = 4
"""So many more than are owed are armed: who dies first is not always who is armed first."""


@dataclass(slots=True)
class Copy:
    """One run of a process. ``killed`` and ``wake_at`` say what was done to it from outside."""

    name: str
    process: Child | subprocess.Popen[bytes]
    log: Path
    arm: Arm | None
    killed: bool = False
    wake_at: float | None = None

    @property
    def is_started(self) -> bool:
        """Whether it has read its tables and takes up its work."""
        return b'"started"' in self.log.read_bytes()

    @property
    def last_words(self) -> str:
        """The end of its log."""
        return self.log.read_bytes()[-600:].decode(errors="replace").strip()


@dataclass(slots=True)
class Tally:
    """What has happened. ``crashes`` are ends that nobody wanted, with their last words."""

    kills: Counter[str] = field(default_factory=Counter)
    freezes: Counter[str] = field(default_factory=Counter)
    strikes: Counter[str] = field(default_factory=Counter)
    starts: int = 0
    fenced: int = 0
    zombies_fenced: int = 0
    crashes: list[str] = field(default_factory=list)


class Processes:
    """``tend`` again and again: it sees who has ended, and starts who is missing."""

    def __init__(
        self,
        folder: Path,
        landscape: Path,
        arms: Mapping[str, Sequence[Arm]],
        *,
        frozen_secs: float,
        services: Path | None = None,
    ) -> None:
        self._folder = folder
        self._landscape = landscape
        self._arms = {name: list(own) for name, own in arms.items()}
        self._frozen_secs = frozen_secs
        path = {} if services is None else {"PYTHONPATH": f"{services}{os.pathsep}{ROOT}"}
        self._nursery = Nursery(path, ROOT)
        self._file = folder / "points"
        self._owed = 0
        self.running: dict[str, Copy] = {}
        self.replaced: list[Copy] = []
        self.tally = Tally()

    @property
    def kills(self) -> int:
        """How many died by kill -9."""
        return self.tally.kills.total()

    def start_all(self) -> None:
        """The first run of each."""
        for name in self._arms:
            self.running[name] = self._start(name)

    def let_strike(self) -> None:
        """From now on points strike."""
        self._file.touch()

    def let_die(self, owed: int) -> None:
        """So many may have died by now: who starts is armed while they have not."""
        self._owed = owed

    def tend(self) -> None:
        """Count the ended, start them again; replace the frozen, and wake those whose time has come."""
        struck = read_struck(self._file)
        for name, copy in list(self.running.items()):
            if copy.process.poll() is not None:
                self._count_end(copy, struck.get(copy.process.pid))
                self.running[name] = self._start(name)
            elif (met := struck.get(copy.process.pid)) is not None and met[0] == "freeze":
                self.tally.freezes[met[1]] += 1
                self._replace(copy, wake_at=time.monotonic() + self._frozen_secs)
        for copy in list(self.replaced):
            if copy.wake_at is not None and time.monotonic() > copy.wake_at:
                copy.process.send_signal(signal.SIGCONT)
                copy.wake_at = None
            if copy.process.poll() is not None:
                self.replaced.remove(copy)
                self._count_zombie(copy, struck.get(copy.process.pid))

    def kill(self, name: str) -> None:
        """``kill -9`` wherever it is; a kill that it was armed with is spent."""
        copy = self.running[name]
        self._keep_freeze(copy)
        copy.killed = True
        copy.process.kill()
        copy.process.wait()

    def usurp(self, name: str) -> None:
        """A second copy starts while the first runs; the first is not armed any more than it is."""
        self._keep_freeze(self.running[name])
        self._replace(self.running[name], wake_at=None)

    def goad(self) -> None:
        """Kill one that runs and whose point does not come; when nobody waits for one, anybody that runs."""
        started = {name: copy for name, copy in self.running.items() if copy.is_started}
        armed = [name for name, copy in started.items() if copy.arm is not None and copy.arm.deed == "kill"]
        names = armed or list(started)
        if names:
            self.kill(names[self.kills % len(names)])

    def disarm(self) -> None:
        """From now on nobody who starts is armed."""
        for own in self._arms.values():
            own.clear()

    @property
    def is_calm(self) -> bool:
        """Whether everybody is at work, and nobody sleeps."""
        return all(copy.is_started for copy in self.running.values()) and not any(
            copy.wake_at is not None for copy in self.replaced
        )

    @property
    def repeated(self) -> int:
        """How often a process gave a transaction up and did its work again."""
        return sum(log.read_bytes().count(b'"transaction-repeated"') for log in self._folder.glob("*-*.log"))

    def stop(self) -> None:
        """End everything, also who is frozen."""
        self._nursery.close()

    def _keep_freeze(self, copy: Copy) -> None:
        """Who comes after it is to freeze in its stead."""
        if copy.arm is not None and copy.arm.deed == "freeze" and copy.process.pid not in read_struck(self._file):
            self._arms[copy.name].insert(0, copy.arm)

    def _replace(self, copy: Copy, *, wake_at: float | None) -> None:
        copy.wake_at = wake_at
        self.replaced.append(copy)
        self.running[copy.name] = self._start(copy.name)

    def _take_arm(self, name: str) -> Arm | None:
        """The next of a process; a kill only while some are owed that nobody is armed for."""
        own = self._arms[name]
        if not own or (own[0].deed == "kill" and self.kills + self._armed() >= self._owed + AHEAD):
            return None
        return own.pop(0)

    def _armed(self) -> int:
        """Who waits for a point to die at."""
        return sum(copy.arm is not None and copy.arm.deed == "kill" for copy in self.running.values())

    def _start(self, name: str) -> Copy:
        arm = self._take_arm(name)
        self.tally.starts += 1
        log = self._folder / f"{name}-{self.tally.starts}.log"
        arguments = ["run", *name.split("-"), "--landscape", str(self._landscape)]
        environment = {FILE: str(self._file), **(arm.environment() if arm else {})}
        process = self._nursery.start(arguments, environment, log)
        return Copy(name, process, log, arm)

    def _count_end(self, copy: Copy, struck: tuple[str, str] | None) -> None:
        if copy.killed:
            self.tally.kills["anywhere"] += 1
        elif struck is not None:
            self.tally.kills[struck[1]] += 1
        elif FENCED in copy.last_words:
            self.tally.fenced += 1
        else:
            self.tally.crashes.append(f"{copy.name} ended with {copy.process.returncode}: {copy.last_words}")

    def _count_zombie(self, copy: Copy, struck: tuple[str, str] | None) -> None:
        if copy.killed:  # and replaced before anybody saw that it was dead
            self.tally.kills["anywhere"] += 1
        elif FENCED in copy.last_words:
            self.tally.zombies_fenced += 1
        elif struck is not None and struck[0] == "kill":
            self.tally.kills[struck[1]] += 1
        else:
            self.tally.crashes.append(f"a replaced {copy.name} ended with {copy.process.returncode}: {copy.last_words}")

"""Labelled points at which a process can be told to die or to freeze. Nothing of the product knows of them.

``TIELINE_KILL_AT=commit:before:2`` kills the process by ``kill -9`` the second time it is about to commit a position;
``TIELINE_FREEZE_AT=…`` stops it there (SIGSTOP) until somebody sends SIGCONT. What struck is written to the file
``TIELINE_POINT_FILE`` first, a line ``pid deed label``. Nothing strikes or counts before that file is there.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Deed = Literal["kill", "freeze"]
VARIABLES: Mapping[Deed, str] = {"kill": "TIELINE_KILL_AT", "freeze": "TIELINE_FREEZE_AT"}
FILE = "TIELINE_POINT_FILE"
FIRST_DELAY_SECS = 0.002
"""How far into a call that is under way a kill strikes; twice and three times as far for counts above one."""

PROCESSOR_LABELS = (
    "initialised",
    "polled",
    "begun",
    "produced",
    "position:before",
    "position:after",
    "commit:before",
    "commit:during",
    "commit:after",
)
"""In the order in which a batch passes them. ``position`` is sending the offsets into the transaction."""
SINK_LABELS = (
    *PROCESSOR_LABELS,
    "record:before",
    "record:during",
    "record:after",
    "call:before",
    "call:during",
    "call:after",
    "read-back:before",
    "read-back:after",
)
SOURCE_LABELS = ("initialised", "begun", "produced", "record:before", "record:during", "record:after")
"""``record`` is a commit that moves no position: intents, the outcomes of all but a batch's last calls, what
a source read (its position is a record)."""


@dataclass(frozen=True, slots=True)
class Arm:
    """What is to happen at which passing (from 1) of which point."""

    deed: Deed
    label: str
    count: int

    def environment(self) -> dict[str, str]:
        """The variable that says so to the process."""
        return {VARIABLES[self.deed]: f"{self.label}:{self.count}"}


def read_arm(environment: Mapping[str, str]) -> Arm | None:
    """The arm in the environment, if there is one. Raises ``ValueError`` for a label that there is not."""
    for deed, variable in VARIABLES.items():
        if said := environment.get(variable):
            label, _, count = said.rpartition(":")
            if label not in SINK_LABELS:
                raise ValueError(f"{variable}: there is no point {label!r}")
            return Arm(deed, label, int(count))
    return None


@dataclass(slots=True)
class Points:
    """Counts the passings of the point that is armed, and strikes when it is time.

    ``strike`` gets the deed and the label. What is passed while it is not ``in_force`` does not count.
    """

    arm: Arm | None
    strike: Callable[[Deed, str], None]
    in_force: Callable[[], bool] = lambda: True
    passed: Counter[str] = field(default_factory=Counter)

    def reach(self, label: str) -> None:
        """The process is at a point."""
        if self._is_due(label):
            assert self.arm is not None
            self.strike(self.arm.deed, label)

    @contextmanager
    def around(self, name: str) -> Iterator[None]:
        """``name:before``, a call during which it may strike too, and ``name:after`` if the call came back."""
        self.reach(f"{name}:before")
        label = f"{name}:during"
        if self._is_due(label):
            # From a thread: the call is to be under way. When it returns first, the deed comes a moment after it.
            threading.Thread(target=self._strike_soon, args=(label,), daemon=True).start()
        yield
        self.reach(f"{name}:after")

    def _is_due(self, label: str) -> bool:
        if self.arm is None or self.arm.label != label or not self.in_force():
            return False
        self.passed[label] += 1
        return self.passed[label] == self.arm.count

    def _strike_soon(self, label: str) -> None:
        assert self.arm is not None
        time.sleep(FIRST_DELAY_SECS * self.arm.count)
        self.strike(self.arm.deed, label)


def strike_this_process(file: Path) -> Callable[[Deed, str], None]:
    """Note the deed in the file, then do it to the process that calls."""

    def strike(deed: Deed, label: str) -> None:
        line = f"{os.getpid()} {deed} {label}\n".encode()
        note = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(note, line)
        os.close(note)
        os.kill(os.getpid(), signal.SIGKILL if deed == "kill" else signal.SIGSTOP)

    return strike


def read_struck(file: Path) -> dict[int, tuple[Deed, str]]:
    """What struck whom: by process id, the deed and the label."""
    if not file.is_file():
        return {}
    found: dict[int, tuple[Deed, str]] = {}
    for line in file.read_text(encoding="ascii").splitlines():
        pid, deed, label = line.split(" ")
        found[int(pid)] = ("kill" if deed == "kill" else "freeze", label)
    return found

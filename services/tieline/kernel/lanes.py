"""Lanes: the commands that wait, by key. One of a key is at work at a time, oldest first; keys take turns. Pure."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from tieline.kernel.command_records import Command
from tieline.kernel.guarding import Tries
from tieline.kernel.records import Inbound
from tieline.kernel.settling import Outcome


@dataclass(slots=True, eq=False)
class Task:
    """One command on its way: where it came from, and how it ended once it has.

    ``uncertain`` is None until its intent was recorded; then it says whether an attempt may have taken effect.
    ``stands_for`` lists the versions that were passed over for it (kernel/coalescing.py).
    """

    record: Inbound
    command: Command
    outcome: Outcome | None = None
    uncertain: bool | None = None
    stands_for: Sequence[int] = ()
    tries: Tries = field(default_factory=Tries)
    due_secs: float = 0.0
    """Monotonic time before which it is not tried again."""

    @property
    def key(self) -> str:
        """Its lane."""
        return self.record.key_text


@dataclass(slots=True)
class _Lane:
    waiting: deque[Task] = field(default_factory=deque)
    at_work: Task | None = None


class Lanes:
    """A task is put in, taken to be worked on, and then either closed or put back as the first of its lane."""

    def __init__(self) -> None:
        self._lanes: dict[str, _Lane] = {}
        self._ready: OrderedDict[str, None] = OrderedDict()  # lanes with something to take, in their turn

    def __bool__(self) -> bool:
        return bool(self._lanes)

    def __iter__(self) -> Iterator[Task]:
        """Every task, at work or waiting."""
        for lane in self._lanes.values():
            if lane.at_work is not None:
                yield lane.at_work
            yield from lane.waiting

    def put(self, task: Task) -> None:
        """A command was read: it waits behind those of its key (Invariant 2)."""
        lane = self._lanes.setdefault(task.key, _Lane())
        lane.waiting.append(task)
        if lane.at_work is None:
            self._ready.setdefault(task.key)

    def firsts(self) -> Iterator[Task]:
        """What can be taken: the first command of each lane that has none at work, in their turn."""
        return (self._lanes[key].waiting[0] for key in self._ready)

    def take(self, may: Callable[[Task], bool] = lambda _: True) -> Task | None:
        """The first of ``firsts`` that may be taken; its lane gives no other until it is closed or put back."""
        chosen = next((task for task in self.firsts() if may(task)), None)
        if chosen is None:
            return None
        del self._ready[chosen.key]
        lane = self._lanes[chosen.key]
        lane.at_work = lane.waiting.popleft()
        return chosen

    def behind(self, task: Task) -> Sequence[Task]:
        """What waits behind a task at work, oldest first."""
        return tuple(self._lanes[task.key].waiting)

    def follow(self, task: Task) -> Task:
        """The next command of the lane takes the place of the one at work, which is closed."""
        lane = self._lanes[task.key]
        lane.at_work = lane.waiting.popleft()
        return lane.at_work

    def close(self, task: Task) -> None:
        """A task at work is settled: the next of its lane can be taken."""
        lane = self._lanes[task.key]
        lane.at_work = None
        if lane.waiting:
            self._ready[task.key] = None
        else:
            del self._lanes[task.key]

    def put_back(self, task: Task) -> None:
        """A task at work has no outcome: it is the first of its lane again, and its lane the first in turn."""
        lane = self._lanes[task.key]
        lane.at_work = None
        lane.waiting.appendleft(task)
        self._ready[task.key] = None
        self._ready.move_to_end(task.key, last=False)

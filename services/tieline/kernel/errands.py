"""Why calls are made: what a loop says of them, for whoever shares out the calls that a system allows.

The loop knows the reason, the connector's client knows the limits, and the connector's own functions between them need
know neither: a context variable carries it (PEP 567), per task.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeVar

from tieline.kernel.command_records import Command
from tieline.kernel.errors import Unavailable

T = TypeVar("T")


class Priority(IntEnum):
    """Who goes first where calls are few; the first before the last."""

    LIVE = 0  # an effect of a change, or the record that a webhook named: somebody waits for it
    REPAIR = 1  # what reconciliation found and a person released; the difference is there already
    BACKFILL = 2  # a system read from the start, and a whole system read back for reconciliation: much, and no hurry
    POLLING = 3  # looking whether anything changed: the next look finds it too

    @property
    def label(self) -> str:
        """Its name in metrics."""
        return self.name.lower()


class Withheld(Unavailable):
    """A call was not made, by our own choice: it says nothing of the target."""


class NotBegun(Withheld):
    """The errand's time to begin went by while it waited for its turn: nothing was sent."""


class Overslept(Withheld):
    """The process stood still since the errand began, and may have been replaced: nothing more is sent of it.

    Its earlier calls may have taken effect, so whoever comes back to it reads back first (Invariant 5).
    """


def _always() -> bool:
    return True


@dataclass(slots=True)
class Errand:
    """Calls that belong together. ``begin_by_secs`` (monotonic clock) is the latest time for the first of them.

    ``is_ours`` is asked when a call's turn has come, whether the errand may still be ours.
    """

    priority: Priority
    begin_by_secs: float | None = None
    is_ours: Callable[[], bool] = _always
    begun: bool = False


_CURRENT: ContextVar[Errand | None] = ContextVar("tieline_errand", default=None)


def current_errand() -> Errand:
    """The errand of the calling task. What nobody marked yields to all that is marked: it counts as polling."""
    return _CURRENT.get() or Errand(Priority.POLLING)


@contextmanager
def errand(
    priority: Priority, *, begin_by_secs: float | None = None, is_ours: Callable[[], bool] = _always
) -> Iterator[Errand]:
    """Every call within, of this task and of those it starts, belongs to one errand."""
    mine = Errand(priority, begin_by_secs, is_ours)
    token = _CURRENT.set(mine)
    try:
        yield mine
    finally:
        _CURRENT.reset(token)


async def run_errand(priority: Priority, calls: Awaitable[T]) -> T:
    """Await ``calls`` as one errand; for loops that start an event loop for each of them."""
    with errand(priority):
        return await calls


def priority_of(command: Command) -> Priority:
    """A repair goes behind what just changed; what a person replays does not: it was due long ago."""
    return Priority.LIVE if command.dispatch.repair_id is None else Priority.REPAIR

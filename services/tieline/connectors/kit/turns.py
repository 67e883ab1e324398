"""Whose turn it is: weighted fair queueing by start times (Goyal, Vin and Cheng 1996), over priorities.

Who comes after a pause starts where the others are, so that nobody saves turns up; at equal start the higher priority
goes first. So a live call that comes alone is the next, and under a flood of them every other priority still moves on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from tieline.kernel.errands import Priority

WEIGHTS: Mapping[Priority, int] = MappingProxyType(
    {Priority.LIVE: 64, Priority.REPAIR: 16, Priority.BACKFILL: 4, Priority.POLLING: 1}
)


class Turns:
    """Turns taken so far. Of two priorities that both always wait, each gets turns by its weight."""

    def __init__(self) -> None:
        self._now = 0.0
        self._starts = dict.fromkeys(Priority, 0.0)

    def join(self, priority: Priority) -> None:
        """Nothing of this priority waited, and now something does."""
        self._starts[priority] = max(self._starts[priority], self._now)

    def next_of(self, waiting: Collection[Priority]) -> Priority:
        """Whose turn it is of those that wait, not none; it counts as taken."""
        chosen = min(waiting, key=lambda priority: (self._starts[priority], priority))
        self._now = self._starts[chosen]
        self._starts[chosen] += 1 / WEIGHTS[chosen]
        return chosen

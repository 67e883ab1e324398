"""How often a target may be tried again: a tenth of what it is asked for the first time, and a few.

Without a bound, a target in trouble gets several times the load that brought it there. Pure: time is passed in.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

WINDOW_SECS = 60
SHARE = 0.1
FEW = 20
"""Retries in a window whatever the load is: at a few commands an hour, a tenth of them would be none."""

Seconds = tuple[tuple[int, int], ...]  # a second of the monotonic clock, and how many in it; oldest first


@dataclass(frozen=True, slots=True)
class RetryBudget:
    """First attempts and retries of one target in the window. Every method gives the next state, or asks."""

    firsts: Seconds = ()
    retries: Seconds = ()

    def tried(self, now_secs: float) -> RetryBudget:
        """A command is tried for the first time."""
        return replace(self, firsts=_one_more(self.firsts, now_secs))

    def retried(self, now_secs: float) -> RetryBudget:
        """A command is tried again, or a pause's probe goes out."""
        return replace(self, retries=_one_more(self.retries, now_secs))

    def wait_secs(self, now_secs: float) -> float:
        """How long until the next retry at the earliest; 0: now. What comes in meanwhile may allow it sooner."""
        retries = _recent(self.retries, now_secs)
        allowed = FEW + SHARE * sum(count for _, count in _recent(self.firsts, now_secs))
        if sum(count for _, count in retries) + 1 <= allowed:
            return 0.0
        return max(0.0, retries[0][0] + WINDOW_SECS + 1 - now_secs)


def _one_more(seconds: Seconds, now_secs: float) -> Seconds:
    recent, second = _recent(seconds, now_secs), int(now_secs)
    if recent and recent[-1][0] == second:
        return (*recent[:-1], (second, recent[-1][1] + 1))
    return (*recent, (second, 1))


def _recent(seconds: Iterable[tuple[int, int]], now_secs: float) -> Seconds:
    # The whole of a second counts until its end has left the window: never a retry more than allowed.
    return tuple(one for one in seconds if one[0] + 1 > now_secs - WINDOW_SECS)

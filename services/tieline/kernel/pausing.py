"""An outage of a target: how long it is left alone, and which command asks whether it is over. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from tieline.kernel.errors import Unavailable
from tieline.kernel.lanes import Task

MAX_RETRY_AFTER_SECS = 300.0


class Outage:
    """``failures`` is 0 while the target answers, else how often it was asked in vain, ``pauses_secs`` apart.

    Times are seconds of one monotonic clock.
    """

    def __init__(self, pauses_secs: Sequence[float]) -> None:
        self._pauses_secs = pauses_secs
        self._ask_at = 0.0
        self._probe: Task | None = None
        self.failures = 0

    def left_secs(self, now: float) -> float:
        """How long the target is still left alone; 0 while it answers."""
        return max(0.0, self._ask_at - now) if self.failures else 0.0

    def may_ask(self, now: float) -> bool:
        """Whether one command may ask now (Invariant 7: one a pause, and only that one)."""
        return self.failures > 0 and self._probe is None and self.left_secs(now) == 0.0

    def ask_with(self, task: Task) -> None:
        """This command asks."""
        self._probe = task

    def holds(self, task: Task) -> bool:
        """Whether a command must not be sent now."""
        return self.failures > 0 and task is not self._probe

    def meet(self, task: Task, error: Unavailable, now: float) -> bool:
        """A call found the target out. True if that begins a pause; False for one sent before the pause began."""
        retry_after_secs = min(error.retry_after_secs or 0.0, MAX_RETRY_AFTER_SECS)
        if self.holds(task):
            self._ask_at = max(self._ask_at, now + retry_after_secs)
            return False
        pause_secs = self._pauses_secs[min(self.failures, len(self._pauses_secs) - 1)]
        self._ask_at = now + max(pause_secs, retry_after_secs)
        self.failures += 1
        return True

    def end_call(self, task: Task) -> bool:
        """A call is over, whichever way. True if that ends the outage: the command that asked has its outcome."""
        if task is not self._probe:
            return False
        self._probe = None
        if task.outcome is not None:
            self.failures = 0
        return task.outcome is not None

    def forget_calls(self) -> None:
        """Calls at work are given up; the outage lasts."""
        self._probe = None

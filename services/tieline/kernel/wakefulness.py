"""Whether a process has been awake since Kafka last told it that nobody had replaced it.

Who is stopped (SIGSTOP, a paused machine, a swap storm) is replaced meanwhile, and goes on in the middle of a sentence
when it wakes: the call it was about to make would put an older version over a newer one (Invariant 4). It cannot see
that it slept but by its clock, so the loop that makes the calls ``look``s many times a second.
"""

from __future__ import annotations

from collections.abc import Callable

STILL_SECS = 5.0
"""A process that did not look for so long has slept: well above any pause of its own, and below what it takes to find
it missing, start another copy, and let that one read its ledger and write."""
NEVER = float("-inf")


class Wakefulness:
    """One process's. Times are those of ``monotonic``, in seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._looked_at = NEVER
        self._woke_at = NEVER
        self._confirmed_at = NEVER

    def vouch(self, confirmed_at: float) -> None:
        """A transaction begun at this moment was committed: nobody had replaced us then, however long we slept."""
        self._confirmed_at = confirmed_at

    def look(self) -> None:
        """We are awake now."""
        now = self._monotonic()
        if now - max(self._looked_at, self._confirmed_at) > STILL_SECS:
            self._woke_at = now
        self._looked_at = now

    def lasts(self) -> bool:
        """Whether we have not slept since we were last confirmed."""
        self.look()
        return self._woke_at <= self._confirmed_at

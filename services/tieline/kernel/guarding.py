"""The gate before a target: every call passes it, and none does while the target is paused or its retries are spent."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from tieline.kernel.breaking import FIRST_PAUSE_SECS, LONGEST_PAUSE_SECS, Breaker, Mode, Sign
from tieline.kernel.errands import NotBegun
from tieline.kernel.errors import OutcomeUnknown, Rejected, Retryable, Unavailable
from tieline.kernel.retry_budget import RetryBudget

T = TypeVar("T")


class Postponed(Unavailable):
    """Nothing was sent: the target is paused, or its retries are spent. ``retry_after_secs`` is always there."""

    def __init__(self, message: str, retry_after_secs: float) -> None:
        super().__init__(message, retry_after_secs=retry_after_secs)


@dataclass(slots=True)
class Tries:
    """How often one command was sent, and how often of that it failed while its target was not paused."""

    sent: int = 0
    failures: int = 0


def pause_secs(tries: Tries, asked_secs: float | None, *, dice: Callable[[], float] = random.random) -> float:
    """How long a command waits that the target did not take, beside the target's own pause: exponential, full jitter.

    Never shorter than what the target asks for (``asked_secs``).
    """
    longest_secs = min(FIRST_PAUSE_SECS * 2.0 ** max(0, min(tries.sent, 16) - 1), LONGEST_PAUSE_SECS)
    return max(asked_secs or 0.0, dice() * longest_secs)


class Gate:
    """One target's breaker and retry budget, in one event loop. ``monotonic`` gives seconds, ``dice`` 0 to 1.

    ``tell`` is called when the target becomes paused, with the failure that did it, and with None when it is no more.
    """

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        dice: Callable[[], float] = random.random,
        tell: Callable[[Exception | None], None] = lambda _: None,
    ) -> None:
        self._tell = tell
        self._monotonic = monotonic
        self._dice = dice
        self._breaker = Breaker()
        self._budget = RetryBudget()
        self._retrying: set[str] = set()

    @property
    def is_paused(self) -> bool:
        """Whether the target counts as out: at most one command asks for all."""
        return self._breaker.mode is not Mode.CLOSED

    @property
    def retrying_keys(self) -> int:
        """Keys whose first command failed and is to be tried again. Any thread may ask."""
        return len(self._retrying)

    def spent_secs(self) -> float:
        """How long no failed command may be tried again, as the retries are spent; 0: it may. Any thread may ask."""
        return self._budget.wait_secs(self._monotonic())

    def ended(self, key: str) -> None:
        """A command of this key has its outcome."""
        self._retrying.discard(key)

    def blames(self, key: str) -> bool:
        """Whether this key fails alone, so that it is no outage."""
        return self._breaker.blames(key)

    def rest_secs(self) -> float:
        """How long no command of any key may be taken up; 0: one of some key may, as far as is known."""
        if self._breaker.mode is not Mode.OPEN:
            return 0.0
        now_secs = self._monotonic()
        return max(0.0, self._breaker.until_secs - now_secs, self._budget.wait_secs(now_secs))

    def wait_secs(self, key: str, tries: Tries) -> float:
        """How long until a command of this key may be taken up at the earliest; 0: now."""
        now_secs = self._monotonic()
        wait_secs = self._breaker.wait_secs(key, now_secs)
        costs = self._breaker.is_probe(key) or (tries.sent > 0 and not self.is_paused)
        return max(wait_secs, self._budget.wait_secs(now_secs)) if costs else wait_secs

    async def write(self, key: str, tries: Tries, ask: Callable[[], Awaitable[T]]) -> T:
        """Send a command, if it may be sent now. Raises ``Postponed`` if not, else what ``ask`` raises."""
        self._enter(key, tries)
        if not tries.sent:
            self._budget = self._budget.tried(self._monotonic())
        tries.sent += 1
        try:
            return await self._call(key, ask, found=lambda _: True)
        except NotBegun:
            tries.sent -= 1
            raise

    async def read(self, key: str, ask: Callable[[], Awaitable[T | None]]) -> T | None:
        """Look for a command's effect. Nothing found is no sign: a target may answer reads and take no writes.

        It costs no retry but as a pause's probe: to learn what took effect must not wait (Invariant 5).
        """
        self._enter(key, Tries())
        return await self._call(key, ask, found=lambda answer: answer is not None)

    def _enter(self, key: str, tries: Tries) -> None:
        now_secs = self._monotonic()
        wait_secs = self._breaker.wait_secs(key, now_secs)
        if wait_secs > 0:
            raise Postponed("the target is paused", wait_secs)
        if self._breaker.is_probe(key) or (tries.sent > 0 and not self.is_paused):
            wait_secs = self._budget.wait_secs(now_secs)
            if wait_secs > 0:
                raise Postponed("the target's retries are spent", wait_secs)
            self._budget = self._budget.retried(now_secs)
        self._breaker = self._breaker.begin(key, now_secs)

    async def _call(self, key: str, ask: Callable[[], Awaitable[T]], found: Callable[[T], bool]) -> T:
        try:
            answer = await ask()
        except Rejected:
            self._note(Sign.ANSWERED, key)
            raise
        except (Retryable, OutcomeUnknown) as error:
            self._note(Sign.FAILED, key, error)
            raise
        except NotBegun:
            self._breaker = self._breaker.left(key, self._monotonic())  # it was never asked
            raise
        except Unavailable as error:
            self._note(Sign.OUT, key, error, error.retry_after_secs)
            raise
        except BaseException:
            self._breaker = self._breaker.left(key, self._monotonic())
            raise
        if found(answer):
            self._note(Sign.ANSWERED, key)
        return answer

    def _note(
        self, sign: Sign, key: str, error: Exception | None = None, retry_after_secs: float | None = None
    ) -> None:
        if error is not None:
            self._retrying.add(key)
        was_paused = self.is_paused
        now_secs = self._monotonic()
        self._breaker = self._breaker.after(sign, key, now_secs, dice=self._dice(), retry_after_secs=retry_after_secs)
        if self.is_paused is not was_paused:
            self._tell(error)

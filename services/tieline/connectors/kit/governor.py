"""The governor: every call to a vendor's account passes it, whichever flow of the process makes it."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from types import MappingProxyType

from tieline.connectors.kit.quota import Allotment
from tieline.connectors.kit.rate_headers import read_left
from tieline.connectors.kit.throttling import Answer, Throttled, find_throttling
from tieline.connectors.kit.turns import Turns
from tieline.kernel.clock import Clock, utc_now
from tieline.kernel.errands import Errand, NotBegun, Overslept, Priority, current_errand
from tieline.kernel.errors import Unavailable
from tieline.kernel.protocols import CallMeter
from tieline.kernel.quotas import Allowance

# How long a call waits for a system that keeps it back; past that its loop is told, pauses, and shows it. A long read
# that gave up would begin anew.
PATIENCE_SECS: Mapping[Priority, float] = MappingProxyType(
    {Priority.LIVE: 5.0, Priority.REPAIR: 5.0, Priority.BACKFILL: 60.0, Priority.POLLING: 5.0}
)
SPACING_PATIENCE_SECS = 61.0  # the same for the hub's own spacing, which ends when it says: a whole minute and a bit


@dataclass(slots=True, eq=False)
class _Waiter:
    errand: Errand
    turn: asyncio.Future[None]


class _Queue:
    """Those of one priority that wait: first who has begun his errand, so that few are under way and end."""

    def __init__(self) -> None:
        self._begun: deque[_Waiter] = deque()
        self._not_begun: deque[_Waiter] = deque()

    def __len__(self) -> int:
        return len(self._begun) + len(self._not_begun)

    def add(self, waiter: _Waiter) -> None:
        (self._begun if waiter.errand.begun else self._not_begun).append(waiter)

    def remove(self, waiter: _Waiter) -> None:
        for line in (self._begun, self._not_begun):
            with suppress(ValueError):
                line.remove(waiter)

    def take(self) -> _Waiter:
        return (self._begun or self._not_begun).popleft()

    def take_late(self, now: float) -> Iterator[_Waiter]:
        """Those whose time to begin is past; they came in the order of that time."""
        while self._not_begun and (by := self._not_begun[0].errand.begin_by_secs) is not None and by <= now:
            yield self._not_begun.popleft()

    def late_at(self) -> float:
        by = self._not_begun[0].errand.begin_by_secs if self._not_begun else None
        return float("inf") if by is None else by


class Call:
    """One call that has begun. ``hear`` its answer, so that the account's next calls go by what it says."""

    def __init__(self, account: str, allotment: Allotment, clock: Clock, monotonic: Callable[[], float]) -> None:
        self._account, self._allotment, self._clock, self._monotonic = account, allotment, clock, monotonic

    def hear(self, answer: Answer) -> None:
        """Raises ``Throttled`` where the system refused the call in any of its forms; learns what is left."""
        now = self._clock()
        self._allotment.learn(read_left(answer.headers, now), self._monotonic())
        found = find_throttling(answer, account=self._account, now=now)
        if found is not None:
            raise found


class Governor:
    """Shares out one process's calls to one account. One object for all its clients; for the tasks of one event loop.

    Calls wait for their turn by the priority of their errand. What other processes of the account call it does not
    know: each has a part of the account's quota of its own, and slows down when the system says that it is spent.
    """

    def __init__(
        self,
        account: str,
        allowance: Allowance,
        *,
        most_concurrent: int,
        clock: Clock = utc_now,
        monotonic: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.account = account
        self._monotonic = monotonic or time.monotonic
        self._sleep = sleep
        self._clock = clock
        self._allotment = Allotment(allowance, most_concurrent=most_concurrent, clock=clock)
        self._turns = Turns()
        self._queues = {priority: _Queue() for priority in Priority}
        self._alarm: asyncio.Task[None] | None = None
        self._alarm_at = float("inf")
        self._meter: CallMeter | None = None

    def calls_free(self) -> int:
        """How many more calls may be under way now; 0 while the account is throttled. Any thread may ask."""
        return self._allotment.free(self._monotonic())

    def left(self) -> Mapping[str, float]:
        """Calls left for this process by pool: ``concurrent``, ``60s`` and the like, ``day``. Any thread may ask."""
        return self._allotment.left(self._monotonic())

    def reset_secs(self) -> Mapping[str, float]:
        """Time until each pool has room again: ``60s`` and the like, ``day``. Any thread may ask."""
        return self._allotment.reset_secs(self._monotonic())

    def closed_secs(self, priority: Priority) -> float:
        """Time until a call of this priority may begin; 0: now, as far as is known. Any thread may ask."""
        now = self._monotonic()
        closed_secs = self._allotment.closed_secs(priority, now)
        return max(closed_secs, *self._allotment.spent_secs(now).values(), 0.0)

    def report_to(self, meter: CallMeter) -> None:
        """Tell it of waits and refusals from now on."""
        self._meter = meter

    def slow_down(self, throttled: Throttled, *, began: float | None = None) -> None:
        """The account is throttled for all, as a part of a batch says, say; ``began`` (monotonic) is that call's."""
        now = self._monotonic()
        self._allotment.refuse(now, now if began is None else began, throttled.wait_secs)
        if self._meter:
            self._meter.throttled()

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[Call]:
        """One call's place: waits for its turn.

        A ``Throttled`` from within closes the account for everybody as long as the system said, and becomes
        ``Unavailable``: the caller's loop pauses, no record is to blame (Invariant 7). Raises ``Unavailable`` without
        calling where the wait would be longer than patience, ``NotBegun`` where the errand's time to begin is over, and
        ``Overslept`` where the process stood still since it began: no later call of an effect is made after that
        either (Invariant 4).
        """
        errand = current_errand()
        asked = self._monotonic()
        await self._wait_for_turn(errand)
        began = self._monotonic()
        try:
            if not errand.is_ours():
                raise Overslept(f"{self.account}: the process stood still amid an errand, and may have been replaced")
            errand.begun = True
            if self._meter:
                self._meter.waited(errand.priority, began - asked)
            yield Call(self.account, self._allotment, self._clock, self._monotonic)
            self._allotment.accept(began)
        except Throttled as throttled:
            self.slow_down(throttled, began=began)
            raise Unavailable(
                f"{self.account} is throttled: {throttled}", retry_after_secs=throttled.wait_secs
            ) from throttled
        finally:
            self._allotment.end()
            self._share_out()

    async def _wait_for_turn(self, errand: Errand) -> None:
        waiter = _Waiter(errand, asyncio.get_running_loop().create_future())
        queue = self._queues[errand.priority]
        if not queue:
            self._turns.join(errand.priority)
        queue.add(waiter)
        self._share_out()
        try:
            await waiter.turn
        except asyncio.CancelledError:
            queue.remove(waiter)
            if waiter.turn.done() and not waiter.turn.cancelled() and waiter.turn.exception() is None:
                self._allotment.end()  # its turn had come; the call was not made, and counts all the same
            self._share_out()
            raise

    def _share_out(self) -> None:
        """Give turns while there are any, and set the alarm for the time when the next may come."""
        now = self._monotonic()
        while True:
            waiting, wake_at = self._ready(now)
            if not waiting or not self._allotment.has_place(now):
                break
            priority = self._turns.next_of(waiting)
            waiter = self._queues[priority].take()
            if not waiter.turn.done():
                self._allotment.begin(priority, now)
                waiter.turn.set_result(None)
        self._set_alarm(wake_at, now)

    def _ready(self, now: float) -> tuple[list[Priority], float]:
        """Priorities that wait for nothing but a place, and when the first of the others must be looked at again."""
        ready, wake_at = [], float("inf")
        for priority, queue in self._queues.items():
            if not queue:
                continue
            for late in queue.take_late(now):
                _turn_away(late, NotBegun(f"{self.account}: no turn came in time"))
            if not queue:
                continue
            closed_secs = self._allotment.closed_secs(priority, now)
            spaced_secs = self._allotment.spaced_secs(priority, now)
            wait_secs = max(closed_secs, spaced_secs)
            if closed_secs > PATIENCE_SECS[priority] or spaced_secs > SPACING_PATIENCE_SECS:
                while queue:
                    _turn_away(
                        queue.take(), Unavailable(f"{self.account} gives no call now", retry_after_secs=wait_secs)
                    )
                continue
            if wait_secs > 0:
                wake_at = min(wake_at, now + wait_secs)
            else:
                ready.append(priority)
            wake_at = min(wake_at, queue.late_at())
        return ready, wake_at

    def _set_alarm(self, at: float, now: float) -> None:
        if self._alarm is not None and at != float("inf") and self._alarm_at <= at:
            return  # it rings early enough
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if at != float("inf"):
            self._alarm_at = at
            self._alarm = asyncio.get_running_loop().create_task(self._ring(at - now))

    async def _ring(self, secs: float) -> None:
        await self._sleep(max(0.0, secs))
        self._alarm = None
        self._share_out()


def _turn_away(waiter: _Waiter, error: Unavailable) -> None:
    if not waiter.turn.done():
        waiter.turn.set_exception(error)

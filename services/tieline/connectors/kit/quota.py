"""What one process may call of a vendor's account, and what it has called: the bookkeeping, which waits for nothing.

Times are seconds of a monotonic clock. Calls of people's changes (live) are told from all others: what is not live
leaves a tenth of every limit free and is spread evenly over the time, so that a live call finds room whenever it comes.
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Mapping

from tieline.connectors.kit.rate_headers import DAY, Left
from tieline.kernel.clock import Clock
from tieline.kernel.errands import Priority
from tieline.kernel.quotas import DAY_SECS, Allowance, DailyPool, Quota, Rate

HEADROOM_PERCENT = 10  # of each limit, for live calls
BURST_PERCENT = 10  # of a rate, that other calls may make at once after a pause
SLOWEST = 1 / 16
RECOVERY_SECS = 600.0  # from nothing to everything; half of it after one refusal
UNKNOWN_RESET_SECS = 10.0  # a system that does not say when it begins to count anew is asked again after so long
FIRST_PAUSE_SECS, LONGEST_PAUSE_SECS = 1.0, 60.0  # after a refusal that does not say how long
_YIELDING = (Priority.BACKFILL, Priority.POLLING)  # they come again by themselves


class Speed:
    """Additive increase, multiplicative decrease (Chiu and Jain 1989): 1 is everything that is allowed."""

    def __init__(self) -> None:
        self._then = 1.0
        self._since_secs = 0.0

    def at(self, now: float) -> float:
        """From ``SLOWEST`` to 1."""
        return min(1.0, self._then + (now - self._since_secs) / RECOVERY_SECS)

    def halve(self, now: float, began: float) -> bool:
        """A call that ``began`` then was refused. Of calls that were in the air together one refusal counts."""
        if self._then < 1.0 and began <= self._since_secs:
            return False
        self._then = max(SLOWEST, self.at(now) / 2)
        self._since_secs = now
        return True


class Window:
    """One rate: never more calls than allowed in any stretch of its length, whenever it begins."""

    def __init__(self, rate: Rate) -> None:
        self._calls, self._length_secs = rate.calls, rate.per_secs
        self._begun: deque[float] = deque()
        self._others: deque[float] = deque()  # those among them that were not live
        self._due = float("-inf")  # when the next of them would be due, were they spread evenly

    @property
    def name(self) -> str:
        """``60s``."""
        return f"{self._length_secs:g}s"

    def opens_at(self, now: float, speed: float, *, live: bool) -> float:
        """The first time from ``now`` on when a call may begin."""
        limit = _scaled(self._calls, speed)
        at = self._free_at(self._begun, limit, now)
        if live:
            return at
        spread = self._length_secs / _without_headroom(limit)
        burst = max(1, limit * BURST_PERCENT // 100)
        return max(at, self._free_at(self._others, _without_headroom(limit), now), self._due - (burst - 1) * spread)

    def begin(self, now: float, speed: float, *, live: bool) -> None:
        """A call begins."""
        self._begun.append(now)
        if not live:
            self._others.append(now)
            spread = self._length_secs / _without_headroom(_scaled(self._calls, speed))
            self._due = max(self._due, now) + spread

    def left(self, now: float) -> int:
        """Calls that are left now. Any thread may ask."""
        begun = tuple(self._begun)
        return self._calls - sum(1 for at in begun if at + self._length_secs > now)

    def spent_secs(self, now: float) -> float:
        """How long until the first of the calls that spend it leaves the stretch; 0: it is not spent. Any thread."""
        begun = [at for at in tuple(self._begun) if at + self._length_secs > now]
        return begun[-self._calls] + self._length_secs - now if len(begun) >= self._calls else 0.0

    def _free_at(self, begun: deque[float], limit: int, now: float) -> float:
        while begun and begun[0] + self._length_secs <= now:
            begun.popleft()
        return now if len(begun) < limit else begun[len(begun) - limit] + self._length_secs


class Pool:
    """Calls of a day, counted by the wall clock. After a start what is gone of the day counts as called evenly."""

    def __init__(self, daily: DailyPool, clock: Clock) -> None:
        self._daily, self._clock = daily, clock
        now = clock()
        self._reset = daily.next_reset(now)
        to_come = min(1.0, (self._reset - now).total_seconds() / DAY_SECS)
        self._left = max(1, int(daily.calls * to_come))

    def wait_secs(self, *, yielding: bool) -> float:
        """How long until a call may begin; 0: now. Any thread may ask."""
        now = self._clock()
        if now >= self._reset or self._left > (
            self._daily.calls - _without_headroom(self._daily.calls) if yielding else 0
        ):
            return 0.0
        return self.reset_secs(now)

    def reset_secs(self, now: dt.datetime) -> float:
        """How long until the vendor counts anew."""
        return (self._reset - now).total_seconds()

    def begin(self) -> None:
        """A call begins."""
        now = self._clock()
        if now >= self._reset:
            self._reset = self._daily.next_reset(now)
            self._left = self._daily.calls
        self._left -= 1

    def left(self) -> int:
        """Calls that are left. Any thread may ask."""
        return self._daily.calls if self._clock() >= self._reset else self._left


class Allotment:
    """The whole of it: concurrency, rates, the day, refusals, and what the system's headers say is left."""

    def __init__(self, allowance: Allowance, *, most_concurrent: int, clock: Clock) -> None:
        self._concurrent = min(allowance.concurrent or most_concurrent, most_concurrent)
        self._windows = [Window(rate) for rate in allowance.rates]
        self._pool = Pool(allowance.daily, clock) if allowance.daily else None
        self._account = allowance.account
        self._clock = clock
        self._speed = Speed()
        self._refusals = 0
        self._refused_until = float("-inf")
        self._held_until: dict[str, tuple[float, float]] = {}  # by pool: all calls, and those that yield
        self.under_way = 0

    def has_place(self, now: float) -> bool:
        """Whether one more call may be under way."""
        return self.under_way < self._places(now)

    def spaced_secs(self, priority: Priority, now: float) -> float:
        """How long the hub's own spacing keeps a call back; 0: not at all."""
        speed, live = self._speed.at(now), priority is Priority.LIVE
        at = max((window.opens_at(now, speed, live=live) for window in self._windows), default=now)
        # While the speed recovers a limit grows, so that the time may come earlier than now known.
        return max(0.0, at - now if speed >= 1.0 else min(at - now, 1.0))

    def closed_secs(self, priority: Priority, now: float) -> float:
        """How long the system keeps a call back: it refused, it says that little is left, or the day is spent."""
        yielding = priority in _YIELDING
        held = max((until[yielding] for until in tuple(self._held_until.values())), default=now)
        pool_secs = self._pool.wait_secs(yielding=yielding) if self._pool else 0.0
        return max(0.0, self._refused_until - now, held - now, pool_secs)

    def begin(self, priority: Priority, now: float) -> None:
        """A call begins."""
        self.under_way += 1
        speed, live = self._speed.at(now), priority is Priority.LIVE
        for window in self._windows:
            window.begin(now, speed, live=live)
        if self._pool:
            self._pool.begin()

    def end(self) -> None:
        """It ended, however it did."""
        self.under_way -= 1

    def refuse(self, now: float, began: float, wait_secs: float | None) -> None:
        """A call that ``began`` then was refused; the system asks to wait so long, or does not say."""
        if self._speed.halve(now, began):
            self._refusals += 1
        if wait_secs is None:
            wait_secs = min(FIRST_PAUSE_SECS * 2.0 ** (self._refusals - 1), LONGEST_PAUSE_SECS)
        self._refused_until = max(self._refused_until, now + wait_secs)

    def accept(self, began: float) -> None:
        """A call that ``began`` then was not refused."""
        if began >= self._refused_until:
            self._refusals = 0

    def learn(self, lefts: Mapping[str, Left], now: float) -> None:
        """What the system's headers say is left, the other integrations' calls taken off."""
        for pool, left in lefts.items():
            whole = left.limit if left.limit is not None else self._declared(pool)
            reserve = whole * self._account.reserve_percent / 100
            until = now + self._reset_secs(pool, left)
            low = left.calls <= reserve + whole * HEADROOM_PERCENT / 100
            nothing = float("-inf")
            self._held_until[pool] = (until if left.calls <= reserve else nothing, until if low else nothing)

    def free(self, now: float) -> int:
        """Calls there is a place for now; 0 while the system keeps all back. Any thread may ask."""
        return 0 if self.closed_secs(Priority.LIVE, now) > 0 else max(0, self._places(now) - self.under_way)

    def left(self, now: float) -> dict[str, float]:
        """Calls left by pool: ``concurrent``, ``60s`` and the like, ``day``. Any thread may ask."""
        found: dict[str, float] = {window.name: window.left(now) for window in self._windows}
        if self._pool:
            found[DAY] = self._pool.left()
        return {"concurrent": float(max(0, self._places(now) - self.under_way)), **found}

    def spent_secs(self, now: float) -> dict[str, float]:
        """Time until each rate has room again, by pool; 0: it has. Any thread may ask."""
        return {window.name: window.spent_secs(now) for window in self._windows}

    def reset_secs(self, now: float) -> dict[str, float]:
        """The same, and of the day the time until it is counted anew. Any thread may ask."""
        day = {DAY: max(0.0, self._pool.reset_secs(self._clock()))} if self._pool else {}
        return self.spent_secs(now) | day

    def _places(self, now: float) -> int:
        return _scaled(self._concurrent, self._speed.at(now))

    def _declared(self, pool: str) -> float:
        quota: Quota = self._account
        if pool == DAY:
            return float(quota.daily.calls) if quota.daily else 0.0
        return float(min((rate.calls for rate in quota.rates), default=0))

    def _reset_secs(self, pool: str, left: Left) -> float:
        if left.reset_secs is not None:
            return left.reset_secs
        if pool == DAY and self._pool:
            return self._pool.reset_secs(self._clock())
        return UNKNOWN_RESET_SECS


def _scaled(limit: int, speed: float) -> int:
    return max(1, int(limit * speed))


def _without_headroom(limit: int) -> int:
    """What calls that are not live may use; of a single one all."""
    return max(1, limit - max(1, limit * HEADROOM_PERCENT // 100))

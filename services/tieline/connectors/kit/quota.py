"""What one process may call of a vendor's account, and what it has called: the bookkeeping, which waits for nothing.

Times are seconds of a monotonic clock. Calls of people's changes (live) are told from all others: what is not live
leaves a tenth of every limit free and is spread evenly over the time, so that a live call finds room whenever it comes.

After a start nobody knows what the process before it has called (``Allowance.after_others``). It is taken to have used
all of a short stretch just now, but for what the account's reserve covers; of a long one, and of the day, to have
called evenly (docs/decisions/2026-11-21-after-a-start.md).
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
SHORT_SECS = 60.0
"""A stretch up to so long may be waited for; a longer one would keep a restarted process silent for too long."""
LEAST_WAIT_SECS = 0.01
FIRST_PERCENT = 1  # of the day's pool, at once after a start
LONGEST_DAY = dt.timedelta(hours=26)  # in a zone whose summer time ends
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

    def __init__(self, rate: Rate, *, unknown_calls: int = 0, spread_calls: int = 0) -> None:
        """``unknown_calls`` may have been begun before the first that is asked for.

        So many of them as ``spread_calls`` are taken to have been spread over the stretch before it, the others to have
        begun only then.
        """
        self._calls, self._length_secs = rate.calls, rate.per_secs
        self._unknown, self._spread = unknown_calls, spread_calls
        self._begun: deque[float] = deque()
        self._others: deque[float] = deque()  # those among them that were not live
        self._due = float("-inf")  # when the next of them would be due, were they spread evenly

    @property
    def name(self) -> str:
        """``60s``."""
        return f"{self._length_secs:g}s"

    def opens_at(self, now: float, speed: float, *, live: bool) -> float:
        """The first time from ``now`` on when a call may begin."""
        self._assume(now)
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
        return self._calls - self._unknown - sum(1 for at in begun if at + self._length_secs > now)

    def _assume(self, now: float) -> None:
        """What may have been called before counts from the first question on."""
        if not self._unknown:
            return
        step = self._length_secs / max(1, self._spread)
        before = [now - self._length_secs + step * (n + 1) for n in range(self._spread)]
        before += [now] * (self._unknown - self._spread)
        self._unknown = 0
        self._begun.extend(before)
        self._others.extend(before)

    def spent_secs(self, now: float) -> float:
        """How long until the first of the calls that spend it leaves the stretch; 0: it is not spent. Any thread."""
        begun = [at for at in tuple(self._begun) if at + self._length_secs > now]
        return begun[-self._calls] + self._length_secs - now if len(begun) >= self._calls else 0.0

    def _free_at(self, begun: deque[float], limit: int, now: float) -> float:
        while begun and begun[0] + self._length_secs <= now:
            begun.popleft()
        return now if len(begun) < limit else begun[len(begun) - limit] + self._length_secs


class Pool:
    """Calls of a day, counted by the wall clock. After a start what is gone of the day counts as called evenly.

    ``grows``: what is to come of the first day may not be called at once either, but as it comes: a process that starts
    again and again would otherwise get the rest of the day each time.
    """

    def __init__(self, daily: DailyPool, clock: Clock, *, grows: bool = False) -> None:
        self._daily, self._clock, self._grows = daily, clock, grows
        self._since = clock()
        self._reset = daily.next_reset(self._since)
        to_come = min(1.0, (self._reset - self._since).total_seconds() / DAY_SECS)
        self._calls = max(1, int(daily.calls * to_come))
        self._begun = 0

    def wait_secs(self, *, yielding: bool) -> float:
        """How long until a call may begin; 0: now. Any thread may ask."""
        now = self._clock()
        if self._is_over(now):
            return 0.0
        if not self._grows:
            kept = self._daily.calls - _without_headroom(self._daily.calls) if yielding else 0
            return 0.0 if self._calls - self._begun > kept else self.reset_secs(now)
        share = 1 - HEADROOM_PERCENT / 100 if yielding else 1.0
        if int(self._grown(now) * share) > self._begun:
            return 0.0
        length_secs = (self._reset - self._since).total_seconds()
        due_secs = (self._begun + 1) / (self._calls * share) * length_secs - (now - self._since).total_seconds()
        return min(self.reset_secs(now), max(due_secs, LEAST_WAIT_SECS))

    def reset_secs(self, now: dt.datetime) -> float:
        """How long until the vendor counts anew."""
        return 0.0 if self._is_over(now) else (self._reset - now).total_seconds()

    def begin(self) -> None:
        """A call begins."""
        now = self._clock()
        if self._is_over(now):
            self._reset = self._daily.next_reset(now)
            self._calls, self._begun, self._grows = self._daily.calls, 0, False
        self._begun += 1

    def left(self) -> int:
        """Calls that are left. Any thread may ask."""
        now = self._clock()
        return self._daily.calls if self._is_over(now) else int(self._grown(now)) - self._begun

    def _grown(self, now: dt.datetime) -> float:
        """How many of the first day's calls have come; all, where they need not come one by one."""
        if not self._grows:
            return self._calls
        share = (now - self._since).total_seconds() / (self._reset - self._since).total_seconds()
        return max(min(share, 1.0) * self._calls, self._calls * FIRST_PERCENT / 100, 1.0)

    def _is_over(self, now: dt.datetime) -> bool:
        # A reset more than a day ahead was reckoned by a clock that has been set back since: it would never come.
        return now >= self._reset or self._reset - now > LONGEST_DAY


class Allotment:
    """The whole of it: concurrency, rates, the day, refusals, and what the system's headers say is left."""

    def __init__(self, allowance: Allowance, *, most_concurrent: int, clock: Clock) -> None:
        self._concurrent = min(allowance.concurrent or most_concurrent, most_concurrent)
        self._windows = [_window(rate, allowance) for rate in allowance.rates]
        self._pool = Pool(allowance.daily, clock, grows=allowance.after_others) if allowance.daily else None
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


def _window(rate: Rate, allowance: Allowance) -> Window:
    if not allowance.after_others:
        return Window(rate)
    if rate.per_secs > SHORT_SECS:
        return Window(rate, unknown_calls=rate.calls, spread_calls=rate.calls)
    # All processes of the account together, having used their parts to the full, then come to no more than its limit.
    reserve = allowance.account.reserve_percent
    covered = min(rate.calls, rate.calls * reserve // (100 - reserve))
    return Window(rate, unknown_calls=rate.calls, spread_calls=covered)


def _scaled(limit: int, speed: float) -> int:
    return max(1, int(limit * speed))


def _without_headroom(limit: int) -> int:
    """What calls that are not live may use; of a single one all."""
    return max(1, limit - max(1, limit * HEADROOM_PERCENT // 100))

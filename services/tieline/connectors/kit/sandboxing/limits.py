"""Too many calls: what an account may have under way, in a minute and in a day."""

from __future__ import annotations

import datetime as dt
import math
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tieline.connectors.kit.sandboxing.answers import Refusal
from tieline.kernel.clock import Clock

_MINUTE = dt.timedelta(minutes=1)


@dataclass(slots=True)
class Spent:
    """The calls of one account."""

    recent: deque[dt.datetime] = field(default_factory=deque)
    day: dt.date | None = None
    today: int = 0
    under_way: int = 0


@dataclass(slots=True)
class Limits:
    """Limits for each account; None is no limit. A minute is the last sixty seconds, a day one of UTC.

    A refusal is a 429 whose ``more["limit"]`` says which limit, ``minute``, ``day`` or ``concurrent``, so that the
    vendor's form can; it costs nothing. ``status`` is for vendors that throttle with another one.
    """

    clock: Clock
    per_minute: int | None = None
    per_day: int | None = None
    concurrent: int | None = None
    status: int = 429
    _spent: dict[str, Spent] = field(default_factory=lambda: defaultdict(Spent))

    @contextmanager
    def entered(self, account: str) -> Iterator[None]:
        """One call from its beginning to its answer; raises ``Refusal``, with Retry-After where the end is known."""
        now, spent = self.clock(), self._brought_up(account)
        if self.concurrent is not None and spent.under_way >= self.concurrent:
            raise Refusal(self.status, "too many requests at a time", limit="concurrent")
        if self.per_minute is not None and len(spent.recent) >= self.per_minute:
            # The call that must fall out of the window before there is room.
            raise self._refusal("minute", spent.recent[-self.per_minute] + _MINUTE - now)
        if self.per_day is not None and spent.today >= self.per_day:
            midnight = dt.datetime.combine(now.astimezone(dt.UTC).date(), dt.time(), dt.UTC) + dt.timedelta(days=1)
            raise self._refusal("day", midnight - now)
        spent.recent.append(now)
        spent.today += 1
        spent.under_way += 1
        try:
            yield
        finally:
            spent.under_way -= 1

    def left(self, account: str) -> dict[str, int]:
        """How many more calls each limit allows now, for the headers of an answer."""
        spent = self._brought_up(account)
        of = {
            "minute": (self.per_minute, len(spent.recent)),
            "day": (self.per_day, spent.today),
            "concurrent": (self.concurrent, spent.under_way),
        }
        return {name: max(limit - used, 0) for name, (limit, used) in of.items() if limit is not None}

    def _brought_up(self, account: str) -> Spent:
        now, spent = self.clock(), self._spent[account]
        while spent.recent and spent.recent[0] <= now - _MINUTE:
            spent.recent.popleft()
        today = now.astimezone(dt.UTC).date()
        if spent.day != today:
            spent.day, spent.today = today, 0
        return spent

    def _refusal(self, limit: str, wait: dt.timedelta) -> Refusal:
        wait_secs = max(math.ceil(wait.total_seconds()), 1)
        headers = {"Retry-After": str(wait_secs)}
        return Refusal(self.status, f"too many requests in a {limit}", headers=headers, limit=limit)

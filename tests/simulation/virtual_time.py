"""Time that passes only when somebody waits: for the kernel's own clock, its sleeps and its event loop alike."""

from __future__ import annotations

import asyncio
import datetime as dt
import selectors
from collections.abc import Callable
from typing import Any

START = dt.datetime(2026, 3, 2, 8, tzinfo=dt.UTC)


class VirtualTime:
    """Stands in for the module ``time`` where the kernel imports it, and for its wall clock."""

    def __init__(self) -> None:
        self._now_secs = 0.0
        self.wrong_by = dt.timedelta(0)
        """How far the hub's wall clock is ahead; its monotonic clock, and the systems' clocks, never are."""
        self.meanwhile: Callable[[], None] = lambda: None
        """What the world does while somebody waits."""

    def monotonic(self) -> float:
        """Seconds since the simulation began."""
        return self._now_secs

    def sleep(self, secs: float) -> None:
        """Let time pass; nothing waits for real."""
        self._now_secs += max(0.0, secs)
        self.meanwhile()

    def now(self) -> dt.datetime:
        """The time (UTC), as the systems know it."""
        return START + dt.timedelta(seconds=self._now_secs)

    def hub_now(self) -> dt.datetime:
        """The wall clock of the machine that the hub runs on (UTC)."""
        return self.now() + self.wrong_by

    def now_ms(self) -> int:
        """The same as Kafka writes it beside each record."""
        return round(self.hub_now().timestamp() * 1000)


class _JumpingSelector(selectors.DefaultSelector):
    """Waits for nothing: where the event loop would, the time it would have waited has passed."""

    def __init__(self, time: VirtualTime) -> None:
        super().__init__()
        self._time = time

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise AssertionError("the event loop waits for something that no simulation gives")
            self._time.sleep(timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time."""

    def __init__(self, time: VirtualTime) -> None:
        super().__init__(_JumpingSelector(time))
        self._virtual = time

    def time(self) -> float:
        """See ``asyncio.loop.time``."""
        return self._virtual.monotonic()


def virtual_runner(time: VirtualTime, opened: list[asyncio.Runner]) -> Any:
    """What replaces ``asyncio.Runner``: runners in virtual time, noted in ``opened``, so that all can be closed."""
    real = asyncio.Runner

    def make() -> asyncio.Runner:
        runner = real(loop_factory=lambda: VirtualLoop(time))
        opened.append(runner)
        return runner

    return make

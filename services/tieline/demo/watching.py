"""Waiting until the hub has done its part: asked of the two systems, and of Kafka; never by the clock alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tieline.demo.sight import Side, read_side
from tieline.kernel.errors import Rejected, Retryable, Stop, Unavailable
from tieline.kernel.fleet import consumers
from tieline.kernel.kafka_log import KafkaLog
from tieline.kernel.protocols import Connector

if TYPE_CHECKING:
    from tieline.wiring import Hub

PAUSE_SECS = 1.0
SHOWN = 3
Say = Callable[[str], None]
Check = Callable[[Side, Side], Sequence[str]]
"""Given what asset management and the ERP hold, what is still missing, one sentence each."""


class Watcher:
    """Reads both systems through their connectors. Every method blocks; errors are ``Stop`` past the bound."""

    def __init__(self, hub: Hub, am: Connector, erp: Connector, *, timeout_secs: float, say: Say) -> None:
        self._hub = hub
        self._am, self._erp = am, erp
        self._timeout_secs = timeout_secs
        self._say = say
        self._runner = asyncio.Runner()

    def close(self) -> None:
        """Give the connections back."""
        self._runner.run(_close(self._am, self._erp))
        self._runner.close()

    def look(self) -> tuple[Side, Side]:
        """What asset management and the ERP hold now."""
        return self._runner.run(_read(self._am, self._erp))

    def until(self, what: str, check: Check) -> tuple[Side, Side]:
        """Look again until ``check`` finds nothing missing; what was seen then. Raises ``Stop`` past the bound."""
        began, told, missing = time.monotonic(), -1, ["the systems do not answer"]
        while True:
            looked_at = time.monotonic()
            try:
                am, erp = self.look()
                missing = list(check(am, erp))
            except (Retryable, Unavailable, Rejected) as error:
                # Rejected too: Tryton refuses a read whose records somebody removes at that moment.
                missing = [str(error)]
            else:
                if not missing:
                    return am, erp
            if time.monotonic() - began > self._timeout_secs:
                raise Stop(
                    f"{what}: not done within {self._timeout_secs:.0f} s. {_some(missing)} "
                    "See `tieline stack status`, and the dead letters."
                )
            if len(missing) != told:
                told = len(missing)
                self._say(f"  … {what}: {told} to go ({missing[0]})")
            # Reading everything is work for the systems: let them spend most of their time on the hub.
            time.sleep(max(PAUSE_SECS, 2 * (time.monotonic() - looked_at)))

    def until_idle(self) -> None:
        """Wait until no process of the hub has anything left to read. Raises ``Stop`` past the bound."""
        began = time.monotonic()
        while busy := self.busy():
            if time.monotonic() - began > self._timeout_secs:
                raise Stop(
                    f"{', '.join(busy)} still had records to read after {self._timeout_secs:.0f} s; see their logs"
                )
            self._say(f"  … waiting for {', '.join(busy)}")
            time.sleep(PAUSE_SECS)

    def busy(self) -> list[str]:
        """Processes that have records to read."""
        log = KafkaLog(self._hub.landscape.kafka, self._hub.codec)
        return [name for name in consumers(self._hub.landscape) if self._has_records(log, name)]

    def _has_records(self, log: KafkaLog, name: str) -> bool:
        topics = [
            topic.name
            for topic in self._hub.topics.values()
            if name in topic.readers and topic.klass in {"report", "event", "command", "result"}
        ]
        # A topic that the group never committed on is one it reads otherwise, or one that has nothing yet.
        positions = {place: offset for place, offset in log.committed(name, topics).items() if offset > 0}
        return bool(positions) and bool(log.read_from(positions, limit=1))


@contextmanager
def watching(hub: Hub, am: str, erp: str, *, timeout_secs: float, say: Say) -> Iterator[Watcher]:
    """A watcher of these two systems of the landscape."""
    watcher = Watcher(hub, hub.connect(am), hub.connect(erp), timeout_secs=timeout_secs, say=say)
    try:
        yield watcher
    finally:
        watcher.close()


async def _read(am: Connector, erp: Connector) -> tuple[Side, Side]:
    return await read_side(am), await read_side(erp)


async def _close(*connectors: Connector) -> None:
    for connector in connectors:
        closed = connector.close()
        if asyncio.iscoroutine(closed):
            await closed


def _some(missing: Sequence[str]) -> str:
    more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
    return f"Missing: {'; '.join(missing[:SHOWN])}{more}."

"""The Faust app: an agent per topic, tables with changelogs in Kafka, kept in memory.

Several processes share the partitions, and none holds every table in whole; what is shown comes from the changelogs
(views.following). It runs at-least-once, which is enough because an entry is the same however often its record is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import faust

from tieline.kernel.codecs import Codec
from tieline.kernel.errors import Rejected, Retryable
from tieline.kernel.landscape import Kafka
from tieline.kernel.records import Typed
from tieline.views.credentials import broker_credentials
from tieline.views.entries import WINDOWED, Figures, Sources, changes_of, topics_of
from tieline.views.faust_consumer import CommittedTransport
from tieline.views.flows import SWEEP_MS, is_past
from tieline.views.topics import APP_ID

REGISTRY_PAUSE_SECS = 2.0
COMMIT_INTERVAL_SECS = 2.0
SESSION_TIMEOUT_SECS = 8.0
OnSkip = Callable[[str, str], None]


@dataclass(slots=True)
class LiveViews:
    """What the HTTP interface shows and the state of the process; all of it belongs to one event loop."""

    figures: Figures = field(default_factory=Figures)
    skipped: int = 0  # records that this process could not decode, since the start
    is_ready: bool = False  # every table has been read back
    failure: str | None = None  # a defect of ours: the process must end


class Decoder:
    """Our codec off the event loop: it may block on the registry. It is not made for two threads, so it gets one."""

    def __init__(self, codec: Codec, on_wait: Callable[[str], None]) -> None:
        self._codec = codec
        self._on_wait = on_wait
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="decoder")

    async def decode(self, topic: str, data: bytes) -> Typed:
        """See ``Codec.decode``; waits for the registry as long as it takes."""
        while True:
            try:
                return await asyncio.get_running_loop().run_in_executor(self._thread, self._codec.decode, topic, data)
            except Retryable as error:
                self._on_wait(str(error))
                await asyncio.sleep(REGISTRY_PAUSE_SECS)

    def close(self) -> None:
        """Give the thread back."""
        self._thread.shutdown(wait=False, cancel_futures=True)


class Keeper:
    """Puts records into the tables, and lets go of what the window of flow completeness has left behind.

    The changelog lets go by itself, by its retention: so nothing is deleted from it here.
    """

    def __init__(self, tables: Mapping[str, Any]) -> None:
        self._tables = tables
        self._latest_ms = 0

    def keep(self, value: Typed, written_ms: int) -> None:
        """Put one record into the tables, within an agent: the entry goes to the record's partition."""
        changes = changes_of(value.name, value.body, written_ms, lambda table, key: self._tables[table].get(key))
        for table, key, entry in changes:
            if self._tables[table].get(key) != entry:
                self._tables[table][key] = entry
        before, self._latest_ms = self._latest_ms, max(self._latest_ms, written_ms)
        if before // SWEEP_MS != self._latest_ms // SWEEP_MS:
            self.let_go()

    def let_go(self) -> None:
        """Forget what is past."""
        for table in (self._tables[name] for name in WINDOWED):
            for key in [key for key, entry in table.items() if is_past(entry, self._latest_ms)]:
                table.data.pop(key)  # from memory only, as Faust itself does with its windows


def build_app(
    kafka: Kafka, decoder: Decoder, live: LiveViews, sources: Sources, *, on_skip: OnSkip, folder: Path
) -> faust.App:
    """The app, wired and not started; it writes nothing outside ``folder``.

    ``on_skip`` is told coordinates and reason of a record that cannot be decoded.
    """
    servers = [f"kafka://{server.strip()}" for server in kafka.bootstrap_servers.split(",")]
    app = faust.App(
        APP_ID,
        broker=servers,
        broker_credentials=broker_credentials(kafka.client),
        broker_commit_interval=COMMIT_INTERVAL_SECS,
        # After a kill the group waits this long for the dead process before the new one may read.
        broker_session_timeout=SESSION_TIMEOUT_SECS,
        broker_heartbeat_interval=SESSION_TIMEOUT_SECS / 4,
        consumer_auto_offset_reset="earliest",
        processing_guarantee="at_least_once",
        store="memory://",
        table_standby_replicas=0,  # what a standby would hold, every process reads from the changelogs anyway
        datadir=folder,
        topic_allow_declare=False,  # views.topics has created them
        topic_disable_leader=True,
        web_enabled=False,  # our own routes only; Faust's would show tables and internals
        web_tables_enabled=False,
        worker_redirect_stdouts=False,
        autodiscover=False,
    )
    app.transport = CommittedTransport(app.conf.broker, app, loop=app.loop)
    keeper = Keeper({table: app.Table(table, key_type=str) for table in sources})
    for topic in topics_of(sources):
        # Topics of as many partitions are shared out alike, so a table may have several of them.
        app.agent(_events(app, topic), name=topic)(_agent(decoder, live, on_skip, keeper))
    return app


def _events(app: faust.App, topic: str) -> Any:
    return app.topic(topic, key_serializer="raw", value_serializer="raw")


def _agent(decoder: Decoder, live: LiveViews, on_skip: OnSkip, keeper: Keeper) -> Callable[[Any], Awaitable[None]]:
    async def follow(stream: Any) -> None:
        # Left to itself, Faust acknowledges an event when its agent fails or is cancelled half-way, and the position
        # moves past it. So each is acknowledged here, when it is in the table (Invariant 1).
        async for event in stream.noack().events():
            try:
                await _take(event.message, decoder, live, on_skip, keeper)
            except Exception as error:  # noqa: BLE001  - a defect of ours, whatever it is
                live.failure = repr(error)
                # Neither acknowledge nor go on: the process ends without a commit and reads this event again.
                await asyncio.Event().wait()
            event.ack()

    return follow


async def _take(message: Any, decoder: Decoder, live: LiveViews, on_skip: OnSkip, keeper: Keeper) -> None:
    if message.value is None:
        return
    try:
        typed = await decoder.decode(message.topic, message.value)
    except Rejected as error:
        live.skipped += 1
        on_skip(f"{message.topic}/{message.partition}/{message.offset}", str(error))
    else:
        keeper.keep(typed, round(message.timestamp * 1000))

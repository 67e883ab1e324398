"""The Faust app: an agent per event topic, tables with changelogs in Kafka, kept in memory.

It runs at-least-once, which is enough because an entry is the same however often its event is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import faust

from tieline.kernel.codecs import Codec
from tieline.kernel.errors import Rejected, Retryable
from tieline.kernel.landscape import Kafka
from tieline.kernel.model import Model
from tieline.kernel.records import Typed
from tieline.views.credentials import broker_credentials
from tieline.views.entries import SOURCES, Figures, changes_of
from tieline.views.faust_consumer import CommittedTransport
from tieline.views.topics import APP_ID

REGISTRY_PAUSE_SECS = 2.0
COMMIT_INTERVAL_SECS = 2.0
SESSION_TIMEOUT_SECS = 8.0
OnSkip = Callable[[str, str], None]


@dataclass(slots=True)
class LiveViews:
    """What the agents keep and the HTTP interface shows; all of it belongs to one event loop."""

    figures: Figures = field(default_factory=Figures)
    skipped: int = 0  # records that could not be decoded, since the start
    recovered: set[str] = field(default_factory=set)
    failure: str | None = None  # a defect of ours: the process must end

    @property
    def is_ready(self) -> bool:
        """Whether every table has been read back."""
        return self.recovered >= SOURCES.keys()


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


def build_app(kafka: Kafka, decoder: Decoder, live: LiveViews, *, on_skip: OnSkip, folder: Path) -> faust.App:
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
        datadir=folder,
        topic_allow_declare=False,  # views.topics has created them
        topic_disable_leader=True,
        web_enabled=False,  # our own routes only; Faust's would show tables and internals
        web_tables_enabled=False,
        worker_redirect_stdouts=False,
        autodiscover=False,
    )
    app.transport = CommittedTransport(app.conf.broker, app, loop=app.loop)
    for topic in sorted(set(SOURCES.values())):
        _follow_topic(app, topic, decoder, live, on_skip)
    return app


def _follow_topic(app: faust.App, topic: str, decoder: Decoder, live: LiveViews, on_skip: OnSkip) -> None:
    """One agent for the topic and every table it fills: they have its partitions, so they are in one place."""
    tables: dict[str, Any] = {
        table: app.Table(table, key_type=str) for table, source in SOURCES.items() if source == topic
    }

    def recovered(table: str) -> Callable[[], Awaitable[None]]:
        async def read_back() -> None:
            live.figures.replace(table, dict(tables[table].items()))
            live.recovered.add(table)

        return read_back

    def keep(body: Model) -> None:
        for change in changes_of(body, lambda table, key: tables[table].get(key)):
            if tables[change.table].get(change.key) != change.entry:
                tables[change.table][change.key] = change.entry
            live.figures.put(change)

    async def follow(stream: Any) -> None:
        await _follow(stream, decoder, live, on_skip, keep)

    for name, table in tables.items():
        table.on_recover(recovered(name))
    app.agent(_events(app, topic), name=topic)(follow)


def _events(app: faust.App, topic: str) -> Any:
    return app.topic(topic, key_serializer="raw", value_serializer="raw")


async def _follow(
    stream: Any, decoder: Decoder, live: LiveViews, on_skip: OnSkip, keep: Callable[[Model], None]
) -> None:
    # Left to itself, Faust acknowledges an event when its agent fails or is cancelled half-way, and the position moves
    # past it. So each is acknowledged here, when it is in the table (Invariant 1).
    async for event in stream.noack().events():
        try:
            await _take(event.message, decoder, live, on_skip, keep)
        except Exception as error:  # noqa: BLE001  - a defect of ours, whatever it is
            live.failure = repr(error)
            # Neither acknowledge nor go on: the process ends without a commit and reads this event again.
            await asyncio.Event().wait()
        event.ack()


async def _take(
    message: Any, decoder: Decoder, live: LiveViews, on_skip: OnSkip, keep: Callable[[Model], None]
) -> None:
    if message.value is None:
        return
    try:
        typed = await decoder.decode(message.topic, message.value)
    except Rejected as error:
        live.skipped += 1
        on_skip(f"{message.topic}/{message.partition}/{message.offset}", str(error))
    else:
        keep(typed.body)

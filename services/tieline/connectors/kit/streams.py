"""A ``Source`` put together from functions: for each stream how changes, one record and all of them are read."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass

from tieline.connectors.kit.changes import Changes
from tieline.connectors.kit.paths import Record
from tieline.connectors.kit.strict_json import JsonError, dump_json, parse_json
from tieline.kernel.clock import Clock, utc_now
from tieline.kernel.errors import Rejected, Retryable, Stop, Unavailable
from tieline.kernel.protocols import Page, RawItem

MAX_ITEM_BYTES = 4_000_000
MAX_CALLS = 20  # readings of pages without news in one call of ``read_changes``, so that it stays short
_GONE, _GONE_AT = "tieline_gone", "tieline_gone_at"


@dataclass(frozen=True, slots=True)
class Stream:
    """How one kind of record is read. ``changes`` None: the stream is not read by change."""

    native_id: Callable[[Record], str]
    one: Callable[[str], Awaitable[Record | None]]
    every: Callable[[], AsyncIterator[Record]]
    changes: Callable[[str | None], Awaitable[Changes]] | None = None
    keep: Callable[[Record], Record] = lambda record: record
    """What of a record is captured: all of it, but for names of people, say."""


class StreamSource:
    """See ``Source``. Streams are read in their order: what others refer to comes first."""

    def __init__(self, streams: Mapping[str, Stream], clock: Clock = utc_now) -> None:
        self._streams = streams
        self._clock = clock

    async def read_changes(self, position: Mapping[str, str], limit: int) -> Page:
        """See ``Source``. Gives whole pages of theirs, so at most one page more than ``limit``.

        What was read before the system failed is given: the next call goes on from there, or raises.
        """
        items: list[RawItem] = []
        cursors = dict(position)
        waiting, calls = False, 0
        for name, stream in self._streams.items():
            more = stream.changes is not None
            while stream.changes is not None and more and len(items) < limit and calls < MAX_CALLS:
                try:
                    changes = await stream.changes(cursors.get(name))
                except (Retryable, Unavailable):
                    if calls == 0:
                        raise
                    return Page(items=items, position=cursors, more=True)
                items += [self._item(name, stream, record) for record in changes.records]
                items += [gone_item(name, native_id, self._clock()) for native_id in changes.gone]
                cursors[name] = changes.cursor  # Invariant 1: it covers exactly what is given with it
                calls += 1
                more = changes.more
            waiting = waiting or more
        return Page(items=items, position=cursors, more=waiting)

    async def read_one(self, stream: str, native_id: str) -> RawItem | None:
        """See ``Source``."""
        found = self._stream(stream)
        try:
            record = await found.one(native_id)
        except Rejected:
            return None  # an id that the system does not even accept is no record of its
        return None if record is None else self._item(stream, found, record)

    async def read_all(self, stream: str) -> AsyncIterator[RawItem]:
        """See ``Source``."""
        found = self._stream(stream)
        async for record in found.every():
            yield self._item(stream, found, record)

    def _item(self, name: str, stream: Stream, record: Record) -> RawItem:
        kept = stream.keep(record)
        try:
            native_id = stream.native_id(record)
        except Rejected:
            # It goes on under the hash of its content, and mapping refuses it by name: one record, not the flow.
            native_id = f"unidentified-{hashlib.blake2b(dump_json(kept), digest_size=8).hexdigest()}"
        return RawItem(stream=name, native_id=native_id, payload=dump_json(kept))

    def _stream(self, name: str) -> Stream:
        if name not in self._streams:
            raise Stop(f"there is no stream {name}; there are {', '.join(self._streams)}")
        return self._streams[name]


def gone_item(stream: str, native_id: str, at: dt.datetime) -> RawItem:
    """What is captured of a record that a complete reading no longer found."""
    return RawItem(stream, native_id, dump_json({_GONE: native_id, _GONE_AT: at.isoformat()}))


def gone_at(record: Record) -> dt.datetime | None:
    """When a record was found to be gone; None for one that is there."""
    at = record.get(_GONE_AT)
    return dt.datetime.fromisoformat(str(at)) if _GONE in record and at is not None else None


def parse_record(item: RawItem) -> Record:
    """The record in a raw item; raises ``Rejected`` if it is none."""
    try:
        record = parse_json(item.payload, max_bytes=MAX_ITEM_BYTES)
    except JsonError as error:
        raise Rejected(f"the record is not acceptable JSON: {error}", field="$") from None
    if not isinstance(record, Mapping):
        raise Rejected("the record is not an object", field="$")
    return record

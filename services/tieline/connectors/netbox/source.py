"""Reads NetBox: what was changed by the time of change, what is gone by its log of changes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from tieline.connectors.kit.changes import Changes, since, together
from tieline.connectors.kit.paging import Listed
from tieline.connectors.kit.paths import Record, value_at
from tieline.connectors.kit.streams import Stream, StreamSource
from tieline.connectors.kit.watermarks import Seen
from tieline.connectors.netbox.client import BY_ID, CHANGE_LOGS, DEVICES, LEAN, LOCATIONS, SITES, Client, by_time
from tieline.connectors.netbox.mapping import OBJECT_TYPES, modified_at, native_id, version_of, without_private
from tieline.kernel.clock import Clock
from tieline.kernel.errors import Rejected

_PATHS: Mapping[str, str] = {"dcim.site": SITES, "dcim.location": LOCATIONS, "dcim.device": DEVICES}


def build_source(client: Client, clock: Clock) -> StreamSource:
    """The streams of one NetBox."""
    return StreamSource({OBJECT_TYPES[kind]: _stream(client, kind, path) for kind, path in _PATHS.items()}, clock)


def _stream(client: Client, kind: str, path: str) -> Stream:
    query = LEAN if kind == "dcim.device" else {}
    parts = {"changed": partial(_changed, client, path, query)}
    if client.settings.change_log != "none":
        parts["deleted"] = partial(_deleted, client, CHANGE_LOGS[client.settings.change_log], kind)
    return Stream(
        native_id,
        partial(client.get, path),
        lambda: client.whole(path, query),
        lambda cursor: together(cursor, parts),
        without_private,
    )


async def _changed(client: Client, path: str, query: Mapping[str, str], cursor: str | None) -> Changes:
    async def fetch(start: dt.datetime, token: str | None) -> Listed:
        return await client.page(path, query, by_time(start), token)

    return await since(cursor, fetch, _seen, overlap=_overlap(client))


async def _deleted(client: Client, log: str, kind: str, cursor: str | None) -> Changes:
    """Entries of the log. They never change and are numbered in the order of their time, but for late commits.

    No id comes twice, so an entry is proof by itself (Invariant 12), if it is one: no filter is trusted with that.
    """
    wanted = {"changed_object_type": kind, "action": "delete"}

    async def fetch(start: dt.datetime, token: str | None) -> Listed:
        return await client.page(log, {**wanted, "time_after": start.isoformat()}, BY_ID, token)

    changes = await since(cursor, fetch, _seen, overlap=_overlap(client))
    return replace(changes, records=[one for one in changes.records if _says_deleted(one, kind)])


def _says_deleted(entry: Record, kind: str) -> bool:
    return value_at(entry, "action.value") == "delete" and entry.get("changed_object_type") == kind


def _overlap(client: Client) -> dt.timedelta:
    return dt.timedelta(seconds=client.settings.overlap_secs)


def _seen(record: Record, stand_in: dt.datetime) -> Seen:
    try:
        at = modified_at(record)
    except Rejected:
        at = stand_in  # one bad record must not stop the others: mapping refuses it by name
    return Seen(str(record.get("id")), version_of(record).rpartition("#")[2], at)

"""What changed since, for each way in which a system can be asked; none skips a record, each may give one again.

===================  ==============================================================================================
``since``            the list has a filter on the modification time
``newest_first``     no filter, but the list can be sorted by modification time, newest first, and by a unique number
``appended``         a log that only grows, in the order of a unique number
``compared``         nothing of the kind: the whole list is read, and each record compared with its hash of last time
``together``         several lists, each in one of these ways, that are one stream
===================  ==============================================================================================

Each takes a stored cursor (None: from the start) and gives ``Changes`` with the cursor after them. A call reads few
pages, so that it stays short; ``more`` says that reading on at once finds more.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from tieline.connectors.kit.paging import Fetch, Key, Listed
from tieline.connectors.kit.paths import Record
from tieline.connectors.kit.strict_json import JsonError, dump_json, parse_json
from tieline.connectors.kit.watermarks import (
    EPOCH,
    Seen,
    Watermark,
    advance,
    read_cursor,
    restart_sweep,
    trim_given,
    write_cursor,
)
from tieline.kernel.errors import Rejected, Stop

PAGES_PER_CALL = 10
MAX_COMPARED = 50_000  # records whose hashes fit a Kafka record; beyond it, they are given again at each reading
_MAX_CURSOR_BYTES = 16_000_000
_HASH_BYTES = 8
_BEGINNING = "0"  # the token of a reading's first page, once it is decided that there is one


@dataclass(frozen=True, slots=True)
class Changes:
    """Records that changed, the native ids of those that are gone since a complete reading, and the cursor after."""

    records: Sequence[Record]
    cursor: str
    more: bool = False
    gone: Sequence[str] = ()


SeenOf = Callable[[Record, dt.datetime], Seen]
"""A record's id, version and modification time; the given time stands in for one that cannot be read."""
FetchSince = Callable[[dt.datetime, str | None], Awaitable[Listed]]
"""One page of what was modified at or after a time (UTC), by its token."""


async def since(cursor: str | None, fetch: FetchSince, seen: SeenOf, *, overlap: dt.timedelta) -> Changes:
    """By a filter on the modification time. Equal times at a border are read again.

    Pages come in the order of that time, or ``fetch`` dates all pages of a sweep (``made_at``) by its first: what
    changes behind the token, while the sweep goes on, would be taken for read otherwise. A page token that the system
    no longer knows restarts the sweep. Raises ``Stop`` where it refuses to list changes.
    """
    mark = read_cursor(cursor)
    try:
        page = await fetch(mark.since, mark.page_token)
    except Rejected as error:
        if mark.page_token is None:
            raise Stop(f"the system refuses to list changes ({error})") from error
        mark = restart_sweep(mark)
        page = await fetch(mark.since, None)
    return _advanced(mark, page, page.next_token, seen, overlap)


async def newest_first(
    cursor: str | None,
    newest: Fetch,
    by_number: Fetch,
    seen: SeenOf,
    *,
    overlap: dt.timedelta,
    history: bool = True,
) -> Changes:
    """By the first page of the list sorted by modification time, newest first, if that reaches back far enough.

    If it does not, as at the start or after an outage, the list is read whole in the order of a unique number, and what
    was modified since is taken from it: further pages by time would not hold, since equal times have no order of their
    own and every change shifts the rows. A token of ``by_number`` is kept over a restart. Without ``history`` the start
    gives the last ones only: what was deleted before the first load was never loaded.
    """
    mark = read_cursor(cursor)
    if mark.page_token is None:
        page = await newest(None)
        times = [seen(record, EPOCH).modified_at for record in page.records]
        from_now_on = cursor is None and not history
        if from_now_on:
            newest_at = min(max(times, default=EPOCH), page.made_at)
            mark = Watermark(since=max(newest_at - overlap, EPOCH), high=newest_at)
        if from_now_on or page.next_token is None or min(times, default=EPOCH) < mark.since:
            recent = [record for record in page.records if seen(record, mark.since).modified_at >= mark.since]
            return _advanced(mark, replace(page, records=recent), None, seen, overlap)
        # By the clock that dates the records: the one that dates answers may be a gateway's, and be ahead.
        mark = replace(mark, live_from=min(max(times), page.made_at), page_token=_BEGINNING)
    return _scanned(mark, await by_number(None if mark.page_token == _BEGINNING else mark.page_token), seen, overlap)


def _scanned(mark: Watermark, page: Listed, seen: SeenOf, overlap: dt.timedelta) -> Changes:
    """One page of the whole list, in the order of the number, of which only what was modified lately is taken."""
    began = mark.live_from or page.made_at
    given = {at: dict(versions) for at, versions in mark.given.items()}
    taken: list[Record] = []
    for record in page.records:
        one = seen(record, mark.since)
        versions = given.setdefault(one.modified_at, {})
        if one.modified_at >= mark.since and versions.get(one.native_id) != one.version:
            versions[one.native_id] = one.version
            taken.append(record)
    found = mark.found or bool(taken)
    # What changed behind the token while the list was read was modified after the reading began.
    floor = max(began - overlap, EPOCH)
    # Of a first reading, where all is new, only what the next poll sees again is remembered.
    remembered = trim_given(given, floor if page.next_token is None or mark.since == EPOCH else mark.since)
    after = replace(mark, given=remembered, found=found, page_token=page.next_token)
    if page.next_token is None:
        after = replace(after, since=floor, high=began, live_from=None, found=False)
    return Changes(taken, write_cursor(after), more=page.next_token is not None or found)


def _advanced(mark: Watermark, page: Listed, next_token: str | None, seen: SeenOf, overlap: dt.timedelta) -> Changes:
    records = [seen(record, mark.high) for record in page.records]
    fresh, after = advance(mark, records, next_token, overlap=overlap, now=page.made_at)
    return Changes([page.records[place] for place in fresh], write_cursor(after), more=after.more)


async def appended(cursor: str | None, fetch: Fetch, number: Callable[[Record], int]) -> Changes:
    """By a log in the order of a unique ``number``, paged ``by_offset`` with that number as its anchor."""
    _, bar, last = (cursor or "").partition("|")
    page = await fetch(cursor or None)
    fresh = [record for record in page.records if not bar or number(record) > int(last)]
    return Changes(fresh, page.next_token or page.resume or cursor or "", more=page.next_token is not None)


ChangesAfter = Callable[[str | None], Awaitable[Changes]]


async def together(cursor: str | None, parts: Mapping[str, ChangesAfter]) -> Changes:
    """Several lists that are one stream (active records, archived ones): each goes on from its own cursor."""
    cursors = _read_parts(cursor)
    records: list[Record] = []
    gone: list[str] = []
    more = False
    for name, read in parts.items():
        changes = await read(cursors.get(name))
        cursors[name] = changes.cursor
        records += changes.records
        gone += changes.gone
        more = more or changes.more
    return Changes(records, dump_json(cursors).decode(), more, gone)


def _read_parts(cursor: str | None) -> dict[str, str]:
    if cursor is None:
        return {}
    try:
        document = parse_json(cursor.encode(), max_bytes=_MAX_CURSOR_BYTES)
    except JsonError as error:
        raise Stop(f"the stored position is not ours ({error}); reset the stream's position") from None
    if not isinstance(document, Mapping) or not all(isinstance(one, str) for one in document.values()):
        raise Stop("the stored position is not ours; reset the stream's position")
    return {str(name): str(one) for name, one in document.items()}


async def compared(
    cursor: str | None, fetch: Fetch, key: Key, content: Callable[[Record], object] = lambda record: record
) -> Changes:
    """By reading the list whole and comparing each record's ``content`` with its hash of the reading before.

    ``content`` leaves out what changes by itself (an age, a formatted date). A reading may take several calls; only its
    end tells what is gone (Invariant 12).
    """
    state = _read_state(cursor)
    given: list[Record] = []
    for _ in range(PAGES_PER_CALL):
        page = await fetch(state.token)
        for record in page.records:
            name, digest = key(record), _digest(content(record))
            if state.known.get(name) != digest or state.is_full:
                given.append(record)
            state.found[name] = digest
        state.token = page.next_token
        if page.next_token is None:
            gone = sorted(set(state.known) - set(state.found))
            return Changes(given, _write_state(_State(known=state.found, found={})), gone=gone)
        if given:
            break  # a page at a time is given, so that the limit is kept
    return Changes(given, _write_state(state), more=True)


@dataclass(slots=True)
class _State:
    """Hashes of the last complete reading, and of the one under way."""

    known: dict[str, str]
    found: dict[str, str]
    token: str | None = None

    @property
    def is_full(self) -> bool:
        return len(self.known) > MAX_COMPARED


def _digest(content: object) -> str:
    return base64.b64encode(hashlib.blake2b(dump_json(content), digest_size=_HASH_BYTES).digest()).decode()


def _write_state(state: _State) -> str:
    same = {name for name, digest in state.found.items() if state.known.get(name) == digest}
    document = {
        "known": state.known,
        "same": sorted(same),
        "found": {name: digest for name, digest in state.found.items() if name not in same},
        "token": state.token,
    }
    return base64.b85encode(zlib.compress(dump_json(document), 6)).decode()


def _read_state(cursor: str | None) -> _State:
    if cursor is None:
        return _State({}, {})
    try:
        unpacked = zlib.decompressobj().decompress(base64.b85decode(cursor), _MAX_CURSOR_BYTES)
        document = parse_json(unpacked, max_bytes=_MAX_CURSOR_BYTES)
        if not isinstance(document, Mapping):
            raise TypeError("an object is wanted")  # noqa: TRY301  - one place tells what to do about all of them
        known = {str(name): str(digest) for name, digest in document["known"].items()}
        found = {str(name): str(digest) for name, digest in document["found"].items()}
        found |= {str(name): known[str(name)] for name in document["same"]}
        token = document["token"]
        return _State(known, found, None if token is None else str(token))
    except (JsonError, KeyError, TypeError, ValueError, AttributeError, zlib.error) as error:
        raise Stop(f"the stored position is not ours ({error}); reset the stream's position") from None

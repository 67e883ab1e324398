"""What changed since, for each way in which a system can be asked; none skips a record, each may give one again.

===================  ==============================================================================================
``since``            the list has a filter on the modification time
``newest_first``     no filter, but the list can be sorted by modification time, newest first, and by a unique number
``appended``         a log that only grows, in the order of a unique number
``compared``         nothing of the kind: the whole list is read, and each record compared with its hash of last time
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
from tieline.connectors.kit.watermarks import EPOCH, Seen, Watermark, advance, read_cursor, restart_sweep, write_cursor
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
    """By a filter on the modification time; pages in any order. Equal times at a border are read again.

    A page token that the system no longer knows restarts the sweep. Raises ``Stop`` where it refuses to list changes.
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
    cursor: str | None, newest: Fetch, by_number: Fetch, seen: SeenOf, *, overlap: dt.timedelta
) -> Changes:
    """By the first page of the list sorted by modification time, newest first, if that reaches back far enough.

    If it does not, as at the start or after an outage, the list is read whole in the order of a unique number, and what
    was modified since is taken from it: further pages by time would not hold, since equal times have no order of their
    own and every change shifts the rows. A token of ``by_number`` is kept over a restart.
    """
    mark = read_cursor(cursor)
    if mark.page_token is None:
        page = await newest(None)
        oldest = min((seen(record, EPOCH).modified_at for record in page.records), default=EPOCH)
        if page.next_token is None or oldest < mark.since:
            recent = [record for record in page.records if seen(record, mark.since).modified_at >= mark.since]
            return _advanced(mark, replace(page, records=recent), None, seen, overlap)
        mark = replace(mark, live_from=page.made_at, page_token=_BEGINNING)
    page = await by_number(None if mark.page_token == _BEGINNING else mark.page_token)
    taken = [record for record in page.records if seen(record, mark.since).modified_at >= mark.since]
    if page.next_token is not None:
        return Changes(taken, write_cursor(replace(mark, page_token=page.next_token)), more=True)
    began = mark.live_from or page.made_at
    # What changed behind the token while the list was read changed after the reading began.
    return Changes(taken, write_cursor(Watermark(since=began - overlap, high=began - overlap)), more=True)


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

"""A cursor for systems that can be asked "what changed since": no record skipped, few given twice.

Modification times are coarse, and records become visible out of order. So every sweep starts a little before the
newest time seen, and what was given already, in the same version, is left out. A sweep goes page by page; the cursor
holds its page token, so that a restart goes on at the page border, however much later.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tieline.connectors.kit.strict_json import JsonError, dump_json, parse_json
from tieline.kernel.errors import Stop

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
# Keeps a cursor well below the megabyte a Kafka record may have. Past it, records are given twice, never skipped.
MAX_REMEMBERED = 20_000
_MAX_CURSOR_BYTES = 4_000_000
# A record dated further ahead than this must not drag the watermark into the future and hide what comes after.
_CLOCK_SKEW = dt.timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Seen:
    """One record of a page: its id, its version, its modification time (UTC)."""

    native_id: str
    version: str
    modified_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Watermark:
    """Where a stream stands. ``since`` starts the sweep under way, ``page_token`` is its next page (None: the first).

    ``high`` is the newest time seen; ``given`` holds, per modification time, the versions of records given already.
    ``live_from`` is the system's time at the first page of this sweep that ended among records still being written: a
    write may since have landed behind the page token, so the next sweep starts there. ``found`` says that the sweep
    gave something, ``again`` that another sweep is due at once.
    """

    since: dt.datetime = EPOCH
    page_token: str | None = None
    high: dt.datetime = EPOCH
    given: Mapping[dt.datetime, Mapping[str, str]] = field(default_factory=dict)
    live_from: dt.datetime | None = None
    found: bool = False
    again: bool = False

    @property
    def more(self) -> bool:
        """Whether reading on at once may find something."""
        return self.page_token is not None or self.again


def advance(
    mark: Watermark,
    page: Sequence[Seen],
    next_token: str | None,
    *,
    overlap: dt.timedelta,
    now: dt.datetime,
) -> tuple[list[int], Watermark]:
    """The places in ``page`` of records not given yet, and the watermark after the page.

    ``now`` is the time when the page was made, by the clock that dates the records.
    """
    given = {at: dict(versions) for at, versions in mark.given.items()}
    fresh: list[int] = []
    for place, record in enumerate(page):
        versions = given.setdefault(record.modified_at, {})
        if versions.get(record.native_id) != record.version:
            versions[record.native_id] = record.version
            fresh.append(place)
    times = [record.modified_at for record in page if record.modified_at <= now + _CLOCK_SKEW]
    high = max([mark.high, *times])
    live_from = mark.live_from
    if live_from is None and next_token is not None and times and max(times) >= now - overlap:
        live_from = now
    reached = high if next_token is None else max(times, default=mark.since)
    floor = max(min(reached, live_from or reached) - overlap, EPOCH)
    found = mark.found or bool(fresh)
    after = replace(mark, page_token=next_token, high=high, given=trim_given(given, floor), again=False)
    if next_token is not None:
        return fresh, replace(after, live_from=live_from, found=found)
    return fresh, replace(after, since=floor, live_from=None, found=False, again=live_from is not None and found)


def trim_given(given: dict[dt.datetime, dict[str, str]], floor: dt.datetime) -> dict[dt.datetime, dict[str, str]]:
    """What a watermark keeps of the records given: those from ``floor`` on, the newest ``MAX_REMEMBERED`` of them."""
    kept: dict[dt.datetime, dict[str, str]] = {}
    room = MAX_REMEMBERED
    for at in sorted(given, reverse=True):
        if at < floor or room <= 0:
            break
        newest = list(given[at].items())[-room:]
        kept[at] = dict(newest)
        room -= len(newest)
    return kept


def restart_sweep(mark: Watermark) -> Watermark:
    """The same place with its page token forgotten, for a system that no longer knows the token."""
    return replace(mark, page_token=None)


def write_cursor(mark: Watermark) -> str:
    """The watermark as opaque text."""
    given = {at.isoformat(): dict(versions) for at, versions in mark.given.items()}
    document = {
        "since": mark.since.isoformat(),
        "page": mark.page_token,
        "high": mark.high.isoformat(),
        "live_from": None if mark.live_from is None else mark.live_from.isoformat(),
        "found": mark.found,
        "again": mark.again,
        "given": given,
    }
    return dump_json(document).decode()


def read_cursor(text: str | None) -> Watermark:
    """The watermark in ``text``, None meaning from the start; raises ``Stop`` when the text is not ours."""
    if text is None:
        return Watermark()
    try:
        document = parse_json(text.encode(), max_bytes=_MAX_CURSOR_BYTES)
        if not isinstance(document, dict):
            raise TypeError("an object is wanted")  # noqa: TRY301  - one place tells what to do about all of them
        page, live_from = document["page"], document["live_from"]
        return Watermark(
            since=_instant(document["since"]),
            page_token=None if page is None else str(page),
            high=_instant(document["high"]),
            live_from=None if live_from is None else _instant(live_from),
            found=document["found"] is True,
            again=document["again"] is True,
            given={_instant(at): {str(k): str(v) for k, v in seen.items()} for at, seen in document["given"].items()},
        )
    except (JsonError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise Stop(f"the stored position is not a watermark ({error}); reset the stream's position") from None


def _instant(value: object) -> dt.datetime:
    at = dt.datetime.fromisoformat(str(value))
    if at.tzinfo is None:
        raise ValueError("a time without time zone")
    return at

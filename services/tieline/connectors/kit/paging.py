"""Pages of a list, in the ways that vendors page, and reading a list whole.

A ``Paging`` is two pure functions: what to ask for a page, and what its reply holds. Its token is opaque text that a
cursor may keep. Only ``read_whole`` says that a list was read completely (Invariant 12).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import httpx

from tieline.connectors.kit.client import Api, Reply, Request, perform
from tieline.connectors.kit.paths import Record, value_at
from tieline.connectors.kit.watermarks import EPOCH
from tieline.kernel.errors import Retryable

MAX_PAGES = 200_000  # far beyond any register; a system that pages for ever must not keep us for ever
_LINK = re.compile(r'<([^>]*)>\s*;[^,]*?\brel="?next"?', re.IGNORECASE)
Key = Callable[[Record], str]
Fetch = Callable[[str | None], Awaitable["Listed"]]
"""One page of a list by its token, None being the first."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What a page is asked by: further query parameters, or a whole link instead of path and query."""

    query: Mapping[str, str] = field(default_factory=dict)
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """One page, in the system's order. ``next_token`` None: it was the last. ``total`` is what the system counts.

    ``made_at`` is when it was made, by the system's clock (UTC); ``read_page`` sets it. ``resume`` is the token by
    which a log that grew is read on after its last page, where the paging can.
    """

    records: Sequence[Record]
    next_token: str | None
    total: int | None = None
    made_at: dt.datetime = EPOCH
    resume: str | None = None


@dataclass(frozen=True, slots=True)
class Paging:
    """``ask(token, size)``, the first page's token being None; ``read(reply, token, size)``."""

    ask: Callable[[str | None, int], Ask]
    read: Callable[[Reply, str | None, int], Listed]


def by_offset(
    *,
    rows: str,
    total: str | None = None,
    more: str | None = None,
    offset: str = "offset",
    limit: str = "limit",
    anchor: Callable[[Record], int] | None = None,
    most: int | None = None,
) -> Paging:
    """``?offset=40&limit=20``; the last page is told by a count (``total``) or a flag (``more``), else by being empty.

    Rows shift when others go while pages are read. With an ``anchor``, the number of a row in a list that is in its
    ascending order, each page begins with the last row of the page before; where it begins behind it, rows went, and a
    page is stepped back: none is skipped. Its pages have two rows at least; where ``most`` says that the system allows
    it, one more is asked for.
    """

    def ask(token: str | None, size: int) -> Ask:
        start, last = _place(token)
        rows_asked = size if last is None or most is None else min(size + 1, most)
        return Ask({offset: str(start), limit: str(rows_asked)})

    def read(reply: Reply, token: str | None, size: int) -> Listed:
        start, last = _place(token)
        records = records_at(reply, rows)
        counted = _whole(value_at(reply.record, total)) if total else None
        if anchor is not None and last is not None and start and not any(anchor(record) <= last for record in records):
            return Listed((), f"{max(0, start - max(1, size - 1))}|{last}", counted)
        after = start + len(records)
        if counted is not None:
            ended = after >= counted or not records
        elif more is not None:
            ended = value_at(reply.record, more) is not True or not records
        else:
            ended = not records  # a short page may be the system's own cap
        token_after = f"{after - 1}|{anchor(records[-1])}" if anchor is not None and records else f"{after}"
        if anchor is not None and last is not None:
            records = [record for record in records if anchor(record) > last]
        return Listed(records, None if ended else token_after, counted, resume=token_after if after > start else token)

    return Paging(ask, read)


def by_number(
    *, rows: str, total: str | None = None, last: str | None = None, page: str = "page", size_name: str = "per_page"
) -> Paging:
    """``?page=3&per_page=20``, from 1; the last page is told by a count of rows or of pages, else by being empty."""

    def ask(token: str | None, size: int) -> Ask:
        return Ask({page: token or "1", size_name: str(size)})

    def read(reply: Reply, token: str | None, size: int) -> Listed:
        number, records = int(token or "1"), records_at(reply, rows)
        counted = _whole(value_at(reply.record, total)) if total else None
        pages = _whole(value_at(reply.record, last)) if last else None
        if pages is None and counted is not None:
            pages = -(-counted // size)
        ended = not records or (pages is not None and number >= pages)
        return Listed(records, None if ended else str(number + 1), counted)

    return Paging(ask, read)


def by_link(
    *,
    rows: str,
    link: str,
    total: str | None = None,
    limit: str | None = "limit",
    first: Mapping[str, str] | None = None,
) -> Paging:
    """A whole link to the next page at a dotted path: OData's ``@odata.nextLink`` (a key with dots), NetBox's ``next``.

    ``limit`` names the parameter of the first page's size; None: the system decides.
    """

    def ask(token: str | None, size: int) -> Ask:
        return Ask(link=token) if token else Ask({**(first or {}), **({limit: str(size)} if limit else {})})

    def read(reply: Reply, _token: str | None, _size: int) -> Listed:
        document = reply.record
        following = document.get(link, value_at(document, link))
        counted = _whole(document.get(total, value_at(document, total))) if total else None
        return Listed(records_at(reply, rows), str(following) if following else None, counted)

    return Paging(ask, read)


def by_odata(*, version: int = 4, count: bool = False) -> Paging:
    """OData: V4 with ``value`` and ``@odata.nextLink``, V2 with ``d.results`` and ``d.__next``; server-driven pages."""
    if version == 2:  # noqa: PLR2004  - the version's number
        return by_link(
            rows="d.results",
            link="d.__next",
            limit=None,
            total="d.__count" if count else None,
            first={"$inlinecount": "allpages"} if count else None,
        )
    return by_link(
        rows="value",
        link="@odata.nextLink",
        limit=None,
        total="@odata.count" if count else None,
        first={"$count": "true"} if count else None,
    )


def by_link_header(*, rows: str = "", limit: str = "limit", total_header: str | None = None) -> Paging:
    """A ``Link`` header with rel="next" (RFC 8288); ``rows`` empty: the document is the list itself."""

    def ask(token: str | None, size: int) -> Ask:
        return Ask(link=token) if token else Ask({limit: str(size)})

    def read(reply: Reply, _token: str | None, _size: int) -> Listed:
        found = _LINK.search(reply.headers.get("link", ""))
        counted = _whole(reply.headers.get(total_header)) if total_header else None
        return Listed(records_at(reply, rows), found[1] if found else None, counted)

    return Paging(ask, read)


def by_cursor(*, rows: str, cursor: str, name: str = "cursor", limit: str = "limit") -> Paging:
    """An opaque cursor at a dotted path of the reply, sent back as a parameter."""

    def ask(token: str | None, size: int) -> Ask:
        return Ask({limit: str(size), **({name: token} if token else {})})

    def read(reply: Reply, _token: str | None, _size: int) -> Listed:
        following = value_at(reply.record, cursor)
        return Listed(records_at(reply, rows), str(following) if following not in (None, "", False) else None)

    return Paging(ask, read)


def by_key(*, rows: str, key: Key, after: Callable[[str], Mapping[str, str]], limit: str = "limit") -> Paging:
    """Keyset: rows in the order of a unique key (time and id, say), the next page those ``after`` the last one's.

    ``after`` makes query parameters of that key. Nothing that comes or goes shifts anything; an empty page is the last.
    """

    def ask(token: str | None, size: int) -> Ask:
        return Ask({limit: str(size), **(after(token) if token else {})})

    def read(reply: Reply, _token: str | None, _size: int) -> Listed:
        records = records_at(reply, rows)
        return Listed(records, key(records[-1]) if records else None)

    return Paging(ask, read)


async def read_page(api: Api, request: Request, paging: Paging, token: str | None, size: int) -> Listed:
    """One page of the list that ``request`` asks for."""
    ask = paging.ask(token, size)
    if ask.link is not None:
        # What a link leaves out is that of the page it stood on; who leads to another host is refused by the client.
        here = httpx.URL(f"{str(api.http.base_url).rstrip('/')}/{request.path.lstrip('/')}")
        request = replace(request, path=str(here.join(ask.link)), query={})
    else:
        request = replace(request, query={**request.query, **ask.query})
    reply = await perform(api, request)
    return replace(paging.read(reply, token, size), made_at=reply.made_at)


async def read_whole(fetch: Fetch, key: Key, *, counted: bool = False) -> AsyncIterator[Record]:
    """Every record of a list, each once. Ends normally only when the read was complete (Invariant 12).

    A token that comes again, and a list without end, raise ``Retryable``. ``counted``: so does a list of which fewer
    records came than its last page counted: rows went while it was read by pages that shift.
    """
    token: str | None = None
    tokens: set[str] = set()
    given: set[str] = set()
    for _ in range(MAX_PAGES):
        page = await fetch(token)
        for record in page.records:
            name = key(record)
            if name not in given:
                given.add(name)
                yield record
        if page.next_token is None:
            if counted and page.total is not None and len(given) < page.total:
                raise Retryable(f"{len(given)} records of {page.total} came: the list changed while it was read")
            return
        if page.next_token in tokens:
            raise Retryable("a page token came again; the list cannot be read whole")
        tokens.add(page.next_token)
        token = page.next_token
    raise Retryable(f"more than {MAX_PAGES} pages")


def records_at(reply: Reply, path: str) -> Sequence[Record]:
    """The records at a dotted path (a key may have dots itself), empty: the document is the list.

    Raises ``Retryable`` where there is no list of objects: an answer that is not the list proves nothing.
    """
    found = reply.document if not path else reply.record.get(path, value_at(reply.record, path))
    if not isinstance(found, list) or not all(isinstance(record, Mapping) for record in found):
        raise Retryable(f"the answer has no list of records under {path or 'its root'}")
    return found


def _place(token: str | None) -> tuple[int, int | None]:
    start, bar, last = (token or "0").partition("|")
    return int(start), int(last) if bar else None


def _whole(value: object) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and not isinstance(value, bool) else None

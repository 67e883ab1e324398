"""Reads a UNIO24-style system: what changed since, one record, or everything."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType

from tieline.connectors.kit.paths import value_at
from tieline.connectors.kit.strict_json import dump_json
from tieline.connectors.kit.watermarks import Seen, Watermark, advance, read_cursor, restart_sweep, write_cursor
from tieline.connectors.unio24.client import Client
from tieline.connectors.unio24.conversion import read_time
from tieline.connectors.unio24.mapping import book_id_of, identifier, version_of
from tieline.connectors.unio24.models import ASSETS, BOOKS, COST_DOCUMENTS, ListPage, Record
from tieline.connectors.unio24.optional_streams import optional_resources
from tieline.connectors.unio24.profile import Profile
from tieline.connectors.unio24.records import MappedFamily
from tieline.connectors.unio24.resources import Resource
from tieline.connectors.unio24.settings import Settings
from tieline.connectors.unio24.webhook import ensure_subscription
from tieline.kernel.errors import OutcomeUnknown, Rejected, Retryable, Stop, Unavailable
from tieline.kernel.protocols import Page, RawItem

# Far beyond any register; a system that pages for ever must not keep us for ever.
_MAX_PAGES = 200_000
# Pages without news are read over; this many at most in one call, so that a call stays short.
_MAX_PAGES_PER_CALL = 20
_CHANGING = (ASSETS, COST_DOCUMENTS)


class Unio24Source:
    """The streams ``assets``, ``cost-documents``, those the profile maps beside them, and one of each mapped family.

    ``books`` only by ``read_one`` and ``read_all``.
    """

    def __init__(
        self,
        client: Client,
        profile: Profile,
        settings: Settings,
        families: Mapping[str, MappedFamily] = MappingProxyType({}),
    ) -> None:
        self._families = families
        self._client = client
        self._profile = profile
        self._settings = settings
        self._optional = optional_resources(profile)
        self._subscribed = settings.webhook_callback_url is None

    async def read_changes(self, position: Mapping[str, str], limit: int) -> Page:
        """See ``Source``. Gives whole pages of theirs, so at most one page more than ``limit``."""
        await self._subscribe()
        items: list[RawItem] = []
        cursors = dict(position)
        waiting, pages = False, 0
        for stream in (*self._optional, *_CHANGING, *self._families):
            mark = read_cursor(position.get(stream))
            more = True
            while more and len(items) < limit and pages < _MAX_PAGES_PER_CALL:
                given, mark = await self._next_page(stream, mark, limit)
                items += given
                pages += 1
                more = mark.more
            waiting = waiting or more
            cursors[stream] = write_cursor(mark)
        return Page(items=items, position=cursors, more=waiting)

    async def read_one(self, stream: str, native_id: str) -> RawItem | None:
        """See ``Source``. A book's id is ``<asset id>|<book id>``."""
        ids = {"id": native_id}
        if stream == BOOKS:
            asset_id, _, book_id = native_id.rpartition("|")
            ids = {"asset_id": asset_id, "book_id": book_id}
        try:
            record = await self._client.get(self._resource(stream), **ids)
        except Rejected:
            return None  # an id that the system does not even accept is no record of its
        return None if record is None else self._item(stream, record)

    async def read_all(self, stream: str) -> AsyncIterator[RawItem]:
        """See ``Source``. A page that fails, or a page token that comes again, raises: never a silent half."""
        resource = self._resource(stream)
        token: str | None = None
        tokens: set[str] = set()
        given: set[str] = set()
        for _ in range(_MAX_PAGES):
            page = await self._client.list_page(resource, size=self._settings.page_size, token=token)
            for record in page.records:
                item = self._item(stream, record)
                if item.native_id not in given:
                    given.add(item.native_id)
                    yield item
            if page.next_token is None:
                return
            if page.next_token in tokens:
                raise Retryable(f"{resource.list_path}: a page token came again; the list cannot be read whole")
            tokens.add(page.next_token)
            token = page.next_token
        raise Retryable(f"{resource.list_path}: more than {_MAX_PAGES} pages")

    async def _next_page(self, stream: str, mark: Watermark, limit: int) -> tuple[list[RawItem], Watermark]:
        resource = self._resource(stream)
        size = max(1, min(limit, self._settings.page_size))
        page, mark = await self._page_or_restart(resource, mark, size)
        seen = [self._seen(resource, stream, record, mark) for record in page.records]
        overlap = dt.timedelta(seconds=self._settings.overlap_secs)
        fresh, after = advance(mark, seen, page.next_token, overlap=overlap, now=page.made_at)
        return [self._item(stream, page.records[place]) for place in fresh], after

    async def _page_or_restart(self, resource: Resource, mark: Watermark, size: int) -> tuple[ListPage, Watermark]:
        try:
            page = await self._client.list_page(resource, size=size, token=mark.page_token, modified_since=mark.since)
        except Rejected as error:
            if mark.page_token is None:
                raise Stop(f"{resource.list_path} refuses to list changes ({error}); correct the profile") from error
            # The system forgot the token: read the sweep again; what was given is left out by its version.
            return await self._page_or_restart(resource, restart_sweep(mark), size)
        return page, mark

    def _seen(self, resource: Resource, stream: str, record: Record, mark: Watermark) -> Seen:
        native_id = self._native_id(stream, record)
        try:
            at = read_time(value_at(record, resource.modified_at), resource.modified_format, resource.modified_at)
            return Seen(native_id, version_of(resource, record), at)
        except Rejected:
            # One bad record must not stop the others: it goes on as it is, and mapping refuses it by name.
            return Seen(native_id, hashlib.blake2b(dump_json(record), digest_size=8).hexdigest(), mark.high)

    def _item(self, stream: str, record: Record) -> RawItem:
        return RawItem(stream=stream, native_id=self._native_id(stream, record), payload=dump_json(record))

    def _native_id(self, stream: str, record: Record) -> str:
        books = self._profile.books
        try:
            if stream == BOOKS:
                book_path = str(books.fields["book_id"].path)
                return book_id_of(identifier(record, books.asset_id), identifier(record, book_path))
            if stream in self._families:
                return identifier(record, self._families[stream].resource.id)
            if stream in self._optional:
                return identifier(record, self._optional[stream].id)
            return identifier(record, self._profile.assets.id if stream == ASSETS else self._profile.cost_documents.id)
        except Rejected:
            # It goes on under the hash of its content, and mapping refuses it by name: one record, not the flow.
            return f"unidentified-{hashlib.blake2b(dump_json(record), digest_size=8).hexdigest()}"

    def _resource(self, stream: str) -> Resource:
        resources: Mapping[str, Resource] = {
            ASSETS: self._profile.assets,
            COST_DOCUMENTS: self._profile.cost_documents,
            BOOKS: self._profile.books,
            **self._optional,
            **{name: mapped.resource for name, mapped in self._families.items()},
        }
        if stream not in resources:
            raise Stop(f"UNIO24 has no stream {stream}; it has {', '.join(resources)}")
        return resources[stream]

    async def _subscribe(self) -> None:
        if self._subscribed:
            return
        try:
            await ensure_subscription(self._client, self._profile, self._settings)
        except (OutcomeUnknown, Retryable, Unavailable):
            return  # polling finds every change anyway; the next poll asks again
        self._subscribed = True

"""Snipe-IT's API, typed: what is asked of it, and what its answers mean."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from tieline.connectors.kit.client import Api, Reply, Request, path_of, perform
from tieline.connectors.kit.lookups import Lookups, ReadNames, named
from tieline.connectors.kit.paging import Listed, by_offset, read_page, read_whole
from tieline.connectors.kit.paths import Record, value_at
from tieline.connectors.kit.upsert import only_one
from tieline.connectors.kit.verdicts import ErrorTable, Means, Rule, Words
from tieline.connectors.snipeit.mapping import native_id, with_columns
from tieline.connectors.snipeit.settings import Settings
from tieline.kernel.errors import OutcomeUnknown

HARDWARE, ITEM = "/api/v1/hardware", "/api/v1/hardware/{id}"
MAINTENANCES, ACTIVITY, LOCATIONS = "/api/v1/maintenances", "/api/v1/reports/activity", "/api/v1/locations"
NAMES: Mapping[str, str] = {
    "location": LOCATIONS,
    "company": "/api/v1/companies",
    "status label": "/api/v1/statuslabels",
}
ARCHIVED, DELETED = {"status": "Archived"}, {"status": "Deleted"}
LISTS: Mapping[str, Mapping[str, str]] = {"deleted": DELETED, "active": {}, "archived": ARCHIVED}
"""An asset is in one of these lists: the plain one leaves out what is archived and what is deleted.

The deleted ones come first: what is read from the others and deleted then is told of by the next poll.
"""
BY_ID = {"sort": "id", "order": "asc"}
NEWEST_FIRST = {"sort": "updated_at", "order": "desc"}
_NUMBERED = by_offset(rows="rows", total="total", anchor=lambda record: int(native_id(record)), most=500)
_PAGES = by_offset(rows="rows", total="total")


def read_words(document: Record) -> Words | None:
    """The words of an error envelope: ``{"status": "error", "messages": text, or texts by field}``, with HTTP 200."""
    if document.get("status") != "error":
        message = document.get("message") or document.get("error")  # Laravel's own, with its status
        return Words(message=message) if isinstance(message, str) and not {"id", "rows"} & set(document) else None
    messages = document.get("messages")
    if isinstance(messages, Mapping) and messages:
        field, said = next(iter(messages.items()))
        return Words(message=f"{field}: {_first(said)}", field=str(field))
    return Words(message=_first(messages))


def _first(said: object) -> str:
    return str(said[0] if isinstance(said, list) and said else said or "")


ERRORS = ErrorTable(
    read_words,
    (
        # The envelope has no codes, and its messages are in the language of the token's user: only HTTP tells more.
        Rule(Means.UNAVAILABLE, statuses=(503,)),
        Rule(Means.REJECTED, statuses=(404,), remedy="the endpoint has no such path; is its version older than 6?"),
    ),
)


@dataclass(frozen=True, slots=True)
class Client:
    """One Snipe-IT. Every method raises as ``perform`` does."""

    api: Api
    settings: Settings

    async def page(self, path: str, query: Mapping[str, str], token: str | None) -> Listed:
        """One page of a list; in the order of the id it is safe against rows that go."""
        paging = _NUMBERED if query.get("sort") == "id" else _PAGES
        return await read_page(self.api, Request("GET", path, query), paging, token, self.settings.page_size)

    def whole(self, path: str, query: Mapping[str, str] | None = None) -> AsyncIterator[Record]:
        """A list, read whole in the order of the id."""
        asked = {**(query or {}), **BY_ID}
        return read_whole(lambda token: self.page(path, asked, token), native_id)

    async def get(self, path: str) -> Record | None:
        """One record; None for one that is deleted, or that never was."""
        reply = await perform(self.api, Request("GET", path, passed=(200, 404)))
        # Both come with 200 and an error envelope; of a read nothing else can be wrong with the one who asks.
        if reply.words is not None or reply.status == 404:  # noqa: PLR2004  - no such thing
            return None
        native_id(reply.record)
        return None if value_at(reply.record, "deleted_at.datetime") is not None else reply.record

    async def asset(self, asset_id: str) -> Record | None:
        """One asset as it is now."""
        return await self.get(path_of(ITEM, id=asset_id))

    async def by_reference(self, reference: str) -> Record | None:
        """The asset with the hub's reference, archived ones too: the plain list leaves those out."""
        found: dict[str, Record] = {}
        for status in ({}, ARCHIVED):
            page = await self.page(HARDWARE, {self.settings.reference_field: reference, **status}, None)
            found |= {native_id(record): with_columns(record) for record in page.records}
        return only_one(list(found.values()), f"custom.{self.settings.reference_field}", reference, what="reference")

    async def send(self, method: str, path: str, body: Mapping[str, object], *, refused: bool = False) -> Reply:
        """One write; with ``refused``, a success that is an error document comes back."""
        return await perform(self.api, Request(method, path, body=body, passed=(200,) if refused else ()))

    def lookups(self) -> Lookups:
        """The names of what assets refer to."""

        def reader(path: str) -> ReadNames:
            return lambda: _names(self.whole(path))

        return Lookups({kind: reader(path) for kind, path in NAMES.items()})


async def _names(records: AsyncIterator[Record]) -> AsyncIterator[tuple[str, str | int]]:
    async for record in records:
        yield named(record, escaped=True)


def made_id(reply: Reply) -> str:
    """The id of what a creation made. Raises ``OutcomeUnknown`` where the answer does not say (Invariant 5)."""
    found = value_at(reply.record, "payload.id")
    if not isinstance(found, int):
        raise OutcomeUnknown("the answer to a creation names no id")
    return str(found)

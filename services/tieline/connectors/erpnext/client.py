"""ERPNext's API, typed: documents of a kind by filters, writes, calls of its methods, and what its answers mean.

It is version 1 of Frappe's REST API, which all its versions have. Lists of version 2 take no ``parent``, without which
rows of child tables are refused.
"""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from tieline.connectors.erpnext.settings import Settings
from tieline.connectors.kit.client import Api, Reply, Request, path_of, perform, unusable
from tieline.connectors.kit.paging import Listed, Paging, by_key, read_page, read_whole, records_at
from tieline.connectors.kit.paths import Record, value_at
from tieline.connectors.kit.strict_json import JsonError, dump_json, parse_json
from tieline.connectors.kit.upsert import only_one
from tieline.connectors.kit.verdicts import ErrorTable, Means, Rule, Words
from tieline.kernel.errors import Rejected

Filter = tuple[str, str, object]
"""Field, operator, value: ``("modified", ">=", "2026-01-31 12:00:00.000000")``."""
LIST, DOCUMENT, METHOD = "/api/resource/{doctype}", "/api/resource/{doctype}/{name}", "/api/method/{path}"
SCRAP = "erpnext.assets.doctype.asset.depreciation.scrap_asset"
DRAFT, SUBMITTED, CANCELLED = 0, 1, 2
DUPLICATE = r"^(DuplicateEntryError|UniqueValidationError)$"
_MAX_MESSAGES_BYTES = 1_000_000
_TAG = re.compile(r"<[^>]*>")


def read_words(document: Record) -> Words | None:
    """The words of an error; a success may have messages, too: only an error has a type."""
    code = document.get("exc_type")
    if not isinstance(code, str):
        return None
    said = _message(document.get("_server_messages")) or str(document.get("exception") or "").partition(": ")[2]
    return Words(code=code, message=html.unescape(_TAG.sub("", said)).strip())


def _message(said: object) -> str:
    """The first of ``_server_messages``: JSON in JSON in JSON."""
    try:
        outer = parse_json(str(said or "[]").encode(), max_bytes=_MAX_MESSAGES_BYTES)
        inner = outer[0] if isinstance(outer, list) and outer else None
        document = parse_json(str(inner or "{}").encode(), max_bytes=_MAX_MESSAGES_BYTES)
    except JsonError:
        return ""
    return str(document.get("message") or "") if isinstance(document, Mapping) else ""


ERRORS = ErrorTable(
    read_words,
    (
        # It was saved by somebody else since it was read; a lock or a deadlock, which undoes all of the request.
        Rule(Means.CHANGED, code="^(TimestampMismatchError|DocumentLockedError|Query(Timeout|Deadlock)Error)$"),
        Rule(Means.CHANGED, statuses=(404,), code="^DoesNotExistError$"),
        Rule(Means.UNAVAILABLE, code="^(SessionStopped|InReadOnlyMode)$"),
        Rule(Means.UNAVAILABLE, statuses=(503,)),
        Rule(Means.REJECTED, code=DUPLICATE, remedy="look for its duplicate there"),
        Rule(Means.STOP, statuses=(404,), code="^$", remedy="Is the endpoint that of the site?"),
    ),
)


@dataclass(frozen=True, slots=True)
class Client:
    """One site. Every method raises as ``perform`` does."""

    api: Api
    settings: Settings

    async def page(self, doctype: str, filters: Sequence[Filter], token: str | None, **more: str) -> Listed:
        """One page of documents with all columns, in the order of their names.

        The next page is what has a greater name, so that nothing shifts. Names sort by the site's collation, which is
        the one that compares them.
        """
        query = {"fields": '["*"]', "filters": _filters(filters), "order_by": "name asc", **more}
        request = Request("GET", path_of(LIST, doctype=doctype), query)
        return await read_page(self.api, request, _pages(filters), token, self.settings.page_size)

    def whole(self, doctype: str, filters: Sequence[Filter] = (), **more: str) -> AsyncIterator[Record]:
        """Every document that the filters let through."""
        return read_whole(lambda token: self.page(doctype, filters, token, **more), name_of)

    async def some(self, doctype: str, filters: Sequence[Filter], **more: str) -> list[Record]:
        """The same as a list, in one request: they are few."""
        query = {"fields": '["*"]', "filters": _filters(filters), "limit_page_length": "0", **more}
        reply = await perform(self.api, Request("GET", path_of(LIST, doctype=doctype), query))
        return list(records_at(reply, "data"))

    async def rows(self, child: str, parent: str, names: Sequence[str]) -> list[Record]:
        """Rows of a child table of these documents; by itself a list has no rows."""
        found = await self.some(child, [("parent", "in", names)], parent=parent)
        return sorted(found, key=lambda row: int(str(row.get("idx") or 0)))

    async def one(self, doctype: str, name: str) -> Record | None:
        """One document, as a list shows it."""
        return only_one(await self.some(doctype, [("name", "=", name)]), "name", name, what="name")

    async def by_reference(self, doctype: str, reference: str) -> Record | None:
        """The document with the hub's reference; a cancelled one counts no longer."""
        field = self.settings.reference_field
        found = await self.some(doctype, [(field, "=", reference), ("docstatus", "!=", CANCELLED)])
        return only_one(found, field, reference, what="reference")

    async def create(self, doctype: str, body: Mapping[str, object]) -> Record | None:
        """The document that was made; None where one of its unique fields is taken."""
        passed = (409, 417)  # 417 is every validation's; which one it was, its type tells
        reply = await perform(self.api, Request("POST", path_of(LIST, doctype=doctype), body=body, passed=passed))
        if reply.words is not None:
            if re.search(DUPLICATE, reply.words.code):
                return None
            raise _refused(reply.words)
        return _document(reply)

    async def change(self, doctype: str, record: Record, body: Mapping[str, object]) -> None:
        """Save it with these fields, unless somebody saved it since it was read."""
        path = path_of(DOCUMENT, doctype=doctype, name=name_of(record))
        await perform(self.api, Request("PUT", path, body={**body, "modified": record.get("modified")}))

    async def delete(self, doctype: str, name: str) -> Reply:
        """Delete it; 404 comes back."""
        return await perform(self.api, Request("DELETE", path_of(DOCUMENT, doctype=doctype, name=name), passed=(404,)))

    async def call(self, method: str, body: Mapping[str, object]) -> None:
        """Call one of its whitelisted methods."""
        await perform(self.api, Request("POST", path_of(METHOD, path=method), body=body))


def name_of(record: Record) -> str:
    """The document's name, its immutable id as far as nobody renames it. Raises ``Rejected`` when it has none."""
    name = record.get("name")
    if not isinstance(name, str) or not name:
        raise Rejected("every record needs a name", field="name")
    return name


def _pages(filters: Sequence[Filter]) -> Paging:
    def after(name: str) -> Mapping[str, str]:
        return {"filters": _filters([*filters, ("name", ">", name)])}

    return by_key(rows="data", key=name_of, after=after, limit="limit_page_length")


def _filters(filters: Sequence[Filter]) -> str:
    return dump_json([list(one) for one in filters]).decode()


def _document(reply: Reply) -> Record:
    document = value_at(reply.record, "data")
    if not isinstance(document, Mapping):
        raise unusable("it has no document", writes=True)
    return document


def _refused(words: Words) -> Rejected:
    return Rejected(words.message or words.code, remedy="correct it at its source, or the settings of this system")

"""NetBox's API, typed: what is asked of it, and what its answers mean."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from tieline.connectors.kit.authentication import Authentication, bearer, header
from tieline.connectors.kit.client import Api, Reply, Request, path_of, perform, unusable
from tieline.connectors.kit.lookups import Lookups
from tieline.connectors.kit.paging import Ask, Listed, Paging, read_page, read_whole, records_at
from tieline.connectors.kit.paths import Record, value_at
from tieline.connectors.kit.upsert import only_one
from tieline.connectors.kit.verdicts import ErrorTable, Means, Rule, Words
from tieline.connectors.netbox.mapping import ETAG, place_of, record_id
from tieline.connectors.netbox.settings import Settings
from tieline.kernel.errors import Retryable, Stop

DEVICES, SITES, LOCATIONS = "/api/dcim/devices/", "/api/dcim/sites/", "/api/dcim/locations/"
TENANTS = "/api/tenancy/tenants/"
CHANGE_LOGS: Mapping[str, str] = {"core": "/api/core/object-changes/", "extras": "/api/extras/object-changes/"}
# Rendered configurations make a page of devices slow. Each version knows one of the two, and passes over the other.
LEAN = {"exclude": "config_context", "omit": "config_context"}
ABSENT = 404


def read_words(document: Record) -> Words | None:
    """The words of an error document: ``detail``, ``error``, or texts by field; always under their own status."""
    if not document or {"id", "results"} & set(document):
        return None
    said = document.get("detail") or document.get("error")
    if isinstance(said, str):
        return Words(message=said)
    field, messages = next(iter(document.items()))
    message = messages[0] if isinstance(messages, list) and messages else messages
    general = field in ("__all__", "non_field_errors")
    return Words(message=f"{message}" if general else f"{field}: {message}", field=None if general else field)


ERRORS = ErrorTable(
    read_words,
    (
        # Somebody deleted it between our look and our write: looked for again.
        Rule(Means.CHANGED, statuses=(ABSENT,), message="matches the given query|^not found"),
    ),
)


def authentication_of(token: str) -> Authentication:
    """The header of a token of either version (v2 from 4.5 on)."""
    return bearer(token) if token.startswith("nbt_") else header("Authorization", f"Token {token}")


# ---- pages: a condition on what came last instead of an offset, so that nothing shifts; in every version ----------


def _by_id() -> Paging:
    """In the order of the id."""

    def ask(token: str | None, size: int) -> Ask:
        return Ask({"ordering": "id", "limit": str(size), **({"id__gt": token} if token else {})})

    def read(reply: Reply, _token: str | None, _size: int) -> Listed:
        records = records_at(reply, "results")
        return Listed(records, record_id(records[-1]) if _continues(reply, records) else None)

    return Paging(ask, read)


BY_ID = _by_id()


def by_time(since: dt.datetime) -> Paging:
    """What was changed since, oldest first. A record that is changed meanwhile comes again at the end.

    Each page begins at the last time of the one before. Where all of a page has one time, those of that time are read
    in the order of the id, and then what is later: tokens ``gte|time``, ``at|time|id`` and ``gt|time``.
    """

    def ask(token: str | None, size: int) -> Ask:
        how, time, after = _split(token or f"gte|{since.isoformat()}")
        if how == "at":
            return Ask({"last_updated": time, "id__gt": after, "ordering": "id", "limit": str(size)})
        return Ask({f"last_updated__{how}": time, "ordering": "last_updated,id", "limit": str(size)})

    def read(reply: Reply, token: str | None, _size: int) -> Listed:
        records = records_at(reply, "results")
        how, time, _ = _split(token or "gte|")
        if not _continues(reply, records):
            return Listed(records, f"gt|{time}" if how == "at" else None)
        first, last = (str(record.get("last_updated")) for record in (records[0], records[-1]))
        if first == last:
            return Listed(records, f"at|{last}|{record_id(records[-1])}")
        return Listed(records, f"gte|{last}")

    return Paging(ask, read)


def _split(token: str) -> tuple[str, str, str]:
    how, _, rest = token.partition("|")
    time, _, after = rest.partition("|")
    return how, time, after


def _continues(reply: Reply, records: object) -> bool:
    """Whether there is a next page. An answer that does not say proves nothing (Invariant 12)."""
    if "next" not in reply.record or (reply.record["next"] and not records):
        raise Retryable("the answer does not say whether the list goes on")
    return bool(reply.record["next"])


# ---- what is asked -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Client:
    """One NetBox. Every method raises as ``perform`` does."""

    api: Api
    settings: Settings

    async def page(self, path: str, query: Mapping[str, str], paging: Paging, token: str | None) -> Listed:
        """One page of a list."""
        return await read_page(self.api, Request("GET", path, query), paging, token, self.settings.page_size)

    def whole(self, path: str, query: Mapping[str, str]) -> AsyncIterator[Record]:
        """A list, read whole."""
        return read_whole(lambda token: self.page(path, query, BY_ID, token), record_id)

    async def get(self, path: str, native_id: str) -> Record | None:
        """One record, with its ETag where the version has them; None for one that is not there."""
        reply = await perform(self.api, Request("GET", _item(path, native_id), LEAN, passed=(ABSENT,)))
        if _is_absent(reply):
            return None
        record_id(reply.record)
        return _with_etag(reply)

    async def by_reference(self, reference: str) -> Record | None:
        """The device with the hub's reference; without its ETag."""
        name = self.settings.reference_field
        found: list[Record] = []
        async for record in self.whole(DEVICES, {f"cf_{name}": reference, **LEAN}):
            # The filter finds parts of a text, too. One that is switched off in the custom field finds everything.
            if reference.casefold() not in str(value_at(record, f"custom_fields.{name}") or "").casefold():
                raise Stop(f"NetBox does not filter by {name}; set filter logic of that custom field to exact")
            found.append(record)
        return only_one(found, f"custom_fields.{name}", reference, what="reference")

    async def create(self, body: Mapping[str, object]) -> Record | Words:
        """The device that was made, or why it was not."""
        reply = await perform(self.api, Request("POST", DEVICES, body=body, passed=(400,)))
        if reply.status == 400:  # noqa: PLR2004  - the body is at fault
            return reply.words or Words(message="the creation is refused")
        return _written(reply)

    async def change(self, held: Record, body: Mapping[str, object]) -> Record:
        """The device as it is held after; ``Retryable`` where somebody changed it since it was read (412)."""
        etag = held.get(ETAG)
        headers = {"If-Match": str(etag)} if etag else {}
        reply = await perform(self.api, Request("PATCH", _item(DEVICES, record_id(held)), body=body, headers=headers))
        return _written(reply)

    async def delete(self, native_id: str) -> bool:
        """Take a device away; whether it was there."""
        reply = await perform(self.api, Request("DELETE", _item(DEVICES, native_id), passed=(ABSENT,)))
        return not _is_absent(reply)

    def lookups(self) -> Lookups:
        """The names of what devices refer to: places by their code, tenants by their slug."""
        return Lookups({"place": self._places, "tenant": self._tenants})

    async def _places(self) -> AsyncIterator[tuple[str, str | int]]:
        """The id of a site, or those of a location and its site: ``1``, ``1|7``."""
        async for site in self.whole(SITES, {}):
            yield str(site.get("slug")), record_id(site)
        async for one in self.whole(LOCATIONS, {}):
            yield place_of(value_at(one, "site.slug"), one.get("slug")), f"{value_at(one, 'site.id')}|{record_id(one)}"

    async def _tenants(self) -> AsyncIterator[tuple[str, str | int]]:
        async for tenant in self.whole(TENANTS, {}):
            yield str(tenant.get("slug")), int(record_id(tenant))


def _item(path: str, native_id: str) -> str:
    return path_of(path + "{id}/", id=native_id)  # without the slash at its end it redirects


def _is_absent(reply: Reply) -> bool:
    if reply.status == ABSENT and reply.words is None:
        raise Retryable("HTTP 404 from something that is not NetBox: that the record is gone is not proved")
    return reply.status == ABSENT


def _written(reply: Reply) -> Record:
    if not isinstance(reply.document, Mapping) or not isinstance(reply.document.get("id"), int):
        raise unusable("it shows no record", writes=True)
    return _with_etag(reply)


def _with_etag(reply: Reply) -> Record:
    etag = reply.headers.get("etag")
    return {**reply.record, ETAG: etag} if etag else reply.record

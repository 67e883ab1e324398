"""Writes a UNIO24-style system: assets, the read-only finance panel, and removals a person decided.

Every write looks before it acts: a record is found by its id, by our reference in it, or by a natural key; only what
differs is sent; so doing a command again is doing nothing (Invariant 3).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tieline.connectors.kit.kept import lost
from tieline.connectors.kit.paths import put_at, value_at
from tieline.connectors.unio24.client import Client, item_path
from tieline.connectors.unio24.mapping import (
    asset_after,
    asset_report,
    book_after,
    book_id_of,
    book_report,
    identifier,
    native_asset,
    native_book,
    version_of,
    writable_names,
)
from tieline.connectors.unio24.models import Record
from tieline.connectors.unio24.profile import Profile
from tieline.connectors.unio24.record_sink import RecordSink
from tieline.connectors.unio24.records import MappedFamily
from tieline.kernel.code_lists import SHARED, Codes
from tieline.kernel.command_records import Command, PostCost, RemoveRecord, WriteAsset, WriteBook
from tieline.kernel.digests import digest_fields
from tieline.kernel.errors import Rejected, Retryable
from tieline.kernel.family_records import FamilyCommand
from tieline.kernel.protocols import Written

_CONFLICT = 409
_GONE = (404, 410)
# Two are enough to know that a natural key does not tell one record from another.
_CANDIDATES = 50


class Unio24Sink:
    """See ``Sink``. Holds no state but the connection; commands of different keys may run side by side."""

    def __init__(
        self,
        client: Client,
        profile: Profile,
        system: str,
        codes: Codes = SHARED,
        families: Mapping[str, MappedFamily] = MappingProxyType({}),
    ) -> None:
        self._records = RecordSink(client, system, families)
        self._client = client
        self._profile = profile
        self._system = system
        self._codes = codes

    async def write(self, command: Command, native_id: str | None) -> Written:
        """See ``Sink``."""
        match command:
            case WriteAsset():
                return await self._write_asset(command, native_id)
            case WriteBook():
                return await self._write_book(command, native_id)
            case RemoveRecord():
                return await self._remove(command)
            case FamilyCommand():
                return await self._records.write(command, native_id)
            case PostCost():
                raise Rejected("asset management takes no cost postings", remedy="route cost documents to an ERP only")

    async def read_back(self, command: Command, native_id: str | None) -> Written | None:
        """See ``Sink``. What cannot be read or belongs to another asset is no effect of ours; ``write`` says why."""
        try:
            return await self._held(command, native_id)
        except Rejected:
            return None

    async def _held(self, command: Command, native_id: str | None) -> Written | None:
        match command:
            case WriteAsset():
                record = await self._by_id(command, native_id) or await self._by_reference(command.asset_id)
                if record is None or self._changes(command, record):
                    return None
                return self._asset_written(record, effect=True)
            case WriteBook():
                asset_id = await self._asset_id(command, native_id)
                return None if asset_id is None else await self._equal_panel(asset_id, command)
            case RemoveRecord():
                gone = await self._client.get(self._profile.assets, id=command.native_id) is None
                return Written(native_id=command.native_id) if gone else None
            case FamilyCommand():
                return await self._records.read_back(command, native_id)
            case PostCost():
                return None

    async def _write_asset(self, command: WriteAsset, native_id: str | None) -> Written:
        record = await self._by_id(command, native_id) or await self._match(command)
        if record is None:
            # Our reference need not be looked up first: the creation itself is conditional on it.
            created = await self._create(command)
            if isinstance(created, Written):
                return created
            record = created
        changes = self._changes(command, record)
        if not changes:
            return self._asset_written(record, effect=False)
        path = item_path(self._profile.assets, {"id": identifier(record, self._profile.assets.id)})
        version = version_of(self._profile.assets, record)
        answer = await self._client.send("PATCH", path, body=changes, version=version, passed=(_CONFLICT, *_GONE))
        if answer.status == _CONFLICT or answer.status in _GONE:
            raise Retryable(f"HTTP {answer.status}: the record changed hands in between; look for it again")
        return self._kept(command, _record(answer.document), changes)

    async def _create(self, command: WriteAsset) -> Written | Record:
        """The new record as written; or the record that already carries our reference, to be brought up to date."""
        resource = self._profile.assets
        body = native_asset(self._profile, self._codes.native_fields(command.fields, command.effective_date))
        for path, value in resource.on_create.items():
            if value_at(body, path) is None:
                put_at(body, path, value)
        put_at(body, resource.reference, command.asset_id)
        answer = await self._client.send("POST", resource.list_path, body=body, passed=(_CONFLICT,))
        if answer.status != _CONFLICT:
            return self._kept(command, _record(answer.document), body)
        record = await self._by_reference(command.asset_id)
        existing = value_at(_record(answer.document), self._profile.errors.existing_id)
        if record is None and isinstance(existing, str | int):
            record = await self._client.get(resource, id=str(existing))
        if record is None or value_at(record, resource.reference) != command.asset_id:
            raise Rejected("the system refuses the new record as a duplicate", remedy="look for its duplicate there")
        return record

    async def _by_id(self, command: WriteAsset, native_id: str | None) -> Record | None:
        """The record under the id the hub knows; None when it knows none, or the record is gone."""
        known = native_id or command.native_id
        record = await self._client.get(self._profile.assets, id=known) if known else None
        reference = None if record is None else value_at(record, self._profile.assets.reference)
        if reference not in (None, "", command.asset_id):
            raise Rejected(
                f"record {known} carries the reference of another asset",
                field=self._profile.assets.reference,
                remedy="correct the reference there, or the link here",
            )
        return record

    async def _by_reference(self, asset_id: str) -> Record | None:
        resource = self._profile.assets
        page = await self._client.list_page(resource, size=2, where={resource.reference_parameter: asset_id})
        # A system that ignores an unknown parameter would hand us strangers.
        found = [record for record in page.records if value_at(record, resource.reference) == asset_id]
        return found[0] if found else None

    def _natural_keys(self, command: WriteAsset) -> list[tuple[str, str, str, str]]:
        """Canonical name, query parameter, their key and value of every natural key that can be searched by."""
        resource = self._profile.assets
        keys = []
        for name in ("po_line_ref", "serial_number"):
            value, parameter, rule = getattr(command.fields, name), resource.search.get(name), resource.fields.get(name)
            if value and value.strip() and parameter is not None and rule is not None and rule.path is not None:
                keys.append((name, parameter, rule.path, value.strip()))
        return keys

    async def _match(self, command: WriteAsset) -> Record | None:
        """A record without reference that is this asset by order line or serial number; adopted, not duplicated.

        If one of ours is there beside it, that one.
        """
        resource = self._profile.assets
        for name, parameter, path, value in self._natural_keys(command):
            page = await self._client.list_page(resource, size=_CANDIDATES, where={parameter: value})
            same = [record for record in page.records if value_at(record, path) == value]
            free = [record for record in same if value_at(record, resource.reference) in (None, "")]
            if not free:
                continue
            ours = await self._by_reference(command.asset_id)
            if ours is None and len(free) > 1:
                raise Rejected(
                    f"{len(free)} records there have the same {name} and no reference",
                    field=name,
                    remedy="write the reference into the right one there, then replay",
                )
            return ours or free[0]
        return None

    def _changes(self, command: WriteAsset, record: Record) -> dict[str, object]:
        """Their keys and values that differ from the command, only fields the hub may write; empty when none does."""
        profile = self._profile
        sent = writable_names(profile) & set(command.writable_fields)
        # Compared in canonical codes: of two codes of theirs that mean the same, neither is changed into the other.
        wanted = asset_after(profile, command.fields, only=sent, codes=self._codes, day=command.effective_date)
        holds = asset_report(profile, self._system, record, self._codes.read_only()).fields
        differing = [
            name
            for name in command.writable_fields
            if name in sent and getattr(wanted, name) is not None and getattr(wanted, name) != getattr(holds, name)
        ]
        coded = self._codes.native_fields(command.fields, command.effective_date, only=differing)
        changes = native_asset(profile, coded, only=differing)
        if value_at(record, profile.assets.reference) != command.asset_id:
            put_at(changes, profile.assets.reference, command.asset_id)
        return changes

    def _kept(self, command: WriteAsset, record: Record, sent: Record) -> Written:
        """What they hold after a write. Raises ``Rejected`` naming the field of which they kept less than was sent."""
        written = self._asset_written(record, effect=True)
        reference = self._profile.assets.reference
        if value_at(record, reference) != command.asset_id:
            # Without it the record would not be found again, and be made a second time (Invariant 3).
            raise Rejected(
                "they did not keep our reference as it was sent",
                field=reference,
                remedy="name a field in the profile that keeps 36 characters, and write the reference into the record",
                held_digest=written.digest,
            )
        holds = asset_report(self._profile, self._system, record, self._codes.read_only()).fields
        sent_names = {
            name
            for name, rule in self._profile.assets.fields.items()
            if rule.path is not None and value_at(sent, rule.path) is not None
        }
        day = command.effective_date
        wanted = asset_after(self._profile, command.fields, only=sent_names, codes=self._codes, day=day)
        for name in sorted(sent_names):
            fault = lost(getattr(wanted, name), getattr(holds, name))
            if fault is not None:
                # Nothing is taken back: what is there is known by its hash, and a person shortens it at its source.
                raise Rejected(
                    f"they kept less of it than was sent: {fault}",
                    field=f"fields.{name}",
                    remedy="declare what they keep (max_length, decimals) in the profile; shorten it at its source",
                    held_digest=written.digest,
                )
        return written

    def _asset_written(self, record: Record, *, effect: bool) -> Written:
        report = asset_report(self._profile, self._system, record, self._codes.read_only())
        return Written(
            native_id=report.origin.native_id,
            number=report.fields.tag,
            source_version=report.origin.source_version,
            digest=digest_fields(report.fields),
            effect=effect,
            recorded_at=report.origin.recorded_at,
        )

    async def _asset_id(self, command: WriteBook, native_id: str | None) -> str | None:
        """The id there of the book's asset: the hub's word, else by our reference."""
        known = native_id or command.native_id
        if known:
            return known.removesuffix(book_id_of("", command.fields.book_id))
        record = await self._by_reference(command.asset_id)
        return None if record is None else identifier(record, self._profile.assets.id)

    async def _equal_panel(self, asset_id: str, command: WriteBook) -> Written | None:
        """Their panel if it shows exactly this book."""
        record = await self._client.get(self._profile.books, asset_id=asset_id, book_id=command.fields.book_id)
        try:
            held = None if record is None else self._panel_written(record, effect=False)
        except Rejected:
            return None  # what cannot be read is not equal, and is replaced whole
        return held if held and held.digest == self._digest_of(command) else None

    def _digest_of(self, command: WriteBook) -> str:
        return digest_fields(book_after(self._profile, command.fields, self._codes))

    async def _write_book(self, command: WriteBook, native_id: str | None) -> Written:
        asset_id = await self._asset_id(command, native_id)
        if asset_id is None:
            raise Retryable("the asset is not there yet; its book waits for it")
        held = await self._equal_panel(asset_id, command)
        if held is not None:
            return held
        path = item_path(self._profile.books, {"asset_id": asset_id, "book_id": command.fields.book_id})
        coded = self._codes.native_fields(command.fields, command.fields.as_of)
        answer = await self._client.send("PUT", path, body=native_book(self._profile, coded), passed=_GONE)
        if answer.status in _GONE:
            raise Retryable(f"asset {asset_id} is not there; its book waits for it")
        record = _record(answer.document)
        written = self._panel_written(record, effect=True)
        holds = book_report(self._profile, self._system, record, self._codes.read_only()).fields
        fault = lost(book_after(self._profile, command.fields, self._codes), holds)
        if fault is not None:
            raise Rejected(
                f"they kept less of the book than was sent: {fault}",
                field="fields",
                remedy="declare what they keep (max_length, decimals) in the profile",
                held_digest=written.digest,
            )
        return written

    def _panel_written(self, record: Record, *, effect: bool) -> Written:
        report = book_report(self._profile, self._system, record, self._codes.read_only())
        return Written(
            native_id=report.origin.native_id,
            source_version=report.origin.source_version,
            digest=digest_fields(report.fields),
            effect=effect,
        )

    async def _remove(self, command: RemoveRecord) -> Written:
        if command.entity != "asset":
            raise Rejected(f"a {command.entity} cannot be removed there", field="entity")
        path = item_path(self._profile.assets, {"id": command.native_id})
        answer = await self._client.send("DELETE", path, passed=_GONE)
        return Written(native_id=command.native_id, effect=answer.status not in _GONE)


def _record(document: object) -> Record:
    if not isinstance(document, dict):
        raise Rejected("the system answered a write without the record", remedy="the profile needs an API that does")
    return document

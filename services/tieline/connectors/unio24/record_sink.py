"""Writes records of declared families: found by id or by our reference, changed where they differ, else created."""

from __future__ import annotations

from collections.abc import Mapping

from tieline.connectors.kit.kept import lost
from tieline.connectors.kit.paths import put_at, value_at
from tieline.connectors.unio24.client import Client, item_path
from tieline.connectors.unio24.mapping import identifier, version_of
from tieline.connectors.unio24.models import Record
from tieline.connectors.unio24.records import (
    MappedFamily,
    native_record,
    read_record,
    record_after,
    record_report,
    written_names,
)
from tieline.kernel.digests import digest_fields
from tieline.kernel.errors import Rejected, Retryable
from tieline.kernel.family_records import FamilyCommand
from tieline.kernel.protocols import Written
from tieline.kernel.vocabulary import Model

_CONFLICT = 409
_GONE = (404, 410)
_CANDIDATES = 50


class RecordSink:
    """The part of a ``Sink`` that takes ``FamilyCommand``. Doing a command again is doing nothing (Invariant 3)."""

    def __init__(self, client: Client, system: str, families: Mapping[str, MappedFamily]) -> None:
        self._client = client
        self._system = system
        self._families = families

    async def write(self, command: FamilyCommand, native_id: str | None) -> Written:
        """See ``Sink``."""
        mapped = self._mapped(command)
        record = await self._find(mapped, command, native_id)
        if record is None:
            body = self._new(mapped, command)
            answer = await self._client.send("POST", mapped.resource.list_path, body=body, passed=(_CONFLICT,))
            if answer.status != _CONFLICT:
                return self._kept(mapped, command, _record(answer.document), written_names(mapped))
            record = await self._by_reference(mapped, command.record_id)
            if record is None:
                raise Retryable("HTTP 409: they have a record with our reference, and do not find it; look again")
        names = self._differing(mapped, command, record)
        changes = native_record(mapped, command.fields, names)
        reference = mapped.resource.reference
        if reference is not None and value_at(record, reference) != command.record_id:
            put_at(changes, reference, command.record_id)
        if not changes:
            return self._written(mapped, record, effect=False)
        path = item_path(mapped.resource, {"id": identifier(record, mapped.resource.id)})
        version = version_of(mapped.resource, record)
        answer = await self._client.send("PATCH", path, body=changes, version=version, passed=(_CONFLICT, *_GONE))
        if answer.status == _CONFLICT or answer.status in _GONE:
            raise Retryable(f"HTTP {answer.status}: the record changed hands in between; look for it again")
        return self._kept(mapped, command, _record(answer.document), names)

    async def read_back(self, command: FamilyCommand, native_id: str | None) -> Written | None:
        """See ``Sink``."""
        mapped = self._mapped(command)
        record = await self._find(mapped, command, native_id)
        if record is None or self._differing(mapped, command, record):
            return None
        return self._written(mapped, record, effect=True)

    def _mapped(self, command: FamilyCommand) -> MappedFamily:
        name = command.family.name
        mapped = self._families.get(name)
        if mapped is None:
            raise Rejected(
                f"no file says how {self._system} keeps a {name}",
                field="entity",
                remedy=f"name one under settings.records.{name} of the system in the landscape, then replay",
            )
        if mapped.resource.reference is None:
            raise Rejected(
                f"the file for a {name} names no reference, so that its records can only be read",
                remedy="add reference and reference_parameter to it, then replay",
            )
        return mapped

    async def _find(self, mapped: MappedFamily, command: FamilyCommand, native_id: str | None) -> Record | None:
        if native_id is not None:
            record = await self._client.get(mapped.resource, id=native_id)
            if record is not None:
                return self._ours(mapped, command, record)
        return await self._by_reference(mapped, command.record_id)

    @staticmethod
    def _ours(mapped: MappedFamily, command: FamilyCommand, record: Record) -> Record:
        carried = value_at(record, mapped.resource.reference or "")
        if carried not in (None, "", command.record_id):
            raise Rejected(
                f"record {identifier(record, mapped.resource.id)} there carries the reference {carried}",
                field="native_id",
                remedy="find out who changed the reference there, and set it right",
            )
        return record

    async def _by_reference(self, mapped: MappedFamily, record_id: str) -> Record | None:
        resource = mapped.resource
        if resource.reference is None or resource.reference_parameter is None:
            return None
        where = {resource.reference_parameter: record_id}
        page = await self._client.list_page(resource, size=_CANDIDATES, where=where)
        same = [record for record in page.records if value_at(record, resource.reference) == record_id]
        if len(same) > 1:
            raise Rejected(
                f"{len(same)} records there carry the reference {record_id}", remedy="clear it in all but the right one"
            )
        return same[0] if same else None

    def _new(self, mapped: MappedFamily, command: FamilyCommand) -> dict[str, object]:
        body = native_record(mapped, command.fields)
        for path, value in mapped.resource.on_create.items():
            if value_at(body, path) is None:
                put_at(body, path, value)
        put_at(body, mapped.resource.reference or "", command.record_id)
        return body

    @staticmethod
    def _differing(mapped: MappedFamily, command: FamilyCommand, record: Record) -> frozenset[str]:
        """Fields the file writes and the command knows, in which their record differs from it."""
        try:
            held: Model | None = read_record(mapped, record)
        except Rejected:
            held = None  # what cannot be read is not equal, and is written whole
        # Compared as they keep it: what they write in upper case is not changed again for its case.
        wanted = record_after(mapped, command.fields)
        return frozenset(
            name
            for name in written_names(mapped)
            if getattr(wanted, name) is not None and (held is None or getattr(held, name) != getattr(wanted, name))
        )

    def _kept(self, mapped: MappedFamily, command: FamilyCommand, record: Record, names: frozenset[str]) -> Written:
        """What they hold after a write. Raises ``Rejected`` naming the field of which they kept less than was sent."""
        written = self._written(mapped, record, effect=True)
        holds, wanted = read_record(mapped, record), record_after(mapped, command.fields)
        for name in sorted(names):
            fault = _lost(getattr(wanted, name), getattr(holds, name))
            if fault is not None:
                raise Rejected(
                    f"they kept less of it than was sent: {fault}",
                    field=f"fields.{name}",
                    remedy="declare what they keep (max_length, decimals) in the file; shorten it at its source",
                    held_digest=written.digest,
                )
        return written

    def _written(self, mapped: MappedFamily, record: Record, *, effect: bool) -> Written:
        report = record_report(mapped, self._system, record)
        return Written(
            native_id=report.origin.native_id,
            source_version=report.origin.source_version,
            digest=digest_fields(report.fields),
            effect=effect,
        )


def _lost(wanted: object, held: object) -> str | None:
    """What they lost of a value, in words; of a list, of its first entry that is not whole."""
    if not isinstance(wanted, tuple) or not isinstance(held, tuple):
        return lost(wanted, held)
    if len(wanted) != len(held):
        return f"{len(held)} of {len(wanted)} entries"
    for place, (sent, kept) in enumerate(zip(wanted, held, strict=True)):
        for name in type(sent).model_fields:
            fault = lost(getattr(sent, name), getattr(kept, name))
            if fault is not None:
                return f"entry {place}, {name}: {fault}"
    return None


def _record(document: object) -> Record:
    if not isinstance(document, dict):
        raise Rejected("the system answered a write without the record", remedy="the file needs an API that does")
    return document

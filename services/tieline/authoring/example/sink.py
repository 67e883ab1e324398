"""Writes the system. Every write looks before it acts, so doing a command again is doing nothing (Invariant 3)."""

from __future__ import annotations

from tieline.authoring.example.client import ASSETS, Client, Record
from tieline.authoring.example.mapping import REFERENCE, asset_report, native_asset
from tieline.kernel.asset_records import AssetFields
from tieline.kernel.command_records import Command, RemoveRecord, WriteAsset
from tieline.kernel.digests import digest_fields
from tieline.kernel.errors import Rejected, Retryable
from tieline.kernel.protocols import Written

_NOT_FOUND, _CONFLICT, _CHANGED = 404, 409, 412


class Sink:
    """See ``Sink`` in kernel/protocols.py. Holds no state but the connection."""

    def __init__(self, client: Client, system: str) -> None:
        self._client, self._system = client, system

    async def write(self, command: Command, native_id: str | None) -> Written:
        """See ``Sink``."""
        match command:
            case WriteAsset():
                return await self._write_asset(command, native_id)
            case RemoveRecord(entity="asset"):
                reply = await self._client.send("DELETE", f"{ASSETS}/{command.native_id}", passed=(_NOT_FOUND,))
                return Written(native_id=command.native_id, effect=reply.status != _NOT_FOUND)
            case _:
                raise Rejected("is not written there", remedy="let no flow of the landscape lead there")

    async def read_back(self, command: Command, native_id: str | None) -> Written | None:
        """See ``Sink``."""
        match command:
            case WriteAsset():
                record = await self._find(command, native_id)
                return None if record is None or self._changes(command, record) else self._written(record)
            case RemoveRecord(entity="asset"):
                gone = await self._client.get_asset(command.native_id) is None
                return Written(native_id=command.native_id) if gone else None
            case _:
                return None

    async def _write_asset(self, command: WriteAsset, native_id: str | None) -> Written:
        record = await self._find(command, native_id)
        if record is None:
            body = {**native_asset(command.fields, AssetFields.model_fields), REFERENCE: command.asset_id}
            reply = await self._client.send("POST", ASSETS, body=body, passed=(_CONFLICT,))
            if reply.status == _CONFLICT:  # ours after all, or a duplicate that a person must look at
                raise Retryable("the record is there already; look for it again")
            return self._written(reply.record)
        changes = self._changes(command, record)
        if not changes:
            return self._written(record, effect=False)
        path = f"{ASSETS}/{record['id']}"
        reply = await self._client.send(
            "PATCH", path, body=changes, version=str(record["version"]), passed=(_NOT_FOUND, _CONFLICT, _CHANGED)
        )
        if reply.status in (_NOT_FOUND, _CONFLICT, _CHANGED):
            raise Retryable(f"HTTP {reply.status}: the record changed in between; look for it again")
        return self._written(reply.record)

    async def _find(self, command: WriteAsset, native_id: str | None) -> Record | None:
        """The record by the id that the hub knows, or by our reference in it."""
        known = native_id or command.native_id
        record = await self._client.get_asset(known) if known else None
        if record is not None:
            return record
        page = await self._client.list_assets(**{REFERENCE: command.asset_id})
        # A system that ignores an unknown parameter would hand us strangers.
        found = [record for record in page.records if record.get(REFERENCE) == command.asset_id]
        return found[0] if found else None

    def _changes(self, command: WriteAsset, record: Record) -> dict[str, object]:
        """Their keys and values that differ from the command, of the fields that the hub may write."""
        held = asset_report(self._system, record).fields
        wanted = command.fields
        differing = [
            name
            for name in command.writable_fields
            if getattr(wanted, name) is not None and getattr(wanted, name) != getattr(held, name)
        ]
        reference = {} if record.get(REFERENCE) == command.asset_id else {REFERENCE: command.asset_id}
        return {**native_asset(wanted, differing), **reference}

    def _written(self, record: Record, *, effect: bool = True) -> Written:
        report = asset_report(self._system, record)
        return Written(
            native_id=report.origin.native_id,
            source_version=report.origin.source_version,
            digest=digest_fields(report.fields),
            effect=effect,
            recorded_at=report.origin.recorded_at,
        )

"""Writes canonical commands into NetBox."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from tieline.connectors.kit.fieldmap import check_kept, comparable, differing, writable, write_fields
from tieline.connectors.kit.lookups import Lookups
from tieline.connectors.kit.paths import Record, value_at
from tieline.connectors.kit.upsert import Held, by_creation, by_search, check_reference, first_of, native_key
from tieline.connectors.kit.verdicts import Words
from tieline.connectors.netbox.client import DEVICES, Client
from tieline.connectors.netbox.mapping import PLACE, asset_map, asset_report, book_map, record_id
from tieline.connectors.netbox.settings import DeviceKind
from tieline.kernel.asset_records import AssetFields, AssetReport
from tieline.kernel.code_lists import SHARED, Codes
from tieline.kernel.command_records import Command, RemoveRecord, WriteAsset, WriteBook
from tieline.kernel.digests import digest_fields
from tieline.kernel.errors import OutcomeUnknown, Rejected
from tieline.kernel.protocols import Written

_REFERENCES: Mapping[str, str] = {"location": "place", "company": "tenant"}
_RACK: Mapping[str, object] = {"rack": None, "position": None, "face": ""}


class NetBoxSink:
    """See ``Sink``. Holds nothing but names; commands of different keys may run side by side."""

    def __init__(self, client: Client, system: str, codes: Codes = SHARED) -> None:
        self._client, self._system, self._codes = client, system, codes
        self._settings = client.settings
        self._rules = asset_map(client.settings).rules
        self._names: Lookups = client.lookups()

    async def write(self, command: Command, native_id: str | None) -> Written:
        """See ``Sink``."""
        match command:
            case WriteAsset():
                return await self._write_asset(command, native_id)
            case WriteBook() if self._settings.book_fields:
                return await self._write_book(command, native_id)
            case RemoveRecord(entity="asset"):
                effect = await self._client.delete(command.native_id)
                return Written(native_id=command.native_id, effect=effect)
            case _:
                raise Rejected(
                    f"NetBox takes no {type(command).__name__}", remedy="let no flow of the landscape lead there"
                )

    async def read_back(self, command: Command, native_id: str | None) -> Written | None:
        """See ``Sink``. What cannot be read is no effect of ours; ``write`` says why."""
        try:
            match command:
                case WriteAsset():
                    record = await self._find(command, native_id)
                    done = record is not None and not self._changes(command, record)
                    return self._written(record, effect=True) if record is not None and done else None
                case WriteBook():
                    record = await self._asset_of(command, native_id)
                    done = record is not None and not self._book_changes(command, record)
                    return _shown(command, record, effect=True) if record is not None and done else None
                case RemoveRecord():
                    gone = await self._client.get(DEVICES, command.native_id) is None
                    return Written(native_id=command.native_id) if gone else None
                case _:
                    return None
        except Rejected:
            return None

    # ---- assets

    async def _write_asset(self, command: WriteAsset, native_id: str | None) -> Written:
        # With a unique field a second creation is refused, so none needs to be looked for (Invariant 3).
        strategy = by_search
        if self._settings.reference_is_unique:
            strategy = partial(by_creation, known=bool(native_id or command.native_id))
        held: Held = await strategy(
            partial(self._find, command, native_id),
            partial(self._create, command),
            partial(self._changes, command),
            partial(self._change, command),
        )
        written = self._written(held.record, effect=held.effect)
        if held.effect:
            self._check(command, held, written)
        return written

    async def _find(self, command: WriteAsset, known: str | None) -> Record | None:
        """The device by the id that the hub knows, else by our reference; with its ETag."""
        known = known or command.native_id

        async def by_id() -> Record | None:
            record = await self._client.get(DEVICES, known) if known else None
            if record is not None and self._reference(record) not in (None, command.asset_id):
                check_reference(self._reference(record), command.asset_id, field=self._settings.reference_field)
            return record

        return await first_of(by_id, partial(self._by_reference, command.asset_id))

    async def _by_reference(self, reference: str) -> Record | None:
        listed = await self._client.by_reference(reference)
        return None if listed is None else await self._client.get(DEVICES, record_id(listed))

    async def _create(self, command: WriteAsset) -> Record | None:
        """Make it, and give it as it is held; None where it is there already."""
        body = await self._body(command, command.fields, writable(self._rules))
        kind = self._kind(command.fields)
        body |= {"device_type": kind.device_type, "role": kind.role}
        if "status" not in body:
            # Without one NetBox would say that it is active.
            raise Rejected("a new device needs a status", field="fields.physical_status", remedy="say it at its source")
        if "site" not in body:
            body |= await self._default_place()
        made = await self._client.create(body)
        if not isinstance(made, Words):
            return made
        # Whatever it names as taken, ours may be what took it.
        if await self._client.by_reference(command.asset_id) is not None:
            return None
        raise Rejected(made.message or "the creation is refused", field=made.field)

    async def _change(self, command: WriteAsset, held: Record, due: Mapping[str, object]) -> Record:
        """Send what differs. What goes to another place leaves its rack: no rack is at two places."""
        body = await self._body(command, command.fields, set(due) & writable(self._rules))
        if "site" in body and held.get("rack") is not None:
            body |= _RACK
        return await self._client.change(held, body)

    def _changes(self, command: WriteAsset, record: Record) -> Mapping[str, object]:
        """Fields that differ, compared in canonical codes, and our reference where it is not there."""
        holds = self._report(record).fields
        names = writable(self._rules) & comparable(self._rules) & set(command.writable_fields)
        due: dict[str, object] = dict.fromkeys(differing(command.fields, holds, names), True)
        if self._reference(record) != command.asset_id:
            due[self._settings.reference_field] = True
        return due

    def _check(self, command: WriteAsset, held: Held, written: Written) -> None:
        """Raises ``Rejected`` where they did not keep our reference, or less of a field than was sent (T27)."""
        reference, column = self._reference(held.record), self._settings.reference_field
        check_reference(reference, command.asset_id, field=column, held_digest=written.digest)
        sent = comparable(self._rules) if held.created else comparable(self._rules) & set(command.writable_fields)
        check_kept(command.fields, self._report(held.record).fields, sent, held_digest=written.digest)

    async def _body(
        self, command: WriteAsset, fields: AssetFields, only: frozenset[str] | set[str]
    ) -> dict[str, object]:
        """The body of a write, with our reference: custom fields that it does not name stay as they are."""
        native = self._codes.native_fields(fields, command.effective_date, only=only)
        for name, kind in _REFERENCES.items():
            if name in only and getattr(native, name) is not None:
                await self._names.load(kind, str(getattr(native, name)))
        body = write_fields(self._rules, native, only=only, names=self._names)
        custom = body.get("custom_fields")
        held = custom if isinstance(custom, Mapping) else {}
        body["custom_fields"] = {**held, self._settings.reference_field: command.asset_id}
        return body | _place_ids(body.pop(PLACE, None))

    async def _default_place(self) -> Mapping[str, object]:
        place = self._settings.default_place
        if place is None:
            raise Rejected(
                "a new device needs a site",
                field="fields.location",
                remedy="say its place at its source, or set default_place in the landscape",
            )
        await self._names.load("place", place)
        found = self._names.id_of("place", place)
        if found is None:
            raise Rejected(f"they have no place {place[:60]!r}", field="default_place", remedy="make it there")
        return _place_ids(found)

    def _kind(self, fields: AssetFields) -> DeviceKind:
        kind = self._settings.kinds.get(fields.asset_class or "", self._settings.default_kind)
        if kind is None:
            raise Rejected(
                f"no device type and role are declared for asset class {fields.asset_class or 'none'}",
                field="fields.asset_class",
                remedy="add it to kinds, or set default_kind, in the landscape",
            )
        return kind

    def _reference(self, record: Record) -> str | None:
        found = value_at(record, f"custom_fields.{self._settings.reference_field}")
        return str(found).strip() or None if found is not None else None

    def _report(self, record: Record) -> AssetReport:
        return asset_report(self._settings, self._system, record, self._codes.read_only())

    def _written(self, record: Record, *, effect: bool) -> Written:
        report = self._report(record)
        return Written(
            native_id=report.origin.native_id,
            number=report.fields.tag,
            source_version=report.origin.source_version,
            digest=digest_fields(report.fields),
            effect=effect,
            recorded_at=report.origin.recorded_at,
        )

    # ---- books

    async def _asset_of(self, command: WriteBook, known: str | None) -> Record | None:
        asset_id = (known or command.native_id or "").partition("|")[0]
        if asset_id:
            return await self._client.get(DEVICES, asset_id)
        return await self._by_reference(command.asset_id)

    async def _write_book(self, command: WriteBook, known: str | None) -> Written:
        if self._settings.book and command.fields.book_id != self._settings.book:
            raise Rejected(
                f"only book {self._settings.book} is shown there", field="fields.book_id", remedy="route that book only"
            )

        async def change(held: Record, due: Mapping[str, object]) -> Record:
            return await self._client.change(held, {"custom_fields": due})

        held = await native_key(
            partial(self._asset_of, command, known),
            partial(self._book_changes, command),
            change,
            absent="the asset is not there yet; its book waits for it",
        )
        if held.effect and self._book_changes(command, held.record):
            raise OutcomeUnknown("the book was written and is not shown as it was sent")
        return _shown(command, held.record, effect=held.effect)

    def _book_changes(self, command: WriteBook, record: Record) -> Mapping[str, object]:
        wanted = write_fields(book_map(self._settings).rules, command.fields)["custom_fields"]
        held = record.get("custom_fields")
        shown = held if isinstance(held, Mapping) else {}
        pairs = wanted.items() if isinstance(wanted, Mapping) else ()
        return {str(name): value for name, value in pairs if shown.get(name) != value}


def _place_ids(found: object) -> dict[str, object]:
    """Site and location of ``1``, or ``1|7``; nothing of None."""
    if found is None:
        return {}
    site, _, location = str(found).partition("|")
    return {"site": int(site), "location": int(location) if location else None}


def _shown(command: WriteBook, record: Record, *, effect: bool) -> Written:
    book = command.fields
    return Written(native_id=f"{record_id(record)}|{book.book_id}", digest=digest_fields(book), effect=effect)

"""Writes canonical commands into Snipe-IT."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from tieline.connectors.kit.client import path_of
from tieline.connectors.kit.fieldmap import check_kept, comparable, differing, writable, write_fields
from tieline.connectors.kit.lookups import Lookups
from tieline.connectors.kit.paths import Record, value_at
from tieline.connectors.kit.upsert import Held, by_creation, by_search, check_reference, first_of, native_key
from tieline.connectors.snipeit.client import HARDWARE, ITEM, Client, made_id
from tieline.connectors.snipeit.mapping import (
    LOCATION,
    asset_map,
    asset_report,
    book_map,
    native_id,
    with_columns,
    without_people,
)
from tieline.kernel.asset_records import AssetFields, AssetReport
from tieline.kernel.book_records import BookFields
from tieline.kernel.code_lists import SHARED, Codes
from tieline.kernel.command_records import Command, RemoveRecord, WriteAsset, WriteBook
from tieline.kernel.digests import digest_fields
from tieline.kernel.errors import OutcomeUnknown, Rejected
from tieline.kernel.protocols import Written

_REFERENCES: Mapping[str, str] = {"location": "location", "company": "company", "physical_status": "status label"}


class SnipeItSink:
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
                return await self._remove(command)
            case _:
                raise Rejected(
                    f"Snipe-IT takes no {type(command).__name__}", remedy="let no flow of the landscape lead there"
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
                    gone = await self._client.asset(command.native_id) is None
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
        """The asset by the id that the hub knows, else by our reference; archived ones too."""
        known = known or command.native_id

        async def by_id() -> Record | None:
            record = await self._client.asset(known) if known else None
            if record is not None and self._reference(record) not in (None, command.asset_id):
                check_reference(self._reference(record), command.asset_id, field=self._settings.reference_field)
            return record

        return await first_of(by_id, partial(self._client.by_reference, command.asset_id))

    async def _create(self, command: WriteAsset) -> Record | None:
        """Make it, and give it as it is held; None where it is there already."""
        fields = command.fields
        if fields.physical_status is None:
            fields = fields.model_copy(update={"physical_status": self._settings.initial_status})
        body = await self._body(command, fields, writable(self._rules) - self._apart())
        body |= {"model_id": self._model(fields), self._settings.reference_field: command.asset_id}
        reply = await self._client.send("POST", HARDWARE, body, refused=True)
        if reply.words is not None:
            # Whatever it names as taken, ours may be what took it.
            if await self._client.by_reference(command.asset_id) is not None:
                return None
            raise Rejected(reply.words.message or "the creation is refused", field=reply.words.field)
        made = await self._held(made_id(reply))
        return await self._move(command, made) if LOCATION in self._apart() else made

    async def _change(self, command: WriteAsset, held: Record, due: Mapping[str, object]) -> Record:
        """Send what differs. Moving by check-out comes last: a status may have to allow it first."""
        names = set(due) & (writable(self._rules) - self._apart())
        body = await self._body(command, command.fields, names)
        if self._reference(held) != command.asset_id:
            body[self._settings.reference_field] = command.asset_id
        if body:
            await self._client.send("PATCH", path_of(ITEM, id=native_id(held)), body)
        held = await self._held(native_id(held))
        return await self._move(command, held) if LOCATION in due and LOCATION in self._apart() else held

    async def _move(self, command: WriteAsset, held: Record) -> Record:
        """Check the thing in where it is out, then out to its place. Each of the two is seen in what is held."""
        wanted = self._codes.native_fields(command.fields, command.effective_date, only=[LOCATION]).location
        if wanted is None or value_at(held, "location.name") == wanted:
            return held
        if value_at(held, "assigned_to.type") == "user":
            raise Rejected("a person has it checked out", field="fields.location", remedy="check it in there, replay")
        await self._names.load("location", wanted)
        rules = [rule for rule in self._rules if rule.name == LOCATION]
        place = write_fields(rules, AssetFields(location=wanted), names=self._names)["location_id"]
        item = path_of(ITEM, id=native_id(held))
        if value_at(held, "assigned_to") is not None:
            await self._client.send("POST", f"{item}/checkin", {})
        await self._client.send(
            "POST", f"{item}/checkout", {"checkout_to_type": "location", "assigned_location": place}
        )
        return await self._held(native_id(held))

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
        native = self._codes.native_fields(fields, command.effective_date, only=only)
        for name, kind in _REFERENCES.items():
            if name in only and getattr(native, name) is not None:
                await self._names.load(kind, self._name_of(name, native))
        return write_fields(self._rules, native, only=only, names=self._names)

    def _name_of(self, name: str, fields: AssetFields) -> str:
        value = getattr(fields, name)
        labels = self._settings.statuses.get(value) if name == "physical_status" else None
        return labels[0] if labels else str(value)

    def _model(self, fields: AssetFields) -> int:
        model = self._settings.models.get(fields.asset_class or "", self._settings.default_model)
        if model is None:
            raise Rejected(
                f"no model is declared for asset class {fields.asset_class or 'none'}",
                field="fields.asset_class",
                remedy="add it to models, or set default_model, in the landscape",
            )
        return model

    def _apart(self) -> frozenset[str]:
        return frozenset({LOCATION}) if self._settings.move_by == "checkout" else frozenset()

    async def _held(self, asset_id: str) -> Record:
        record = await self._client.asset(asset_id)
        if record is None:
            raise OutcomeUnknown(f"asset {asset_id} was written and is not there")
        return record

    def _reference(self, record: Record) -> str | None:
        found = value_at(with_columns(record), f"custom.{self._settings.reference_field}")
        return str(found).strip() or None if found is not None else None

    def _report(self, record: Record) -> AssetReport:
        return asset_report(self._settings, self._system, without_people(record), self._codes.read_only())

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
            return await self._client.asset(asset_id)
        return await self._client.by_reference(command.asset_id)

    async def _write_book(self, command: WriteBook, known: str | None) -> Written:
        if self._settings.book and command.fields.book_id != self._settings.book:
            raise Rejected(
                f"only book {self._settings.book} is shown there", field="fields.book_id", remedy="route that book only"
            )

        async def change(held: Record, due: Mapping[str, object]) -> Record:
            await self._client.send("PATCH", path_of(ITEM, id=native_id(held)), due)
            return await self._held(native_id(held))

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
        rules, flat = book_map(self._settings).rules, with_columns(record)
        wanted = write_fields(rules, command.fields)
        return {column: value for column, value in wanted.items() if value_at(flat, f"custom.{column}") != value}

    # ---- removal

    async def _remove(self, command: RemoveRecord) -> Written:
        reply = await self._client.send("DELETE", path_of(ITEM, id=command.native_id), {}, refused=True)
        if reply.words is not None and await self._client.asset(command.native_id) is not None:
            raise Rejected(reply.words.message or "the removal is refused", field="native_id")
        return Written(native_id=command.native_id, effect=reply.words is None)


def _shown(command: WriteBook, record: Record, *, effect: bool) -> Written:
    fields: BookFields = command.fields
    return Written(native_id=f"{native_id(record)}|{fields.book_id}", digest=digest_fields(fields), effect=effect)

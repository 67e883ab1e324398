"""Writes canonical commands into ERPNext."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import partial

from tieline.connectors.erpnext.client import CANCELLED, SCRAP, SUBMITTED, Client, name_of
from tieline.connectors.erpnext.costs import cost_changes, cost_written, entry_of
from tieline.connectors.erpnext.mapping import asset_map, asset_report, modified_at, site_time
from tieline.connectors.kit.fieldmap import check_kept, comparable, differing, writable, write_fields
from tieline.connectors.kit.paths import Record
from tieline.connectors.kit.upsert import Held, by_creation, by_search, check_reference, first_of
from tieline.kernel.asset_records import AssetFields, AssetReport, DisposalKind, FinancialStatus
from tieline.kernel.clock import Clock
from tieline.kernel.code_lists import SHARED, Codes
from tieline.kernel.command_records import Command, PostCost, RemoveRecord, WriteAsset
from tieline.kernel.digests import digest_fields
from tieline.kernel.errors import OutcomeUnknown, Rejected
from tieline.kernel.protocols import Written

LOCATION, SUBMIT, DISPOSAL = "location", "submit", "disposal_date"
# A sale is an invoice to somebody, which asset management cannot write.
_SCRAPPED = frozenset({DisposalKind.SCRAP, DisposalKind.LOSS, DisposalKind.THEFT, DisposalKind.DONATION})


class ErpNextSink:
    """See ``Sink``. Holds nothing; commands of different keys may run side by side."""

    def __init__(self, client: Client, system: str, codes: Codes = SHARED, *, clock: Clock) -> None:
        self._client, self._system, self._codes, self._clock = client, system, codes, clock
        self._settings = client.settings
        self._rules = asset_map(client.settings).rules
        self._strategy = by_creation if self._settings.reference_is_unique else by_search

    async def write(self, command: Command, native_id: str | None) -> Written:
        """See ``Sink``."""
        match command:
            case WriteAsset():
                return await self._write_asset(command, native_id or command.native_id)
            case PostCost() if self._settings.cost_accounts:
                return await self._post(command)
            case RemoveRecord(entity="asset"):
                return await self._remove(command)
            case _:
                raise Rejected(
                    f"ERPNext takes no {type(command).__name__}", remedy="let no flow of the landscape lead there"
                )

    async def read_back(self, command: Command, native_id: str | None) -> Written | None:
        """See ``Sink``. What cannot be read is no effect of ours; ``write`` says why."""
        try:
            match command:
                case WriteAsset():
                    record = await self._find(command, native_id or command.native_id)
                    done = record is not None and not self._changes(command, record)
                    return self._written(record, effect=True) if record is not None and done else None
                case PostCost():
                    entry = await self._client.by_reference("Journal Entry", command.cost_doc_id)
                    return None if entry is None else cost_written(entry, effect=True)
                case RemoveRecord():
                    gone = await self._client.one("Asset", command.native_id) is None
                    return Written(native_id=command.native_id) if gone else None
                case _:
                    return None
        except Rejected:
            return None

    # ---- assets

    async def _write_asset(self, command: WriteAsset, known: str | None) -> Written:
        strategy = partial(by_creation, known=bool(known)) if self._settings.reference_is_unique else by_search
        held: Held = await strategy(
            partial(self._find, command, known),
            partial(self._create, command),
            partial(self._changes, command),
            partial(self._change, command),
        )
        written = self._written(held.record, effect=held.effect)
        if held.effect:
            self._check(command, held, written)
        return written

    async def _find(self, command: WriteAsset, known: str | None) -> Record | None:
        """The asset by the name that the hub knows, else by our reference."""

        async def by_name() -> Record | None:
            record = await self._client.one("Asset", known) if known else None
            if record is not None and self._reference(record) not in (None, command.asset_id):
                check_reference(self._reference(record), command.asset_id, field=self._settings.reference_field)
            return record

        return await first_of(by_name, partial(self._client.by_reference, "Asset", command.asset_id))

    async def _create(self, command: WriteAsset) -> Record | None:
        """Make it, submitted where it can be, in one request; None where our reference is taken."""
        body = self._body(command, writable(self._rules))
        body |= {**self._settings.new_asset, self._settings.reference_field: command.asset_id}
        body["item_code"] = self._item(command.fields)
        if self._is_ready(command.fields):
            body["docstatus"] = SUBMITTED
        if command.fields.disposal_date is not None:
            self._check_disposal(command, is_submitted="docstatus" in body)
        made = await self._client.create("Asset", body)
        if made is None:
            return None
        held = await self._held(name_of(made))
        due = self._changes(command, held)
        return await self._change(command, held, due) if DISPOSAL in due else held

    async def _change(self, command: WriteAsset, held: Record, due: Mapping[str, object]) -> Record:
        """Save what differs; then its place and its end, which a submitted asset has by documents of their own."""
        is_submitted = held.get("docstatus") == SUBMITTED
        if DISPOSAL in due:
            self._check_disposal(command, is_submitted=is_submitted or SUBMIT in due)
        apart = {LOCATION, DISPOSAL} if is_submitted else {DISPOSAL}
        body = self._body(command, set(due) & writable(self._rules) - apart)
        if self._settings.reference_field in due:
            body[self._settings.reference_field] = command.asset_id
        if is_submitted:
            self._check_editable(body)
        if SUBMIT in due:
            body["docstatus"] = SUBMITTED
        if body:
            await self._client.change("Asset", held, body)
            held = await self._held(name_of(held))
        if LOCATION in due and LOCATION in apart:
            held = await self._move(command, held)
        if DISPOSAL in due:
            day = command.fields.disposal_date
            await self._client.call(SCRAP, {"asset_name": name_of(held), "scrap_date": str(day)})
            held = await self._held(name_of(held))
        return held

    async def _move(self, command: WriteAsset, held: Record) -> Record:
        """A transfer, made and submitted in one request. It says where the asset was: of two alike one is refused.

        The movement with the latest time decides the place, so it is dated after the last change of the asset.
        """
        row = {"asset": name_of(held), "source_location": held.get("location"), **self._body(command, {LOCATION})}
        wanted = row["target_location"] = row.pop(LOCATION)
        at = max(self._clock(), modified_at(held, self._settings)) + dt.timedelta(milliseconds=1)
        body = {"purpose": "Transfer", "company": held.get("company"), "docstatus": SUBMITTED}
        body |= {"transaction_date": site_time(at, self._settings), "assets": [row]}
        made = await self._client.create("Asset Movement", body)
        moved = await self._held(name_of(held))
        if moved.get("location") == wanted:
            return moved
        if made is None or await self._client.one("Asset Movement", name_of(made)) is None:
            raise OutcomeUnknown("the movement was made and is not there")
        moved = await self._held(name_of(held))
        if moved.get("location") != wanted:
            raise Rejected(
                "another movement, dated later, decides its place",
                field="fields.location",
                remedy="correct the later Asset Movement there",
            )
        return moved

    def _check_disposal(self, command: WriteAsset, *, is_submitted: bool) -> None:
        """Raises ``Rejected`` for what scrapping cannot say, before anything is sent."""
        kind = command.fields.disposal_kind
        if kind not in _SCRAPPED:
            raise Rejected(
                f"{kind or 'a disposal of no kind'} is not written here",
                field="fields.disposal_kind",
                remedy="sell the asset there by a Sales Invoice",
            )
        if not is_submitted:
            raise Rejected(
                "a draft cannot be scrapped",
                field="fields.disposal_date",
                remedy="submit the asset there, or delete it",
            )

    def _changes(self, command: WriteAsset, record: Record) -> Mapping[str, object]:
        """Fields that differ, our reference where it is not there, submission and end where they are due.

        Raises ``Rejected`` for an asset that is cancelled, or left on another day than it shall.
        """
        if record.get("docstatus") == CANCELLED:
            remedy = "amend it there, or part the two in the hub"
            raise Rejected("the asset is cancelled there", field="asset_id", remedy=remedy)
        fields, holds = command.fields, self._report(record).fields
        names = comparable(self._rules) & set(command.writable_fields)
        due: dict[str, object] = dict.fromkeys(differing(fields, holds, names), True)
        if self._reference(record) != command.asset_id:
            due[self._settings.reference_field] = True
        if self._is_ready(fields) and record.get("docstatus") == 0:
            due[SUBMIT] = True
        if fields.disposal_date is not None and DISPOSAL in command.writable_fields:
            if holds.financial_status is not FinancialStatus.CLOSED:
                due[DISPOSAL] = True
            elif holds.disposal_date != fields.disposal_date:
                raise Rejected(
                    f"it left there on {holds.disposal_date}",
                    field="fields.disposal_date",
                    remedy="restore the asset there and replay, or correct the date at its source; older "
                    "versions scrap on the day of the call",
                    held_digest=digest_fields(holds),
                )
        return due

    def _check(self, command: WriteAsset, held: Held, written: Written) -> None:
        """Raises ``Rejected`` where they kept less than was sent (T27), ``OutcomeUnknown`` where it does not show."""
        reference, column = self._reference(held.record), self._settings.reference_field
        check_reference(reference, command.asset_id, field=column, held_digest=written.digest)
        sent = comparable(self._rules) if held.created else comparable(self._rules) & set(command.writable_fields)
        check_kept(command.fields, self._report(held.record).fields, sent, held_digest=written.digest)
        due = self._changes(command, held.record)
        if due:
            raise OutcomeUnknown(f"the asset was written and does not show it: {', '.join(due)}")

    def _check_editable(self, body: Mapping[str, object]) -> None:
        fixed = sorted(set(body) - self._settings.editable_when_submitted - {self._settings.reference_field})
        if fixed:
            field = next((rule.name for rule in self._rules if rule.written_at == fixed[0]), fixed[0])
            raise Rejected(
                f"{fixed[0]} of a submitted asset is fixed",
                field=f"fields.{field}",
                remedy="tick Allow on Submit there and name it in editable_when_submitted, or adjust the asset there",
            )

    def _body(self, command: WriteAsset, only: frozenset[str] | set[str]) -> dict[str, object]:
        native = self._codes.native_fields(command.fields, command.effective_date, only=only)
        return write_fields(self._rules, native, only=only)

    def _item(self, fields: AssetFields) -> str:
        item = self._settings.items.get(fields.asset_class or "", self._settings.default_item)
        if item is None:
            raise Rejected(
                f"no item is declared for asset class {fields.asset_class or 'none'}",
                field="fields.asset_class",
                remedy="add it to items, or set default_item, in the landscape",
            )
        return item

    def _is_ready(self, fields: AssetFields) -> bool:
        return self._settings.submit and fields.in_service_date is not None

    async def _held(self, name: str) -> Record:
        record = await self._client.one("Asset", name)
        if record is None:
            raise OutcomeUnknown(f"asset {name} was written and is not there")
        return record

    def _reference(self, record: Record) -> str | None:
        return str(record.get(self._settings.reference_field) or "").strip() or None

    def _report(self, record: Record) -> AssetReport:
        return asset_report(self._settings, self._system, record, self._codes.read_only())

    def _written(self, record: Record, *, effect: bool) -> Written:
        report = self._report(record)
        return Written(
            native_id=report.origin.native_id,
            number=report.origin.native_id,
            source_version=report.origin.source_version,
            digest=digest_fields(report.fields),
            effect=effect,
            recorded_at=report.origin.recorded_at,
        )

    async def _remove(self, command: RemoveRecord) -> Written:
        reply = await self._client.delete("Asset", command.native_id)
        return Written(native_id=command.native_id, effect=reply.words is None)

    # ---- costs

    async def _post(self, command: PostCost) -> Written:
        entry = entry_of(self._settings, self._codes, command)
        find = partial(self._client.by_reference, "Journal Entry", command.cost_doc_id)

        async def nothing(_record: Record, _due: Mapping[str, object]) -> Record:
            raise Rejected("a posted entry is not changed", remedy="reverse it")

        held = await self._strategy(
            find,
            partial(self._client.create, "Journal Entry", entry),
            partial(cost_changes, entry),
            nothing,
        )
        return cost_written(held.record, effect=held.effect)

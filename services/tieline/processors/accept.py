"""accept: what of a report becomes the hub's word. Ownership per field, versions, echoes, immutable documents."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

from tieline.kernel.asset_records import AssetReport, AssetState
from tieline.kernel.audit_records import AuditReport
from tieline.kernel.book_records import BookReport, DepreciationRunReport, ScheduleLine
from tieline.kernel.clock import Clock
from tieline.kernel.cost_records import CostReport
from tieline.kernel.equipment_records import EquipmentLinkReport
from tieline.kernel.errors import Rejected
from tieline.kernel.family_records import FamilyReport
from tieline.kernel.landscape import Landscape
from tieline.kernel.memory import Conflict, LinkAction, LinkDecision, PeriodHold
from tieline.kernel.movement_records import MovementReport
from tieline.kernel.order_records import InvoiceReport, OrderReport, ReceiptReport
from tieline.kernel.ownership import ASSET_MANAGEMENT, ERP, Ownership
from tieline.kernel.period_records import FiscalPeriodReport
from tieline.kernel.records import Inbound, Outbound, Typed
from tieline.kernel.reference_records import CENTRE, ReferenceReport
from tieline.kernel.shapes import shapes_of
from tieline.kernel.tables import Table
from tieline.kernel.vocabulary import Origin
from tieline.processors.accepting import role_of
from tieline.processors.asset_records import AssetRecords
from tieline.processors.audits import Audits
from tieline.processors.books import Books
from tieline.processors.cost_documents import CostDocuments
from tieline.processors.depreciation_runs import DepreciationRuns
from tieline.processors.duplicates import Duplicates
from tieline.processors.equipment import Equipment
from tieline.processors.families import FamilyRecords
from tieline.processors.fiscal_periods import Waits
from tieline.processors.hearing import is_outdated
from tieline.processors.linking import COUNTERPART
from tieline.processors.merging import PURCHASE_LINE
from tieline.processors.movements import Movements
from tieline.processors.orders import Orders
from tieline.processors.period_gate import Arrival, PeriodGate, arrival_of
from tieline.processors.proposals import Refused
from tieline.processors.purchase_tracking import PurchaseTracking
from tieline.processors.references import References


class Accept:
    """The handler. Its state is what the hub believes of assets, books, orders and cost documents."""

    def __init__(self, landscape: Landscape, ownership: Ownership, clock: Clock) -> None:
        self._landscape = landscape
        self.gate = PeriodGate(landscape, clock)
        self.runs = DepreciationRuns(self._period_of_line, landscape.fiscal.default_company)
        self.tracking = PurchaseTracking(landscape.procure_to_pay)
        self.equipment = Equipment()
        self.audits = Audits()
        self._refused = Refused()
        self.conflicts: Table[Conflict] = Table("hub.conflict.state.v1", Conflict, on_change=self._refused.follow)
        self.references = References(landscape, self.conflicts, clock)
        self.assets = AssetRecords(
            landscape,
            ownership,
            clock,
            conflicts=self.conflicts,
            references=self.references,
            periods=self.gate.periods,
            equipment=self.equipment,
            follow=self._follow_asset,
        )
        self.books = Books(self.assets.table, self.runs, self._period_of_line)
        self.costs = CostDocuments(landscape, self.conflicts, self.equipment, self.gate, clock)
        self.movements = Movements(self.conflicts, self.gate.periods, clock, self.costs.capital)
        self.purchasing = Orders(landscape, self.conflicts, self.costs.sources, clock, follow=self.tracking.follow)
        self.duplicates = Duplicates(
            self.assets.table, self.books, self.conflicts, self._hear, books_kept_by=landscape.having_role(ERP)
        )
        self.families = FamilyRecords(
            landscape, shapes_of(landscape.families), self.conflicts, self.assets.ledger, clock
        )

    def handle(self, record: Inbound, value: Typed) -> Iterable[Outbound]:
        """See ``Processor``."""
        body = value.body
        if isinstance(body, FamilyReport):
            return self.families.accept(record.key_text, body, self._role(body.origin))
        said = self._reference(body) if isinstance(body, ReferenceReport) else self._handle(record, value)
        written = [*said, *self.runs.settle()]
        self.tracking.settle(self.purchasing)
        return written

    def _handle(self, record: Inbound, value: Typed) -> Iterable[Outbound]:
        match value.body:
            case AssetReport() as report:
                asset_id = self.duplicates.survivor(record.key_text)
                arrival = replace(arrival_of(record, report), canonical_id=asset_id)
                return [] if self._is_second(record, asset_id, report.origin) else self._arrive(arrival)
            case CostReport() as report:
                arrival = arrival_of(record, report)
                bearer_id = self.duplicates.survivor(arrival.asset_id) if arrival.asset_id else None
                return self._arrive(replace(arrival, asset_id=bearer_id))
            case BookReport() | MovementReport() | EquipmentLinkReport() | AuditReport() as report:
                return self._booked(record, report)
            case OrderReport() | ReceiptReport() | InvoiceReport() as report:
                return self._purchase(record.key_text, report)
            case FiscalPeriodReport() | DepreciationRunReport() as report:
                return self._period(report)
            case LinkDecision(action=LinkAction.MERGE | LinkAction.UNMERGE) as decision:
                return self._decided(decision)
            case _:
                raise Rejected(f"{value.name} is not a report")

    def _booked(
        self, record: Inbound, report: BookReport | MovementReport | EquipmentLinkReport | AuditReport
    ) -> list[Outbound]:
        asset_id, counterpart_id = self.duplicates.survivor(record.key_text), record.header(COUNTERPART)
        other_id = self.duplicates.survivor(counterpart_id) if counterpart_id else None
        if isinstance(report, AuditReport):
            return self.audits.take(asset_id, report, self._role(report.origin))
        if isinstance(report, EquipmentLinkReport):
            if self._role(report.origin) != ASSET_MANAGEMENT:
                raise Rejected("equipment is asset management's to link", field="origin.system")
            return self.equipment.take(asset_id, other_id or asset_id, report)
        if self._role(report.origin) != ERP:
            raise Rejected("books and what is posted on them are the ERP's to say", field="origin.system")
        if isinstance(report, MovementReport):
            return self.movements.accept(asset_id, other_id, report)
        written = self.books.accept(asset_id, report)
        self.movements.roll_forwards.take_book(asset_id, report)
        return written

    def _follow_asset(self, key: str, old: AssetState | None, new: AssetState | None) -> None:
        self.runs.follow_asset(key, old, new)
        self.tracking.follow_asset(key, old, new)

    def _purchase(self, po_id: str, report: OrderReport | ReceiptReport | InvoiceReport) -> Iterable[Outbound]:
        role = self._role(report.origin)
        match report:
            case ReceiptReport():  # any system of the landscape may be the receiving one
                return self.purchasing.accept_receipt(po_id, report)
            case _ if role != ERP:
                raise Rejected("purchase orders and invoices are the ERP's to say", field="origin.system")
            case OrderReport():
                return self.purchasing.accept_order(po_id, report)
            case InvoiceReport():
                return self.purchasing.accept_invoice(po_id, report)

    def _decided(self, decision: LinkDecision) -> list[Outbound]:
        """A merge, or an undone one; what waits for a period goes with its record (Invariants 2 and 4)."""
        survivor_id, merged_id = decision.canonical_id or "", decision.other_id or ""
        if decision.action is LinkAction.MERGE:
            written = [*self.duplicates.merge(decision), *self.equipment.merge(decision)]
            if (survivor := self.assets.table.get(survivor_id)) is not None:
                self.gate.move(merged_id, survivor_id, lambda row: not _is_other_record(row, survivor))
        else:
            written = self.duplicates.separate(decision)
            if (merged := self.assets.table.get(merged_id)) is not None:
                written += self.equipment.separate(decision, merged.links)
                self.gate.move(survivor_id, merged_id, lambda row: _is_record(row, merged))
        for asset_id in (survivor_id, merged_id):
            written += self.gate.release(f"asset/{asset_id}", self._post)
        return written

    def _is_second(self, record: Inbound, asset_id: str, origin: Origin) -> bool:
        """Whether another record of the system speaks for the asset: what this one says changes nothing."""
        if record.header("tl_second_record"):
            return True
        if origin.entity == PURCHASE_LINE:
            return False  # an order line is no record of the asset: its cost is new however it came here
        state = self.assets.table.get(asset_id) if asset_id != record.key_text else None
        return state is not None and state.links.get(origin.system, origin.native_id) != origin.native_id

    def _role(self, origin: Origin) -> str:
        return role_of(self._landscape, origin)

    def _period(self, report: FiscalPeriodReport | DepreciationRunReport) -> list[Outbound]:
        if self._role(report.origin) != ERP:
            raise Rejected("fiscal periods and their runs are the ERP's to say", field="origin.system")
        if isinstance(report, DepreciationRunReport):
            return self.runs.take(report)
        written = self.gate.periods.take(report)
        for lane in self.gate.lanes_of(report.fields.company):
            written += self.gate.release(lane, self._post)
        return written

    def _reference(self, report: ReferenceReport) -> list[Outbound]:
        """Another word on a reference record; what waited for it, or failed on it, is tried again."""
        self._role(report.origin)
        written = self.references.take(report)
        if not written:
            return []
        family, code = report.origin.entity, report.fields.code
        if family == CENTRE:
            for lane in self.gate.lanes_naming(code):
                written += self.gate.release(lane, self._post)
        for asset_id, proposal in self._refused.of(family, code):
            with suppress(Rejected):  # it is not the reference record that is at fault; the conflict stays
                written += self._arrive(Arrival(asset_id, None, proposal, None, has_waited=True, is_reheard=True))
        return written

    def _arrive(self, arrival: Arrival) -> list[Outbound]:
        """Post a report now or hold it. What the ERP says is in its books already: it neither posts nor waits."""
        report = arrival.report
        books_say = self._role(report.origin) == ERP
        if isinstance(report, AssetReport):
            arrival = replace(arrival, seen=self.assets.seen(arrival.canonical_id, report))
        lane = self.gate.lane_of(arrival)
        if self.gate.is_waiting(lane) and not books_say and not self._was_taken(arrival):
            self._check(arrival)
            self.gate.hold(lane, arrival)  # Invariants 2 and 6: it follows what waits before it
            return []
        posted = self._post(arrival)
        if isinstance(posted, Waits):
            self.gate.hold(lane, arrival, posted)
            return []
        # The books may now say themselves what a held report wanted to post.
        return [*posted, *self.gate.release(lane, self._post)]

    def _was_taken(self, arrival: Arrival) -> bool:
        if isinstance(arrival.report, CostReport):
            return self.costs.table.get(arrival.canonical_id) is not None
        return not arrival.is_reheard and self.assets.was_taken(arrival.canonical_id, arrival.report)

    def _hear(self, asset_id: str, report: AssetReport) -> list[Outbound]:
        """What a record said that a person moved to this asset, as if it came now."""
        return self._arrive(Arrival(asset_id, None, report, None))

    def _check(self, arrival: Arrival) -> None:
        """What is wrong with a report by itself: said when it comes, not only when it is released."""
        if isinstance(arrival.report, CostReport):
            if self._role(arrival.report.origin) != ASSET_MANAGEMENT:
                raise Rejected("work orders and their costs are asset management's to say", field="origin.system")
            self.costs.check(arrival.canonical_id, arrival.report, arrival.asset_id)

    def _post(self, arrival: Arrival) -> list[Outbound] | Waits:
        """What the report gives, or why it must wait; nothing has changed then."""
        self._check(arrival)
        match arrival.report:
            case AssetReport() as report:
                if self.duplicates.survivor(arrival.canonical_id) != arrival.canonical_id:
                    return []  # it waited while its record became a second one, which changes nothing
                if not arrival.is_reheard and is_outdated(self.assets.table.get(arrival.canonical_id), report.origin):
                    return []  # Invariant 4: the record's own later word was taken already
                return self.assets.post(arrival, report)
            case CostReport() as report:
                return self.costs.accept(arrival.canonical_id, report, arrival.asset_id)

    def _period_of_line(self, company: str | None, book_id: str, line: ScheduleLine) -> str | None:
        """The period the ERP says a posting is in; that of its date where it does not say."""
        return line.posting_period or self.gate.periods.period_of(company, line.date, book_id)


def _is_other_record(row: PeriodHold, state: AssetState) -> bool:
    """Whether another record of its system speaks for the asset."""
    if row.asset is None:
        return False
    origin = row.asset.origin
    return state.links.get(origin.system, origin.native_id) != origin.native_id


def _is_record(row: PeriodHold, state: AssetState) -> bool:
    """Whether the held report is that of a record of the asset, or of a cost of one."""
    if row.cost is not None:
        return state.links.get(row.cost.origin.system) == row.cost.fields.asset_native_id
    return row.asset is not None and state.links.get(row.asset.origin.system) == row.asset.origin.native_id

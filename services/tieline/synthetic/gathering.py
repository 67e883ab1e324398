"""What the hub holds and has published, reduced to what labels speak of as it is read. Pure."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from tieline.kernel.asset_records import AssetEvent, AssetFields, AssetState
from tieline.kernel.book_records import BookState, DepreciationPosted, DepreciationRunState
from tieline.kernel.cost_records import CostEvent, CostState
from tieline.kernel.memory import Conflict, PeriodHold
from tieline.kernel.movement_records import MovementEvent, RollForward
from tieline.kernel.order_records import (
    AcquisitionEvent,
    ApprovalStatus,
    InvoiceState,
    OrderState,
    ProposalStatus,
    ProposedAsset,
    ReceiptState,
)
from tieline.kernel.period_records import FiscalPeriodState
from tieline.kernel.records import Typed
from tieline.kernel.vocabulary import Model

NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class HeldAsset:
    """An asset's row."""

    fields: AssetFields
    links: dict[str, str]


@dataclass(frozen=True, slots=True)
class HeldBook:
    """A book's row, its lines as count and sum of the posted ones."""

    asset_id: str
    book_id: str
    gross: Decimal
    accumulated: Decimal
    net_book_value: Decimal
    posted_count: int
    posted_sum: Decimal


@dataclass(frozen=True, slots=True)
class HeldMovements:
    """What was posted on a book besides depreciation: how many documents, and what they change in all."""

    count: int = 0
    cost: Decimal = NOTHING
    accumulated: Decimal = NOTHING


@dataclass(frozen=True, slots=True)
class HeldOrder:
    """An order's row; its lines are left out, because 24,000 orders have 70,000 of them."""

    po_number: str | None
    net_total: Decimal
    closed: bool
    blanket: bool
    cancelled: bool


@dataclass(frozen=True, slots=True)
class HeldUnit:
    """A proposed asset's row."""

    po_id: str
    line_id: str
    unit: int
    status: ProposalStatus
    cost: Decimal | None


@dataclass(frozen=True, slots=True)
class HeldCost:
    """A cost document's row, or one that waits for a period."""

    total: Decimal
    status: str
    posting_date: dt.date | None


@dataclass(slots=True)
class Gathered:
    """Rows of the state topics by key (the last one counts), counts and sums of the events.

    ``events``: by record name; ``asset_events`` of assets, by asset id too. ``postings``: count and sum by asset id and
    book. ``acquired``: by order line and unit. ``posted_costs``: by company, period and currency. ``centres``: the cost
    centre that each asset event says, with its day. ``movements``: by asset id and book; ``unexplained``: what no
    movement explains of a book's cost and accumulated depreciation.
    """

    assets: dict[str, HeldAsset] = field(default_factory=dict)
    books: dict[str, HeldBook] = field(default_factory=dict)
    costs: dict[str, HeldCost] = field(default_factory=dict)
    held: dict[str, tuple[str, str]] = field(default_factory=dict)
    orders: dict[str, HeldOrder] = field(default_factory=dict)
    units: dict[str, HeldUnit] = field(default_factory=dict)
    receipts: dict[str, str] = field(default_factory=dict)
    invoices: dict[str, str] = field(default_factory=dict)
    runs: dict[str, DepreciationRunState] = field(default_factory=dict)
    periods: dict[str, str] = field(default_factory=dict)
    conflicts: dict[str, Conflict] = field(default_factory=dict)
    events: Counter[str] = field(default_factory=Counter)
    asset_events: dict[str, Counter[str]] = field(default_factory=dict)
    postings: dict[tuple[str, str], tuple[int, Decimal]] = field(default_factory=dict)
    acquired: dict[str, Decimal] = field(default_factory=dict)
    posted_costs: dict[tuple[str, str, str], Decimal] = field(default_factory=dict)
    centres: dict[str, list[tuple[dt.date, str]]] = field(default_factory=dict)
    movements: dict[tuple[str, str], HeldMovements] = field(default_factory=dict)
    unexplained: dict[tuple[str, str], tuple[Decimal, Decimal]] = field(default_factory=dict)

    def take(self, topic: str, key: str, value: Typed | None) -> None:
        """One record of any topic; None is a tombstone. Records of a key must come in their order."""
        if ".event." in topic and value is not None:
            self._take_event(value.name, value.body)
        elif ".state." in topic:
            self._drop(topic, key)
            if value is not None:
                self._take_row(key, value.body)

    def take_all(self, records: Iterable[tuple[str, str, Typed | None]]) -> Gathered:
        """``take`` each; itself."""
        for topic, key, value in records:
            self.take(topic, key, value)
        return self

    def _drop(self, topic: str, key: str) -> None:
        """Forget a row where rows can end; all others stay once they are there."""
        match topic:
            case "asset.proposed-asset.state.v1":
                self.units.pop(key, None)
            case "hub.conflict.state.v1":
                self.conflicts.pop(key, None)
            case "hub.period-hold.state.v1":
                self.held.pop(key, None)

    def _take_row(self, key: str, body: Model) -> None:
        match body:
            case AssetState():
                self.assets[key] = HeldAsset(body.fields, body.links)
            case BookState():
                self.books[key] = _book(body)
            case CostState():
                status = "duplicate" if body.duplicate_of else "posted"
                self.costs[body.origin_native_id] = HeldCost(body.fields.total, status, body.posting_date)
            case PeriodHold():
                report = body.cost or body.asset
                if report is not None:
                    self.held[key] = (report.origin.native_id, report.origin.entity)
            case ReceiptState():
                self.receipts[key] = body.po_id
            case InvoiceState():
                self.invoices[key] = body.po_id
            case _:
                self._take_whole_row(key, body)

    def _take_whole_row(self, key: str, body: Model) -> None:
        match body:
            case OrderState():
                self.orders[key] = _order(body)
            case ProposedAsset():
                cost = body.cost.amount if body.cost else None
                self.units[key] = HeldUnit(body.po_id, body.line_id, body.unit, body.status, cost)
            case DepreciationRunState():
                self.runs[key] = body
            case FiscalPeriodState():
                self.periods[key] = body.fields.status.value
            case Conflict():
                self.conflicts[key] = body
            case RollForward():
                unexplained = (body.unexplained_cost, body.unexplained_accumulated)
                self.unexplained[body.asset_id, body.book_id] = unexplained
            case _:
                return

    def _take_event(self, name: str, body: Model) -> None:
        self.events[name] += 1
        match body:
            case AssetEvent():
                self.asset_events.setdefault(body.asset_id, Counter())[name] += 1
                if body.fields.cost_centre is not None:
                    said = (body.accepted.effective_date, body.fields.cost_centre)
                    self.centres.setdefault(body.asset_id, []).append(said)
            case DepreciationPosted():
                key = (body.asset_id, body.book_id)
                count, total = self.postings.get(key, (0, NOTHING))
                self.postings[key] = (count + 1, total + body.amount.amount)
            case MovementEvent():
                book = (body.asset_id, body.fields.book_id)
                before, change = self.movements.get(book, HeldMovements()), body.fields
                cost, worn = before.cost + change.cost_change, before.accumulated + change.accumulated_change
                self.movements[book] = HeldMovements(before.count + 1, cost, worn)
            case AcquisitionEvent():
                ref = body.po_line_ref
                self.acquired[ref] = self.acquired.get(ref, NOTHING) + body.amount.amount
            case CostEvent():
                fields = body.fields
                where = (fields.company, body.accepted.posting_period or "", fields.currency)
                self.posted_costs[where] = self.posted_costs.get(where, NOTHING) + fields.total
            case _:
                return


def _order(state: OrderState) -> HeldOrder:
    fields = state.fields
    is_cancelled = fields.approval_status is ApprovalStatus.CANCELLED
    return HeldOrder(fields.po_number, fields.net_total, fields.closed, fields.blanket, is_cancelled)


def _book(state: BookState) -> HeldBook:
    fields = state.fields
    posted = [line.depreciation for line in fields.lines if line.posted]
    return HeldBook(
        asset_id=state.asset_id,
        book_id=fields.book_id,
        gross=fields.gross_cost,
        accumulated=fields.accumulated,
        net_book_value=fields.net_book_value,
        posted_count=len(posted),
        posted_sum=sum(posted, NOTHING),
    )

"""accept, purchase orders: orders, their receipts and invoices, and the assets that come of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Generic, TypeVar

from tieline.kernel.clock import Clock
from tieline.kernel.errors import Rejected
from tieline.kernel.invoice_records import PoInvoiceBlocked
from tieline.kernel.landscape import Landscape
from tieline.kernel.memory import Conflict
from tieline.kernel.order_records import (
    InvoiceEvent,
    InvoiceLine,
    InvoiceReport,
    InvoiceState,
    OrderEvent,
    OrderFields,
    OrderLine,
    OrderReport,
    OrderState,
    ProposedAsset,
    ReceiptEvent,
    ReceiptFields,
    ReceiptReport,
    ReceiptState,
)
from tieline.kernel.records import Outbound, Typed
from tieline.kernel.tables import Table
from tieline.kernel.vocabulary import Model, Origin
from tieline.processors.accepting import accepted_as
from tieline.processors.acquisitions import Documents, acquire, proposal_id
from tieline.processors.bookings import Cause, Rows, acquired_records, book_changes
from tieline.processors.conflicts import keep_conflict
from tieline.processors.cost_sources import CostSources
from tieline.processors.documents import document_date, document_ref
from tieline.processors.hearing import is_news, is_older
from tieline.processors.invoice_matching import Matching
from tieline.processors.order_names import cancelled_lines, name_order
from tieline.processors.order_tables import OfOrder, order_of
from tieline.processors.quantities import Counted, count

ORDER_EVENTS = "procurement.purchase-order.event.v1"
RECEIPT_EVENTS = "procurement.receipt.event.v1"
INVOICE_EVENTS = "procurement.invoice.event.v1"
# So many orders are remembered with an index of their lines: one more document of a large one costs its own lines only.
MAX_REMEMBERED = 256

Document = TypeVar("Document", ReceiptState, InvoiceState)
Row = OrderState | ReceiptState | InvoiceState | ProposedAsset
Follow = Callable[[str, Row | None, Row | None], None]


@dataclass(frozen=True, slots=True)
class Kind(Generic[Document]):
    """One kind of document of an order: its name for people, its records, and what its events are called."""

    name: str
    state: type[Document]
    event: type[ReceiptEvent | InvoiceEvent]
    events: str
    posted: str
    reversed: str


RECEIPT = Kind("receipt", ReceiptState, ReceiptEvent, RECEIPT_EVENTS, "GoodsReceived", "GoodsReceiptReversed")
INVOICE = Kind("supplier invoice", InvoiceState, InvoiceEvent, INVOICE_EVENTS, "InvoiceMatched", "InvoiceReversed")


class Orders:
    """What the hub believes of orders and their documents. ``conflicts`` is accept's own table.

    ``follow`` is told of every change of the tables, as ``Table.on_change`` says.
    """

    def __init__(
        self, landscape: Landscape, conflicts: Table[Conflict], sources: CostSources, clock: Clock, *, follow: Follow
    ) -> None:
        self._sources = sources
        self._rule = landscape.capitalisation
        self._matching = Matching(landscape.invoice_matching, conflicts, clock)
        self._conflicts = conflicts
        self._clock = clock
        self.orders: Table[OrderState] = Table("procurement.purchase-order.state.v1", OrderState, on_change=follow)
        self.receipts = OfOrder("procurement.receipt.state.v1", ReceiptState, follow)
        self.invoices = OfOrder("procurement.invoice.state.v1", InvoiceState, self._sources.follow_invoice, follow)
        self.proposals = OfOrder("asset.proposed-asset.state.v1", ProposedAsset, self._follow_proposal, follow)
        self._disputed: dict[str, dict[str, None]] = {}  # order: keys of proposals with a conflict
        self._counted: dict[str, Counted] = {}

    def accept_order(self, po_id: str, report: OrderReport) -> list[Outbound]:
        """The order's event if it says something new, then what follows for the books. Raises ``Rejected``."""
        fields, origin = report.fields, report.origin
        check_sum(fields.net_total, (line.net_amount for line in fields.lines), "fields.net_total")
        _check_taxes(fields.lines)
        state = self.orders.get(po_id)
        if state is not None and (state.fields == fields or is_older(origin, state.recorded_at)):
            if is_news(origin, state.recorded_at):
                self.orders.put(po_id, state.model_copy(update={"recorded_at": origin.recorded_at}))
            return []
        version = (state.version if state else 0) + 1
        self.orders.put(po_id, OrderState(po_id=po_id, version=version, fields=fields, recorded_at=origin.recorded_at))
        effective = fields.order_date or origin.recorded_at.date()
        cause = Cause(document_ref(origin.system, origin.native_id), origin.recorded_at.date(), origin)
        booked = self._fold(po_id, origin.system, fields, cause)
        accepted = accepted_as(version, origin, effective, changed_names(state.fields if state else None, fields))
        records = tuple(acquired_records(self.proposals.of(po_id)).values())
        before = state.fields if state else None
        gone = cancelled_lines(before, fields)
        event = OrderEvent(po_id=po_id, accepted=accepted, fields=fields, records=records, cancelled_lines=gone)
        return [Outbound(ORDER_EVENTS, po_id, Typed(name_order(before, fields, gone), event)), *booked]

    def accept_receipt(self, po_id: str, report: ReceiptReport) -> list[Outbound]:
        """The receipt's event, once, then what follows for the books. Raises ``Rejected``."""
        _check_receipt(report.fields)
        return self._accept_document(po_id, report, self.receipts, RECEIPT)

    def accept_invoice(self, po_id: str, report: InvoiceReport) -> list[Outbound]:
        """The invoice's event, once, then what follows for the books. Raises ``Rejected``."""
        fields = report.fields
        check_sum(fields.net_total, (line.net_amount for line in fields.lines), "fields.net_total")
        _check_taxes(fields.lines)
        order = self.orders.get(po_id)
        is_new = self.invoices.get(po_id, report.origin) is None
        if is_new and order is not None and order.fields.currency != fields.currency:
            raise Rejected(
                f"is {fields.currency}, the order is in {order.fields.currency}",
                field="fields.currency",
                remedy="report the invoice in the order's currency",
            )
        written = self._accept_document(po_id, report, self.invoices, INVOICE)
        if is_new:
            self._sources.note_invoice(report)
        return written

    def _accept_document(
        self, po_id: str, report: ReceiptReport | InvoiceReport, documents: OfOrder[Document], kind: Kind[Document]
    ) -> list[Outbound]:
        fields, origin = report.fields, report.origin
        known = documents.get(po_id, origin)
        if known is not None:
            if known.fields != fields:
                raise Rejected(
                    f"a {kind.name} was changed", field="fields", remedy="correct it by a reversal in its system"
                )
            return []
        _check_reversal(documents, po_id, origin, fields.reversal_of)
        identity = {"origin_system": origin.system, "origin_native_id": origin.native_id}
        row = kind.state.model_validate({"po_id": po_id, "version": 1, **identity, "fields": fields})
        documents.put(po_id, origin, row)
        day = document_date(fields)
        accepted = accepted_as(1, origin, day, tuple(type(fields).model_fields))
        event = kind.event.model_validate({"po_id": po_id, "accepted": accepted, "fields": fields})
        name = kind.posted if fields.reversal_of is None else kind.reversed
        cause = Cause(document_ref(origin.system, origin.native_id), day, origin)
        written = [Outbound(kind.events, po_id, Typed(name, event))]
        system, lines = fields.order_system or origin.system, documents.touched_by(po_id, row)
        written += self._fold_known(po_id, system, cause, lines)
        return written

    def _fold_known(self, po_id: str, system: str, cause: Cause, lines: frozenset[str]) -> list[Outbound]:
        """The folding, if the order itself was accepted; else its documents wait here for it."""
        order = self.orders.get(po_id)
        return [] if order is None else self._fold(po_id, system, order.fields, cause, lines)

    def _fold(
        self, po_id: str, system: str, order: OrderFields, cause: Cause, lines: frozenset[str] | None = None
    ) -> list[Outbound]:
        """What the documents bring into the books now; of the ``lines`` alone where only their documents changed."""
        documents = self.documents(po_id, system, order, lines)
        if not documents.receipts and not documents.invoices and not documents.known:
            return []
        before = {proposal_id(row): row for row in documents.known}
        after = {
            key: row if row == before.get(key) else row.model_copy(update={"version": row.version + 1})
            for key, row in acquire(documents, self._rule, lines).items()
        }
        self._keep(po_id, before, after)
        self._note_conflict(po_id, system)
        booked = [
            Outbound(ORDER_EVENTS, po_id, Typed(name, event))
            for name, event in book_changes(before, after, documents.order, cause, self._rule)
        ]
        return [*self._match(documents, cause, lines), *booked]

    def _match(self, documents: Documents, cause: Cause, lines: frozenset[str] | None) -> list[Outbound]:
        """The event of an invoice that does not match; a reversal, a receipt or the order itself blocks none."""
        mismatches = self._matching.note(documents, lines)
        refs = {document_ref(row.origin_system, row.origin_native_id): row for row in documents.invoices}
        invoice = refs.get(cause.document) if cause.origin.entity == "invoice" else None
        if not mismatches or invoice is None or invoice.fields.reversal_of is not None:
            return []
        event = PoInvoiceBlocked(
            po_id=documents.po_id,
            accepted=accepted_as(1, cause.origin, cause.date, ("lines",)),
            invoice=cause.document,
            currency=documents.order.currency,
            mismatches=mismatches,
        )
        return [Outbound(INVOICE_EVENTS, documents.po_id, Typed("PoInvoiceBlocked", event))]

    def documents(self, po_id: str, system: str, order: OrderFields, lines: frozenset[str] | None = None) -> Documents:
        """The order with all its documents, or the ``lines`` of it with those that speak of them."""
        counted = self._count(po_id, order)
        if lines is None:
            receipts, invoices = self.receipts.of(po_id), self.invoices.of(po_id)
            known, part = self.proposals.of(po_id), counted.pieces
        else:
            receipts, invoices = self.receipts.of_lines(po_id, lines), self.invoices.of_lines(po_id, lines)
            known, part = self.proposals.of_lines(po_id, lines), counted.part(lines)
        return Documents(po_id, system, part, counted.convert(receipts), counted.convert(invoices), known)

    def _count(self, po_id: str, order: OrderFields) -> Counted:
        """The order, counted anew only when it was said anew."""
        known = self._counted.pop(po_id, None)
        counted = known if known is not None and known.said is order else count(order)
        self._counted[po_id] = counted
        if len(self._counted) > MAX_REMEMBERED:
            del self._counted[next(iter(self._counted))]
        return counted

    def lines_touched_by(self, row: Row) -> frozenset[str]:
        """The lines for which a row of theirs changes what counts."""
        match row:
            case ReceiptState():
                return self.receipts.touched_by(row.po_id, row)
            case InvoiceState():
                return self.invoices.touched_by(row.po_id, row)
            case ProposedAsset():
                return frozenset({row.line_id})
            case OrderState():
                return frozenset(line.line_id for line in row.fields.lines)

    def _follow_proposal(self, key: str, old: ProposedAsset | None, new: ProposedAsset | None) -> None:
        po_id = order_of(key)
        if new is not None and new.conflict:
            self._disputed.setdefault(po_id, {})[key] = None
        elif old is not None and old.conflict:
            self._disputed[po_id].pop(key, None)
            if not self._disputed[po_id]:
                del self._disputed[po_id]

    def _keep(self, po_id: str, before: Rows, after: Rows) -> None:
        for key, row in after.items():
            if row != before.get(key):
                self.proposals.table.put(f"{po_id}|{key}", row)
        for key in before.keys() - after.keys():
            self.proposals.table.delete(f"{po_id}|{key}")

    def _note_conflict(self, po_id: str, system: str) -> None:
        """Invariant 9: what the order says against the books is visible until they agree or a person settles it."""
        key = f"{po_id}|acquisitions|{system}"
        rows = (self.proposals.table.get(name) for name in sorted(self._disputed.get(po_id, ())))
        disputed = [row for row in rows if row is not None]
        if not disputed:
            self._conflicts.delete(key)
            return
        row = Conflict(
            canonical_id=po_id,
            field="acquisitions",
            owner=system,
            system=system,
            owned_value=f"{len(disputed)} decided for lines {', '.join(sorted({row.line_id for row in disputed}))}",
            foreign_value=disputed[0].conflict,
            detected_at=self._clock(),
        )
        keep_conflict(self._conflicts, row)


def check_sum(total: Decimal, parts: Iterable[Decimal], field: str) -> None:
    """Raise ``Rejected`` unless the parts add up to the total (Invariant 11)."""
    found = sum(parts, Decimal(0))
    if found != total:
        # Invariant 11: a sum stays the sum of its parts.
        raise Rejected(f"is {total}, but the lines add up to {found}", field=field, remedy="correct it at its source")


def changed_names(old: Model | None, new: Model) -> tuple[str, ...]:
    """Names of the fields that differ; all of them when there was nothing before."""
    return tuple(name for name in type(new).model_fields if old is None or getattr(old, name) != getattr(new, name))


def _check_receipt(fields: ReceiptFields) -> None:
    for place, line in enumerate(fields.lines):
        where = f"fields.lines[{place}]"
        if line.accepted < 0 or line.rejected < 0:
            raise Rejected("a quantity is negative", field=where, remedy="report what went back as a reversal")
        if line.quantity != line.accepted + line.rejected:
            raise Rejected(
                f"{line.quantity} received is not {line.accepted} accepted and {line.rejected} rejected",
                field=where,
                remedy="correct it at its source",
            )


def _check_taxes(lines: Iterable[OrderLine | InvoiceLine]) -> None:
    for place, line in enumerate(lines):
        tax, recoverable = line.tax_amount, line.recoverable_tax
        if recoverable is not None and (tax is None or abs(recoverable) > abs(tax) or recoverable * tax < 0):
            raise Rejected(
                f"{recoverable} of {tax if tax is not None else 'no'} tax cannot be recoverable",
                field=f"fields.lines[{place}].recoverable_tax",
                remedy="correct it at its source",
            )


def _check_reversal(documents: OfOrder[Document], po_id: str, origin: Origin, reversal_of: str | None) -> None:
    if reversal_of is None:
        return
    target = documents.get(po_id, origin.model_copy(update={"native_id": reversal_of}))
    if reversal_of == origin.native_id or (target is not None and target.fields.reversal_of is not None):
        raise Rejected(
            f"{reversal_of} is itself a reversal",
            field="fields.reversal_of",
            remedy="report what arrived again as a document of its own",
        )

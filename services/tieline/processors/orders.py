"""accept, purchase orders: orders, their receipts and invoices, and the assets that come of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Generic, TypeVar

from tieline.kernel.clock import Clock
from tieline.kernel.errors import Rejected
from tieline.kernel.landscape import Capitalisation
from tieline.kernel.memory import Conflict
from tieline.kernel.model import (
    Accepted,
    ApprovalStatus,
    InvoiceEvent,
    InvoiceFields,
    InvoiceLine,
    InvoiceReport,
    InvoiceState,
    Model,
    OrderEvent,
    OrderFields,
    OrderLine,
    OrderReport,
    OrderState,
    Origin,
    ProposedAsset,
    ReceiptEvent,
    ReceiptFields,
    ReceiptReport,
    ReceiptState,
)
from tieline.kernel.records import Outbound, Typed
from tieline.kernel.tables import Table
from tieline.processors.acquisitions import Documents, acquire, proposal_id
from tieline.processors.bookings import Cause, Rows, acquired_records, book_changes
from tieline.processors.cost_sources import CostSources
from tieline.processors.documents import document_ref
from tieline.processors.hearing import is_news, is_older
from tieline.processors.quantities import in_order_units, in_pieces

ORDER_EVENTS = "procurement.purchase-order.event.v1"
RECEIPT_EVENTS = "procurement.receipt.event.v1"
INVOICE_EVENTS = "procurement.invoice.event.v1"

M = TypeVar("M", bound=Model)


class Orders:
    """What the hub believes of orders and their documents. ``conflicts`` is accept's own table."""

    def __init__(self, rule: Capitalisation, conflicts: Table[Conflict], sources: CostSources, clock: Clock) -> None:
        self._sources = sources
        self._rule = rule
        self._conflicts = conflicts
        self._clock = clock
        self.orders: Table[OrderState] = Table("procurement.purchase-order.state.v1", OrderState)
        self.receipts = OfOrder("procurement.receipt.state.v1", ReceiptState)
        self.invoices = OfOrder("procurement.invoice.state.v1", InvoiceState, self._sources.follow_invoice)
        self.proposals = OfOrder("asset.proposed-asset.state.v1", ProposedAsset)

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
        was_approved = state is not None and state.fields.approval_status is ApprovalStatus.APPROVED
        approved_now = fields.approval_status is ApprovalStatus.APPROVED and not was_approved
        effective = fields.order_date or origin.recorded_at.date()
        cause = Cause(document_ref(origin.system, origin.native_id), origin.recorded_at.date(), origin)
        booked = self._fold(po_id, origin.system, fields, cause)
        accepted = Accepted(
            version=version,
            origin_system=origin.system,
            origin_native_id=origin.native_id,
            effective_date=effective,
            recorded_at=origin.recorded_at,
            changed_fields=changed_names(state.fields if state else None, fields),
        )
        records = tuple(acquired_records(self.proposals.of(po_id)).values())
        event = OrderEvent(po_id=po_id, accepted=accepted, fields=fields, records=records)
        return [Outbound(ORDER_EVENTS, po_id, Typed("PoApproved" if approved_now else "PoChanged", event)), *booked]

    def accept_receipt(self, po_id: str, report: ReceiptReport) -> list[Outbound]:
        """The receipt's event, once, then what follows for the books. Raises ``Rejected``."""
        fields, origin = report.fields, report.origin
        _check_receipt(fields)
        known = self.receipts.get(po_id, origin)
        if known is not None:
            _check_unchanged(known.fields, fields, "receipt")
            return []
        _check_reversal(self.receipts, po_id, origin, fields.reversal_of)
        row = ReceiptState(
            po_id=po_id,
            version=1,
            origin_system=origin.system,
            origin_native_id=origin.native_id,
            fields=fields,
        )
        self.receipts.put(po_id, origin, row)
        event = ReceiptEvent(po_id=po_id, accepted=_first(origin, fields, fields.received_on), fields=fields)
        name = "GoodsReceived" if fields.reversal_of is None else "GoodsReceiptReversed"
        cause = Cause(document_ref(origin.system, origin.native_id), fields.received_on, origin)
        booked = self._fold_known(po_id, fields.order_system or origin.system, cause)
        return [Outbound(RECEIPT_EVENTS, po_id, Typed(name, event)), *booked]

    def accept_invoice(self, po_id: str, report: InvoiceReport) -> list[Outbound]:
        """The invoice's event, once, then what follows for the books. Raises ``Rejected``."""
        fields, origin = report.fields, report.origin
        check_sum(fields.net_total, (line.net_amount for line in fields.lines), "fields.net_total")
        _check_taxes(fields.lines)
        known = self.invoices.get(po_id, origin)
        if known is not None:
            _check_unchanged(known.fields, fields, "supplier invoice")
            return []
        order = self.orders.get(po_id)
        if order is not None and order.fields.currency != fields.currency:
            raise Rejected(
                f"is {fields.currency}, the order is in {order.fields.currency}",
                field="fields.currency",
                remedy="report the invoice in the order's currency",
            )
        _check_reversal(self.invoices, po_id, origin, fields.reversal_of)
        row = InvoiceState(
            po_id=po_id,
            version=1,
            origin_system=origin.system,
            origin_native_id=origin.native_id,
            fields=fields,
        )
        self.invoices.put(po_id, origin, row)
        self._sources.note_invoice(report)
        event = InvoiceEvent(po_id=po_id, accepted=_first(origin, fields, fields.invoiced_on), fields=fields)
        name = "InvoiceMatched" if fields.reversal_of is None else "InvoiceReversed"
        cause = Cause(document_ref(origin.system, origin.native_id), fields.invoiced_on, origin)
        booked = self._fold_known(po_id, fields.order_system or origin.system, cause)
        return [Outbound(INVOICE_EVENTS, po_id, Typed(name, event)), *booked]

    def _fold_known(self, po_id: str, system: str, cause: Cause) -> list[Outbound]:
        """The folding, if the order itself was accepted; else its documents wait here for it."""
        order = self.orders.get(po_id)
        return [] if order is None else self._fold(po_id, system, order.fields, cause)

    def _fold(self, po_id: str, system: str, order: OrderFields, cause: Cause) -> list[Outbound]:
        receipts, invoices = self.receipts.of(po_id), self.invoices.of(po_id)
        known = self.proposals.of(po_id)
        if not receipts and not invoices and not known:
            return []
        before = {proposal_id(row): row for row in known}
        documents = Documents(
            po_id, system, in_pieces(order), in_order_units(order, receipts), in_order_units(order, invoices), known
        )
        after = {
            key: row if row == before.get(key) else row.model_copy(update={"version": row.version + 1})
            for key, row in acquire(documents, self._rule).items()
        }
        self._keep(po_id, before, after)
        self._note_conflict(po_id, system, after)
        return [
            Outbound(ORDER_EVENTS, po_id, Typed(name, event))
            for name, event in book_changes(before, after, documents.order, cause, self._rule)
        ]

    def _keep(self, po_id: str, before: Rows, after: Rows) -> None:
        for key, row in after.items():
            if row != before.get(key):
                self.proposals.table.put(f"{po_id}|{key}", row)
        for key in before.keys() - after.keys():
            self.proposals.table.delete(f"{po_id}|{key}")

    def _note_conflict(self, po_id: str, system: str, rows: Rows) -> None:
        """Invariant 9: what the order says against the books is visible until they agree or a person settles it."""
        key = f"{po_id}|acquisitions|{system}"
        disputed = [row for row in rows.values() if row.conflict]
        if not disputed:
            self._conflicts.delete(key)
            return
        known = self._conflicts.get(key)
        row = Conflict(
            canonical_id=po_id,
            field="acquisitions",
            owner=system,
            system=system,
            owned_value=f"{len(disputed)} decided for lines {', '.join(sorted({row.line_id for row in disputed}))}",
            foreign_value=disputed[0].conflict,
            detected_at=known.detected_at if known else self._clock(),
        )
        if row != known:
            self._conflicts.put(key, row)


class OfOrder(Generic[M]):
    """A table of what belongs to orders, keyed ``<order id>|…``, with its index by order."""

    def __init__(
        self, topic: str, kind: type[M], on_change: Callable[[str, M | None, M | None], None] | None = None
    ) -> None:
        self.table: Table[M] = Table(topic, kind, partition_by=_order_of, on_change=self._follow)
        self._on_change = on_change
        self._keys: dict[str, dict[str, None]] = {}

    def of(self, po_id: str) -> list[M]:
        """All rows of the order, by key."""
        rows = ((key, self.table.get(key)) for key in sorted(self._keys.get(po_id, ())))
        return [row for _, row in rows if row is not None]

    def get(self, po_id: str, origin: Origin) -> M | None:
        """The row of one document."""
        return self.table.get(f"{po_id}|{document_ref(origin.system, origin.native_id)}")

    def put(self, po_id: str, origin: Origin, row: M) -> None:
        """Set the row of one document."""
        self.table.put(f"{po_id}|{document_ref(origin.system, origin.native_id)}", row)

    def _follow(self, key: str, old: M | None, new: M | None) -> None:
        if self._on_change is not None:
            self._on_change(key, old, new)
        keys = self._keys.setdefault(_order_of(key), {})
        if new is None:
            keys.pop(key, None)
        else:
            keys[key] = None
        if not keys:
            del self._keys[_order_of(key)]


def check_sum(total: Decimal, parts: Iterable[Decimal], field: str) -> None:
    """Raise ``Rejected`` unless the parts add up to the total (Invariant 11)."""
    found = sum(parts, Decimal(0))
    if found != total:
        # Invariant 11: a sum stays the sum of its parts.
        raise Rejected(f"is {total}, but the lines add up to {found}", field=field, remedy="correct it at its source")


def changed_names(old: Model | None, new: Model) -> tuple[str, ...]:
    """Names of the fields that differ; all of them when there was nothing before."""
    return tuple(name for name in type(new).model_fields if old is None or getattr(old, name) != getattr(new, name))


def _order_of(key: str) -> str:
    return key.split("|", 1)[0]


def _first(origin: Origin, fields: ReceiptFields | InvoiceFields, effective: object) -> Accepted:
    return Accepted.model_validate(
        {
            "version": 1,
            "origin_system": origin.system,
            "origin_native_id": origin.native_id,
            "effective_date": effective,
            "recorded_at": origin.recorded_at,
            "changed_fields": tuple(type(fields).model_fields),
        }
    )


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


def _check_unchanged(known: Model, fields: Model, what: str) -> None:
    if known != fields:
        raise Rejected(f"a {what} was changed", field="fields", remedy="correct it by a reversal in its system")


def _check_reversal(
    documents: OfOrder[ReceiptState] | OfOrder[InvoiceState], po_id: str, origin: Origin, reversal_of: str | None
) -> None:
    if reversal_of is None:
        return
    target = documents.get(po_id, origin.model_copy(update={"native_id": reversal_of}))
    if reversal_of == origin.native_id or (target is not None and target.fields.reversal_of is not None):
        raise Rejected(
            f"{reversal_of} is itself a reversal",
            field="fields.reversal_of",
            remedy="report what arrived again as a document of its own",
        )

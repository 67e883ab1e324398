"""What receipts and invoices say together of one order line, whatever order they came in. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from tieline.kernel.model import InvoiceLine, InvoiceState, MatchType, OrderLine, ReceiptState


@dataclass(frozen=True, slots=True)
class Delivered:
    """One document's delivery for a line, less what was taken back of it. ``document`` is system/native id."""

    document: str
    quantity: Decimal
    on: dt.date


@dataclass(frozen=True, slots=True)
class Charged:
    """All that was invoiced for a line, less what was taken back. ``cost`` is net plus the tax nobody refunds."""

    quantity: Decimal
    cost: Decimal


def document_ref(system: str, native_id: str) -> str:
    """``system/native id``: a document's identity, however often and under whichever event id it is sent (T02)."""
    return f"{system}/{native_id}"


def cost_of(net_amount: Decimal, tax_amount: Decimal | None, recoverable_tax: Decimal | None) -> Decimal:
    """Net amount and the tax that is not reclaimed; where nothing is said of it, all tax is reclaimed."""
    if tax_amount is None or recoverable_tax is None:
        return net_amount
    return net_amount + tax_amount - recoverable_tax


def line_cost(line: OrderLine | InvoiceLine) -> Decimal:
    """``cost_of`` a line, all its units together."""
    return cost_of(line.net_amount, line.tax_amount, line.recoverable_tax)


def acquired_by_invoice(line: OrderLine) -> bool:
    """Whether the invoice alone shows the delivery: no receipt is expected, or none is matched."""
    return not line.gr_expected or line.match_type is MatchType.TWO_WAY


def deliveries(
    line: OrderLine, receipts: Sequence[ReceiptState], invoices: Sequence[InvoiceState]
) -> tuple[Delivered, ...]:
    """What was delivered for a line, by date, then document; documents that are wholly taken back have quantity 0.

    Every line of every document counts, also if two are alike (T01). A reversal that comes before its document waits
    for it. A quantity is negative when more was taken back than the document had.
    """
    days: dict[str, dt.date] = {}
    net: dict[str, Decimal] = {}
    for document, on, reversal_of, quantity in _moves(line, receipts, invoices):
        if reversal_of is None:
            days[document] = on
        ref = document if reversal_of is None else reversal_of
        net[ref] = net.get(ref, Decimal(0)) + (quantity if reversal_of is None else -quantity)
    found = [Delivered(document, net[document], on) for document, on in days.items()]
    return tuple(sorted(found, key=lambda delivered: (delivered.on, delivered.document)))


def charges(line: OrderLine, invoices: Sequence[InvoiceState]) -> Charged:
    """What was invoiced for a line; a reversal takes off what its own lines say, once the invoice itself is known."""
    quantity = cost = Decimal(0)
    known = {document_ref(invoice.origin_system, invoice.origin_native_id) for invoice in invoices}
    for invoice in invoices:
        _, _, reversal_of = _identity(invoice)
        if reversal_of is not None and reversal_of not in known:
            continue
        sign = 1 if reversal_of is None else -1
        for charged in invoice.fields.lines:
            if charged.line_id == line.line_id:
                quantity += sign * charged.quantity
                cost += sign * line_cost(charged)
    return Charged(quantity, cost)


def _moves(
    line: OrderLine, receipts: Sequence[ReceiptState], invoices: Sequence[InvoiceState]
) -> list[tuple[str, dt.date, str | None, Decimal]]:
    """Document, date, the document it takes back if it is a reversal, and its quantity for the line."""
    found: list[tuple[str, dt.date, str | None, Decimal]] = []
    if acquired_by_invoice(line):
        for invoice in invoices:
            charged = [part.quantity for part in invoice.fields.lines if part.line_id == line.line_id]
            if any(charged):
                found.append((*_identity(invoice), sum(charged, Decimal(0))))
        return found
    for receipt in receipts:
        accepted = [part.accepted for part in receipt.fields.lines if part.line_id == line.line_id]
        if accepted:
            found.append((*_identity(receipt), sum(accepted, Decimal(0))))
    return found


def _identity(state: ReceiptState | InvoiceState) -> tuple[str, dt.date, str | None]:
    system, reversal_of = state.origin_system, state.fields.reversal_of
    on = state.fields.received_on if isinstance(state, ReceiptState) else state.fields.invoiced_on
    reversed_ref = document_ref(system, reversal_of) if reversal_of else None
    return document_ref(system, state.origin_native_id), on, reversed_ref

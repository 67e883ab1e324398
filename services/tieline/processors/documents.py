"""What receipts and invoices say together of one order line, whatever order they came in. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Generic, TypeVar

from tieline.kernel.order_records import (
    InvoiceFields,
    InvoiceLine,
    InvoiceState,
    MatchType,
    OrderLine,
    ReceiptFields,
    ReceiptLine,
    ReceiptState,
)

Part = TypeVar("Part", ReceiptLine, InvoiceLine)


@dataclass(frozen=True, slots=True)
class Said(Generic[Part]):
    """What one document says of one order line. ``reversal_of`` is the document it takes back, if it is a reversal."""

    document: str
    on: dt.date
    reversal_of: str | None
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class LineDocuments:
    """What all documents of an order say of one of its lines; a reversal only once its document is known."""

    receipts: list[Said[ReceiptLine]] = field(default_factory=list)
    invoices: list[Said[InvoiceLine]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Delivered:
    """One document's delivery for a line: what it ``brought``, and ``quantity``, less what was taken back of it.

    ``document`` is system/native id.
    """

    document: str
    quantity: Decimal
    on: dt.date
    brought: Decimal


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


def document_date(fields: ReceiptFields | InvoiceFields) -> dt.date:
    """The business date of a document."""
    return fields.received_on if isinstance(fields, ReceiptFields) else fields.invoiced_on


def reversed_ref(state: ReceiptState | InvoiceState) -> str | None:
    """The document that this one takes back, as system/native id; None if it is no reversal."""
    reversal_of = state.fields.reversal_of
    return document_ref(state.origin_system, reversal_of) if reversal_of else None


def by_line(receipts: Sequence[ReceiptState], invoices: Sequence[InvoiceState]) -> Mapping[str, LineDocuments]:
    """Documents by order line: one pass over all of them, so that each line looks at its own only."""
    found: dict[str, LineDocuments] = {}
    for receipt, line_id, delivered in _said((state, state.fields.lines) for state in receipts):
        found.setdefault(line_id, LineDocuments()).receipts.append(Said(*_identity(receipt), delivered))
    for invoice, line_id, charged in _said((state, state.fields.lines) for state in invoices):
        found.setdefault(line_id, LineDocuments()).invoices.append(Said(*_identity(invoice), charged))
    return found


def deliveries(line: OrderLine, documents: LineDocuments) -> tuple[Delivered, ...]:
    """What was delivered for a line, by date, then document; documents that are wholly taken back have quantity 0.

    Every line of every document counts, also if two are alike (T01). A reversal that comes before its document waits
    for it. A quantity is negative when more was taken back than the document had.
    """
    brought: dict[str, tuple[dt.date, Decimal]] = {}
    back: dict[str, Decimal] = {}
    for document, on, reversal_of, quantity in _moves(line, documents):
        if reversal_of is None:
            brought[document] = (on, quantity)
        else:
            back[reversal_of] = back.get(reversal_of, Decimal(0)) + quantity
    found = [
        Delivered(document, quantity - back.get(document, Decimal(0)), on, quantity)
        for document, (on, quantity) in brought.items()
    ]
    return tuple(sorted(found, key=lambda delivered: (delivered.on, delivered.document)))


def charges(documents: LineDocuments) -> Charged:
    """What was invoiced for a line; a reversal takes off what its own lines say."""
    quantity = cost = Decimal(0)
    for said in documents.invoices:
        sign = 1 if said.reversal_of is None else -1
        for charged in said.parts:
            quantity += sign * charged.quantity
            cost += sign * line_cost(charged)
    return Charged(quantity, cost)


def _moves(line: OrderLine, documents: LineDocuments) -> list[tuple[str, dt.date, str | None, Decimal]]:
    """Document, date, the document it takes back if it is a reversal, and its quantity for the line."""
    if acquired_by_invoice(line):
        return [
            (said.document, said.on, said.reversal_of, sum((part.quantity for part in said.parts), Decimal(0)))
            for said in documents.invoices
            if any(part.quantity for part in said.parts)
        ]
    return [
        (said.document, said.on, said.reversal_of, sum((part.accepted for part in said.parts), Decimal(0)))
        for said in documents.receipts
    ]


State = TypeVar("State", ReceiptState, InvoiceState)


def _said(
    documents: Iterable[tuple[State, tuple[Part, ...]]],
) -> list[tuple[State, str, tuple[Part, ...]]]:
    """Document, order line and the document's lines for it; reversals whose document is not known are left out."""
    rows = list(documents)
    known = {document_ref(state.origin_system, state.origin_native_id) for state, _ in rows}
    found: list[tuple[State, str, tuple[Part, ...]]] = []
    for state, lines in rows:
        ref = reversed_ref(state)
        if ref is not None and ref not in known:
            continue
        parts: dict[str, list[Part]] = {}
        for part in lines:
            parts.setdefault(part.line_id, []).append(part)
        found += [(state, line_id, tuple(same)) for line_id, same in parts.items()]
    return found


def _identity(state: ReceiptState | InvoiceState) -> tuple[str, dt.date, str | None]:
    ref = document_ref(state.origin_system, state.origin_native_id)
    return ref, document_date(state.fields), reversed_ref(state)

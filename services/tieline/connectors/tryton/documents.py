"""Receipts, supplier invoices and depreciation runs of Tryton as reports. Pure.

Tryton has no receipt as a document of an order: a shipment may hold goods of several, and a move may have none. Each
stock move of a purchase line is one receipt, and what a supplier's invoice charges for one order is one invoice.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from tieline.connectors.tryton.building import Context, checked, origin_of, period_name, quantity_of
from tieline.connectors.tryton.models import (
    LineOfOrder,
    MoveOfLine,
    OrderOfInvoice,
    PostedDepreciation,
    ReceivedLine,
    StockMove,
    SupplierInvoice,
    SupplierInvoiceLineOf,
    SymbolRow,
)
from tieline.kernel.book_records import DepreciationRunFields, DepreciationRunReport, RunStatus
from tieline.kernel.errors import Rejected
from tieline.kernel.order_records import (
    InvoiceFields,
    InvoiceLine,
    InvoiceReport,
    ReceiptFields,
    ReceiptLine,
    ReceiptReport,
)

SUPPLIER = "supplier"
BOOK_ID = "main"
CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Goods:
    """So much of what an order line bought."""

    order: str
    line: str
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Charges:
    """What an invoice says of one order."""

    order: str
    lines: list[InvoiceLine] = field(default_factory=list)


def receipt_reports(context: Context, move: StockMove) -> tuple[ReceiptReport, ...]:
    """What one stock move received, or what it sent back of each receipt, the latest first.

    A move cancelled after it was done is a receipt and its reversal. Goods go back by the order line they came for, or
    by a return order: then the lines of the same product of the order it returns are meant.
    """
    _check_unit(move.unit, move.line.unit, "unit.symbol")
    if move.from_location.type == SUPPLIER:
        goods, native_id = Goods(str(move.line.purchase.id), str(move.line.id), move.quantity), str(move.id)
        received = _receipt(context, move, native_id, goods)
        if move.state != CANCELLED:
            return (received,)
        return (received, _receipt(context, move, f"{native_id}|{CANCELLED}", goods, native_id))
    if move.to_location.type != SUPPLIER or move.state == CANCELLED:
        # Moved inside the house; or sent back and cancelled since, which leaves the reversal to a person.
        return ()
    taken = list(_taken_back(move))
    left = move.quantity - sum((goods.quantity for _, goods in taken), Decimal(0))
    if left:
        raise Rejected(
            f"{left.normalize():f} went back to the supplier that no receipt of its order line brought",
            field="quantity",
            remedy="in Tryton, return goods by the order they came on, or by a return order made of it",
        )
    return tuple(_receipt(context, move, f"{move.id}|{receipt}", goods, receipt) for receipt, goods in taken)


def _taken_back(move: StockMove) -> Iterator[tuple[str, Goods]]:
    """Which receipt a return takes back, and what of it: of the latest first, less what returns before it took."""
    lines = _lines_returned(move)
    came = [
        (row, line, order)
        for line, order in lines
        for row in _done(line.moves)
        if row.effective_date and row.effective_date <= move.effective_date
    ]
    came.sort(key=lambda found: _place(found[0]), reverse=True)
    sent = {
        row.id: row for line in (move.line, *(line for line, _ in lines)) for row in _done(line.moves, arriving=False)
    }
    gone = sum((row.quantity for row in sent.values() if _place(row) < _place(move)), Decimal(0))
    left = move.quantity
    for row, line, order in came:
        there = max(row.quantity - gone, Decimal(0))
        gone -= row.quantity - there
        quantity = min(there, left)
        if quantity:
            left -= quantity
            yield str(row.id), Goods(order, str(line.id), quantity)


def _lines_returned(move: StockMove) -> list[tuple[ReceivedLine, str]]:
    """The order lines that a return may mean, each with the id of its order."""
    purchase = move.line.purchase
    if any(_done(move.line.moves)) or purchase.origin is None:
        return [(move.line, str(purchase.id))]
    returned = purchase.origin
    return [(line, str(returned.id)) for line in returned.lines if line.product == move.line.product]


def _done(moves: Sequence[MoveOfLine], *, arriving: bool = True) -> list[MoveOfLine]:
    return [row for row in moves if row.state == "done" and (row.from_location.type == SUPPLIER) is arriving]


def _place(move: MoveOfLine | StockMove) -> tuple[dt.date, int]:
    return (move.effective_date or dt.date.max, move.id)


def _receipt(
    context: Context, move: StockMove, native_id: str, goods: Goods, reversal_of: str | None = None
) -> ReceiptReport:
    number = quantity_of(goods.quantity, "quantity") or Decimal(0)

    def build() -> ReceiptReport:
        fields = ReceiptFields(
            order_native_id=goods.order,
            number=move.shipment.number if move.shipment else None,
            # Tryton keeps no day of a cancellation: it never came.
            received_on=move.effective_date,
            # What is not accepted is sent back by a move of its own: Tryton knows no rejected quantity.
            lines=(ReceiptLine(line_id=goods.line, quantity=number, accepted=number, rejected=Decimal(0)),),
            reversal_of=reversal_of,
        )
        return ReceiptReport(origin=origin_of(context, "receipt", native_id, (move.changed_at,), None), fields=fields)

    return checked(build, "fields")


def invoice_reports(context: Context, invoice: SupplierInvoice) -> tuple[InvoiceReport, ...]:
    """What an invoice charges for each order, then what it credits of each invoice, then its cancellation, if any."""
    found: dict[tuple[str, str | None], Charges] = {}
    for place, line in enumerate(invoice.lines):
        model, _, origin = (line.origin or "").partition(",")
        if line.type != "line" or model not in {"purchase.line", "account.invoice.line"}:
            continue
        credited = model == "account.invoice.line"
        before, bought, orders = (
            _credited(invoice, origin, f"lines[{place}].origin") if credited else (None, origin, invoice.purchases)
        )
        order = next((o for o in orders if any(str(one.id) == bought for one in o.lines)), None)
        if order is None:
            raise Rejected("is on no order of the invoice", field=f"lines[{place}].origin", remedy="read it again")
        charges = found.setdefault((str(order.id), before), Charges(str(order.id)))
        charges.lines.append(_charge(line, _bought(order, bought), place, credit=credited))
    reports = [
        _invoice(context, invoice, f"{invoice.id}|{order}", charges)
        if before is None
        else _invoice(context, invoice, f"{invoice.id}|{order}|{before}", charges, f"{before}|{order}")
        for (order, before), charges in found.items()
    ]
    if invoice.state != CANCELLED or _is_refunded(invoice):
        return tuple(reports)
    return tuple(each for report in reports for each in (report, _undone(context, invoice, report)))


def _undone(context: Context, invoice: SupplierInvoice, report: InvoiceReport) -> InvoiceReport:
    """The reversal of a cancelled invoice; what a cancelled credit took off is charged again, by another document."""
    fields, native_id = report.fields, report.origin.native_id
    charges = Charges(fields.order_native_id, list(fields.lines))
    reversal_of = native_id if fields.reversal_of is None else None
    return _invoice(context, invoice, f"{native_id}|{CANCELLED}", charges, reversal_of)


def _is_refunded(invoice: SupplierInvoice) -> bool:
    """Whether a credit note cancelled it: that reports itself."""
    return invoice.cancel_move is not None and (invoice.cancel_move.origin or "").startswith("account.invoice,")


def _bought(order: OrderOfInvoice, line_id: str) -> LineOfOrder:
    return next(line for line in order.lines if str(line.id) == line_id)


def _credited(invoice: SupplierInvoice, invoice_line: str, where: str) -> tuple[str, str, Sequence[OrderOfInvoice]]:
    """The invoice that has the line, the order line that it charged, and the invoice's orders."""
    for before in invoice.credited:
        for line in before.lines:
            model, _, bought = (line.origin or "").partition(",")
            if str(line.id) == invoice_line and model == "purchase.line":
                return str(before.id), bought, before.purchases
    raise Rejected(
        "credits a line that charges no order line itself",
        field=where,
        remedy="enter what is charged again as a new invoice of the order",
    )


def _charge(line: SupplierInvoiceLineOf, bought: LineOfOrder, place: int, *, credit: bool) -> InvoiceLine:
    where, sign = f"lines[{place}]", -1 if credit else 1
    if line.quantity:
        _check_unit(line.unit, bought.unit, f"{where}.unit.symbol")

    def build() -> InvoiceLine:
        return InvoiceLine(
            line_id=str(bought.id),
            quantity=sign * (quantity_of(line.quantity, f"{where}.quantity") or Decimal(0)),
            net_amount=sign * (line.amount or Decimal(0)),
        )

    return checked(build, where)


def _invoice(
    context: Context, invoice: SupplierInvoice, native_id: str, charges: Charges, reversal_of: str | None = None
) -> InvoiceReport:
    day = invoice.invoice_date or invoice.accounting_date
    if native_id.endswith(CANCELLED) and invoice.cancel_move is not None:
        day = invoice.cancel_move.date
    if day is None:
        raise Rejected("is missing", field="invoice_date", remedy="enter the date of the invoice in Tryton")

    def build() -> InvoiceReport:
        fields = InvoiceFields(
            order_native_id=charges.order,
            number=invoice.number,
            invoiced_on=day,
            currency=invoice.currency.code or "",
            net_total=sum((line.net_amount for line in charges.lines), Decimal(0)),
            lines=tuple(charges.lines),
            reversal_of=reversal_of,
        )
        origin = origin_of(context, "invoice", native_id, (invoice.changed_at,), None)
        return InvoiceReport(origin=origin, fields=fields)

    return checked(build, "fields")


def run_report(context: Context, period: PostedDepreciation) -> DepreciationRunReport:
    """The depreciation of one period as the general ledger has it: a witness beside the schedules of the assets."""

    def build() -> DepreciationRunReport:
        fields = DepreciationRunFields(
            company=period.company.party.code or "",
            book_id=BOOK_ID,
            period=period_name(period),
            currency=period.company.currency.code or "",
            expected_count=period.posted_count,
            control_total=period.posted_debit,
            status=RunStatus.RUNNING if period.draft_count else RunStatus.COMPLETED,
        )
        origin = origin_of(context, "depreciation-run", str(period.id), (period.changed_at,), None)
        return DepreciationRunReport(origin=origin, fields=fields)

    return checked(build, "fields")


def _check_unit(said: SymbolRow | None, ordered: SymbolRow | None, field: str) -> None:
    if said is not None and ordered is not None and said.id != ordered.id:
        raise Rejected(
            f"is {said.symbol}, the order line is in {ordered.symbol}",
            field=field,
            remedy="enter it in the unit of the order line in Tryton",
        )

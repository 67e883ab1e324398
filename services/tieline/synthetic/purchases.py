"""What the ERP says of orders, receipts and invoices, chapter by chapter, and the labels of orders and shells."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal

from tieline.kernel.asset_records import AssetFields, PhysicalStatus
from tieline.kernel.order_records import (
    ApprovalStatus,
    InvoiceFields,
    InvoiceLine,
    InvoiceReport,
    OrderFields,
    OrderLine,
    OrderReport,
    ReceiptFields,
    ReceiptLine,
    ReceiptReport,
)
from tieline.kernel.vocabulary import Money, Origin
from tieline.synthetic.estate import class_of
from tieline.synthetic.labels import AssetLabel, OrderLabel, UnitLabel
from tieline.synthetic.orders import (
    BOOKED,
    Document,
    Line,
    Order,
    Terms,
    Unit,
    orders_of,
    told_units,
    unit_ref,
    units_of,
)
from tieline.synthetic.shape import ERP, Chapter, Kind, Shape, instant

LONGEST = 2
"""Months in which an order is spoken of after its own."""


def purchase_reports(shape: Shape, chapter: Chapter) -> Iterator[OrderReport | ReceiptReport | InvoiceReport]:
    """Everything of orders in a chapter; an early delivery comes before its order."""
    if chapter.kind is not Kind.TRADE:
        return
    for month in range(chapter.month - LONGEST, chapter.month + 1):
        for order in orders_of(shape, month):
            yield from _told(order, chapter.month)


def order_label(shape: Shape, order: Order) -> OrderLabel:
    """The order as it must stand at the end."""
    amount = order.company.amount
    return OrderLabel(
        native_id=order.native_id,
        company=order.company.code,
        currency=order.company.currency,
        net_total=amount(sum(line.net for line in order.lines)),
        closed=order.closes is not None and order.closes <= shape.months,
        blanket=order.terms is Terms.BLANKET,
        cancelled=order.cancelled_in is not None and order.cancelled_in <= shape.months,
        receipts=len(order.receipts),
        invoices=len(order.invoices),
        units=tuple(
            UnitLabel(
                line_id=unit.line.line_id,
                unit=unit.number,
                status=unit.status,
                cost=None if unit.cost is None else amount(unit.cost),
            )
            for unit in units_of(order, shape.months)
            if unit.status is not None
        ),
    )


def shell_labels(shape: Shape, order: Order) -> Iterator[AssetLabel]:
    """The asset records of units that no system has told of: what the order says, and the books where they hold it."""
    told = {unit_ref(unit) for unit in told_units(shape, order)}
    for unit in units_of(order, shape.months):
        if unit_ref(unit) not in told:
            yield AssetLabel(links={}, fields=_shell(order, unit), bought=True)


def _shell(order: Order, unit: Unit) -> AssetFields:
    is_booked = unit.status in BOOKED and unit.cost is not None
    cost = unit.cost if is_booked and unit.cost is not None else unit.line.price
    return AssetFields(
        description=_description(unit.line),
        physical_status=PhysicalStatus.ORDERED,
        company=order.company.code,
        asset_class=class_of(order.company, unit.line.class_name or ""),
        quantity=Decimal(1),
        acquisition_cost=Money(amount=order.company.amount(cost), currency=order.company.currency),
        acquisition_date=unit.received_on if is_booked else order.on,
        po_line_ref=unit_ref(unit),
    )


def _told(order: Order, month: int) -> Iterator[OrderReport | ReceiptReport | InvoiceReport]:
    yield from (_receipt(order, one) for one in order.receipts if one.month == month)
    if order.month == month:
        yield _order(order, order.on, 7)
    yield from (_invoice(order, one) for one in order.invoices if one.month == month)
    if order.closes == month:
        yield _order(order, order.company.period(month).last, 17, closed=True)
    if order.cancelled_in == month:
        yield _order(order, order.company.period(month).last, 17, cancelled=True)


def _origin(entity: str, native_id: str, day: dt.date, hour: int) -> Origin:
    return Origin(
        system=ERP, entity=entity, native_id=native_id, source_version=str(day), recorded_at=instant(day, hour)
    )


def _description(line: Line) -> str:
    return f"{line.class_name or 'Consumables'} of line {line.line_id}"


def _order(order: Order, day: dt.date, hour: int, *, closed: bool = False, cancelled: bool = False) -> OrderReport:
    company = order.company
    lines = tuple(
        OrderLine(
            line_id=line.line_id,
            line_no=number,
            description=_description(line),
            asset_class=class_of(company, line.class_name) if line.class_name else None,
            quantity=Decimal(line.quantity),
            unit="C62",
            unit_price=company.amount(line.price),
            net_amount=company.amount(line.net),
            gr_valuated=order.terms is not Terms.INVOICE_VALUED,
        )
        for number, line in enumerate(order.lines, 1)
    )
    fields = OrderFields(
        company=company.code,
        po_number=order.native_id,
        supplier=f"S{sum(map(ord, order.name)) * 37 % 2_000:04}",
        currency=company.currency,
        order_date=order.on,
        approval_status=ApprovalStatus.CANCELLED if cancelled else ApprovalStatus.APPROVED,
        net_total=company.amount(sum(line.net for line in order.lines)),
        lines=lines,
        closed=closed,
        blanket=order.terms is Terms.BLANKET,
    )
    return OrderReport(origin=_origin("purchase-order", order.native_id, day, hour), fields=fields)


def _receipt(order: Order, document: Document) -> ReceiptReport:
    lines = tuple(
        ReceiptLine(line_id=line.line_id, quantity=Decimal(quantity), accepted=Decimal(quantity), rejected=Decimal(0))
        for line, quantity, _ in document.parts
    )
    fields = ReceiptFields(
        order_native_id=order.native_id,
        number=document.native_id,
        received_on=document.on,
        lines=lines,
        reversal_of=document.reversal_of,
    )
    return ReceiptReport(origin=_origin("receipt", document.native_id, document.on, 9), fields=fields)


def _invoice(order: Order, document: Document) -> InvoiceReport:
    amount = order.company.amount
    lines = tuple(
        InvoiceLine(line_id=line.line_id, quantity=Decimal(quantity), net_amount=amount(net))
        for line, quantity, net in document.parts
    )
    fields = InvoiceFields(
        order_native_id=order.native_id,
        number=document.native_id,
        invoiced_on=document.on,
        currency=order.company.currency,
        net_total=amount(sum(net for _, _, net in document.parts)),
        lines=lines,
        reversal_of=document.reversal_of,
    )
    return InvoiceReport(origin=_origin("invoice", document.native_id, document.on, 10), fields=fields)

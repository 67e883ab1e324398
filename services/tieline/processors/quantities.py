"""Quantities of receipts and invoices in the units of the order lines they speak of. Pure.

What a system said stays as it said it; only the folding of an order's documents sees it converted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from tieline.kernel.errors import Rejected
from tieline.kernel.model import InvoiceLine, InvoiceState, OrderFields, OrderLine, ReceiptLine, ReceiptState
from tieline.kernel.units import convert
from tieline.processors.documents import document_ref

Document = TypeVar("Document", ReceiptState, InvoiceState)
Line = TypeVar("Line", ReceiptLine, InvoiceLine)

_QUANTITIES = ("quantity", "accepted", "rejected")


def in_order_units(order: OrderFields, documents: Sequence[Document]) -> list[Document]:
    """The documents with every quantity in its order line's unit; a line that names no unit is in it already.

    Raises ``Rejected`` for a unit that does not convert, and for a quantity that would have to be rounded.
    """
    ordered = {line.line_id: line for line in order.lines}
    return [_converted(document, ordered) for document in documents]


def _converted(document: Document, ordered: Mapping[str, OrderLine]) -> Document:
    fields = document.fields
    if all(line.unit is None for line in fields.lines):
        return document
    name = document_ref(document.origin_system, document.origin_native_id)
    lines = tuple(
        _line(line, ordered[line.line_id], f"lines[{place}] of {name}") if line.line_id in ordered else line
        for place, line in enumerate(fields.lines)
    )
    return document.model_copy(update={"fields": fields.model_copy(update={"lines": lines})})


def _line(line: Line, ordered: OrderLine, where: str) -> Line:
    if line.unit is None or line.unit == ordered.unit:
        return line
    if ordered.unit is None:
        raise Rejected(
            f"is in {line.unit[:40]!r}, and the order line names no unit",
            field=where,
            remedy="state the unit of the order line at its source",
        )
    update = {
        name: convert(getattr(line, name), line.unit, ordered.unit, field=f"{where}.{name}")
        for name in _QUANTITIES
        if name in type(line).model_fields
    }
    return line.model_copy(update={**update, "unit": ordered.unit})

"""Quantities of an order and its documents in common units: pieces for assets, else the order line's own. Pure.

What a system said stays as it said it; only what is made of it, asset records and their costs, sees it converted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tieline.kernel.errors import Rejected
from tieline.kernel.order_records import InvoiceLine, InvoiceState, OrderFields, OrderLine, ReceiptLine, ReceiptState
from tieline.kernel.units import UNITS, convert
from tieline.processors.documents import document_ref

Document = TypeVar("Document", ReceiptState, InvoiceState)
Line = TypeVar("Line", ReceiptLine, InvoiceLine)

_QUANTITIES = ("quantity", "accepted", "rejected")
_PIECE = "C62"


def in_pieces(order: OrderFields) -> OrderFields:
    """The order with what its asset lines count by the pair, the dozen … counted by the piece: a piece is an asset.

    Amounts are of the line, so they stay; ``unit_price`` stays too, and is that of the unit ordered.
    """
    lines = tuple(_pieces(line, place) for place, line in enumerate(order.lines))
    return order if lines == order.lines else order.model_copy(update={"lines": lines})


def _pieces(line: OrderLine, place: int) -> OrderLine:
    unit = UNITS.get(line.unit or "")
    if line.asset_class is None or unit is None or unit.dimension != UNITS[_PIECE].dimension or unit.factor == 1:
        return line
    quantity = convert(line.quantity, unit.code, _PIECE, field=f"fields.lines[{place}].quantity")
    return line.model_copy(update={"quantity": quantity, "unit": _PIECE})


@dataclass(frozen=True, slots=True)
class Counted:
    """An order as it was said and in pieces, with its lines by their ids: one pass over them, then asked of a few."""

    said: OrderFields
    pieces: OrderFields
    units: Mapping[str, tuple[str | None, str | None]]
    """By line id: the unit it was said in, and the one it is counted in."""
    places: Mapping[str, Sequence[int]]

    def part(self, line_ids: Iterable[str]) -> OrderFields:
        """The order in pieces with these lines alone, in its order."""
        places = sorted(place for line_id in line_ids for place in self.places.get(line_id, ()))
        return self.pieces.model_copy(update={"lines": tuple(self.pieces.lines[place] for place in places)})

    def convert(self, documents: Sequence[Document]) -> list[Document]:
        """Documents of the order with every quantity in the unit of its line in pieces.

        A document's line that names no unit is in the order line's. Raises ``Rejected`` for a unit that does not
        convert, and for a quantity that would have to be rounded.
        """
        return [_converted(document, self.units) for document in documents]


def count(order: OrderFields) -> Counted:
    """The order, counted. Raises ``Rejected`` for a quantity that would have to be rounded."""
    pieces = in_pieces(order)
    places: dict[str, list[int]] = {}
    for place, line in enumerate(order.lines):
        places.setdefault(line.line_id, []).append(place)
    units = {said.line_id: (said.unit, counted.unit) for said, counted in zip(order.lines, pieces.lines, strict=True)}
    return Counted(order, pieces, units, places)


def _converted(document: Document, units: Mapping[str, tuple[str | None, str | None]]) -> Document:
    fields = document.fields
    name = document_ref(document.origin_system, document.origin_native_id)
    lines = tuple(
        _line(line, *units.get(line.line_id, (None, line.unit)), f"lines[{place}] of {name}")
        for place, line in enumerate(fields.lines)
    )
    if lines == fields.lines:
        return document
    return document.model_copy(update={"fields": fields.model_copy(update={"lines": lines})})


def _line(line: Line, ordered: str | None, wanted: str | None, where: str) -> Line:
    unit = line.unit or ordered
    if unit is None or unit == wanted:
        return line
    if wanted is None:
        raise Rejected(
            f"is in {unit[:40]!r}, and the order line names no unit",
            field=where,
            remedy="state the unit of the order line at its source",
        )
    update = {
        name: convert(getattr(line, name), unit, wanted, field=f"{where}.{name}")
        for name in _QUANTITIES
        if name in type(line).model_fields
    }
    return line.model_copy(update={**update, "unit": wanted})

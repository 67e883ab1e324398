"""Tables of what belongs to purchase orders, with their indexes by order and by order line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

from tieline.kernel.order_records import InvoiceState, ProposedAsset, ReceiptState
from tieline.kernel.tables import Table
from tieline.kernel.vocabulary import Model, Origin
from tieline.processors.documents import document_ref, reversed_ref

Row = TypeVar("Row", ReceiptState, InvoiceState, ProposedAsset)
_Keys = dict[str, dict[str, None]]


class OfOrder(Generic[Row]):
    """A table keyed ``<order id>|…``. ``followers`` are told of every change as ``Table.on_change`` says."""

    def __init__(self, topic: str, kind: type[Row], *followers: Callable[[str, Row | None, Row | None], None]) -> None:
        self.table: Table[Row] = Table(topic, kind, partition_by=order_of, on_change=self._follow)
        self._followers: Sequence[Callable[[str, Row | None, Row | None], None]] = followers
        self._by_order: _Keys = {}
        self._by_line: _Keys = {}
        self._by_reversed: _Keys = {}

    def of(self, po_id: str) -> list[Row]:
        """All rows of the order, by key."""
        return self._rows(self._by_order.get(po_id, ()))

    def has(self, po_id: str) -> bool:
        """Whether the order has any row."""
        return po_id in self._by_order

    def of_lines(self, po_id: str, line_ids: Iterable[str]) -> list[Row]:
        """The rows that speak of these order lines, and the documents that reversals among them take back, by key."""
        keys = {key for line_id in line_ids for key in self._by_line.get(f"{po_id}|{line_id}", ())}
        refs = (_reversed(row) for row in self._rows(keys))
        return self._rows(keys | {f"{po_id}|{ref}" for ref in refs if ref is not None})

    def touched_by(self, po_id: str, row: Row) -> frozenset[str]:
        """The lines for which a row changes what counts: its own, its document's if it reverses one, its reversals'."""
        found = set(_lines(row))
        ref = _reversed(row)
        if ref is not None and (original := self.table.get(f"{po_id}|{ref}")) is not None:
            found.update(_lines(original))
        if not isinstance(row, ProposedAsset):
            own = f"{po_id}|{document_ref(row.origin_system, row.origin_native_id)}"
            for reversal in self._rows(self._by_reversed.get(own, ())):
                found.update(_lines(reversal))
        return frozenset(found)

    def get(self, po_id: str, origin: Origin) -> Row | None:
        """The row of one document."""
        return self.table.get(f"{po_id}|{document_ref(origin.system, origin.native_id)}")

    def put(self, po_id: str, origin: Origin, row: Row) -> None:
        """Set the row of one document."""
        self.table.put(f"{po_id}|{document_ref(origin.system, origin.native_id)}", row)

    def _rows(self, keys: Iterable[str]) -> list[Row]:
        found = (self.table.get(key) for key in sorted(keys))
        return [row for row in found if row is not None]

    def _follow(self, key: str, old: Row | None, new: Row | None) -> None:
        for follower in self._followers:
            follower(key, old, new)
        for index, names in self._indexes(key, old):
            for name in names:
                index[name].pop(key, None)
                if not index[name]:
                    del index[name]
        for index, names in self._indexes(key, new):
            for name in names:
                index.setdefault(name, {})[key] = None

    def _indexes(self, key: str, row: Row | None) -> list[tuple[_Keys, Iterable[str]]]:
        if row is None:
            return []
        po_id, ref = order_of(key), _reversed(row)
        return [
            (self._by_order, (po_id,)),
            (self._by_line, {f"{po_id}|{line_id}" for line_id in _lines(row)}),
            (self._by_reversed, () if ref is None else (f"{po_id}|{ref}",)),
        ]


def order_of(key: str) -> str:
    """The order id that a key begins with."""
    return key.split("|", 1)[0]


def _lines(row: Model) -> Iterable[str]:
    if isinstance(row, ReceiptState | InvoiceState):
        return (line.line_id for line in row.fields.lines)
    return (row.line_id,) if isinstance(row, ProposedAsset) else ()


def _reversed(row: Model) -> str | None:
    return reversed_ref(row) if isinstance(row, ReceiptState | InvoiceState) else None

"""Costs that became a part of an asset's cost, and whether the ERP's books have them (T31).

No ERP is told to change a book: who keeps it posts the adjustment, and until it is posted a person sees what is
missing. Document and adjustment find each other by the movement's transaction: system/native id of the document.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from tieline.kernel.clock import Clock
from tieline.kernel.cost_records import CostState, CostTreatment
from tieline.kernel.landscape import Landscape
from tieline.kernel.memory import Conflict
from tieline.kernel.movement_records import MovementKind, MovementState
from tieline.kernel.ownership import ERP
from tieline.kernel.tables import Table
from tieline.processors.conflicts import keep_conflict
from tieline.processors.documents import document_ref

_ENDING = frozenset({MovementKind.ACQUISITION_ADJUSTMENT, MovementKind.LIFE_CHANGE})


class CapitalCosts:
    """What is to be capitalised and what was; follows the tables of cost documents and of movements."""

    def __init__(self, landscape: Landscape, conflicts: Table[Conflict], clock: Clock) -> None:
        self._landscape = landscape
        self._conflicts = conflicts
        self._clock = clock
        self._documents: dict[str, dict[str, CostState]] = {}  # original: it and its reversal
        self._movements: dict[str, dict[str, MovementState]] = {}  # original: what was posted under it

    def follow_cost(self, key: str, old: CostState | None, new: CostState | None) -> None:
        """See ``Table.on_change``."""
        if old is not None:
            self._documents.get(_original_of(old), {}).pop(key, None)
        if new is not None and new.treatment is CostTreatment.CAPITALISE and new.duplicate_of is None:
            self._documents.setdefault(_original_of(new), {})[key] = new

    def follow_movement(self, key: str, old: MovementState | None, new: MovementState | None) -> None:
        """See ``Table.on_change``."""
        for row in (old, new):
            if row is None or row.fields.transaction is None or row.fields.kind not in _ENDING:
                continue
            posted = self._movements.setdefault(row.fields.transaction, {})
            if row is new:
                posted[key] = row
            else:
                posted.pop(key, None)

    def tell_cost(self, row: CostState) -> None:
        """Make it visible what the books lack since this document was accepted (Invariant 9)."""
        self._tell(_original_of(row))

    def tell_movement(self, transaction: str | None) -> None:
        """What the books lack, and what they lack no more, since a movement was posted under this transaction."""
        self._tell(transaction or "")

    def _tell(self, original: str) -> None:
        rows = list(self._documents.get(original, {}).values())
        wanted = _wanted(rows)
        for flow in self._landscape.targets("cost-document", original.split("/", 1)[0]):
            if self._landscape.role_of(flow.target) != ERP:
                continue
            for asset_id, amount in wanted.items():
                posted = [
                    row
                    for row in self._movements.get(original, {}).values()
                    if (row.origin_system, row.asset_id) == (flow.target, asset_id)
                ]
                self._put(original, asset_id, flow.target, rows[0], _lacking(amount, rows, posted))

    def _put(self, original: str, asset_id: str, erp: str, row: CostState, lacking: tuple[str, str] | None) -> None:
        field = f"capitalise.{original}"
        if lacking is None:
            self._conflicts.delete(f"{asset_id}|{field}|{erp}")
            return
        conflict = Conflict(
            canonical_id=asset_id,
            field=field,
            owner=row.origin_system,
            system=erp,
            owned_value=lacking[0],
            foreign_value=f"{lacking[1]}: post the adjustment on the asset under transaction {original}",
            detected_at=self._clock(),
        )
        keep_conflict(self._conflicts, conflict)


def _original_of(row: CostState) -> str:
    return document_ref(row.origin_system, row.fields.reversal_of or row.origin_native_id)


def _wanted(rows: Iterable[CostState]) -> dict[str, Decimal]:
    """What the documents add to the cost of each asset in all: nothing, once they are reversed."""
    sums: dict[str, Decimal] = {}
    for row in rows:
        parts = [(share.asset_id, share.amount.amount) for share in row.shares]
        for asset_id, amount in parts or [(row.asset_id or "", row.fields.total)]:
            sums[asset_id] = sums.get(asset_id, Decimal(0)) + amount
    return sums


def _lacking(amount: Decimal, rows: list[CostState], posted: list[MovementState]) -> tuple[str, str] | None:
    """What is wanted of the books and what they have, where the two differ; every book that moved must have all."""
    booked: dict[str, Decimal] = {}
    for row in posted:
        if row.fields.kind is MovementKind.ACQUISITION_ADJUSTMENT:
            book = row.fields.book_id
            booked[book] = booked.get(book, Decimal(0)) + row.fields.cost_change
    periods = max((row.fields.extends_life_periods or 0 for row in rows), default=0) if amount else 0
    lives = any(row.fields.kind is MovementKind.LIFE_CHANGE for row in posted)
    has_cost = all(found == amount for found in booked.values()) and (bool(booked) or not amount)
    if has_cost and (lives or not periods):
        return None
    currency = rows[0].fields.currency
    life = f", useful life {periods} periods longer" if periods else ""
    have = ", ".join(f"{book} {found.normalize():f}" for book, found in sorted(booked.items())) or "nothing"
    said = f"{have} is booked" + (", with a new life" if lives else "")
    return f"capitalise {amount.normalize():f} {currency}{life}", said

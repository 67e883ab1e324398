"""The roll-forward of each book: opening, movements and posted depreciation must give the closing (IAS 16.73 e).

A difference is not refused, because it is in the ERP's books already: it stands in the figures and among the conflicts
until the document that explains it comes, or the book says otherwise.

Which movements a report contains is told by the ERP's own times of recording, never by the order of arrival: those
recorded after the opening, up to the report.
"""

from __future__ import annotations

from decimal import Decimal

from tieline.kernel.book_records import BookReport
from tieline.kernel.clock import Clock
from tieline.kernel.memory import Conflict
from tieline.kernel.movement_records import MovementState, RollForward
from tieline.kernel.tables import Table
from tieline.processors.conflicts import keep_conflict

_ZERO = Decimal(0)


class RollForwards:
    """The figures of every book that was reported, and the movements they are held against."""

    def __init__(self, conflicts: Table[Conflict], clock: Clock) -> None:
        self._conflicts = conflicts
        self._clock = clock
        self._movements: dict[str, dict[str, MovementState]] = {}  # book: document
        self.table: Table[RollForward] = Table("asset.roll-forward.state.v1", RollForward)

    def follow_movement(self, old: MovementState | None, new: MovementState | None) -> None:
        """Follows the table of movements."""
        if old is not None:
            self._movements.get(book_key_of(old), {}).pop(old.movement_id, None)
        if new is not None:
            self._movements.setdefault(book_key_of(new), {})[new.movement_id] = new

    def take_book(self, asset_id: str, report: BookReport) -> None:
        """Hold an accepted book against its opening; the earliest report is the opening itself."""
        fields, at = report.fields, report.origin.recorded_at
        key = _key(report.origin.system, report.asset_native_id, fields.book_id)
        posted = sum((line.depreciation for line in fields.lines if line.posted), _ZERO)
        known = self.table.get(key)
        if known is not None and at < known.closing_at:
            if at < known.opening_at and known.currency == fields.currency:
                self._settle(key, _opened_by(_opening(asset_id, report, posted), known))
            return  # Invariant 4: later figures are the closing
        if known is None or known.currency != fields.currency:  # figures in another currency: an opening of their own
            known = _opening(asset_id, report, posted)
        closing = {
            "asset_id": asset_id,
            "closing_at": at,
            "closing_cost": fields.gross_cost,
            "closing_accumulated": fields.accumulated,
            "posted_depreciation": posted - known.opening_depreciation,
        }
        self._settle(key, known.model_copy(update=closing))

    def take_movement(self, movement: MovementState) -> None:
        """Hold the book of an accepted movement against its opening again."""
        key = book_key_of(movement)
        row = self.table.get(key)
        if row is not None:
            self._settle(key, row)

    def _settle(self, key: str, row: RollForward) -> None:
        known = self.table.get(key)
        new = explain(row, tuple(self._movements.get(key, {}).values()))
        if new != known:
            self.table.put(key, new)
        if known is not None and known.asset_id != new.asset_id:
            self._conflicts.delete(_conflict_key(known))  # a person merged or separated the asset meanwhile
        self._tell(new)

    def _tell(self, row: RollForward) -> None:
        key = _conflict_key(row)
        if not row.unexplained_cost and not row.unexplained_accumulated:
            self._conflicts.delete(key)
            return
        given = _words(
            row.closing_cost - row.unexplained_cost, row.closing_accumulated - row.unexplained_accumulated, row.currency
        )
        conflict = Conflict(
            canonical_id=row.asset_id,
            field=_field(row),
            owner=row.system,
            system=row.system,
            owned_value=f"{given} by opening, posted depreciation and movements ({row.movements})",
            foreign_value=_words(row.closing_cost, row.closing_accumulated, row.currency),
            detected_at=self._clock(),
        )
        keep_conflict(self._conflicts, conflict)


def explain(row: RollForward, movements: tuple[MovementState, ...]) -> RollForward:
    """The figures with the movements in between, and what is left unexplained. Pure; the order does not matter."""
    between = [
        movement.fields
        for movement in movements
        if row.opening_at < movement.recorded_at <= row.closing_at and movement.fields.currency == row.currency
    ]
    cost = sum((fields.cost_change for fields in between), _ZERO)
    accumulated = sum((fields.accumulated_change for fields in between), _ZERO)
    expected = row.opening_accumulated + row.posted_depreciation + accumulated
    update = {
        "movements": len(between),
        "movements_cost": cost,
        "movements_accumulated": accumulated,
        # Invariant 11: a sum stays the sum of its parts.
        "unexplained_cost": row.closing_cost - row.opening_cost - cost,
        "unexplained_accumulated": row.closing_accumulated - expected,
    }
    return row.model_copy(update=update)


def _opening(asset_id: str, report: BookReport, posted: Decimal) -> RollForward:
    fields, at = report.fields, report.origin.recorded_at
    return RollForward(
        asset_id=asset_id,
        system=report.origin.system,
        asset_native_id=report.asset_native_id,
        book_id=fields.book_id,
        currency=fields.currency,
        opening_at=at,
        opening_cost=fields.gross_cost,
        opening_accumulated=fields.accumulated,
        opening_depreciation=posted,
        closing_at=at,
        closing_cost=fields.gross_cost,
        closing_accumulated=fields.accumulated,
        posted_depreciation=_ZERO,
        movements=0,
        movements_cost=_ZERO,
        movements_accumulated=_ZERO,
        unexplained_cost=_ZERO,
        unexplained_accumulated=_ZERO,
    )


def _opened_by(opening: RollForward, known: RollForward) -> RollForward:
    """The same closing, reached from an earlier opening."""
    names = ("opening_at", "opening_cost", "opening_accumulated", "opening_depreciation")
    posted = known.opening_depreciation + known.posted_depreciation - opening.opening_depreciation
    return known.model_copy(update={name: getattr(opening, name) for name in names} | {"posted_depreciation": posted})


def book_key_of(movement: MovementState) -> str:
    """The book of a movement: system/asset native id|book id."""
    return _key(movement.origin_system, movement.fields.asset_native_id, movement.fields.book_id)


def _key(system: str, asset_native_id: str, book_id: str) -> str:
    # By the ERP's own id: what people decide about identity in the hub moves no figure.
    return f"{system}/{asset_native_id}|{book_id}"


def _words(cost: Decimal, accumulated: Decimal, currency: str) -> str:
    return f"cost {cost.normalize():f}, accumulated {accumulated.normalize():f} {currency}"


def _field(row: RollForward) -> str:
    return f"roll_forward.{row.book_id}"


def _conflict_key(row: RollForward) -> str:
    return f"{row.asset_id}|{_field(row)}|{row.system}"

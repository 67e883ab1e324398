"""movements: what the ERP posted on a book besides ordinary depreciation becomes an event, once and for good.

It is in the ERP's books already: nothing here is held for a period or re-dated, and its period is recorded as it is
said (T09). Reversal and original, giver and receiver may come in either order; what is not known is not judged, and is
judged when it comes.
"""

from __future__ import annotations

from tieline.kernel.clock import Clock
from tieline.kernel.errors import Rejected
from tieline.kernel.memory import Conflict
from tieline.kernel.movement_records import EVENT_NAMES, MovementEvent, MovementReport, MovementState
from tieline.kernel.records import Outbound, Typed
from tieline.kernel.tables import Table
from tieline.processors.accepting import Posts, accepted_as
from tieline.processors.capital_costs import CapitalCosts
from tieline.processors.conflicts import keep_conflict
from tieline.processors.documents import document_ref
from tieline.processors.fiscal_periods import FiscalPeriods
from tieline.processors.movement_checks import (
    check_mirror,
    check_movement,
    check_reversal_pair,
    check_settled,
    is_half,
    is_settled,
)
from tieline.processors.roll_forward import RollForwards

MOVEMENT_EVENTS = "asset.movement.event.v1"

_Half = tuple[str, str | None, str, bool, frozenset[str | None]]
"""What two halves share: system, transaction, book, whether they reverse, and their two assets."""


class Movements:
    """The accepted movements. The caller has made sure that an ERP speaks."""

    def __init__(
        self, conflicts: Table[Conflict], periods: FiscalPeriods, clock: Clock, capital_costs: CapitalCosts
    ) -> None:
        self._conflicts = conflicts
        self._capital_costs = capital_costs
        self._periods = periods
        self._clock = clock
        self._reversed_by: dict[str, MovementState] = {}  # original: its reversal
        self._halves: dict[_Half, dict[str, MovementState]] = {}
        self._settled: dict[tuple[str | None, ...], dict[str, MovementState]] = {}  # by asset that gives: its halves
        self.roll_forwards = RollForwards(conflicts, clock)
        self.table: Table[MovementState] = Table("asset.movement.state.v1", MovementState, on_change=self._follow)

    def accept(self, asset_id: str, counterpart_id: str | None, report: MovementReport) -> list[Outbound]:
        """The event of a movement; none for one that is known. Raises ``Rejected`` for one that cannot be."""
        fields, origin = report.fields, report.origin
        movement_id = document_ref(origin.system, origin.native_id)
        known = self.table.get(movement_id)
        if known is not None:
            if known.fields != fields:
                raise Rejected(
                    "a posted movement was changed", field="fields", remedy="correct it by a reversal in the ERP"
                )
            return []  # T02: a document is itself, under whichever event id it comes again
        check_movement(fields)
        period = fields.posting_period or self._periods.period_of(fields.company, fields.effective_date, fields.book_id)
        row = MovementState(
            movement_id=movement_id,
            version=1,
            asset_id=asset_id,
            counterpart_id=counterpart_id,
            origin_system=origin.system,
            origin_native_id=origin.native_id,
            recorded_at=origin.recorded_at,
            posting_period=period,
            fields=fields,
        )
        self._check_reversal(row)
        self._check_settled(row)
        other = self._other_half(row)
        self.table.put(movement_id, row)
        self._tell_half(row, other)
        self.roll_forwards.take_movement(row)
        self._capital_costs.tell_movement(fields.transaction)
        names = tuple(type(fields).model_fields)
        accepted = accepted_as(1, origin, fields.effective_date, names, Posts(period))
        event = MovementEvent(
            asset_id=asset_id, movement_id=movement_id, accepted=accepted, counterpart_id=counterpart_id, fields=fields
        )
        return [Outbound(MOVEMENT_EVENTS, asset_id, Typed(EVENT_NAMES[fields.kind], event))]

    def _check_reversal(self, row: MovementState) -> None:
        """A reversal names an original that is none itself, takes it back exactly, and is the only one (T22)."""
        taken_back_by = self._reversed_by.get(row.movement_id)
        reversed_id = _original_of(row)
        if reversed_id is None:
            if taken_back_by is not None:
                check_reversal_pair(row.fields, taken_back_by.fields)
            return
        original, rival = self.table.get(reversed_id), self._reversed_by.get(reversed_id)
        is_reversal_itself = original is not None and original.fields.reversal_of is not None
        if reversed_id == row.movement_id or taken_back_by is not None or is_reversal_itself:
            raise Rejected(
                "a reversal is reversed", field="fields.reversal_of", remedy="post the movement anew, in the ERP"
            )
        if rival is not None:
            reason = f"movement {row.fields.reversal_of} is reversed already, by {rival.origin_native_id}"
            raise Rejected(reason, field="fields.reversal_of", remedy="a movement is reversed once; post it anew first")
        if original is not None:
            check_reversal_pair(original.fields, row.fields)

    def _check_settled(self, row: MovementState) -> None:
        if is_settled(row.fields):
            before = self._settled.get(_settled_by(row), {})
            standing = [half.fields for key, half in before.items() if key not in self._reversed_by]
            check_settled([*standing, row.fields])

    def _other_half(self, row: MovementState) -> MovementState | None:
        """What the other asset gives or receives in the same transaction, checked against this half."""
        if not is_half(row.fields):
            return None
        found = list(self._halves.get(_half_of(row), {}).values())
        if len(found) > 1 or any(half.fields.asset_native_id == row.fields.asset_native_id for half in found):
            reason = f"{row.fields.transaction} has this half already, by {found[0].origin_native_id}"
            raise Rejected(reason, field="fields.transaction", remedy="give each pair of documents a transaction")
        for half in found:
            check_mirror(half.fields, row.fields)
            return half
        return None

    def _tell_half(self, row: MovementState, other: MovementState | None) -> None:
        """What left one asset and has not come to the other is visible until it has."""
        if other is not None:
            self._conflicts.delete(_conflict_key(other))
        elif is_half(row.fields):
            fields, amount = row.fields, row.fields.net_book_value_change.normalize()
            conflict = Conflict(
                canonical_id=row.asset_id,
                field=_conflict_field(row),
                owner=row.origin_system,
                system=row.origin_system,
                owned_value=f"{fields.kind} of {amount:f} {fields.currency} in {fields.book_id}",
                foreign_value=f"nothing of asset {fields.counterpart_native_id} under {fields.transaction} yet",
                detected_at=self._clock(),
            )
            keep_conflict(self._conflicts, conflict)

    def _follow(self, key: str, old: MovementState | None, new: MovementState | None) -> None:
        """See ``Table.on_change``."""
        self.roll_forwards.follow_movement(old, new)
        self._capital_costs.follow_movement(key, old, new)
        if old is not None:
            self._halves.get(_half_of(old), {}).pop(old.movement_id, None)
            self._reversed_by.pop(_original_of(old) or "", None)
            self._settled.get(_settled_by(old), {}).pop(old.movement_id, None)
        if new is not None:
            if is_half(new.fields):
                self._halves.setdefault(_half_of(new), {})[new.movement_id] = new
            if is_settled(new.fields):
                self._settled.setdefault(_settled_by(new), {})[new.movement_id] = new
            reversed_id = _original_of(new)
            if reversed_id is not None:
                self._reversed_by[reversed_id] = new


def _original_of(row: MovementState) -> str | None:
    reversed_id = row.fields.reversal_of
    return None if reversed_id is None else document_ref(row.origin_system, reversed_id)


def _half_of(row: MovementState) -> _Half:
    fields = row.fields
    assets = frozenset({fields.asset_native_id, fields.counterpart_native_id})
    return row.origin_system, fields.transaction, fields.book_id, fields.reversal_of is not None, assets


def _settled_by(row: MovementState) -> tuple[str | None, ...]:
    fields = row.fields
    return row.origin_system, fields.transaction, fields.book_id, fields.asset_native_id


def _conflict_field(row: MovementState) -> str:
    return f"counterpart.{row.origin_native_id}"


def _conflict_key(row: MovementState) -> str:
    return f"{row.asset_id}|{_conflict_field(row)}|{row.origin_system}"

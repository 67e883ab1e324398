"""Which edits do not stand: a row as long as two systems differ, an event for every edit that lost (Invariant 9)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator

from tieline.kernel.clock import Clock
from tieline.kernel.conflict_records import ConflictFound
from tieline.kernel.memory import Conflict
from tieline.kernel.model import AssetReport
from tieline.kernel.records import Outbound, Typed
from tieline.kernel.tables import Table
from tieline.processors.merging import Collision, Merged
from tieline.processors.vectors import as_text

CONFLICT_EVENTS = "hub.conflict.event.v1"


class Conflicts:
    """Keeps the table of open conflicts of assets."""

    def __init__(self, table: Table[Conflict], systems: Collection[str], clock: Clock) -> None:
        self._table = table
        self._systems = systems
        self._clock = clock

    def note(self, asset_id: str, fields: Iterable[str], report: AssetReport, merged: Merged) -> list[Outbound]:
        """What a report contradicts, and what it no longer does; ``fields`` are all that a record may say."""
        events = [event for one in merged.collisions for event in self._collide(asset_id, one, report)]
        system = report.origin.system
        for field in fields if report.deleted else (*merged.agreed, *merged.changed):
            self._table.delete(f"{asset_id}|{field}|{system}")
        for field in merged.changed:
            self._settle(asset_id, field, as_text(getattr(merged.fields, field)))
        return events

    def _collide(self, asset_id: str, collision: Collision, report: AssetReport) -> Iterator[Outbound]:
        key = f"{asset_id}|{collision.field}|{collision.lost.system}"
        known = self._table.get(key)
        row = _row(asset_id, collision, known.detected_at if known else self._clock())
        if known is not None and (known.owned_value, known.foreign_value) == (row.owned_value, row.foreign_value):
            return
        self._table.put(key, row)
        if collision.is_news:
            body = ConflictFound(
                canonical_id=asset_id,
                field=collision.field,
                policy=collision.policy,
                concurrent=collision.is_concurrent,
                outcome=collision.outcome,
                standing=collision.standing,
                lost=collision.lost,
                recorded_at=report.origin.recorded_at,
            )
            yield Outbound(CONFLICT_EVENTS, asset_id, Typed("ConflictFound", body))

    def _settle(self, asset_id: str, field: str, value: str | None) -> None:
        """The hub took over what another system had said: the two no longer differ."""
        for system in self._systems:
            key = f"{asset_id}|{field}|{system}"
            known = self._table.get(key)
            if known is not None and known.foreign_value == value:
                self._table.delete(key)


def _row(asset_id: str, collision: Collision, detected_at: dt.datetime) -> Conflict:
    standing, lost = collision.standing, collision.lost
    return Conflict(
        canonical_id=asset_id,
        field=collision.field,
        owner=standing.system,
        system=lost.system,
        owned_value=standing.value,
        foreign_value=lost.value,
        detected_at=detected_at,
        owned_version=standing.version,
        foreign_version=lost.source_version,
        policy=collision.policy,
        concurrent=collision.is_concurrent,
        owned_seen=standing.seen,
        foreign_seen=lost.seen,
    )

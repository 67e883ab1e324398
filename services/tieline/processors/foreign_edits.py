"""Foreign edits of assets: what does not stand is a row as long as two systems differ, and events for ever (9)."""

from __future__ import annotations

from collections.abc import Collection

from tieline.kernel.asset_records import CLEARABLE, AssetFields, AssetReport, AssetState
from tieline.kernel.clock import Clock
from tieline.kernel.conflict_records import ConflictFound, ConflictResolution, ConflictResolved
from tieline.kernel.memory import Conflict
from tieline.kernel.records import Outbound, Typed
from tieline.kernel.tables import Table
from tieline.processors.conflicts import conflict_key, conflicts_over
from tieline.processors.merging import Collision, Merged
from tieline.processors.proposals import Refusals, explain
from tieline.processors.vectors import as_text

CONFLICT_EVENTS = "hub.conflict.event.v1"


class ForeignEdits:
    """Keeps the conflicts over fields of assets. ``conflicts`` is accept's own table."""

    def __init__(self, conflicts: Table[Conflict], systems: Collection[str], clock: Clock) -> None:
        self._conflicts = conflicts
        self._systems = systems
        self._clock = clock

    def note(
        self, asset_id: str, state: AssetState | None, report: AssetReport, merged: Merged, refusals: Refusals
    ) -> list[Outbound]:
        """Begin a conflict for what does not stand, end those over what the report agrees on or was heard with."""
        system = report.origin.system
        events = [
            _found(asset_id, one, report) for one in merged.collisions if self._collide(asset_id, one) and one.is_news
        ]
        for field in refusals:
            self._refuse(asset_id, state, report, merged, refusals, field)
        if report.deleted:
            ended = dict.fromkeys(AssetFields.model_fields, ConflictResolution.REMOVED)
        else:
            # Nobody has it there, and nobody has it here: whoever was refused before is not spoken of any more.
            cleared = sorted(CLEARABLE.intersection(report.cleared))
            empty = (name for name in cleared if getattr(merged.fields, name) is None)
            ended = dict.fromkeys((*empty, *merged.agreed), ConflictResolution.AGREED)
            ended |= dict.fromkeys(merged.changed, ConflictResolution.TAKEN_OVER)
        for field, resolution in ended.items():
            events += self._end(f"{asset_id}|{field}|{system}", resolution, report, merged)
        for field in merged.changed:
            events += self._settle(asset_id, field, report, merged)
        return events

    def _collide(self, asset_id: str, collision: Collision) -> bool:
        standing, lost = collision.standing, collision.lost
        row = Conflict(
            canonical_id=asset_id,
            field=collision.field,
            owner=standing.system,
            system=lost.system,
            owned_value=standing.value,
            foreign_value=lost.value,
            detected_at=self._clock(),
            owned_version=standing.version,
            foreign_version=lost.source_version,
            policy=collision.policy,
            concurrent=collision.is_concurrent,
            owned_seen=standing.seen,
            foreign_seen=lost.seen,
        )
        return self._put(row)

    def _refuse(  # noqa: PLR0917  - what note was told
        self,
        asset_id: str,
        state: AssetState | None,
        report: AssetReport,
        merged: Merged,
        refusals: Refusals,
        field: str,
    ) -> None:
        """What reference records refuse: the field is the system's to say, but not this."""
        row = Conflict(
            canonical_id=asset_id,
            field=field,
            owner=merged.refused[field],
            system=report.origin.system,
            owned_value=as_text(getattr(merged.fields, field)),
            foreign_value=as_text(getattr(report.fields, field)),
            detected_at=self._clock(),
            owned_version=state.version if state else None,
            foreign_version=report.origin.source_version,
        )
        self._put(row.model_copy(update=explain(report, field, refusals[field])))

    def _put(self, row: Conflict) -> bool:
        """Keep a conflict, unless it is known; whether what does not stand is new, whatever it stands against now."""
        key = conflict_key(row)
        known = self._conflicts.get(key)
        said = (row.owned_value, row.foreign_value, row.reason)
        if known is not None and (known.owned_value, known.foreign_value, known.reason) == said:
            return False
        self._conflicts.put(key, row.model_copy(update={"detected_at": known.detected_at}) if known else row)
        return known is None or (known.foreign_value, known.reason) != (row.foreign_value, row.reason)

    def _settle(self, asset_id: str, field: str, report: AssetReport, merged: Merged) -> list[Outbound]:
        """The hub took over what another system had said: the two no longer differ."""
        value, events = as_text(getattr(merged.fields, field)), list[Outbound]()
        for key, known in conflicts_over(self._conflicts, self._systems, asset_id, field):
            if known.foreign_value == value:
                events += self._end(key, ConflictResolution.TAKEN_OVER, report, merged)
        return events

    def _end(self, key: str, resolution: ConflictResolution, report: AssetReport, merged: Merged) -> list[Outbound]:
        """The conflict's row goes, if there is one, and its end is told."""
        known = self._conflicts.get(key)
        if known is None:
            return []
        self._conflicts.delete(key)
        body = ConflictResolved(
            canonical_id=known.canonical_id,
            field=known.field,
            system=known.system,
            resolution=resolution,
            standing_value=as_text(getattr(merged.fields, known.field)),
            foreign_value=known.foreign_value,
            detected_at=known.detected_at,
            recorded_at=report.origin.recorded_at,
        )
        return [Outbound(CONFLICT_EVENTS, known.canonical_id, Typed("ConflictResolved", body))]


def _found(asset_id: str, collision: Collision, report: AssetReport) -> Outbound:
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
    return Outbound(CONFLICT_EVENTS, asset_id, Typed("ConflictFound", body))

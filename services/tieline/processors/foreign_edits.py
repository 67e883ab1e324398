"""Foreign edits of assets: what a system said and the hub did not take over is visible until they agree (9)."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal

from tieline.kernel.clock import Clock
from tieline.kernel.memory import Conflict
from tieline.kernel.model import AssetFields, AssetReport, AssetState, Model, Money
from tieline.kernel.tables import Table
from tieline.processors.merging import Merged
from tieline.processors.proposals import Refusals, explain


class ForeignEdits:
    """Keeps the conflicts over fields of assets. ``conflicts`` is accept's own table."""

    def __init__(self, conflicts: Table[Conflict], systems: Collection[str], clock: Clock) -> None:
        self._conflicts = conflicts
        self._systems = systems
        self._clock = clock

    def note(
        self, asset_id: str, state: AssetState | None, report: AssetReport, merged: Merged, refusals: Refusals
    ) -> None:
        """Begin a conflict for what the report was refused, end those over what it agrees on or was heard with."""
        system = report.origin.system
        for field, owner in merged.refused.items():
            key = f"{asset_id}|{field}|{system}"
            owned, foreign = _text(merged.fields, field), _text(report.fields, field)
            known, why = self._conflicts.get(key), explain(report, field, refusals.get(field))
            said = (owned, foreign, why.get("reason"))
            if known is None or (known.owned_value, known.foreign_value, known.reason) != said:
                row = Conflict(
                    canonical_id=asset_id,
                    field=field,
                    owner=owner,
                    system=system,
                    owned_value=owned,
                    foreign_value=foreign,
                    detected_at=known.detected_at if known else self._clock(),
                    owned_version=state.version if state else None,
                    foreign_version=report.origin.source_version,
                )
                self._conflicts.put(key, row.model_copy(update=why))
        for field in AssetFields.model_fields if report.deleted else (*merged.agreed, *merged.changed):
            self._conflicts.delete(f"{asset_id}|{field}|{system}")
        for field in merged.changed:
            self._settle(asset_id, field, _text(merged.fields, field))

    def _settle(self, asset_id: str, field: str, value: str | None) -> None:
        """The hub took over what another system had said: the two no longer differ."""
        for system in self._systems:
            key = f"{asset_id}|{field}|{system}"
            known = self._conflicts.get(key)
            if known is not None and known.foreign_value == value:
                self._conflicts.delete(key)


def _text(fields: Model, name: str) -> str | None:
    value = getattr(fields, name)
    if value is None:
        return None
    if isinstance(value, Money):
        return f"{_plain(value.amount)} {value.currency}"
    return _plain(value) if isinstance(value, Decimal) else str(value)


def _plain(number: Decimal) -> str:
    """The same text for the same number, however many zeros it came with."""
    return format(number.normalize(), "f")

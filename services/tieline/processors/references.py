"""What the hub knows of reference records. Only a family's owner changes them (Invariant 9), and never back (4)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import partial

from tieline.kernel.clock import Clock
from tieline.kernel.errors import Rejected
from tieline.kernel.landscape import Landscape
from tieline.kernel.memory import Conflict
from tieline.kernel.ownership import reference_owners
from tieline.kernel.records import Outbound, Typed
from tieline.kernel.reference_records import (
    FAMILIES,
    ReferenceEvent,
    ReferenceFields,
    ReferenceRecord,
    ReferenceReport,
    ReferenceState,
    ReferenceStatus,
    event_topic,
    reference_key,
    state_topic,
)
from tieline.kernel.removed_records import RemovedReference
from tieline.kernel.tables import Table
from tieline.kernel.vocabulary import Origin
from tieline.processors.accepting import accepted_as
from tieline.processors.conflicts import conflicts_over, keep_conflict
from tieline.processors.hearing import is_older
from tieline.processors.index import Index

# The code and the company are what a record is found by; the rest two systems may see differently.
_COMPARED = tuple(name for name in ReferenceFields.model_fields if name not in {"code", "company"})


class References:
    """Every record of every family, a table each. ``conflicts`` is accept's own table."""

    def __init__(self, landscape: Landscape, conflicts: Table[Conflict], clock: Clock) -> None:
        self._owners = reference_owners(landscape)
        self._systems = tuple(landscape.systems)
        self._conflicts = conflicts
        self._clock = clock
        self._stands_at = Index()  # by family, system, native id
        self._of_code = Index()  # by family, code
        self.tables: Mapping[str, Table[ReferenceState]] = {
            family: Table(state_topic(family), ReferenceState, on_change=partial(self._follow, family))
            for family in FAMILIES
        }
        self.removed: Table[RemovedReference] = Table("hub.removed-reference.state.v1", RemovedReference)

    def take(self, report: ReferenceReport) -> list[Outbound]:
        """Remember what the owner says of a record; an event for each change, none for an older word (Invariant 4).

        Another system's word changes nothing and becomes a conflict. Raises ``Rejected`` where nobody is the owner.
        """
        origin, fields = report.origin, report.fields
        family, key = origin.entity, reference_key(fields.company, fields.code)
        if not self._is_owner(family, origin.system, key):
            self._note_foreign(family, key, report)
            return []
        removed_as = f"{family}/{origin.system}/{origin.native_id}"
        removed = self.removed.get(removed_as)
        if removed is not None and is_older(origin, removed.removed_at):
            return []  # Invariant 4: what was said of it before it went does not bring it back
        stood_at = self._stands_at.one_of((family, origin.system, origin.native_id))
        before = self._record(family, stood_at, origin.native_id)
        if before is not None and origin.recorded_at < before.recorded_at:
            return []
        if report.deleted:
            row = RemovedReference(
                family=family, system=origin.system, native_id=origin.native_id, removed_at=origin.recorded_at
            )
            if row != removed:
                self.removed.put(removed_as, row)
            return self._drop(report, stood_at) if stood_at is not None else []
        self.removed.delete(removed_as)
        # Its code or its company was changed: it stands where it stood no more.
        written = self._drop(report, stood_at) if stood_at not in {None, key} else []
        kept = before if stood_at == key else None
        return [*written, *self._put(report, key, kept)]

    def find(self, family: str, company: str | None, code: str) -> ReferenceState | None:
        """What is known of a code of a company, or of every company's."""
        table = self.tables[family]
        return table.get(reference_key(company, code)) or table.get(reference_key(None, code))

    def anywhere(self, family: str, code: str) -> list[ReferenceState]:
        """What is known of a code, whichever company it belongs to."""
        table = self.tables[family]
        return [state for key in self._of_code.of((family, code)) if (state := table.get(key)) is not None]

    def owner_of(self, family: str) -> str:
        """The system that owns a family, for people."""
        return " or ".join(self._owners[family]) or "nobody"

    def _is_owner(self, family: str, system: str, key: str) -> bool:
        owners = self._owners[family]
        if not owners:
            raise Rejected(
                f"no system owns {family} records",
                field="origin.system",
                remedy=f"name it under references.owners.{family} in the landscape, then replay",
            )
        known = self.tables[family].get(key)
        # Of several systems of the owning role a code is that system's which said it first.
        first = known.origin_system if known else system
        return system in owners and (first == system or first not in owners)

    def _record(self, family: str, key: str | None, native_id: str) -> ReferenceRecord | None:
        state = self.tables[family].get(key) if key is not None else None
        return next((one for one in state.records if one.native_id == native_id), None) if state else None

    def _put(self, report: ReferenceReport, key: str, before: ReferenceRecord | None) -> list[Outbound]:
        origin, fields = report.origin, report.fields
        table = self.tables[origin.entity]
        state = table.get(key)
        record = ReferenceRecord(native_id=origin.native_id, recorded_at=origin.recorded_at, fields=fields)
        own = state.records if state and state.origin_system == origin.system else ()  # another owner's end with it
        others = [one for one in own if one.native_id != origin.native_id]
        records = sorted([*others, record], key=lambda one: (one.fields.valid_from or dt.date.min, one.native_id))
        same = before is not None and before.fields == fields
        version = (state.version if state else 0) + (0 if same else 1)
        new = ReferenceState(reference_id=key, version=version, origin_system=origin.system, records=tuple(records))
        if new != state:  # an older word that comes after this one is still older
            table.put(key, new)
        if same:
            return []
        self._settle(origin.entity, new, fields)
        changed = tuple(
            name
            for name in ReferenceFields.model_fields
            if before is None or getattr(before.fields, name) != getattr(fields, name)
        )
        return [_event("ReferenceChanged" if state else "ReferenceAdded", origin, version, fields, changed)]

    def _drop(self, report: ReferenceReport, key: str) -> list[Outbound]:
        """The record is gone; with the last one the code's row goes too, by a tombstone (T40)."""
        family, native_id = report.origin.entity, report.origin.native_id
        table = self.tables[family]
        state, gone = table.get(key), self._record(family, key, native_id)
        if state is None or gone is None:
            return []
        left, version = tuple(one for one in state.records if one is not gone), state.version + 1
        if left:
            table.put(key, state.model_copy(update={"version": version, "records": left}))
        else:
            table.delete(key)
        return [_event("ReferenceRemoved", report.origin, version, gone.fields, ())]

    def _note_foreign(self, family: str, key: str, report: ReferenceReport) -> None:
        """Invariant 9: what a system says that does not own the record is visible until the two agree."""
        origin, said, state = report.origin, report.fields, self.tables[family].get(key)
        owned = (state.on(origin.recorded_at.date()) or state.records[-1].fields) if state else None
        for name in _COMPARED:
            foreign, own = _text(said, name), _text(owned, name)
            place = f"{family}/{key}|{name}|{origin.system}"
            if report.deleted or foreign in {None, own}:
                self._conflicts.delete(place)
                continue
            row = Conflict(
                canonical_id=f"{family}/{key}",
                field=name,
                owner=state.origin_system if state else self.owner_of(family),
                system=origin.system,
                owned_value=own,
                foreign_value=foreign,
                detected_at=self._clock(),
                owned_version=state.version if state else None,
                foreign_version=origin.source_version,
                remedy=f"correct it in {origin.system}, or name that system under references.owners.{family}",
            )
            keep_conflict(self._conflicts, row)

    def _settle(self, family: str, state: ReferenceState, fields: ReferenceFields) -> None:
        """What other systems had said is held against the owner's new word."""
        for name in _COMPARED:
            own = _text(fields, name)
            for place, known in conflicts_over(self._conflicts, self._systems, f"{family}/{state.reference_id}", name):
                if known.foreign_value == own:
                    self._conflicts.delete(place)
                else:
                    update = {"owner": state.origin_system, "owned_value": own, "owned_version": state.version}
                    self._conflicts.put(place, known.model_copy(update=update))

    def _follow(self, family: str, key: str, old: ReferenceState | None, new: ReferenceState | None) -> None:
        if old is not None:
            for record in old.records:
                self._stands_at.drop((family, old.origin_system, record.native_id), key)
        self._of_code.drop((family, key.partition("|")[2]), key)
        if new is not None:
            for record in new.records:
                self._stands_at.add((family, new.origin_system, record.native_id), key)
            self._of_code.add((family, key.partition("|")[2]), key)


def _event(name: str, origin: Origin, version: int, fields: ReferenceFields, changed: tuple[str, ...]) -> Outbound:
    key = reference_key(fields.company, fields.code)
    begins = fields.valid_from if "valid_from" in changed else None
    accepted = accepted_as(version, origin, begins or origin.recorded_at.date(), changed)
    body = ReferenceEvent(reference_id=key, accepted=accepted, fields=fields)
    return Outbound(event_topic(origin.entity), key, Typed(name, body))


def _text(fields: ReferenceFields | None, name: str) -> str | None:
    """A value as text; what a system does not know says nothing."""
    value = getattr(fields, name) if fields is not None else None
    return None if value is None or value is ReferenceStatus.UNKNOWN else str(value)

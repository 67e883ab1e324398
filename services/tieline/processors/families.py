"""Records of declared families (kernel/families.py) on their way: identify, accept, route.

The owner's word is the whole record and replaces the one before. Any other system's word changes nothing: where it
differs it is a conflict, as a foreign edit of an asset is (Invariant 9).
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable

from tieline.kernel.clock import Clock
from tieline.kernel.digests import digest_fields
from tieline.kernel.errors import Rejected
from tieline.kernel.family_records import FamilyReport, FamilyState
from tieline.kernel.landscape import Landscape
from tieline.kernel.memory import Conflict, LedgerEntry
from tieline.kernel.records import Inbound, Outbound, Typed
from tieline.kernel.shapes import FamilyShapes
from tieline.kernel.tables import Table
from tieline.kernel.vocabulary import Model, Money, Origin
from tieline.processors.accepting import accepted_as
from tieline.processors.conflicts import conflicts_over, keep_conflict
from tieline.processors.linking import Linking, identified, key_of
from tieline.processors.links import ATTACHED
from tieline.processors.merging import is_form_of
from tieline.processors.orders import changed_names

_VALUE_LENGTH = 400


def identify_record(record: Inbound, report: FamilyReport, made: Linking, mint: Callable[[], str]) -> list[Outbound]:
    """The report under its canonical id: the record's own, the one it refers to (``hub_ref``), else a new one.

    Raises ``Rejected`` where the id it refers to has another record of its system already: a copy, with its reference.
    """
    origin, family = report.origin, report.family
    if origin.entity != family.name:
        raise Rejected(f"{origin.entity!r} is not {family.name}", field="origin.entity", remedy="correct the mapping")
    known = made.links.of(origin.system, origin.entity, origin.native_id)
    if known is not None and known.status in ATTACHED:
        return [identified(record, known.canonical_id, None)]
    referred = origin.hub_ref
    if referred is None or not made.links.knows_record(referred, family.name):
        canonical_id, rule = mint(), "minted"
    else:
        other = made.links.linked(referred, origin.system, family.name)
        if other is not None:
            raise Rejected(
                f"carries the same reference as record {other.native_id} of {origin.system}",
                field="origin.hub_ref",
                remedy="clear the reference in the copy there, or remove the copy, then replay",
            )
        canonical_id, rule = referred, "hub-ref"
    return [identified(record, canonical_id, None), *made.link(key_of(origin), canonical_id, rule, ())]


class FamilyRecords:
    """What the hub believes of the records of every declared family: a table each."""

    def __init__(
        self,
        landscape: Landscape,
        shapes: FamilyShapes,
        conflicts: Table[Conflict],
        ledger: Table[LedgerEntry],
        clock: Clock,
    ) -> None:
        self._systems = tuple(landscape.systems)
        self._shapes = shapes
        self._conflicts = conflicts
        self._ledger = ledger
        self._clock = clock
        self.tables: dict[str, Table[FamilyState]] = {
            name: Table(shape.family.topic("state"), shape.state) for name, shape in shapes.families.items()
        }

    def accept(self, record_id: str, report: FamilyReport, role: str) -> list[Outbound]:
        """The event of a report by a system of this role, if it says something new. Raises ``Rejected``."""
        family, origin = report.family, report.origin
        table = self.tables[family.name]
        state = table.get(record_id)
        if state is not None and state.links.get(origin.system) != origin.native_id:
            state = state.model_copy(update={"links": {**state.links, origin.system: origin.native_id}})
            table.put(record_id, state)
        if state is not None and state.origin_system != origin.system and self._is_echo(record_id, report):
            self._agree(record_id, report)  # Invariant 8: what the hub wrote is nobody's change
            return []
        if role != family.owner:
            if state is None:
                raise Rejected(f"a {family.name} is the {family.owner}'s to say", field="origin.system")
            self._disagree(record_id, state, report)
            return []
        if state is not None and _is_older(origin, state):
            return []  # Invariant 4
        return self._take(table, record_id, state, report)

    def _take(
        self, table: Table[FamilyState], record_id: str, state: FamilyState | None, report: FamilyReport
    ) -> list[Outbound]:
        family, origin = report.family, report.origin
        changed = changed_names(state.fields if state else None, report.fields)
        version = (state.version if state else 0) + (1 if changed else 0)
        links = state.links if state else {origin.system: origin.native_id}
        new = self._shapes.of(family).state(
            record_id=record_id,
            version=version,
            origin_system=origin.system,
            origin_native_id=origin.native_id,
            source_version=origin.source_version,
            recorded_at=origin.recorded_at,
            fields=report.fields,
            links=links,
        )
        if new != state:
            table.put(record_id, new)  # also where only its source's version moved: an older one must be told by it
        if not changed:
            return []
        for name in changed:
            self._settle(record_id, name, _text(report.fields, name))
        day = getattr(report.fields, family.descriptor.effective_date or "", None)
        effective = day if isinstance(day, dt.date) else origin.recorded_at.date()
        accepted = accepted_as(version, origin, effective, changed)
        event = self._shapes.of(family).event(record_id=record_id, accepted=accepted, fields=report.fields, links=links)
        return [Outbound(family.topic("event"), record_id, Typed(family.event, event))]

    def _is_echo(self, record_id: str, report: FamilyReport) -> bool:
        entry = self._ledger.get(f"{report.origin.system}/{report.family.name}/{record_id}")
        return entry is not None and entry.digest is not None and entry.digest == digest_fields(report.fields)

    def _agree(self, record_id: str, report: FamilyReport) -> None:
        for name in type(report.fields).model_fields:
            self._conflicts.delete(f"{record_id}|{name}|{report.origin.system}")

    def _disagree(self, record_id: str, state: FamilyState, report: FamilyReport) -> None:
        """Invariant 9: a foreign edit is visible until the system agrees again."""
        system = report.origin.system
        for name in type(report.fields).model_fields:
            key = f"{record_id}|{name}|{system}"
            said = getattr(report.fields, name)
            if said is None or _is_form_of(said, getattr(state.fields, name)):
                self._conflicts.delete(key)
                continue
            row = Conflict(
                canonical_id=record_id,
                field=name,
                owner=report.family.owner,
                system=system,
                owned_value=_text(state.fields, name),
                foreign_value=_text(report.fields, name),
                detected_at=self._clock(),
                owned_version=state.version,
                foreign_version=report.origin.source_version,
            )
            keep_conflict(self._conflicts, row)

    def _settle(self, record_id: str, name: str, value: str | None) -> None:
        """The owner says now what another system had said: the two no longer differ."""
        for key, known in conflicts_over(self._conflicts, self._systems, record_id, name):
            if known.foreign_value == value:
                self._conflicts.delete(key)


def _is_form_of(said: object, written: object) -> bool:
    """Whether a target that was given ``written`` may hold it as ``said``: of a list, each value of each entry."""
    if isinstance(said, tuple) and isinstance(written, tuple):
        return len(said) == len(written) and all(map(_is_form_of, said, written))
    if isinstance(said, Model) and not isinstance(said, Money) and type(said) is type(written):
        return all(_is_form_of(getattr(said, name), getattr(written, name)) for name in type(said).model_fields)
    return is_form_of(said, written)


def _is_older(origin: Origin, state: FamilyState) -> bool:
    """Whether a report is older than what is believed: by when it was recorded; within one instant by its counter."""
    if origin.recorded_at != state.recorded_at:
        return origin.recorded_at < state.recorded_at
    versions = (origin.source_version, state.source_version)
    same_record = (origin.system, origin.native_id) == (state.origin_system, state.origin_native_id)
    if not same_record or not all(text.isascii() and text.isdigit() for text in versions):
        return False
    return int(versions[0]) < int(versions[1])


def _text(fields: Model, name: str) -> str | None:
    """A value for people, cut to a length that a row may have."""
    value = fields.model_dump(mode="json", include={name})[name]
    if value is None or isinstance(value, str):
        return value if value is None else value[:_VALUE_LENGTH]
    return json.dumps(value, ensure_ascii=False)[:_VALUE_LENGTH]

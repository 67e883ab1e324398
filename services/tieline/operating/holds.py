"""What the hub keeps back on purpose, counted by reason: it waits for others, and is no fault of the hub. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tieline.kernel.dead_letters import clean
from tieline.kernel.memory import A_PERSON, Conflict, HeldReport, PeriodHold

HOLDS = "hub.hold.state.v1"
CONFLICTS = "hub.conflict.state.v1"


@dataclass(frozen=True, slots=True)
class Held:
    """Reports that wait for the same, the oldest since when (UTC). ``example`` is what one of them is about."""

    reason: str
    count: int
    since: dt.datetime
    example: str
    needs_person: bool = False


def count_period_holds(rows: Iterable[PeriodHold]) -> list[Held]:
    """By what the first of each lane waits for; what waits behind it counts with it. The most first."""
    lanes: dict[str, list[PeriodHold]] = {}
    for row in rows:
        lanes.setdefault(row.lane, []).append(row)
    firsts = ((min(lane, key=lambda row: row.place), lane) for lane in lanes.values())
    return _grouped(
        (clean(first.reason), row.since, first.asset_id or first.canonical_id, False)
        for first, lane in firsts
        for row in lane
    )


def count_held_reports(rows: Mapping[str, HeldReport]) -> list[Held]:
    """By what they wait for: a person's word, each reason of its own, or a kind of record of a system."""
    return _grouped(_of_report(key, row) for key, row in rows.items())


def count_conflicts(rows: Iterable[Conflict]) -> list[Held]:
    """Words that do not stand, by field and system. The most first."""
    return _grouped((f"{row.field} of {row.system}", row.detected_at, row.canonical_id, False) for row in rows)


def _of_report(key: str, row: HeldReport) -> tuple[str, dt.datetime, str, bool]:
    if row.waits_for == A_PERSON:
        return clean(row.reason), row.since, key, True
    system, entity = [*row.waits_for.split("/", 2), ""][:2]
    return f"another record that {system} has not reported yet: {entity}", row.since, key, False


def _grouped(rows: Iterable[tuple[str, dt.datetime, str, bool]]) -> list[Held]:
    found: dict[tuple[str, bool], Held] = {}
    for reason, since, example, needs_person in rows:
        known = found.get((reason, needs_person))
        if known is None:
            found[reason, needs_person] = Held(reason, 1, since, example, needs_person)
        else:
            oldest = min((known.since, known.example), (since, example))
            found[reason, needs_person] = Held(reason, known.count + 1, *oldest, needs_person)
    return sorted(found.values(), key=lambda held: (-held.count, held.reason))

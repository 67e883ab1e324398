"""``tieline custodians``: things in the charge of somebody who has left. Persons are pseudonyms here (T40)."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json as json_module
from collections.abc import Iterable
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from tieline.kernel.asset_records import AssetState, PhysicalStatus
from tieline.kernel.clock import utc_now
from tieline.kernel.dead_letters import clean
from tieline.kernel.inspecting import LogReader, read_rows
from tieline.kernel.reference_records import EMPLOYEE, ReferenceState, ReferenceStatus, state_topic
from tieline.operating.commands import DEFAULT_LANDSCAPE, JsonOption, LandscapeOption, open_console
from tieline.operating.finding import ASSETS


@dataclasses.dataclass(frozen=True, slots=True)
class Orphan:
    """One thing whose custodian is not an active employee on the day, and why."""

    asset_id: str
    tag: str | None
    asset_number: str | None
    location: str | None
    custodian: str
    why: str


def list_orphans(assets: Iterable[AssetState], employees: Iterable[ReferenceState], day: dt.date) -> list[Orphan]:
    """Things still here whose custodian is no active employee on that day, by custodian. Pure."""
    known: dict[str, list[ReferenceState]] = {}
    for employee in employees:
        known.setdefault(employee.reference_id.partition("|")[2], []).append(employee)
    found = [
        Orphan(state.asset_id, fields.tag, fields.asset_number, fields.location, fields.custodian, why)
        for state in assets
        if (fields := state.fields).custodian and _is_here(state, day)
        if (why := _absence(known.get(fields.custodian, []), day)) is not None
    ]
    return sorted(found, key=lambda one: (one.custodian, one.tag or "", one.asset_id))


def _is_here(state: AssetState, day: dt.date) -> bool:
    fields = state.fields
    gone = fields.physical_status is PhysicalStatus.RETIRED or (fields.disposal_date or dt.date.max) <= day
    return state.merged_into is None and not gone


def _absence(employments: list[ReferenceState], day: dt.date) -> str | None:
    """Why nobody of that pseudonym is active on the day; None if somebody is."""
    held = [found for state in employments if (found := state.on(day)) is not None]
    if any(found.status is ReferenceStatus.ACTIVE for found in held):
        return None
    if held:
        return f"is {held[0].status.lower()}"
    ended = [one.fields.valid_to for state in employments for one in state.records if one.fields.valid_to]
    if past := [last for last in ended if last < day]:
        return f"left after {max(past)}"
    return "has not begun" if employments else "no employee record"


def custodians_command(
    landscape: LandscapeOption = DEFAULT_LANDSCAPE,
    *,
    on: Annotated[str | None, typer.Option("--on", metavar="DATE", help="As of this day, e.g. 2026-11-30.")] = None,
    json: JsonOption = False,
) -> None:
    """Show things whose custodian has left or is no known employee. Exit code 0: none; 1: some."""
    from tieline.wiring import open_hub  # noqa: PLC0415  - the composition root loads every processor

    day = _day(on)
    with LogReader(open_hub(landscape)) as log:
        assets = read_rows(log, ASSETS, AssetState).values()
        employees = read_rows(log, state_topic(EMPLOYEE), ReferenceState).values()
    found = list_orphans(assets, employees, day)
    console = open_console()
    if json:
        document = {
            "on": day.isoformat(),
            "employees": len(employees),
            "things": [dataclasses.asdict(o) for o in found],
        }
        console.file.write(json_module.dumps(document, indent=2) + "\n")
    else:
        table = Table(box=None, header_style="bold", pad_edge=False)
        for name in ("CUSTODIAN", "WHY", "TAG", "ASSET NUMBER", "LOCATION", "CANONICAL ID"):
            table.add_column(name, overflow="fold")
        for one in found:
            cells = (one.custodian, one.why, one.tag, one.asset_number, one.location, one.asset_id)
            table.add_row(*(Text(clean(cell or "")) for cell in cells))
        console.print(table if found else f"On {day} every custodian is an active employee.")
        if not employees:
            console.print("Note: no employee was ever reported; references.owners.employee names who does.")
    raise typer.Exit(1 if found else 0)


def _day(text: str | None) -> dt.date:
    if text is None:
        return utc_now().date()
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no date; write it as 2026-11-30", param_hint="--on") from error

"""``tieline links …``: which records are one thing, and a person's word on it. Who decided and why is kept for ever."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from tieline.kernel.clock import utc_now
from tieline.kernel.dead_letters import clean
from tieline.kernel.inspecting import Hub, LogReader, read_rows
from tieline.kernel.memory import HeldReport, LinkAction, LinkDecision, XRef
from tieline.operating.commands import DEFAULT_LANDSCAPE, LandscapeOption, open_console
from tieline.operating.deciding import (
    HOLDS,
    LinkCase,
    cases_json,
    decide_pair,
    decide_record,
    find_rows,
    list_cases,
    to_record,
)
from tieline.operating.finding import LINKS, find_asset

JsonOption = Annotated[bool, typer.Option("--json", help="A JSON array, for programs.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; is kept with the decision.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
MappingArgument = Annotated[str, typer.Argument(metavar="RECORD", help="system/entity/id, as list shows it.")]
SurvivorArgument = Annotated[str, typer.Argument(metavar="SURVIVOR", help="Asset that stays: id, system/id, tag …")]
OtherArgument = Annotated[str, typer.Argument(metavar="OTHER", help="Asset that is the same thing: id, system/id …")]

app = typer.Typer(help="Which records are one thing: look, confirm, reject, merge, undo.", no_args_is_help=True)


@app.command("list")
def list_command(
    landscape: LandscapeOption = DEFAULT_LANDSCAPE,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Also what was decided, merged or retired.")] = False,
    json: JsonOption = False,
) -> None:
    """Show the proposals that wait for a person, oldest first."""
    with LogReader(_open(landscape)) as log:
        rows = read_rows(log, LINKS, XRef)
        cases = list_cases(rows, read_rows(log, HOLDS, HeldReport), everything=everything)
    _show(cases, json=json)


@app.command("show")
def show_command(
    what: Annotated[str, typer.Argument(help="system/entity/id of a record, or a canonical id.")],
    landscape: LandscapeOption = DEFAULT_LANDSCAPE,
    *,
    json: JsonOption = False,
) -> None:
    """Show every record that is, or was, one thing."""
    with LogReader(_open(landscape)) as log:
        found = find_rows(read_rows(log, LINKS, XRef), what)
        held = read_rows(log, HOLDS, HeldReport)
    cases = [LinkCase(key, row, held[key].reason if key in held else None, 0) for key, row in sorted(found.items())]
    _show(cases, json=json)


@app.command("confirm")
def confirm_command(
    record: MappingArgument,
    reason: ReasonOption,
    landscape: LandscapeOption = DEFAULT_LANDSCAPE,
    *,
    canonical_id: Annotated[str | None, typer.Option("--as", help="It is this thing, not the proposed one.")] = None,
    yes: YesOption = False,
) -> None:
    """The record is the thing it was proposed for. What waits for it goes on."""

    def decide(rows: Mapping[str, XRef]) -> LinkDecision:
        row, now = rows.get(record), utc_now()
        return decide_record(
            LinkAction.CONFIRM, record, row, canonical_id=canonical_id, by=_account(), reason=reason, at=now
        )

    _carry_out(landscape, decide, yes=yes)


@app.command("reject")
def reject_command(
    record: MappingArgument,
    reason: ReasonOption,
    landscape: LandscapeOption = DEFAULT_LANDSCAPE,
    *,
    yes: YesOption = False,
) -> None:
    """The record is another thing; the pair is never proposed again. What waits for it goes on."""

    def decide(rows: Mapping[str, XRef]) -> LinkDecision:
        row, now = rows.get(record), utc_now()
        return decide_record(LinkAction.REJECT, record, row, canonical_id=None, by=_account(), reason=reason, at=now)

    _carry_out(landscape, decide, yes=yes)


@app.command("merge")
def merge_command(
    survivor: SurvivorArgument,
    other: OtherArgument,
    reason: ReasonOption,
    landscape: LandscapeOption = DEFAULT_LANDSCAPE,
    *,
    yes: YesOption = False,
) -> None:
    """Two assets are one thing: reports of both go under SURVIVOR. Nothing is thrown away; unmerge undoes it."""
    _pair(LinkAction.MERGE, survivor, other, reason, landscape, yes=yes)


@app.command("unmerge")
def unmerge_command(
    survivor: SurvivorArgument,
    other: OtherArgument,
    reason: ReasonOption,
    landscape: LandscapeOption = DEFAULT_LANDSCAPE,
    *,
    yes: YesOption = False,
) -> None:
    """Undo a merge: OTHER (a canonical id) gets its records and its state back."""
    _pair(LinkAction.UNMERGE, survivor, other, reason, landscape, yes=yes)


def _pair(action: LinkAction, survivor: str, other: str, reason: str, landscape: Path, *, yes: bool) -> None:
    with LogReader(_open(landscape)) as log:
        one, two = find_asset(log, survivor), find_asset(log, other)

    def decide(rows: Mapping[str, XRef]) -> LinkDecision:
        return decide_pair(action, one, two, rows.values(), by=_account(), reason=reason, at=utc_now())

    _carry_out(landscape, decide, yes=yes)


def _carry_out(landscape: Path, decide: Callable[[Mapping[str, XRef]], LinkDecision], *, yes: bool) -> None:
    """Exit code 0 when the decision is durable, 1 when the answer was no; ``Stop`` when it cannot be."""
    from tieline.wiring import open_hub, publish_once  # noqa: PLC0415  - the composition root loads every processor

    console, hub = open_console(), open_hub(landscape)
    with LogReader(hub) as log:
        decision = decide(read_rows(log, LINKS, XRef))
    what = f"{decision.action.lower()} {decision.mapping or decision.other_id} as {decision.canonical_id}"
    if not yes and not typer.confirm(f"{what}?"):
        console.print("Nothing was done.")
        raise typer.Exit(1)
    publish_once(hub, "operator", [to_record(decision)])
    console.print(Text(f"Decided by {decision.by}: {what}. If it cannot be, tieline dead-letters list says why."))


def _show(cases: list[LinkCase], *, json: bool) -> None:
    console = open_console()
    if json:
        console.file.write(cases_json(cases) + "\n")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("RECORD", "STANDING", "CANONICAL ID", "BY", "SINCE (UTC)", "WAITING", "WHY"):
        table.add_column(name, overflow="fold")
    for case in cases:
        row = case.row
        by = row.linked_by or row.rule
        since, why = f"{row.linked_at:%Y-%m-%d %H:%M}", case.reason or ""
        table.add_row(
            Text(clean(case.mapping)),
            row.status.lower(),
            row.canonical_id,
            Text(clean(by)),
            since,
            str(case.waiting),
            Text(clean(why)),
        )
    console.print(table if cases else "Nothing waits for a decision.")


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def _open(landscape: Path) -> Hub:
    from tieline.wiring import open_hub  # noqa: PLC0415  - the composition root loads every processor

    return open_hub(landscape)

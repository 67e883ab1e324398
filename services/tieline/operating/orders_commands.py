"""``tieline orders …``: where purchases stand, what they wait for, and which are late."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from tieline.kernel.clock import utc_now
from tieline.kernel.dead_letters import clean
from tieline.kernel.inspecting import Hub, LogReader, read_rows
from tieline.kernel.memory import Conflict, XRef
from tieline.kernel.procurement_records import OPEN, PurchaseProcess, PurchaseStep
from tieline.operating.commands import DEFAULT_LANDSCAPE, LandscapeOption, open_console
from tieline.operating.finding import LINKS
from tieline.operating.purchases import (
    CONFLICTS,
    PROCESSES,
    Purchase,
    disputes,
    find_purchase,
    judge,
    list_purchases,
    purchases_json,
)

ORDER_ENTITY = "purchase-order"

JsonOption = Annotated[bool, typer.Option("--json", help="JSON, for programs: every step with its days.")]

app = typer.Typer(
    help="Where purchases stand: approved, received, invoiced, capitalised, in service, closed.", no_args_is_help=True
)


@app.command("list")
def list_command(
    landscape: LandscapeOption = DEFAULT_LANDSCAPE,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Also orders that have come to their end.")] = False,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only orders with a step past its day.")] = False,
    json: JsonOption = False,
) -> None:
    """Show what each open order waits for, the most overdue first.

    When a step is due is set by procure_to_pay in the landscape, in days after the step before it.
    """
    with LogReader(_open(landscape)) as log:
        rows = read_rows(log, PROCESSES, PurchaseProcess)
    purchases = list_purchases(rows.values(), _today(), everything=everything, late_only=overdue)
    console = open_console()
    if json:
        console.file.write(purchases_json(purchases) + "\n")
        return
    console.print(purchase_table(purchases) if purchases else "No order waits for anything.")


@app.command("show")
def show_command(
    order: Annotated[str, typer.Argument(metavar="ORDER", help="The order's number, system/id, or canonical id.")],
    landscape: LandscapeOption = DEFAULT_LANDSCAPE,
    *,
    json: JsonOption = False,
) -> None:
    """Show every step of one order: when it was done, when it is due, what it waits for; and what does not agree."""
    with LogReader(_open(landscape)) as log:
        found = find_purchase(read_rows(log, PROCESSES, PurchaseProcess), _linked(log, order), order)
        conflicts = read_rows(log, CONFLICTS, Conflict, needle=found.po_id.encode())
    purchase, console = judge(found, _today()), open_console()
    if json:
        console.file.write(purchases_json([purchase]) + "\n")
        return
    console.print(Text(f"order {clean(found.po_number or '-')}", style="bold"), Text(f"({found.po_id})"))
    console.print(Text(f"  company {clean(found.company)}, supplier {clean(found.supplier or '-')}"))
    console.print(step_table(found.steps, _today()))
    for line in disputes(conflicts.values(), found.po_id):
        console.print(Text(f"! {clean(line)}", style="bold red"))


def purchase_table(purchases: Iterable[Purchase]) -> Table:
    """A line for each order; what is overdue is marked."""
    table = _table("", "ORDER", "SUPPLIER", "STEP", "WAITS FOR", "SINCE", "DUE", "OVERDUE")
    for one in purchases:
        step = one.step
        table.add_row(
            Text("!" if one.is_late else " ", style="bold red"),
            Text(clean(one.row.po_number or one.row.po_id)),
            Text(clean(one.row.supplier or "-")),
            step.name if step else "ended",
            Text(clean((step.waits_for if step else None) or "")),
            _day(step.begins_on if step else None),
            _day(step.due_on if step else None),
            Text(f"{one.days_late}d" if one.is_late else "", style="bold red"),
        )
    return table


def step_table(steps: Iterable[PurchaseStep], today: dt.date) -> Table:
    """A line for each step of one order."""
    table = _table("", "STEP", "STATUS", "DONE", "SINCE", "DUE", "WAITS FOR")
    for step in steps:
        table.add_row(
            Text("!" if step.is_late(today) else " ", style="bold red"),
            step.name,
            step.status.lower().replace("_", " "),
            _day(step.done_on),
            _day(step.begins_on if step.status in OPEN else None),
            _day(step.due_on),
            Text(clean(step.waits_for or "")),
        )
    return table


def _table(*names: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    return table


def _day(day: dt.date | None) -> str:
    return "-" if day is None else day.isoformat()


def _linked(log: LogReader, text: str) -> str | None:
    system, _, native_id = text.partition("/")
    if not native_id or system not in log.landscape.systems:
        return None
    links = read_rows(log, LINKS, XRef, keys=[f"{system}/{ORDER_ENTITY}/{native_id}"])
    return next((row.canonical_id for row in links.values()), None)


def _today() -> dt.date:
    return utc_now().date()


def _open(landscape: Path) -> Hub:
    from tieline.wiring import open_hub  # noqa: PLC0415  - the composition root loads every processor

    return open_hub(landscape)

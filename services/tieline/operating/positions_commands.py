"""``tieline positions …``: where each process stands, what it has lost, and a person's word that it goes on so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tieline.kernel.errors import Stop
from tieline.kernel.fleet import consumers
from tieline.kernel.inspecting import Hub, LogReader
from tieline.kernel.positions import Position, past_gap
from tieline.operating.commands import DEFAULT_LANDSCAPE, LandscapeOption, open_console
from tieline.operating.positions import Group, pass_gaps, read_groups

NEXT = (
    "What was lost is known to the systems only. Start the process again and compare: tieline reconcile run; "
    "then mend what differs: tieline reconcile repair. Dead letters are not affected: tieline dead-letters list."
)

app = typer.Typer(help="Where each process stands in the log; what to do about a gap.", no_args_is_help=True)


@app.command("show")
def show_command(
    consumer: Annotated[str | None, typer.Argument(help="Only this process, as status names it.")] = None,
    landscape: LandscapeOption = DEFAULT_LANDSCAPE,
) -> None:
    """Show how far each process has read, and what it can no longer read. Exit code 1: there is a gap."""
    hub = _open(landscape)
    with LogReader(hub) as log:
        groups = read_groups(log, _consumers(hub, consumer))
    show_groups(open_console(), groups)
    raise typer.Exit(1 if any(group.gaps for group in groups) else 0)


@app.command("accept-gap")
def accept_gap_command(
    consumer: Annotated[str, typer.Argument(help="The process that stopped with a gap, as status names it.")],
    landscape: LandscapeOption = DEFAULT_LANDSCAPE,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Let a process go on without records that were deleted before it read them. Exit code 1: nothing was done."""
    hub = _open(landscape)
    console = open_console()
    with LogReader(hub) as log:
        groups = [group for group in read_groups(log, _consumers(hub, consumer)) if group.gaps]
        if not groups:
            console.print(f"{consumer} has no gap.")
            raise typer.Exit(1)
        show_gaps(console, groups)
        if not yes and not typer.confirm(f"Let {consumer} go on there?"):
            console.print("Nothing was done.")
            raise typer.Exit(1)
        moved = sum(pass_gaps(log, group) for group in groups)
    console.print(f"{moved} position(s) moved. {NEXT}", soft_wrap=True)


def show_groups(console: Console, groups: Iterable[Group]) -> None:
    """A line for each topic of each group, then the gaps."""
    groups = list(groups)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("GROUP", "TOPIC", "PARTITIONS", "NEVER COMMITTED", "OFFSETS TO READ", "GAPS"):
        table.add_column(name, justify="right" if name not in {"GROUP", "TOPIC"} else "left")
    for group in groups:
        by_topic: dict[str, list[Position]] = {}
        for position in group.positions:
            by_topic.setdefault(position.topic, []).append(position)
        for topic, positions in by_topic.items():
            never = sum(position.committed is None for position in positions)
            left = sum(max(0, position.end - max(position.start, position.first)) for position in positions)
            gaps = sum(position.gap is not None for position in positions)
            table.add_row(group.name, topic, str(len(positions)), str(never), str(left), str(gaps or ""))
    console.print(table)
    show_gaps(console, groups)


def show_gaps(console: Console, groups: Iterable[Group]) -> None:
    """What is missing, and where the group would go on."""
    for group in groups:
        for position in group.gaps:
            line = f"gap: {group.name}: {position.gap}; it would go on at {past_gap(position)}"
            console.print(Text(line, style="red"), soft_wrap=True)


def _consumers(hub: Hub, consumer: str | None) -> Sequence[str]:
    known = consumers(hub.landscape)
    if consumer is None:
        return known
    if consumer not in known:
        raise Stop(f"there is no process {consumer!r} that has a position; this landscape has {', '.join(known)}")
    return (consumer,)


def _open(landscape: Path) -> Hub:
    from tieline.wiring import open_hub  # noqa: PLC0415  - the composition root loads every processor

    return open_hub(landscape)

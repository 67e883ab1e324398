"""``tieline status`` and ``tieline trace``."""

from __future__ import annotations

import json as json_module
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tieline.kernel.dead_letters import clean
from tieline.kernel.inspecting import Hub, LogReader
from tieline.operating.finding import find_asset
from tieline.operating.life import Life, read_life
from tieline.operating.showing import render_status, show_status
from tieline.operating.status import read_status, status_json

DEFAULT_LANDSCAPE = Path("deploy/local/landscape.yaml")
WATCH_SECS = 2.0
_AWAY = 3
PIPE_COLUMNS = 200  # a pipe has no width; lines must not be cut there

LandscapeOption = Annotated[
    Path,
    typer.Option(
        "--landscape", envvar="TIELINE_LANDSCAPE", help="The YAML file that describes your systems and flows."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")]


def status_command(
    landscape: LandscapeOption = DEFAULT_LANDSCAPE,
    *,
    json: JsonOption = False,
    watch: Annotated[bool, typer.Option("--watch", help="Look again and again, until Ctrl-C.")] = False,
) -> None:
    """Show how every process and flow stands, and of each trouble: what, since when, what waits, what comes next.

    Exit code 0: all well; 1: something needs attention; 3: Kafka or the schema registry does not answer.

    A trouble looks like this; its name is the same in logs (trouble), alerts and JSON:

    ! target-paused: erp takes no commands: it does not answer as it should
      since  2026-05-01 11:45 UTC, 15m ago
      waits  40 commands for erp, the oldest for 15m
      next   the hub asks erp again by itself at 12:00:21 UTC, with one command for
             all; nothing is lost, and all of it goes on when it answers
      do     bring erp back; why it is paused stands in the log of sink-erp, event
             target-paused
    """
    console = open_console()
    with LogReader(_open(landscape)) as log:
        if watch:
            _watch(log, console)
            return
        status = read_status(log)
    if json:
        console.file.write(status_json(status) + "\n")
    else:
        show_status(console, status)
    raise typer.Exit(_AWAY if status.away else int(status.needs_attention))


def trace_command(
    asset: Annotated[str, typer.Argument(help="Canonical id, system/id, tag, ERP asset number or serial number.")],
    landscape: LandscapeOption = DEFAULT_LANDSCAPE,
    *,
    json: JsonOption = False,
) -> None:
    """Show the life of one asset: every report, event, command, answer, letter and difference, in order of time."""
    with LogReader(_open(landscape)) as log:
        life = read_life(log, find_asset(log, asset))
    console = open_console()
    if json:
        console.file.write(life_json(life) + "\n")
    else:
        show_life(console, life)


def open_console() -> Console:
    """A console that cuts nothing off when its output goes to a pipe."""
    console = Console()
    return console if console.is_terminal else Console(width=PIPE_COLUMNS)


def show_life(console: Console, life: Life) -> None:
    """The asset's ids, then a line for each step."""
    console.print(Text(f"asset {life.asset_id}", style="bold"))
    if life.state is not None:
        fields = life.state.fields
        known = [("tag", fields.tag), ("asset number", fields.asset_number), ("serial number", fields.serial_number)]
        facts = [f"version {life.state.version}", *(f"{name} {clean(value)}" for name, value in known if value)]
        console.print(Text("  " + ", ".join(facts)))
    for link in life.links:
        told = f"  {link.system}: {link.entity} {clean(link.native_id)} ({link.status.lower()}, by {link.rule})"
        console.print(Text(told), soft_wrap=True)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("TIME (UTC)", "STEP", "SYSTEM", "WHAT", "WHERE"):
        table.add_column(name, overflow="fold", no_wrap=name in {"TIME (UTC)", "STEP", "SYSTEM"})
    for step in life.steps:
        moment = f"{step.at:%Y-%m-%d %H:%M:%S}.{step.at.microsecond // 1000:03d}"
        table.add_row(moment, step.kind, step.system, Text(clean(step.what)), Text(clean(step.where)))
    console.print(table)
    for note in life.notes:
        console.print(Text(f"Note: {note}."), soft_wrap=True)


def life_json(life: Life) -> str:
    """The same as one JSON object; times ISO 8601 in UTC."""
    document = {
        "asset_id": life.asset_id,
        "state": life.state.model_dump(mode="json") if life.state else None,
        "links": [link.model_dump(mode="json") for link in life.links],
        "steps": [
            {"at": s.at.isoformat(), "kind": s.kind, "system": s.system, "what": s.what, "where": s.where}
            for s in life.steps
        ],
        "notes": list(life.notes),
    }
    return json_module.dumps(document, indent=2)


def _watch(log: LogReader, console: Console) -> None:
    with Live(render_status(read_status(log)), console=console, auto_refresh=False) as live:
        try:
            while True:
                time.sleep(WATCH_SECS)
                live.update(render_status(read_status(log)), refresh=True)
        except KeyboardInterrupt:
            return


def _open(landscape: Path) -> Hub:
    from tieline.wiring import open_hub  # noqa: PLC0415  - the composition root loads every processor

    return open_hub(landscape)

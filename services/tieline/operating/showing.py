"""Status for people's eyes: readable at 80 columns and without colour; the troubles stand last, next to the prompt."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from tieline.kernel.dead_letters import clean
from tieline.operating.account_stories import pools_of
from tieline.operating.flows import FlowStatus
from tieline.operating.hours import last_hours, share_text
from tieline.operating.processes import State
from tieline.operating.status import Status
from tieline.operating.story import Story, after, ago

WIDTH = 80
_STYLES = {State.STALLED: "bold red", State.DOWN: "bold red", State.BEHIND: "yellow", State.PAUSED: "yellow"}
_RIGHT = {"WAITING", "DONE", "PENDING", "PARKED", "REFUSED", "P95", "TARGET", "LEFT"}
_LABEL = 7  # columns for the name of a story's part


def render_status(status: Status) -> Group:
    """Processes, flows, what is left of quotas, each trouble as a story, and a verdict."""
    parts: list[RenderableType] = []
    if status.processes:
        parts += [_processes(status), Text(""), _flows(status), Text("")]
    parts += [part for part in (_calls_left(status), _hours(status)) if part is not None]
    parts += [Text(note) for note in _notes(status)]
    for story in status.stories:
        parts += _story(story, status)
    return Group(*parts, _verdict(status))


def show_status(console: Console, status: Status) -> None:
    """Print it."""
    console.print(render_status(status))


def _verdict(status: Status) -> Text:
    faults = sum(story.is_fault for story in status.stories)
    if not faults:
        return Text("All well.", style="bold green")
    return Text(f"Attention: {faults} trouble{'s' if faults > 1 else ''}, marked with !.", style="bold red")


def _notes(status: Status) -> Iterator[str]:
    if status.letters_cut:
        yield "Only the newest dead letters were counted."
    if status.metrics_off:
        yield "No metrics_port in the landscape: whether processes run, and until when they pause, is not known."


def _story(story: Story, status: Status) -> list[RenderableType]:
    mark = "!" if story.is_fault else "-"
    name = f"{mark} {story.kind}:"
    head = Text(_wrapped(f"{name} {clean(story.what)}", 2))
    head.stylize("bold red" if story.is_fault else "bold", 0, len(name))
    parts = [(label, f"  {label:<{_LABEL}}{text}") for label, text in story.lines(status.at)]
    # A command is to be copied: it stands on one line.
    lines = [line if label == "run" else _wrapped(line, _LABEL + 2) for label, line in parts]
    return [
        head,
        *(Text(line, no_wrap=label == "run", overflow="fold") for (label, _), line in zip(parts, lines, strict=True)),
        Text(""),
    ]


def _wrapped(line: str, indent: int) -> str:
    # A command that is broken in the middle of a word cannot be copied: those go over the edge.
    return textwrap.fill(line, WIDTH, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False)


def _processes(status: Status) -> Table:
    table = _table("", "PROCESS", "STATE", "WAITING", "OLDEST", "LAST EVENT", "LAST READ")
    for p in status.processes:
        table.add_row(
            _mark(attention=p.needs_attention),
            p.name,
            Text(p.state, style=_STYLES.get(p.state, "")),
            str(p.lag),
            ago(p.oldest_waiting_at, status.at),
            ago(p.last_event_at, status.at),
            ago(p.last_read_at, status.at),
        )
    return table


def _flows(status: Status) -> Table:
    table = _table("", "FLOW", "HEALTH", "DONE", "PENDING", "PARKED", "REFUSED", "P95", "TARGET", "LAST")
    for f in status.flows:
        table.add_row(
            _mark(attention=f.needs_attention),
            f.flow.name,
            f.health,
            *_counts(f),
            _secs(f.latency_p95_secs),
            _secs(f.flow.latency_target_secs),
            ago(f.last_confirmed_at, status.at),
        )
    return table


def _counts(f: FlowStatus) -> tuple[str, str, str, str]:
    if not f.counted:
        return "-", "-", "-", "-"
    return str(f.delivered), f"{'≥' if f.pending_is_least else ''}{f.pending}", str(f.parked), str(f.rejected)


def _calls_left(status: Status) -> RenderableType | None:
    pools = list(pools_of(status))
    if not pools:
        return None
    table = _table("CALLS OF", "TO", "POOL", "LEFT", "ROOM AGAIN")
    for pool in pools:
        is_spent = pool.left <= 0 or pool.name == "day"
        room = after(pool.reset_secs, status.at) if is_spent else "-"
        table.add_row(pool.process, pool.system, pool.name, str(pool.left), room)
    return Group(table, Text(""))


def _hours(status: Status) -> RenderableType | None:
    hours = last_hours(status.hours)
    if not hours:
        return None
    table = _table("COMPLETE, OF EACH HOUR", *(f"{hour:%H}h" for hour in hours))
    shares = {(row.flow, row.hour): row.complete for row in status.hours}
    for flow in sorted({row.flow for row in status.hours}):
        table.add_row(flow, *(share_text(shares.get((flow, hour))) for hour in hours))
    return Group(table, Text(""))


def _table(*names: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    for name in names:
        folds = name in {"FLOW", "COMPLETE, OF EACH HOUR"}
        table.add_column(name, no_wrap=not folds, overflow="fold", justify="right" if name in _RIGHT else "left")
    return table


def _mark(*, attention: bool) -> Text:
    return Text("!" if attention else " ", style="bold red")


def _secs(value: float | None) -> str:
    """``2.1s``; from a minute on ``5m``, ``2h``."""
    if value is None:
        return "-"
    if value < 60:  # noqa: PLR2004  - a minute
        return f"{value:.1f}s" if value % 1 else f"{value:g}s"
    return f"{value / 60:.0f}m" if value < 3_600 else f"{value / 3_600:.0f}h"  # noqa: PLR2004  - an hour

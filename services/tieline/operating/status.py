"""The state of the hub in one look: processes, flows, and whether a person should do something."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from tieline.kernel.clock import Clock, utc_now
from tieline.kernel.fleet import consumers
from tieline.kernel.inspecting import LogReader, read_latest, read_rows
from tieline.kernel.letters import read_book
from tieline.kernel.procurement_records import PurchaseProcess
from tieline.kernel.topic_names import PERIOD_HOLDS
from tieline.operating.flows import FlowStatus, read_flows
from tieline.operating.processes import ProcessStatus, State, process_names, read_processes, take_sample
from tieline.operating.purchases import PROCESSES, count_late

_STYLES = {State.STALLED: "bold red", State.BEHIND: "yellow", State.FLOWING: "green"}


@dataclass(frozen=True, slots=True)
class Status:
    """Everything at one moment (UTC). ``letters_cut``: older dead letters were not counted.

    ``period_holds`` are reports that wait for a fiscal period, ``overdue_orders`` those with a step past its day.
    """

    at: dt.datetime
    processes: Sequence[ProcessStatus]
    flows: Sequence[FlowStatus]
    letters_cut: bool
    period_holds: int = 0
    overdue_orders: int = 0

    @property
    def needs_attention(self) -> bool:
        """Whether a person should look after the hub; a closed period or a late delivery is no fault of it."""
        return any(p.needs_attention for p in self.processes) or any(f.needs_attention for f in self.flows)


def read_status(log: LogReader, clock: Clock = utc_now) -> Status:
    """Look at everything; reads only, and within bounds. Blocks for some seconds.

    Raises ``Stop`` when topics are missing, ``Unavailable`` or ``Retryable`` when broker or registry do not answer.
    """
    now = clock()
    book = read_book(log, consumers(log.landscape))
    sample = take_sample(log, process_names(log))
    flows = read_flows(log, sample)
    holds = read_latest(log, PERIOD_HOLDS)
    late = count_late(read_rows(log, PROCESSES, PurchaseProcess).values(), now.date())
    return Status(now, read_processes(log, book, sample, now), flows, book.cut, len(holds), late)


def status_json(status: Status) -> str:
    """The status as one JSON object; times ISO 8601 in UTC, durations in seconds."""
    document = {
        "at": status.at.isoformat(),
        "needs_attention": status.needs_attention,
        "period_holds": status.period_holds,
        "overdue_orders": status.overdue_orders,
        "processes": [
            {
                "name": p.name,
                "state": str(p.state),
                "needs_attention": p.needs_attention,
                "records": p.records,
                "lag": p.lag,
                "oldest_waiting_at": _iso(p.oldest_waiting_at),
                "last_event_at": _iso(p.last_event_at),
                "last_read_at": _iso(p.last_read_at),
                "open_letters": p.open_letters,
                "waiting_letters": p.waiting_letters,
                "parked_keys": p.parked_keys,
                "draining_keys": p.draining_keys,
                "expires_at": _iso(p.expiry.at if p.expiry else None),
                "retention_left_share": p.expiry.share_left if p.expiry else None,
            }
            for p in status.processes
        ],
        "flows": [
            {
                "name": f.flow.name,
                "mode": str(f.flow.mode),
                "needs_attention": f.needs_attention,
                "delivered": f.delivered if f.counted else None,
                "pending": f.pending if f.counted else None,
                "pending_is_least": f.pending_is_least,
                "parked": f.parked if f.counted else None,
                "rejected": f.rejected if f.counted else None,
                "last_confirmed_at": _iso(f.last_confirmed_at),
                "latency_samples": f.samples,
                "latency_p50_secs": f.latency_p50_secs,
                "latency_p95_secs": f.latency_p95_secs,
                "latency_target_secs": f.flow.latency_target_secs,
            }
            for f in status.flows
        ],
    }
    return json.dumps(document, indent=2)


def render_status(status: Status) -> Group:
    """Two tables, what waits outside the hub, and a verdict."""
    verdict = Text("Attention: see the marked lines (!).", style="bold red")
    if not status.needs_attention:
        verdict = Text("All well.", style="bold green")
    parts: list[Table | Text] = [_processes(status), Text(""), _flows(status), Text("")]
    if status.letters_cut:
        parts.append(Text("Only the newest dead letters were counted."))
    parts += [Text(line, style="bold red") for line in map(danger_of, status.processes) if line]
    if status.period_holds:
        parts.append(Text(f"{status.period_holds} reports wait for a fiscal period to open."))
    if status.overdue_orders:
        parts.append(Text(f"{status.overdue_orders} orders are overdue: tieline orders list --overdue"))
    return Group(*parts, verdict)


def show_status(console: Console, status: Status) -> None:
    """Print it."""
    console.print(render_status(status))


def _processes(status: Status) -> Table:
    table = _table("", "PROCESS", "STATE", "RECORDS", "LAG", "WAITS FOR", "LAST EVENT", "LAST READ", "TROUBLE")
    for p in status.processes:
        table.add_row(
            _mark(attention=p.needs_attention),
            p.name,
            Text(p.state, style=_STYLES.get(p.state, "")),
            str(p.records),
            str(p.lag),
            ago(p.oldest_waiting_at, status.at),
            ago(p.last_event_at, status.at),
            ago(p.last_read_at, status.at),
            Text(trouble_of(p), style="bold red"),
        )
    return table


def _flows(status: Status) -> Table:
    table = _table(
        "", "FLOW", "MODE", "DELIVERED", "PENDING", "PARKED", "REJECTED", "LAST CONFIRMED", "P50", "P95", "TARGET"
    )
    for f in status.flows:
        table.add_row(
            _mark(attention=f.needs_attention),
            f.flow.name,
            str(f.flow.mode),
            str(f.delivered) if f.counted else "-",
            f"{'≥' if f.pending_is_least else ''}{f.pending}" if f.counted else "-",
            str(f.parked) if f.counted else "-",
            str(f.rejected) if f.counted else "-",
            ago(f.last_confirmed_at, status.at),
            _secs(f.latency_p50_secs),
            _secs(f.latency_p95_secs),
            _secs(f.flow.latency_target_secs),
        )
    return table


def trouble_of(process: ProcessStatus) -> str:
    """What is wrong with a process, in a few words; empty if nothing is."""
    found = []
    if process.parked_keys:
        draining = f" ({process.draining_keys} draining)" if process.draining_keys else ""
        found.append(f"parked {process.parked_keys}{draining}")
    if process.open_letters:
        behind = f" (+{process.waiting_letters} waiting)" if process.waiting_letters else ""
        found.append(f"dead letters {process.open_letters}{behind}")
    return ", ".join(found)


def danger_of(process: ProcessStatus) -> str:
    """What a process will lose if it does not move, where little time is left; empty if nothing is in danger."""
    expiry = process.expiry
    if expiry is None or not expiry.is_near:
        return ""
    return (
        f"{process.name}: the oldest record that waits for it is deleted at {expiry.at:%Y-%m-%d %H:%M} UTC, "
        f"{expiry.share_left:.0%} of its topic's retention is left; mend it, or raise retention.ms until then"
    )


def ago(then: dt.datetime | None, now: dt.datetime) -> str:
    """``42s``, ``17m``, ``5h``, ``3d``; a dash for never."""
    if then is None:
        return "-"
    secs = max(0, int((now - then).total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if secs >= size:
            return f"{secs // size}{unit}"
    return f"{secs}s"


def _table(*names: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    right = {"RECORDS", "LAG", "DELIVERED", "PENDING", "PARKED", "REJECTED", "P50", "P95", "TARGET"}
    for name in names:
        table.add_column(name, no_wrap=True, justify="right" if name in right else "left")
    return table


def _mark(*, attention: bool) -> Text:
    return Text("!" if attention else " ", style="bold red")


def _secs(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}s"


def _iso(value: dt.datetime | None) -> str | None:
    return None if value is None else value.isoformat()

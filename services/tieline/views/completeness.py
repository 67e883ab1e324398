"""Flow completeness: of what a source changed in an hour, how much each target holds by now, and how fast. Pure.

A change counts in the hour (UTC) in which its source recorded it, and once, however often it was routed or answered.
The view holds the last 48 hours before the newest record it has read. An older hour is final: it leaves the view, and
what is late for it is not counted (``tieline status`` tells what is still parked or waiting). Commands of a repair
belong to no flow.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tieline.kernel.command_records import SettledAs
from tieline.views.flows import (
    HOUR_MS,
    SWEEP_MS,
    ChangeEntry,
    CommandEntry,
    FlowEntry,
    FlowName,
    ResultEntry,
    first_hour_of,
    is_past,
)

_SHARE_DIGITS = 10_000


@dataclass(frozen=True, slots=True)
class FlowHour:
    """One flow in one hour. ``accepted`` counts changes; a change that concerns no record of the target is not routed.

    Latencies are seconds from the source's change to the confirmed effect, nearest rank.
    """

    flow: FlowName
    hour: dt.datetime
    accepted: int
    routed: int
    confirmed: int
    superseded: int
    rejected: int
    latency_p50_secs: float | None
    latency_p95_secs: float | None
    latency_max_secs: float | None

    @property
    def still_open(self) -> int:
        """Commands that no target has answered yet."""
        return self.routed - self.confirmed - self.superseded - self.rejected

    @property
    def completeness(self) -> float | None:
        """Share of the routed changes that the target holds, cut (not rounded up) to four digits; None of none.

        A superseded change counts: the target holds it, or a newer one. A rejected one does not: it waits for a person.
        """
        if not self.routed:
            return None
        return (self.confirmed + self.superseded) * _SHARE_DIGITS // self.routed / _SHARE_DIGITS

    @property
    def place(self) -> str:
        """Where it stands among the others: ``2026-03-01T09:00Z/asset:unio24>tryton``."""
        return f"{_hour_text(self.hour)}/{self.flow.text}"


@dataclass(slots=True)
class Completeness:
    """The entries of the window, and until the next sweep of some hours before it.

    Not safe for concurrent use: it lives in one event loop or one thread.

    Of ``flows`` an hour is told as soon as something was accepted; of any other, when a command was routed.
    """

    flows: tuple[FlowName, ...] = ()
    _changes: dict[str, ChangeEntry] = field(default_factory=dict)
    _hours: dict[int, set[str]] = field(default_factory=dict)
    _commands: dict[str, dict[str, CommandEntry]] = field(default_factory=dict)  # by change, then command id
    _results: dict[str, ResultEntry] = field(default_factory=dict)
    _latest_ms: int = 0

    def put_change(self, key: str, entry: ChangeEntry) -> None:
        """Keep a change, in place of what was known of it."""
        self._advance(entry)
        before = self._changes.pop(key, None)
        if before is not None:
            self._leave_hour(key, before)
        if not is_past(entry, self._latest_ms):
            self._changes[key] = entry
            self._hours.setdefault(entry["changed_ms"] // HOUR_MS, set()).add(key)

    def put_command(self, command_id: str, entry: CommandEntry) -> None:
        """Keep a command."""
        self._advance(entry)
        if not is_past(entry, self._latest_ms):
            self._commands.setdefault(entry["change"], {})[command_id] = entry

    def put_result(self, command_id: str, entry: ResultEntry) -> None:
        """Keep how a command ended."""
        self._advance(entry)
        if not is_past(entry, self._latest_ms):
            self._results[command_id] = entry

    @property
    def event_time(self) -> dt.datetime | None:
        """When the newest record read was written (UTC); None before the first."""
        return dt.datetime.fromtimestamp(self._latest_ms / 1000, dt.UTC) if self._latest_ms else None

    @property
    def first_hour(self) -> dt.datetime | None:
        """The first hour of the window; None before the first record."""
        return _instant(first_hour_of(self._latest_ms)) if self._latest_ms else None

    def page(self, *, flow: str | None = None, after: str = "", limit: int) -> tuple[list[FlowHour], str | None]:
        """Up to ``limit`` rows in order of hour and flow, beginning behind ``after``; and where the next page begins.

        ``after`` is a row's place, or the beginning of one: ``2026-03-01T09`` begins with that hour.
        """
        found: list[FlowHour] = []
        first = first_hour_of(self._latest_ms)
        for hour in sorted(hour for hour in self._hours if hour >= first):
            text = _hour_text(_instant(hour))
            if text < after[: len(text)]:
                continue
            found += [row for row in self._rows(hour) if row.place > after and flow in {None, row.flow.text}]
            if len(found) > limit:
                return found[:limit], found[limit - 1].place
        return found, None

    def _rows(self, hour: int) -> Iterator[FlowHour]:
        accepted: Counter[tuple[str, str]] = Counter()
        commands: dict[FlowName, list[tuple[ChangeEntry, ResultEntry | None]]] = {}
        for key in self._hours[hour]:
            change = self._changes[key]
            accepted[change["object"], change["source"]] += 1
            for command_id, command in self._commands.get(key, {}).items():
                flow = FlowName(change["object"], change["source"], command["target"])
                commands.setdefault(flow, []).append((change, self._results.get(command_id)))
        told = {flow for flow in self.flows if accepted[flow.object, flow.source]}
        for flow in sorted(told | commands.keys(), key=lambda flow: flow.text):
            yield _row(flow, hour, accepted[flow.object, flow.source], commands.get(flow, []))

    def _advance(self, entry: FlowEntry) -> None:
        before, self._latest_ms = self._latest_ms, max(self._latest_ms, entry["written_ms"])
        if before // SWEEP_MS != self._latest_ms // SWEEP_MS:
            self._sweep()

    def _sweep(self) -> None:
        for key, change in [(k, c) for k, c in self._changes.items() if is_past(c, self._latest_ms)]:
            del self._changes[key]
            self._leave_hour(key, change)
        for key, commands in list(self._commands.items()):
            kept = {i: command for i, command in commands.items() if not is_past(command, self._latest_ms)}
            if kept:
                self._commands[key] = kept
            else:
                del self._commands[key]
        self._results = {i: result for i, result in self._results.items() if not is_past(result, self._latest_ms)}

    def _leave_hour(self, key: str, entry: ChangeEntry) -> None:
        hour = entry["changed_ms"] // HOUR_MS
        self._hours[hour].discard(key)
        if not self._hours[hour]:
            del self._hours[hour]


def _row(
    flow: FlowName, hour: int, accepted: int, commands: Iterable[tuple[ChangeEntry, ResultEntry | None]]
) -> FlowHour:
    outcomes: Counter[str] = Counter()
    latencies_ms: list[int] = []
    for change, result in commands:
        outcomes[result["outcome"] if result else "open"] += 1
        if result is not None and result["outcome"] == SettledAs.CONFIRMED:
            latencies_ms.append(max(0, result["written_ms"] - change["changed_ms"]))
    latencies_ms.sort()
    return FlowHour(
        flow=flow,
        hour=_instant(hour),
        accepted=accepted,
        routed=outcomes.total(),
        confirmed=outcomes[SettledAs.CONFIRMED],
        superseded=outcomes[SettledAs.SUPERSEDED],
        rejected=outcomes[SettledAs.REJECTED],
        latency_p50_secs=_percentile_secs(latencies_ms, 50),
        latency_p95_secs=_percentile_secs(latencies_ms, 95),
        latency_max_secs=_percentile_secs(latencies_ms, 100),
    )


def _percentile_secs(sorted_ms: list[int], percent: int) -> float | None:
    """The nearest rank: the smallest value that ``percent`` of them do not exceed."""
    return sorted_ms[-(-len(sorted_ms) * percent // 100) - 1] / 1000 if sorted_ms else None


def _instant(hour: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(hour * HOUR_MS // 1000, dt.UTC)


def _hour_text(hour: dt.datetime) -> str:
    return f"{hour:%Y-%m-%dT%H:%M}Z"


def as_json(row: FlowHour) -> dict[str, object]:
    """The answer's shape: hours ISO 8601 in UTC, latencies in seconds, completeness from 0 to 1."""
    return {
        "hour": _hour_text(row.hour),
        "flow": row.flow.text,
        "accepted": row.accepted,
        "routed": row.routed,
        "confirmed": row.confirmed,
        "superseded": row.superseded,
        "rejected": row.rejected,
        "open": row.still_open,
        "completeness": row.completeness,
        "latency_p50_secs": row.latency_p50_secs,
        "latency_p95_secs": row.latency_p95_secs,
        "latency_max_secs": row.latency_max_secs,
    }

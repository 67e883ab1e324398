"""How each flow of the landscape stands: delivered, waiting, parked, rejected, and how long a change takes (K02).

Delivered, rejected and last confirmed come from the delivery ledger, which knows target and object: two flows of one
object into one target share its row. Waiting commands and latencies are told apart by the raw record behind them,
whose coordinates every later record carries as its correlation.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

from tieline.kernel.command_records import CommandSettled, SettledAs
from tieline.kernel.dead_letters import first_coordinates
from tieline.kernel.inspecting import LogReader, Where, Window, read_rows, read_spans, read_tail, read_windows
from tieline.kernel.landscape import Flow, Landscape, Mode, ObjectName
from tieline.kernel.letters import PARKED
from tieline.kernel.memory import LedgerEntry, ParkedKey, Stage
from tieline.kernel.producing import CORRELATION, source_of
from tieline.kernel.records import Inbound
from tieline.kernel.topic_names import LEDGER, results_of
from tieline.operating.processes import Sample

COMMANDS: Mapping[str, str] = {
    "tieline.WriteAsset": "asset",
    "tieline.WriteBook": "book",
    "tieline.PostCost": "cost-document",
}
RESULTS = 500  # newest results behind the latencies
PENDING_LIMIT = 500  # waiting commands looked at, by partition
RAW_REACH = 5000  # raw offsets looked at, by partition, for the start of those latencies
P95 = 0.95
RECENT_SECS = 900.0  # as in the alert rule (deploy/alerts): what a flow is judged by


@dataclass(frozen=True, slots=True)
class FlowStatus:
    """One flow. Latencies are seconds from capture to the confirmed effect, over the newest results."""

    flow: Flow
    delivered: int
    pending: int
    pending_is_least: bool
    parked: int
    rejected: int
    last_confirmed_at: dt.datetime | None
    samples: int
    latency_p50_secs: float | None
    latency_p95_secs: float | None
    in_doubt: frozenset[str] = frozenset()  # canonical ids: nobody knows whether their command took effect
    in_doubt_since: dt.datetime | None = None
    recent_samples: int = 0  # of the last RECENT_SECS
    recent_p95_secs: float | None = None

    @property
    def is_slow(self) -> bool:
        """Whether the promised time was not kept lately; what was slow long ago is over."""
        return self.recent_p95_secs is not None and self.recent_p95_secs > self.flow.latency_target_secs

    @property
    def health(self) -> str:
        """How it is, in a word: shadow or off, parked, slow, moving or ok."""
        if self.flow.mode is not Mode.ENABLED:
            return str(self.flow.mode)
        if self.parked:
            return "parked"
        if self.is_slow:
            return "slow"
        return "moving" if self.pending else "ok"

    @property
    def counted(self) -> bool:
        """Whether the ledger tells this flow's deliveries: an order arrives as the assets it buys, in their flow."""
        return self.flow.object in COMMANDS.values() or self.flow.object not in get_args(ObjectName)

    @property
    def needs_attention(self) -> bool:
        """Whether something is parked, or the promised time is not kept."""
        return self.parked > 0 or self.is_slow


@dataclass(frozen=True, slots=True)
class Latency:
    """How long one change took, and when it was confirmed (UTC)."""

    secs: float
    at: dt.datetime


@dataclass(slots=True)
class _Tally:
    delivered: int = 0
    rejected: int = 0
    parked: int = 0
    last: dt.datetime | None = None
    in_doubt: set[str] = field(default_factory=set)
    in_doubt_since: dt.datetime | None = None


def read_flows(log: LogReader, sample: Sample, now: dt.datetime) -> list[FlowStatus]:
    """Status of every flow of the landscape, in its order."""
    tallies = tally(read_rows(log, LEDGER, LedgerEntry).values(), read_rows(log, PARKED, ParkedKey).values())
    pending, cut = _read_pending(log, sample)
    latencies = read_latencies(log)
    found = []
    for flow in log.landscape.flows:
        sums = tallies.get((flow.object, flow.target), _Tally())
        results = latencies.get((flow.object, flow.source, flow.target), ())
        secs = sorted(result.secs for result in results)
        recent = sorted(result.secs for result in results if (now - result.at).total_seconds() <= RECENT_SECS)
        status = FlowStatus(
            flow=flow,
            delivered=sums.delivered,
            pending=sum(count for key, count in pending.items() if is_of(key, flow, log.landscape.flows)),
            pending_is_least=flow.target in cut,
            parked=sums.parked,
            rejected=sums.rejected,
            last_confirmed_at=sums.last,
            samples=len(secs),
            latency_p50_secs=percentile(secs, 0.5),
            latency_p95_secs=percentile(secs, P95),
            in_doubt=frozenset(sums.in_doubt),
            in_doubt_since=sums.in_doubt_since,
            recent_samples=len(recent),
            recent_p95_secs=percentile(recent, P95),
        )
        found.append(status)
    return found


def commands_of(landscape: Landscape) -> Mapping[str, str]:
    """The object that a command brings, by the CloudEvents type of the command."""
    return {**COMMANDS, **{f"tieline.{family.command}": family.name for family in landscape.families}}


def is_of(key: tuple[str, str, str], flow: Flow, flows: Sequence[Flow]) -> bool:
    """Whether waiting commands belong to a flow; those of no known source, to the only flow there is."""
    kind, source, target = key
    alike = [other.source for other in flows if (other.object, other.target) == (kind, target)]
    if (flow.object, flow.target) != (kind, target):
        return False
    return source == flow.source or (source not in alike and len(alike) == 1)


def tally(ledger: Iterable[LedgerEntry], parked: Iterable[ParkedKey]) -> dict[tuple[str, str], _Tally]:
    """Ledger and parked rows by (object, target)."""
    sums: dict[tuple[str, str], _Tally] = {}
    for entry in ledger:
        one = sums.setdefault((entry.entity, entry.target), _Tally())
        one.delivered += entry.applied_version > 0
        one.rejected += entry.stage in {Stage.REJECTED, Stage.UNKNOWN}
        if entry.stage is Stage.UNKNOWN:
            one.in_doubt.add(entry.canonical_id)
            one.in_doubt_since = min(one.in_doubt_since or entry.at, entry.at)
        if entry.stage is Stage.CONFIRMED and (one.last is None or entry.at > one.last):
            one.last = entry.at
    for row in parked:
        sums.setdefault((row.entity, row.target), _Tally()).parked += 1
    return sums


def percentile(values: Sequence[float], share: float) -> float | None:
    """The nearest-rank percentile of sorted values; None of none."""
    if not values:
        return None
    return values[max(0, min(len(values) - 1, -int(-share * len(values) // 1) - 1))]


def read_latencies(log: LogReader) -> dict[tuple[str, str, str], list[Latency]]:
    """Times from capture to confirmation by (object, source, target), of the newest results.

    Measured between two times of the log: the raw record's and the result's. A result whose raw record is no longer
    within reach is left out, as is a raw record that was mapped again: its time would be a person's.
    """
    systems = list(log.landscape.systems)
    ends: list[tuple[str, str, str, int]] = []  # object, target, raw coordinates, milliseconds
    for record in read_tail(log, [results_of(system) for system in systems], RESULTS)[0]:
        body = None if record.value is None else log.codec.decode(record.topic, record.value).body
        cause = record.header(CORRELATION)
        if isinstance(body, CommandSettled) and body.outcome is SettledAs.CONFIRMED and cause:
            ends.append((body.entity, body.target, cause, record.timestamp_ms))
    starts = _read_times(log, {cause for _, _, cause, _ in ends})
    found: dict[tuple[str, str, str], list[Latency]] = {}
    for entity, target, cause, millis in ends:
        if cause in starts:
            at = dt.datetime.fromtimestamp(millis / 1000, tz=dt.UTC)
            latency = Latency(max(0.0, (millis - starts[cause]) / 1000), at)
            found.setdefault((entity, source_of(cause), target), []).append(latency)
    return found


def _read_times(log: LogReader, coordinates: Iterable[str]) -> dict[str, int]:
    """Timestamps of raw records, milliseconds; those too far behind the newest asked for are left out."""
    wanted: dict[Where, list[int]] = {}
    for place in coordinates:
        topic, _, rest = place.partition("/")
        partition, _, offset = rest.partition("/")
        known = topic in log.partitions and source_of(topic) and partition.isdecimal() and offset.isdecimal()
        if known and int(partition) < log.partitions[topic]:
            wanted.setdefault((topic, int(partition)), []).append(int(offset))
    spans = read_spans(log, wanted)
    windows = {
        where: Window(spans[where].first, _from(offsets, spans[where].first), min(max(offsets) + 1, spans[where].end))
        for where, offsets in wanted.items()
    }
    times: dict[str, int] = {}
    asked = set(coordinates)

    def take(record: Inbound) -> None:
        # A record mapped again was captured long before: its latency would be the time until somebody replayed it.
        if record.coordinates in asked and first_coordinates(record) == record.coordinates:
            times[record.coordinates] = record.timestamp_ms

    read_windows(log, windows, take)
    return times


def _from(offsets: Sequence[int], first: int) -> int:
    newest = max(offsets)
    return max(first, min(offset for offset in offsets if offset > newest - RAW_REACH))


def _read_pending(log: LogReader, sample: Sample) -> tuple[dict[tuple[str, str, str], int], set[str]]:
    """Waiting commands by (object, source, target), and the targets that have more than were looked at."""
    counts: dict[tuple[str, str, str], int] = {}
    cut: set[str] = set()
    windows: dict[Where, Window] = {}
    for system in log.landscape.systems:
        for where, record in sample.waiting[f"sink-{system}"].items():
            span = sample.spans[where]
            end = min(span.end, record.offset + PENDING_LIMIT)
            windows[where] = Window(span.first, record.offset, end)
            if end < span.end:
                cut.add(system)
    take = _counter(counts, commands_of(log.landscape))
    read_windows(log, windows, take)
    return counts, cut


def _counter(counts: dict[tuple[str, str, str], int], kinds: Mapping[str, str]) -> Callable[[Inbound], None]:
    def take(record: Inbound) -> None:
        kind = kinds.get(record.header("ce_type") or "")
        if kind is not None:
            key = (kind, source_of(record.header(CORRELATION)), record.topic.split(".")[1])
            counts[key] = counts.get(key, 0) + 1

    return take

"""What the hub measures of itself, for Prometheus: one list of names, and where a process keeps its figures.

Names carry their unit (Prometheus naming conventions): ``_seconds``, ``_total`` of a counter. Labels are names out of
the landscape and of this code, never keys, ids or texts (Invariant 14), and each has a bounded number of values.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from tieline.kernel.clock import Clock

MAX_VALUES = 100
"""Values of one label of one measure; what comes after them is counted under ``OTHER``."""
OTHER = "other"
_CALL_SECS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_WAIT_SECS = (0.001, 0.01, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300)
# From a fraction of a second to a day: flows promise anything between the two.
_LATENCY_SECS = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 14_400, 86_400)
_RECORDS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
_FLOW = ("object", "source", "target")


class Kind(StrEnum):
    """How a figure moves."""

    COUNTER = "counter"  # up only, from 0 at the start of the process
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure: its name as Prometheus has it, a histogram's without ``_bucket``, ``_sum`` and ``_count``."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()

    @property
    def series(self) -> tuple[str, ...]:
        """Names of its series, as a rule names them."""
        if self.kind is Kind.HISTOGRAM:
            return tuple(f"{self.name}_{part}" for part in ("bucket", "sum", "count"))
        return (self.name,)


def _counter(name: str, labels: tuple[str, ...], words: str) -> Metric:
    return Metric(name, Kind.COUNTER, labels, words)


def _gauge(name: str, labels: tuple[str, ...], words: str) -> Metric:
    return Metric(name, Kind.GAUGE, labels, words)


def _histogram(name: str, labels: tuple[str, ...], words: str, buckets: tuple[float, ...]) -> Metric:
    return Metric(name, Kind.HISTOGRAM, labels, words, buckets)


class Measure(Enum):
    """Every figure there is."""

    TURN_AGE = _gauge(
        "tieline_turn_age_seconds",
        ("consumer",),
        "Time since the process last looked for work, or at its paused target.",
    )
    RECORDS_HANDLED = _counter(
        "tieline_records_handled_total", ("consumer", "topic"), "Records read and durably dealt with, dead letters too."
    )
    DEAD_LETTERS = _counter(
        "tieline_dead_letters_total", ("consumer", "cause"), "Records written to the dead-letter topic, by cause."
    )
    BATCH_RECORDS = _histogram("tieline_batch_records", ("consumer",), "Records a batch.", _RECORDS)
    TRANSACTION_SECONDS = _histogram(
        "tieline_transaction_duration_seconds",
        ("consumer",),
        "Time from the begin of a transaction to its commit, a processor's handling included.",
        _CALL_SECS,
    )
    TRANSACTIONS_REPEATED = _counter(
        "tieline_transactions_repeated_total", ("consumer",), "Transactions whose outcome was unknown, done again."
    )
    TABLE_ROWS = _gauge("tieline_table_rows", ("consumer", "table"), "Rows of a table in memory, by its topic.")
    SOURCE_ITEMS = _counter(
        "tieline_source_items_total", ("system", "stream"), "Records captured from a system, a record read again too."
    )
    SOURCE_FAILURES = _counter(
        "tieline_source_failures_total", ("system",), "Reads of a system that it did not answer, or turned down."
    )
    POLL_AGE = _gauge("tieline_source_poll_age_seconds", ("system",), "Time since a system was last read to its end.")
    POLL_INTERVAL = _gauge(
        "tieline_source_poll_interval_seconds", ("system",), "Planned pause between two reads, by the landscape."
    )
    WEBHOOKS_WAITING = _gauge("tieline_webhooks_waiting", ("system",), "Records webhooks named that are not read yet.")
    DELIVERIES = _counter("tieline_deliveries_total", (*_FLOW, "outcome"), "Commands settled, by how they ended.")
    DELIVERY_LATENCY = _histogram(
        "tieline_delivery_latency_seconds",
        _FLOW,
        "Time from a change in the source to its confirmed effect in the target; nothing that a person sent again.",
        _LATENCY_SECS,
    )
    LATENCY_TARGET = _gauge(
        "tieline_flow_latency_target_seconds", _FLOW, "Promised time from change to confirmed effect, by the landscape."
    )
    UNSETTLED_AGE = _gauge(
        "tieline_unsettled_age_seconds", _FLOW, "Time since the oldest change whose command is not settled; 0: none."
    )
    OLDEST_COMMAND_AGE = _gauge(
        "tieline_oldest_command_age_seconds",
        ("target",),
        "Time since the oldest command that was read and is not settled was written to its topic; 0: none.",
    )
    COMMAND_RETENTION = _gauge(
        "tieline_command_retention_seconds", ("target",), "How long a target's topic of commands keeps one."
    )
    CALL_SECONDS = _histogram(
        "tieline_call_duration_seconds",
        ("target", "call", "result"),
        "Calls of a target: write or read-back, and how each attempt ended.",
        _CALL_SECS,
    )
    TARGET_PAUSED = _gauge("tieline_target_paused", ("target",), "1 while a target does not answer, 0 while it does.")
    PAUSED_AGE = _gauge(
        "tieline_target_paused_seconds", ("target",), "Time since a target stopped answering; 0: it answers."
    )
    NEXT_PROBE = _gauge(
        "tieline_target_next_call_seconds", ("target",), "Time until a paused target may be asked again; 0: now."
    )
    RETRIES_WAIT = _gauge(
        "tieline_retries_wait_seconds",
        ("target",),
        "Time until a failed command may be tried again, where a target's retries are spent; 0: now.",
    )
    SOURCE_FAILING_AGE = _gauge(
        "tieline_source_failing_seconds", ("system",), "Time since reads of a system fail; 0: the last one did not."
    )
    NEXT_READ = _gauge("tieline_source_next_read_seconds", ("system",), "Time until a system is read again; 0: now.")
    BROKER_AWAY = _gauge(
        "tieline_broker_away", (), "1 while the process waits for Kafka or the schema registry, 0 while it does not."
    )
    CALLS_FREE = _gauge(
        "tieline_account_calls_free",
        ("consumer", "system"),
        "Calls an account has room for now; 0 also while throttled.",
    )
    QUOTA_LEFT = _gauge(
        "tieline_quota_left_calls",
        ("consumer", "system", "pool"),
        "Calls that the process may still make of its part: concurrent, of a rate such as 60s, of the day.",
    )
    QUOTA_RESET = _gauge(
        "tieline_quota_reset_seconds",
        ("consumer", "system", "pool"),
        "Time until a pool has room again, of the day until it is counted anew; 0: it has, or nobody knows.",
    )
    CALLS_CLOSED = _gauge(
        "tieline_account_closed_seconds",
        ("consumer", "system"),
        "Time until an account gives the process a call: a sink a live one, a source one to poll; 0: now.",
    )
    CALL_WAIT = _histogram(
        "tieline_call_wait_seconds",
        ("consumer", "system", "priority"),
        "Time that calls waited for their turn: live, repair, backfill or polling.",
        _WAIT_SECS,
    )
    THROTTLES = _counter(
        "tieline_throttles_total", ("consumer", "system"), "Calls that the system refused because there were too many."
    )
    PARKED_KEYS = _gauge("tieline_parked_keys", ("target", "object"), "Keys that wait behind a dead letter.")
    PARKED_LETTERS = _gauge("tieline_parked_letters", ("target", "object"), "Dead letters of the parked keys.")
    DRAINING_KEYS = _gauge(
        "tieline_draining_keys",
        ("target", "object"),
        "Parked keys whose first letter is resolved, but not all of them.",
    )
    RETRYING_KEYS = _gauge(
        "tieline_retrying_keys", ("target",), "Keys whose first command failed and is to be tried again."
    )
    VIEWS_READY = _gauge("tieline_views_ready", (), "1 while the live views answer, 0 while they are read back.")
    VIEWS_SKIPPED = _gauge(
        "tieline_views_skipped_records", (), "Records the live views could not decode since their start."
    )


class Cause(StrEnum):
    """Why a record became a dead letter: the classes people act on differently."""

    UNREADABLE = "unreadable"  # it cannot be decoded
    REFUSED = "refused"  # the record is at fault: by our rules, or by the target's answer
    GAVE_UP = "gave-up"  # every attempt failed, none took effect
    IN_DOUBT = "in-doubt"  # nobody knows whether it took effect
    DEFECT = "defect"  # our own code failed
    WAITING = "waiting"  # nothing but its place behind another letter


class Ending(StrEnum):
    """How a command was settled."""

    CONFIRMED = "confirmed"
    SUPERSEDED = "superseded"
    REJECTED = "rejected"
    IN_DOUBT = "in-doubt"


Instrument = Counter | Gauge | Histogram


class Metrics:
    """The figures of one process, in a registry of its own; safe for all its threads."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)  # cpu, memory, open files
        self._instruments = {measure: self._make(measure.value) for measure in Measure}
        self._seen: dict[tuple[Measure, str], set[str]] = {}

    def count(self, measure: Measure, amount: int = 1, **labels: str) -> None:
        """Move a counter up; by 0 to have it shown before anything happened, so that a rise from nothing is seen."""
        child = self._child(measure, labels)
        assert isinstance(child, Counter)  # noqa: S101  - a measure's kind is written in this file
        child.inc(amount)

    def observe(self, measure: Measure, value: float, **labels: str) -> None:
        """Add one value to a histogram."""
        child = self._child(measure, labels)
        assert isinstance(child, Histogram)  # noqa: S101  - as above
        child.observe(value)

    def put(self, measure: Measure, value: float, **labels: str) -> None:
        """Set a gauge."""
        child = self._child(measure, labels)
        assert isinstance(child, Gauge)  # noqa: S101  - as above
        child.set(value)

    def follow(self, measure: Measure, read: Callable[[], float], **labels: str) -> None:
        """Let a gauge ask when it is looked at, in the thread that looks: ``read`` is quick and takes no lock."""
        child = self._child(measure, labels)
        assert isinstance(child, Gauge)  # noqa: S101  - as above
        child.set_function(read)

    def value(self, series: str, **labels: str) -> float | None:
        """One figure as it is shown now, by the name of its series; None if there is none."""
        return self._registry.get_sample_value(series, labels)

    def expose(self) -> bytes:
        """Every figure in Prometheus' text format, version 0.0.4."""
        return generate_latest(self._registry)

    def _make(self, metric: Metric) -> Instrument:
        match metric.kind:
            case Kind.COUNTER:
                return Counter(metric.name, metric.help, metric.labels, registry=self._registry)
            case Kind.GAUGE:
                return Gauge(metric.name, metric.help, metric.labels, registry=self._registry)
            case Kind.HISTOGRAM:
                return Histogram(
                    metric.name, metric.help, metric.labels, buckets=metric.buckets, registry=self._registry
                )

    def _child(self, measure: Measure, labels: dict[str, str]) -> Instrument:
        instrument = self._instruments[measure]
        if not measure.value.labels:
            return instrument
        return instrument.labels(**{name: self._bounded(measure, name, value) for name, value in labels.items()})

    def _bounded(self, measure: Measure, name: str, value: str) -> str:
        seen = self._seen.setdefault((measure, name), set())
        if value not in seen:
            if len(seen) >= MAX_VALUES:
                # Every value costs memory here and in Prometheus, for good: none of them may grow without bound.
                return OTHER
            seen.add(value)
        return value


class Age:
    """Seconds since a moment, counted when somebody looks; 0 while there is none.

    From now on it counts by the monotonic clock, which nobody sets; from a record's time on only the wall clock can.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since: dt.datetime | None = None
        self._began_secs: float | None = None

    def begin(self, since: dt.datetime | None = None) -> None:
        """Count from ``since`` (UTC), or from now."""
        self._since = since
        self._began_secs = time.monotonic() if since is None else None

    def end(self) -> None:
        """Count no more."""
        self._since = self._began_secs = None

    @property
    def running(self) -> bool:
        """Whether it counts."""
        return self._since is not None or self._began_secs is not None

    def secs(self) -> float:
        """How long it has been."""
        since, began_secs = self._since, self._began_secs
        if began_secs is not None:
            return time.monotonic() - began_secs
        return 0.0 if since is None else max(0.0, (self._clock() - since).total_seconds())

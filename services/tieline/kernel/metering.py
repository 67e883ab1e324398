"""Where the loops measure what they do: a meter for each kind of loop. A figure moves when its cause is durable."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from tieline.kernel.clock import Clock
from tieline.kernel.command_records import Command
from tieline.kernel.dead_letters import REPLAY_OF, dead_letter_topic
from tieline.kernel.errands import Priority
from tieline.kernel.errors import OutcomeUnknown, Rejected, Retryable, Unavailable
from tieline.kernel.landscape import Flow
from tieline.kernel.memory import KeyState, ParkedKey
from tieline.kernel.metrics import OTHER, Age, Cause, Ending, Measure, Metrics
from tieline.kernel.producing import CHANGED_AT_MS, CORRELATION, read_ms, source_of
from tieline.kernel.protocols import Account, Connector, RawItem, Sink, Written
from tieline.kernel.records import Inbound, Outbound
from tieline.kernel.settling import Confirmed, Failed, Outcome, Superseded, entity_of
from tieline.kernel.tables import Table

T = TypeVar("T")


class LoopMeter:
    """What every transactional loop measures. ``committed`` counts the dead letters noted since ``forget``."""

    def __init__(self, consumer: str, metrics: Metrics, clock: Clock, tables: Iterable[Table[Any]] = ()) -> None:
        self._consumer = consumer
        self._metrics = metrics
        self._noted: list[Cause] = []
        self._turn = Age(clock)
        self._turn.begin()
        metrics.follow(Measure.TURN_AGE, self._turn.secs, consumer=consumer)
        metrics.count(Measure.TRANSACTIONS_REPEATED, 0, consumer=consumer)
        for cause in Cause:
            metrics.count(Measure.DEAD_LETTERS, 0, consumer=consumer, cause=cause)
        for table in tables:
            metrics.follow(Measure.TABLE_ROWS, table.__len__, consumer=consumer, table=table.topic)

    def turned(self) -> None:
        """The loop is alive: it looks for work, or waits for its target on purpose."""
        self._turn.begin()

    def forget(self) -> None:
        """Begin anew: what was noted and never committed is noted again."""
        self._noted.clear()

    def note(self, cause: Cause, letters: Iterable[Outbound]) -> None:
        """These dead letters are going to be written; records of other topics among them are passed over."""
        self._noted += [cause for letter in letters if letter.topic == dead_letter_topic(self._consumer)]

    def transacted(self, secs: float) -> None:
        """A transaction is committed that took so long."""
        self._metrics.observe(Measure.TRANSACTION_SECONDS, secs, consumer=self._consumer)

    def committed(self, batch: Sequence[Inbound]) -> None:
        """Noted letters are durable, and the position after ``batch`` (none: the batch is still on its way)."""
        for cause in self._noted:
            self._metrics.count(Measure.DEAD_LETTERS, consumer=self._consumer, cause=cause)
        self._noted.clear()
        if not batch:
            return
        self._metrics.observe(Measure.BATCH_RECORDS, len(batch), consumer=self._consumer)
        for topic, records in _tally(record.topic for record in batch).items():
            self._metrics.count(Measure.RECORDS_HANDLED, records, consumer=self._consumer, topic=topic)

    def repeated(self) -> None:
        """The transaction is given up and done again."""
        self._metrics.count(Measure.TRANSACTIONS_REPEATED, consumer=self._consumer)


class SourceMeter:
    """What a source measures of the system it reads."""

    def __init__(self, system: str, interval_secs: float, metrics: Metrics, clock: Clock) -> None:
        self._system = system
        self._metrics = metrics
        self._age = Age(clock)
        self._age.begin()  # a system that never answers is as old as the process
        metrics.put(Measure.POLL_INTERVAL, interval_secs, system=system)
        metrics.follow(Measure.POLL_AGE, self._age.secs, system=system)
        self._failing = Age(clock)
        metrics.follow(Measure.SOURCE_FAILING_AGE, self._failing.secs, system=system)
        metrics.count(Measure.SOURCE_FAILURES, 0, system=system)

    def announced(self, waiting: Callable[[], int]) -> None:
        """Where webhooks wait."""
        self._metrics.follow(Measure.WEBHOOKS_WAITING, waiting, system=self._system)

    def planned(self, wait_secs: Callable[[], float]) -> None:
        """Who knows how long until the system is read again."""
        self._metrics.follow(Measure.NEXT_READ, wait_secs, system=self._system)

    def captured(self, items: Iterable[RawItem]) -> None:
        """Items are durable."""
        for stream, number in _tally(item.stream for item in items).items():
            self._metrics.count(Measure.SOURCE_ITEMS, number, system=self._system, stream=stream)

    def polled(self) -> None:
        """The system was read to its end."""
        self._age.begin()
        self._failing.end()

    def failed(self) -> None:
        """It did not answer, or turned the read down."""
        if not self._failing.running:
            self._failing.begin()
        self._metrics.count(Measure.SOURCE_FAILURES, system=self._system)


class TargetMeter:
    """What a sink measures of the system it writes: its commands, its state, its parked keys."""

    def __init__(self, system: str, metrics: Metrics, clock: Clock, sources: Collection[str]) -> None:
        self._system = system
        self._metrics = metrics
        self._clock = clock
        self._sources = sources
        self._paused = Age(clock)
        self._oldest: dict[tuple[str, str], Age] = {}
        self._oldest_command = Age(clock)
        self._parked: dict[str, _Parked] = {}
        metrics.follow(Measure.PAUSED_AGE, self._paused.secs, target=system)
        metrics.follow(Measure.OLDEST_COMMAND_AGE, self._oldest_command.secs, target=system)
        metrics.follow(Measure.TARGET_PAUSED, lambda: float(self._paused.running), target=system)

    def unsettled(self, waiting: Iterable[tuple[Inbound, Command]]) -> None:
        """All commands that were read and are not settled, now."""
        oldest: dict[tuple[str, str], int] = {}
        written_ms: int | None = None
        for record, command in waiting:
            written_ms = record.timestamp_ms if written_ms is None else min(written_ms, record.timestamp_ms)
            flow = self._flow(record, command)
            since_ms = changed_ms(record)
            since_ms = record.timestamp_ms if since_ms is None else since_ms
            oldest[flow] = min(oldest.get(flow, since_ms), since_ms)
        self._oldest_command.end()
        if written_ms is not None:
            self._oldest_command.begin(dt.datetime.fromtimestamp(written_ms / 1000, tz=dt.UTC))
        for flow in self._oldest.keys() | oldest.keys():
            age = self._oldest.get(flow)
            if age is None:
                age = self._oldest[flow] = Age(self._clock)
                self._metrics.follow(Measure.UNSETTLED_AGE, age.secs, **self._labels(flow))
            if flow in oldest:
                age.begin(dt.datetime.fromtimestamp(oldest[flow] / 1000, tz=dt.UTC))
            else:
                age.end()

    def settled(self, record: Inbound, command: Command, outcome: Outcome | None) -> None:
        """A command's outcome is durable."""
        labels = self._labels(self._flow(record, command))
        self._metrics.count(Measure.DELIVERIES, 1, **labels, outcome=_ending(outcome))
        began_ms = changed_ms(record)
        if isinstance(outcome, Confirmed) and began_ms is not None:
            secs = self._clock().timestamp() - began_ms / 1000
            self._metrics.observe(Measure.DELIVERY_LATENCY, max(0.0, secs), **labels)

    def paused(self) -> None:
        """The target does not answer."""
        if not self._paused.running:
            self._paused.begin()

    def answered(self) -> None:
        """It answers."""
        self._paused.end()

    def retrying(
        self, keys: Callable[[], float], wait_secs: Callable[[], float], rest_secs: Callable[[], float]
    ) -> None:
        """Who knows how many keys are being tried again, when the next may be, and when a paused target is asked."""
        self._metrics.follow(Measure.RETRYING_KEYS, keys, target=self._system)
        self._metrics.follow(Measure.RETRIES_WAIT, wait_secs, target=self._system)
        self._metrics.follow(Measure.NEXT_PROBE, rest_secs, target=self._system)

    def parked_changed(self, _key: str, old: ParkedKey | None, new: ParkedKey | None) -> None:
        """See ``Table.on_change``."""
        for row, sign in ((old, -1), (new, 1)):
            if row is None:
                continue
            if row.entity not in self._parked:
                tally = self._parked[row.entity] = _Parked()
                where = {"target": self._system, "object": row.entity}
                self._metrics.follow(Measure.PARKED_KEYS, partial(getattr, tally, "keys"), **where)
                self._metrics.follow(Measure.PARKED_LETTERS, partial(getattr, tally, "letters"), **where)
                self._metrics.follow(Measure.DRAINING_KEYS, partial(getattr, tally, "draining"), **where)
            tally = self._parked[row.entity]
            tally.keys += sign
            tally.letters += sign * len(row.letters)
            tally.draining += sign * (row.state is KeyState.DRAINING)

    def _flow(self, record: Inbound, command: Command) -> tuple[str, str]:
        source = source_of(record.header(CORRELATION))
        # A repair, and what people decide, comes from no system; and a header may say anything.
        return entity_of(command)[0], source if source in self._sources else OTHER

    def _labels(self, flow: tuple[str, str]) -> dict[str, str]:
        return {"object": flow[0], "source": flow[1], "target": self._system}


@dataclass(slots=True)
class _Parked:
    keys: int = 0
    letters: int = 0
    draining: int = 0


class MeteredSink:
    """A sink whose calls are timed, each attempt by how it ended."""

    def __init__(self, system: str, sink: Sink, metrics: Metrics) -> None:
        self._system = system
        self._sink = sink
        self._metrics = metrics

    async def write(self, command: Command, native_id: str | None) -> Written:
        """See ``Sink``."""
        return await self._timed("write", self._sink.write(command, native_id))

    async def read_back(self, command: Command, native_id: str | None) -> Written | None:
        """See ``Sink``."""
        return await self._timed("read-back", self._sink.read_back(command, native_id))

    async def _timed(self, call: str, answer: Awaitable[T]) -> T:
        began_secs = time.monotonic()
        result = "answered"
        try:
            return await answer
        except Exception as error:
            result = _result_of(error)
            raise
        finally:
            secs = time.monotonic() - began_secs
            self._metrics.observe(Measure.CALL_SECONDS, secs, target=self._system, call=call, result=result)


def _result_of(error: Exception) -> str:
    match error:
        case Rejected():
            return "rejected"
        case Retryable():
            return "retryable"
        case Unavailable():
            return "unavailable"
        case OutcomeUnknown():
            return "unknown"
        case _:
            return "failed"


def follow_account(metrics: Metrics, consumer: str, system: str, connector: Connector) -> None:
    """Show how a system's account stands and how its calls get on, where its connector knows."""
    account = connector.account
    if account is None:
        return
    where = {"consumer": consumer, "system": system}
    metrics.follow(Measure.CALLS_FREE, account.calls_free, **where)
    # What a source mostly does is to poll, which gives way before a call that somebody waits for does.
    usual = Priority.POLLING if consumer.startswith("source-") else Priority.LIVE
    metrics.follow(Measure.CALLS_CLOSED, partial(account.closed_secs, usual), **where)
    for pool in account.left():
        metrics.follow(Measure.QUOTA_LEFT, partial(_left_of, account, pool), **where, pool=pool)
    for pool in account.reset_secs():
        metrics.follow(Measure.QUOTA_RESET, partial(_reset_secs_of, account, pool), **where, pool=pool)
    account.report_to(AccountMeter(consumer, system, metrics))


def _left_of(account: Account, pool: str) -> float:
    return account.left()[pool]


def _reset_secs_of(account: Account, pool: str) -> float:
    return account.reset_secs()[pool]


class AccountMeter:
    """What a process measures of its calls to one account."""

    def __init__(self, consumer: str, system: str, metrics: Metrics) -> None:
        self._where = {"consumer": consumer, "system": system}
        self._metrics = metrics
        metrics.count(Measure.THROTTLES, 0, **self._where)

    def waited(self, priority: Priority, secs: float) -> None:
        """See ``CallMeter``."""
        self._metrics.observe(Measure.CALL_WAIT, secs, **self._where, priority=priority.label)

    def throttled(self) -> None:
        """See ``CallMeter``."""
        self._metrics.count(Measure.THROTTLES, 1, **self._where)


def announce_flows(metrics: Metrics, flows: Iterable[Flow]) -> None:
    """Show what a target's flows promise, and their counters before anything was delivered."""
    for flow in flows:
        labels = {"object": flow.object, "source": flow.source, "target": flow.target}
        metrics.put(Measure.LATENCY_TARGET, flow.latency_target_secs, **labels)
        for ending in Ending:
            metrics.count(Measure.DELIVERIES, 0, outcome=ending, **labels)


def announce_retention(metrics: Metrics, system: str, secs: float | None) -> None:
    """Show how long a target's commands are kept; nothing where they are kept for ever."""
    if secs is not None:
        metrics.put(Measure.COMMAND_RETENTION, secs, target=system)


def changed_ms(record: Inbound) -> int | None:
    """When a system made the change that a record goes back to (Unix time, ms); None where a person sent it again."""
    return None if record.header(REPLAY_OF) is not None else read_ms(record.header(CHANGED_AT_MS))


def sources_of(topics: Iterable[str]) -> frozenset[str]:
    """The systems that have a topic of what they said."""
    return frozenset(source_of(topic) for topic in topics if topic.startswith("src."))


def _ending(outcome: Outcome | None) -> Ending:
    match outcome:
        case Confirmed():
            return Ending.CONFIRMED
        case Superseded():
            return Ending.SUPERSEDED
        case Failed(in_doubt=True):
            return Ending.IN_DOUBT
        case _:
            return Ending.REJECTED


def _tally(names: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return counts

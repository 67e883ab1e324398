"""The transactional loop: poll, handle, produce, send offsets, commit: one Kafka transaction a batch.

One thread, one process, all partitions of its inputs: the transactional id fences a second copy (docs/decisions).
"""

from __future__ import annotations

import asyncio
import datetime as dt
import gc
import inspect
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from tieline.kernel import broker
from tieline.kernel.clock import Clock, utc_now
from tieline.kernel.codecs import Codec
from tieline.kernel.dead_letters import bury
from tieline.kernel.errors import Rejected, Retryable, Stop
from tieline.kernel.landscape import Kafka
from tieline.kernel.metering import LoopMeter
from tieline.kernel.metrics import Cause, Measure, Metrics
from tieline.kernel.privacy import IDS_ONLY, Custodians
from tieline.kernel.producing import Writer
from tieline.kernel.records import Inbound, Outbound, Typed
from tieline.kernel.tables import Table
from tieline.kernel.telemetry import Log
from tieline.kernel.trials import Trial, in_child
from tieline.kernel.troubles import Trouble
from tieline.kernel.vetting import Vetting
from tieline.kernel.watchdog import Watchdog

Handle = Callable[[Inbound, Typed], Iterable[Outbound]]

BATCH_RECORDS = 500
MAX_AWAY = dt.timedelta(days=1)
"""A follower that was away longer reads its tables anew: topics keep their tombstones for a week, no longer (T24)."""
REPEAT_PAUSE_SECS = 0.5  # what failed once would fail again at once, and reading the tables again is not free
FENCED = frozenset({KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH})  # noqa: SLF001  - the client's own name


@dataclass(frozen=True, slots=True)
class Processor:
    """What the loop runs.

    ``handle`` gets each record of ``inputs`` decoded, in order per partition, and gives what is to be written; it may
    read and change ``tables`` (its own compacted state; what they queue is written after what it returns) and read
    ``followed`` (other processes' compacted state, kept up to date by the loop). It does no I/O and asks no clock but
    the one it was built with. It raises ``Rejected`` for a record that is at fault: the loop then undoes the record's
    table changes and writes it, untouched, to ``hub.<name>.dead-letter.v1``.
    """

    name: str
    inputs: Sequence[str]
    handle: Handle
    tables: Sequence[Table[Any]] = ()
    followed: Sequence[Table[Any]] = ()


@dataclass(frozen=True, slots=True)
class Runtime:
    """What every loop of a process shares."""

    kafka: Kafka
    codec: Codec
    partitions: Mapping[str, int]
    log: Log
    stopping: Callable[[], bool]
    clock: Clock = utc_now
    custodians: Custodians = IDS_ONLY
    metrics: Metrics = field(default_factory=Metrics)
    trial: Trial = in_child
    watchdog: Watchdog = field(default_factory=Watchdog)


def group_of(name: str) -> str:
    """Consumer group of a process: ``tieline.<name>``."""
    return f"tieline.{name}"


class TransactionalLoop:
    """Runs one processor. ``start`` once, then ``run_once`` again and again, then ``close``."""

    def __init__(self, processor: Processor, runtime: Runtime) -> None:
        self._processor = processor
        self._runtime = runtime
        self._writer = Writer(processor.name, runtime.codec, runtime.partitions, runtime.clock)
        self._tables = {table.topic: table for table in processor.tables}
        self._follower = TableFollower(processor.followed, runtime)
        self._meter = LoopMeter(
            processor.name, runtime.metrics, runtime.clock, (*processor.tables, *processor.followed)
        )
        group = group_of(processor.name)
        self._consumer: Consumer = broker.open_consumer(runtime.kafka, group)
        self._vetting = Vetting(
            group,
            processor.inputs,
            runtime,
            self._consumer,
            window=BATCH_RECORDS,
            attempt=self._attempt,
            undo=self._undo_attempts,
        )
        self._producer: Producer | None = None

    def start(self) -> None:
        """Fence predecessors, read the tables, take up the position. Blocks until the broker answers."""
        self._recover()
        patiently(self._follower.start, self._runtime)

    def run_once(self, timeout_secs: float) -> int:
        """Handle at most one batch; wait up to ``timeout_secs`` for its first record. Returns the records handled.

        Raises ``Stop`` when another copy has taken over, or a position is lost.
        """
        self._meter.turned()
        batch = self._poll(timeout_secs)
        # Also when there is nothing to handle: what others write meanwhile must not pile up for the next batch.
        self._follower.catch_up()
        try:
            if batch:
                self._transact(batch)
            elif self._producer is not None:
                self._vetting.refresh(self._producer)
        except (KafkaException, Retryable) as error:
            stop_if_fenced(self._processor.name, error)
            # Whether the transaction took place is unknown: nothing local is trusted, all of it is read again.
            self._runtime.log.warning("transaction-repeated", reason=str(error))
            self._meter.repeated()
            time.sleep(REPEAT_PAUSE_SECS)
            patiently(self._vetting.refuse_successor, self._runtime)
            self._recover()
            return 0
        return len(batch)

    def close(self) -> None:
        """Leave; an open transaction is left to the next start, which aborts it."""
        self._consumer.close()
        self._follower.close()

    def _recover(self) -> None:
        def take_up() -> None:
            self._producer = start_producer(self._processor.name, self._runtime)
            load_tables(self._tables, self._runtime)
            self._vetting.take_up()

        patiently(take_up, self._runtime)

    def _poll(self, timeout_secs: float) -> list[Inbound]:
        return poll_batch(self._consumer, timeout_secs, BATCH_RECORDS)

    def _transact(self, batch: Sequence[Inbound]) -> None:
        assert self._producer is not None  # noqa: S101  - start() ran
        self._meter.forget()
        self._vetting.examine(batch)
        began_secs = time.monotonic()
        self._producer.begin_transaction()
        for record in batch:
            for ordinal, outbound in enumerate(self._handle(record)):
                self._writer.write(self._producer, outbound, record, ordinal)
        positions = next_offsets(batch)
        self._vetting.reach(positions)
        # Invariant 1: the position moves in the same transaction as everything the batch gave.
        self._producer.send_offsets_to_transaction(
            positions, self._consumer.consumer_group_metadata(), broker.CALL_TIMEOUT_SECS
        )
        self._producer.commit_transaction(broker.CALL_TIMEOUT_SECS)
        for table in self._tables.values():
            table.commit()
        self._meter.transacted(time.monotonic() - began_secs)
        self._meter.committed(batch)

    def _handle(self, record: Inbound) -> list[Outbound]:
        try:
            value = self._vetting.decode(record)
        except Rejected as rejection:
            return self._bury(record, rejection, Cause.UNREADABLE)
        try:
            produced = list(self._processor.handle(record, value))
            for table in self._tables.values():
                produced += table.drain()
        except Rejected as rejection:
            return self._bury(record, rejection, Cause.REFUSED)
        except (Retryable, Stop, KafkaException):
            raise
        except Exception as error:  # noqa: BLE001  - a defect of ours must cost one record, not the flow
            self._runtime.log.fault("handler-failed", record=record.coordinates)
            fault = Rejected(f"internal fault: {type(error).__name__}", remedy="see the log")
            return self._bury(record, fault, Cause.DEFECT)
        for table in self._tables.values():
            table.keep_record()
        return produced

    def _attempt(self, record: Inbound) -> None:
        """Decode and handle a record as ``_handle`` does, and write nothing."""
        tables = self._tables.values()
        try:
            for _ in self._processor.handle(record, self._vetting.decode(record)):
                pass
        except Exception:
            for table in tables:
                table.drop_record()
            raise
        for table in tables:
            table.drain()
            table.keep_record()

    def _undo_attempts(self) -> None:
        for table in self._tables.values():
            table.rollback()

    def _bury(self, record: Inbound, rejection: Rejected, cause: Cause) -> list[Outbound]:
        for table in self._tables.values():
            table.drop_record()
        self._runtime.log.warning("record-dead-lettered", record=record.coordinates, reason=str(rejection)[:300])
        letter = bury(self._processor.name, record, rejection, self._runtime.clock())
        self._meter.note(cause, [letter])
        return [letter]


def patiently(action: Callable[[], None], runtime: Runtime) -> None:
    """Repeat an action until Kafka and the registry let it succeed. Raises ``Stop`` when the process is to end."""
    while True:
        try:
            action()
        except (KafkaException, Retryable) as error:
            runtime.log.warning("broker-waited-for", why=str(error))
            runtime.metrics.put(Measure.BROKER_AWAY, 1)
            runtime.watchdog.feed()
            if runtime.stopping():
                raise Stop("stopped while waiting for the broker") from error
            time.sleep(1.0)
        else:
            runtime.metrics.put(Measure.BROKER_AWAY, 0)
            return


def stop_if_fenced(name: str, error: Exception) -> None:
    """Raise ``Stop`` for the error of a producer whose id another process has taken: two copies would never end."""
    cause = error.args[0] if error.args else None
    if isinstance(cause, KafkaError) and cause.code() in FENCED:
        why = f"{name}: another copy of it has taken over and goes on from its position; this one ends"
        raise Stop(why, trouble=str(Trouble.FENCED)) from error


def start_producer(transactional_id: str, runtime: Runtime) -> Producer:
    """A transactional producer that has fenced its predecessors; waits for the broker."""

    def wait(why: str) -> None:
        runtime.log.warning("broker-waited-for", why=why)
        runtime.metrics.put(Measure.BROKER_AWAY, 1)
        runtime.watchdog.feed()

    return broker.start_producer(runtime.kafka, transactional_id, runtime.stopping, on_wait=wait)


class TableFollower:
    """Keeps tables that other processes write up to date."""

    def __init__(self, tables: Sequence[Table[Any]], runtime: Runtime) -> None:
        self._tables = {table.topic: table for table in tables}
        self._runtime = runtime
        self._consumer: Consumer | None = None
        self._looked_at = runtime.clock()

    def start(self) -> None:
        """Read every followed topic to its end, then stand there."""
        if not self._tables:
            return
        self._looked_at = self._runtime.clock()
        ends = load_tables(self._tables, self._runtime)
        self._consumer = broker.open_consumer(self._runtime.kafka, "tieline.follower")
        self._consumer.assign([TopicPartition(topic, p, offset) for (topic, p), offset in ends.items()])

    def catch_up(self) -> None:
        """Take over what has arrived; does not wait. After a long absence everything is read anew."""
        now = self._runtime.clock()
        if self._consumer is not None and now - self._looked_at > MAX_AWAY:
            # A tombstone may have come and gone meanwhile: going on from here would keep a row that is no more.
            self._consumer.close()
            patiently(self.start, self._runtime)
        self._looked_at = now
        while self._consumer is not None and (messages := self._consumer.consume(1000, 0)):
            for message in messages:
                if broker.check_message(message):
                    apply_row(self._tables, self._runtime.codec, broker.to_inbound(message, headers=False))

    def close(self) -> None:
        """Leave."""
        if self._consumer is not None:
            self._consumer.close()


def load_tables(tables: Mapping[str, Table[Any]], runtime: Runtime) -> dict[tuple[str, int], int]:
    """Empty the tables and fill them from their topics. Returns the end offsets that were read to."""
    for table in tables.values():
        table.clear()
    if not tables:
        return {}
    # What is read stays: to search it for garbage again and again while it grows takes longer than to read it.
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return broker.read_to_end(
            runtime.kafka, list(tables), lambda record: apply_row(tables, runtime.codec, record), headers=False
        )
    finally:
        if was_enabled:
            gc.enable()


def apply_row(tables: Mapping[str, Table[Any]], codec: Codec, record: Inbound) -> None:
    """Take one record of a compacted topic over. A row nobody can read is a defect of ours: ``Stop``."""
    table = tables[record.topic]
    if not table.keeps(record.key_text):
        return  # of a ledger that all sinks share, each would read the rows of all the others too
    try:
        row = None if record.value is None else codec.decode(record.topic, record.value).body
    except Rejected as rejection:
        raise Stop(f"{record.coordinates}: the hub's own state cannot be read: {rejection}") from rejection
    table.load(record.key_text, row)


def close_connector(close: Callable[[], object], runner: asyncio.Runner) -> None:
    """Close a connector's connections, on the event loop that they live on if closing is a coroutine."""
    closing = close()
    if inspect.isawaitable(closing):
        runner.run(_finish(closing))


async def _finish(closing: Awaitable[object]) -> None:
    await closing


def poll_batch(consumer: Consumer, timeout_secs: float, limit: int) -> list[Inbound]:
    """What is there, up to ``limit`` records; waits up to ``timeout_secs`` for the first, never for more."""
    first = consumer.poll(timeout_secs)
    messages = [] if first is None else [first, *consumer.consume(limit - 1, 0)]
    return [broker.to_inbound(message) for message in messages if broker.check_message(message)]


def next_offsets(batch: Sequence[Inbound]) -> list[TopicPartition]:
    """The position after the batch, per partition."""
    highest: dict[tuple[str, int], int] = {}
    for record in batch:
        where = (record.topic, record.partition)
        highest[where] = max(highest.get(where, -1), record.offset)
    return [TopicPartition(topic, partition, offset + 1) for (topic, partition), offset in highest.items()]

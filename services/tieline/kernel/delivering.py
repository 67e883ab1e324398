"""The delivery loop: commands of one target, in order per key, side by side across keys, through the ledger.

One thread turns round and round (``run_once``)::

    take in ──▶ lanes by key ──▶ advance: ONE transaction ──▶ calls go on until one ends, or for a moment ──▶ advance
    (intake.py)   (lanes.py)      outcomes of what ended       (calling.py)
                                  intents of what is next
                                  dead letters, positions

A lane's next command is called for once the transaction is committed that has the outcome of the one before it; the
others do not wait for it. While calls go on, nothing is written; while a transaction is written, no call goes on. The
position of a partition stops before its lowest record that is not settled (tracking.py, which also keeps what a restart
reads again from becoming a second letter); a partition that has too much on its way is paused, never the polling
(intake.py). A version that waits before a newer one that says all of it is passed over (coalescing.py).

Whatever breaks a transaction off, nothing in memory is trusted after it: calls at work are waited for, their outcomes
forgotten, and everything is taken up again from position and ledger, whose intents say what to read back.

A key that fails is parked: its letter and everything behind it wait, in order, until the desk replays or discards them.
A target that does not answer pauses the loop; nothing is dead-lettered (Invariant 7).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from types import MappingProxyType

from confluent_kafka import KafkaException, Producer

from tieline.kernel import broker
from tieline.kernel.calling import NEVER, Calls
from tieline.kernel.coalescing import count_passed_over, tell_passed_over
from tieline.kernel.command_records import Command, PostCost, RemoveRecord, WriteAsset, WriteBook
from tieline.kernel.consuming import (
    Runtime,
    group_of,
    load_tables,
    patiently,
    start_producer,
    stop_if_fenced,
)
from tieline.kernel.dead_letters import ACTION, REPLAY_OF, bury, dead_letter_topic
from tieline.kernel.error_policies import OnError
from tieline.kernel.errors import Rejected, Retryable, Stop, TielineError
from tieline.kernel.family_records import FamilyCommand
from tieline.kernel.intake import MAX_IN_HAND, Intake
from tieline.kernel.lanes import Lanes, Task
from tieline.kernel.memory import LedgerEntry, ParkedKey
from tieline.kernel.metering import LoopMeter, MeteredSink, TargetMeter, sources_of
from tieline.kernel.metrics import Cause
from tieline.kernel.parking import Parking
from tieline.kernel.producing import Writer
from tieline.kernel.protocols import Sink
from tieline.kernel.recording import Recorder
from tieline.kernel.records import Inbound, Outbound
from tieline.kernel.settling import (
    Confirmed,
    Failed,
    Superseded,
    aggregate_of,
    is_superseded,
    ledger_key,
    needs_read_back,
    overtaken_by,
)
from tieline.kernel.tables import Table
from tieline.kernel.topic_names import commands_of
from tieline.kernel.vetting import Vetting
from tieline.kernel.vocabulary import Model

BATCH_COMMANDS = 200
MOMENT_SECS = 0.05
"""How long calls go on before new records are looked for: far less than a third of ``max.poll.interval.ms``."""
FINISH_SECS = 30.0
"""How long a call may still take before its command is taken up again: at most a tenth of ``max.poll.interval.ms``."""
CLOSE_SECS = 5.0
SHOWN_SECS = 1.0  # what waits is looked through as a whole, so not at every turn


@dataclass(slots=True)
class Transaction:
    """What one transaction holds: records to write, each with its cause; what is settled by it, and what is begun."""

    outbounds: list[tuple[Inbound, Outbound]] = field(default_factory=list)
    settled: list[Inbound] = field(default_factory=list)
    concluded: list[Task] = field(default_factory=list)  # those of the settled that have an outcome
    begun: list[Task] = field(default_factory=list)

    def write(self, record: Inbound, outbounds: Iterable[Outbound]) -> None:
        """What a record gives."""
        self.outbounds += [(record, outbound) for outbound in outbounds]


class DeliveryLoop:
    """Runs the sink side of one system. ``start`` once, then ``run_once`` again and again, then ``close``."""

    def __init__(
        self,
        system: str,
        sink: Sink,
        runtime: Runtime,
        *,
        close: Callable[[], object] = lambda: None,
        policies: Mapping[str, OnError] = MappingProxyType({}),
    ) -> None:
        self._name = f"sink-{system}"
        self._letters = dead_letter_topic(self._name)
        self._close = close
        self._runtime = runtime
        self._target = TargetMeter(system, runtime.metrics, runtime.clock, sources_of(runtime.partitions))
        self._ledger: Table[LedgerEntry] = Table(
            "hub.delivery-ledger.state.v1", LedgerEntry, partition_by=aggregate_of, keep=lambda key: _mine(key, system)
        )
        self._parked: Table[ParkedKey] = Table(
            "hub.parked.state.v1",
            ParkedKey,
            partition_by=aggregate_of,
            on_change=self._target.parked_changed,
            keep=lambda key: _mine(key, system),
        )
        self._meter = LoopMeter(self._name, runtime.metrics, runtime.clock, (self._ledger, self._parked))
        self._parking = Parking(self._name, system, self._parked, runtime.clock, policies)
        self._recorder = Recorder(system, self._ledger, runtime.clock)
        self._writer = Writer(self._name, runtime.codec, runtime.partitions, runtime.clock)
        group, topic = group_of(self._name), commands_of(system)
        self._consumer = broker.open_consumer(runtime.kafka, group)
        # Of a command only the decoding is tried: a call has effects, and a kill during a call proves nothing.
        self._vetting = Vetting(group, [topic], runtime, self._consumer, window=MAX_IN_HAND + BATCH_COMMANDS)
        self._intake = Intake(self._consumer, self._vetting.take_up)
        self._calls = Calls(MeteredSink(system, sink, runtime.metrics), self._ledger, self._target, runtime.log)
        self._producer: Producer | None = None
        self._shown_at = NEVER
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._lanes = Lanes()
        self._next = Transaction()
        self._is_whole = True
        self._meter.forget()

    def start(self) -> None:
        """Fence predecessors, read the ledger, take up the position. Blocks until the broker answers."""

        def take_up() -> None:
            self._producer = start_producer(self._name, self._runtime)
            load_tables({t.topic: t for t in (self._ledger, self._parked)}, self._runtime)
            self._intake.start()

        # What is still at work must not be met by its own repetition; its outcome is read back like any other.
        self._calls.finish(FINISH_SECS)
        self._begin_anew()
        patiently(take_up, self._runtime)

    def run_once(self, timeout_secs: float) -> int:
        """One turn; waits up to ``timeout_secs`` for a record if nothing is at work.

        Returns the number of records settled for good. Raises ``Stop`` when another copy has taken over, or when the
        process is to end while its target is out.
        """
        self._meter.turned()
        self._is_whole = False
        try:
            settled = self._turn(timeout_secs)
        except KafkaException as error:
            stop_if_fenced(self._name, error)
            # Effects may have happened whose outcome is not durable: the ledger's intents say which to read back.
            self._repeat(error)
            return 0
        except Retryable as error:
            time.sleep(1.0)
            self._repeat(error)
            return 0
        self._is_whole = True
        return settled

    def close(self) -> None:
        """Leave; what is at work has a moment to end. What was not settled is read back or done at the next start."""
        if self._is_whole and len(self._calls):
            try:
                self._advance(self._calls.finish(CLOSE_SECS), 0)
            except (KafkaException, TielineError) as error:
                self._runtime.log.warning("calls-left", reason=str(error)[:300])
        self._consumer.close()
        self._calls.close(self._close)

    def _repeat(self, error: Exception) -> None:
        self._runtime.log.warning("transaction-repeated", reason=str(error))
        self._meter.repeated()
        self.start()

    # ---- a turn ----

    def _turn(self, timeout_secs: float) -> int:
        if self._calls.is_paused and self._runtime.stopping():
            raise Stop(f"{self._name}: stopped while its target was out")
        # With calls at work, the waiting is done beside them.
        timeout_secs = 0.0 if len(self._calls) else self._calls.soonest_secs(self._lanes.firsts(), timeout_secs)
        batch = self._intake.poll(timeout_secs, BATCH_COMMANDS)
        self._sort(batch)
        if self._producer is not None and not (batch or self._lanes or len(self._calls) or self._next.settled):
            self._vetting.refresh(self._producer)
        settled = self._advance((), self._calls.room())
        ended = self._calls.wait(MOMENT_SECS)
        return settled + (self._advance(ended, self._calls.room()) if ended else 0)

    def _sort(self, batch: Sequence[Inbound]) -> None:
        """Commands into their lanes, oldest first (Invariant 2); what cannot be read becomes a dead letter."""
        self._vetting.examine(batch)
        for record in batch:
            try:
                command = _command(self._vetting.decode(record).body)
            except Rejected as rejection:
                self._runtime.log.warning(
                    "record-dead-lettered", record=record.coordinates, reason=str(rejection)[:300]
                )
                letter = bury(self._name, record, rejection, self._runtime.clock())
                self._meter.note(Cause.UNREADABLE, [letter])
                self._next.write(record, [letter])
                self._next.settled.append(record)
            else:
                self._lanes.put(Task(record, command))

    def _advance(self, ended: Sequence[Task], room: int) -> int:
        """Write what has ended and what comes next, then call for that. Returns the number of records settled."""
        transaction, self._next = self._next, Transaction()
        for task in ended:
            if task.outcome is None:
                self._lanes.put_back(task)
            else:
                self._conclude(task, transaction)
                self._lanes.close(task)
        while len(transaction.begun) < room and (first := self._lanes.take(self._calls.may_call)) is not None:
            self._admit(first, transaction)
        # Invariant 5: the intent is durable before the call, so that a crash leaves a trace to read back. And who was
        # replaced meanwhile learns it from this transaction, before the call.
        for task in transaction.begun:
            transaction.write(task.record, self._recorder.intend(task.command))
        self._transact(transaction)
        self._show_waiting()
        self._calls.begin(transaction.begun)
        return len(transaction.settled)

    def _admit(self, task: Task, transaction: Transaction) -> None:
        """Begin a task of a lane, or another for which it is passed over, or settle it if it needs no call."""
        waiting = self._parking.admit(task.key, task.record, task.command)
        entry = self._ledger.get(ledger_key(task.command))
        newer = overtaken_by(task.command, entry)
        if waiting is not None:
            self._meter.note(Cause.WAITING, waiting)
            transaction.write(task.record, waiting)
            transaction.settled.append(task.record)
            self._lanes.close(task)
        elif newer is not None or (entry is not None and is_superseded(task.command, entry)):
            task.outcome = Superseded(entry, newer)
            self._conclude(task, transaction)
            self._lanes.close(task)
        else:
            if task.uncertain is None:
                task.uncertain = needs_read_back(task.command, entry)
            transaction.begun.append(self._stand_in(task, entry, transaction))

    def _stand_in(self, task: Task, entry: LedgerEntry | None, transaction: Transaction) -> Task:
        """The command to call for: this one, or a newer one that says all of it. Those between are settled."""
        if self._parking.holds(task.key) or not _is_untouched(task, entry):
            return task
        run = [task, *takewhile(lambda one: _is_untouched(one, entry), self._lanes.behind(task))]
        count = count_passed_over([one.command for one in run])
        chosen = run[count]
        for one in run[:count]:
            one.outcome = Superseded(entry, chosen.command.dispatch.version)
            self._conclude(one, transaction)
            self._lanes.follow(one)
        chosen.uncertain = False
        chosen.stands_for = [*task.stands_for, *(one.command.dispatch.version for one in run[:count])]
        return chosen

    def _conclude(self, task: Task, transaction: Transaction) -> None:
        """What an outcome gives to write."""
        match task.outcome:
            case Confirmed(written):
                found = self._recorder.confirm(task.command, written)
                found += self._parking.release(task.record, task.command)
            case Superseded(entry, by_version):
                found = self._recorder.supersede(task.command, entry, by_version)
                found += self._parking.release(task.record, task.command)
            case Failed(rejection, _, in_doubt, cause):
                refusal = tell_passed_over(rejection, task.stands_for)
                found = self._recorder.reject(task.command, refusal, in_doubt=in_doubt)
                found += self._parking.park(task.record, task.command, refusal)
                self._meter.note(cause, found)
                self._runtime.log.warning(
                    "key-parked", record=task.record.coordinates, key=task.key, reason=str(refusal)[:300]
                )
            case None:
                raise Stop(f"{self._name}: a command was left without an outcome")
        transaction.write(task.record, found)
        transaction.settled.append(task.record)
        transaction.concluded.append(task)

    # ---- a transaction ----

    def _transact(self, transaction: Transaction) -> None:
        if self._producer is None:
            raise Stop("the delivery loop was not started")
        letters = [cause for cause, outbound in transaction.outbounds if outbound.topic == self._letters]
        positions = self._intake.settle(transaction.settled, letters)
        if not transaction.outbounds and not positions:
            return
        opened = time.monotonic()
        self._producer.begin_transaction()
        for ordinal, (cause, outbound) in enumerate(transaction.outbounds):
            self._writer.write(self._producer, outbound, cause, ordinal)
        if positions:
            # Invariant 1: the position moves in the transaction that makes the outcomes before it durable.
            self._producer.send_offsets_to_transaction(
                positions, self._consumer.consumer_group_metadata(), broker.CALL_TIMEOUT_SECS
            )
        began = time.monotonic()  # it may have slept since the broker answered
        self._producer.commit_transaction(broker.CALL_TIMEOUT_SECS)
        self._calls.vouch(began)
        self._meter.transacted(time.monotonic() - opened)
        self._ledger.commit()
        self._parked.commit()
        self._meter.committed(transaction.settled)
        for task in transaction.concluded:
            self._target.settled(task.record, task.command, task.outcome)

    def _show_waiting(self) -> None:
        if not self._lanes and self._shown_at != NEVER:
            self._target.unsettled(())
            self._shown_at = NEVER
        elif self._lanes and time.monotonic() - self._shown_at >= SHOWN_SECS:
            self._target.unsettled((task.record, task.command) for task in self._lanes)
            self._shown_at = time.monotonic()


def _is_untouched(task: Task, entry: LedgerEntry | None) -> bool:
    """Whether neither an attempt nor a person has had a hand in a command: only then may another be written for it."""
    sent_again = task.record.header(REPLAY_OF) is not None or task.record.header(ACTION) is not None
    is_new = not task.tries.sent and not task.uncertain
    return is_new and not sent_again and not needs_read_back(task.command, entry)


def _command(body: Model) -> Command:
    if isinstance(body, WriteAsset | WriteBook | PostCost | RemoveRecord | FamilyCommand):
        return body
    raise Rejected(f"{type(body).__name__} is not a command")


def _mine(key: str, system: str) -> bool:
    return key.startswith(f"{system}/")

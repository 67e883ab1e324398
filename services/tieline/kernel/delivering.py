"""The delivery loop: commands of one target, in order per key, side by side across keys, through the ledger.

A batch settles as a whole before the position moves: intents in one transaction, calls in per-key lanes, outcomes and
position in another. A key that fails is parked: its letter and everything behind it wait, in order, until the desk
replays or discards them. A target that does not answer pauses the loop; nothing is dead-lettered (Invariant 7).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from confluent_kafka import KafkaException, Producer

from tieline.kernel import broker
from tieline.kernel.consuming import (
    Runtime,
    close_connector,
    decode,
    group_of,
    load_tables,
    next_offsets,
    patiently,
    poll_batch,
    start_producer,
    stop_if_fenced,
)
from tieline.kernel.dead_letters import bury
from tieline.kernel.errands import NotBegun, errand, priority_of
from tieline.kernel.error_policies import OnError
from tieline.kernel.errors import Rejected, Retryable, Stop, Unavailable
from tieline.kernel.family_records import FamilyCommand
from tieline.kernel.guarding import Gate, Tries, pause_secs
from tieline.kernel.memory import LedgerEntry, ParkedKey
from tieline.kernel.metering import LoopMeter, MeteredSink, TargetMeter, sources_of
from tieline.kernel.metrics import Cause
from tieline.kernel.model import Command, Model, PostCost, RemoveRecord, WriteAsset, WriteBook
from tieline.kernel.parking import Parking
from tieline.kernel.producing import Writer
from tieline.kernel.protocols import Sink
from tieline.kernel.recording import Recorder
from tieline.kernel.records import Inbound, Outbound
from tieline.kernel.settling import (
    Confirmed,
    Failed,
    Outcome,
    Superseded,
    aggregate_of,
    is_superseded,
    ledger_key,
    needs_read_back,
    settle,
)
from tieline.kernel.tables import Table
from tieline.kernel.topic_names import commands_of

BATCH_COMMANDS = 200
LANES = 16
# How long after a transaction of its own a process takes it that no other has replaced it. One that was paused between
# its intent and its call would write an old version over a newer one.
FRESH_SECS = 10.0


@dataclass(slots=True)
class Task:
    """One command on its way: where it came from, and how it ended once it has."""

    record: Inbound
    command: Command
    outcome: Outcome | None = None
    uncertain: bool = False
    tries: Tries = field(default_factory=Tries)
    due_secs: float = 0.0
    """Monotonic time before which it is not tried again."""


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
        self._topic = commands_of(system)
        self._sink = MeteredSink(system, sink, runtime.metrics)
        self._close = close
        self._runtime = runtime
        self._runner = asyncio.Runner()
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
        self._consumer = broker.open_consumer(runtime.kafka, group_of(self._name))
        self._producer: Producer | None = None
        self._confirmed_at = 0.0
        self._gate = Gate(time.monotonic, tell=self._tell_pause)
        self._target.retrying(lambda: self._gate.retrying_keys)

    def start(self) -> None:
        """Fence predecessors, read the ledger, take up the position. Blocks until the broker answers."""

        def take_up() -> None:
            self._producer = start_producer(self._name, self._runtime)
            load_tables({t.topic: t for t in (self._ledger, self._parked)}, self._runtime)
            self._consumer.assign(broker.committed_positions(self._consumer, [self._topic]))

        patiently(take_up, self._runtime)

    def run_once(self, timeout_secs: float) -> int:
        """Settle at most one batch. Returns its size. Raises ``Stop`` when another copy has taken over."""
        self._meter.turned()
        batch = poll_batch(self._consumer, timeout_secs, BATCH_COMMANDS)
        if not batch:
            return 0
        try:
            self._deliver(batch)
        except KafkaException as error:
            stop_if_fenced(self._name, error)
            # Effects may have happened whose outcome is not durable: the ledger's intents say which to read back.
            self._runtime.log.warning("transaction-repeated", reason=str(error))
            self._meter.repeated()
            self.start()
        except Retryable as error:
            self._runtime.log.warning("transaction-repeated", reason=str(error))
            self._meter.repeated()
            time.sleep(1.0)
            self.start()
        return len(batch)

    def close(self) -> None:
        """Leave; what was not settled is read back or done at the next start."""
        self._consumer.close()
        close_connector(self._close, self._runner)
        self._runner.close()

    def _deliver(self, batch: Sequence[Inbound]) -> None:
        buried: list[tuple[Inbound, Outbound]] = []
        self._meter.forget()
        lanes = self._sort(batch, buried)
        last = False
        while not last:
            self._target.unsettled((task.record, task.command) for tasks in lanes.values() for task in tasks)
            wave = self._next_wave(lanes, buried)
            self._settle_wave(wave)
            last = not any(lanes.values())
            self._write_outcomes(wave, buried, batch if last else ())
        self._target.unsettled(())

    def _sort(self, batch: Sequence[Inbound], buried: list[tuple[Inbound, Outbound]]) -> dict[str, list[Task]]:
        """Commands by key, oldest first (Invariant 2); what cannot be read becomes a dead letter."""
        lanes: dict[str, list[Task]] = {}
        for record in batch:
            try:
                command = _command(decode(self._runtime.codec, record).body)
            except Rejected as rejection:
                self._runtime.log.warning(
                    "record-dead-lettered", record=record.coordinates, reason=str(rejection)[:300]
                )
                letter = bury(self._name, record, rejection, self._runtime.clock())
                self._meter.note(Cause.UNREADABLE, [letter])
                buried.append((record, letter))
            else:
                lanes.setdefault(record.key_text, []).append(Task(record, command))
        return lanes

    def _next_wave(self, lanes: dict[str, list[Task]], buried: list[tuple[Inbound, Outbound]]) -> list[Task]:
        """The first command of each lane that is neither parked nor superseded within its own lane."""
        wave: list[Task] = []
        for key, tasks in lanes.items():
            if not tasks:
                continue
            task = tasks.pop(0)
            waiting = self._parking.admit(key, task.record, task.command)
            if waiting is not None:
                self._meter.note(Cause.WAITING, waiting)
                buried += [(task.record, letter) for letter in waiting]
                continue
            wave.append(task)
        return wave

    def _settle_wave(self, wave: Sequence[Task]) -> None:
        todo: list[Task] = []
        for task in wave:
            entry = self._ledger.get(ledger_key(task.command))
            if entry is not None and is_superseded(task.command, entry):
                task.outcome = Superseded(entry)
            else:
                task.uncertain = needs_read_back(task.command, entry)
                todo.append(task)
        if not todo:
            return
        while todo:
            self._meter.turned()
            self._wait(min(self._wait_secs(task) for task in todo))
            ready = [task for task in todo if self._wait_secs(task) <= 0]
            calling = ready[:1] if self._gate.is_paused else ready  # while the target is out, one command asks for all
            # Invariant 5: the intent is durable before the call, so that a crash leaves a trace to read back. And who
            # was replaced meanwhile learns it from this transaction, before the call.
            self._transact([(t.record, o) for t in calling for o in self._recorder.intend(t.command)], ())
            self._runner.run(self._call_all(calling))
            todo = [task for task in todo if task.outcome is None]

    def _wait_secs(self, task: Task) -> float:
        return max(task.due_secs - time.monotonic(), self._gate.wait_secs(ledger_key(task.command), task.tries))

    def _tell_pause(self, why: Exception | None) -> None:
        if why is not None:
            self._target.paused()
            self._runtime.log.warning("target-paused", why=str(why)[:300])
        else:
            self._target.answered()
            self._runtime.log.info("target-resumed")

    async def _call_all(self, tasks: Sequence[Task]) -> None:
        """Call for every task that may be called for. Some may be left without outcome, to be taken up again."""
        limit = asyncio.Semaphore(LANES)

        async def call(task: Task) -> None:
            async with limit:
                if self._wait_secs(task) > 0 or time.monotonic() - self._confirmed_at > FRESH_SECS:
                    return
                try:
                    # Waiting for a turn at the target may take long, and nobody knows then who else took over.
                    with errand(priority_of(task.command), begin_by_secs=self._confirmed_at + FRESH_SECS):
                        task.outcome = await settle(
                            task.command,
                            self._native_id(task.command),
                            self._sink,
                            uncertain=task.uncertain,
                            gate=self._gate,
                            tries=task.tries,
                        )
                except NotBegun:
                    task.uncertain = task.uncertain or task.tries.sent > 0
                    return
                except Unavailable as error:
                    # Invariant 7: an outage is not poison; the others of this batch keep their outcome.
                    task.uncertain = task.uncertain or task.tries.sent > 0
                    if not self._gate.is_paused:  # then its own pause is enough, and may end sooner
                        task.due_secs = time.monotonic() + pause_secs(task.tries, error.retry_after_secs)
                except Stop:
                    raise
                except Exception as error:  # noqa: BLE001  - a defect in a connector must cost one record, not the flow
                    self._runtime.log.fault("handler-failed", record=task.record.coordinates)
                    reason = f"internal fault: {type(error).__name__}"
                    rejection = Rejected(reason, remedy="see the log")
                    task.outcome = Failed(rejection, 1, in_doubt=True, cause=Cause.DEFECT)

        await asyncio.gather(*(call(task) for task in tasks))

    def _native_id(self, command: Command) -> str | None:
        """The target's id of the record: what the target itself answered last, else what the hub knew."""
        if isinstance(command, PostCost):
            return None
        if isinstance(command, RemoveRecord):
            return command.native_id
        if isinstance(command, FamilyCommand):
            known = self._ledger.get(ledger_key(command))
            return (known.native_id if known else None) or command.native_id
        entry = self._ledger.get(f"{command.dispatch.target}/asset/{command.asset_id}")
        return (entry.native_id if entry else None) or command.native_id

    def _wait(self, secs: float) -> None:
        deadline = time.monotonic() + secs
        while time.monotonic() < deadline:
            if self._runtime.stopping():
                raise Stop(f"{self._name}: stopped while its target was out")
            self._meter.turned()
            time.sleep(0.1)

    def _write_outcomes(
        self, wave: Sequence[Task], buried: list[tuple[Inbound, Outbound]], settled: Sequence[Inbound]
    ) -> None:
        outbounds = list(buried)
        buried.clear()
        for task in wave:
            match task.outcome:
                case Confirmed(written):
                    found = self._recorder.confirm(task.command, written)
                    found += self._parking.release(task.record, task.command)
                case Superseded(entry):
                    found = self._recorder.supersede(task.command, entry)
                    found += self._parking.release(task.record, task.command)
                case Failed(rejection, _, in_doubt, cause):
                    found = self._recorder.reject(task.command, rejection, in_doubt=in_doubt)
                    found += self._parking.park(task.record, task.command, rejection)
                    self._meter.note(cause, found)
                    self._runtime.log.warning(
                        "key-parked",
                        record=task.record.coordinates,
                        key=task.record.key_text,
                        reason=str(rejection)[:300],
                    )
                case None:
                    raise Stop(f"{self._name}: a command was left without an outcome")
            outbounds += [(task.record, outbound) for outbound in found]
        self._transact(outbounds, settled)
        self._meter.committed(settled)
        for task in wave:
            self._target.settled(task.record, task.command, task.outcome)

    def _transact(self, outbounds: Sequence[tuple[Inbound, Outbound]], settled: Sequence[Inbound]) -> None:
        if self._producer is None:
            raise Stop("the delivery loop was not started")
        if not outbounds and not settled:
            return
        opened = time.monotonic()
        self._producer.begin_transaction()
        for ordinal, (cause, outbound) in enumerate(outbounds):
            self._writer.write(self._producer, outbound, cause, ordinal)
        if settled:
            # Invariant 1: the position moves in the transaction that makes the last outcomes durable.
            self._producer.send_offsets_to_transaction(
                next_offsets(settled), self._consumer.consumer_group_metadata(), broker.CALL_TIMEOUT_SECS
            )
        began = time.monotonic()  # it may have slept since the broker answered
        self._producer.commit_transaction(broker.CALL_TIMEOUT_SECS)
        self._confirmed_at = began
        self._meter.transacted(time.monotonic() - opened)
        self._ledger.commit()
        self._parked.commit()


def _command(body: Model) -> Command:
    if isinstance(body, WriteAsset | WriteBook | PostCost | RemoveRecord | FamilyCommand):
        return body
    raise Rejected(f"{type(body).__name__} is not a command")


def _mine(key: str, system: str) -> bool:
    return key.startswith(f"{system}/")

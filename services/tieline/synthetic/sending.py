"""The year on a real log: publish it chapter by chapter, wait until the hub has come to rest, read what it holds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice

from confluent_kafka import Producer

from tieline.kernel import broker
from tieline.kernel.clock import utc_now
from tieline.kernel.consuming import group_of
from tieline.kernel.errors import Stop
from tieline.kernel.inspecting import (
    Hub,
    LogReader,
    Span,
    Where,
    all_partitions,
    read_committed,
    read_spans,
    read_windows,
)
from tieline.kernel.letters import input_topics
from tieline.kernel.producing import Writer
from tieline.kernel.records import Inbound, Outbound
from tieline.synthetic.gathering import Gathered

PROCESSORS = ("identify", "accept", "route")
TRANSACTION_RECORDS = 1_000
CALL_TIMEOUT_SECS = 30
FIRST_LOOK_SECS, LONGEST_LOOK_SECS = 0.1, 2.0  # a look costs the broker something: seldom while much is under way
COUNTED = ("asset.book.event.v1",)
"""Topics whose events are only counted: a book event carries the whole book, and a year has a million."""
EVENTS = (
    *COUNTED,
    "asset.asset.event.v1",
    "asset.movement.event.v1",
    "procurement.purchase-order.event.v1",
    "procurement.receipt.event.v1",
    "procurement.invoice.event.v1",
    "depreciation.posting.event.v1",
    "depreciation.run.event.v1",
    "cost.document.event.v1",
    "reference.fiscal-period.event.v1",
)
STATES = (
    "asset.asset.state.v1",
    "asset.book.state.v1",
    "asset.roll-forward.state.v1",
    "asset.proposed-asset.state.v1",
    "procurement.purchase-order.state.v1",
    "procurement.receipt.state.v1",
    "procurement.invoice.state.v1",
    "depreciation.run.state.v1",
    "cost.document.state.v1",
    "reference.fiscal-period.state.v1",
    "hub.conflict.state.v1",
    "hub.period-hold.state.v1",
)


@dataclass(frozen=True, slots=True)
class Sent:
    """One chapter on the log: how many reports, and the seconds until the hub had made of them what there is."""

    chapter: str
    reports: int
    secs: float


def send(
    hub: Hub, told: Iterable[tuple[str, Outbound]], say: Callable[[Sent], None], *, timeout_secs: float
) -> list[Sent]:
    """Publish the reports; after each chapter wait until identify, accept and route are done with it.

    Raises ``Stop`` when they are not within ``timeout_secs`` without moving, ``Unavailable`` when the broker does not
    answer.
    """
    kafka = hub.landscape.kafka
    producer = broker.start_producer(kafka, "tieline.synthetic", lambda: False, on_wait=print)
    writer = Writer("synthetic", hub.codec, hub.partitions, utc_now)
    sent: list[Sent] = []
    with LogReader(hub) as log:
        wait_for_rest(log, timeout_secs=timeout_secs)
        for chapter, records in groupby(told, key=lambda one: one[0]):
            began = time.monotonic()
            reports = _publish(producer, writer, (record for _, record in records))
            wait_for_rest(log, timeout_secs=timeout_secs)
            sent.append(Sent(chapter, reports, time.monotonic() - began))
            say(sent[-1])
    return sent


def wait_for_rest(log: LogReader, *, timeout_secs: float) -> None:
    """Wait until the processors have handled every record, and what they wrote themselves, and so on.

    Positions are read before the ends: a processor's position and output become visible together, so when all positions
    cover ends that were read later, nothing is under way. A transaction that is open below an end is still to come.
    Raises ``Stop`` when no position moves for ``timeout_secs``.
    """
    wanted = {group_of(name): all_partitions(log, input_topics(log.topics, name)) for name in PROCESSORS}
    wheres = sorted({where for of_group in wanted.values() for where in of_group})
    topics = sorted({topic for topic, _ in wheres})
    before, deadline, pause_secs = None, time.monotonic() + timeout_secs, FIRST_LOOK_SECS
    while True:
        committed = read_committed(log, wanted)
        ends = broker.end_offsets(log.kafka, topics)
        spans = read_spans(log, wheres)
        is_open = any(spans[where].end < ends[where] for where in wheres)
        if not is_open and not any(_waits(log, spans, of, committed.get(group, {})) for group, of in wanted.items()):
            return
        if committed != before:
            before, deadline = committed, time.monotonic() + timeout_secs
        if time.monotonic() > deadline:
            raise Stop(
                f"identify, accept and route have not moved for {timeout_secs:.0f} s, and reports wait for them; "
                "start them (tieline run identify …) or look at their logs"
            )
        time.sleep(pause_secs)
        pause_secs = min(pause_secs * 1.5, LONGEST_LOOK_SECS)


def read_hub(hub: Hub) -> Gathered:
    """What the hub holds and has published. Raises ``Rejected`` for bytes that it could not have written."""
    found, kafka, codec = Gathered(), hub.landscape.kafka, hub.codec
    for topic in EVENTS:

        def take(record: Inbound, topic: str = topic) -> None:
            name = (record.header("ce_type") or "").rpartition(".")[2]
            if topic in COUNTED:
                found.events[name] += 1
            elif record.value is not None:
                found.take(topic, record.key_text, codec.decode(topic, record.value))

        broker.read_to_end(kafka, [topic], take)
    for topic in STATES:
        latest: dict[str, bytes | None] = {}

        def keep(record: Inbound, latest: dict[str, bytes | None] = latest) -> None:
            latest[record.key_text] = record.value

        broker.read_to_end(kafka, [topic], keep)
        for key, value in latest.items():
            if value is not None:
                found.take(topic, key, codec.decode(topic, value))
    return found


def count_events(hub: Hub) -> int:
    """Events on all event topics: what a second run must not add to."""
    counts = [0]

    def take(_: Inbound) -> None:
        counts[0] += 1

    broker.read_to_end(hub.landscape.kafka, list(EVENTS), take)
    return counts[0]


def _publish(producer: Producer, writer: Writer, records: Iterable[Outbound]) -> int:
    waiting, count = iter(records), 0
    while batch := list(islice(waiting, TRANSACTION_RECORDS)):
        producer.begin_transaction()
        for ordinal, record in enumerate(batch):
            writer.write(producer, record, None, ordinal)
        producer.commit_transaction(CALL_TIMEOUT_SECS)
        count += len(batch)
    return count


def _waits(
    log: LogReader, spans: Mapping[Where, Span], wheres: Sequence[Where], committed: Mapping[Where, int]
) -> bool:
    """Whether a record, not only a transaction's mark, lies between a group's position and the end."""
    windows = {where: spans[where].since(committed.get(where, 0)) for where in wheres}
    found: list[Inbound] = []
    read_windows(log, windows, found.append, first_only=True, headers=False)
    return bool(found)

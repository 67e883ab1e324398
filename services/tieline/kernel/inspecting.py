"""Bounded, read-only looks at the log for people's commands: offsets, positions, tails, single records.

Nothing here joins a group, commits a position or waits for an open transaction: ends are those of committed records.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from tieline.kernel import broker
from tieline.kernel.codecs import Codec
from tieline.kernel.declarations import Topic
from tieline.kernel.errors import Rejected, Stop, Unavailable
from tieline.kernel.landscape import Kafka, Landscape
from tieline.kernel.partitioning import partition_of
from tieline.kernel.records import Inbound
from tieline.kernel.vocabulary import Model

M = TypeVar("M", bound=Model)
Where = tuple[str, int]  # topic, partition
Take = Callable[[Inbound], None]

CALL_TIMEOUT_SECS = 15.0
PATIENCE_SECS = 30.0
READER = "tieline.reader"


class Hub(Protocol):
    """What a person's command knows of the estate: the landscape and what it declares."""

    @property
    def landscape(self) -> Landscape:
        """Systems and flows."""
        ...

    @property
    def topics(self) -> Mapping[str, Topic]:
        """Every declared topic, by name."""
        ...

    @property
    def codec(self) -> Codec:
        """Bytes to records."""
        ...

    @property
    def partitions(self) -> Mapping[str, int]:
        """Declared number of partitions, by topic."""
        ...


@dataclass(frozen=True, slots=True)
class Span:
    """What one partition keeps: offset of its oldest record, and the next offset after its committed ones."""

    first: int
    end: int

    def tail(self, count: int) -> Window:
        """The last ``count`` offsets."""
        return Window(self.first, max(self.first, self.end - count), self.end)

    def since(self, offset: int) -> Window:
        """From an offset on; from the oldest kept if that offset is gone."""
        return Window(self.first, max(self.first, offset), self.end)


@dataclass(frozen=True, slots=True)
class Window:
    """Part of a partition to be read: ``start`` to before ``end``; ``first`` is the oldest offset kept."""

    first: int
    start: int
    end: int

    @property
    def cut(self) -> bool:
        """Whether older records are kept but left out."""
        return self.start > self.first


class LogReader:
    """The estate and its log, to be read by one thread: ``with LogReader(hub) as log``. Connects at the first read."""

    def __init__(self, hub: Hub) -> None:
        self.landscape = hub.landscape
        self.topics = hub.topics
        self.codec = hub.codec
        self.partitions = hub.partitions
        self._consumer: Consumer | None = None
        self._askers: dict[str, Consumer] = {}

    @property
    def kafka(self) -> Kafka:
        """The cluster."""
        return self.landscape.kafka

    @property
    def consumer(self) -> Consumer:
        """The connection for records; one for all reads, because connecting costs more than most of them."""
        if self._consumer is None:
            self._consumer = broker.open_consumer(self.kafka, READER, tell_ends=True)
        return self._consumer

    def asker(self, group: str) -> Consumer:
        """A connection that can ask for a group's positions; it never joins the group.

        Not the admin client: its answer "the coordinator has moved" crashes the process (librdkafka as of 2.16).
        """
        if group not in self._askers:
            self._askers[group] = broker.open_consumer(self.kafka, group)
        return self._askers[group]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for consumer in (self._consumer, *self._askers.values()):
            if consumer is not None:
                consumer.close()


def read_spans(log: LogReader, wheres: Iterable[Where]) -> dict[Where, Span]:
    """Oldest and next offset of each partition, in two round trips. Raises ``Stop`` for a topic that does not exist."""
    wanted = sorted(set(wheres))
    if not wanted:
        return {}
    firsts, ends = (_offsets(log, wanted, which) for which in (OFFSET_BEGINNING, OFFSET_END))
    return {where: Span(first, max(first, ends[where])) for where, first in firsts.items()}


def _offsets(log: LogReader, wheres: Sequence[Where], which: int) -> dict[Where, int]:
    """Where each partition begins or ends, asked for as Kafka does: those are two special times."""
    try:
        found = log.consumer.offsets_for_times([TopicPartition(*where, which) for where in wheres], CALL_TIMEOUT_SECS)
    except KafkaException as error:
        # Which one is missing, the client does not say.
        broker.partitions_of(log.consumer, {topic for topic, _ in wheres})
        raise Unavailable(f"offsets: Kafka says {error.args[0].str()}") from error
    for tp in found:
        if tp.error is not None:
            raise Unavailable(f"offsets of {tp.topic}/{tp.partition}: Kafka says {tp.error.str()}")
    return {(tp.topic, tp.partition): tp.offset for tp in found}


def all_partitions(log: LogReader, topics: Iterable[str]) -> list[Where]:
    """Every partition of these topics, as declared."""
    return [(topic, p) for topic in topics for p in range(log.partitions[topic])]


def read_committed(log: LogReader, wanted: Mapping[str, Sequence[Where]]) -> dict[str, dict[Where, int]]:
    """Committed positions of these partitions by consumer group; a partition without one is left out.

    Raises ``Unavailable`` when the groups' coordinator does not answer.
    """
    # All connect before the first is asked: finding a coordinator takes longer than asking it.
    askers = {group: log.asker(group) for group in wanted}
    return {group: _committed(asker, group, wanted[group]) for group, asker in askers.items() if wanted[group]}


def _committed(asker: Consumer, group: str, wheres: Sequence[Where]) -> dict[Where, int]:
    deadline = time.monotonic() + CALL_TIMEOUT_SECS
    while True:
        try:
            found = asker.committed([TopicPartition(*where) for where in wheres], timeout=CALL_TIMEOUT_SECS)
        except KafkaException as error:
            # A coordinator that has just started or moved says so; the client leaves asking again to us.
            if time.monotonic() > deadline:
                raise Unavailable(f"group {group}: Kafka says {error.args[0].str()}") from error
            time.sleep(0.2)
        else:
            return {(tp.topic, tp.partition): tp.offset for tp in found if tp.error is None and tp.offset >= 0}


def read_windows(
    log: LogReader, windows: Mapping[Where, Window], take: Take, *, first_only: bool = False, headers: bool = True
) -> None:
    """Give the committed records of each window to ``take``, in order per partition; or only the first of each.

    Without ``headers`` records come without them, which halves the time of reading a large table.
    Raises ``Unavailable`` when the broker stalls for ``PATIENCE_SECS``.
    """
    waiting = {where: window for where, window in windows.items() if window.start < window.end}
    if not waiting:
        return
    consumer = log.consumer
    assigned = [_start_of(where, window) for where, window in waiting.items()]
    try:
        consumer.assign(assigned)
        deadline = time.monotonic() + PATIENCE_SECS
        while waiting:
            for message in consumer.consume(1000, 0.05):
                where = (message.topic() or "", message.partition() or 0)
                window = waiting.get(where)
                if window is None:
                    continue
                deadline = time.monotonic() + PATIENCE_SECS
                if _take_one(message, window, take, headers=headers) or (first_only and message.error() is None):
                    del waiting[where]
                    consumer.pause([TopicPartition(*where)])
            if time.monotonic() > deadline:
                names = ", ".join(sorted({topic for topic, _ in waiting}))
                raise Unavailable(f"cannot read {names}: the broker stalls")
    finally:
        # A pause would outlive the assignment.
        consumer.resume(assigned)
        consumer.unassign()


def read_tail(log: LogReader, topics: Sequence[str], limit: int) -> tuple[list[Inbound], bool]:
    """The newest ``limit`` records of these topics together, newest first, and whether older ones were left out."""
    spans = read_spans(log, all_partitions(log, topics))
    windows = {where: span.tail(limit) for where, span in spans.items()}
    newest: list[tuple[int, int, str, int, Inbound]] = []
    dropped = any(window.cut for window in windows.values())

    def take(record: Inbound) -> None:
        nonlocal dropped
        heapq.heappush(newest, (record.timestamp_ms, record.offset, record.topic, record.partition, record))
        if len(newest) > limit:
            heapq.heappop(newest)
            dropped = True

    read_windows(log, windows, take)
    return [entry[-1] for entry in sorted(newest, reverse=True)], dropped


def read_latest(
    log: LogReader,
    topic: str,
    *,
    keys: Iterable[str] | None = None,
    partition_by: Callable[[str], str] = str,
    needle: bytes | None = None,
) -> dict[str, Inbound]:
    """The newest record of each key of a compacted topic, undecoded; deleted keys are left out.

    All keys; or only ``keys``, reading only their partitions; or those whose value contains ``needle`` (Avro keeps
    text as plain UTF-8, so that most rows need no decoding).
    """
    wanted = None if keys is None else set(keys)
    count = log.partitions[topic]
    numbers = range(count) if wanted is None else sorted({partition_of(partition_by(key), count) for key in wanted})
    spans = read_spans(log, [(topic, p) for p in numbers])
    newest: dict[str, Inbound] = {}

    def take(record: Inbound) -> None:
        key = record.key_text
        if record.value is None or (needle is not None and needle not in record.value):
            newest.pop(key, None)
        elif wanted is None or key in wanted:
            newest[key] = record

    read_windows(log, {where: span.since(0) for where, span in spans.items()}, take, headers=False)
    return newest


def read_rows(
    log: LogReader,
    topic: str,
    kind: type[M],
    *,
    keys: Iterable[str] | None = None,
    partition_by: Callable[[str], str] = str,
    needle: bytes | None = None,
) -> dict[str, M]:
    """As ``read_latest``, decoded. Raises ``Stop`` for a row that cannot be read."""
    found = read_latest(log, topic, keys=keys, partition_by=partition_by, needle=needle)
    return {key: _row(log.codec, topic, key, record.value or b"", kind) for key, record in found.items()}


def _row(codec: Codec, topic: str, key: str, value: bytes, kind: type[M]) -> M:
    try:
        body = codec.decode(topic, value).body
    except Rejected as rejection:
        raise Stop(f"{topic}: the row {key!r} cannot be read: {rejection}") from rejection
    if not isinstance(body, kind):
        raise Stop(f"{topic}: the row {key!r} is a {type(body).__name__}, expected {kind.__name__}")
    return body


def _start_of(where: Where, window: Window) -> TopicPartition:
    # The beginning by name: retention may move it on between the question and the read.
    return TopicPartition(*where, window.start if window.cut else OFFSET_BEGINNING)


def _take_one(message: Message, window: Window, take: Take, *, headers: bool) -> bool:
    """Whether the window is exhausted with this message."""
    error = message.error()
    if error is not None and error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  - the client's own name
        return (message.offset() or 0) >= window.start
    if not broker.check_message(message):
        return False
    record = broker.to_inbound(message, headers=headers)
    if window.start <= record.offset < window.end:
        take(record)
    return record.offset + 1 >= window.end

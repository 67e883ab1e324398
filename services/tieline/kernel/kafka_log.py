"""Kafka read at positions, for what inspects the log without following it: reconciliation and operators' commands.

Everything is read committed. Transaction markers take offsets but are no records, so a position may be below an end
offset although nothing is left to read: ask ``read_from``, not arithmetic.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from confluent_kafka import OFFSET_INVALID, Consumer, KafkaException, TopicPartition

from tieline.kernel import broker
from tieline.kernel.codecs import Codec
from tieline.kernel.consuming import group_of
from tieline.kernel.errors import Rejected, Stop, Unavailable
from tieline.kernel.landscape import Kafka
from tieline.kernel.records import Inbound, Typed

STALL_SECS = 60.0


class Row(NamedTuple):
    """The last record of a key in a compacted topic; ``value`` is None for a tombstone."""

    partition: int
    offset: int
    value: Typed | None


class LogRecord(NamedTuple):
    """One record of the log. ``value`` is None for a tombstone, and where the bytes are not a declared record."""

    topic: str
    partition: int
    offset: int
    key: str
    value: Typed | None


class KafkaLog:
    """The real log. Calls block until answered; raise ``Unavailable`` when the broker does not answer."""

    def __init__(self, kafka: Kafka, codec: Codec) -> None:
        self._kafka = kafka
        self._codec = codec

    def end_offsets(self, topics: Sequence[str]) -> Mapping[str, int]:
        """Next offset to be written of every partition, by ``topic/partition``."""
        try:
            return {_name(topic, p): end for (topic, p), end in broker.end_offsets(self._kafka, topics).items()}
        except KafkaException as error:
            raise Unavailable(f"Kafka: {error}") from error

    def committed(self, consumer: str, topics: Sequence[str]) -> Mapping[str, int]:
        """Committed offset of a process's group on every partition of the topics; 0 where it never committed."""
        client = broker.open_consumer(self._kafka, group_of(consumer))
        try:
            counts = broker.partitions_of(client, topics)
            wanted = [TopicPartition(topic, p) for topic, count in counts.items() for p in range(count)]
            found = client.committed(wanted, timeout=broker.CALL_TIMEOUT_SECS)
            return {_name(tp.topic, tp.partition): 0 if tp.offset == OFFSET_INVALID else tp.offset for tp in found}
        except KafkaException as error:
            raise Unavailable(f"Kafka: {error}") from error
        finally:
            client.close()

    def read_table(self, topic: str) -> Mapping[str, Row]:
        """The last record of each key up to the end as of the call. Raises ``Rejected`` for a value it cannot read."""
        rows: dict[str, Inbound] = {}

        def take(record: Inbound) -> None:
            rows[record.key_text] = record

        try:
            broker.read_to_end(self._kafka, [topic], take)
        except KafkaException as error:
            raise Unavailable(f"Kafka: {error}") from error
        return {
            key: Row(record.partition, record.offset, self._codec.decode(topic, record.value))
            for key, record in rows.items()
            if record.value is not None
        }

    def read_from(self, start: Mapping[str, int], *, limit: int | None = None) -> Sequence[LogRecord]:
        """Every record from the positions to the end as of the call, in order per partition.

        Waits for transactions open at the call to be decided, for nothing newer.
        """
        consumer = broker.open_consumer(self._kafka, "tieline.reader", tell_ends=True)
        try:
            ends = broker.end_offsets(self._kafka, sorted({name.rpartition("/")[0] for name in start}))
            return [self._decoded(record) for record in _read(consumer, start, ends, limit)]
        except KafkaException as error:
            raise Unavailable(f"Kafka: {error}") from error
        finally:
            consumer.close()

    def _decoded(self, record: Inbound) -> LogRecord:
        value: Typed | None = None
        if record.value is not None and not self._codec.is_raw(record.topic):
            try:
                value = self._codec.decode(record.topic, record.value)
            except Rejected:
                value = None
        return LogRecord(record.topic, record.partition, record.offset, record.key_text, value)


def _read(
    consumer: Consumer, start: Mapping[str, int], known_ends: Mapping[tuple[str, int], int], limit: int | None
) -> list[Inbound]:
    ends = _assign(consumer, start, known_ends)
    found: list[Inbound] = []
    stalled_at = time.monotonic() + STALL_SECS
    while ends and (limit is None or len(found) < limit):
        for message in consumer.consume(1000, broker.FETCH_SECS):
            record = broker.to_inbound(message)
            where = (record.topic, record.partition)
            if where not in ends:
                continue
            if broker.is_end(message):
                reached = record.offset  # below the end a transaction is undecided: the end comes again when it is
            elif broker.check_message(message):
                stalled_at = time.monotonic() + STALL_SECS
                reached = record.offset + 1
                if record.offset < ends[where]:
                    found.append(record)
            else:
                continue
            if reached >= ends[where]:
                del ends[where]
        if time.monotonic() > stalled_at:
            raise Stop(f"cannot read {', '.join(t for t, _ in ends)}: the broker stalls")
    return found[:limit]


def _assign(
    consumer: Consumer, start: Mapping[str, int], known_ends: Mapping[tuple[str, int], int]
) -> dict[tuple[str, int], int]:
    """Assign every partition that has something between its position and its end; those ends."""
    ends: dict[tuple[str, int], int] = {}
    assigned: list[TopicPartition] = []
    for name, offset in start.items():
        topic, _, partition = name.rpartition("/")
        where = TopicPartition(topic, int(partition))
        low, _ = consumer.get_watermark_offsets(where, timeout=broker.CALL_TIMEOUT_SECS)
        end = known_ends[topic, int(partition)]
        if max(offset, low) < end:
            ends[topic, int(partition)] = end
            assigned.append(TopicPartition(topic, int(partition), max(offset, low)))
    consumer.assign(assigned)
    return ends


def _name(topic: str, partition: int) -> str:
    return f"{topic}/{partition}"

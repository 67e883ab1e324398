"""Where a consumer group goes on, and whether the log still has what follows: a gap stops the process, never a jump.

A position is the next offset to read. It has a gap when the log begins after it (records were deleted before they were
read) or ends before it (the topic is another one than it was). A group that never committed begins at the beginning.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, OFFSET_INVALID, Consumer, KafkaException, TopicPartition

from tieline.kernel import broker
from tieline.kernel.errors import Stop
from tieline.kernel.landscape import Kafka
from tieline.kernel.troubles import Trouble

SETTLE_SECS = 5.0


@dataclass(frozen=True, slots=True)
class Position:
    """A group's position in one partition, and what the log has: from ``first`` to before ``end``."""

    topic: str
    partition: int
    committed: int | None
    first: int
    end: int
    note: str = ""
    """What was committed beside it (tracking.py)."""

    @property
    def start(self) -> int:
        """Where the group goes on: a group that never committed begins with the oldest record there is."""
        return self.first if self.committed is None else self.committed

    @property
    def gap(self) -> str | None:
        """What is missing, for people; None if nothing is."""
        if self.committed is None:
            return None
        where = f"{self.topic}/{self.partition}: the group stands at {self.committed}"
        if self.committed < self.first:
            missing = self.first - self.committed
            return (
                f"{where}, the log begins at {self.first}: up to {missing} records were deleted before they were read"
            )
        if self.committed > self.end:
            return f"{where}, the log ends at {self.end}: the topic was made anew, or has lost its end"
        return None


def read_positions(kafka: Kafka, consumer: Consumer, topics: Sequence[str]) -> list[Position]:
    """The position of the consumer's group in every partition of the topics. Raises ``Stop`` for a missing topic."""
    counts = broker.partitions_of(consumer, topics)
    wheres = [(topic, p) for topic, count in counts.items() for p in range(count)]
    firsts, ends = (_offsets(consumer, wheres, which) for which in (OFFSET_BEGINNING, OFFSET_END))
    # Asked for last: what is read and committed meanwhile lies within what was there before.
    found = consumer.committed([TopicPartition(*where) for where in wheres], timeout=broker.CALL_TIMEOUT_SECS)
    committed: dict[tuple[str, int], int | None] = {}
    notes = {(tp.topic, tp.partition): tp.metadata or "" for tp in found}
    for tp in found:
        if tp.error is not None:
            raise KafkaException(tp.error)
        committed[tp.topic, tp.partition] = None if tp.offset == OFFSET_INVALID else tp.offset
    beyond = {where[0] for where in wheres if (committed[where] or 0) > ends[where]}
    if beyond:
        # This consumer is told the end of what is decided only, which may lie before what it has read.
        ends |= broker.end_offsets(kafka, sorted(beyond))
    return [
        Position(*where, committed[where], firsts[where], max(firsts[where], ends[where]), notes[where])
        for where in wheres
    ]


def refuse_gaps(group: str, positions: Iterable[Position]) -> None:
    """Raises ``Stop`` if the log no longer has what follows a position."""
    gaps = [position.gap for position in positions if position.gap is not None]
    if gaps:
        more = f" (and {len(gaps) - 1} more)" if len(gaps) > 1 else ""
        raise Stop(f"gap: group {group}: {gaps[0]}{more}. {broker.GAP_REMEDY}", trouble=str(Trouble.GAP))


def past_gap(position: Position) -> int:
    """Where a group goes on that does without what is missing: with the oldest record there is."""
    return position.start if position.gap is None else position.first


def settled_offsets(kafka: Kafka, positions: Sequence[Position]) -> list[TopicPartition]:
    """The positions as they are to be committed again: past what is no record, where nothing else follows.

    A transaction's marker takes an offset. A group that has read everything stands before the last of them, and when
    retention takes that too, its position lies before the beginning of the log although nothing is lost. A partition
    that does not answer in time keeps its position.
    """
    starts = {(p.topic, p.partition): p.start for p in positions if p.gap is None}
    waiting = {(p.topic, p.partition) for p in positions if p.gap is None and p.start < p.end}
    consumer = broker.open_consumer(kafka, "tieline.reader", tell_ends=True)
    try:
        consumer.assign([TopicPartition(*where, starts[where]) for where in sorted(waiting)])
        deadline = time.monotonic() + SETTLE_SECS
        while waiting and time.monotonic() < deadline:
            for message in consumer.consume(1000, broker.FETCH_SECS):
                where = (message.topic() or "", message.partition() or 0)
                if where in waiting and broker.is_end(message):
                    starts[where] = max(starts[where], message.offset() or 0)
                if broker.is_end(message) or broker.check_message(message):
                    waiting.discard(where)
    finally:
        consumer.close()
    return [TopicPartition(*where, start) for where, start in starts.items()]


def _offsets(consumer: Consumer, wheres: Sequence[tuple[str, int]], which: int) -> dict[tuple[str, int], int]:
    # Two special times, so that one question to each broker does for all partitions.
    wanted = [TopicPartition(*where, which) for where in wheres]
    found = consumer.offsets_for_times(wanted, timeout=broker.CALL_TIMEOUT_SECS)
    for tp in found:
        if tp.error is not None:
            raise KafkaException(tp.error)
    return {(tp.topic, tp.partition): tp.offset for tp in found}

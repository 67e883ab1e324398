"""A Kafka in memory, as far as the kernel uses it: partitions, transactions with fencing, committed positions.

It keeps Kafka's inconvenient habits: a transaction's marker takes an offset of its own, partitions come in no promised
order, an answer to a commit can be lost either side of the commit, a second producer of an id fences the first, and a
position that the log does not have is refused.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, OFFSET_INVALID, KafkaError, KafkaException, TopicPartition

from tieline.kernel.partitioning import partition_of

MAX_NOTE_BYTES = 4096
Where = tuple[str, int]
Content = tuple[bytes | None, bytes | None, Sequence[tuple[str, bytes]]]
"""Key, value and headers."""


class Killed(BaseException):
    """The process ends here, like under ``kill -9``: no handler of the code under test may catch it."""


@dataclass(frozen=True, slots=True)
class Message:
    """A record, or the news that a partition's end was reached, with the methods of the client's message."""

    at: Where
    at_offset: int
    content: Content = (None, None, ())
    failure: KafkaError | None = None
    written_ms: int = 0

    def topic(self) -> str:
        return self.at[0]

    def partition(self) -> int:
        return self.at[1]

    def offset(self) -> int:
        return self.at_offset

    def key(self) -> bytes | None:
        return self.content[0]

    def value(self) -> bytes | None:
        return self.content[1]

    def headers(self) -> Sequence[tuple[str, bytes]]:
        return self.content[2]

    def timestamp(self) -> tuple[int, int]:
        return 1, self.written_ms

    def error(self) -> KafkaError | None:
        return self.failure


@dataclass
class Log:
    """The broker. ``point`` is called at every step that can go wrong, and may kill or raise."""

    partitions: Mapping[str, int]
    dice: random.Random
    point: Callable[[str], None]
    now_ms: Callable[[], int] = lambda: 0
    records: dict[Where, list[Message | None]] = field(default_factory=dict)
    committed: dict[tuple[str, Where], int] = field(default_factory=dict)
    notes: dict[tuple[str, Where], str] = field(default_factory=dict)
    """Metadata of positions: each commit of a position replaces it, with nothing if it brings none."""
    epochs: dict[str, int] = field(default_factory=dict)
    firsts: dict[Where, int] = field(default_factory=dict)
    fences_writes: bool = False
    """Whether a replaced producer learns of it while it writes; otherwise when it commits. Real ones do either."""

    def open_consumer(self, settings: Mapping[str, Any]) -> Consumer:
        """Stands in for ``confluent_kafka.Consumer``."""
        return Consumer(self, str(settings["group.id"]), tells_ends=bool(settings["enable.partition.eof"]))

    def open_producer(self, settings: Mapping[str, Any]) -> Producer:
        """Stands in for ``confluent_kafka.Producer``."""
        return Producer(self, str(settings["transactional.id"]))

    def at(self, where: Where) -> list[Message | None]:
        """The partition's records; None is a transaction's marker."""
        return self.records.setdefault(where, [])

    def forget(self, where: Where, before: int) -> None:
        """What retention does: the records of a partition before an offset are gone."""
        self.firsts[where] = before

    def recreate(self, topic: str) -> None:
        """A topic is deleted and made again: it is empty."""
        for p in range(self.partitions[topic]):
            self.records[topic, p] = []
            self.firsts.pop((topic, p), None)

    def append(self, where: Where, content: Content) -> int:
        """A record that a foreign producer writes; its offset."""
        log = self.at(where)
        log.append(Message(where, len(log), content, written_ms=self.now_ms()))
        return len(log) - 1

    def all_of(self, topic: str) -> list[Message]:
        """Every record of a topic, in order per partition."""
        found = [m for p in range(self.partitions[topic]) for m in self.at((topic, p))]
        return [message for message in found if message is not None]

    def unread(self, group: str, topic: str) -> int:
        """Records of a topic that a group has still to settle."""
        count = 0
        for p in range(self.partitions[topic]):
            start = self.committed.get((group, (topic, p)), 0)
            count += sum(1 for message in self.at((topic, p))[start:] if message is not None)
        return count


class Consumer:
    """Reads from assigned positions; never commits by itself."""

    def __init__(self, log: Log, group: str, *, tells_ends: bool) -> None:
        self._log = log
        self._group = group
        self._tells_ends = tells_ends
        self._positions: dict[Where, int] = {}
        self._told: dict[Where, int] = {}
        self._paused: set[Where] = set()

    def assign(self, wanted: Sequence[TopicPartition]) -> None:
        firsts = self._log.firsts
        wheres = {(tp.topic, tp.partition): tp.offset for tp in wanted}
        self._positions = {w: firsts.get(w, 0) if at == OFFSET_BEGINNING else at for w, at in wheres.items()}
        self._told = {}
        self._paused = set()

    def pause(self, wanted: Sequence[TopicPartition]) -> None:
        self._paused |= {(tp.topic, tp.partition) for tp in wanted}

    def resume(self, wanted: Sequence[TopicPartition]) -> None:
        self._paused -= {(tp.topic, tp.partition) for tp in wanted}

    def unassign(self) -> None:
        self._positions = {}

    def poll(self, timeout: float) -> Message | None:
        found = self.consume(1, timeout)
        return found[0] if found else None

    def consume(self, count: int, timeout: float) -> list[Message]:
        del timeout
        found: list[Message] = []
        giving = sorted(self._positions.keys() - self._paused)
        for where in self._log.dice.sample(giving, len(giving)):
            found += self._read(where, count - len(found))
            if len(found) >= count:
                break
        return found

    def _read(self, where: Where, limit: int) -> list[Message]:
        found: list[Message] = []
        log = self._log.at(where)
        position = self._positions[where]
        if not self._log.firsts.get(where, 0) <= position <= len(log):
            return [Message(where, position, failure=KafkaError(KafkaError._AUTO_OFFSET_RESET, "offset out of range"))]
        while position < len(log) and len(found) < limit:
            message = log[position]
            position += 1
            if message is not None:
                found.append(message)
        self._positions[where] = position
        if self._tells_ends and position >= len(log) and self._told.get(where) != position and len(found) < limit:
            self._told[where] = position
            found.append(Message(where, position, failure=KafkaError(KafkaError._PARTITION_EOF)))
        return found

    def committed(self, wanted: Sequence[TopicPartition], timeout: float) -> list[TopicPartition]:
        del timeout
        found = []
        for tp in wanted:
            which = (self._group, (tp.topic, tp.partition))
            offset = self._log.committed.get(which, OFFSET_INVALID)
            found.append(TopicPartition(tp.topic, tp.partition, offset, metadata=self._log.notes.get(which, "")))
        return found

    def list_topics(self, timeout: float) -> Any:
        del timeout
        return _Metadata(self._log.partitions)

    def get_watermark_offsets(self, where: TopicPartition, timeout: float) -> tuple[int, int]:
        del timeout
        place = (where.topic, where.partition)
        return self._log.firsts.get(place, 0), len(self._log.at(place))

    def offsets_for_times(self, wanted: Sequence[TopicPartition], timeout: float) -> list[TopicPartition]:
        del timeout
        found = []
        for tp in wanted:
            where = (tp.topic, tp.partition)
            offset = self._log.firsts.get(where, 0) if tp.offset == OFFSET_BEGINNING else len(self._log.at(where))
            found.append(TopicPartition(*where, offset))
        return found

    def consumer_group_metadata(self) -> str:
        return self._group

    def close(self) -> None:
        self._positions = {}


class _Metadata:
    def __init__(self, partitions: Mapping[str, int]) -> None:
        self.topics = {name: _TopicMetadata(dict.fromkeys(range(count))) for name, count in partitions.items()}


@dataclass(frozen=True, slots=True)
class _TopicMetadata:
    partitions: dict[int, None]
    error: None = None


class Producer:
    """A transactional producer. What it is given is kept until the commit and then seen all at once, or never."""

    def __init__(self, log: Log, transactional_id: str) -> None:
        self._log = log
        self._id = transactional_id
        self._epoch = 0
        self._open = False
        self._written: list[tuple[Where, Content]] = []
        self._offsets: dict[tuple[str, Where], int] = {}
        self._notes: dict[tuple[str, Where], str] = {}

    def init_transactions(self, timeout: float) -> None:
        del timeout
        self._log.point(f"{self._id}:init")
        self._epoch = self._log.epochs.get(self._id, 0) + 1
        self._log.epochs[self._id] = self._epoch

    def begin_transaction(self) -> None:
        assert not self._open, "a transaction is open already"
        self._open = True
        self._written, self._offsets, self._notes = [], {}, {}

    def produce(
        self,
        topic: str,
        *,
        value: bytes | None,
        key: str | bytes | None,
        headers: Sequence[tuple[str, str | bytes]],
        partition: int | None = None,
    ) -> None:
        assert self._open, "no transaction is open"
        if self._log.fences_writes and self._is_replaced:
            raise KafkaException(KafkaError(KafkaError._FATAL))  # what it was is said by the transaction's calls
        key_bytes = key.encode() if isinstance(key, str) else key
        if partition is None:
            partition = partition_of((key_bytes or b"").decode("utf-8", "replace"), self._log.partitions[topic])
        texts = [(name, v.encode() if isinstance(v, str) else v) for name, v in headers]
        self._written.append(((topic, partition), (key_bytes, value, texts)))

    def poll(self, timeout: float) -> int:
        del timeout
        return 0

    def send_offsets_to_transaction(self, offsets: Sequence[TopicPartition], group: str, timeout: float) -> None:
        del timeout
        self._log.point(f"{self._id}:offsets")
        self._offsets |= {(group, (tp.topic, tp.partition)): tp.offset for tp in offsets}
        self._notes |= {(group, (tp.topic, tp.partition)): tp.metadata or "" for tp in offsets}
        assert all(len(note) <= MAX_NOTE_BYTES for note in self._notes.values()), "offset.metadata.max.bytes"

    def commit_transaction(self, timeout: float) -> None:
        del timeout
        self._log.point(f"{self._id}:before-commit")
        self._refuse_replaced()
        touched = dict.fromkeys(where for where, _ in self._written)
        for where, content in self._written:
            log = self._log.at(where)
            log.append(Message(where, len(log), content, written_ms=self._log.now_ms()))
        for where in touched:
            self._log.at(where).append(None)
        self._log.committed.update(self._offsets)
        self._log.notes.update(self._notes)
        self._open = False
        self._log.point(f"{self._id}:after-commit")

    def abort_transaction(self, timeout: float) -> None:
        del timeout
        self._refuse_replaced()
        self._open = False

    @property
    def _is_replaced(self) -> bool:
        return self._log.epochs[self._id] != self._epoch

    def _refuse_replaced(self) -> None:
        if self._is_replaced:
            raise KafkaException(KafkaError(KafkaError._FENCED, "another producer has its id", fatal=True))

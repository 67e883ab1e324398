"""What a consumer takes in and how far its position may go, with partitions paused while too much is on its way."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from confluent_kafka import Consumer, TopicPartition

from tieline.kernel.consuming import poll_batch
from tieline.kernel.errors import Retryable
from tieline.kernel.records import Inbound
from tieline.kernel.tracking import PositionTracker, Where, read_note

MAX_UNSETTLED = 500
"""Commands of one partition in memory; it is paused there, and resumed at half of it."""
MAX_AHEAD = 10_000
"""Settled records behind one that is not: a restart reads them again, and passes them over by the ledger."""

MAX_LETTERS_AHEAD = 500
"""Letters behind a record that is not settled, which a restart must not write again: as many as a note can hold, with
those that are on their way when it is reached (tracking.py)."""

MAX_IN_HAND = MAX_AHEAD + MAX_UNSETTLED
"""Records of one partition that may have been taken beyond its position."""


class Intake:
    """The reading side of a loop that settles in any order. ``start`` before anything else, and to begin anew.

    ``take_up`` assigns where the group stands, and gives that.
    ``poll`` never stops being called while commands are at work: a client that is not polled counts as dead.
    """

    def __init__(self, consumer: Consumer, take_up: Callable[[], list[TopicPartition]]) -> None:
        self._consumer = consumer
        self._take_up = take_up
        self._tracker = PositionTracker()
        self._paused: set[Where] = set()

    def start(self) -> None:
        """Take up the committed position; what was taken and not settled before is read again."""
        self._tracker = PositionTracker()
        starts = self._take_up()
        self._tracker.recall({(tp.topic, tp.partition): read_note(tp.offset, tp.metadata) for tp in starts})
        self._consumer.resume(starts)
        self._paused = set()

    def poll(self, timeout_secs: float, limit: int) -> list[Inbound]:
        """What is there, up to ``limit`` records, of the partitions that have room; waits for the first only.

        Without those that are letters already: they are settled.

        Raises ``Retryable`` if the client gives a record out of order: only to begin anew says then what was read.
        """
        self._throttle()
        fresh = []
        for record in poll_batch(self._consumer, timeout_secs, limit):
            where = (record.topic, record.partition)
            try:
                self._tracker.take(where, record.offset)
            except ValueError as error:
                raise Retryable(f"records are not read in order: {error}") from error
            if self._tracker.is_letter(where, record.offset):
                self._tracker.settle(where, record.offset)
            else:
                fresh.append(record)
        return fresh

    def settle(self, records: Iterable[Inbound], letters: Iterable[Inbound] = ()) -> list[TopicPartition]:
        """The positions to commit with the outcomes of ``records``: none of them passes one that is not settled.

        ``letters`` are those of the records of which the same transaction writes a letter.
        """
        for record in letters:
            self._tracker.bury((record.topic, record.partition), record.offset)
        for record in records:
            self._tracker.settle((record.topic, record.partition), record.offset)
        moved = sorted(self._tracker.moved().items())
        return [TopicPartition(*where, offset, metadata=note) for where, (offset, note) in moved]

    def _throttle(self) -> None:
        full = {where for where in self._tracker.partitions() if self._is_full(where)}
        if full - self._paused:
            self._consumer.pause(_listed(full - self._paused))
        if self._paused - full:
            self._consumer.resume(_listed(self._paused - full))
        self._paused = full

    def _is_full(self, where: Where) -> bool:
        unsettled, ahead = self._tracker.unsettled(where), self._tracker.ahead(where)
        letters = self._tracker.letters(where)
        share = 2 if where in self._paused else 1  # once paused, it stays so until there is room worth a fetch
        limits = ((unsettled, MAX_UNSETTLED), (ahead, MAX_AHEAD), (letters, MAX_LETTERS_AHEAD))
        return any(count >= limit // share for count, limit in limits)


def _listed(wheres: Iterable[Where]) -> list[TopicPartition]:
    return [TopicPartition(topic, partition) for topic, partition in sorted(wheres)]

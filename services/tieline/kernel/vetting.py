"""How a loop goes on: from a position that the log has, and at first with care.

After a start nobody knows whether the process had ended by itself, nor at which record. What it may have had in hand,
the first records of each partition, is therefore attempted in a child before it is handled (``trials``). A record at
which the child ends twice is never decoded here: it becomes a dead letter as it is, and so does one sent again from
there that still does so. A process that was killed harms no record, whenever that was: a record is judged by its own
trials and by nothing else.
"""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, Producer, TopicPartition

from tieline.kernel import broker
from tieline.kernel.admitting import admit, decode
from tieline.kernel.dead_letters import QUARANTINED
from tieline.kernel.errors import Quarantined, Rejected
from tieline.kernel.positions import Position, read_positions, refuse_gaps, settled_offsets
from tieline.kernel.records import Inbound, Typed
from tieline.kernel.trials import Attempt, Death

if TYPE_CHECKING:
    from tieline.kernel.consuming import Runtime

REFRESH_EVERY = dt.timedelta(hours=12)  # a broker keeps what is not committed again for seven days
DEATHS = 2  # the first may be an accident of the machine


class Vetting:
    """What one consumer may go on with: its positions, and its records.

    ``take_up`` at each start; ``examine`` for each batch, then ``decode``; ``refresh`` whenever there is nothing to do.

    ``window`` is how many records beyond its position the process may have had in hand. ``attempt`` is what is tried of
    a record, decoding at least; ``undo`` takes back what attempts changed, where they were made in this process.
    """

    def __init__(
        self,
        group: str,
        topics: Sequence[str],
        runtime: Runtime,
        consumer: Consumer,
        *,
        window: int,
        attempt: Attempt | None = None,
        undo: Callable[[], None] = lambda: None,
    ) -> None:
        self._group = group
        self._topics = topics
        self._runtime = runtime
        self._consumer = consumer
        self._window = window
        self._attempt = attempt or self.decode
        self._undo = undo
        self._refreshed_secs: float | None = None
        self._suspect: dict[tuple[str, int], _Suspicion] | None = None
        self._quarantined: dict[str, Quarantined] = {}

    def take_up(self) -> list[TopicPartition]:
        """Assign where the group stands, and return that, with what was committed beside it as ``metadata``.

        Raises ``Stop`` for a gap, ``KafkaException`` if the broker does not answer.
        """
        positions = read_positions(self._runtime.kafka, self._consumer, self._topics)
        refuse_gaps(self._group, positions)
        starts = [TopicPartition(p.topic, p.partition, p.start) for p in positions]
        self._consumer.assign(starts)
        if self._suspect is None:  # at the first time only: a repeated transaction is no end of the process
            self._suspect = {(p.topic, p.partition): _Suspicion(p, self._window) for p in positions if p.start < p.end}
        return [TopicPartition(p.topic, p.partition, p.start, metadata=p.note) for p in positions]

    def examine(self, batch: Sequence[Inbound]) -> None:
        """Find out what of a batch would end the process. Raises ``Retryable`` when the registry is out."""
        tried = [record for record in batch if self._is_suspect(record)]
        if not tried:
            return
        waiting = [record for record in tried if self._is_readable(record)]
        deaths: Counter[str] = Counter()
        while waiting and (death := self._trial(waiting)) is not None:
            where = waiting[death.place].coordinates
            deaths[where] += 1
            self._runtime.log.warning("trial-ended", record=where, how=death.how, times=deaths[where])
            if deaths[where] == DEATHS:
                reason = f"the process ends when it handles this record ({death.how}, {DEATHS} times of {DEATHS})"
                remedy = "look at its bytes; correct its sender, or the fault in what handles it"
                self._quarantined[where] = Quarantined(reason, remedy=remedy)
                del waiting[death.place]
        self._cleared(tried)

    def refresh(self, producer: Producer) -> None:
        """Commit the positions once more, now and then; the caller has nothing in hand that is not committed.

        Kafka forgets a position that nobody committed for a week, and then it would be read from the beginning.
        """
        now_secs = time.monotonic()
        if self._refreshed_secs is not None and now_secs - self._refreshed_secs < REFRESH_EVERY.total_seconds():
            return
        positions = read_positions(self._runtime.kafka, self._consumer, self._topics)
        offsets = settled_offsets(self._runtime.kafka, positions)
        producer.begin_transaction()
        producer.send_offsets_to_transaction(
            offsets, self._consumer.consumer_group_metadata(), broker.CALL_TIMEOUT_SECS
        )
        producer.commit_transaction(broker.CALL_TIMEOUT_SECS)
        self._refreshed_secs = now_secs

    def decode(self, record: Inbound) -> Typed:
        """The typed value. Raises ``Rejected`` for bytes that are none, ``Quarantined`` without looking at them."""
        if self._quarantined and (verdict := self._quarantined.get(record.coordinates)) is not None:
            raise verdict
        return decode(self._runtime.codec, record)

    def _trial(self, records: Sequence[Inbound]) -> Death | None:
        try:
            return self._runtime.trial(records, self._attempt)
        finally:
            self._undo()

    def _is_suspect(self, record: Inbound) -> bool:
        if self._suspect:
            suspicion = self._suspect.get((record.topic, record.partition))
            if suspicion is not None and suspicion.covers(record.offset):
                return True
        return record.header(QUARANTINED) is not None

    def _is_readable(self, record: Inbound) -> bool:
        """Whether there is anything to try. Asks for the schema: the child has no connection to the registry."""
        codec = self._runtime.codec
        try:
            admit(record)
            if not codec.is_raw(record.topic):
                codec.admit(record.topic, record.value or b"")
        except Rejected:
            return False
        return True

    def _cleared(self, tried: Sequence[Inbound]) -> None:
        for record in tried:
            where = (record.topic, record.partition)
            if self._suspect and where in self._suspect and self._suspect[where].clear(record.offset):
                del self._suspect[where]


class _Suspicion:
    """What is still to be tried of one partition: so many records, but none that were written after the start."""

    def __init__(self, position: Position, window: int) -> None:
        self._next = position.start
        self._end = position.end
        self._left = window

    def covers(self, offset: int) -> bool:
        return self._next <= offset < self._end

    def clear(self, offset: int) -> bool:
        """A record was tried; whether it was the last."""
        if offset >= self._next:
            self._next = offset + 1
            self._left -= 1
        return self._left <= 0 or self._next >= self._end

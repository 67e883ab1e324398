"""Every entry of every table, whichever process wrote it: the tables' changelogs, read by each process in whole.

Faust gives a process only its own partitions. What is answered over HTTP comes from here instead, so that each of
several processes answers for all of them, before, during and after a rebalance.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from tieline.kernel import broker
from tieline.kernel.landscape import Kafka
from tieline.kernel.records import Inbound
from tieline.views.entries import Change

GROUP = "tieline.follower"  # no position is committed under it
BATCH_RECORDS = 1000


class ChangelogFollower:
    """Reads changelogs from their beginning and goes on. One thread at a time may use it."""

    def __init__(self, kafka: Kafka, changelogs: Mapping[str, str]) -> None:
        """``changelogs``: topic to table. Raises ``Stop`` for a topic that does not exist. Blocks."""
        self._tables = changelogs
        self._ends = broker.end_offsets(kafka, changelogs)
        self._behind = {place for place, end in self._ends.items() if end > 0}
        self._consumer: Consumer = broker.open_consumer(kafka, GROUP, tell_ends=True)
        self._consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for topic, p in self._ends])

    @property
    def is_caught_up(self) -> bool:
        """Whether everything has been read that was there at the beginning; once true, it stays."""
        return not self._behind

    def read(self, timeout_secs: float) -> list[Change]:
        """What is there, in order per key; waits up to ``timeout_secs`` for the first. Raises ``Stop`` for a gap."""
        first = self._consumer.poll(timeout_secs)
        messages = [] if first is None else [first, *self._consumer.consume(BATCH_RECORDS - 1, 0)]
        changes: list[Change] = []
        for message in messages:
            record = broker.to_inbound(message)
            if broker.is_end(message):
                self._note(record, record.offset)
            elif broker.check_message(message):
                self._note(record, record.offset + 1)
                if (change := read_change(self._tables[record.topic], record)) is not None:
                    changes.append(change)
        return changes

    def close(self) -> None:
        """Leave."""
        self._consumer.close()

    def _note(self, record: Inbound, position: int) -> None:
        place = (record.topic, record.partition)
        # Compaction may have taken the last records: then only the end of the partition tells.
        if position >= self._ends[place]:
            self._behind.discard(place)


def read_change(table: str, record: Inbound) -> Change | None:
    """A changelog record as Faust writes it, key and value in JSON; None for a tombstone: no table of ours has any."""
    if record.key is None or record.value is None:
        return None
    return Change(table, json.loads(record.key), json.loads(record.value))

"""Where each consumer stands in the log, and how a person lets one go on that has lost what it was to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import KafkaException, TopicPartition

from tieline.kernel import broker
from tieline.kernel.errors import Stop, Unavailable
from tieline.kernel.inspecting import LogReader, Where
from tieline.kernel.letters import input_topics
from tieline.kernel.positions import Position, past_gap, read_positions
from tieline.operating.processes import Sample, group_for


@dataclass(frozen=True, slots=True)
class Group:
    """A consumer group of a process, its positions, and the transactional id under which the process moves them."""

    name: str
    transactional_id: str
    positions: Sequence[Position]

    @property
    def gaps(self) -> list[Position]:
        """The positions that the log no longer follows on."""
        return [position for position in self.positions if position.gap is not None]


def read_groups(log: LogReader, consumers: Sequence[str]) -> list[Group]:
    """The groups of these processes. Raises ``Unavailable`` when Kafka does not answer."""
    found: list[Group] = []
    for consumer in consumers:
        topics: dict[str, list[str]] = {}
        for topic in input_topics(log.topics, consumer):
            topics.setdefault(group_for(consumer, topic), []).append(topic)
        for group, read in topics.items():
            try:
                positions = read_positions(log.kafka, log.asker(group), read)
            except KafkaException as error:
                raise Unavailable(f"group {group}: Kafka says {error.args[0].str()}") from error
            # A source takes requests up in the transactions of its capture (kernel/capturing.py).
            owner = f"{consumer}-capture" if group.endswith("-requests") else consumer
            found.append(Group(group, owner, positions))
    return found


def find_gaps(log: LogReader, sample: Sample, consumers: Sequence[str]) -> dict[str, list[str]]:
    """What each process can no longer read, for people; those that miss nothing are left out.

    Raises ``Unavailable`` when Kafka does not answer.
    """
    found: dict[str, list[str]] = {}
    for consumer in consumers:
        inputs = {topic: group_for(consumer, topic) for topic in input_topics(log.topics, consumer)}
        stands = [
            (at, sample.spans[where])
            for topic, group in inputs.items()
            for where, at in _of(sample.committed[group], topic)
        ]
        if all(span.first <= at <= span.end for at, span in stands):
            continue
        # An open transaction may lie before a position too: only the log's real ends tell.
        gaps = [gap for one in read_groups(log, [consumer]) for p in one.gaps if (gap := p.gap) is not None]
        if gaps:
            found[consumer] = gaps
    return found


def _of(committed: Mapping[Where, int], topic: str) -> list[tuple[Where, int]]:
    return [(where, at) for where, at in committed.items() if where[0] == topic]


def pass_gaps(log: LogReader, group: Group) -> int:
    """Let a group go on with the oldest records there are where it has a gap; how many positions were moved.

    The move takes the process's own transactional id, so that a copy that still runs can move nothing more: it stops.
    Raises ``Stop`` if the process took its id back meanwhile, or the broker refuses.
    """
    moved = [TopicPartition(p.topic, p.partition, past_gap(p)) for p in group.gaps]
    if not moved:
        return 0
    try:
        producer = broker.start_producer(log.kafka, group.transactional_id, lambda: True, on_wait=lambda _: None)
        producer.begin_transaction()
        producer.send_offsets_to_transaction(
            moved, log.asker(group.name).consumer_group_metadata(), broker.CALL_TIMEOUT_SECS
        )
        producer.commit_transaction(broker.CALL_TIMEOUT_SECS)
    except KafkaException as error:
        why = error.args[0].str()
        raise Stop(
            f"group {group.name}: nothing was moved ({why}); stop the process {group.transactional_id}"
        ) from error
    return len(moved)

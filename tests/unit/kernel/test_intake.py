"""A partition with too much on its way is paused; the others, and the polling, go on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from tieline.kernel import intake
from tieline.kernel.errors import Retryable
from tieline.kernel.intake import Intake
from tieline.kernel.records import Inbound

TOPIC = "sink.erp.command.v1"


class Client:
    """As much of a consumer as the intake asks for; it gives what it is told, of partitions that are not paused."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.coming: list[Inbound] = []
        self.paused: set[int] = set()
        self.polls = 0
        monkeypatch.setattr(intake, "poll_batch", self._poll)

    def take_up(self) -> list[TopicPartition]:
        return [TopicPartition(TOPIC, 0, OFFSET_BEGINNING)]

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        self.paused |= {tp.partition for tp in partitions}

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        self.paused -= {tp.partition for tp in partitions}

    def _poll(self, _consumer: object, _timeout_secs: float, limit: int) -> list[Inbound]:
        self.polls += 1
        given = [record for record in self.coming if record.partition not in self.paused][:limit]
        self.coming = [record for record in self.coming if record not in given]
        return given


def records(partition: int, *offsets: int) -> list[Inbound]:
    return [Inbound(TOPIC, partition, offset, b"A", b"") for offset in offsets]


def open_intake(monkeypatch: pytest.MonkeyPatch, *, unsettled: int, ahead: int) -> tuple[Client, Intake]:
    monkeypatch.setattr(intake, "MAX_UNSETTLED", unsettled)
    monkeypatch.setattr(intake, "MAX_AHEAD", ahead)
    client = Client(monkeypatch)
    taking = Intake(cast("Consumer", client), client.take_up)
    taking.start()
    return client, taking


def positions(found: Sequence[TopicPartition]) -> list[tuple[int, int]]:
    return [(tp.partition, tp.offset) for tp in found]


def test_a_full_partition_is_paused_and_resumed_at_half_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    client, taking = open_intake(monkeypatch, unsettled=4, ahead=100)
    client.coming = [*records(0, *range(10)), *records(1, 0)]
    taken = taking.poll(0, 4)
    assert [(one.partition, one.offset) for one in taken] == [(0, 0), (0, 1), (0, 2), (0, 3)]
    assert [one.partition for one in taking.poll(0, 4)] == [1]
    assert client.paused == {0}
    assert positions(taking.settle(taken[:1])) == [(0, 1)]
    assert taking.poll(0, 4) == []
    taking.settle(taken[1:3])
    assert [one.offset for one in taking.poll(0, 4)] == [4, 5, 6, 7]
    assert client.polls == 4


def test_one_that_is_not_settled_lets_only_so_many_behind_it_be_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    client, taking = open_intake(monkeypatch, unsettled=100, ahead=6)
    client.coming = records(0, *range(12))
    slow, *others = taking.poll(0, 6)
    assert positions(taking.settle(others)) == []
    assert taking.poll(0, 6) == []
    assert client.paused == {0}
    assert positions(taking.settle([slow])) == [(0, 6)]
    assert [one.offset for one in taking.poll(0, 6)] == [6, 7, 8, 9, 10, 11]


def test_to_begin_anew_forgets_what_was_taken_and_resumes_what_was_paused(monkeypatch: pytest.MonkeyPatch) -> None:
    client, taking = open_intake(monkeypatch, unsettled=2, ahead=100)
    client.coming = records(0, 0, 1, 2)
    taking.poll(0, 2)
    taking.poll(0, 2)
    assert client.paused == {0}
    taking.start()
    client.coming = records(0, 0, 1, 2)
    assert [one.offset for one in taking.poll(0, 2)] == [0, 1]


def test_a_record_that_is_given_twice_makes_the_loop_begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    client, taking = open_intake(monkeypatch, unsettled=10, ahead=100)
    client.coming = records(0, 4)
    taking.poll(0, 2)
    client.coming = records(0, 4)
    with pytest.raises(Retryable, match="offset 4 after 4"):
        taking.poll(0, 2)
    taking.start()
    client.coming = records(0, 4)
    assert len(taking.poll(0, 2)) == 1


def test_a_letter_that_is_read_again_is_settled_and_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(monkeypatch)

    def take_up() -> list[TopicPartition]:
        return [TopicPartition(TOPIC, 0, 3, metadata="letters:1")]

    taking = Intake(cast("Consumer", client), take_up)
    taking.start()
    client.coming = records(0, 3, 4, 5)
    first, last = taking.poll(0, 10)
    assert (first.offset, last.offset) == (3, 5)
    assert [(tp.offset, tp.metadata) for tp in taking.settle([last], letters=[last])] == [(3, "letters:1,1")]
    assert [(tp.offset, tp.metadata) for tp in taking.settle([first])] == [(6, "")]


def test_a_partition_with_as_many_letters_ahead_as_a_note_holds_is_paused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "MAX_LETTERS_AHEAD", 4)
    client, taking = open_intake(monkeypatch, unsettled=100, ahead=100)
    client.coming = records(0, *range(9))
    slow, *letters = taking.poll(0, 5)
    taking.settle(letters, letters)
    assert taking.poll(0, 5) == []
    assert client.paused == {0}
    taking.settle([slow])
    assert [one.offset for one in taking.poll(0, 5)] == [5, 6, 7, 8]

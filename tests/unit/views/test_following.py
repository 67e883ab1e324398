"""The changelogs as each process reads them in whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import faust
import pytest
from confluent_kafka import KafkaError

from tieline.kernel import broker
from tieline.kernel.landscape import Kafka
from tieline.kernel.records import Inbound
from tieline.views.entries import Change, sources_of, topics_of
from tieline.views.faust_app import Decoder, LiveViews, build_app
from tieline.views.following import ChangelogFollower, read_change
from tieline.views.topics import changelogs

KAFKA = Kafka(bootstrap_servers="127.0.0.1:1")
TOPIC = "tieline.views-assets-changelog"


class Said:
    """A message of the client, or the end of a partition."""

    def __init__(self, partition: int, offset: int, key: bytes | None = None, value: bytes | None = None) -> None:
        self.place, self.at, self.pair = partition, offset, (key, value)

    def error(self) -> KafkaError | None:
        return KafkaError(KafkaError._PARTITION_EOF) if self.pair == (None, None) else None

    def topic(self) -> str:
        return TOPIC

    def partition(self) -> int:
        return self.place

    def offset(self) -> int:
        return self.at

    def key(self) -> bytes | None:
        return self.pair[0]

    def value(self) -> bytes | None:
        return self.pair[1]

    def headers(self) -> None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return (1, 0)


class Client:
    """A consumer that gives what it is told, one batch a read."""

    def __init__(self) -> None:
        self.batches: list[list[Said]] = []
        self.assigned: list[tuple[int, int]] = []

    def assign(self, places: list[Any]) -> None:
        self.assigned = [(place.partition, place.offset) for place in places]

    def poll(self, _timeout_secs: float) -> Said | None:
        return self.batches[0].pop(0) if self.batches else None

    def consume(self, _count: int, _timeout_secs: float) -> list[Said]:
        return self.batches.pop(0)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    made = Client()
    ends = {(TOPIC, 0): 3, (TOPIC, 1): 0, (TOPIC, 2): 5}
    monkeypatch.setattr(broker, "end_offsets", lambda *_: ends)
    monkeypatch.setattr(broker, "open_consumer", lambda *_, **__: made)
    return made


def test_every_partition_is_read_from_its_beginning(client: Client) -> None:
    ChangelogFollower(KAFKA, {TOPIC: "assets"})
    assert [partition for partition, _ in client.assigned] == [0, 1, 2]
    assert {offset for _, offset in client.assigned} == {-2}  # the client's word for the beginning


def test_it_has_caught_up_when_every_partition_has_reached_the_end_it_had(client: Client) -> None:
    follower = ChangelogFollower(KAFKA, {TOPIC: "assets"})
    client.batches = [
        [Said(0, 1, b'"a"', b"1"), Said(0, 2, b'"a"', b"2")],  # up to its end, 3
        [Said(2, 0, b'"b"', b"3"), Said(1, 0)],
        [Said(2, 4)],  # an end that compaction has not reached: more is to come
        [Said(2, 5)],  # compaction took offsets 1 to 4: only the end tells
    ]
    assert follower.read(0) == [Change("assets", "a", 1), Change("assets", "a", 2)]
    assert follower.read(0) == [Change("assets", "b", 3)]
    assert not follower.is_caught_up
    assert follower.read(0) == []
    assert not follower.is_caught_up
    assert follower.read(0) == []
    assert follower.is_caught_up
    assert follower.read(0) == []


def recorded(key: bytes | None, value: bytes | None) -> Inbound:
    return Inbound(TOPIC, 3, 7, key, value)


def test_an_entry_is_read_as_faust_writes_it(tmp_path: Path) -> None:
    app = faust.App("test", store="memory://", datadir=tmp_path, autodiscover=False)
    store = cast("Any", app.Table("assets", key_type=str)).data
    entry = {"version": 3, "tag": "Größe 5", "amount": "1000.10", "currency": None}
    record = recorded(store._encode_key("tryton/asset/a1|main/7"), store._encode_value(entry))
    assert read_change("assets", record) == Change("assets", "tryton/asset/a1|main/7", entry)


def test_a_tombstone_says_nothing() -> None:
    assert read_change("assets", recorded(b'"a1"', None)) is None


async def test_the_app_follows_every_source_and_writes_the_changelogs_that_are_followed(tmp_path: Path) -> None:
    sources = sources_of(["tryton", "unio24"])
    decoder = Decoder(cast("Any", None), lambda _: None)
    app = build_app(KAFKA, decoder, LiveViews(), sources, on_skip=lambda *_: None, folder=tmp_path)
    decoder.close()
    app.finalize()
    assert set(app.agents) == set(topics_of(sources))
    assert {table.changelog_topic_name for table in app.tables.values()} == set(changelogs(sources))

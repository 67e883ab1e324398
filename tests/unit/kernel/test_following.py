"""T24: who was away longer than tombstones are kept must not keep what was deleted meanwhile."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from tieline.kernel import broker
from tieline.kernel.codecs import Codec
from tieline.kernel.consuming import MAX_AWAY, Runtime, TableFollower
from tieline.kernel.landscape import Kafka
from tieline.kernel.memory import SourcePosition
from tieline.kernel.records import Inbound, Typed
from tieline.kernel.tables import Table
from tieline.kernel.telemetry import Log

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
TOPIC = "src.erp.position.state.v1"
TOPICS = Path(__file__).parents[3] / "topics"
DAY = dt.timedelta(days=1)


class CompactedTopic:
    """One partition that keeps the last record of each key, and tombstones until they are cleaned away."""

    def __init__(self) -> None:
        self.records: list[Inbound] = []
        self.end = 0
        self.whole_reads = 0

    def write(self, key: str, value: str | None) -> None:
        data = None if value is None else value.encode()
        self.records.append(Inbound(TOPIC, 0, self.end, key.encode(), data))
        self.end += 1

    def clean(self) -> None:
        """What the broker does once ``delete.retention.ms`` has passed."""
        last = {record.key: record for record in self.records}
        self.records = [record for record in self.records if last[record.key] is record and record.value is not None]

    # What the kernel asks of a broker.

    def read_to_end(
        self, _kafka: Kafka, _topics: object, take: Callable[[Inbound], None], *, headers: bool
    ) -> dict[tuple[str, int], int]:
        assert not headers, "a table's rows need none, and they take half the time"
        self.whole_reads += 1
        for record in self.records:
            take(record)
        return {(TOPIC, 0): self.end}

    def open_consumer(self, _kafka: Kafka, _group: str) -> Reader:
        return Reader(self)


class Reader:
    """A consumer of the topic: goes on from its position, whatever was cleaned away before it."""

    def __init__(self, topic: CompactedTopic) -> None:
        self._topic = topic
        self._position = 0

    def assign(self, places: list[Any]) -> None:
        [place] = places
        self._position = place.offset

    def consume(self, _limit: int, _timeout_secs: float) -> list[Inbound]:
        found = [record for record in self._topic.records if record.offset >= self._position]
        self._position = self._topic.end
        return found

    def close(self) -> None:
        return


class Texts:
    """A codec whose values are texts."""

    def decode(self, _topic: str, value: bytes) -> Typed:
        row = SourcePosition(system="erp", cursors={"assets": value.decode()}, polled_at=NOW)
        return Typed("SourcePosition", row)


class World:
    """A follower of one compacted topic, and the time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.topic = CompactedTopic()
        self.now = NOW
        for name in ("read_to_end", "open_consumer"):
            monkeypatch.setattr(broker, name, getattr(self.topic, name))
        monkeypatch.setattr(broker, "check_message", lambda _: True)
        monkeypatch.setattr(broker, "to_inbound", lambda message, **_: message)
        self.table = Table(TOPIC, SourcePosition)
        kafka = Kafka(bootstrap_servers="127.0.0.1:1")
        codec = cast("Codec", Texts())
        runtime = Runtime(kafka, codec, {}, Log("test"), lambda: False, clock=lambda: self.now)
        self.follower = TableFollower([self.table], runtime)

    def rows(self) -> dict[str, str]:
        return {key: row.cursors["assets"] for key, row in self.table.items()}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(monkeypatch)
    made.topic.write("ghost", "1")
    made.topic.write("other", "1")
    made.follower.start()
    return made


def test_t24_who_missed_a_tombstone_does_not_keep_the_row(world: World) -> None:
    world.topic.write("ghost", None)
    world.topic.write("other", "2")
    world.topic.clean()
    world.now += 8 * DAY
    world.follower.catch_up()
    assert world.rows() == {"other": "2"}


def test_t24_a_short_absence_is_caught_up_without_reading_everything(world: World) -> None:
    world.topic.write("ghost", None)
    world.now += MAX_AWAY
    world.follower.catch_up()
    assert world.rows() == {"other": "1"}
    assert world.topic.whole_reads == 1


def test_t24_absence_counts_from_the_last_look(world: World) -> None:
    for _ in range(8):
        world.now += MAX_AWAY
        world.follower.catch_up()
    assert world.topic.whole_reads == 1


def test_t24_after_reading_anew_it_goes_on_from_there(world: World) -> None:
    world.now += 8 * DAY
    world.follower.catch_up()
    world.topic.write("late", "3")
    world.follower.catch_up()
    assert world.rows() == {"ghost": "1", "other": "1", "late": "3"}
    assert world.topic.whole_reads == 2


def test_t24_every_compacted_topic_keeps_its_tombstones_longer_than_a_follower_may_be_away() -> None:
    configs = [yaml.safe_load(file.read_text(encoding="utf-8"))["spec"]["configs"] for file in TOPICS.glob("*.yaml")]
    kept = [int(c["delete.retention.ms"]) for c in configs if "compact" in c["cleanup.policy"]]
    assert len(kept) > 15
    # Twice: a tombstone may be written at the beginning of an absence, and be read only at the end of a long catch-up.
    assert min(kept) >= 2 * MAX_AWAY.total_seconds() * 1000

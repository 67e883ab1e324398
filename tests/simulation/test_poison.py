"""Malformed records and records that end the process, among good ones: each a dead letter, and nothing else harmed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from tests.parts.poison import FOREIGN, REPORTS, Sent, good_report, malformed
from tests.simulation.estate import AM, ERP, Estate, declared, estate
from tests.simulation.log import Killed, Message
from tests.simulation.test_simulation import check_effects, live

from tieline.kernel import dead_letters
from tieline.kernel.declarations import schema_text, subject
from tieline.kernel.protocols import RawItem
from tieline.kernel.records import Typed
from tieline.kernel.reports import Report

DEADLY = "ends the process"
COMMANDS = f"sink.{ERP}.command.v1"
RAW = f"src.{AM}.raw.v1"
Placed = tuple[str, int, int, Sent]
"""Topic, partition, offset, and what is there."""


class Deaths:
    """Makes records of a certain text end whatever decodes or maps them, and counts them where that is a process."""

    def __init__(self, hub: Estate, patch: pytest.MonkeyPatch) -> None:
        self._decode = hub.codec.decode
        patch.setattr(hub.codec, "decode", self.decode)
        source = hub.make[f"source-{AM}"]
        assert isinstance(source, partial)
        system, connector, *rest = source.args
        self._map_item: Callable[[RawItem], Sequence[Report]] = connector.map_item
        hub.make[f"source-{AM}"] = partial(source.func, system, replace(connector, map_item=self.map_item), *rest)

    def decode(self, topic: str, data: bytes) -> Typed:
        self._die(data)
        return self._decode(topic, data)

    def map_item(self, item: RawItem) -> Sequence[Report]:
        self._die(item.payload)
        return self._map_item(item)

    def _die(self, data: bytes) -> None:
        at = data.find(DEADLY.encode())
        if at >= 0:
            raise Killed(data[at : at + len(DEADLY) + 2].decode())  # by the number behind it one is told from another


@pytest.mark.parametrize("seed", range(8))
def test_poison_among_good_records_costs_dead_letters_and_nothing_else(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with estate(seed) as hub:
        Deaths(hub, monkeypatch)
        placed: list[Placed] = []
        later = [*poison(hub), *killers(hub)]
        hub.dice.shuffle(later)

        def strew() -> None:
            placed.extend(place(hub, *later.pop()) for _ in range(min(len(later), 3)))

        live(hub, between=strew)
        while later:
            strew()
            hub.wander(5)
        hub.rest()
        check_effects(hub)
        check_letters(hub, placed)
        for record in (sent for *_, sent in placed if is_deadly(sent)):
            assert hub.deaths[mark_of(record)] <= 2, f"seed {seed}: {mark_of(record)} at most twice"
        assert sum(is_deadly(sent) for *_, sent in placed) == 6


def test_a_killer_that_is_sent_again_ends_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    with estate(1) as hub:
        Deaths(hub, monkeypatch)
        hub.trouble.on = False
        hub.rest()
        sent = good_report(hub.codec, AM, "K0", description=f"{DEADLY} 7")
        first = place(hub, REPORTS, sent)
        hub.rest()
        assert hub.deaths[f"{DEADLY} 7"] == 1
        (letter,) = letters_of(hub, "identify")
        replay = {
            **dict(letter.headers()),
            dead_letters.REPLAY_OF: "/".join(map(str, first[:3])).encode(),
            dead_letters.ATTEMPT: b"2",
        }
        hub.log.append(first[:2], (sent.key, sent.value, list(replay.items())))
        hub.rest()
        assert hub.deaths[f"{DEADLY} 7"] == 1
        again = dict(letters_of(hub, "identify")[-1].headers())
        assert again[dead_letters.OFFSET] == str(first[2]).encode(), "it is still the record it was first"
        assert again[dead_letters.ATTEMPT] == b"2"


def poison(hub: Estate) -> list[tuple[str, Sent]]:
    """Every kind, for two consumers; of the sink's some are refused for their schema already."""
    topics = declared()[1]
    foreign_id = hub.ids.id_of(subject(topics[FOREIGN], "CostReport"), schema_text("CostReport"))
    assert foreign_id is not None
    kinds = malformed(hub.codec, foreign_id, AM, "P1").values()
    assert len(kinds) == 12
    return [(topic, sent) for topic in (REPORTS, COMMANDS) for sent in kinds]


def killers(hub: Estate) -> list[tuple[str, Sent]]:
    """Two for a processor, two for a sink, two for a source."""
    found = []
    for number in range(6):
        topic = (REPORTS, COMMANDS, RAW)[number % 3]
        sent = good_report(hub.codec, AM, f"K{number}", description=f"{DEADLY} {number}")
        if topic == COMMANDS:
            sent = replace(sent, value=command_frame(hub) + (sent.value or b"")[5:])
        if topic == RAW:
            payload = f'{{"description": "{DEADLY} {number}"}}'.encode()
            sent = Sent(sent.key, payload, [("tl_stream", b"asset"), ("tl_native_id", b"K")])
        found.append((topic, sent))
    return found


def command_frame(hub: Estate) -> bytes:
    """The first bytes of a record that a sink looks into."""
    topic = declared()[1][COMMANDS]
    found = hub.ids.id_of(subject(topic, "WriteAsset"), schema_text("WriteAsset"))
    assert found is not None
    return b"\x00" + found.to_bytes(4, "big")


def place(hub: Estate, topic: str, sent: Sent) -> Placed:
    """A foreign producer writes it, to a partition of its own choice."""
    partition = hub.dice.randrange(hub.log.partitions[topic])
    offset = hub.log.append((topic, partition), (sent.key, sent.value, sent.headers))
    return topic, partition, offset, sent


def is_deadly(sent: Sent) -> bool:
    return DEADLY.encode() in (sent.value or b"")


def mark_of(sent: Sent) -> str:
    value = sent.value or b""
    at = value.find(DEADLY.encode())
    return value[at : at + len(DEADLY) + 2].decode()


def letters_of(hub: Estate, consumer: str) -> list[Message]:
    return hub.log.all_of(dead_letters.dead_letter_topic(consumer))


def check_letters(hub: Estate, placed: Sequence[Placed]) -> None:
    """A letter for each, with its exact coordinates and bytes; none for anything else."""
    wanted: dict[tuple[str, str, str, str], Sent] = {}
    for topic, partition, offset, sent in placed:
        consumer = {REPORTS: "identify", COMMANDS: f"sink-{ERP}", RAW: f"source-{AM}"}[topic]
        wanted[consumer, topic, str(partition), str(offset)] = sent
    seen: Counter[tuple[str, ...]] = Counter()
    for name in hub.log.partitions:
        if "dead-letter" not in name:
            continue
        for message in hub.log.all_of(name):
            headers: dict[str, Any] = {key: value.decode("utf-8", "replace") for key, value in message.headers()}
            at = (headers["tl_consumer"], headers["tl_topic"], headers["tl_partition"], headers["tl_offset"])
            seen[at] += 1
            sent = wanted[at]
            assert (message.key(), message.value()) == (sent.key, sent.value), f"seed {hub.seed}: {at}: untouched"
            assert (dead_letters.QUARANTINED in headers) == is_deadly(sent), f"seed {hub.seed}: {at}"
    assert seen.keys() == wanted.keys(), f"seed {hub.seed}: a letter for each"
    assert set(seen.values()) == {1}, f"seed {hub.seed}: one letter for each"

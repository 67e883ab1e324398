"""What a start may find in its way is tried in a child first; what ends the child twice is never decoded here."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest
from tests.parts.poison import REPORTS, good_report
from tests.simulation.estate import AM, Ids, Notes, declared
from tests.simulation.log import Log

from tieline.kernel import broker, dead_letters
from tieline.kernel.clock import utc_now
from tieline.kernel.codecs import Codec
from tieline.kernel.consuming import Runtime, poll_batch
from tieline.kernel.dead_letters import bury
from tieline.kernel.errors import Quarantined, Rejected, Retryable
from tieline.kernel.inspecting import LogReader
from tieline.kernel.letters import Letter, command_of, content_of
from tieline.kernel.records import Inbound
from tieline.kernel.telemetry import Log as Telemetry
from tieline.kernel.trials import Attempt, Death, Trial, in_child
from tieline.kernel.vetting import Vetting

WINDOW = 4
GROUP = "tieline.identify"


class Trials:
    """A trial that notes what it is given and dies as told: places, one for each call, None for none."""

    def __init__(self, *deaths: int | None) -> None:
        self.calls: list[list[int]] = []
        self._deaths = list(deaths)

    def __call__(self, records: Sequence[Inbound], _attempt: Attempt) -> Death | None:
        self.calls.append([record.offset for record in records])
        place = self._deaths.pop(0) if self._deaths else None
        return None if place is None else Death(place, "told to")


class World:
    """A topic of one partition and the vetting of its reader."""

    def __init__(self, patch: pytest.MonkeyPatch, trial: Trial, attempt: Attempt | None = None) -> None:
        plan, topics = declared()
        self.codec = Codec(topics, Ids(topics))
        self.log = Log(dict.fromkeys(topics, 1), random.Random(1), lambda _: None)  # noqa: S311  - no secrets
        patch.setattr(broker, "Consumer", self.log.open_consumer)
        runtime = Runtime(
            plan.kafka, self.codec, self.log.partitions, cast("Telemetry", Notes()), lambda: False, utc_now, trial=trial
        )
        self.consumer = broker.open_consumer(plan.kafka, GROUP)
        self.vetting = Vetting(GROUP, [REPORTS], runtime, self.consumer, window=WINDOW, attempt=attempt)

    def write(self, count: int, *headers: tuple[str, bytes]) -> None:
        """Good reports; each says its offset."""
        for _ in range(count):
            number = len(self.log.at((REPORTS, 0)))
            sent = good_report(self.codec, AM, str(number))
            self.log.append((REPORTS, 0), (sent.key, sent.value, headers))

    def take(self, limit: int = 100) -> list[Inbound]:
        """A batch, examined."""
        batch = poll_batch(self.consumer, 0.0, limit)
        self.vetting.examine(batch)
        return batch

    def refused(self, batch: Sequence[Inbound]) -> list[int]:
        """Offsets of what is not decoded because it ends a process."""
        found = []
        for record in batch:
            try:
                self.vetting.decode(record)
            except Quarantined:
                found.append(record.offset)
        return found


def ends_at(*offsets: int, end: Callable[[], object] = lambda: os._exit(1)) -> Attempt:
    """An attempt that really ends its process at these."""

    def attempt(record: Inbound) -> None:
        if record.offset in offsets:
            end()

    return attempt


def test_what_really_ends_a_process_is_found_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, in_child, ends_at(0, 2))
    world.write(4)
    world.vetting.take_up()
    batch = world.take()
    assert world.refused(batch) == [0, 2]


def test_an_end_that_does_not_come_again_quarantines_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    trials = Trials(2, 1, None)  # two records, once each: the machine, not they
    world = World(monkeypatch, trials)
    world.write(4)
    world.vetting.take_up()
    assert world.refused(world.take()) == []
    assert trials.calls == [[0, 1, 2, 3]] * 3


def test_the_second_end_at_a_record_quarantines_it_and_the_others_are_tried_without_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trials = Trials(1, 1, None)
    world = World(monkeypatch, trials)
    world.write(4)
    world.vetting.take_up()
    assert world.refused(world.take()) == [1]
    assert trials.calls == [[0, 1, 2, 3], [0, 1, 2, 3], [0, 2, 3]]


def test_only_what_the_process_may_have_had_in_hand_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    trials = Trials()
    world = World(monkeypatch, trials)
    world.write(WINDOW + 3)
    world.vetting.take_up()
    world.take(3)
    world.take(3)
    world.take(3)
    assert trials.calls == [[0, 1, 2], [3, 4, 5]], "to the batch in which the window ends"


def test_what_was_written_after_the_start_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    trials = Trials()
    world = World(monkeypatch, trials)
    world.write(2)
    world.vetting.take_up()
    world.write(2)
    world.take()
    world.write(2)
    world.take()
    assert trials.calls == [[0, 1]]


def test_a_repeated_transaction_is_no_start(monkeypatch: pytest.MonkeyPatch) -> None:
    trials = Trials(0, 0)
    world = World(monkeypatch, trials)
    world.write(2)
    world.vetting.take_up()
    world.take()
    world.vetting.take_up()
    assert world.refused(world.take()) == [0], "known from the first time"
    assert trials.calls == [[0, 1], [0, 1], [1]]


def test_while_the_registry_is_out_nothing_is_taken_for_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    trials = Trials(0, 0)
    world = World(monkeypatch, trials)
    world.write(1)
    world.vetting.take_up()
    batch = poll_batch(world.consumer, 0.0, 10)
    admit = world.codec.admit

    def fail(_topic: str, _data: bytes) -> None:
        raise Retryable("the registry is out")

    monkeypatch.setattr(world.codec, "admit", fail)
    with pytest.raises(Retryable):
        world.vetting.examine(batch)
    monkeypatch.setattr(world.codec, "admit", admit)
    world.vetting.examine(batch)
    assert world.refused(batch) == [0]


def test_what_is_refused_undecoded_needs_no_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    trials = Trials()
    world = World(monkeypatch, trials)
    for value in (None, b"", b"\x01"):
        world.log.append((REPORTS, 0), (b"k", value, ()))
    world.write(1)
    world.vetting.take_up()
    world.take()
    assert trials.calls == [[3]]


def test_a_quarantined_record_that_is_sent_again_is_tried_whenever_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    trials = Trials(1, 1)
    world = World(monkeypatch, trials)
    world.vetting.take_up()
    world.write(1)
    world.write(2, (dead_letters.QUARANTINED, b"1"))
    assert world.refused(world.take()) == [2]
    assert trials.calls == [[1, 2], [1, 2], [1]]


def test_its_letter_says_so_and_is_never_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, Trials(0, 0))
    world.write(1)
    world.vetting.take_up()
    (record,) = world.take()
    with pytest.raises(Quarantined) as refused:
        world.vetting.decode(record)
    assert "told to, 2 times of 2" in refused.value.reason
    buried = bury("identify", record, refused.value, utc_now())
    assert (buried.key, buried.value) == (record.key, record.value)
    assert buried.headers[dead_letters.QUARANTINED] == "1"
    headers = tuple((name, v.encode() if isinstance(v, str) else v) for name, v in buried.headers.items())
    letter = Letter("identify", replace(record, headers=headers))
    assert letter.quarantined

    def die(_topic: str, _data: bytes) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(world.codec, "decode", die)
    log = cast("LogReader", SimpleNamespace(codec=world.codec, topics=declared()[1]))
    assert content_of(log, letter) is None
    assert command_of(log, letter) is None


def test_a_letter_of_another_reason_is_not_quarantined() -> None:
    buried = bury("identify", Inbound(REPORTS, 0, 0, b"k", b"v"), Rejected("why"), utc_now())
    assert dead_letters.QUARANTINED not in buried.headers

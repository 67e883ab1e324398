"""A lane waits for nobody but itself, and what a newer version says in full is not written twice over."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import cast

import pytest
from tests.simulation.estate import AM, ERP, Estate, estate, lost_answer
from tests.simulation.log import Killed, Message
from tests.simulation.test_simulation import a_cost, check, thing

from tieline.kernel import delivering, intake
from tieline.kernel.asset_records import PhysicalStatus
from tieline.kernel.command_records import Command, CommandSettled, SettledAs, WriteAsset
from tieline.kernel.delivering import DeliveryLoop
from tieline.kernel.errors import Rejected, Stop
from tieline.kernel.protocols import Sink, Written
from tieline.kernel.records import Typed

SINK = f"sink-{ERP}"
COMMANDS = f"sink.{ERP}.command.v1"
SLOW_SECS = 120.0
OTHERS = (f"source-{AM}", "identify", "accept", "route")


@dataclass
class Watched:
    """The ERP's API, with every write noted by serial number and version; ``hold`` says how long each takes first."""

    sink: Sink
    hold: Callable[[WriteAsset], float]
    written: list[tuple[str | None, int]]

    async def write(self, command: Command, native_id: str | None) -> Written:
        """See ``Sink``."""
        if isinstance(command, WriteAsset):
            self.written.append((command.fields.serial_number, command.dispatch.version))
            await asyncio.sleep(self.hold(command))
        return await self.sink.write(command, native_id)

    async def read_back(self, command: Command, native_id: str | None) -> Written | None:
        """See ``Sink``."""
        return await self.sink.read_back(command, native_id)


def watch(hub: Estate, hold: Callable[[WriteAsset], float] = lambda _: 0.0) -> Watched:
    """Stand between the sink process and the ERP; nothing goes wrong but what the test does."""
    hub.trouble.on = False
    system, api, runtime = cast("partial[DeliveryLoop]", hub.make[SINK]).args
    watched = Watched(api, hold, [])
    hub.make[SINK] = partial(DeliveryLoop, system, watched, runtime)
    return watched


def create(hub: Estate, number: int) -> str:
    """A record in asset management that the ERP must get."""
    return hub.systems[AM].create(thing(number).model_copy(update={"physical_status": PhysicalStatus.IN_SERVICE}))


def hand_on(hub: Estate, rounds: int = 3) -> None:
    """What asset management has said comes as far as the ERP's commands, and no further."""
    for _ in range(rounds):
        hub.time.sleep(1.0)
        for name in OTHERS:
            hub.step(name)


def edit(hub: Estate, native_id: str, count: int) -> None:
    """So many versions of one record, one after the other, none of them delivered."""
    for number in range(count):
        hub.systems[AM].edit(native_id, location=f"L{number}")
        hand_on(hub, rounds=2)


def held(hub: Estate, number: int) -> str | None:
    """Where a thing is, by the ERP."""
    found = [r for r in hub.systems[ERP].records.values() if r.fields.serial_number == f"S{number}"]
    return found[0].fields.location if found else None


def results(hub: Estate, outcome: SettledAs) -> list[CommandSettled]:
    bodies = [hub.codec.decode(m.topic(), m.value() or b"").body for m in hub.log.all_of(f"sink.{ERP}.result.v1")]
    return [body for body in bodies if isinstance(body, CommandSettled) and body.outcome is outcome]


def waits(hub: Estate) -> int:
    return hub.log.unread(f"tieline.{SINK}", COMMANDS)


def is_thing(number: int) -> Callable[[WriteAsset], float]:
    """Only this thing takes its time."""
    return lambda command: SLOW_SECS if command.fields.serial_number == f"S{number}" else 0.0


def test_a_slow_key_holds_no_other_and_what_comes_meanwhile_is_delivered() -> None:
    with estate(1) as hub:
        watch(hub, is_thing(0))
        ids = [create(hub, number) for number in range(12)]
        hand_on(hub)
        began = hub.time.monotonic()
        for _ in range(30):
            hub.step(SINK)
        hub.systems[AM].edit(ids[1], location="L9")
        create(hub, 12)
        hand_on(hub)
        for _ in range(20):
            hub.step(SINK)
        assert hub.time.monotonic() - began < SLOW_SECS
        there = {record.fields.serial_number for record in hub.systems[ERP].records.values()}
        assert there == {f"S{number}" for number in range(1, 13)}
        assert held(hub, 1) == "L9"
        hub.rest()
        check(hub)


def test_the_position_waits_for_the_slow_key_and_a_restart_repeats_nothing_behind_it() -> None:
    with estate(1) as hub:
        watched = watch(hub, is_thing(0))
        for number in range(30):
            create(hub, number)
        hand_on(hub)
        for _ in range(40):
            hub.step(SINK)
        slow = next(m for m in hub.log.all_of(COMMANDS) if b"S0" in (m.value() or b""))
        behind = [m for m in hub.log.at(slow.at)[slow.offset() + 1 :] if m is not None]
        assert behind, "another seed: nothing lies behind the slow one"
        assert hub.log.committed.get((f"tieline.{SINK}", slow.at), 0) <= slow.offset()
        del hub.running[SINK]
        hub.rest()
        check(hub)
        serials = [serial for serial, _ in watched.written]
        assert [serial for serial in serials if serials.count(serial) > 1] == ["S0", "S0"]
        assert hub.log.committed[f"tieline.{SINK}", slow.at] > slow.offset()


def test_thirty_waiting_versions_of_one_key_cost_one_write_and_end_right() -> None:
    with estate(1) as hub:
        watched = watch(hub)
        native_id = create(hub, 0)
        create(hub, 1)
        hub.rest()
        watched.written.clear()
        edit(hub, native_id, 30)
        versions = waits(hub)
        assert versions >= 30
        hub.rest()
        assert watched.written == [("S0", watched.written[0][1])]
        assert held(hub, 0) == "L29"
        check(hub)
        passed_over = results(hub, SettledAs.SUPERSEDED)
        assert [one.version for one in passed_over] == sorted({one.version for one in passed_over})
        assert len(passed_over) == versions - 1
        told = f"passed over for version {watched.written[0][1]}, which waited behind it and says all of it"
        assert {one.reason for one in passed_over} == {told}
        flow = {"object": "asset", "source": AM, "target": ERP}
        assert hub.metrics.value("tieline_deliveries_total", **flow, outcome="superseded") == versions - 1


def test_no_document_of_costs_is_passed_over() -> None:
    with estate(1) as hub:
        watch(hub)
        native_id = create(hub, 0)
        hub.rest()
        for amount in range(1, 6):
            hub.systems[AM].enter_cost(a_cost(native_id, f"{amount}.00"))
            hub.systems[AM].edit(native_id, location=f"L{amount}")
            hand_on(hub)
        hub.rest()
        check(hub)
        assert sorted(fields.total for _, fields in hub.systems[ERP].posted.values()) == [1, 2, 3, 4, 5]


def test_versions_that_come_during_an_outage_are_written_once() -> None:
    with estate(1) as hub:
        watched = watch(hub)
        native_id = create(hub, 0)
        hub.rest()
        watched.written.clear()
        hub.trouble.fates = ["out"] * 3
        edit(hub, native_id, 2)
        hub.step(SINK)  # the first is sent, and finds the target out
        edit(hub, native_id, 8)
        hub.rest()
        check(hub)
        answered = {version for _, version in watched.written}
        assert len(answered) <= 2, "what was tried before is read back, the newest stands for the rest"
        assert held(hub, 0) == "L7"


def test_a_refused_version_tells_for_which_it_stands_and_its_replay_brings_all_of_them() -> None:
    with estate(1) as hub:
        watched = watch(hub)
        native_id = create(hub, 0)
        hub.rest()
        watched.written.clear()
        hub.trouble.fates = ["busy"] * 5
        edit(hub, native_id, 4)
        newest = [m for m in hub.log.all_of(COMMANDS) if b"L3" in (m.value() or b"")][-1]
        waiting = waits(hub)
        hub.rest()
        (letter,) = hub.log.all_of(f"hub.{SINK}.dead-letter.v1")
        headers = dict(letter.headers())
        assert letter.value() == newest.value()
        assert f"[stands for {waiting - 1} versions from ".encode() in headers["tl_reason"]
        (rejected,) = results(hub, SettledAs.REJECTED)
        assert f"[stands for {waiting - 1} versions from " in (rejected.reason or "")
        assert held(hub, 0) != "L3"
        hub.systems[AM].edit(native_id, description="behind it")
        hub.rest()
        assert len(hub.log.all_of(f"hub.{SINK}.dead-letter.v1")) == 2, "what comes later waits as a letter of its own"
        for one in hub.log.all_of(f"hub.{SINK}.dead-letter.v1"):
            replay(hub, one)
        hub.rest()
        assert held(hub, 0) == "L3"
        assert hub.metrics.value("tieline_parked_keys", target=ERP, object="asset") == 0


def test_a_crash_after_passing_over_reads_the_newest_back_and_writes_no_older_one() -> None:
    with estate(1) as hub:
        watched, first, second = neighbours(hub)
        edit(hub, first, 1)
        edit(hub, second, 5)

        def kill(label: str) -> None:
            if label == f"{ERP}:write:after":
                raise Killed(label)

        hub.trouble.aim = kill
        while SINK in hub.running:
            hub.step(SINK)
        hub.trouble.aim = None
        assert waits(hub) > 5, "the older versions are read again"
        hub.rest()
        check(hub)
        assert [serial for serial, _ in watched.written].count(serial_of(hub, second)) == 1


def test_a_parked_key_that_is_read_again_has_the_letters_it_had_and_is_not_coalesced() -> None:
    with estate(1) as hub:
        watched, first, second = neighbours(hub)
        hub.trouble.fates = ["busy"] * 5
        edit(hub, first, 1)
        edit(hub, second, 5)
        for _ in range(60):
            hub.step(SINK)
        letters = f"hub.{SINK}.dead-letter.v1"
        assert len(hub.log.all_of(letters)) == 1
        edit(hub, second, 2)
        hub.step(SINK)
        waiting = len(hub.log.all_of(letters))
        assert waiting == 3
        del hub.running[SINK]
        hub.log.notes.clear()  # as beside a position of before there were notes
        watched.written.clear()
        hub.rest()
        assert len({m.value() for m in hub.log.all_of(letters)}) == waiting, "no letter of another command"
        tried = [version for serial, version in watched.written if serial == serial_of(hub, second)]
        in_letters = [hub.codec.decode(COMMANDS, m.value() or b"").body for m in hub.log.all_of(letters)[:waiting]]
        assert tried == [body.dispatch.version for body in in_letters if isinstance(body, WriteAsset)]
        assert hub.metrics.value("tieline_parked_letters", target=ERP, object="asset") == 0


def test_what_a_person_has_discarded_stands_for_nothing() -> None:
    with estate(1) as hub:
        watched = watch(hub)
        native_id = create(hub, 0)
        hub.rest()
        watched.written.clear()
        edit(hub, native_id, 2)
        newest = [m for m in hub.log.all_of(COMMANDS) if b"L1" in (m.value() or b"")][-1]
        body = hub.codec.decode(COMMANDS, newest.value() or b"").body
        assert isinstance(body, WriteAsset)
        later = body.model_copy(
            update={
                "dispatch": body.dispatch.model_copy(update={"version": 99, "command_id": "discarded"}),
                "fields": body.fields.model_copy(update={"location": "DISCARDED"}),
            }
        )
        send_again(hub, newest, hub.codec.encode(COMMANDS, Typed("WriteAsset", later)), "discard")
        hub.rest()
        assert [version for _, version in watched.written] == [body.dispatch.version]
        assert held(hub, 0) == "L1"


def letters_ahead(hub: Estate, slow: Message) -> list[tuple[int, int]]:
    """What became letters in the partition of a command at work: offset of each and how often, its own left out."""
    found = Counter(int(dict(m.headers())["tl_offset"]) for m in hub.log.all_of(f"hub.{SINK}.dead-letter.v1"))
    assert hub.log.committed[f"tieline.{SINK}", slow.at] <= slow.offset(), "the command at work holds the position"
    return sorted(found.items())


def test_what_cannot_be_read_behind_a_call_at_work_is_one_letter_however_often_the_process_starts() -> None:
    with estate(1) as hub:
        watch(hub, is_thing(0))
        create(hub, 0)
        hand_on(hub)
        slow = next(m for m in hub.log.all_of(COMMANDS) if b"S0" in (m.value() or b""))
        unreadable = [hub.log.append(slow.at, (b"K", b"no command", ())) for _ in range(3)]
        for _ in range(4):
            for _ in range(4):
                hub.step(SINK)
            del hub.running[SINK]  # killed after the letters, before the call has ended
        assert letters_ahead(hub, slow) == [(offset, 1) for offset in unreadable]
        unreadable.append(hub.log.append(slow.at, (b"K", b"no command", ())))
        for _ in range(4):
            hub.step(SINK)
        assert letters_ahead(hub, slow) == [(offset, 1) for offset in unreadable], "a new one is one, too"
        watched = cast("partial[DeliveryLoop]", hub.make[SINK]).args[1]
        watched.hold = lambda _: 0.0
        del hub.running[SINK]
        hub.rest()
        assert waits(hub) == 0
        assert not any(hub.log.notes.values()), "the positions have passed them all"
        assert len(hub.log.all_of(f"hub.{SINK}.dead-letter.v1")) == 4


def test_a_refused_command_and_what_waits_behind_it_are_one_letter_each_when_they_are_read_again() -> None:
    with estate(1) as hub:
        watched, slow_id, refused_id = neighbours(hub)
        write = watched.sink.write
        refused: list[int] = []

        async def refuse(command: Command, native_id: str | None) -> Written:
            if isinstance(command, WriteAsset) and command.fields.serial_number == serial_of(hub, refused_id):
                refused.append(command.dispatch.version)
                raise Rejected("no")
            return await write(command, native_id)

        watched.sink = cast("Sink", SimpleNamespace(write=refuse, read_back=watched.sink.read_back))
        hub.systems[AM].edit(slow_id, location="SLOW")
        hand_on(hub)
        edit(hub, refused_id, 3)
        for _ in range(8):
            hub.step(SINK)
        letters = Counter(dict(m.headers())["tl_offset"] for m in hub.log.all_of(f"hub.{SINK}.dead-letter.v1"))
        assert len(letters) >= 1
        del hub.running[SINK]
        hub.rest()
        again = Counter(dict(m.headers())["tl_offset"] for m in hub.log.all_of(f"hub.{SINK}.dead-letter.v1"))
        assert again == letters
        assert set(again.values()) == {1}
        assert len(refused) == 1, "nobody has decided about it, so it is not tried again"


def test_a_process_that_is_stopped_writes_the_outcome_of_what_is_at_work() -> None:
    with estate(1) as hub:
        watched = watch(hub, lambda _: 2.0)
        create(hub, 0)
        hand_on(hub)
        hub.step(SINK)
        hub.step(SINK)
        assert watched.written
        assert waits(hub) == 1
        loop = cast("DeliveryLoop", hub.running.pop(SINK))
        loop.close()
        assert waits(hub) == 0
        hub.rest()
        check(hub)
        assert len(watched.written) == 1


def test_a_process_that_must_stop_gives_up_what_is_at_work_before_it_closes_the_connector() -> None:
    with estate(1) as hub:
        watched = watch(hub, is_thing(0))

        async def close() -> None:
            await asyncio.sleep(2 * SLOW_SECS)

        hub.make[SINK] = partial(cast("partial[DeliveryLoop]", hub.make[SINK]), close=close)
        create(hub, 0)
        hand_on(hub)
        hub.step(SINK)
        hub.step(SINK)
        assert watched.written
        zombie = cast("DeliveryLoop", hub.running.pop(SINK))
        hub.step(SINK)
        create(hub, 1)
        hand_on(hub)
        with pytest.raises(Stop, match="another copy"):
            zombie.run_once(0.0)
        zombie.close()
        assert hub.systems[ERP].records == {}, "closing takes its time, and the call must not go on meanwhile"
        hub.rest()
        check(hub)


@pytest.mark.parametrize(("takes_secs", "writes"), [(5.0, 1), (SLOW_SECS, 2)], ids=["waited for", "given up"])
def test_a_call_at_work_when_a_transaction_is_lost_is_read_back_before_it_is_sent_again(
    takes_secs: float, writes: int
) -> None:
    with estate(1) as hub:
        slow = [takes_secs]
        watched = watch(hub, lambda command: slow.pop() if command.fields.serial_number == "S0" and slow else 0.0)
        create(hub, 0)
        hand_on(hub)
        hub.step(SINK)
        hub.step(SINK)
        assert watched.written, "it is at work"
        create(hub, 1)
        hand_on(hub)
        lost: list[str] = []

        def aim(label: str) -> None:
            if label == f"{SINK}:before-commit" and not lost:
                lost.append(label)
                raise lost_answer(label)

        hub.trouble.aim = aim
        hub.step(SINK)
        assert lost
        hub.rest()
        check(hub)
        assert [serial for serial, _ in watched.written].count("S0") == writes


def test_a_partition_with_too_much_under_way_is_paused_until_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "MAX_UNSETTLED", 4)
    monkeypatch.setattr(delivering, "BATCH_COMMANDS", 2)
    with estate(1) as hub:
        watch(hub, lambda _: 5.0)
        for number in range(40):
            create(hub, number)
        hand_on(hub, rounds=6)
        assert waits(hub) == 40
        most = 0
        while waits(hub):
            hub.step(SINK)
            most = max(most, sum(1 for _ in cast("DeliveryLoop", hub.running[SINK])._lanes))
        assert 4 <= most <= 3 * (4 + 1)
        hub.rest()
        check(hub)


def neighbours(hub: Estate) -> tuple[Watched, str, str]:
    """Two delivered things of one partition, by native id; the first is slow from now on, until the sink restarts."""
    slow: list[tuple[str | None, object]] = []
    watched = watch(hub, lambda command: SLOW_SECS if (command.fields.serial_number, hub.restarts) in slow else 0.0)
    ids = {f"S{number}": create(hub, number) for number in range(8)}
    hub.rest()
    by_place: dict[tuple[str, int], list[str]] = {}
    for message in hub.log.all_of(COMMANDS):
        body = hub.codec.decode(COMMANDS, message.value() or b"").body
        if isinstance(body, WriteAsset) and body.fields.serial_number not in by_place.get(message.at, []):
            by_place.setdefault(message.at, []).append(str(body.fields.serial_number))
    first, second = max(by_place.values(), key=len)[:2]
    slow.append((first, hub.restarts))
    watched.written.clear()
    return watched, ids[first], ids[second]


def serial_of(hub: Estate, native_id: str) -> str | None:
    return hub.systems[AM].records[native_id].fields.serial_number


def replay(hub: Estate, letter: Message) -> None:
    """As the desk does it: the letter's bytes to where they came from."""
    send_again(hub, letter, letter.value(), "replay")


def send_again(hub: Estate, message: Message, value: bytes | None, action: str) -> None:
    """A command as the desk sends it, with where it first was and what is to become of it."""
    told = dict(message.headers())
    first = b"/".join(told[name] for name in ("tl_topic", "tl_partition", "tl_offset")) if "tl_topic" in told else b""
    where = first.decode() or f"{COMMANDS}/{message.partition()}/{message.offset()}"
    producer = hub.log.open_producer({"transactional.id": "desk"})
    producer.init_transactions(1.0)
    producer.begin_transaction()
    headers = [("tl_replay_of", where), ("tl_action", action)]
    producer.produce(COMMANDS, value=value, key=message.key(), headers=headers)
    producer.commit_transaction(1.0)

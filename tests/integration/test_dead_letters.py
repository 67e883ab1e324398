"""The desk on a real broker and registry: what failed goes back to where it came from, once, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from tests.parts.operators import Bench
from typer.testing import CliRunner

from tieline.deadletters.commands import app
from tieline.deadletters.desk import DESK, carry_out, draw_up
from tieline.deadletters.planning import Plan, Selection, plan_discard, plan_replay
from tieline.kernel import broker
from tieline.kernel.errors import Rejected, Stop
from tieline.kernel.letters import Book, Letter, Standing, read_book
from tieline.kernel.memory import LetterAction
from tieline.kernel.records import Inbound

pytestmark = pytest.mark.integration

REPORTS = "asset.asset.report.v1"


@pytest.fixture
def bench(kafka: str, registry: str) -> Iterator[Bench]:
    made = Bench(kafka, registry)
    yield made
    made.close()


def read(bench: Bench, consumer: str) -> Book:
    return read_book(bench.log, [consumer])


def open_letter(bench: Bench, consumer: str) -> Letter:
    book = read(bench, consumer)
    [letter] = [letter for letter in book.letters if book.stands(letter) is Standing.OPEN]
    return letter


def plan(bench: Bench, consumer: str, selection: Selection, action: LetterAction = LetterAction.REPLAY) -> Plan:
    make = plan_replay if action is LetterAction.REPLAY else plan_discard
    return draw_up(bench.log, [consumer], lambda book: make(book, selection, bench.topics))


def do(bench: Bench, consumer: str, selection: Selection, action: LetterAction = LetterAction.REPLAY) -> Plan:
    found = plan(bench, consumer, selection, action)
    carry_out(
        bench.log,
        found,
        by="tester",
        reason="tested",
        draw_again=lambda: plan(bench, consumer, selection, action),
    )
    bench.settle()
    return found


def park_a_key(bench: Bench) -> str:
    """One rejected command and three behind it; returns the consumer."""
    bench.sink.answers["A"] = [Rejected("unknown class", field="asset_class")]
    bench.command(("A", 1), ("A", 2), ("B", 1), ("A", 3), ("A", 4))
    bench.run_sink(5)
    assert bench.sink.effects == [("B", 1)]
    return f"sink-{bench.erp}"


def test_a_mended_mapping_and_a_replay_give_the_report_once(bench: Bench) -> None:
    consumer = f"source-{bench.am}"
    bench.unmappable = {"7"}
    bench.capture("6", "7")
    bench.run_mapping(2)
    letter = open_letter(bench, consumer)
    [raw] = bench.read(f"src.{bench.am}.raw.v1", f"{bench.am}/7")
    assert letter.origin is not None
    assert letter.origin.coordinates == raw.coordinates
    assert (letter.field, letter.remedy, letter.attempt) == ("class", "map the class", 1)
    assert letter.record.value == raw.value

    bench.unmappable = set()
    do(bench, consumer, Selection((letter.letter_id,)))
    bench.run_mapping(1)

    assert len(bench.read(REPORTS, f"{bench.am}/7")) == 1
    [_, again] = bench.read(f"src.{bench.am}.raw.v1", f"{bench.am}/7")
    assert (again.key, again.value, again.partition) == (raw.key, raw.value, raw.partition)
    assert again.header("tl_replay_of") == raw.coordinates
    assert again.header("tl_attempt") == "2"
    assert again.header("tl_stream") == "assets"
    assert again.header("tl_reason") is None
    assert read(bench, consumer).stands(letter) is Standing.REPLAYED


def test_a_letter_is_replayed_once_until_it_fails_again(bench: Bench) -> None:
    consumer = f"source-{bench.am}"
    bench.unmappable = {"7"}
    bench.capture("7")
    bench.run_mapping(1)
    first = open_letter(bench, consumer)
    do(bench, consumer, Selection((first.letter_id,)))

    twice = plan(bench, consumer, Selection((first.letter_id,)))
    assert not twice.moves
    assert "it was replayed" in twice.refusals[0].why

    bench.run_mapping(1)
    second = open_letter(bench, consumer)
    assert second.letter_id != first.letter_id
    assert second.attempt == 2
    assert second.origin == first.origin
    bench.unmappable = set()
    do(bench, consumer, Selection((second.letter_id,)))
    bench.run_mapping(1)
    assert len(bench.read(REPORTS, f"{bench.am}/7")) == 1


def test_a_parked_key_replays_whole_and_in_order(bench: Bench) -> None:
    consumer = park_a_key(bench)
    book = read(bench, consumer)
    standings = [book.stands(letter) for letter in reversed(book.letters)]
    assert standings == [Standing.OPEN, Standing.WAITING, Standing.WAITING, Standing.WAITING]

    done = do(bench, consumer, Selection(key="A"))
    assert len(done.moves) == 4
    bench.run_sink(4)

    assert bench.sink.effects == [("B", 1), ("A", 1), ("A", 2), ("A", 3), ("A", 4)]
    assert bench.read("hub.parked.state.v1", f"{bench.erp}/key/A")[-1].value is None
    after = read(bench, consumer)
    assert {after.stands(letter) for letter in after.letters} == {Standing.REPLAYED}
    bench.command(("A", 5))
    bench.run_sink(1)
    assert bench.sink.effects[-1] == ("A", 5)


def test_a_follower_does_not_overtake_its_key(bench: Bench) -> None:
    consumer = park_a_key(bench)
    head = open_letter(bench, consumer)
    book = read(bench, consumer)
    follower = next(letter for letter in book.letters if book.stands(letter) is Standing.WAITING)
    refused = plan(bench, consumer, Selection((follower.letter_id,)))
    assert not refused.moves
    assert f"waits behind {head.letter_id}" in refused.refusals[0].why
    assert "--key A" in refused.refusals[0].why


def test_the_head_of_a_key_takes_its_followers_along(bench: Bench) -> None:
    consumer = park_a_key(bench)
    head = open_letter(bench, consumer)
    found = plan(bench, consumer, Selection((head.letter_id,)))
    commands = bench.read(f"sink.{bench.erp}.command.v1", "A")
    assert [move.letter.origin and move.letter.origin.coordinates for move in found.moves] == [
        command.coordinates for command in commands
    ]


def test_a_key_that_fails_again_keeps_its_place_and_can_be_replayed_again(bench: Bench) -> None:
    consumer = park_a_key(bench)
    bench.sink.answers["A"] = [Rejected("still unknown")]
    do(bench, consumer, Selection(key="A"))
    bench.run_sink(4)
    assert bench.sink.effects == [("B", 1)]
    book = read(bench, consumer)
    assert [book.count(consumer, s) for s in (Standing.OPEN, Standing.WAITING, Standing.REPLAYED)] == [1, 3, 4]
    do(bench, consumer, Selection(key="A"))
    bench.run_sink(4)
    assert bench.sink.effects == [("B", 1), ("A", 1), ("A", 2), ("A", 3), ("A", 4)]


def test_a_discard_releases_the_key(bench: Bench) -> None:
    consumer = park_a_key(bench)
    head = open_letter(bench, consumer)
    do(bench, consumer, Selection((head.letter_id,)), LetterAction.DISCARD)
    bench.run_sink(1)
    assert read(bench, consumer).stands(head) is Standing.DISCARDED
    assert open_letter(bench, consumer).letter_id != head.letter_id

    do(bench, consumer, Selection(key="A"))
    bench.run_sink(3)
    assert bench.sink.effects == [("B", 1), ("A", 2), ("A", 3), ("A", 4)]
    assert bench.read("hub.parked.state.v1", f"{bench.erp}/key/A")[-1].value is None


def test_a_discard_of_an_unreadable_command_only_notes_it(bench: Bench) -> None:
    consumer = f"sink-{bench.erp}"
    producer = Producer({"bootstrap.servers": bench.landscape.kafka.bootstrap_servers})
    producer.produce(f"sink.{bench.erp}.command.v1", value=b"\x07nonsense", key="A")
    assert producer.flush(10) == 0
    bench.run_sink(1)
    letter = open_letter(bench, consumer)
    do(bench, consumer, Selection((letter.letter_id,)), LetterAction.DISCARD)
    assert read(bench, consumer).stands(letter) is Standing.DISCARDED
    assert len(bench.read(f"sink.{bench.erp}.command.v1")) == 1


def forge(bench: Bench, consumer: str, source: Inbound, **changed: str) -> Letter:
    headers = {
        "tl_reason": "forged",
        "tl_topic": source.topic,
        "tl_partition": str(source.partition),
        "tl_offset": str(source.offset),
        **changed,
    }
    bench.forge_letter(consumer, source.key_text, b'{"id": "forged"}', headers)
    return open_letter(bench, consumer)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({}, "its bytes are not those of"),
        ({"tl_topic": "hub.xref.state.v1"}, "does not read"),
        ({"tl_topic": "no.such.topic.v1"}, "does not read"),
        ({"tl_partition": "99"}, "a partition that does not exist"),
        ({"tl_offset": "123456"}, "where the log has no record"),
        ({"tl_offset": "-1"}, "do not say where it came from"),
        ({"tl_offset": "1"}, "where the log has no record"),  # the transaction marker behind the record
    ],
)
def test_a_forged_letter_is_refused(bench: Bench, changed: dict[str, str], why: str) -> None:
    consumer = f"source-{bench.am}"
    bench.capture("7")
    raw = bench.read(f"src.{bench.am}.raw.v1")[0]
    letter = forge(bench, consumer, raw, **changed)
    refused = plan(bench, consumer, Selection((letter.letter_id,)))
    assert not refused.moves
    assert why in refused.refusals[0].why
    assert len(bench.read(f"src.{bench.am}.raw.v1")) == 1
    do(bench, consumer, Selection((letter.letter_id,)), LetterAction.DISCARD)
    assert read(bench, consumer).stands(letter) is Standing.DISCARDED
    assert len(bench.read(f"src.{bench.am}.raw.v1")) == 1


def test_a_desk_killed_before_its_commit_has_replayed_nothing(bench: Bench) -> None:
    consumer = f"source-{bench.am}"
    bench.unmappable = {"7"}
    bench.capture("7")
    bench.run_mapping(1)
    letter = open_letter(bench, consumer)
    # As if killed: the transaction stays open, with the replay in it and its note not yet.
    killed = broker.start_producer(bench.landscape.kafka, DESK, lambda: False, on_wait=print)
    killed.begin_transaction()
    killed.produce(f"src.{bench.am}.raw.v1", value=letter.record.value, key=letter.record.key, partition=0)
    killed.flush(10)

    bench.unmappable = set()
    do(bench, consumer, Selection((letter.letter_id,)))
    bench.run_mapping(1)
    assert len(bench.read(f"src.{bench.am}.raw.v1")) == 2
    assert len(bench.read(REPORTS, f"{bench.am}/7")) == 1


def test_a_plan_that_no_longer_holds_is_not_carried_out(bench: Bench) -> None:
    consumer = f"source-{bench.am}"
    bench.unmappable = {"7"}
    bench.capture("7")
    bench.run_mapping(1)
    selection = Selection((open_letter(bench, consumer).letter_id,))
    shown = plan(bench, consumer, selection)
    do(bench, consumer, selection)  # a second person was faster
    with pytest.raises(Stop, match="changed since"):
        carry_out(bench.log, shown, by="tester", reason=None, draw_again=lambda: plan(bench, consumer, selection))
    assert len(bench.read(f"src.{bench.am}.raw.v1")) == 2


def test_the_commands_list_show_replay_and_discard(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = bench.write_landscape(tmp_path / "landscape.yaml")
    # One registry client: a process closes its own by ending, the test does not end.
    monkeypatch.setattr("tieline.wiring.ConfluentSchemaIds", lambda _: bench.ids)
    consumer = f"source-{bench.am}"
    bench.unmappable = {"7", "8", "9"}
    bench.capture("7", "8", "9")
    bench.run_mapping(3)

    def run(*arguments: str, input_text: str | None = None) -> tuple[int, str]:
        result = CliRunner().invoke(app, [*arguments, "--landscape", str(file)], input=input_text)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.output

    _, listed = run("list", "--consumer", consumer)
    assert listed.count("class: record") == 3
    _, causes = run("list", "--causes", "--consumer", consumer)
    line = next(line for line in causes.splitlines() if consumer in line)
    fingerprint, count = line.split()[:2]
    assert count == "3"
    assert "record N has no class" in line
    letter = next(x for x in read(bench, consumer).letters if x.key.endswith("/7"))
    _, shown = run("show", letter.letter_id)
    assert "remedy       map the class" in shown
    assert "7b 22 69 64 22 3a 20 22 37 22 7d" in shown
    code, planned = run("replay", "--cause", fingerprint, "--dry-run")
    assert code == 0
    assert f"3 record(s) to src.{bench.am}.raw.v1" in planned
    code, _ = run("replay", "--cause", fingerprint, input_text="n\n")
    assert code == 1
    assert len(bench.read(f"src.{bench.am}.raw.v1")) == 3
    code, _ = run("replay", letter.letter_id, "--yes", "--reason", "mended")
    assert code == 0
    assert len(bench.read(f"src.{bench.am}.raw.v1")) == 4
    code, again = run("replay", letter.letter_id, "--yes")
    assert code == 1
    assert "it was replayed" in again
    with pytest.raises(Stop, match="needs a reason"):
        run("discard", "--cause", fingerprint, "--yes")
    code, _ = run("discard", "--cause", fingerprint, "--yes", "--reason", "test data")
    assert code == 0
    _, empty = run("list", "--consumer", consumer)
    assert "No dead letters" in empty
    _, everything = run("list", "--consumer", consumer, "--all")
    assert (everything.count("discarded"), everything.count("replayed")) == (2, 1)

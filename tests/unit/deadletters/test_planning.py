"""Standing, causes and plans of letters, without Kafka."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import pytest
from tests.parts.operators import landscape_of

from tieline.deadletters.causes import fingerprint_of, group_causes
from tieline.deadletters.desk import DESK, headers_of
from tieline.deadletters.planning import Move, Plan, Selection, plan_discard, plan_replay, refuse
from tieline.deadletters.showing import hex_lines, inert
from tieline.kernel.declarations import topics_for
from tieline.kernel.errors import Stop
from tieline.kernel.landscape import Landscape
from tieline.kernel.letters import CASES, Book, Letter, Standing, input_topics, standings
from tieline.kernel.memory import LetterAction, LetterCase, ParkedKey, WaitingLetter
from tieline.kernel.records import Inbound

NOW = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)
LANDSCAPE = Landscape.model_validate(landscape_of("erp", "am", "127.0.0.1:1", "http://127.0.0.1:1"), strict=False)
TOPICS = {topic.name: topic for topic in topics_for(LANDSCAPE)}
SINK, COMMANDS = "sink-erp", "sink.erp.command.v1"
SOURCE, RAW = "source-am", "src.am.raw.v1"


def letter(consumer: str, offset: int, origin: int, *, key: str = "K", reason: str = "no", **headers: str) -> Letter:
    topic = COMMANDS if consumer == SINK else RAW
    every = {
        "tl_reason": reason,
        "tl_topic": topic,
        "tl_partition": "2",
        "tl_offset": str(origin),
        "tl_attempt": "1",
        **headers,
    }
    pairs = tuple((name, value.encode()) for name, value in every.items())
    record = Inbound(f"hub.{consumer}.dead-letter.v1", 0, offset, key.encode(), b"value", pairs, offset * 1000)
    return Letter(consumer, record)


def row(*origins: int) -> dict[str, ParkedKey]:
    letters = tuple(WaitingLetter(command_id=f"c{o}", topic=COMMANDS, partition=2, offset=o) for o in origins)
    parked = ParkedKey(target="erp", entity="asset", canonical_id="K", letters=letters, reason="no", since=NOW)
    return {"erp/key/K": parked}


def case(letter_id: str, action: LetterAction = LetterAction.REPLAY) -> dict[str, LetterCase]:
    return {letter_id: LetterCase(letter_id=letter_id, action=action, by="me", at=NOW, attempt=1)}


def book(
    letters: Sequence[Letter],
    rows: Mapping[str, ParkedKey] | None = None,
    cases: Mapping[str, LetterCase] | None = None,
    delivered: frozenset[str] = frozenset(),
) -> Book:
    standing = standings(letters, cases or {}, rows or {}, delivered.__contains__)
    return Book(letters, standing, cases or {}, rows or {}, cut=False)


def ids(plan: Plan) -> list[str]:
    return [move.letter.letter_id for move in plan.moves]


def test_a_consumers_inputs_are_what_it_handles_not_its_tables() -> None:
    assert input_topics(TOPICS, "accept") == (
        "depreciation.run.report.v1",
        "hub.identified.report.v1",
        "reference.fiscal-period.report.v1",
    )
    assert input_topics(TOPICS, SINK) == (COMMANDS,)
    assert RAW in input_topics(TOPICS, SOURCE)
    assert "src.erp.raw.v1" not in input_topics(TOPICS, SOURCE)


def test_a_letter_is_open_until_something_is_done_about_it() -> None:
    one = letter(SOURCE, 0, 5)
    assert book([one]).stands(one) is Standing.OPEN
    assert book([one], cases=case(one.letter_id)).stands(one) is Standing.REPLAYED
    discarded = book([one], cases=case(one.letter_id, LetterAction.DISCARD))
    assert discarded.stands(one) is Standing.DISCARDED


def test_a_record_that_failed_again_is_its_newest_letter() -> None:
    first, second = letter(SOURCE, 0, 5), letter(SOURCE, 3, 5, tl_attempt="2")
    both = book([second, first])
    assert (both.stands(first), both.stands(second)) == (Standing.SUPERSEDED, Standing.OPEN)


def test_a_sinks_letters_stand_as_the_parked_row_says() -> None:
    head, follower = letter(SINK, 0, 5), letter(SINK, 1, 6)
    parked = book([follower, head], row(5, 6))
    assert (parked.stands(head), parked.stands(follower)) == (Standing.OPEN, Standing.WAITING)


def test_a_sinks_letter_that_never_parked_is_not_taken_for_resolved() -> None:
    unreadable = letter(SINK, 0, 5)
    assert book([unreadable]).stands(unreadable) is Standing.OPEN
    settled = book([unreadable], delivered=frozenset({unreadable.letter_id}))
    assert settled.stands(unreadable) is Standing.SUPERSEDED


@pytest.mark.parametrize("offset", ["", "-1", "1e3", "٣", "9" * 19])
def test_coordinates_that_are_none_are_no_origin(offset: str) -> None:
    assert letter(SOURCE, 0, 5, tl_offset=offset).origin is None


def test_a_key_replays_in_the_order_of_its_row_whatever_was_said_first() -> None:
    letters = [letter(SINK, 2, 7), letter(SINK, 1, 6), letter(SINK, 0, 5)]
    plan = plan_replay(book(letters, row(5, 6, 7)), Selection((letters[2].letter_id,)), TOPICS)
    assert ids(plan) == [x.letter_id for x in reversed(letters)]
    assert not plan.refusals
    assert plan.targets() == {COMMANDS: 3}


def test_a_follower_alone_is_refused_with_the_remedy() -> None:
    head, follower = letter(SINK, 0, 5), letter(SINK, 1, 6)
    plan = plan_replay(book([follower, head], row(5, 6)), Selection((follower.letter_id,)), TOPICS)
    assert not plan.moves
    assert plan.refusals[0].why.startswith(f"it waits behind {head.letter_id}; replay that one")


def test_a_queue_with_a_letter_out_of_sight_is_refused_whole() -> None:
    head = letter(SINK, 0, 5)
    plan = plan_replay(book([head], row(5, 6)), Selection(key="K"), TOPICS)
    assert not plan.moves
    assert "--limit" in plan.refusals[0].why


def test_a_queue_partly_under_way_is_refused_whole() -> None:
    head, follower = letter(SINK, 0, 5), letter(SINK, 1, 6)
    under_way = book([follower, head], row(5, 6), case(follower.letter_id))
    plan = plan_replay(under_way, Selection((head.letter_id,)), TOPICS)
    assert not plan.moves
    assert "replayed already" in plan.refusals[0].why + plan.refusals[1].why


def test_one_bad_letter_of_a_queue_keeps_the_whole_queue() -> None:
    head, follower, other = letter(SINK, 0, 5), letter(SINK, 1, 6), letter(SOURCE, 0, 9)
    moves = (Move(head, head.origin, "K"), Move(follower, follower.origin, "K"), Move(other, other.origin, "other"))
    plan = refuse(Plan(LetterAction.REPLAY, moves), lambda move: "bad" if move.letter is follower else None)
    assert ids(plan) == [other.letter_id]
    assert {refusal.letter_id for refusal in plan.refusals} == {head.letter_id, follower.letter_id}


def test_only_what_the_consumer_reads_is_a_target() -> None:
    stray = letter(SOURCE, 0, 5, tl_topic="hub.identified.report.v1")
    plan = plan_replay(book([stray]), Selection((stray.letter_id,)), TOPICS)
    assert not plan.moves
    assert "does not read" in plan.refusals[0].why


def test_records_of_a_consumer_go_back_in_the_order_they_first_had() -> None:
    older_failed_later, newer = letter(SOURCE, 9, 5), letter(SOURCE, 1, 6)
    plan = plan_replay(book([older_failed_later, newer]), Selection(consumer=SOURCE), TOPICS)
    assert [move.target and move.target.offset for move in plan.moves] == [5, 6]


def test_a_discard_tells_a_sink_and_only_notes_the_others() -> None:
    parked, unreadable, other = letter(SINK, 0, 5), letter(SINK, 1, 6, key="L"), letter(SOURCE, 0, 9)
    looked_at = book([other, unreadable, parked], row(5))
    every = Selection((parked.letter_id, unreadable.letter_id, other.letter_id))
    plan = plan_discard(looked_at, every, TOPICS)
    targets = {move.letter.letter_id: move.target is not None for move in plan.moves}
    assert targets == {parked.letter_id: True, unreadable.letter_id: False, other.letter_id: False}


def test_a_letter_of_nowhere_can_be_discarded_but_not_replayed() -> None:
    nowhere = letter(SOURCE, 0, 5, tl_topic="")
    looked_at = book([nowhere])
    assert not plan_replay(looked_at, Selection((nowhere.letter_id,)), TOPICS).moves
    assert plan_discard(looked_at, Selection((nowhere.letter_id,)), TOPICS).moves[0].target is None


def test_what_is_dealt_with_is_refused_by_id_and_passed_over_by_filter() -> None:
    done = letter(SOURCE, 0, 5)
    looked_at = book([done], cases=case(done.letter_id))
    by_id = plan_replay(looked_at, Selection((done.letter_id,)), TOPICS)
    assert "it was replayed on 2026-05-01 12:00:00 UTC by me" in by_id.refusals[0].why
    by_filter = plan_replay(looked_at, Selection(consumer=SOURCE), TOPICS)
    assert (by_filter.moves, by_filter.refusals) == ((), ())


def test_a_selection_says_what_it_means() -> None:
    with pytest.raises(Stop, match="say which letters"):
        Selection()
    with pytest.raises(Stop, match="either ids or"):
        Selection(("a/0/0",), key="K")


def test_the_record_goes_back_with_its_own_headers() -> None:
    failed = letter(SOURCE, 0, 5, tl_stream="assets", ce_id="x", tl_replay_of="forged", tl_attempt="2")
    assert headers_of(failed, LetterAction.REPLAY) == {
        "tl_stream": b"assets",
        "ce_id": b"x",
        "tl_replay_of": f"{RAW}/2/5",
        "tl_attempt": "3",
        "tl_action": "replay",
    }
    assert headers_of(failed, LetterAction.DISCARD)["tl_action"] == "discard"


def test_reasons_that_differ_in_numbers_are_one_cause() -> None:
    alike = [letter(SOURCE, at, at, reason=f"amount {at}.50 of record {at} is wrong") for at in (1, 22)]
    other = letter(SOURCE, 3, 3, reason="no class")
    elsewhere = letter(SINK, 4, 4, reason="no class")
    causes = group_causes([*alike, other, elsewhere])
    assert [cause.count for cause in causes] == [2, 1, 1]
    assert causes[0].reason == "amount N of record N is wrong"
    assert (causes[0].first, causes[0].last) == (alike[0].failed_at, alike[1].failed_at)
    assert fingerprint_of(other) != fingerprint_of(elsewhere)


def test_bytes_and_text_from_outside_are_shown_inert() -> None:
    assert inert("a\x1b[31mb\r\nc\u202e[bold]").plain == "a·[31mb··c·[bold]"
    assert hex_lines(b"\x1b[0mA") == ["000000  1b 5b 30 6d 41                                   .[0mA"]
    assert hex_lines(b"x" * 600)[-1] == "… 600 bytes in all"
    assert hex_lines(None) == ["none: a tombstone"]


def test_the_case_topic_is_declared_where_the_desk_looks() -> None:
    assert TOPICS[CASES].records == ("LetterCase",)
    assert TOPICS[CASES].writers == (DESK,)

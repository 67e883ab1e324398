"""The position of a partition never passes a record that is not settled, in whatever order they are."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieline.kernel.tracking import MAX_NOTE_CHARS, PositionTracker, note_of, read_note

HERE = ("sink.erp.command.v1", 0)
ELSEWHERE = ("sink.erp.command.v1", 1)
STEPS = 1_000_000


def naive_position(offsets: list[int], settled: set[int]) -> int | None:
    """By the definition: behind the last settled record that has no unsettled one before it; none if there is none."""
    position = None
    for offset in offsets:
        if offset not in settled:
            return position
        position = offset + 1
    return position


@given(gaps=st.lists(st.integers(1, 5), min_size=1, max_size=40), dice=st.randoms(use_true_random=False))
def test_settled_in_any_order_the_position_is_what_the_definition_says(gaps: list[int], dice: random.Random) -> None:
    tracker, taken, settled = PositionTracker(), list[int](), set[int]()
    coming = [sum(gaps[: n + 1]) for n in range(len(gaps))]
    position = None
    while coming or len(settled) < len(taken):
        if coming and (len(settled) == len(taken) or dice.random() < 0.5):
            taken.append(coming.pop(0))
            tracker.take(HERE, taken[-1])
        else:
            chosen = dice.choice([offset for offset in taken if offset not in settled])
            settled.add(chosen)
            tracker.settle(HERE, chosen)
        position = tracker.moved().get(HERE, (position, ""))[0]
        assert position == naive_position(taken, settled)
        assert tracker.unsettled(HERE) == len(taken) - len(settled)
    assert position == taken[-1] + 1
    assert tracker.ahead(HERE) == 0


def test_a_million_steps_in_random_order_never_pass_the_lowest_unsettled() -> None:
    dice = random.Random(6)  # noqa: S311  - reproducible order, no secrets
    tracker, offset, position, told = PositionTracker(), 0, 0, 0
    window: list[int] = []  # taken, and not passed by the position yet
    unsettled: list[int] = []
    began_secs = time.process_time()
    for _ in range(STEPS):
        roll = dice.random()
        if not unsettled or (len(unsettled) < 6 and roll < 0.5):
            offset += 1 + (roll < 0.1)
            tracker.take(HERE, offset)
            unsettled.append(offset)
            window.append(offset)
            continue
        tracker.settle(HERE, unsettled.pop(int(roll * len(unsettled))))
        lowest = min(unsettled, default=offset + 1)
        if window[0] < lowest:
            passed = [one for one in window if one < lowest]
            position = passed[-1] + 1
            del window[: len(passed)]
        told = tracker.moved().get(HERE, (told, ""))[0]
        assert told == position
    assert tracker.unsettled(HERE) == len(unsettled)
    assert time.process_time() - began_secs < 10.0, "it is meant to cost nothing"


def test_each_partition_has_a_position_of_its_own_and_tells_it_once() -> None:
    tracker = PositionTracker()
    for where in (HERE, ELSEWHERE):
        tracker.take(where, 4)
        tracker.take(where, 7)
    tracker.settle(HERE, 7)
    tracker.settle(ELSEWHERE, 4)
    assert tracker.moved() == {ELSEWHERE: (5, "")}
    assert tracker.moved() == {}
    assert (tracker.unsettled(HERE), tracker.ahead(HERE)) == (1, 2)
    tracker.settle(HERE, 4)
    assert tracker.moved() == {HERE: (8, "")}


def test_an_offset_that_was_taken_before_is_refused() -> None:
    tracker = PositionTracker()
    tracker.take(HERE, 4)
    with pytest.raises(ValueError, match="offset 4 after 4"):
        tracker.take(HERE, 4)
    tracker.settle(HERE, 4)
    with pytest.raises(ValueError, match="offset 3 after 4"):
        tracker.take(HERE, 3)
    tracker.take(HERE, 5)


# ---- letters that the position has not passed ------------------------------------------------------------------------


def test_a_letter_is_noted_beside_the_position_until_it_is_passed() -> None:
    tracker = PositionTracker()
    for offset in (5, 6, 9):
        tracker.take(HERE, offset)
    for offset in (6, 9):
        tracker.bury(HERE, offset)
        tracker.settle(HERE, offset)
    assert tracker.moved() == {HERE: (5, "letters:1,3")}, "the first record is not settled, and before it all is"
    assert tracker.moved() == {}
    tracker.settle(HERE, 5)
    assert tracker.moved() == {HERE: (10, "")}
    assert tracker.letters(HERE) == 0


def test_what_was_noted_is_known_after_a_restart_and_noted_again() -> None:
    tracker = PositionTracker()
    tracker.recall({HERE: read_note(5, "letters:1,3"), ELSEWHERE: read_note(5, "")})
    for offset in (5, 6, 8, 9):
        tracker.take(HERE, offset)
    assert [offset for offset in (5, 6, 8, 9) if tracker.is_letter(HERE, offset)] == [6, 9]
    assert not tracker.is_letter(ELSEWHERE, 6)
    tracker.settle(HERE, 5)
    tracker.settle(HERE, 6)
    assert tracker.moved() == {HERE: (7, "letters:2")}


@given(position=st.integers(0, 2**40), steps=st.lists(st.integers(0, 3000), max_size=700))
def test_a_note_says_what_was_put_into_it(position: int, steps: list[int]) -> None:
    letters = {position + sum(steps[: n + 1]) for n in range(len(steps))}
    found = read_note(position, note_of(position, letters))
    assert found == letters or len(note_of(position, letters)) > MAX_NOTE_CHARS - 5


def test_a_note_holds_as_many_letters_as_a_partition_may_have_ahead_and_is_cut_beyond_that() -> None:
    ahead = {1_000_000 + 20 * number for number in range(1300)}
    assert read_note(1_000_000, note_of(1_000_000, ahead)) == ahead
    many = {20 * number for number in range(5000)}
    note = note_of(0, many)
    assert len(note) <= MAX_NOTE_CHARS
    found = read_note(0, note)
    assert found == set(sorted(many)[: len(found)]), "the oldest of them, each whole"
    assert len(found) > 1300


@pytest.mark.parametrize("note", [None, "", "anything", "letters:", "letters:1,x", "letters:1,,2"])
def test_what_is_no_note_of_ours_says_nothing(note: str | None) -> None:
    assert read_note(5, note) == frozenset()

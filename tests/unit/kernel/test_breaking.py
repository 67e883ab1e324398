"""The breaker: opens for an outage, never for a record that fails alone; one probe asks for all while it is open."""

from __future__ import annotations

import pytest

from tieline.kernel.breaking import Breaker, Mode, Sign

ANSWERED, FAILED, OUT = Sign.ANSWERED, Sign.FAILED, Sign.OUT
MIDDLE = 0.5


def after(breaker: Breaker, *calls: tuple[Sign, str], at_secs: float = 0.0, every_secs: float = 0.1) -> Breaker:
    """The breaker after these calls, one after the other, each as it is allowed."""
    for number, (sign, key) in enumerate(calls):
        now_secs = at_secs + number * every_secs
        breaker = breaker.begin(key, now_secs).after(sign, key, now_secs, dice=MIDDLE)
    return breaker


def test_one_key_that_fails_again_and_again_never_opens_it() -> None:
    breaker = after(Breaker(), *[(FAILED, "A")] * 100)
    assert breaker.mode is Mode.CLOSED
    assert breaker.wait_secs("B", 10.0) == 0.0


def test_several_keys_in_a_row_without_an_answer_open_it() -> None:
    breaker = after(Breaker(), (FAILED, "A"), (FAILED, "A"), (FAILED, "B"))
    assert breaker.mode is Mode.CLOSED
    assert after(breaker, (FAILED, "C"), at_secs=1.0).mode is Mode.OPEN
    assert after(breaker, (ANSWERED, "D"), (FAILED, "C"), at_secs=1.0).mode is Mode.CLOSED


def test_refusals_are_answers() -> None:
    breaker = after(Breaker(), (FAILED, "A"), (FAILED, "B"), (ANSWERED, "refused"), (FAILED, "C"))
    assert breaker.mode is Mode.CLOSED


def test_half_of_the_last_calls_failing_for_many_keys_opens_it() -> None:
    mixed = [call for n in range(4) for call in ((FAILED, f"K{n}"), (ANSWERED, f"L{n}"))]
    assert after(Breaker(), *mixed).mode is Mode.CLOSED  # 8 calls say nothing yet
    assert after(Breaker(), *mixed, (ANSWERED, "M"), (FAILED, "K9")).mode is Mode.OPEN  # 5 of 10
    assert after(Breaker(), *mixed, (ANSWERED, "M"), (ANSWERED, "N"), (FAILED, "K9")).mode is Mode.CLOSED  # 5 of 11


def test_a_failure_counts_once_a_key_and_only_within_the_window() -> None:
    one_of_two = [call for _ in range(10) for call in ((FAILED, "A"), (ANSWERED, "B"))]
    assert after(Breaker(), *one_of_two).mode is Mode.CLOSED
    slow = [call for n in range(10) for call in ((FAILED, f"K{n}"), (ANSWERED, "B"))]
    assert after(Breaker(), *slow, every_secs=20.0).mode is Mode.CLOSED


def test_a_target_that_says_it_is_out_is_believed_at_once() -> None:
    breaker = after(Breaker(), (OUT, "A"))
    assert breaker.mode is Mode.OPEN
    assert breaker.wait_secs("B", 0.0) == pytest.approx(0.5)  # the middle of 0 to 1 s


def test_what_the_target_asks_for_is_the_shortest_pause_and_an_hour_the_longest() -> None:
    breaker = Breaker().after(OUT, "A", 100.0, dice=0.0, retry_after_secs=40.0)
    assert breaker.wait_secs("B", 100.0) == 40.0
    breaker = Breaker().after(OUT, "A", 100.0, dice=0.0, retry_after_secs=1e9)
    assert breaker.wait_secs("B", 100.0) == 3600.0


def test_pauses_grow_to_half_a_minute_evenly_spread_from_nothing() -> None:
    lengths = []
    breaker, now_secs = after(Breaker(), (OUT, "A")), 0.0
    for number in range(8):
        now_secs = breaker.until_secs
        key = f"K{number}"
        breaker = breaker.begin(key, now_secs)
        lengths.append([breaker.after(OUT, key, now_secs, dice=dice).until_secs - now_secs for dice in (0.0, 1.0)])
        breaker = breaker.after(OUT, key, now_secs, dice=1.0)
    assert [low for low, _ in lengths] == [0.0] * 8
    assert [high for _, high in lengths] == [2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0, 30.0]


def test_one_probe_asks_for_all_and_its_answer_closes_it() -> None:
    breaker = after(Breaker(), (OUT, "A"))
    assert breaker.is_probe("B")
    breaker = breaker.begin("B", 1.0)
    assert breaker.mode is Mode.HALF_OPEN
    assert breaker.wait_secs("C", 1.0) > 0
    assert breaker.wait_secs("B", 1.0) == 0.0  # its further calls are the same probe
    assert not breaker.is_probe("B")
    closed = breaker.after(ANSWERED, "B", 1.2, dice=MIDDLE)
    assert closed.mode is Mode.CLOSED
    assert after(closed, (FAILED, "C"), at_secs=2.0).mode is Mode.CLOSED  # the old failures opened it once already


def test_any_failure_of_the_probe_opens_it_again() -> None:
    breaker = after(Breaker(), (OUT, "A")).begin("B", 1.0).after(FAILED, "B", 1.2, dice=MIDDLE)
    assert breaker.mode is Mode.OPEN
    assert breaker.until_secs == pytest.approx(1.2 + 1.0)  # the middle of 0 to 2 s


def test_the_key_that_failed_last_lets_others_probe_first() -> None:
    breaker = after(Breaker(), (OUT, "A"))
    now_secs = breaker.until_secs
    assert breaker.wait_secs("B", now_secs) == 0.0
    assert breaker.wait_secs("A", now_secs) == pytest.approx(1.0)


def test_a_probe_that_never_ends_leaves_its_place_to_another() -> None:
    breaker = after(Breaker(), (OUT, "A")).begin("B", 1.0)
    assert breaker.wait_secs("C", 100.0) > 0
    assert breaker.wait_secs("C", 121.0) == 0.0
    assert breaker.begin("C", 121.0).probed == "C"


def test_a_probe_that_ends_by_a_defect_of_ours_leaves_its_place_at_once() -> None:
    breaker = after(Breaker(), (OUT, "A")).begin("B", 1.0).left("B", 1.5)
    assert breaker.wait_secs("C", 1.5) == 0.0


def test_calls_that_began_before_the_pause_neither_end_it_nor_make_it_longer() -> None:
    breaker = after(Breaker(), (OUT, "A"))
    late = breaker.after(ANSWERED, "B", 0.1, dice=MIDDLE).after(OUT, "C", 0.1, dice=MIDDLE)
    assert (late.mode, late.until_secs, late.pauses) == (Mode.OPEN, breaker.until_secs, breaker.pauses)
    assert breaker.after(OUT, "C", 0.1, dice=MIDDLE, retry_after_secs=60.0).until_secs == pytest.approx(60.1)


def test_a_key_for_which_alone_the_target_is_out_is_blamed_and_pauses_nobody_else() -> None:
    breaker = after(Breaker(), (OUT, "A"), (ANSWERED, "B"), every_secs=1.0)
    for number in range(4):
        assert not breaker.blames("A")
        breaker = after(breaker, (OUT, "A"), at_secs=2.0 + number)
        assert breaker.mode is Mode.CLOSED
        breaker = after(breaker, (ANSWERED, "B"), at_secs=2.5 + number)
    assert breaker.blames("A")
    assert not breaker.blames("B")


def test_a_key_is_not_blamed_while_nobody_else_is_answered() -> None:
    breaker = after(Breaker(), (ANSWERED, "B"), *[(OUT, "A")] * 50, every_secs=40.0)
    assert breaker.mode is Mode.OPEN
    assert not breaker.blames("A")


def test_no_key_is_blamed_while_others_fail_too() -> None:
    breaker = Breaker()
    for number in range(20):
        calls = ((OUT, "A"), (ANSWERED, "B"), (OUT, f"K{number}"), (ANSWERED, "B"))
        breaker = after(breaker, *calls, at_secs=10.0 * number, every_secs=2.0)
        assert not breaker.blames("A")

"""Commands before a target in trouble: they wait together, and only what fails alone is given up."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from tieline.kernel.asset_records import AssetFields
from tieline.kernel.breaking import SECOND_CHANCE_SECS
from tieline.kernel.command_records import Command, WriteAsset
from tieline.kernel.errands import NotBegun, Overslept
from tieline.kernel.errors import OutcomeUnknown, Rejected, Retryable, TielineError, Unavailable
from tieline.kernel.guarding import Gate, Postponed, Tries, pause_secs
from tieline.kernel.protocols import Written
from tieline.kernel.settling import ATTEMPTS, Confirmed, Failed, settle
from tieline.kernel.vocabulary import Dispatch

Answer = Callable[[str], TielineError | None]


def command(name: str) -> WriteAsset:
    dispatch = Dispatch(command_id=f"erp/asset/{name}/1", target="erp", version=1)
    return WriteAsset(dispatch=dispatch, asset_id=name, fields=AssetFields(), writable_fields=())


class Hall:
    """A target behind its gate, in a time that passes by itself. ``answer`` says how a write of a name ends."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.now_secs = 1000.0
        self.gate = Gate(lambda: self.now_secs, lambda: 0.5)
        self.written: list[tuple[float, str]] = []
        self.read: list[str] = []
        self.tries: dict[str, Tries] = {}

    async def write(self, command: Command, native_id: str | None) -> Written:
        del native_id
        assert isinstance(command, WriteAsset)
        self.now_secs += 0.1
        self.written.append((self.now_secs, command.asset_id))
        error = self.answer(command.asset_id)
        if error is not None:
            raise error
        return Written("7")

    async def read_back(self, command: Command, native_id: str | None) -> Written | None:
        del native_id
        assert isinstance(command, WriteAsset)
        self.read.append(command.asset_id)
        return None

    async def sleep(self, secs: float) -> None:
        self.now_secs += secs

    async def settle(self, name: str, *, uncertain: bool = False) -> Confirmed | Failed | Unavailable:
        """The outcome, or why there is none yet."""
        tries = self.tries.setdefault(name, Tries())
        try:
            return await settle(
                command(name), None, self, uncertain=uncertain, sleep=self.sleep, gate=self.gate, tries=tries
            )
        except Unavailable as error:
            return error


def failing(error: TielineError, *names: str) -> Answer:
    return lambda name: error if not names or name in names else None


async def test_while_the_target_is_paused_nothing_is_sent() -> None:
    hall = Hall(failing(Unavailable("503", retry_after_secs=40.0)))
    assert isinstance(await hall.settle("A"), Unavailable)
    found = await hall.settle("B")
    assert isinstance(found, Postponed)
    assert found.retry_after_secs == pytest.approx(40.0)
    assert [name for _, name in hall.written] == ["A"]
    assert hall.gate.wait_secs("asset B", Tries()) == pytest.approx(40.0)
    hall.answer = failing(Unavailable("never"), "nobody")
    hall.now_secs += 40.0
    assert isinstance(await hall.settle("B"), Confirmed)
    assert not hall.gate.is_paused


async def test_while_nobody_may_call_the_rest_is_no_longer_than_the_wait_of_any_key() -> None:
    hall = Hall(failing(Unavailable("out")))
    rests = []
    for number in range(400):
        waits = [hall.gate.wait_secs(f"asset {name}", Tries(sent=sent)) for name in ("A0", "B") for sent in (0, 3)]
        rests.append(hall.gate.rest_secs())
        assert rests[-1] <= min(waits)
        assert rests[-1] > 0 or min(waits) <= SECOND_CHANCE_SECS
        await hall.settle(f"A{number % 2}")
        hall.now_secs += 0.7
    assert any(rest > 0 for rest in rests)
    assert any(rest == 0 for rest in rests[1:])
    hall.now_secs += 100.0
    hall.answer = lambda _: None
    await hall.settle("B")
    assert hall.gate.rest_secs() == 0


async def test_time_outs_of_several_keys_pause_the_target_and_no_key_is_given_up_for_them() -> None:
    hall = Hall(failing(OutcomeUnknown("time-out")))
    for name in "ABC":
        hall.tries[name] = Tries(sent=ATTEMPTS - 1, failures=ATTEMPTS - 2)
    outcomes = [await hall.settle(name) for name in "AB"]
    assert all(isinstance(outcome, Failed) for outcome in outcomes)  # so far each could be at fault itself
    assert isinstance(await hall.settle("C"), Unavailable)  # this is the third
    assert hall.gate.is_paused
    assert hall.tries["C"].failures == 0


async def test_a_record_that_fails_while_others_are_answered_is_given_up_and_stops_nobody() -> None:
    hall = Hall(failing(OutcomeUnknown("500"), "A"))
    outcome = await hall.settle("A")
    assert isinstance(outcome, Failed)
    assert hall.tries["A"].sent == ATTEMPTS
    assert not hall.gate.is_paused
    assert isinstance(await hall.settle("B"), Confirmed)


async def test_a_record_for_which_alone_the_target_is_out_is_given_up_in_the_end() -> None:
    hall = Hall(failing(Unavailable("503"), "A"))
    for _ in range(20):
        outcome = await hall.settle("A")
        if isinstance(outcome, Failed):
            break
        hall.now_secs += 2.0
        assert isinstance(await hall.settle(f"B{hall.now_secs}"), Confirmed)
    assert isinstance(outcome, Failed)
    assert not outcome.in_doubt
    assert len([1 for _, name in hall.written if name == "A"]) == 5


async def test_an_outage_gives_up_nothing_however_long_it_lasts() -> None:
    hall = Hall(failing(Unavailable("no connection")))
    for _ in range(200):
        for name in "AB":
            assert isinstance(await hall.settle(name), Unavailable)
        hall.now_secs += 20.0


async def test_when_the_retries_are_spent_commands_wait_and_new_ones_go_on() -> None:
    hall = Hall(failing(Retryable("busy"), *(f"K{n}" for n in range(6))))
    outcomes = []
    for number in range(6):
        outcomes.append(await hall.settle(f"K{number}"))
        for name in ("L", "M"):
            assert isinstance(await hall.settle(f"{name}{number}"), Confirmed)
    assert [type(outcome) for outcome in outcomes] == [Failed] * 5 + [Postponed]  # 4 retries each, and few more in all
    assert hall.gate.wait_secs("asset K5", hall.tries["K5"]) > 0
    assert isinstance(await hall.settle("new"), Confirmed)
    hall.now_secs += 61.0
    assert isinstance(await hall.settle("K5"), Failed)


async def test_probes_cost_a_retry_each_so_that_a_long_outage_is_asked_seldom() -> None:
    hall = Hall(failing(Unavailable("out")))
    hall.gate = Gate(lambda: hall.now_secs, lambda: 0.0)  # the dice would let it be asked without end
    for number in range(3000):
        hall.now_secs += 0.1
        await hall.settle(f"K{number}")
    secs = hall.now_secs - 1000.0
    assert len(hall.written) <= 1 + 20 * (secs / 60 + 1) * 1.1


async def test_a_retry_after_of_one_command_is_kept_to_and_not_shortened_by_the_dice() -> None:
    hall = Hall(failing(Retryable("later", retry_after_secs=2.5), "A"))
    await hall.settle("A")
    times = [at for at, name in hall.written if name == "A"]
    assert all(later - earlier >= 2.5 for earlier, later in pairwise(times))
    hall = Hall(failing(Retryable("much later", retry_after_secs=20.0), "A"))
    found = await hall.settle("A")
    assert isinstance(found, Postponed)  # others go on meanwhile
    assert found.retry_after_secs == 20.0


async def test_reads_cost_no_retry_and_nothing_found_says_nothing() -> None:
    hall = Hall(failing(Unavailable("no writes now")))
    assert isinstance(await hall.settle("A"), Unavailable)
    for _ in range(5):
        hall.now_secs += 40.0
        assert isinstance(await hall.settle("A", uncertain=True), Unavailable)
        assert hall.gate.is_paused, "it answers reads, and that ends no pause"
    assert hall.gate.wait_secs("asset B", Tries()) == 15.0, "the pauses grew all the while"
    assert len(hall.read) == 10
    assert len(hall.written) == 6


async def test_a_defect_of_ours_pauses_nothing_and_blocks_no_probe() -> None:
    hall = Hall(failing(Unavailable("out")))
    await hall.settle("A")
    hall.now_secs += 10.0

    def defect(_: str) -> TielineError:
        raise ZeroDivisionError

    hall.answer = defect
    with pytest.raises(ZeroDivisionError):
        await hall.settle("B")
    hall.answer = lambda _: Rejected("no such class")
    assert isinstance(await hall.settle("C"), Failed)
    assert not hall.gate.is_paused


async def test_what_never_had_its_turn_was_not_sent_and_says_nothing_of_the_target() -> None:
    hall = Hall(failing(NotBegun("its time went by")))
    for name in "ABCD":
        assert isinstance(await hall.settle(name), NotBegun)
    assert not hall.gate.is_paused
    assert all(tries.sent == 0 for tries in hall.tries.values())


async def test_what_was_broken_off_by_sleep_counts_as_sent_and_says_nothing_of_the_target() -> None:
    hall = Hall(failing(Overslept("it stood still")))
    for name in "ABCD":
        assert isinstance(await hall.settle(name), Overslept)
    assert not hall.gate.is_paused
    assert all(tries.sent == 1 for tries in hall.tries.values())


def test_a_command_waits_exponentially_longer_with_full_jitter_and_never_less_than_asked() -> None:
    longest = [pause_secs(Tries(sent=sent), None, dice=lambda: 1.0) for sent in (1, 2, 3, 4, 5, 6, 100)]
    assert longest == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert pause_secs(Tries(sent=9), None, dice=lambda: 0.0) == 0.0
    assert pause_secs(Tries(sent=1), 77.0, dice=lambda: 1.0) == 77.0

"""A process that stood still knows it by its clock, and trusts itself again only when Kafka has confirmed it."""

from __future__ import annotations

from tieline.kernel.wakefulness import STILL_SECS, Wakefulness


class Process:
    """One in a time of its own."""

    def __init__(self) -> None:
        self.now_secs = 1000.0
        self.awake = Wakefulness(lambda: self.now_secs)

    def pass_secs(self, secs: float) -> None:
        self.now_secs += secs

    def work(self, secs: float) -> None:
        for _ in range(round(secs / 0.05)):
            self.pass_secs(0.05)
            self.awake.look()


def confirmed() -> Process:
    process = Process()
    process.awake.vouch(process.now_secs)
    return process


def test_nobody_is_awake_whom_nobody_confirmed() -> None:
    assert not Process().awake.lasts()


def test_who_looks_again_and_again_stays_awake_however_long() -> None:
    process = confirmed()
    process.work(10 * STILL_SECS)
    assert process.awake.lasts()


def test_a_pause_of_the_loop_is_no_sleep() -> None:
    process = confirmed()
    process.pass_secs(STILL_SECS - 0.1)
    assert process.awake.lasts()


def test_who_slept_is_not_awake_by_looking_again() -> None:
    process = confirmed()
    process.work(1.0)
    process.pass_secs(STILL_SECS + 0.1)
    process.work(10 * STILL_SECS)
    assert not process.awake.lasts()
    assert not process.awake.lasts()


def test_a_transaction_begun_before_the_sleep_confirms_nothing_after_it() -> None:
    process = confirmed()
    began = process.now_secs
    process.pass_secs(STILL_SECS + 0.1)
    process.awake.look()
    process.awake.vouch(began)
    assert not process.awake.lasts()


def test_a_transaction_begun_after_the_sleep_confirms() -> None:
    process = confirmed()
    process.pass_secs(STILL_SECS + 0.1)
    assert not process.awake.lasts()
    process.pass_secs(0.1)
    process.awake.vouch(process.now_secs)
    assert process.awake.lasts()

"""A record that ends the process is found by its place, the process itself goes on, and nothing of a trial stays."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable

import pytest

from tieline.kernel.records import Inbound
from tieline.kernel.trials import MORE_BYTES, Attempt, in_child

RECORDS = [Inbound("t", 0, offset, None, str(offset).encode()) for offset in range(5)]


def deadly(end: Callable[[], object], at: int = 3) -> Attempt:
    """An attempt that ends at one record."""

    def attempt(record: Inbound) -> None:
        if record.offset == at:
            end()

    return attempt


def test_harmless_records_end_nothing() -> None:
    assert in_child(RECORDS, lambda _: None) is None


@pytest.mark.parametrize(
    ("end", "how"),
    [
        (lambda: os._exit(0), "exit code 0"),
        (lambda: os._exit(3), "exit code 3"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "signal SIGKILL"),
        (lambda: ctypes.string_at(0), "signal SIGSEGV"),
        (lambda: sys.exit(2), "exit code 1"),
        (lambda: bytearray(2 * MORE_BYTES), "more than 512 MiB"),
    ],
    ids=["exit-0", "exit-3", "kill", "segfault", "system-exit", "memory"],
)
def test_the_place_of_what_ends_a_process_is_known(end: Callable[[], object], how: str) -> None:
    death = in_child(RECORDS, deadly(end))
    assert death is not None
    assert (death.place, death.how) == (3, how)


def test_a_record_without_end_is_one_that_ends_a_process() -> None:
    death = in_child(RECORDS, deadly(lambda: time.sleep(60), at=1), patience_secs=0.3)
    assert death is not None
    assert (death.place, death.how) == (1, "no end within 0.3 s")


def test_an_exception_is_an_answer_like_any_other() -> None:
    def attempt(record: Inbound) -> None:
        raise ValueError(record.coordinates)

    assert in_child(RECORDS, attempt) is None


def test_nothing_that_an_attempt_changes_stays() -> None:
    seen: list[int] = []
    assert in_child(RECORDS, lambda record: seen.append(record.offset)) is None
    assert seen == []


def test_a_child_has_no_connection_of_the_process() -> None:
    inside, outside = os.pipe()
    try:
        assert in_child(RECORDS, lambda _: os.write(outside, b"x")) is None
        os.set_blocking(inside, False)
        with pytest.raises(BlockingIOError):
            os.read(inside, 1)
    finally:
        os.close(inside)
        os.close(outside)


def test_being_asked_to_stop_is_no_fault_of_a_record() -> None:
    # As a terminal does it: the whole group is told, the child among them.
    def attempt(record: Inbound) -> None:
        if record.offset == 1:
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGINT)

    assert in_child(RECORDS, attempt) is None

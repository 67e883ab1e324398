"""When garbage is looked for, and among what."""

from __future__ import annotations

import gc
import weakref

import pytest

from tieline.kernel import sweeping as module
from tieline.kernel.sweeping import sweeping


class Ring:
    """Garbage that only a collector finds, once nobody holds it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MANY", 2_000)


def grow(kept: list[list[int]], count: int) -> None:
    """Make so many objects that stay."""
    kept += [[number] for number in range(count)]


def test_what_is_new_is_swept_once_there_is_much_of_it() -> None:
    kept: list[list[int]] = []
    with sweeping() as sweep:
        ring = weakref.ref(Ring())
        sweep()
        assert ring() is not None
        grow(kept, 2_500)
        sweep()
        assert ring() is None


def test_what_was_there_before_is_swept_once_as_much_has_come_as_there_was() -> None:
    kept: list[list[int]] = []
    grow(kept, 200_000)  # more than a test's process has otherwise
    with sweeping() as sweep:
        ring = Ring()
        grow(kept, 2_500)
        sweep()
        there = weakref.ref(ring)
        del ring
        grow(kept, 2_500)
        sweep()
        assert there() is not None  # among what stays nobody looks yet
        for _ in range(gc.get_freeze_count() // 2_500 + 1):
            grow(kept, 2_500)
            sweep()
        assert there() is None


def test_one_long_turn_is_swept_by_itself() -> None:
    kept: list[list[int]] = []
    with sweeping():
        ring = weakref.ref(Ring())
        grow(kept, 5_000)
        assert ring() is None


def test_afterwards_everything_is_as_before() -> None:
    before = gc.get_threshold()
    with sweeping():
        assert gc.get_threshold() != before
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0

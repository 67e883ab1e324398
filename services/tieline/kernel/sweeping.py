"""Garbage is looked for among what is new, and seldom among what stays.

A process keeps what it knows of every asset in memory: millions of objects that are no garbage. Python's collector
looks through them again and again while they grow, which was a third of the processor time of a record.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

MANY = 50_000
"""New objects after which is looked: some megabytes. Within a long turn it is done by itself at twice as many."""


@contextmanager
def sweeping() -> Iterator[Callable[[], None]]:
    """What is in memory now stays, as a rule. Gives what is to be called after each turn of the process's loop.

    Everything is looked through once more whenever as much has come since as there was then.
    """
    thresholds = gc.get_threshold()
    gc.set_threshold(2 * MANY, *thresholds[1:])
    known, new = _sweep(), 0

    def sweep() -> None:
        nonlocal known, new
        count = gc.get_count()[0]
        if count < MANY:
            return
        new += count
        if new < max(known, 10 * MANY):
            gc.collect()
            gc.freeze()
        else:
            known, new = _sweep(), 0

    try:
        yield sweep
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def _sweep() -> int:
    """Look through everything. Returns how many objects stay."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    return gc.get_freeze_count()

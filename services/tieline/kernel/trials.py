"""Attempts that may end the process, made in a child of it, so that what ends it is known and harms nothing.

A bug in a library that is written in C ends the process without an exception: no handler runs, nothing is written, and
after the restart the same record ends it again. A child made by ``fork`` has everything the process has, tables
included, and its end says at which record it came.
"""

from __future__ import annotations

import contextlib
import gc
import mmap
import os
import resource
import select
import signal
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from tieline.kernel.records import Inbound

PATIENCE_SECS = 30.0  # for one record; ordinary ones take less than a millisecond
MORE_BYTES = 512 * 2**20  # that a child may take beside what the process had; a batch takes some dozens of megabytes
_OUT_OF_MEMORY = 77  # our own exit code: nothing else here ends with it
_FIRST_INHERITED = 3  # descriptors below are the standard streams
_PLACE = struct.Struct("q")


class Death(NamedTuple):
    """A trial that did not come to its end: the place of the record it ended at, and how, for people."""

    place: int
    how: str


Attempt = Callable[[Inbound], object]
Trial = Callable[[Sequence[Inbound], Attempt], Death | None]
"""Attempts the records one after the other. An exception is an answer like any other, and nothing is kept of it."""


def in_child(records: Sequence[Inbound], attempt: Attempt, *, patience_secs: float = PATIENCE_SECS) -> Death | None:
    """A ``Trial`` in a child process: it writes nothing, and has no connection to anybody.

    Safe while other threads run, as long as an attempt takes no lock of theirs: it must decode and compute, no more.
    """
    with mmap.mmap(-1, _PLACE.size) as shared:
        ended, tells_end = os.pipe()
        try:
            child = os.fork()
            if child == 0:
                _attempt_all(records, attempt, shared, tells_end)
            os.close(tells_end)
            tells_end = -1
            is_late = not _wait(ended, shared, patience_secs)
            if is_late:
                os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
        finally:
            os.close(ended)
            if tells_end >= 0:
                os.close(tells_end)
        place = _PLACE.unpack_from(shared)[0]
    if place >= len(records):
        return None
    return Death(place, f"no end within {patience_secs:g} s" if is_late else _how(os.waitstatus_to_exitcode(status)))


def _attempt_all(records: Sequence[Inbound], attempt: Attempt, shared: mmap.mmap, tells_end: int) -> NoReturn:
    gc.disable()  # what the process would have collected may be a connection, whose threads are not here
    try:
        _confine(tells_end)
        for place, record in enumerate(records):
            _PLACE.pack_into(shared, 0, place)
            try:
                attempt(record)
            except MemoryError:
                os._exit(_OUT_OF_MEMORY)
            except Exception:  # noqa: BLE001, S110  - an answer like any other; the process itself gets it again
                pass
        _PLACE.pack_into(shared, 0, len(records))
    finally:
        os._exit(1)  # no handler, no finaliser, no buffer of the process may run or be written here


def _confine(tells_end: int) -> None:
    """Take from the child what it could harm the process, or the machine, with."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # they are for the process, and no fault of a record
    os.closerange(_FIRST_INHERITED, tells_end)
    os.closerange(tells_end + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):  # only Linux says; elsewhere the machine's own bounds have to do
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        limit = pages * resource.getpagesize() + MORE_BYTES
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (limit if hard < 0 else min(limit, hard), hard))
        # If memory runs out all the same, this is the process to end.
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _wait(ended: int, shared: mmap.mmap, patience_secs: float) -> bool:
    """Until the child has ended, or has not moved for so long; whether it has ended."""
    place, since = -1, time.monotonic()
    while True:
        if select.select([ended], [], [], min(1.0, patience_secs))[0]:
            return True
        now_at = _PLACE.unpack_from(shared)[0]
        if now_at != place:
            place, since = now_at, time.monotonic()
        elif time.monotonic() - since >= patience_secs:
            return False


def _how(code: int) -> str:
    if code == _OUT_OF_MEMORY:
        return f"more than {MORE_BYTES // 2**20} MiB"
    if code < 0:
        names: Iterator[str] = (one.name for one in signal.Signals if one == -code)
        return f"signal {next(names, str(-code))}"
    return f"exit code {code}"

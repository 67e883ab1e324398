"""What the hub writes to a disk by itself: logs, and the files that a command makes. What it knows is in Kafka.

A disk that is full is nothing to go on with, and no defect of ours: ``Stop`` with the place and what to do.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from tieline.kernel.errors import Stop

_FULL = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the quota of the disk is used up", errno.EROFS: "read-only"}


@contextmanager
def writing(place: object, remedy: str) -> Iterator[None]:
    """Whatever is written within goes to ``place``. Raises ``Stop`` where that has no room."""
    try:
        yield
    except OSError as error:
        why = why_no_room(error)
        if why is None:
            raise
        raise Stop(f"{place} cannot be written: {why}; {remedy}") from error


def why_no_room(error: OSError) -> str | None:
    """Why a disk takes no more; None for every other fault."""
    return _FULL.get(error.errno or 0)

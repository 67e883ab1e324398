"""Ends a process that stands still in a call that has no end.

A transaction's call is given thirty seconds, and librdkafka was seen to wait in one for minutes after its broker had
come back. Nobody can interrupt it from within. The process ends as by ``kill -9``, which every loop is made for; its
supervisor starts it again, and where it stood is on standard error.
"""

from __future__ import annotations

import faulthandler
from types import TracebackType
from typing import Self

# Longer than any turn that goes on: a transaction's calls together, or a table of millions of rows.
STILL_SECS = 300.0


class Watchdog:
    """Within its context the process ends with code 1 unless ``feed`` is called again within ``still_secs``.

    Outside of it, it does nothing.
    """

    def __init__(self, still_secs: float = STILL_SECS) -> None:
        self._still_secs = still_secs
        self._is_watching = False

    def feed(self) -> None:
        """The process goes on, or waits for something on purpose."""
        if self._is_watching:
            faulthandler.dump_traceback_later(self._still_secs, exit=True)

    def __enter__(self) -> Self:
        self._is_watching = True
        self.feed()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_watching = False
        faulthandler.cancel_dump_traceback_later()

"""Older states of a SQLite file in WAL mode: each a connection that keeps reading what stood there when it began."""

from __future__ import annotations

import sqlite3
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from tieline.connectors.kit.sandboxing.faults import Age

KEPT_CHANGES = 64


class Snapshots:
    """The states before the last changes, oldest first. The file's log grows while there are any: drop them all soon.

    ``begin`` comes before a change and ``forget_last`` after one that changed nothing. A table of rows in memory has
    ``Records`` instead.
    """

    def __init__(self, database: Path, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._monotonic = monotonic
        self._kept: deque[tuple[float, sqlite3.Connection]] = deque()

    def begin(self) -> None:
        """Keep the state as it is committed now: some 0.7 ms, most of it opening the file."""
        connection = sqlite3.connect(self._database, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.execute("BEGIN")
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()  # the transaction begins with a read
        self._kept.append((self._monotonic(), connection))
        if len(self._kept) > KEPT_CHANGES:
            self._kept.popleft()[1].close()

    def forget_last(self) -> None:
        """Drop the newest."""
        self._kept.pop()[1].close()

    def clear(self) -> None:
        """Drop them all."""
        while self._kept:
            self._kept.pop()[1].close()

    def find(self, age: Age) -> sqlite3.Connection | None:
        """The state of that age, or the oldest there is; None where that is the present one."""
        if age.changes is not None:
            kept = list(self._kept)[-age.changes :] if age.changes else []
        else:
            since_secs = self._monotonic() - (age.secs or 0.0)
            kept = [(at_secs, connection) for at_secs, connection in self._kept if at_secs > since_secs]
        return kept[0][1] if kept else None

"""What a sandbox holds, in memory: rows by table and key, undone at will and readable as they were."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from tieline.connectors.kit.sandboxing.faults import Age
from tieline.connectors.kit.sandboxing.journal import Effect, Journal

Key = str | int
Row = Mapping[str, object]
Tables = Mapping[str, Mapping[Key, Row]]
KEPT_CHANGES = 1000


@dataclass(slots=True)
class Change:
    """What one request did: its effects, and each row it touched as it was before (None: it was not there)."""

    effects: list[Effect] = field(default_factory=list)
    before: list[tuple[str, Key, Row | None]] = field(default_factory=list)
    at_secs: float = 0.0

    def note(self, effect: Effect) -> None:
        """Witness an effect, if the change stays."""
        self.effects.append(effect)


class Records:
    """Rows that are replaced, never altered: an older state costs what changed since, and nothing to keep.

    Not safe for concurrent use: called from one event loop, never across an await.
    """

    def __init__(self, journal: Journal, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._journal = journal
        self._monotonic = monotonic
        self._tables: dict[str, dict[Key, Row]] = {}
        self._open: Change | None = None
        self._changes: deque[Change] = deque(maxlen=KEPT_CHANGES)

    def get(self, table: str, key: Key, age: Age | None = None) -> Row | None:
        """One row, or None."""
        return self._state(age).get(table, {}).get(key)

    def rows(self, table: str, age: Age | None = None) -> list[Row]:
        """Every row of a table in the order of the keys, which are all numbers or all texts."""
        found = self._state(age).get(table, {})
        return [found[key] for key in sorted(found, key=_sortable)]

    def put(self, table: str, key: Key, row: Row) -> None:
        """Add or replace a row, within a transaction."""
        self._remember(table, key)
        self._tables.setdefault(table, {})[key] = row

    def remove(self, table: str, key: Key) -> None:
        """Take a row out, within a transaction; one that is not there may go."""
        self._remember(table, key)
        self._tables.get(table, {}).pop(key, None)

    @contextmanager
    def transaction(self, *, keep: bool = True) -> Iterator[Change]:
        """One change: all of it lands and is witnessed, or none, as after an error or without ``keep``."""
        if self._open is not None:
            raise RuntimeError("one change at a time")
        change = self._open = Change(at_secs=self._monotonic())
        try:
            yield change
        except BaseException:
            keep = False
            raise
        finally:
            self._open = None
            if not keep:
                _undo(self._tables, change)
        if keep and (change.before or change.effects):
            self._changes.append(change)
            for effect in change.effects:
                self._journal.note(effect)

    def _remember(self, table: str, key: Key) -> None:
        if self._open is None:
            raise RuntimeError("rows change within a transaction only")
        self._open.before.append((table, key, self._tables.get(table, {}).get(key)))

    def _state(self, age: Age | None) -> Tables:
        if age is None:
            return self._tables
        tables = {name: dict(rows) for name, rows in self._tables.items()}
        since_secs = None if age.secs is None else self._monotonic() - age.secs
        for number, change in enumerate(reversed(self._changes)):
            if (age.changes is not None and number >= age.changes) or (
                since_secs is not None and change.at_secs <= since_secs
            ):
                break
            _undo(tables, change)
        return tables


def _undo(tables: dict[str, dict[Key, Row]], change: Change) -> None:
    for table, key, row in reversed(change.before):
        rows = tables.setdefault(table, {})
        if row is None:
            rows.pop(key, None)
        else:
            rows[key] = row


def _sortable(key: Key) -> tuple[int, str]:
    return (key, "") if isinstance(key, int) else (0, key)

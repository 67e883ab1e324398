"""A compacted topic as a local table: read fully at start, changed only when the transaction has committed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar, cast

from tieline.kernel.records import Outbound, Typed
from tieline.kernel.vocabulary import Model

M = TypeVar("M", bound=Model)


class Table(Generic[M]):
    """Keyed state with two undo levels: one record, one transaction.

    A ``put`` or ``delete`` is visible to later reads at once, is kept with ``keep_record`` (or undone with
    ``drop_record`` when handling that record failed), and becomes permanent with ``commit`` after the broker
    has committed the transaction that carries it. ``rollback`` undoes everything since the last commit.
    ``on_change(key, old, new)`` is called for every permanent-or-not change, so that an index can follow; it must
    cope with being told the reverse change on an undo. ``keep`` says which keys of a shared topic are this table's.
    """

    def __init__(
        self,
        topic: str,
        kind: type[M],
        *,
        partition_by: Callable[[str], str] | None = None,
        on_change: Callable[[str, M | None, M | None], None] | None = None,
        keep: Callable[[str], bool] | None = None,
    ) -> None:
        self.topic = topic
        self.kind = kind
        self._partition_by = partition_by
        self._on_change = on_change
        self._keep = keep
        self._rows: dict[str, M] = {}
        self._record_undo: list[tuple[str, M | None]] = []
        self._batch_undo: list[tuple[str, M | None]] = []
        self._pending: list[Outbound] = []

    def get(self, key: str) -> M | None:
        """The row as of now, uncommitted changes of this transaction included."""
        return self._rows.get(key)

    def items(self) -> Iterator[tuple[str, M]]:
        """Every row, in no promised order; do not change the table meanwhile."""
        return iter(self._rows.items())

    def __len__(self) -> int:
        return len(self._rows)

    def put(self, key: str, row: M) -> None:
        """Set a row and queue its record for the topic."""
        self._change(key, row)
        self._pending.append(self._outbound(key, Typed(self.kind.__name__, row)))

    def delete(self, key: str) -> None:
        """Drop a row and queue its tombstone; nothing happens if there is none."""
        if key in self._rows:
            self._change(key, None)
            self._pending.append(self._outbound(key, None))

    def keeps(self, key: str) -> bool:
        """Whether a key of the topic is one of this table's."""
        return self._keep is None or self._keep(key)

    def load(self, key: str, row: Model | None) -> None:
        """Take over a row read from the topic, if its key is one this table keeps; no record is queued.

        A row of an older ``version`` than the one held is passed over (Invariant 4).
        """
        if not self.keeps(key):
            return
        held = self._rows.get(key)
        if row is not None and held is not None and getattr(row, "version", 0) < getattr(held, "version", 0):
            return
        self._set(key, cast("M | None", row))

    def drain(self) -> list[Outbound]:
        """The records queued by the handling of the current record, and forget them."""
        if not self._pending:  # asked of every table after every record, and most have nothing to say
            return []
        pending, self._pending = self._pending, []
        return pending

    def keep_record(self) -> None:
        """The current record was handled: its changes now stand or fall with the transaction."""
        if self._record_undo:
            self._batch_undo.extend(self._record_undo)
            self._record_undo.clear()

    def drop_record(self) -> None:
        """The current record failed: undo its changes and forget its queued records."""
        self._undo(self._record_undo)
        self._pending.clear()

    def commit(self) -> None:
        """The transaction is committed: nothing can be undone any more."""
        self.keep_record()
        self._batch_undo.clear()

    def rollback(self) -> None:
        """The transaction was aborted: undo everything since the last commit."""
        self._undo(self._record_undo)
        self._undo(self._batch_undo)
        self._pending.clear()

    def clear(self) -> None:
        """Forget everything, before the topic is read again from its beginning."""
        for key in list(self._rows):
            self._set(key, None)
        self._record_undo.clear()
        self._batch_undo.clear()
        self._pending.clear()

    def _outbound(self, key: str, value: Typed | None) -> Outbound:
        partition_key = self._partition_by(key) if self._partition_by else None
        return Outbound(self.topic, key, value, partition_key=partition_key)

    def _change(self, key: str, row: M | None) -> None:
        self._record_undo.append((key, self._rows.get(key)))
        self._set(key, row)

    def _set(self, key: str, row: M | None) -> None:
        old = self._rows.get(key)
        if row is None:
            self._rows.pop(key, None)
        else:
            self._rows[key] = row
        if self._on_change is not None:
            self._on_change(key, old, row)

    def _undo(self, changes: list[tuple[str, M | None]]) -> None:
        for key, row in reversed(changes):
            self._set(key, row)
        changes.clear()

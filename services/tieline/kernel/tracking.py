"""Which position may be committed, when records are settled in any order. Pure."""

from __future__ import annotations

from collections import deque

Where = tuple[str, int]
"""Topic and partition."""


class PositionTracker:
    """Offsets per partition: taken in order, settled in any order, committed from the lowest on without a gap.

    Taken offsets need not follow one another (transaction markers, compaction). Each call costs constant time, spread
    over all.
    """

    def __init__(self) -> None:
        self._open: dict[Where, deque[int]] = {}  # taken and not passed by the position, in order
        self._settled: dict[Where, set[int]] = {}  # those of them that are settled already
        self._positions: dict[Where, int] = {}
        self._moved: set[Where] = set()

    def take(self, where: Where, offset: int) -> None:
        """A record was read. Raises ``ValueError`` unless its offset lies behind every one taken before."""
        taken = self._open.setdefault(where, deque())
        last = taken[-1] if taken else self._positions.get(where, 0) - 1
        if offset <= last:
            raise ValueError(f"{where}: offset {offset} after {last}")
        taken.append(offset)

    def settle(self, where: Where, offset: int) -> None:
        """Nothing is left to do for a record that was taken and not settled yet."""
        taken, settled = self._open[where], self._settled.setdefault(where, set())
        settled.add(offset)
        while taken and taken[0] in settled:
            # Invariant 1: the position stops before the first record that is not settled, whatever is settled behind.
            self._positions[where] = taken[0] + 1
            self._moved.add(where)
            settled.discard(taken.popleft())

    def moved(self) -> dict[Where, int]:
        """The next offset to read of each partition whose position has moved since the last call."""
        moved = {where: self._positions[where] for where in self._moved}
        self._moved.clear()
        return moved

    def unsettled(self, where: Where) -> int:
        """Records taken and not settled."""
        return self.ahead(where) - len(self._settled.get(where, ()))

    def ahead(self, where: Where) -> int:
        """Records taken that the position has not passed: what a restart reads again."""
        return len(self._open.get(where, ()))

    def partitions(self) -> list[Where]:
        """Every partition of which something was taken."""
        return list(self._open)

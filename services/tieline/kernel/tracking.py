"""Which position may be committed, when records are settled in any order, and what is a letter behind it. Pure.

A restart reads again what lies behind the position, and would write a letter a second time. The offsets of such letters
are therefore committed beside the position, as its metadata, in the transaction that writes them: they are known as
long as the position has not passed them, and take no room after that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

Where = tuple[str, int]
"""Topic and partition."""
MAX_NOTE_CHARS = 4000
"""Of a position's metadata; brokers take 4096 (``offset.metadata.max.bytes``)."""
_NOTE = "letters:"


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
        self._letters: dict[Where, set[int]] = {}  # those of the settled that are letters

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

    def recall(self, letters: Mapping[Where, Iterable[int]]) -> None:
        """What is known to be a letter before anything is taken (``read_note``)."""
        self._letters = {where: set(offsets) for where, offsets in letters.items()}

    def bury(self, where: Where, offset: int) -> None:
        """A record is a letter, or is to become one in the transaction that commits what ``moved`` says."""
        self._letters.setdefault(where, set()).add(offset)
        self._moved.add(where)  # its note has changed, even where its position has not

    def is_letter(self, where: Where, offset: int) -> bool:
        """Whether a letter of this record is written already."""
        return offset in self._letters.get(where, ())

    def letters(self, where: Where) -> int:
        """Letters that the position has not passed."""
        return len(self._letters.get(where, ()))

    def moved(self) -> dict[Where, tuple[int, str]]:
        """Position and note of each partition of which either has changed since the last call.

        The position is the next offset to read; no lower than that of the first record that was taken.
        """
        moved = {}
        for where in self._moved:
            position = self._positions[where] if where in self._positions else self._open[where][0]
            letters = {offset for offset in self._letters.pop(where, ()) if offset >= position}
            if letters:
                self._letters[where] = letters
            moved[where] = (position, note_of(position, letters))
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


def note_of(position: int, letters: Iterable[int]) -> str:
    """Offsets from a position on as its metadata: the distance of each from the one before, hexadecimal; none: empty.

    What is longer than a broker takes is cut at its end: of those a restart may write a second letter.
    """
    last, steps = position, []
    for offset in sorted(letters):
        steps.append(f"{offset - last:x}")
        last = offset
    note = _NOTE + ",".join(steps)
    if len(note) > MAX_NOTE_CHARS:
        note = note[: MAX_NOTE_CHARS + 1].rpartition(",")[0]
    return note if steps else ""


def read_note(position: int, note: str | None) -> frozenset[int]:
    """The offsets in a position's metadata; none in what is no note of ours."""
    if note is None or not note.startswith(_NOTE):
        return frozenset()
    offset, found = position, set()
    for step in note.removeprefix(_NOTE).split(","):
        try:
            offset += int(step, 16)
        except ValueError:
            return frozenset()
        found.add(offset)
    return frozenset(found)

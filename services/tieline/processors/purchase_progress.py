"""How far the lines of an order are, and all of them together: sums that follow one line at a time."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

T = TypeVar("T", str, dt.date)
_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Part:
    """How much of how much is done, and the last day of it."""

    done: Decimal = _NOTHING
    wanted: Decimal = _NOTHING
    last_day: dt.date | None = None


@dataclass(frozen=True, slots=True)
class LineProgress:
    """How far one order line is: ``held`` units have no decision, and why; ``records`` are those in the books."""

    received: Part = Part()
    invoiced: Part = Part()
    capitalised: Part = Part()
    held: Decimal = _NOTHING
    held_for: str | None = None
    records: frozenset[str] = frozenset()


class OrderProgress:
    """All lines of an order together: a line that moved is taken off as it was and added as it is, exactly."""

    def __init__(self, lines: Mapping[str, LineProgress] | None = None) -> None:
        self._lines: dict[str, LineProgress] = {}
        self._received, self._invoiced, self._capitalised = _Sum(), _Sum(), _Sum()
        self._held = _NOTHING
        self._held_for: dict[str, str] = {}  # by line
        self._records: Counter[str] = Counter()
        self.update(lines or {})

    def update(self, lines: Mapping[str, LineProgress]) -> None:
        """Put what is known of these lines in place of what was."""
        for line_id, line in lines.items():
            before = self._lines.get(line_id)
            if line == before:
                continue
            if before is not None:
                self._count(before, -1)
            self._count(line, 1)
            self._lines[line_id] = line
            self._held_for.pop(line_id, None)
            if line.held_for is not None:
                self._held_for[line_id] = line.held_for

    @property
    def line_ids(self) -> frozenset[str]:
        """The lines there are."""
        return frozenset(self._lines)

    @property
    def received(self) -> Part:
        """Of all lines."""
        return self._received.part()

    @property
    def invoiced(self) -> Part:
        """Of all lines."""
        return self._invoiced.part()

    @property
    def capitalised(self) -> Part:
        """Of all lines."""
        return self._capitalised.part()

    @property
    def held(self) -> Decimal:
        """Units without a decision."""
        return self._held

    @property
    def held_for(self) -> str | None:
        """Why the first line has units without a decision."""
        return self._held_for[min(self._held_for)] if self._held_for else None

    @property
    def records(self) -> Iterable[str]:
        """The asset records in the books, each once."""
        return self._records.keys()

    def _count(self, line: LineProgress, sign: int) -> None:
        self._received.count(line.received, sign)
        self._invoiced.count(line.invoiced, sign)
        self._capitalised.count(line.capitalised, sign)
        self._held += sign * line.held
        for ref in line.records:
            _count_one(self._records, ref, sign)


class _Sum:
    """Parts of several lines added up."""

    def __init__(self) -> None:
        self._done, self._wanted = _NOTHING, _NOTHING
        self._days: Counter[dt.date] = Counter()

    def count(self, part: Part, sign: int) -> None:
        """Add a part, or with -1 take it off again."""
        self._done += sign * part.done
        self._wanted += sign * part.wanted
        if part.last_day is not None:
            _count_one(self._days, part.last_day, sign)

    def part(self) -> Part:
        """The sum, and the last of its days."""
        return Part(self._done, self._wanted, max(self._days, default=None))


def _count_one(counter: Counter[T], value: T, sign: int) -> None:
    counter[value] += sign
    if not counter[value]:
        del counter[value]

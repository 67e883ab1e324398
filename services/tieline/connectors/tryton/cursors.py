"""Where a read of changes stands. Pure.

Tryton stamps a row with the time its transaction first wrote, and shows it when the transaction commits: a row may
appear behind rows that were read already. A ``Mark`` therefore looks back over a window and remembers which rows of
it were given: each change once, none skipped (Invariant 1).
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tieline.kernel.errors import Stop

# Beyond this many rows in the window the oldest are forgotten, and with them their part of the window.
MAX_REMEMBERED = 2000
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)

Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Change:
    """One changed row: when (microseconds since 1970, UTC), its id, and the record it belongs to."""

    stamp: int
    id: int
    parent: int

    @property
    def place(self) -> Place:
        """Its place in the order of changes."""
        return (self.stamp, self.id)


@dataclass(frozen=True, slots=True)
class Mark:
    """Everything up to ``after`` was given, and of what comes behind it the places in ``given``."""

    after: Place = (-1, 0)
    given: frozenset[Place] = field(default=frozenset())

    def unseen(self, changes: Iterable[Change]) -> list[Change]:
        """Those that were not given yet."""
        return [change for change in changes if change.place > self.after and change.place not in self.given]

    def advanced(self, taken: Sequence[Change], window_micros: int) -> Mark:
        """The mark once these were given, too."""
        if not taken:
            return self
        given = sorted(self.given | {change.place for change in taken})
        floor = given[-1][0] - window_micros
        old = [place for place in given if place[0] < floor]
        kept = given[len(old) :]
        if len(kept) > MAX_REMEMBERED:
            old, kept = given[:-MAX_REMEMBERED], given[-MAX_REMEMBERED:]
        after = max(self.after, (floor, 0) if floor > 0 else self.after, old[-1] if old else self.after)
        return replace(self, after=after, given=frozenset(place for place in kept if place > after))


def micros(moment: dt.datetime) -> int:
    """Microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def moment(stamp: int) -> dt.datetime:
    """The instant of ``micros``, UTC; an early one for a stamp before 1970."""
    return _EPOCH + stamp * _MICROSECOND


def dump_marks(marks: Mapping[str, Mark]) -> str:
    """The opaque cursor. Rows of one transaction share a stamp, so places are grouped by it."""
    plain = {}
    for name, mark in sorted(marks.items()):
        groups: dict[int, list[int]] = {}
        for stamp, row in sorted(mark.given):
            groups.setdefault(stamp, []).append(row)
        plain[name] = {"after": list(mark.after), "given": list(groups.items())}
    return json.dumps(plain, separators=(",", ":"))


def load_marks(cursor: str | None) -> dict[str, Mark]:
    """The marks of a cursor; none for no cursor. Raises ``Stop`` for one that this connector did not write."""
    if not cursor:
        return {}
    try:
        return {
            name: Mark(
                after=(int(plain["after"][0]), int(plain["after"][1])),
                given=frozenset((int(stamp), int(row)) for stamp, rows in plain["given"] for row in rows),
            )
            for name, plain in json.loads(cursor).items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise Stop("the stored position is not one of the Tryton connector; reset the source's position") from error

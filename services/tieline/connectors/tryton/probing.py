"""Which rows changed behind the marks, with as few calls as can be.

A read of changes must ask after creation and change of every watched model. Asked one by one that is two calls a
model, most of them for nothing. A *probe* asks for all watches of one model and one domain at once: rows that lie
behind the mark of any of them. It is exact by completeness: when Tryton gives fewer rows than it was asked for, these
are all that lie behind any of the marks, whatever their order, and each watch takes from them what lies behind its own.
When it gives as many, rows may be missing from the middle of the order, so nothing of the probe counts and each watch
asks for itself, in its own order, as far as its page goes (Invariant 1). Either way a mark moves over rows that were
given, and over no others: equal stamps, page borders and late commits are kept by ``cursors``, the same for both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tieline.connectors.tryton import wire
from tieline.connectors.tryton.client import TrytonClient
from tieline.connectors.tryton.cursors import Change, Mark, micros, moment
from tieline.connectors.tryton.streams import Domain, Watch, context_of

Group = tuple[str, Domain]


@dataclass(frozen=True, slots=True)
class Asked:
    """A watch with the mark its stream stands at."""

    stream: str
    watch: Watch
    mark: Mark

    @property
    def group(self) -> Group:
        """Those that one probe can ask for together."""
        return self.watch.model, self.watch.domain


class ChangeProbe:
    """The changed rows of one read; it asks once for a group of watches, and remembers the answer.

    ``rows`` is the number of rows that a watch is asked for at least. Marks must not move while it is used.
    """

    def __init__(self, client: TrytonClient, asked: Sequence[Asked], rows: int) -> None:
        self._client = client
        self._rows = rows
        self._asked = {(one.stream, one.watch.name): one for one in asked}
        self._answers: dict[Group, list[dict[str, wire.Json]] | None] = {}

    async def unseen(self, stream: str, watch: Watch, mark: Mark) -> tuple[list[Change], bool]:
        """Rows behind the mark that were not given yet, in their order, and whether more may wait behind them."""
        known = self._asked.get((stream, watch.name))
        if known is not None and known.mark == mark:
            rows = await self._probed(known.group)
            if rows is not None:
                return _changes(watch, mark, rows), False
        limit = watch.at_once or self._rows
        rows = await self._client.search_read(
            watch.model,
            [*watch.domain, behind(watch.column, mark)],
            _fields((watch,)),
            order=[(watch.column, "ASC"), ("id", "ASC")],
            limit=limit + len(mark.given),
            context=context_of(watch.model),
        )
        found = _changes(watch, mark, rows)
        return found, len(found) >= limit

    async def _probed(self, group: Group) -> list[dict[str, wire.Json]] | None:
        """All rows behind any mark of the group; None where there are more than were asked for."""
        if group not in self._answers:
            members = [one for one in self._asked.values() if one.group == group]
            limit = self._rows + sum(len(one.mark.given) for one in members)
            model, domain = group
            rows = await self._client.search_read(
                model,
                [*domain, ["OR", *(behind(one.watch.column, one.mark) for one in members)]],
                _fields([one.watch for one in members]),
                order=[("id", "ASC")],
                limit=limit,
                context=context_of(model),
            )
            self._answers[group] = rows if len(rows) < limit else None
        return self._answers[group]


def behind(column: str, mark: Mark) -> list[object]:
    """The domain of the rows that lie behind a mark, the remembered ones included."""
    stamp, row_id = mark.after
    if stamp < 0:
        return [(column, "!=", None)]
    at = moment(stamp)
    return ["OR", (column, ">", at), [(column, "=", at), ("id", ">", row_id)]]


def _fields(watches: Sequence[Watch]) -> list[str]:
    wanted = {name: None for watch in watches for name in (watch.column, watch.parent) if name != "id"}
    return list(wanted)


def _changes(watch: Watch, mark: Mark, rows: Sequence[Mapping[str, wire.Json]]) -> list[Change]:
    found = [
        Change(micros(wire.instant(row[watch.column])), row["id"], parent)
        for row in rows
        if row[watch.column] is not None and (parent := _parent(row, watch.parent)) is not None
    ]
    return sorted(mark.unseen(found), key=lambda change: change.place)


def _parent(row: Mapping[str, wire.Json], path: str) -> int | None:
    value: wire.Json = row
    *steps, last = path.split(".")
    for step in steps:
        value = value.get(f"{step}.") if isinstance(value, Mapping) else None
    found = value.get(last) if isinstance(value, Mapping) else None
    return found if isinstance(found, int) else None

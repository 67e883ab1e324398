"""What each cost centre spent in each period: cost documents by company, cost centre and period. Pure.

Only cost documents count, with or without an asset; acquisitions, and work that was capitalised, are the asset's cost,
not the cost centre's.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple
from urllib.parse import quote

from tieline.views.costs import CostEntry, is_capitalised
from tieline.views.money import sum_by_currency, sums_as_json
from tieline.views.periods import PeriodFrom


class Row(NamedTuple):
    """What is added up: fiscal periods and cost centres are a company's own, so the company belongs to it."""

    company: str
    cost_centre: str
    period: str

    @property
    def place(self) -> str:
        """Where the row stands among the others, as text that no two rows share."""
        return "/".join(quote(part, safe="") for part in self)


@dataclass(frozen=True, slots=True)
class SpendRow:
    """The documents of one row: how many, how many of them reversals, and their sums per currency."""

    row: Row
    period_from: PeriodFrom
    documents: int
    reversals: int
    spend: Mapping[str, Decimal]


@dataclass(slots=True)
class Spend:
    """All cost documents by row. Not safe for concurrent use: it lives in one event loop or one thread."""

    _rows: dict[Row, dict[str, CostEntry]] = field(default_factory=dict)
    _home: dict[str, Row] = field(default_factory=dict)

    def put_document(self, cost_doc_id: str, entry: CostEntry) -> None:
        """Keep a document's entry, in place of what the document said before; what is capitalised is no spend (T31)."""
        if is_capitalised(entry):
            return
        if "centres" not in entry:
            self._put(cost_doc_id, entry)
            return
        # What an order, a project or an asset bears is no cost centre's.
        for centre, amount in entry["centres"].items():
            part = CostEntry(**{**entry, "cost_centre": centre, "amount": amount})
            self._put(f"{cost_doc_id}|{quote(centre, safe='')}", part)

    def _put(self, cost_doc_id: str, entry: CostEntry) -> None:
        row = Row(entry["company"], entry["cost_centre"], entry["period"])
        before = self._home.get(cost_doc_id)
        if before is not None and before != row:
            del self._rows[before][cost_doc_id]
            if not self._rows[before]:
                del self._rows[before]
        self._home[cost_doc_id] = row
        self._rows.setdefault(row, {})[cost_doc_id] = entry

    def page(
        self, *, cost_centre: str | None = None, period: str | None = None, after: str = "", limit: int
    ) -> tuple[list[SpendRow], str | None]:
        """Up to ``limit`` rows in order of their place, beginning behind ``after``; and where the next page begins."""
        places = {row.place: row for row in self._wanted(cost_centre, period)}
        found = heapq.nsmallest(limit + 1, (place for place in places if place > after))
        return [self._of(places[place]) for place in found[:limit]], found[limit - 1] if len(found) > limit else None

    def totals(self, *, cost_centre: str | None = None, period: str | None = None) -> Mapping[str, Decimal]:
        """Sums per currency over every row of the cost centre and period."""
        rows = self._wanted(cost_centre, period)
        return _sums(entry for row in rows for entry in self._rows[row].values())

    def _wanted(self, cost_centre: str | None, period: str | None) -> Iterator[Row]:
        for row in self._rows:
            if cost_centre in {None, row.cost_centre} and period in {None, row.period}:
                yield row

    def _of(self, row: Row) -> SpendRow:
        entries = self._rows[row].values()
        return SpendRow(
            row=row,
            period_from=PeriodFrom(next(iter(entries))["period_from"]),  # the two kinds are written differently
            documents=len(entries),
            reversals=sum(entry["reversal"] for entry in entries),
            spend=_sums(entries),
        )


def _sums(entries: Iterable[CostEntry]) -> dict[str, Decimal]:
    return sum_by_currency((entry["currency"], entry["amount"]) for entry in entries)


def as_json(found: SpendRow) -> dict[str, object]:
    """The answer's shape: amounts as text, in plain notation."""
    return {
        **found.row._asdict(),
        "period_from": found.period_from.value,
        "documents": found.documents,
        "reversals": found.reversals,
        "spend": sums_as_json(found.spend),
    }

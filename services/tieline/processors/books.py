"""books: what the ERP says of depreciation books becomes book events, and one document for each posted line."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from decimal import Decimal
from itertools import takewhile

from tieline.kernel.asset_records import AssetState
from tieline.kernel.book_records import (
    AssetBookChanged,
    BookFields,
    BookReport,
    BookState,
    DepreciationPosted,
    ScheduleLine,
)
from tieline.kernel.errors import Rejected
from tieline.kernel.records import Outbound, Typed
from tieline.kernel.tables import Table
from tieline.kernel.topic_names import BOOK_EVENTS, POSTING_EVENTS
from tieline.kernel.vocabulary import Accepted, Money
from tieline.processors.accepting import Posts, accepted_as
from tieline.processors.depreciation_runs import DepreciationRuns, PeriodOf
from tieline.processors.hearing import is_news, is_older
from tieline.processors.index import Index
from tieline.processors.orders import changed_names


class Books:
    """The books of all assets. The caller has made sure that an ERP speaks."""

    def __init__(self, assets: Table[AssetState], runs: DepreciationRuns, period_of: PeriodOf) -> None:
        self._assets = assets
        self._period_of = period_of
        self._runs = runs
        self._of_asset = Index()
        self.table: Table[BookState] = Table(
            "asset.book.state.v1",
            BookState,
            partition_by=lambda key: key.split("|", 1)[0],
            on_change=self._follow,
        )

    def of(self, asset_id: str) -> list[BookState]:
        """The books of one asset, by key."""
        return [row for key in self._of_asset.of(asset_id) if (row := self.table.get(key)) is not None]

    def accept(self, asset_id: str, report: BookReport) -> list[Outbound]:
        """The events of a book report; none for what is known. Raises ``Rejected`` for figures that cannot be."""
        fields, origin = report.fields, report.origin
        if fields.net_book_value != fields.gross_cost - fields.accumulated:
            # Invariant 11: a sum stays the sum of its parts.
            raise Rejected(
                f"{fields.net_book_value} is not gross cost {fields.gross_cost} less accumulated {fields.accumulated}",
                field="fields.net_book_value",
                remedy="correct the book in the ERP, then replay",
            )
        key = f"{asset_id}|{fields.book_id}"
        state = self.table.get(key)
        if state is not None and (state.fields == fields or is_older(origin, state.recorded_at)):
            if is_news(origin, state.recorded_at):
                self.table.put(key, state.model_copy(update={"recorded_at": origin.recorded_at}))
            return []
        version = (state.version if state else 0) + 1
        posted = _newly_posted(state.fields if state else None, fields)
        asset = self._assets.get(asset_id)
        company = asset.fields.company if asset else None
        periods = [self._period_of(company, fields.book_id, line) for line in posted]
        book = BookState(asset_id=asset_id, version=version, fields=fields, recorded_at=origin.recorded_at)
        self.table.put(key, book)
        changed = changed_names(state.fields if state else None, fields)
        accepted = accepted_as(version, origin, fields.as_of, changed)
        replaced = state is not None and replaces_plan(state.fields, fields)
        name = "DepreciationScheduleReplaced" if replaced else "AssetBookChanged"
        return [
            Outbound(
                BOOK_EVENTS,
                asset_id,
                Typed(name, AssetBookChanged(asset_id=asset_id, accepted=accepted, fields=fields)),
            ),
            *(
                _posting(asset_id, fields, line, accepted_as(version, origin, line.date, ("lines",), Posts(period)))
                for line, period in zip(posted, periods, strict=True)
            ),
        ]

    def _follow(self, key: str, old: BookState | None, new: BookState | None) -> None:
        self._runs.follow_book(key, old, new)
        asset_id = key.split("|", 1)[0]
        if new is not None:
            self._of_asset.add(asset_id, key)
        else:
            self._of_asset.drop(asset_id, key)


def replaces_plan(old: BookFields, new: BookFields) -> bool:
    """Whether the lines that are not posted are others than those planned before; a line being posted changes no plan.

    A book's first schedule replaces none.
    """
    if not old.lines:
        return False
    # Counted, because two postings may fall on one day.
    posted = Counter(line.date for line in new.lines if line.posted)
    posted.subtract(line.date for line in old.lines if line.posted)
    left: list[tuple[dt.date, Decimal]] = []
    for line in old.lines:
        if line.posted:
            continue
        if posted[line.date] > 0:
            posted[line.date] -= 1
        else:
            left.append((line.date, line.depreciation))
    planned = [(line.date, line.depreciation) for line in new.lines if not line.posted]
    return left != planned and Counter(left) != Counter(planned)  # in another order it is the same plan


def _newly_posted(old: BookFields | None, new: BookFields) -> list[ScheduleLine]:
    """Lines that are posted now and were not before: each is a financial document, published once (Invariant 3)."""
    known_lines = [line for line in old.lines if line.posted] if old else []
    posted_lines = [line for line in new.lines if line.posted]
    # Both begin alike, as a rule: what is the same line for line is known, and need not be counted.
    alike = sum(1 for _ in takewhile(_is_same, zip(known_lines, posted_lines, strict=False)))
    # Counted, because two postings may be alike in everything (T01).
    before = Counter(_identity(line) for line in known_lines[alike:])
    fresh: list[ScheduleLine] = []
    for line in posted_lines[alike:]:
        nameless = (line.date, line.depreciation, None)  # known before its document had a number
        known = next((found for found in (_identity(line), nameless) if before[found] > 0), None)
        if known is None:
            fresh.append(line)
        else:
            before[known] -= 1
    gone = sorted(identity[0] for identity in before.elements())
    if gone:
        raise Rejected(
            f"the posted depreciation of {gone[0]} is no longer posted",
            field="fields.lines",
            remedy="reverse a posting by a reversal in the ERP, do not remove or change it",
        )
    return fresh


def _posting(asset_id: str, book: BookFields, line: ScheduleLine, accepted: Accepted) -> Outbound:
    body = DepreciationPosted(
        asset_id=asset_id,
        book_id=book.book_id,
        accepted=accepted,
        amount=Money(amount=line.depreciation, currency=book.currency),
        accumulated_after=line.accumulated_after,
        net_book_value_after=line.net_book_value_after,
        scheduled_date=line.date,
        document=line.document,
    )
    return Outbound(POSTING_EVENTS, asset_id, Typed("DepreciationPosted", body))


def _is_same(lines: tuple[ScheduleLine, ScheduleLine]) -> bool:
    return _identity(lines[0]) == _identity(lines[1])


def _identity(line: ScheduleLine) -> tuple[dt.date, Decimal, str | None]:
    return line.date, line.depreciation, line.document

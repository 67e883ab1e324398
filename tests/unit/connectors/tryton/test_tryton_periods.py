"""Fiscal periods from Tryton: which number a period has in its year, whatever the year looks like."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pytest

from tieline.connectors.tryton import models, wire
from tieline.connectors.tryton.mapping import SNAPSHOT_STREAMS, STREAMS, Context, map_item
from tieline.connectors.tryton.streams import RECORDS, WATCHES
from tieline.kernel.calendars import FiscalPeriodKey, MonthCalendar, NamedAfter, WeekCalendar, Weekday
from tieline.kernel.errors import Rejected
from tieline.kernel.observing import observe_report
from tieline.kernel.period_records import FiscalPeriodReport
from tieline.kernel.protocols import RawItem

CONTEXT = Context("tryton", {}, "MAINT-EXPENSE")
STAMP = dt.datetime(2026, 11, 21, 10, 50, tzinfo=dt.UTC)
Span = tuple[dt.date, dt.date]


def report(
    name: str, standard: Sequence[Span], place: int, *, adjustments: Sequence[Span] = (), **changes: Any
) -> FiscalPeriodReport:
    """The report of the period at ``place`` in a year of these periods, in the order Tryton made them."""
    spans = [*((span, "standard") for span in standard), *((span, "adjustment") for span in adjustments)]
    rows = [{"id": n, "start_date": first, "type": kind} for n, ((first, _), kind) in enumerate(spans, 1)]
    (first, last), kind = spans[place]
    document = {
        "id": place + 1,
        "state": "open",
        "type": kind,
        "start_date": first,
        "end_date": last,
        "create_date": STAMP,
        "write_date": None,
        "create_uid": 1,
        "write_uid": None,
        "fiscalyear.": {
            "id": 1,
            "name": name,
            "start_date": standard[0][0],
            "end_date": standard[-1][1],
            "periods.": rows,
        },
        "company.": {"id": 1, "party.": {"id": 1, "code": "ACME"}, "currency.": {"id": 1, "code": "EUR"}},
    }
    item = RawItem("fiscal-periods", str(place + 1), wire.dumps(wire.encode({**document, **changes})))
    [found] = map_item(CONTEXT, item)
    assert isinstance(found, FiscalPeriodReport)
    return found


def months(start: int, count: int = 12) -> list[Span]:
    calendar = MonthCalendar(kind="months", start_month=start)
    return [calendar.dates_of(FiscalPeriodKey(2026, number)) for number in range(1, count + 1)]


def test_t11_january_is_period_010_of_an_april_year() -> None:
    found = report("FY 26/27", months(4), 9)
    assert (found.fields.first_date, found.fields.last_date) == (dt.date(2027, 1, 1), dt.date(2027, 1, 31))
    assert found.fields.period == "2027-010", "a year without a plain number is called after its end"
    assert report("2026", months(4), 9).fields.period == "2026-010"


def test_t11_periods_of_weeks_are_counted_not_calculated() -> None:
    retail = WeekCalendar(
        kind="weeks",
        pattern="4-5-4",
        last_weekday=Weekday.SATURDAY,
        last_month=1,
        year_end="nearest",
        named_after=NamedAfter.START,
    )
    year = [retail.dates_of(FiscalPeriodKey(2023, number)) for number in range(1, 13)]
    found = report("2023", year, 11)
    assert (found.fields.period, found.fields.first_date) == ("2023-012", dt.date(2023, 12, 31))


def test_t11_adjustment_periods_are_special_ones() -> None:
    day = (dt.date(2026, 12, 31), dt.date(2026, 12, 31))
    periods = [report("2026", months(1), place, adjustments=[day] * 4).fields.period for place in range(12, 16)]
    assert periods == ["2026-013", "2026-014", "2026-015", "2026-016"]


def test_a_month_has_its_number_although_earlier_ones_are_missing() -> None:
    year = months(1)
    sparse = [year[0], year[2], year[11]]
    assert report("2026", sparse, 1).fields.period == "2026-003"


def test_more_periods_than_a_year_can_have_are_refused() -> None:
    day = (dt.date(2026, 12, 31), dt.date(2026, 12, 31))
    with pytest.raises(Rejected) as caught:
        report("2026", months(1), 16, adjustments=[day] * 5)
    assert caught.value.field == "fiscalyear.periods"
    assert caught.value.remedy


@pytest.mark.parametrize(("written", "expected"), [(None, "1"), (STAMP + dt.timedelta(hours=1), "7")])
def test_who_changed_it_last_is_said_as_a_number(written: dt.datetime | None, expected: str) -> None:
    found = report("2026", months(1), 0, write_date=written, write_uid=7)
    assert found.fields.changed_by == expected
    assert found.origin.recorded_at == (written or STAMP)


def test_periods_are_followed_but_not_compared() -> None:
    documents = {"receipts", "supplier-invoices", "depreciation-runs"}
    movements = {"book-movements", "book-revisions", "movement-reversals"}
    references = {"cost-centres", "accounts", "asset-classes", "suppliers", "employees"}
    assert set(STREAMS) - set(SNAPSHOT_STREAMS) == {"fiscal-periods"} | documents | movements | references
    assert {watch.column for watch in WATCHES["fiscal-periods"]} == {"create_date", "write_date"}
    with pytest.raises(Rejected, match="not compared"):
        observe_report("run1", report("2026", months(1), 0))
    records = RECORDS["fiscal-periods"]
    assert (records.model, records.fields) == ("account.period", models.PERIOD_FIELDS)

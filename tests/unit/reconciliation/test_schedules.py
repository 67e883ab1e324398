"""An ERP's schedules against the reference: reported line by line, never drift, never repaired."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from tieline.depreciation.dialects import Dialect
from tieline.kernel.asset_records import FinancialStatus
from tieline.kernel.book_records import BookFields, ScheduleLine
from tieline.kernel.memory import DriftKind
from tieline.reconciliation.compare import Comparison, compare
from tieline.reconciliation.evidence import Placed
from tieline.reconciliation.repair import make_plan
from tieline.reconciliation.schedules import ScheduleCheck

if TYPE_CHECKING:
    from tests.unit.reconciliation.conftest import Estate

ERP, AM = "tryton", "unio24"


def linear(cost: str, *amounts: str) -> BookFields:
    """January 2026 on, a month each; what the amounts leave of the cost is what stays."""
    accumulated, lines = Decimal(0), []
    for month, amount in enumerate(amounts, 1):
        accumulated += Decimal(amount)
        lines.append(
            ScheduleLine(
                date=dt.date(2026, month + 1, 1) - dt.timedelta(days=1),
                depreciation=Decimal(amount),
                accumulated_after=accumulated,
                net_book_value_after=Decimal(cost) - accumulated,
                posted=False,
            )
        )
    return BookFields(
        book_id="main",
        currency="EUR",
        method="SL",
        gross_cost=Decimal(cost),
        salvage=Decimal(0),
        accumulated=Decimal(0),
        net_book_value=Decimal(cost),
        as_of=dt.date(2026, 1, 1),
        start_date=dt.date(2026, 1, 1),
        end_date=lines[-1].date,
        lines=tuple(lines),
    )


def put_book(estate: Estate, n: int, fields: BookFields) -> None:
    """Hub, ERP and asset management all show this book."""
    placed = estate.books[f"a{n}|main"]
    estate.books[f"a{n}|main"] = Placed(
        placed.row.model_copy(update={"fields": fields}), placed.partition, placed.offset
    )
    for system, native in ((ERP, f"{n}|main"), (AM, f"U{n}|main")):
        row = estate.observed[system][f"{system}/book/{native}"]
        estate.put(row.model_copy(update={"book": fields}))


RIGHT = linear("100.00", "33.33", "33.33", "33.34")
WRONG = linear("100.00", "33.33", "33.32", "33.35")


@pytest.fixture
def estate(make_estate: Callable[[int], Estate]) -> Estate:
    """Six assets, three of them with a right book."""
    made = make_estate(6)
    for n in (0, 2, 4):
        put_book(made, n, RIGHT)
    made.scope = replace(made.scope, dialects={ERP: Dialect.LINEAR_365})
    return made


def compared(estate: Estate) -> Comparison:
    return compare(estate.evidence(), estate.scope)


def test_schedules_that_are_right_say_nothing(estate: Estate) -> None:
    found = compared(estate)
    assert found.findings == []
    assert found.schedule_checks == [ScheduleCheck(ERP, compared=3, left_out=0)]


def test_t13_a_line_that_is_a_cent_off_is_named_with_both_values(estate: Estate) -> None:
    put_book(estate, 2, WRONG)
    found = compared(estate)
    seen = [
        (f.drift.canonical_id, f.drift.field, f.drift.expected, f.drift.found, f.drift.amount) for f in found.schedules
    ]
    assert seen == [
        (
            "a2",
            "schedule 2026-02-28",
            "33.33, accumulated 66.66, net 33.34",
            "33.32, accumulated 66.65, net 33.35",
            "-0.01",
        ),
        ("a2", "schedule 2026-03-31", "33.34", "33.35", "0.01"),
    ]
    assert {f.drift.kind for f in found.schedules} == {DriftKind.SCHEDULE}


def test_a_schedule_that_differs_is_no_drift_and_in_no_plan(estate: Estate) -> None:
    put_book(estate, 2, WRONG)
    found = compared(estate)
    assert (found.drifts, found.in_flight) == ([], [])
    assert found.consistency_percent == Decimal("100.00")
    assert make_plan(found, estate.evidence(), estate.scope).steps == []


@pytest.mark.parametrize("status", [FinancialStatus.DRAFT, FinancialStatus.CLOSED])
def test_only_running_assets_have_a_schedule_to_check(estate: Estate, status: FinancialStatus) -> None:
    put_book(estate, 2, WRONG)
    estate.edit_state(2, financial_status=status)
    estate.edit(ERP, 2, financial_status=status)
    found = compared(estate)
    assert found.schedules == []
    assert found.schedule_checks == [ScheduleCheck(ERP, compared=2, left_out=0)]


def test_what_cannot_be_computed_is_counted(estate: Estate) -> None:
    put_book(estate, 2, WRONG.model_copy(update={"method": "DB"}))
    found = compared(estate)
    assert (found.schedules, found.schedule_checks) == ([], [ScheduleCheck(ERP, compared=2, left_out=1)])


def test_a_book_under_way_is_looked_at_by_the_next_run(estate: Estate) -> None:
    put_book(estate, 2, WRONG)
    estate.move("books", "a2|main")
    assert compared(estate).findings == []


def test_a_system_without_a_dialect_is_left_alone(estate: Estate) -> None:
    put_book(estate, 2, WRONG)
    estate.scope = replace(estate.scope, dialects={})
    found = compared(estate)
    assert (found.schedules, found.schedule_checks) == ([], [])

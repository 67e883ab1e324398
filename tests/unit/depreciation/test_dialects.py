"""T16: an ERP's own schedules against its terms. Expected lines are worked out by hand from the ERP's documented rule.

Linear over 365 days, monthly: the value is divided by the whole months plus the part ones, a part being its days over
the month's (February: 28), each line rounded half to even, the last taking the rest; a start on the last day of a
period has no line of its own. Yearly: the same with 365 days a year.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from tests.unit.depreciation.bench import day

from tieline.depreciation.checking import LineDifference
from tieline.depreciation.dialects import Dialect, check_schedule
from tieline.kernel.book_records import BookFields, ScheduleLine


def erp_book(
    start: str,
    end: str,
    cost: str,
    lines: list[tuple[str, str]],
    *,
    salvage: str = "0",
    opening: str = "0",
    posted: int = 0,
) -> BookFields:
    """A book as an ERP shows it; ``lines`` are (date, depreciation), the first ``posted`` of them posted."""
    accumulated, made = Decimal(opening), []
    for place, (date, depreciation) in enumerate(lines):
        accumulated += Decimal(depreciation)
        made.append(
            ScheduleLine(
                date=day(date),
                depreciation=Decimal(depreciation),
                accumulated_after=accumulated,
                net_book_value_after=Decimal(cost) - accumulated,
                posted=place < posted,
            )
        )
    return BookFields(
        book_id="main",
        currency="EUR",
        method="SL",
        gross_cost=Decimal(cost),
        salvage=Decimal(salvage),
        accumulated=Decimal(opening),
        net_book_value=Decimal(cost) - Decimal(opening),
        as_of=day(start),
        start_date=day(start),
        end_date=day(end),
        lines=tuple(made),
    )


def differences(book: BookFields) -> tuple[LineDifference, ...] | None:
    return check_schedule(Dialect.LINEAR_365, book)


AGREEING = {
    # 12 of 31 days, two whole months, 19 of 30 days: 3.020430… months.
    "part months": erp_book(
        "2024-01-20",
        "2024-04-19",
        "1000.00",
        [("2024-01-31", "128.16"), ("2024-02-29", "331.08"), ("2024-03-31", "331.08"), ("2024-04-19", "209.68")],
    ),
    # 15 to 29 February 2024 is 15 days of 28; 14 days of 30 in April: 2.002381 months (15/28 + 1 + 14/30).
    "a start in a leap February": erp_book(
        "2024-02-15",
        "2024-04-14",
        "600.00",
        [("2024-02-29", "160.52"), ("2024-03-31", "299.64"), ("2024-04-14", "139.84")],
    ),
    # From the last day of January there is no January: February to April whole, 1,000 / 3.
    "a start on the last day of a month": erp_book(
        "2025-01-31",
        "2025-04-30",
        "1000.00",
        [("2025-02-28", "333.33"), ("2025-03-31", "333.33"), ("2025-04-30", "333.34")],
    ),
    # 90.30 / 12 = 7.525: half to even is 7.52 (7.53 if halves went up); the last takes the rest.
    "halves to even": erp_book(
        "2025-01-01",
        "2025-12-31",
        "90.30",
        [
            (f"2025-{m:02}-{d}", "7.52")
            for m, d in zip(range(1, 12), (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30), strict=True)
        ]
        + [("2025-12-31", "7.58")],
    ),
    # 1 July 2023 to 30 June 2026: 184 days, 2024 (366 days, counted 365), 365, 181 of 365: three years, 300 each.
    "yearly over a leap year": erp_book(
        "2023-07-01",
        "2026-06-30",
        "900.00",
        [("2023-12-31", "151.23"), ("2024-12-31", "300.00"), ("2025-12-31", "300.00"), ("2026-06-30", "148.77")],
    ),
    # 1 March 2025 to 29 February 2028: 306 days, two years, 60 days counted (with the 29th): 3.002740 years.
    "yearly to 29 February": erp_book(
        "2025-03-01",
        "2028-02-29",
        "3000.00",
        [("2025-12-31", "837.59"), ("2026-12-31", "999.09"), ("2027-12-31", "999.09"), ("2028-02-29", "164.23")],
    ),
    "a residual value stays": erp_book(
        "2025-01-01",
        "2025-03-31",
        "1000.00",
        [("2025-01-31", "300.00"), ("2025-02-28", "300.00"), ("2025-03-31", "300.00")],
        salvage="100.00",
    ),
    # 400 depreciated elsewhere before: 600 over three months.
    "taken over half-way": erp_book(
        "2025-01-01",
        "2025-03-31",
        "1000.00",
        [("2025-01-31", "200.00"), ("2025-02-28", "200.00"), ("2025-03-31", "200.00")],
        opening="400.00",
    ),
    # Four months planned; after January the life was extended to June: 750 over February to June.
    "revised after the first posting": erp_book(
        "2025-01-01",
        "2025-06-30",
        "1000.00",
        [("2025-01-31", "250.00")]
        + [(f"2025-{m:02}-{d}", "150.00") for m, d in ((2, 28), (3, 31), (4, 30), (5, 31), (6, 30))],
        posted=1,
    ),
}


@pytest.mark.parametrize("case", AGREEING)
def test_t16_a_schedule_by_the_erps_own_rule_agrees_to_the_cent(case: str) -> None:
    assert differences(AGREEING[case]) == ()


def moved(book: BookFields, place: int, by: str) -> BookFields:
    """The book with one line's depreciation off, and nothing else."""
    lines = list(book.lines)
    lines[place] = lines[place].model_copy(update={"depreciation": lines[place].depreciation + Decimal(by)})
    return book.model_copy(update={"lines": tuple(lines)})


@pytest.mark.parametrize("case", AGREEING)
def test_t16_a_cent_off_is_found_on_its_line(case: str) -> None:
    book = AGREEING[case]
    found = differences(moved(book, 1, "0.01"))
    assert found
    second = book.lines[1]
    [first] = [
        each for each in found if each.field == "depreciation" and each.held == second.depreciation + Decimal("0.01")
    ]
    assert first.period_end.replace(day=1) == second.date.replace(day=1)


def test_t12_a_revision_that_spreads_something_else_than_is_left_is_found() -> None:
    book = AGREEING["revised after the first posting"]
    off = moved(moved(book, 2, "1.00"), 3, "-1.00")
    assert differences(off)


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "DB"},
        {"start_date": None},
        {"end_date": None},
        {"lines": ()},
        {"lines": AGREEING["part months"].lines[:2]},
        {"salvage": Decimal("2000.00")},
    ],
    ids=["another method", "no start", "no end", "no lines", "too few lines", "salvage over the cost"],
)
def test_what_cannot_be_computed_is_not_called_equal(changes: dict[str, object]) -> None:
    assert differences(AGREEING["part months"].model_copy(update=changes)) is None


def test_a_line_that_is_not_there_is_found() -> None:
    book = AGREEING["halves to even"]
    found = differences(book.model_copy(update={"lines": (*book.lines[:4], *book.lines[5:])}))
    assert found is not None
    assert LineDifference(dt.date(2025, 5, 31), "depreciation", Decimal("7.52"), None) in found

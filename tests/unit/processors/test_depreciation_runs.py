"""A depreciation run is complete when every line is here."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from tests.unit.processors.bench import AM, ERP, NOW, Hub, asset, book, euros, named, origin

from tieline.kernel.book_records import (
    BookReport,
    DepreciationRunEvent,
    DepreciationRunFields,
    DepreciationRunReport,
    DepreciationRunState,
    RunStatus,
)

LINES = 100  # of 100.00 each, in the period 2026-001


def run(
    count: int = LINES, total: str = "10000.00", *, hours: int = 0, system: str = ERP, **changes: object
) -> DepreciationRunReport:
    values = {
        "company": "ACME",
        "book_id": "main",
        "period": "2026-001",
        "currency": "EUR",
        "expected_count": count,
        "control_total": Decimal(total),
        "status": RunStatus.COMPLETED,
    }
    said = origin(system, "depreciation-run", "R1")
    said = said.model_copy(update={"recorded_at": NOW + dt.timedelta(hours=hours)})
    return DepreciationRunReport(origin=said, fields=DepreciationRunFields.model_validate(values | changes))


def posted(number: int) -> BookReport:
    return book(str(number), posted=["01"])


def estate(count: int = LINES) -> Hub:
    """A hub that knows the assets and books of a company; nothing is posted."""
    hub = Hub()
    for number in range(count):
        hub.say(asset(ERP, str(number), company="ACME"), book(str(number)))
    return hub


def completed(hub: Hub) -> int:
    return len(named(hub.written, "DepreciationRunCompleted"))


def state(hub: Hub) -> DepreciationRunState:
    [row] = hub.rows(DepreciationRunState).values()
    return row


def test_t33_one_line_of_a_hundred_missing_keeps_the_run_incomplete() -> None:
    hub = estate()
    hub.say(*(posted(number) for number in range(LINES - 1)), run())
    assert completed(hub) == 0
    row = state(hub)
    assert (row.completed, row.posted_count, row.posted_total) == (False, 99, euros("9900.00"))
    assert "1 lines and 100.00 missing" in (row.missing or "")
    hub.say(posted(LINES - 1))  # the last line
    assert completed(hub) == 1
    assert (state(hub).completed, state(hub).missing) == (True, None)
    [event] = named(hub.written, "DepreciationRunCompleted")
    assert isinstance(event.body, DepreciationRunEvent)
    assert (event.body.run_id, event.body.accepted.posting_period) == ("ACME|main|2026-001", "2026-001")


@pytest.mark.parametrize(
    ("count", "total", "reason"),
    [(2, "200.01", "0 lines and 0.01 missing"), (1, "200.00", "-1 lines"), (3, "200.00", "1 lines")],
)
def test_t33_count_and_sum_must_both_agree(count: int, total: str, reason: str) -> None:
    hub = estate(2)
    hub.say(posted(0), posted(1), run(count, total))
    assert completed(hub) == 0
    assert reason in (state(hub).missing or "")


def test_t33_the_figures_may_come_before_the_lines() -> None:
    hub = estate(2)
    hub.say(run(2, "200.00"), posted(0), posted(1))
    assert completed(hub) == 1
    hub.say(run(2, "200.00"), posted(1))  # sent again
    assert completed(hub) == 1


def test_t33_a_book_with_another_line_in_the_period_adds_that_line_only() -> None:
    hub = estate(1)
    schedule = book("0", posted=["01", "02"]).fields.lines
    both = tuple(line.model_copy(update={"posting_period": "2026-001"}) for line in schedule)
    first = tuple(line.model_copy(update={"posted": line.date.month == 1}) for line in both)
    hub.say(run(2, "200.00"), book("0", posted=["01"], lines=first))
    assert (state(hub).posted_count, state(hub).posted_total) == (1, euros("100.00"))
    hub.say(book("0", posted=["01", "02"], lines=both))
    assert (state(hub).posted_count, state(hub).posted_total) == (2, euros("200.00"))
    assert completed(hub) == 1


def test_t33_lines_of_other_companies_books_and_periods_do_not_count() -> None:
    hub = estate(1)
    hub.say(asset(ERP, "8", company="OTHER"), posted(8))
    hub.say(book("0", posted=["02"]))
    hub.say(asset(ERP, "9", company="ACME"), book("9", posted=["01"], book_id="tax"))
    hub.say(run(1, "100.00"))
    assert state(hub).posted_count == 0


def test_t33_a_line_counts_for_the_company_its_asset_turns_out_to_have() -> None:
    hub = Hub()
    hub.say(asset(ERP, "1", asset_number="A1"), posted(1), run(1, "100.00"))
    assert state(hub).posted_count == 0
    hub.say(asset(ERP, "1", asset_number="A1", company="ACME"))
    assert completed(hub) == 1


def test_t33_a_run_that_goes_on_is_not_complete_and_an_older_word_changes_nothing() -> None:
    hub = estate(1)
    hub.say(posted(0), run(1, "100.00", status=RunStatus.RUNNING))
    assert state(hub).missing == "the ERP says the run is running"
    hub.say(run(1, "100.00", hours=1), run(5, "500.00", hours=0))
    assert (completed(hub), state(hub).completed) == (1, True)


def test_t33_only_the_erp_speaks_of_runs() -> None:
    hub = estate(1)
    hub.say(run(1, "100.00", system=AM))
    assert [rejection.field for rejection in hub.dead] == ["origin.system"]

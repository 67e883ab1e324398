"""Nothing is posted into a closed period, and nothing is dropped or re-dated (Invariant 10)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.processors.bench import (
    AM,
    ERP,
    NOW,
    Hub,
    asset,
    asset_events,
    book,
    cost,
    decode,
    euros,
    landscape,
    named,
    origin,
    settled,
)
from tests.unit.processors.test_accept import BEFORE, wrote

from tieline.kernel.asset_records import AssetEvent, AssetFields, AssetState, PhysicalStatus
from tieline.kernel.book_records import DepreciationPosted
from tieline.kernel.command_records import PostCost
from tieline.kernel.cost_records import CostEvent, CostState
from tieline.kernel.errors import Stop
from tieline.kernel.landscape import Fiscal
from tieline.kernel.memory import Conflict, PeriodHold
from tieline.kernel.ownership import load_ownership
from tieline.kernel.period_records import (
    FiscalPeriodFields,
    FiscalPeriodReport,
    FiscalPeriodState,
    PeriodEvent,
    PeriodStatus,
)
from tieline.kernel.records import Outbound
from tieline.processors.merging import merge_report
from tieline.processors.period_gate import PeriodGate, Post
from tieline.processors.postings import dates_to_post
from tieline.processors.wiring import build_processor

APRIL = {"calendars": {"april": {"kind": "months", "start_month": 4}}, "companies": {"ACME": {"calendar": "april"}}}
MARCH, APRIL_10, MAY_2 = dt.date(2026, 3, 17), dt.date(2026, 4, 10), dt.date(2026, 5, 2)
LAST_DAYS = {1: 31, 2: 28, 3: 31, 4: 30, 5: 31, 6: 30, 7: 31, 8: 31, 9: 30, 10: 31, 11: 30, 12: 31}
STATUSES = {"open": PeriodStatus.OPEN, "closing": PeriodStatus.CLOSING, "closed": PeriodStatus.CLOSED}


def hub_with(**fiscal: Any) -> Hub:
    return Hub(landscape().model_copy(update={"fiscal": Fiscal.model_validate(fiscal)}))


def period(month: int, status: str, **changes: Any) -> FiscalPeriodReport:
    """A calendar month of 2026 as its ERP period ``2026-<month>``."""
    values: dict[str, Any] = {
        "company": "ACME",
        "period": f"2026-{month:03}",
        "first_date": dt.date(2026, month, 1),
        "last_date": dt.date(2026, month, LAST_DAYS[month]),
        "status": STATUSES.get(status, PeriodStatus.UNKNOWN),
    }
    said = origin(ERP, "fiscal-period", str(month))
    if "recorded_at" in changes:
        said = said.model_copy(update={"recorded_at": changes.pop("recorded_at")})
    return FiscalPeriodReport(origin=said, fields=FiscalPeriodFields(**(values | changes)))


def costs_posted(written: list[Outbound]) -> list[CostEvent]:
    return [v.body for v in named(written, "CostPosted", "CostReversed") if isinstance(v.body, CostEvent)]


def holds(hub: Hub) -> list[PeriodHold]:
    return [row for _, row in sorted(hub.rows(PeriodHold).items())]


def period_events(written: list[Outbound]) -> list[tuple[str, PeriodEvent]]:
    names = ("PeriodOpened", "PeriodClosing", "PeriodClosed", "PeriodReopened")
    return [(v.name, v.body) for v in named(written, *names) if isinstance(v.body, PeriodEvent)]


# ---- T10: what falls in a closed period ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "words"),
    [("closed", "is closed"), ("closing", "is being closed"), ("?", "status the hub does not know")],
)
def test_t10_a_document_of_a_closed_period_is_held_where_it_is_seen(status: str, words: str) -> None:
    hub = Hub()
    written = hub.say(period(3, status), cost("WO1", effective_date=MARCH))
    assert costs_posted(written) == []
    assert hub.commands[ERP] == []
    assert hub.dead == [], "it is no fault of the document"
    [row] = holds(hub)
    assert row.reason.startswith("period 2026-003 of ACME ")
    assert words in row.reason
    assert (row.company, row.period, row.effective_date) == ("ACME", "2026-003", MARCH)
    assert row.cost is not None
    assert row.cost.fields.work_order == "WO1"
    assert hub.rows(CostState) == {}, "what is held is not yet the hub's word"


def test_t10_a_reopened_period_takes_its_document_with_its_own_date() -> None:
    hub = Hub()
    hub.say(period(3, "closed"), cost("WO1", effective_date=MARCH))
    [event] = costs_posted(hub.say(period(3, "open")))
    assert (event.accepted.effective_date, event.accepted.posting_period) == (MARCH, "2026-003")
    assert event.accepted.posting_date is None
    assert event.fields.effective_date == MARCH
    assert holds(hub) == []
    [command] = hub.commands[ERP]
    assert isinstance(command, PostCost)
    assert (command.fields.effective_date, command.posting_date) == (MARCH, None)


def test_t10_a_late_document_posts_in_the_next_open_period_and_keeps_its_date() -> None:
    hub = Hub()
    hub.say(period(3, "closed"), period(4, "closed"), cost("WO1", effective_date=MARCH))
    assert len(holds(hub)) == 1
    [event] = costs_posted(hub.say(period(5, "open")))
    assert (event.accepted.effective_date, event.fields.effective_date) == (MARCH, MARCH)
    assert (event.accepted.posting_period, event.accepted.posting_date) == ("2026-005", dt.date(2026, 5, 1))
    assert holds(hub) == []
    [command] = hub.commands[ERP]
    assert isinstance(command, PostCost)
    assert (command.fields.effective_date, command.posting_date) == (MARCH, dt.date(2026, 5, 1))
    [state] = hub.rows(CostState).values()
    assert state.posting_date == dt.date(2026, 5, 1), "a repair posts on the same date"


def test_t10_where_the_next_period_is_open_already_nothing_waits() -> None:
    hub = Hub()
    hub.say(period(5, "open"), period(4, "open"), period(3, "closed"))
    [event] = costs_posted(hub.say(cost("WO1", effective_date=MARCH)))
    assert (event.accepted.posting_period, event.accepted.effective_date) == ("2026-004", MARCH)


def test_t10_an_earlier_open_period_takes_nothing_later() -> None:
    hub = Hub()
    hub.say(period(2, "open"), period(3, "closed"), cost("WO1", effective_date=MARCH))
    assert len(holds(hub)) == 1


def test_t10_the_landscape_may_have_late_documents_wait_for_their_own_period() -> None:
    hub = hub_with(late="hold")
    hub.say(period(3, "closed"), cost("WO1", effective_date=MARCH))
    assert costs_posted(hub.say(period(4, "open"))) == []
    [event] = costs_posted(hub.say(period(3, "open")))
    assert event.accepted.posting_period == "2026-003"


def test_t10_the_documents_own_date_decides_not_todays() -> None:
    hub = Hub()
    hub.say(period(NOW.month, "closed"), cost("WO1", effective_date=MARCH))
    assert holds(hub) == [], "March is open, whatever month it is now"


def test_a_period_that_was_never_reported_counts_as_open() -> None:
    hub = Hub()
    [event] = costs_posted(hub.say(cost("WO1", effective_date=MARCH)))
    assert event.accepted.posting_period == "2026-003"


def test_the_landscape_may_require_that_periods_are_reported() -> None:
    hub = hub_with(periods="required")
    assert costs_posted(hub.say(cost("WO1", effective_date=MARCH))) == []
    [row] = holds(hub)
    assert row.reason == "period 2026-003 of ACME was never reported"
    assert len(costs_posted(hub.say(period(3, "open")))) == 1


def test_periods_of_another_company_release_nothing() -> None:
    hub = Hub()
    hub.say(period(3, "closed"), cost("WO1", effective_date=MARCH))
    assert costs_posted(hub.say(period(3, "open", company="OTHER"), period(4, "open", company="OTHER"))) == []


def test_the_ledgers_own_periods_go_before_the_companys() -> None:
    hub = hub_with(companies={"ACME": {"ledger": "main"}})
    hub.say(period(3, "open"), period(3, "closed", book="main"), period(4, "closed", book="tax"))
    assert costs_posted(hub.say(cost("WO1", effective_date=MARCH))) == []
    [event] = costs_posted(hub.say(cost("WO2", effective_date=APRIL_10)))
    assert event.accepted.posting_period == "2026-004", "another book's period closes nothing here"
    hub.say(period(5, "closed"))
    assert costs_posted(hub.say(cost("WO3", effective_date=MAY_2))) == [], "no word on the book: the company's counts"


# ---- T11: the fiscal calendar decides --------------------------------------------------------------------------


def april_year(number: int, status: str) -> FiscalPeriodReport:
    """Period ``number`` of the fiscal year April 2025 to March 2026, which is called 2025."""
    month = (number + 2) % 12 + 1
    year = 2025 if number <= 9 else 2026
    dates = {"first_date": dt.date(year, month, 1), "last_date": dt.date(year, month, LAST_DAYS[month])}
    return period(month, status, period=f"2025-{number:03}", **dates)


def test_t11_a_january_document_lands_in_period_010_of_an_april_year() -> None:
    hub = hub_with(**APRIL)
    [event] = costs_posted(hub.say(cost("WO1", effective_date=dt.date(2026, 1, 20))))
    assert event.accepted.posting_period == "2025-010"


def test_t11_period_010_of_an_april_year_closes_january_and_no_other_month() -> None:
    hub = hub_with(**APRIL)
    hub.say(april_year(10, "closed"))
    assert costs_posted(hub.say(cost("WO1", effective_date=dt.date(2026, 1, 20)))) == []
    assert len(costs_posted(hub.say(cost("WO2", effective_date=dt.date(2026, 10, 20))))) == 1
    [event] = costs_posted(hub.say(april_year(11, "open")))
    assert (event.accepted.posting_period, event.accepted.posting_date) == ("2025-011", dt.date(2026, 2, 1))


def test_t11_a_special_period_takes_no_late_document() -> None:
    hub = Hub()
    december = dt.date(2026, 12, 5)
    hub.say(period(12, "closed"), cost("WO1", effective_date=december))
    special = period(12, "open", period="2026-013")
    assert costs_posted(hub.say(special)) == []
    january = period(1, "open", period="2027-001", first_date=dt.date(2027, 1, 1), last_date=dt.date(2027, 1, 31))
    [event] = costs_posted(hub.say(january))
    assert event.accepted.posting_period == "2027-001"


@pytest.mark.parametrize(
    "wrong",
    [
        period(3, "closed", first_date=dt.date(2026, 6, 1), last_date=dt.date(2026, 6, 30)),
        period(3, "closed", last_date=dt.date(2026, 3, 30)),
        period(3, "closed", period="2026-017"),
        period(3, "closed", period="2026-013"),
    ],
)
def test_t11_a_period_of_another_calendar_is_refused_with_the_remedy(wrong: FiscalPeriodReport) -> None:
    hub = Hub()
    hub.say(wrong)
    assert hub.dead[0].field == "fields.period"
    assert "fiscal.companies" in (hub.dead[0].remedy or "")
    assert hub.rows(FiscalPeriodState) == {}


def test_a_date_of_no_fiscal_year_is_refused() -> None:
    hub = Hub()
    hub.say(cost("WO1", effective_date=dt.date(216, 3, 17)))
    assert hub.dead[0].field == "fields.effective_date"


# ---- order -----------------------------------------------------------------------------------------------------


def with_two_assets(**fiscal: Any) -> tuple[Hub, str, str]:
    """Assets 1 and 2, both in the books; March 2026 is closed and nothing after it is declared."""
    hub = hub_with(**fiscal)
    for number in ("1", "2"):
        hub.say(asset(AM, number, asset_number=f"FA{number}", company="ACME", location="L0"))
    hub.say(period(3, "closed"))
    first, second = (event.asset_id for _, event in asset_events(hub.written))
    return hub, first, second


def test_t23_what_follows_a_held_document_of_the_asset_waits_behind_it_and_others_go_on() -> None:
    hub, first, _ = with_two_assets()
    hub.say(cost("C1", "1", effective_date=MARCH))
    assert costs_posted(hub.say(cost("C2", "1", effective_date=MAY_2))) == []
    [other] = costs_posted(hub.say(cost("C3", "2", effective_date=MAY_2)))
    assert other.fields.work_order == "C3"
    assert [row.reason for row in holds(hub)][1].startswith("waits behind ")
    assert {row.lane for row in holds(hub)} == {f"asset/{first}"}
    released = costs_posted(hub.say(period(3, "open")))
    assert [event.fields.work_order for event in released] == ["C1", "C2"]
    assert [event.accepted.posting_period for event in released] == ["2026-003", "2026-005"]


def test_t23_a_follower_that_falls_in_a_closed_period_itself_goes_on_waiting() -> None:
    hub, _, _ = with_two_assets(late="hold")
    hub.say(period(4, "closed"))
    hub.say(cost("C1", "1", effective_date=MARCH), cost("C2", "1", effective_date=APRIL_10))
    assert [e.fields.work_order for e in costs_posted(hub.say(period(3, "open")))] == ["C1"]
    [row] = holds(hub)
    assert row.reason == "period 2026-004 of ACME is closed"
    assert [e.fields.work_order for e in costs_posted(hub.say(period(4, "open")))] == ["C2"]


def test_t23_a_held_disposal_is_not_overtaken_by_an_update() -> None:
    hub, first, _ = with_two_assets()
    gone: dict[str, Any] = {"asset_number": "FA1", "company": "ACME", "disposal_date": MARCH}
    assert asset_events(hub.say(asset(AM, "1", location="L1", **gone))) == []
    assert asset_events(hub.say(asset(AM, "1", location="L2", **gone))) == []
    names = [(n, e.fields.location, e.accepted.version) for n, e in asset_events(hub.say(period(3, "open")))]
    assert names == [("AssetDisposed", "L1", 2), ("AssetMoved", "L2", 3)]
    assert holds(hub) == []
    assert first in {event.asset_id for _, event in asset_events(hub.written)}


def test_t23_a_reversal_waits_with_the_document_it_reverses() -> None:
    hub = Hub()
    hub.say(period(3, "closed"), cost("C1", effective_date=MARCH))
    reversal = cost("C1R", None, "-80.00", "-20.50", reversal_of="C1", effective_date=MAY_2)
    assert costs_posted(hub.say(reversal, reversal)) == []
    released = named(hub.say(period(3, "open")), "CostPosted", "CostReversed")
    assert [value.name for value in released] == ["CostPosted", "CostReversed"]


def test_the_longest_waiting_lane_is_released_first() -> None:
    hub, _, _ = with_two_assets()
    hub.say(cost("C3", effective_date=MARCH), cost("C1", "2", effective_date=MARCH), cost("C2", effective_date=MARCH))
    assert [e.fields.work_order for e in costs_posted(hub.say(period(3, "open")))] == ["C3", "C1", "C2"]


def test_a_reversal_that_waits_on_after_its_document_does_not_double() -> None:
    hub = hub_with(late="hold")
    reversal = cost("C1R", None, "-80.00", "-20.50", reversal_of="C1", effective_date=APRIL_10)
    hub.say(period(3, "closed"), period(4, "closed"), cost("C1", effective_date=MARCH), reversal)
    assert len(costs_posted(hub.say(period(3, "open")))) == 1
    hub.say(reversal)
    assert len(holds(hub)) == 1
    assert [e.fields.work_order for e in costs_posted(hub.say(period(4, "open")))] == ["C1R"]


@pytest.mark.parametrize("amounts", [("-80.00", "-20.00"), ("-100.50",)])
def test_a_reversal_that_is_none_is_refused_when_it_comes_not_when_its_document_is_released(
    amounts: tuple[str, ...],
) -> None:
    hub = Hub()
    hub.say(period(3, "closed"), cost("C1", effective_date=MARCH))
    hub.say(cost("C1R", None, *amounts, reversal_of="C1", effective_date=MAY_2))
    assert hub.dead[0].field == "fields.lines"
    assert len(holds(hub)) == 1


def test_a_held_document_is_reversed_once() -> None:
    hub = Hub()
    hub.say(period(3, "closed"), cost("C1", effective_date=MARCH))
    for name in ("R1", "R1", "R2"):
        hub.say(cost(name, None, "-80.00", "-20.50", reversal_of="C1", effective_date=MAY_2))
    assert [rejection.field for rejection in hub.dead] == ["fields.reversal_of"]
    assert [e.fields.work_order for e in costs_posted(hub.say(period(3, "open")))] == ["C1", "R1"]


# ---- assets ----------------------------------------------------------------------------------------------------

BOOKABLE: dict[str, Any] = {"company": "ACME", "asset_class": "MACHINE", "acquisition_cost": euros("1200")}


def test_t10_a_disposal_in_a_closed_period_is_held_and_then_says_where_it_posts() -> None:
    hub, _, _ = with_two_assets()
    hub.say(asset(AM, "1", disposal_date=MARCH))
    [row] = holds(hub)
    assert (row.reason, row.effective_date) == ("period 2026-003 of ACME is closed", MARCH)
    [(name, event)] = asset_events(hub.say(period(4, "open")))
    assert (name, event.accepted.effective_date, event.fields.disposal_date) == ("AssetDisposed", MARCH, MARCH)
    assert (event.accepted.posting_period, event.accepted.posting_date) == ("2026-004", dt.date(2026, 4, 1))


def test_t10_coming_into_service_in_a_closed_period_is_held() -> None:
    hub = Hub()
    hub.say(period(3, "closed"))
    assert asset_events(hub.say(asset(AM, "9", in_service_date=MARCH, **BOOKABLE))) == []
    [(name, event)] = asset_events(hub.say(period(3, "open")))
    assert (name, event.fields.in_service_date, event.accepted.posting_period) == (
        "AssetRegistered",
        MARCH,
        "2026-003",
    )


def test_t10_a_date_known_before_posts_when_the_asset_first_reaches_the_books() -> None:
    hub = Hub()
    hub.say(period(3, "closed"))
    assert len(asset_events(hub.say(asset(AM, "9", company="ACME", in_service_date=MARCH)))) == 1
    assert asset_events(hub.say(asset(AM, "9", in_service_date=MARCH, **BOOKABLE))) == []
    assert len(holds(hub)) == 1


def test_t10_coming_into_service_without_a_date_counts_on_the_day_it_was_recorded() -> None:
    hub = Hub()
    hub.say(asset(AM, "9", **BOOKABLE), period(NOW.month, "closed"))
    in_service = asset(AM, "9", physical_status=PhysicalStatus.IN_SERVICE, **BOOKABLE)
    assert asset_events(hub.say(in_service)) == []
    [row] = holds(hub)
    assert row.effective_date == NOW.date()


def test_a_change_beside_a_date_that_is_posted_already_is_not_held() -> None:
    hub = Hub()
    hub.say(asset(AM, "9", location="L1", in_service_date=MARCH, **BOOKABLE), period(3, "closed"))
    [(name, event)] = asset_events(hub.say(asset(AM, "9", location="L2", in_service_date=MARCH, **BOOKABLE)))
    assert (name, event.accepted.posting_period) == ("AssetMoved", None)


def test_t10_an_asset_that_the_books_have_without_a_number_is_gated_too() -> None:
    hub = Hub()
    hub.say(asset(ERP, "5", serial_number="S", company="ACME"), asset(AM, "1", serial_number="S"), period(3, "closed"))
    assert asset_events(hub.say(asset(AM, "1", serial_number="S", disposal_date=MARCH))) == []
    assert len(holds(hub)) == 1


def test_a_date_that_the_books_said_is_no_posting_when_the_asset_reaches_them_again() -> None:
    old = AssetState(
        asset_id="a1",
        version=1,
        fields=AssetFields(company="ACME", in_service_date=MARCH),
        said_by={"company": ERP, "in_service_date": ERP},
        links={AM: "1"},
    )
    report = asset(AM, "1", **BOOKABLE)
    merged = merge_report(old, report, "asset-management", load_ownership())
    assert dates_to_post(old, merged, report, {ERP}) == []
    unsaid = old.model_copy(update={"said_by": {"in_service_date": AM}})
    again = merge_report(unsaid, report, "asset-management", load_ownership())
    assert dates_to_post(unsaid, again, report, {ERP}) == [("in_service_date", MARCH)]


def test_what_posts_nothing_in_an_erp_is_not_held() -> None:
    hub = Hub()
    hub.say(period(3, "closed"))
    assert len(asset_events(hub.say(asset(AM, "9", company="ACME", in_service_date=MARCH)))) == 1, (
        "no cost: no asset yet"
    )
    alone = Hub(landscape([("asset", ERP, AM)]))
    alone.say(period(3, "closed"))
    assert len(asset_events(alone.say(asset(AM, "9", in_service_date=MARCH, **BOOKABLE)))) == 1, "no flow to an ERP"


def test_what_the_books_say_is_posted_already_and_never_waits() -> None:
    hub = Hub()
    hub.say(asset(AM, "1", serial_number="S"), asset(ERP, "5", serial_number="S", **BOOKABLE), period(3, "closed"))
    hub.say(asset(AM, "1", serial_number="S", in_service_date=MARCH))
    assert len(holds(hub)) == 1
    [(_, event)] = asset_events(hub.say(asset(ERP, "5", serial_number="S", asset_number="FA1", **BOOKABLE)))
    assert event.fields.asset_number == "FA1"
    [(name, posted)] = asset_events(
        hub.say(asset(ERP, "5", serial_number="S", asset_number="FA1", in_service_date=MARCH, **BOOKABLE))
    )
    assert (name, posted.accepted.posting_period) == ("AssetPlacedInService", "2026-003")
    assert holds(hub) == [], "the books say it themselves: nothing is left to post"


def test_an_asset_that_names_no_company_is_of_the_default_one() -> None:
    hub = hub_with(default_company="ACME")
    hub.say(period(3, "closed"), asset(AM, "1", asset_number="FA1"))
    hub.say(asset(AM, "1", disposal_date=MARCH))
    assert [row.company for row in holds(hub)] == ["ACME"]


def test_without_a_company_a_required_period_holds_and_says_what_is_missing() -> None:
    hub = hub_with(periods="required")
    hub.say(asset(AM, "1", asset_number="FA1"), asset(AM, "1", disposal_date=MARCH))
    [row] = holds(hub)
    assert "fiscal.default_company" in row.reason


def test_a_depreciation_without_a_period_of_its_own_gets_the_calendars() -> None:
    hub = hub_with(**APRIL)
    hub.say(asset(ERP, "5", company="ACME"))
    report = book("5", ["01:D1", "05:D5"])
    lines = tuple(
        line.model_copy(update={"posting_period": None}) if line.date.month == 1 else line
        for line in report.fields.lines
    )
    written = hub.say(report.model_copy(update={"fields": report.fields.model_copy(update={"lines": lines})}))
    posted = [v.body for v in named(written, "DepreciationPosted") if isinstance(v.body, DepreciationPosted)]
    assert [p.accepted.posting_period for p in posted] == ["2025-010", "2026-005"], "what the ERP says stands"


# ---- duplicates, replays, bounds -------------------------------------------------------------------------------


def test_a_held_document_that_comes_again_does_not_double() -> None:
    hub, _, _ = with_two_assets()
    gone = asset(AM, "1", disposal_date=MARCH)
    hub.say(cost("C1", "2", effective_date=MARCH), gone)
    before = hub.memory()
    hub.say(cost("C1", "2", effective_date=MARCH), gone)
    assert hub.memory() == before
    written = hub.say(period(3, "open"))
    assert (len(costs_posted(written)), len(asset_events(written))) == (1, 1)
    assert costs_posted(hub.say(cost("C1", "2", effective_date=MARCH))) == []
    assert holds(hub) == []


def test_a_document_that_is_settled_is_known_also_while_others_wait() -> None:
    hub, _, _ = with_two_assets()
    hub.say(cost("C0", "1", effective_date=MAY_2), cost("C1", "1", effective_date=MARCH))
    hub.say(cost("C0", "1", effective_date=MAY_2))
    assert [row.canonical_id for row in holds(hub) if row.cost and row.cost.fields.work_order == "C0"] == []


def test_a_held_document_is_not_overwritten() -> None:
    hub = Hub()
    hub.say(period(3, "closed"), cost("C1", effective_date=MARCH))
    hub.say(cost("C1", None, "99.00", effective_date=MARCH))
    assert "reversal" in (hub.dead[0].remedy or "")
    [event] = costs_posted(hub.say(period(3, "open")))
    assert str(event.fields.total) == "100.50"


def test_an_asset_that_went_there_and_back_while_held_says_both() -> None:
    hub, _, _ = with_two_assets()
    for place in ("L1", "L2", "L1"):
        hub.say(asset(AM, "1", location=place, disposal_date=MARCH))
    released = [event.fields.location for _, event in asset_events(hub.say(period(3, "open")))]
    assert released == ["L1", "L2", "L1"]


def test_a_bad_document_is_refused_when_it_comes_also_into_a_lane_that_waits() -> None:
    hub, _, _ = with_two_assets()
    hub.say(cost("C1", "1", effective_date=MARCH))
    hub.say(cost("C2", "1", "1.00", total=euros("2").amount, effective_date=MARCH))
    assert hub.dead[0].field == "fields.total"
    assert len(holds(hub)) == 1


def restarted(hub: Hub, estate: Any = None) -> None:
    """Accept starts again: its tables are what its topics hold."""
    stage = hub.stages["accept"]
    stage.processor = build_processor("accept", estate or landscape(), lambda: NOW)
    tables = {table.topic: table for table in stage.processor.tables}
    for outbound in hub.written:
        if outbound.topic in tables and isinstance(outbound.key, str):
            value = outbound.value
            tables[outbound.topic].load(outbound.key, None if value is None or isinstance(value, bytes) else value.body)


def test_a_restart_forgets_neither_what_waits_nor_its_order() -> None:
    hub, _, _ = with_two_assets()
    hub.say(cost("C1", "1", effective_date=MARCH), cost("C2", "1", effective_date=MAY_2))
    hub.say(cost("C3", effective_date=MARCH))
    before = hub.memory()
    restarted(hub)
    assert hub.memory() == before
    hub.say(cost("C3R", None, "-80.00", "-20.50", reversal_of="C3", effective_date=MAY_2))
    released = [event.fields.work_order for event in costs_posted(hub.say(period(3, "open")))]
    assert released == ["C1", "C2", "C3", "C3R"]


def test_a_transaction_that_fails_changes_nothing_and_is_repeated_alike() -> None:
    hub, _, _ = with_two_assets()
    hub.say(cost("C1", "1", effective_date=MARCH), cost("C2", "1", effective_date=MAY_2))
    stage, before = hub.stages["accept"], hub.memory()
    hub.publish(period(3, "open"))
    record = stage.inbox.popleft()

    def attempt() -> list[Outbound]:
        return list(stage.processor.handle(record, decode(record.value or b"")))

    first = attempt()
    for table in stage.processor.tables:
        table.rollback()
    assert hub.memory() == before
    assert attempt() == first
    assert len(costs_posted(first)) == 2


def test_a_period_whose_report_was_undone_is_as_unknown_as_before() -> None:
    hub = Hub()
    stage = hub.stages["accept"]
    hub.publish(period(3, "closed"))
    record = stage.inbox.popleft()
    list(stage.processor.handle(record, decode(record.value or b"")))
    for table in stage.processor.tables:
        table.rollback()
    assert len(costs_posted(hub.say(cost("C1", effective_date=MARCH)))) == 1


def test_what_waits_is_bounded() -> None:
    hub = hub_with(max_held=2)
    hub.say(period(3, "closed"), cost("C1", effective_date=MARCH), cost("C2", effective_date=MARCH))
    hub.say(cost("C2", effective_date=MARCH))
    with pytest.raises(Stop, match=r"fiscal\.max_held"):
        hub.say(cost("C3", effective_date=MARCH))


def test_a_released_document_keeps_its_correlation() -> None:
    hub = Hub()
    hub.say(period(3, "closed"), cost("C1", effective_date=MARCH))
    [released] = [out for out in hub.say(period(3, "open")) if out.topic == "cost.document.event.v1"]
    assert released.headers["ce_correlationid"] == "c1"


def test_a_held_report_that_can_no_longer_be_accepted_stays_and_stops_no_other() -> None:
    hub = Hub(landscape(works="asset-management"))
    lost = cost("C1", effective_date=MARCH)
    lost = lost.model_copy(update={"origin": lost.origin.model_copy(update={"system": "works"})})
    hub.say(period(3, "closed"), lost, cost("C2", effective_date=MARCH))
    restarted(hub, landscape())  # a landscape without that system
    released = costs_posted(hub.say(period(3, "open")))
    assert [event.accepted.origin_system for event in released] == [AM]
    [row] = holds(hub)
    assert "'works' is not in the landscape" in row.reason
    restarted(hub, landscape(works="asset-management"))
    assert len(costs_posted(hub.say(period(3, "open")))) == 1


COSTS = [
    cost("C1", "1", effective_date=MARCH),
    cost("C2", "1", effective_date=APRIL_10),
    cost("C3", "1", effective_date=MAY_2),
    cost("C4", "2", effective_date=MARCH),
    cost("C5", "2", effective_date=MAY_2),
]
STATUS_WORDS = st.sampled_from(["open", "closing", "closed"])
REPORTS = st.one_of(st.sampled_from(COSTS), st.builds(period, st.sampled_from([3, 4, 5]), STATUS_WORDS))


@settings(max_examples=60, deadline=None)
@given(st.lists(REPORTS, max_size=20), st.sampled_from(["next-open", "hold"]))
def test_t10_whatever_opens_and_closes_each_document_posts_once_in_order_and_with_its_date(
    story: list[Any], late: str
) -> None:
    hub, _, _ = with_two_assets(late=late)
    open_now: dict[int, str] = {3: "closed"}
    for report in story:
        written = hub.say(report)
        if isinstance(report, FiscalPeriodReport):
            open_now[report.fields.first_date.month] = report.fields.status.value.lower()
        for event in costs_posted(written):
            month = int((event.accepted.posting_period or "")[-3:])
            assert open_now.get(month, "open") == "open", "nothing posts into a closed period"
    hub.say(period(3, "open"), period(4, "open"), period(5, "open"))
    posted = costs_posted(hub.written)
    arrived = [report for report in story if report in COSTS]
    for native_id in ("1", "2"):
        order = [r.fields.work_order for r in arrived if r.fields.asset_native_id == native_id]
        assert [e.fields.work_order for e in posted if e.fields.asset_native_id == native_id] == list(
            dict.fromkeys(order)
        )
    said = {report.fields.work_order: report.fields.effective_date for report in COSTS}
    assert all(event.accepted.effective_date == said[event.fields.work_order] for event in posted)
    assert holds(hub) == []


# ---- the audit -------------------------------------------------------------------------------------------------


def test_t10_a_reopening_says_who_and_why() -> None:
    hub = Hub()
    written = hub.say(
        period(3, "open"),
        period(3, "closing"),
        period(3, "closed"),
        period(3, "open", changed_by="17", reason="late invoices"),
    )
    events = period_events(written)
    assert [name for name, _ in events] == ["PeriodOpened", "PeriodClosing", "PeriodClosed", "PeriodReopened"]
    reopened = events[-1][1]
    assert reopened.period_id == "ACME|*|2026-003"
    assert (reopened.fields.changed_by, reopened.fields.reason) == ("17", "late invoices")
    assert (reopened.accepted.origin_system, reopened.accepted.recorded_at, reopened.accepted.version) == (ERP, NOW, 4)
    assert set(reopened.accepted.changed_fields) == {"status", "changed_by", "reason"}


def test_a_period_that_comes_again_is_no_event() -> None:
    hub = Hub()
    hub.say(period(3, "closed"))
    assert period_events(hub.say(period(3, "closed"), period(3, "closed", changed_by="9"))) == []
    [row] = hub.rows(FiscalPeriodState).values()
    assert (row.version, row.fields.changed_by) == (2, "9")


def test_an_older_word_does_not_reopen_a_period() -> None:
    hub = Hub()
    hub.say(period(3, "closed"), cost("C1", effective_date=MARCH))
    written = hub.say(period(3, "open", recorded_at=NOW - dt.timedelta(seconds=1)))
    assert (period_events(written), costs_posted(written)) == ([], [])
    assert len(holds(hub)) == 1


def test_only_the_erp_says_what_is_open() -> None:
    hub = Hub()
    report = period(3, "closed")
    hub.say(report.model_copy(update={"origin": report.origin.model_copy(update={"system": AM})}))
    assert hub.dead[0].field == "origin.system"
    assert hub.rows(FiscalPeriodState) == {}


def test_a_settled_link_is_no_posting() -> None:
    hub, first, _ = with_two_assets()
    hub.say(settled(ERP, first, "5"))
    events = [event for _, event in asset_events(hub.written) if isinstance(event, AssetEvent)]
    assert all(event.accepted.posting_period is None for event in events)


def test_an_older_word_on_a_period_is_older_than_the_last_repetition() -> None:
    later, between = NOW + dt.timedelta(minutes=10), NOW + dt.timedelta(minutes=5)
    hub = hub_with(periods="required", late="hold")
    hub.say(period(3, "closed"), period(3, "closed", recorded_at=later), cost("WO1", effective_date=MARCH))
    hub.say(period(3, "open", recorded_at=between))
    assert len(holds(hub)) == 1, "it is closed since the later word (Invariants 4 and 10)"


def test_what_waits_for_a_company_is_released_by_the_default_company_of_a_later_landscape() -> None:
    hub = hub_with(periods="required")
    hub.say(asset(AM, "1", asset_number="FA1"), asset(AM, "1", disposal_date=MARCH))
    [(key, row)] = hub.rows(PeriodHold).items()
    later = hub_with(periods="required", default_company="ACME")
    later.stages["accept"].table(PeriodHold).load(key, row)
    later.say(period(3, "open"))
    assert holds(later) == []
    assert later.dead == []


def test_a_word_on_a_period_tries_only_what_it_lets_go(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = hub_with(late="hold")
    hub.say(period(3, "closed"), period(4, "closed"))
    hub.say(*(cost(f"WO{n}", effective_date=MARCH if n else APRIL_10) for n in range(9)))
    tried: list[str] = []
    release = PeriodGate.release

    def note(self: PeriodGate, lane: str, post: Post) -> list[Outbound]:
        tried.append(lane)
        return release(self, lane, post)

    monkeypatch.setattr(PeriodGate, "release", note)
    hub.say(period(4, "open"))
    assert len(tried) == 1
    assert len(holds(hub)) == 8


def test_what_comes_to_the_front_of_its_lane_says_the_date_it_waits_for() -> None:
    hub = hub_with(late="hold")
    hub.say(period(3, "closed"), period(4, "closed"), asset(AM, "1", tag="T1", company="ACME"))
    hub.say(cost("WO1", "1", effective_date=MARCH))
    hub.say(
        asset(AM, "1", company="ACME", in_service_date=APRIL_10, acquisition_cost=euros("9.00"), asset_class="PUMP")
    )
    hub.say(period(3, "open"))
    [row] = holds(hub)
    assert (row.period, row.effective_date) == ("2026-004", APRIL_10)
    hub.say(period(4, "open"))
    assert holds(hub) == []


def test_a_released_report_does_not_take_back_what_the_books_said_since() -> None:
    hub = hub_with(late="hold")
    said = NOW - dt.timedelta(hours=1)
    disposed = asset(AM, "1", tag="T1", cost_centre="CC1", disposal_date=MARCH)
    hub.say(
        period(3, "closed"),
        asset(ERP, "5", tag="T1", asset_number="FA5", company="ACME", cost_centre="CC1"),
        disposed.model_copy(update={"origin": disposed.origin.model_copy(update={"recorded_at": said})}),
        asset(ERP, "5", tag="T1", asset_number="FA5", company="ACME", cost_centre="CC2"),
    )
    assert len(holds(hub)) == 1
    hub.say(period(3, "open"))
    assert (hub.the_asset().fields.disposal_date, hub.the_asset().fields.cost_centre) == (MARCH, "CC2")
    assert [(row.field, row.foreign_value) for row in hub.rows(Conflict).values()] == [("cost_centre", "CC1")]


def test_a_released_report_still_proposes_what_it_said_last() -> None:
    hub = hub_with(late="hold")
    hub.say(
        period(3, "closed"),
        asset(ERP, "5", tag="T1", asset_number="FA5", company="ACME", cost_centre="CC1"),
    )
    seen = wrote(asset(AM, "1", tag="T1", cost_centre="CC1"), hub.the_asset().asset_id, at=BEFORE)
    hub.follow(seen)
    hub.say(asset(AM, "1", tag="T1", cost_centre="CC9", disposal_date=MARCH), period(3, "open"))
    assert (hub.the_asset().fields.disposal_date, hub.the_asset().fields.cost_centre) == (MARCH, "CC9")

"""Disposal lag: from asset management's retirement to the ERP's closing, in event time."""

from __future__ import annotations

import datetime as dt
import itertools

from tieline.kernel.asset_records import AssetEvent, AssetFields, FinancialStatus, PhysicalStatus
from tieline.kernel.vocabulary import Accepted
from tieline.views.batch import figures_of
from tieline.views.disposals import Disposals, DisposalStatus, as_json

RETIRED, IN_SERVICE = PhysicalStatus.RETIRED, PhysicalStatus.IN_SERVICE
RUNNING, CLOSED = FinancialStatus.RUNNING, FinancialStatus.CLOSED


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(f"2026-{text}")


def said(
    version: int,
    recorded: str,
    *changed: str,
    physical: PhysicalStatus | None = IN_SERVICE,
    financial: FinancialStatus | None = RUNNING,
    disposed: str | None = None,
    asset_id: str = "a1",
) -> AssetEvent:
    """The asset's after-image, the day it was recorded, and the fields it changed."""
    accepted = Accepted(
        version=version,
        origin_system="unio24",
        origin_native_id="1",
        effective_date=day(recorded),
        recorded_at=dt.datetime.combine(day(recorded), dt.time(12), dt.UTC),
        changed_fields=changed,
    )
    fields = AssetFields(
        tag=f"T{version}",
        physical_status=physical,
        financial_status=financial,
        disposal_date=day(disposed) if disposed else None,
    )
    return AssetEvent(asset_id=asset_id, accepted=accepted, fields=fields, links={})


REGISTERED = said(1, "01-05", "physical_status", "financial_status")
GONE = said(2, "03-03", "physical_status", "disposal_date", physical=RETIRED, disposed="03-01")
SHUT = said(3, "03-21", "financial_status", physical=RETIRED, financial=CLOSED, disposed="03-01")
OTHER = said(1, "04-10", "physical_status", asset_id="a2")


def shown(disposals: Disposals) -> list[dict[str, object]]:
    found, after = disposals.page(limit=500)
    assert after is None
    return [as_json(disposal) for disposal in found]


def disposals_of(*events: AssetEvent) -> Disposals:
    return figures_of(events).disposals


def test_the_lag_is_from_the_retirement_to_the_day_the_erp_recorded_the_closing() -> None:
    wanted = {
        "asset_id": "a1",
        "tag": "T3",
        "status": "closed",
        "retired_on": "2026-03-01",
        "closed_on": "2026-03-21",
        "lag_days": 20,
        "age_days": None,
    }
    assert shown(disposals_of(REGISTERED, GONE, SHUT, OTHER)) == [wanted]


def test_the_age_of_an_open_one_is_counted_to_the_latest_event_of_any_asset() -> None:
    [open_one] = shown(disposals_of(REGISTERED, GONE))
    assert (open_one["status"], open_one["age_days"]) == ("open", 2)  # 1 March to 3 March
    disposals = disposals_of(REGISTERED, GONE, OTHER)
    [older] = shown(disposals)
    assert (older["lag_days"], older["age_days"]) == (None, 40)  # 1 March to 10 April
    assert disposals.longest_open_days() == 40
    assert disposals.event_time == day("04-10")


def test_events_read_twice_and_in_any_order_give_the_same() -> None:
    wanted = shown(disposals_of(REGISTERED, GONE, SHUT, OTHER))
    for events in itertools.permutations((REGISTERED, GONE, SHUT, OTHER)):
        assert shown(disposals_of(*events)) == wanted
        assert shown(disposals_of(*events, *events[:2])) == wanted


def test_event_time_never_goes_back() -> None:
    disposals = disposals_of(GONE, REGISTERED)
    assert disposals.event_time == day("03-03")
    assert disposals.longest_open_days() == 2  # 1 March to 3 March


def test_without_a_disposal_date_the_day_of_the_retirement_counts() -> None:
    retired = said(2, "03-03", "physical_status", physical=RETIRED)
    [found] = shown(disposals_of(REGISTERED, retired))
    assert found["retired_on"] == "2026-03-03"


def test_a_later_change_of_something_else_moves_neither_day() -> None:
    moved = said(4, "05-01", "location", physical=RETIRED, financial=CLOSED, disposed="03-01")
    [found] = shown(disposals_of(REGISTERED, GONE, SHUT, moved))
    assert (found["retired_on"], found["closed_on"], found["lag_days"]) == ("2026-03-01", "2026-03-21", 20)


def test_the_date_the_erp_gives_when_it_closes_does_not_hide_the_lag() -> None:
    retired = said(2, "03-03", "physical_status", physical=RETIRED)
    closed = said(3, "03-21", "financial_status", "disposal_date", physical=RETIRED, financial=CLOSED, disposed="03-21")
    [found] = shown(disposals_of(REGISTERED, retired, closed))
    assert (found["retired_on"], found["lag_days"]) == ("2026-03-03", 18)


def test_an_asset_taken_back_into_use_is_no_disposal() -> None:
    back = said(3, "03-09", "physical_status", "disposal_date")
    assert shown(disposals_of(REGISTERED, GONE, back)) == []


def test_a_closing_taken_back_is_open_again() -> None:
    reopened = said(4, "03-25", "financial_status", physical=RETIRED, disposed="03-01")
    [found] = shown(disposals_of(REGISTERED, GONE, SHUT, reopened))
    assert (found["status"], found["age_days"]) == ("open", 24)  # 1 March to 25 March


def test_what_was_never_in_the_books_is_not_waited_for() -> None:
    disposals = disposals_of(said(1, "03-01", "physical_status", physical=RETIRED, financial=None))
    assert [found["status"] for found in shown(disposals)] == ["not_in_books"]
    assert disposals.longest_open_days() is None


def test_what_the_erp_closed_while_it_is_in_use_is_shown_without_a_lag() -> None:
    closed = said(2, "03-21", "financial_status", "disposal_date", financial=CLOSED, disposed="03-20")
    [found] = shown(disposals_of(REGISTERED, closed))
    assert (found["status"], found["retired_on"], found["lag_days"]) == ("not_retired", None, None)


def test_a_retirement_after_the_closing_has_its_own_day_and_a_negative_lag() -> None:
    closed = said(2, "03-21", "financial_status", "disposal_date", financial=CLOSED, disposed="03-20")
    retired = said(3, "03-25", "physical_status", physical=RETIRED, financial=CLOSED, disposed="03-20")
    [found] = shown(disposals_of(REGISTERED, closed, retired))
    assert (found["status"], found["retired_on"], found["lag_days"]) == ("closed", "2026-03-25", -4)


def test_pages_of_one_status_follow_each_other_and_are_counted() -> None:
    events = [
        said(1, "03-01", "physical_status", "financial_status", physical=RETIRED, asset_id=f"a{n:02d}")
        for n in range(7)
    ]
    disposals = disposals_of(*events, SHUT)
    seen: list[str] = []
    after: str | None = ""
    while after is not None:
        found, after = disposals.page(status=DisposalStatus.OPEN, after=after, limit=3)
        seen += [disposal.asset_id for disposal in found]
    assert seen == [f"a{n:02d}" for n in range(7)]
    assert disposals.counts() == {"open": 7, "closed": 0, "not_retired": 1, "not_in_books": 0}

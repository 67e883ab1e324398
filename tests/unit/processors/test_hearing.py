"""Invariant 4 before the hub: an older word of a record, come late or come again, changes nothing."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from tests.unit.processors.bench import (
    AM,
    ERP,
    NOW,
    Hub,
    asset,
    asset_events,
    book,
    conflicts,
    cost,
    decided,
    links,
    order,
    origin,
)

from tieline.kernel.asset_records import AssetReport
from tieline.kernel.book_records import BookReport, BookState
from tieline.kernel.memory import PeriodHold
from tieline.kernel.order_records import ApprovalStatus, OrderFields, OrderReport, OrderState
from tieline.kernel.period_records import FiscalPeriodFields, FiscalPeriodReport, PeriodStatus

SAID = AssetReport | BookReport | OrderReport


def at(hours: int, report: SAID) -> SAID:
    recorded = report.origin.model_copy(update={"recorded_at": NOW + dt.timedelta(hours=hours)})
    return report.model_copy(update={"origin": recorded})


def bought(*, closed: bool) -> OrderReport:
    fields = OrderFields(
        company="ACME",
        currency="EUR",
        approval_status=ApprovalStatus.APPROVED,
        net_total=Decimal(0),
        lines=(),
        closed=closed,
    )
    return order("PO1", fields)


def test_an_older_version_after_a_newer_one_changes_nothing() -> None:
    hub = Hub()
    hub.say(at(0, asset(AM, "E1", location="A")), at(2, asset(AM, "E1", location="C")))
    assert asset_events(hub.say(at(1, asset(AM, "E1", location="B")))) == []
    assert hub.the_asset().fields.location == "C"


def test_an_older_version_after_one_that_said_nothing_new_changes_nothing() -> None:
    hub = Hub()
    hub.say(at(0, asset(AM, "E1", location="A")), at(2, asset(AM, "E1", location="A")))
    hub.say(at(1, asset(AM, "E1", location="B")))
    assert hub.the_asset().fields.location == "A"


def test_of_two_words_of_one_moment_the_later_to_come_counts() -> None:
    hub = Hub()
    hub.say(at(0, asset(AM, "E1", location="A")), at(0, asset(AM, "E1", location="B")))
    assert hub.the_asset().fields.location == "B"


def test_one_systems_clock_says_nothing_of_anothers() -> None:
    hub = Hub()
    hub.say(at(9, asset(AM, "E1", serial_number="S", location="A")))
    hub.say(at(0, asset(ERP, "F1", serial_number="S", asset_number="77")))
    assert hub.the_asset().fields.asset_number == "77"


def test_a_log_replayed_from_its_beginning_adds_no_event() -> None:
    hub = Hub()
    told = [
        at(hours, asset(AM, "E1", location=place, asset_class="X")) for hours, place in enumerate(("A", "B", "A", "C"))
    ]
    hub.say(*told)
    before = hub.the_asset()
    assert asset_events(hub.say(*told)) == []
    assert hub.the_asset() == before


def test_a_book_that_is_older_than_the_last_one_is_no_posting_taken_back() -> None:
    hub = Hub()
    hub.say(asset(ERP, "F1"), at(1, book("F1", ["01"])), at(2, book("F1", ["01", "02"])))
    written = hub.say(at(1, book("F1", ["01"])))
    assert hub.dead == []
    assert not [out for out in written if out.topic.startswith(("asset.", "depreciation."))]
    [state] = hub.rows(BookState).values()
    assert state.fields.accumulated == Decimal(200)


def test_an_older_order_does_not_come_back() -> None:
    hub = Hub()
    hub.say(at(1, bought(closed=False)), at(2, bought(closed=True)), at(1, bought(closed=False)))
    [state] = hub.rows(OrderState).values()
    assert (state.fields.closed, state.version) == (True, 2)


def test_a_word_that_says_nothing_new_of_order_or_book_makes_older_ones_old() -> None:
    hub = Hub()
    hub.say(asset(ERP, "F1"), at(1, book("F1", ["01"])), at(3, book("F1", ["01"])), at(2, book("F1", ["01", "02"])))
    hub.say(at(1, bought(closed=False)), at(3, bought(closed=False)), at(2, bought(closed=True)))
    [of_book] = hub.rows(BookState).values()
    [of_order] = hub.rows(OrderState).values()
    assert (of_book.fields.accumulated, of_order.fields.closed) == (Decimal(100), False)


def test_what_a_merge_tells_in_a_records_name_does_not_make_its_next_word_old() -> None:
    hub = Hub()
    hub.say(at(-2, asset(ERP, "F1", asset_number="1")), at(-2, asset(AM, "E1", location="A")))
    ids = links(hub)
    survivor, merged = ids[f"{ERP}/asset/F1"], ids[f"{AM}/asset/E1"]
    hub.say(decided("MERGE", canonical_id=survivor, other_id=merged))
    hub.say(at(-1, asset(AM, "E1", location="B")))  # recorded before the person decided
    states = hub.memory()["asset.asset.state.v1"]
    assert states[survivor].fields.location == "B"
    hub.say(decided("UNMERGE", canonical_id=survivor, other_id=merged))
    hub.say(at(-2, asset(AM, "E1", location="A")))
    assert hub.memory()["asset.asset.state.v1"][merged].fields.location == "B"


def test_t02_a_word_that_comes_again_takes_back_nothing_said_since() -> None:
    hub = Hub()
    booked = at(0, asset(ERP, "F1", serial_number="S", cost_centre="CC1"))
    seen = at(1, asset(AM, "E1", serial_number="S", cost_centre="CC1"))  # who moves it knew where it was
    hub.say(booked, seen, at(2, asset(AM, "E1", serial_number="S", cost_centre="CC2")))
    assert asset_events(hub.say(booked)) == []
    assert hub.the_asset().fields.cost_centre == "CC2"
    hub.say(at(3, asset(ERP, "F1", serial_number="S", cost_centre="CC3")))  # said anew: the owner's word stands
    assert hub.the_asset().fields.cost_centre == "CC3"


def test_a_word_that_comes_again_does_not_wait_behind_a_held_document() -> None:
    hub = Hub()
    november = FiscalPeriodFields(
        company="ACME",
        period="2026-011",
        first_date=dt.date(2026, 11, 1),
        last_date=dt.date(2026, 11, 30),
        status=PeriodStatus.CLOSED,
    )
    told = at(0, asset(AM, "E1", location="A"))
    hub.say(told, at(1, asset(AM, "E1", location="B")))
    hub.say(FiscalPeriodReport(origin=origin(ERP, "fiscal-period", "11"), fields=november), cost("WO1", "E1"))
    assert len(hub.rows(PeriodHold)) == 1
    hub.say(told, at(1, asset(AM, "E1", location="B")))
    assert len(hub.rows(PeriodHold)) == 1
    hub.say(at(2, asset(AM, "E1", location="C")))  # news waits its turn
    assert len(hub.rows(PeriodHold)) == 2


def test_a_word_that_comes_again_is_still_a_foreign_one() -> None:
    hub = Hub()
    left = at(0, asset(AM, "E1", serial_number="S", disposal_date=dt.date(2026, 11, 3)))
    hub.say(at(0, asset(ERP, "F1", serial_number="S")), left)
    hub.say(at(1, asset(ERP, "F1", serial_number="S", disposal_date=dt.date(2026, 11, 5))), left)
    assert ("disposal_date", AM) in conflicts(hub)

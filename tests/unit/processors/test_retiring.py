"""A thing that left stays gone, whatever comes late; what is said later brings it back."""

from __future__ import annotations

import datetime as dt
from itertools import permutations
from typing import Any

import pytest
from tests.unit.processors.bench import AM, ERP, NOW, Hub, asset, asset_events, conflicts

from tieline.kernel.asset_records import AssetReport, AssetState, FinancialStatus, PhysicalStatus

IN_SERVICE, RETIRED = PhysicalStatus.IN_SERVICE, PhysicalStatus.RETIRED
MAINTENANCE = PhysicalStatus.IN_MAINTENANCE
GONE = dt.date(2026, 10, 31)


def at(hours: int, system: str = AM, **fields: Any) -> AssetReport:
    """What a system recorded so many hours after NOW, whenever it arrives."""
    report = asset(system, "9" if system == AM else "5", serial_number="S", **fields)
    recorded = report.origin.model_copy(update={"recorded_at": NOW + dt.timedelta(hours=hours)})
    return report.model_copy(update={"origin": recorded})


def sold(hours: int) -> AssetReport:
    return at(hours, ERP, disposal_date=GONE, financial_status=FinancialStatus.CLOSED)


def test_t23_a_late_status_of_the_same_system_does_not_bring_a_retired_thing_back() -> None:
    hub = Hub()
    hub.say(at(0, physical_status=IN_SERVICE), at(3, physical_status=RETIRED))
    assert asset_events(hub.say(at(2, physical_status=MAINTENANCE))) == []
    assert hub.the_asset().fields.physical_status is RETIRED
    assert conflicts(hub) == set()  # its own later word explains it


def test_t23_a_late_status_of_the_other_system_is_a_conflict_not_a_return() -> None:
    hub = Hub()
    hub.say(at(0, physical_status=IN_SERVICE), at(0, ERP), sold(3))
    assert asset_events(hub.say(at(2, physical_status=MAINTENANCE))) == []
    assert hub.the_asset().fields.physical_status is IN_SERVICE
    assert conflicts(hub) == {("physical_status", AM)}
    hub.say(at(4, physical_status=RETIRED))
    assert conflicts(hub) == set()


def test_t23_a_disposal_before_the_create_is_not_undone_by_the_create() -> None:
    hub = Hub()
    hub.say(sold(3))
    late = hub.say(at(0, physical_status=IN_SERVICE, in_service_date=dt.date(2026, 1, 1), location="L1"))
    assert [name for name, _ in asset_events(late)] == ["AssetMoved"]  # neither registered nor placed in service
    fields = hub.the_asset().fields
    assert (fields.disposal_date, fields.physical_status) == (GONE, None)
    assert (fields.location, fields.in_service_date) == ("L1", dt.date(2026, 1, 1))


def test_t23_the_ledgers_older_word_does_not_open_the_books_again() -> None:
    hub = Hub()
    hub.say(sold(3), at(2, ERP, financial_status=FinancialStatus.RUNNING, disposal_date=dt.date(2026, 9, 30)))
    fields = hub.the_asset().fields
    assert (fields.financial_status, fields.disposal_date) == (FinancialStatus.CLOSED, GONE)


def test_t23_books_that_run_on_are_told_after_the_thing_is_gone() -> None:
    hub = Hub()
    hub.say(at(3, physical_status=RETIRED), at(2, ERP, financial_status=FinancialStatus.RUNNING))
    assert hub.the_asset().fields.financial_status is FinancialStatus.RUNNING


def test_t23_fully_depreciated_is_not_gone() -> None:
    hub = Hub()
    hub.say(at(3, ERP, financial_status=FinancialStatus.CLOSED), at(2, physical_status=MAINTENANCE))
    assert hub.the_asset().fields.physical_status is MAINTENANCE


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_t23_one_systems_words_in_any_order_end_as_recorded(order: tuple[int, ...]) -> None:
    words = [
        at(1, physical_status=IN_SERVICE),
        at(2, physical_status=RETIRED),
        at(3, physical_status=IN_SERVICE),
        at(4, physical_status=RETIRED),
    ]
    hub = Hub()
    hub.say(*(words[n] for n in order))
    assert hub.the_asset().fields.physical_status is RETIRED


def test_t22_a_return_recorded_after_the_disposal_is_one() -> None:
    hub = Hub()
    hub.say(at(0, physical_status=IN_SERVICE), at(1, physical_status=RETIRED))
    [(name, _)] = asset_events(hub.say(at(2, physical_status=IN_SERVICE)))
    assert (name, hub.the_asset().fields.physical_status) == ("AssetPlacedInService", IN_SERVICE)
    hub.say(at(1, physical_status=RETIRED))  # sent again
    assert hub.the_asset().fields.physical_status is IN_SERVICE


def test_t22_the_ledger_takes_a_disposal_back_and_disposes_again() -> None:
    hub = Hub()
    hub.say(at(0, physical_status=RETIRED), sold(1))
    [(name, event)] = asset_events(hub.say(at(3, ERP, financial_status=FinancialStatus.RUNNING)))
    assert (name, event.fields.disposal_date) == ("AssetChanged", None)
    assert "disposal_date" in event.accepted.changed_fields
    hub.say(sold(2))  # late
    assert hub.the_asset().fields.disposal_date is None
    hub.say(at(4, disposal_date=GONE, physical_status=RETIRED))  # asset management still shows what was taken back
    assert hub.the_asset().fields.disposal_date is None
    assert conflicts(hub) == {("disposal_date", AM)}
    [(again, disposed)] = asset_events(hub.say(sold(5)))
    assert (again, disposed.fields.disposal_date) == ("AssetDisposed", GONE)


def test_t22_asset_management_disposes_again_of_what_it_had_back() -> None:
    hub = Hub()
    hub.say(at(0, physical_status=RETIRED), sold(1), at(3, ERP, financial_status=FinancialStatus.RUNNING))
    hub.say(at(4, physical_status=IN_SERVICE))
    [(name, event)] = asset_events(hub.say(at(5, physical_status=RETIRED, disposal_date=dt.date(2026, 11, 20))))
    assert (name, event.fields.disposal_date) == ("AssetDisposed", dt.date(2026, 11, 20))


def test_t22_t24_a_disposal_keeps_the_state_and_writes_no_tombstone() -> None:
    hub = Hub()
    hub.say(at(0, physical_status=IN_SERVICE, location="L1"))
    written = hub.say(at(1, physical_status=RETIRED), sold(2), at(3, deleted=True))
    rows = [out for out in written if out.topic == "asset.asset.state.v1"]
    assert rows
    assert all(out.value is not None for out in rows)
    [state] = hub.rows(AssetState).values()
    assert (state.fields.physical_status, state.fields.location) == (RETIRED, "L1")

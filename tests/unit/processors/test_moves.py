"""A move, a change of cost centre and a posting are three things."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from tests.unit.processors.bench import AM, ERP, Hub, asset, asset_events, book

from tieline.kernel.asset_records import AssetReport
from tieline.kernel.time_slices import slice_history, value_on

LEDGER_TOPICS = {"depreciation.posting.event.v1", "cost.document.event.v1", "asset.book.event.v1"}


def on(day: int, system: str = AM, **fields: Any) -> AssetReport:
    """What a system recorded on a day of November 2026."""
    report = asset(system, "9" if system == AM else "5", serial_number="S", **fields)
    recorded = report.origin.model_copy(update={"recorded_at": dt.datetime(2026, 11, day, 8, tzinfo=dt.UTC)})
    return report.model_copy(update={"origin": recorded})


def standing() -> Hub:
    hub = Hub()
    hub.say(on(1, location="L1", cost_centre="CC1"), on(1, ERP, asset_number="A1", cost_centre="CC1"), book("5"))
    return hub


def test_t19_a_move_inside_a_cost_centre_is_no_ledger_event() -> None:
    hub = standing()
    written = hub.say(on(10, location="L2", cost_centre="CC1"))
    [(name, event)] = asset_events(written)
    assert (name, event.accepted.changed_fields, event.fields.cost_centre) == ("AssetMoved", ("location",), "CC1")
    assert event.accepted.posting_period is None
    assert LEDGER_TOPICS.isdisjoint(out.topic for out in written)


@pytest.mark.parametrize("day", [15, 30])
def test_t19_the_centre_at_the_end_of_the_month_gets_the_month(day: int) -> None:
    hub = standing()
    hub.say(on(day, cost_centre="CC2"))
    slices = slice_history(event for _, event in asset_events(hub.written))
    assert value_on(slices, dt.date(2026, 11, 30)) == "CC2"
    assert value_on(slices, dt.date(2026, 12, 31)) == "CC2"
    assert value_on(slices, dt.date(2026, 11, day - 1)) == "CC1"  # T20: what held before still did


def test_t19_a_change_after_the_end_of_the_month_leaves_the_month() -> None:
    hub = standing()
    hub.say(on(15, cost_centre="CC2"), on(30, location="L3"))
    later = on(1, cost_centre="CC3")
    recorded = later.origin.model_copy(update={"recorded_at": dt.datetime(2026, 12, 1, 8, tzinfo=dt.UTC)})
    hub.say(later.model_copy(update={"origin": recorded}))
    slices = slice_history(event for _, event in asset_events(hub.written))
    assert value_on(slices, dt.date(2026, 11, 30)) == "CC2"
    assert value_on(slices, dt.date(2026, 12, 31)) == "CC3"


def test_t19_a_change_of_centre_posts_nothing_by_itself() -> None:
    hub = standing()
    written = hub.say(on(15, cost_centre="CC2"))
    assert LEDGER_TOPICS.isdisjoint(out.topic for out in written)
    assert hub.the_asset().fields.cost_centre == "CC2"

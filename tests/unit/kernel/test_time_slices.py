"""T20: after a change of cost centre, an earlier period still shows the old one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.processors.bench import AM, Hub, asset, asset_events

from tieline.kernel.asset_records import AssetEvent, AssetFields
from tieline.kernel.time_slices import slice_history, value_on
from tieline.kernel.vocabulary import Accepted

D = dt.date


def event(version: int, day: dt.date, centre: str | None, *changed: str, asset_id: str = "A") -> AssetEvent:
    accepted = Accepted(
        version=version,
        origin_system="am",
        origin_native_id="1",
        effective_date=day,
        recorded_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        changed_fields=changed or ("cost_centre",),
    )
    return AssetEvent(asset_id=asset_id, accepted=accepted, fields=AssetFields(cost_centre=centre), links={})


HISTORY = [
    event(1, D(2026, 1, 10), "CC1"),
    event(2, D(2026, 3, 5), "CC1", "location"),
    event(3, D(2026, 4, 15), "CC2"),
    event(4, D(2026, 7, 1), "CC3"),
]


def shown(events: Sequence[AssetEvent]) -> list[tuple[object, str, str | None]]:
    return [
        (one.value, one.valid_from.isoformat(), one.valid_to.isoformat() if one.valid_to else None)
        for one in slice_history(events)
    ]


@given(st.permutations(HISTORY), st.lists(st.sampled_from(HISTORY), max_size=3))
def test_t20_every_centre_keeps_its_days(told: Sequence[AssetEvent], again: Sequence[AssetEvent]) -> None:
    assert shown([*told, *again]) == [
        ("CC1", "2026-01-10", "2026-04-14"),
        ("CC2", "2026-04-15", "2026-06-30"),
        ("CC3", "2026-07-01", None),
    ]


@pytest.mark.parametrize(
    ("day", "centre"),
    [
        (D(2026, 1, 9), None),
        (D(2026, 1, 10), "CC1"),
        (D(2026, 3, 31), "CC1"),
        (D(2026, 4, 14), "CC1"),
        (D(2026, 4, 15), "CC2"),
        (D(2026, 4, 30), "CC2"),  # T19: the centre of the month's last day has the month
        (D(2027, 1, 1), "CC3"),
    ],
)
def test_t20_a_day_shows_the_centre_of_that_day(day: dt.date, centre: str | None) -> None:
    assert value_on(slice_history(HISTORY), day) == centre


def test_t20_a_late_change_of_an_earlier_day_speaks_last() -> None:
    late = event(5, D(2026, 5, 1), "CC4")
    assert shown([*HISTORY, late])[1:] == [("CC2", "2026-04-15", "2026-04-30"), ("CC4", "2026-05-01", None)]


def test_the_same_centre_again_is_the_same_slice() -> None:
    assert shown([*HISTORY[:1], event(2, D(2026, 2, 1), "CC1")]) == [("CC1", "2026-01-10", None)]
    first, second = event(1, D(2026, 2, 1), "CC1"), event(2, D(2026, 2, 1), "CC2")
    assert shown([first, second]) == [("CC2", "2026-02-01", None)]


def test_a_time_without_a_centre_is_in_no_slice() -> None:
    told = [*HISTORY[:1], event(2, D(2026, 2, 1), None), event(3, D(2026, 3, 1), "CC2")]
    assert shown(told) == [("CC1", "2026-01-10", "2026-01-31"), ("CC2", "2026-03-01", None)]


def test_events_of_two_assets_are_refused() -> None:
    with pytest.raises(ValueError, match="more than one asset"):
        slice_history([HISTORY[0], event(2, D(2026, 2, 1), "CC1", asset_id="B")])


def test_t20_the_hubs_own_events_give_the_history() -> None:
    hub = Hub()
    for month, centre in ((5, "CC1"), (6, "CC2")):
        report = asset(AM, "9", serial_number="S", cost_centre=centre, location=f"L{month}")
        recorded = report.origin.model_copy(update={"recorded_at": dt.datetime(2026, month, 10, 12, tzinfo=dt.UTC)})
        hub.say(report.model_copy(update={"origin": recorded}))
    events = [body for _, body in asset_events(hub.written)]
    history = slice_history(events)
    assert [value_on(history, day) for day in (D(2026, 5, 31), D(2026, 6, 9), D(2026, 6, 10))] == ["CC1", "CC1", "CC2"]
    assert history[-1].value == hub.the_asset().fields.cost_centre
    assert [one.value for one in slice_history(events, "location")] == ["L5", "L6"]

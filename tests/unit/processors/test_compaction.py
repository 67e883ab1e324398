"""T24: compaction hides what was in between; who audits reads the event topics, which hide nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import yaml
from tests.unit.processors.bench import AM, ERP, Hub, asset, asset_events

from tieline.kernel.asset_records import AssetReport, AssetState
from tieline.kernel.inspecting import LogReader
from tieline.kernel.records import Outbound, Typed
from tieline.kernel.time_slices import slice_history, value_on
from tieline.operating.life import keys_by_topic

TOPICS = Path(__file__).parents[3] / "topics"
STATE = "asset.asset.state.v1"


def on(day: int, location: str, centre: str) -> AssetReport:
    """Asset management's word of a day of November 2026."""
    report = asset(AM, "9", serial_number="S", location=location, cost_centre=centre)
    recorded = report.origin.model_copy(update={"recorded_at": dt.datetime(2026, 11, day, 8, tzinfo=dt.UTC)})
    return report.model_copy(update={"origin": recorded})


def compacted(written: Iterable[Outbound], topic: str) -> list[AssetState]:
    """What is left of a compacted topic: the last record of each key."""
    last = {out.key: out.value for out in written if out.topic == topic}
    return [v.body for v in last.values() if isinstance(v, Typed) and isinstance(v.body, AssetState)]


def moved_away_and_back() -> Hub:
    hub = Hub()
    hub.say(on(1, "L1", "CC1"), on(10, "L2", "CC2"), on(20, "L3", "CC3"), on(28, "L1", "CC1"))
    return hub


def test_t24_state_shows_only_where_it_ended_events_show_where_it_was() -> None:
    hub = moved_away_and_back()
    [state] = compacted(hub.written, STATE)
    assert (state.fields.location, state.fields.cost_centre) == ("L1", "CC1")
    events = [event for _, event in asset_events(hub.written)]
    assert [event.fields.location for event in events] == ["L1", "L2", "L3", "L1"]
    assert [event.accepted.version for event in events] == [1, 2, 3, 4]
    assert state.version == events[-1].accepted.version


def test_t24_what_a_reader_of_state_would_call_unchanged_a_reader_of_events_dates() -> None:
    slices = slice_history(event for _, event in asset_events(moved_away_and_back().written))
    asked = [value_on(slices, dt.date(2026, 11, day)) for day in (5, 15, 25, 29)]
    assert asked == ["CC1", "CC2", "CC3", "CC1"]


def test_t24_the_life_of_an_asset_is_told_from_events_and_reports_never_from_state() -> None:
    log = cast("LogReader", SimpleNamespace(landscape=SimpleNamespace(systems={ERP: None, AM: None})))
    topics = set(keys_by_topic(log, "a1", (), ()))
    assert {"asset.asset.event.v1", "asset.book.event.v1", "cost.document.event.v1"} <= topics
    assert [topic for topic in topics if ".state." in topic] == []


def test_t24_no_event_topic_is_ever_compacted() -> None:
    policies = {
        file.stem: yaml.safe_load(file.read_text(encoding="utf-8"))["spec"]["configs"]["cleanup.policy"]
        for file in TOPICS.glob("*.event.v1.yaml")
    }
    assert len(policies) > 5
    assert set(policies.values()) == {"delete"}

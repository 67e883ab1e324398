"""A wall clock that is set, forward or backward, while the hub works: nothing is lost, doubled or out of order."""

from __future__ import annotations

import datetime as dt

import pytest
from tests.simulation.estate import AM, ERP, Estate, estate
from tests.simulation.test_lanes import SINK, create, hand_on, watch
from tests.simulation.test_simulation import check, live, thing

from tieline.kernel.asset_records import PhysicalStatus

HOUR = dt.timedelta(hours=1)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("step", [HOUR, -HOUR, dt.timedelta(days=-400)], ids=str)
def test_a_clock_that_is_set_between_events_changes_nothing(seed: int, step: dt.timedelta) -> None:
    with estate(seed) as hub:
        sets = [step, -step, step]

        def set_clock() -> None:
            if sets:
                hub.time.wrong_by += sets.pop()

        live(hub, between=set_clock)
        began_secs = hub.time.monotonic()
        hub.rest()
        assert hub.time.monotonic() - began_secs < 1800.0, "no pause waits for the clock"
        check(hub)


@pytest.mark.parametrize("step", [HOUR, -HOUR], ids=str)
def test_a_pause_of_a_target_ends_when_it_would_have(step: dt.timedelta) -> None:
    with estate(1) as hub:
        watch(hub)
        hub.trouble.fates = ["out"] * 3
        hub.systems[AM].create(thing(0).model_copy(update={"physical_status": PhysicalStatus.IN_SERVICE}))
        hand_on(hub)
        for _ in range(4):
            hub.step(SINK)
        assert [event for event, _ in hub.notes.seen if event == "target-paused"], "the target is out"
        hub.time.wrong_by = step
        paused_secs = hub.metrics.value("tieline_target_paused_seconds", target=ERP) or 0.0
        assert 0.0 <= paused_secs < 60.0, "a set clock makes no outage longer"
        began_secs = hub.time.monotonic()
        while not hub.systems[ERP].records:
            hub.step(SINK)
            assert hub.time.monotonic() - began_secs < 300.0
        hub.rest()
        check(hub)


def test_a_clock_that_is_set_back_makes_no_age_and_no_latency_negative() -> None:
    with estate(1) as hub:
        watch(hub, lambda _: 5.0)
        create(hub, 0)
        hand_on(hub)
        for _ in range(4):
            hub.step(SINK)
        hub.time.wrong_by = -HOUR
        assert below_zero(hub) == []
        hub.rest()
        assert below_zero(hub) == []
        check(hub)


def below_zero(hub: Estate) -> list[str]:
    """Series of the metrics page whose value is negative."""
    lines = [line for line in hub.metrics.expose().decode().splitlines() if line and not line.startswith("#")]
    assert any(line.startswith("tieline_turn_age_seconds") for line in lines)
    return [line for line in lines if float(line.rsplit(" ", 1)[1]) < 0]

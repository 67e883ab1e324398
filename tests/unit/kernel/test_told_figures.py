"""Figures that say what comes next and when: the next try, the next call, and that Kafka is waited for."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import cast

import pytest
from tests.simulation.virtual_time import VirtualLoop, VirtualTime

from tieline.connectors.kit.governor import Governor
from tieline.kernel import consuming
from tieline.kernel import metrics as metrics_module
from tieline.kernel.consuming import Runtime, patiently
from tieline.kernel.errands import Priority, errand
from tieline.kernel.errors import Retryable
from tieline.kernel.guarding import Gate
from tieline.kernel.metering import SourceMeter, follow_account
from tieline.kernel.metrics import Metrics
from tieline.kernel.protocols import Connector
from tieline.kernel.quotas import Allowance, DailyPool, Quota, Rate
from tieline.kernel.retry_budget import FEW, WINDOW_SECS, RetryBudget
from tieline.kernel.watchdog import Watchdog


def test_a_process_shows_that_it_waits_for_kafka_as_long_as_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consuming, "time", VirtualTime())
    metrics = Metrics()
    seen: list[float | None] = []

    def start() -> None:
        seen.append(metrics.value("tieline_broker_away"))
        if len(seen) < 3:
            raise Retryable("the registry does not answer")

    log = SimpleNamespace(warning=lambda *_, **__: None)
    patiently(
        start, cast("Runtime", SimpleNamespace(metrics=metrics, log=log, stopping=lambda: False, watchdog=Watchdog()))
    )
    assert seen == [0.0, 1.0, 1.0]
    assert metrics.value("tieline_broker_away") == 0.0


def test_a_gate_tells_when_the_next_retry_may_go_out() -> None:
    time = VirtualTime()
    gate = Gate(time.monotonic)
    assert gate.spent_secs() == 0.0
    budget = RetryBudget()
    for _ in range(FEW):
        budget = budget.retried(time.monotonic())
    gate._budget = budget
    assert gate.spent_secs() == WINDOW_SECS + 1
    time.sleep(20.0)
    assert gate.spent_secs() == WINDOW_SECS + 1 - 20.0
    time.sleep(42.0)
    assert gate.spent_secs() == 0.0


def call(governor: Governor, loop: VirtualLoop, times: int) -> None:
    async def one() -> None:
        with errand(Priority.LIVE):
            async with governor.slot():
                pass

    for _ in range(times):
        loop.run_until_complete(one())


def test_an_account_tells_when_each_pool_has_room_again_and_when_it_gives_the_next_call() -> None:
    time = VirtualTime()  # it is 08:00 UTC
    loop = VirtualLoop(time)
    allowance = Allowance(
        rates=(Rate(calls=3, per_secs=60.0),),
        daily=DailyPool(calls=300, resets_at="09:00"),
        account=Quota(reserve_percent=0),
    )
    governor = Governor("A", allowance, most_concurrent=8, clock=time.now, monotonic=time.monotonic)
    metrics = Metrics()
    follow_account(metrics, "sink-erp", "erp", cast("Connector", SimpleNamespace(account=governor)))
    where = {"consumer": "sink-erp", "system": "erp"}
    try:
        call(governor, loop, 2)
        assert governor.reset_secs() == {"60s": 0.0, "day": 3600.0}
        assert governor.closed_secs(Priority.LIVE) == 0.0
        time.sleep(10.0)
        call(governor, loop, 1)
        time.sleep(5.0)
        assert governor.reset_secs() == {"60s": 45.0, "day": 3585.0}  # the first of the three was 15 s ago
        assert metrics.value("tieline_account_closed_seconds", **where) == 45.0
        assert metrics.value("tieline_quota_reset_seconds", **where, pool="60s") == 45.0
        assert metrics.value("tieline_quota_left_calls", **where, pool="60s") == 0.0
        time.sleep(45.0)
        assert governor.closed_secs(Priority.LIVE) == 0.0
    finally:
        loop.close()


def test_a_source_is_failing_from_its_first_failure_until_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    time = VirtualTime()
    monkeypatch.setattr(metrics_module, "time", time)
    metrics = Metrics()
    meter = SourceMeter("am", 5.0, metrics, time.now)
    meter.planned(lambda: 7.0)

    def failing() -> float | None:
        return metrics.value("tieline_source_failing_seconds", system="am")

    time.sleep(30.0)
    assert failing() == 0.0, "not yet read is not failing"
    meter.failed()
    time.sleep(4.0)
    meter.failed()
    time.sleep(4.0)
    assert failing() == dt.timedelta(seconds=8).total_seconds()
    assert metrics.value("tieline_source_next_read_seconds", system="am") == 7.0
    meter.polled()
    assert failing() == 0.0

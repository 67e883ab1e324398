"""From the landscape's quota to the calls of one process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tieline.accounts import part_of, quota_of
from tieline.checking import check_landscape
from tieline.connectors.kit.governor import Governor
from tieline.kernel.errors import Stop
from tieline.kernel.landscape import load_landscape
from tieline.kernel.manifests import read_fleet
from tieline.kernel.metering import follow_account
from tieline.kernel.metrics import Metrics
from tieline.kernel.quotas import Caller, Quota, Rate
from tieline.wiring import open_hub


def limit(path: Path, quota: str, system: str = "unio24") -> int:
    """Give a system a quota; the number of its line."""
    text = path.read_text(encoding="utf-8")
    connector = f"    connector: {system}"
    assert text.count(connector) == 1
    path.write_text(text.replace(connector, f"    quota: {quota}\n{connector}"), encoding="utf-8")
    return text[: text.index(connector)].count("\n") + 1


def governor_of(path: Path, caller: Caller, system: str = "unio24") -> Governor:
    account = open_hub(path).connect(system, caller).account
    assert isinstance(account, Governor)
    return account


@pytest.mark.parametrize("system", ["unio24", "tryton"])
def test_source_and_sink_each_have_their_part_of_what_the_reserve_leaves(demo: Path, system: str) -> None:
    limit(demo, "{concurrent: 10, rates: [{calls: 120, per_secs: 60}], reserve_percent: 50}", system)
    assert check_landscape(demo) == []
    parts = {caller: governor_of(demo, caller, system).left() for caller in (Caller.SOURCE, Caller.SINK)}
    allowed = {caller: part_of(load_landscape(demo), system, caller) for caller in parts}
    assert {caller: [rate.calls for rate in part.rates] for caller, part in allowed.items() if part} == {
        "source": [24],
        "sink": [36],
    }
    # The process before may have used them up a moment ago.
    assert {caller: part["60s"] for caller, part in parts.items()} == {"source": 0, "sink": 0}
    if system == "unio24":  # the demo's Tryton has one connection a process, whatever its account may
        assert {caller: part["concurrent"] for caller, part in parts.items()} == {"source": 2, "sink": 3}


def test_without_a_quota_the_connections_of_a_process_are_the_limit(demo: Path) -> None:
    assert governor_of(demo, Caller.SINK).left() == {"concurrent": 64}
    assert governor_of(demo, Caller.OPERATOR, "tryton").left() == {"concurrent": 1}


def test_who_has_no_share_may_not_call(demo: Path) -> None:
    limit(demo, "{concurrent: 10}")
    with pytest.raises(Stop, match=r"systems\.unio24\.quota\.shares: operator has none, so it may not call"):
        open_hub(demo).connect("unio24")


def test_what_cannot_be_kept_is_refused_with_its_line(demo: Path) -> None:
    line = limit(demo, "{concurrent: 1}")
    (fault,) = check_landscape(demo)
    assert fault.startswith(f"{demo}:{line}: systems.unio24.quota: ")
    assert "lower reserve_percent" in fault


def test_a_connector_that_calls_nobody_takes_no_quota(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit(demo, "{concurrent: 10}")
    module = "tieline.connectors.unio24.connector"

    def connect(system: str, settings: Any) -> None:
        raise AssertionError(system, settings)

    monkeypatch.setattr(f"{module}.connect", connect)
    (fault,) = check_landscape(demo)
    assert "its connector makes no calls that could be limited" in fault
    with pytest.raises(Stop, match="makes no calls that could be limited"):
        open_hub(demo).connect("unio24", Caller.SINK)


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connector whose manifest states a quota."""
    stated = Quota(concurrent=5, rates=(Rate(calls=120, per_secs=60),))
    manifests = {**read_fleet(), "unio24": read_fleet()["unio24"].model_copy(update={"quota": stated})}
    monkeypatch.setattr("tieline.accounts.manifest_of", manifests.get)


@pytest.mark.usefixtures("states")
def test_what_the_manifest_states_holds_until_the_landscape_says_otherwise(demo: Path) -> None:
    assert quota_of(load_landscape(demo), "unio24") == Quota(concurrent=5, rates=(Rate(calls=120, per_secs=60),))
    limit(demo, "{concurrent: 15}")
    landscape = load_landscape(demo)
    assert quota_of(landscape, "unio24") == Quota(concurrent=15, rates=(Rate(calls=120, per_secs=60),))
    part = part_of(landscape, "unio24", Caller.SINK)
    assert part is not None
    assert (part.concurrent, part.rates[0].calls) == (7, 58)
    assert part_of(landscape, "tryton", Caller.SINK) is None


@pytest.mark.usefixtures("states")
def test_what_only_both_together_cannot_keep_is_said_by_the_check(demo: Path) -> None:
    line = limit(demo, "{reserve_percent: 90}")
    faults = [fault for fault in check_landscape(demo) if "quota" in fault]
    assert len(faults) == 1
    assert faults[0].startswith(f"{demo}:{line}: systems.unio24.quota: with what the manifest of unio24 says: ")


def test_every_figure_of_an_account_is_shown(demo: Path) -> None:
    limit(demo, "{concurrent: 10, daily: {calls: 1000}}")
    metrics = Metrics()
    connector = open_hub(demo).connect("unio24", Caller.SINK)
    follow_account(metrics, "sink-unio24", "unio24", connector)
    where = {"consumer": "sink-unio24", "system": "unio24"}
    assert metrics.value("tieline_quota_left_calls", **where, pool="concurrent") == 5
    left = metrics.value("tieline_quota_left_calls", **where, pool="day")
    assert left is not None
    assert 1 <= left <= 480
    assert metrics.value("tieline_account_calls_free", **where) == 5
    assert metrics.value("tieline_throttles_total", **where) == 0
    assert metrics.value("tieline_call_wait_seconds_count", **where, priority="live") is None

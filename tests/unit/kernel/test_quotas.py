"""What an account may be called, and which part of it a process has."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from tieline.kernel.errors import Stop
from tieline.kernel.landscape import load_landscape
from tieline.kernel.quotas import Caller, DailyPool, Quota, Rate, Shares, allowance_of, combine

DEMO = Path(__file__).parents[3] / "deploy" / "local" / "landscape.yaml"


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("calls", "reserve_percent", "shares", "parts"),
    [
        (120, 20, Shares(), {"source": 38, "sink": 58}),  # of 96: 38.4 and 57.6
        (5, 20, Shares(), {"source": 2, "sink": 2}),  # of 4: 1.6 and 2.4
        (15, 20, Shares(source=25, sink=65, operator=10), {"source": 3, "sink": 8, "operator": 1}),
        (2, 0, Shares(source=1, sink=99), {"source": 1, "sink": 1}),
        (3, 0, Shares(source=5, sink=90, operator=5), {"source": 1, "sink": 1, "operator": 1}),
        (10, 0, Shares(source=5, sink=90, operator=5), {"source": 1, "sink": 8, "operator": 1}),
        (100, 0, Shares(source=20, sink=30), {"source": 20, "sink": 30}),  # half of it is given to nobody
        (1, 0, Shares(source=0, sink=100), {"sink": 1}),
    ],
)
def test_parts_go_by_share_are_at_least_one_and_never_more_than_the_whole(
    calls: int, reserve_percent: int, shares: Shares, parts: dict[str, int]
) -> None:
    quota = Quota(
        concurrent=calls,
        rates=(Rate(calls=calls, per_secs=60),),
        daily=DailyPool(calls=calls),
        reserve_percent=reserve_percent,
        shares=shares,
    )
    for caller in Caller:
        allowance = allowance_of(quota, caller)
        if caller not in parts:
            assert allowance.is_nothing
            continue
        assert allowance.concurrent == parts[caller]
        assert [(rate.calls, rate.per_secs) for rate in allowance.rates] == [(parts[caller], 60)]
        assert allowance.daily is not None
        assert allowance.daily.calls == parts[caller]
    assert sum(parts.values()) <= calls * (100 - reserve_percent) // 100


@pytest.mark.parametrize("calls", range(2, 300, 7))
def test_the_parts_of_all_processes_together_are_never_more_than_the_hub_may_use(calls: int) -> None:
    for reserve_percent in (0, 10, 33):
        for shares in (Shares(), Shares(source=1, sink=99), Shares(source=33, sink=33, operator=34)):
            usable = calls * (100 - reserve_percent) // 100
            if usable < len(shares.by_caller):
                continue
            quota = Quota(concurrent=calls, reserve_percent=reserve_percent, shares=shares)
            parts = [allowance_of(quota, caller).concurrent or 0 for caller in Caller]
            assert sum(parts) == usable


def test_what_is_not_said_is_not_limited() -> None:
    allowance = allowance_of(Quota(), Caller.SINK)
    assert (allowance.concurrent, allowance.rates, allowance.daily, allowance.is_nothing) == (None, (), None, False)


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"concurrent": 1, "reserve_percent": 0}, "concurrent: of 1, less 0 percent in reserve, 1 remain for source"),
        ({"concurrent": 2}, "of 2, less 20 percent in reserve, 1 remain for source and sink"),
        ({"rates": [{"calls": 1, "per_secs": 1}]}, "rates: calls in 1 s: of 1"),
        ({"daily": {"calls": 1}}, "daily: of 1"),
        ({"shares": {"source": 60, "sink": 50}}, "more than 100 percent"),
        ({"shares": {"source": 0, "sink": 100, "operator": 1}}, "more than 100 percent"),
        ({"daily": {"calls": 100, "resets_at": 1020}}, 'in quotes, as "17:00"'),
        ({"daily": {"calls": 100, "resets_at": "24:00"}}, "should match pattern"),
        ({"daily": {"calls": 100, "zone": "Mars/Olympus"}}, "there is no time zone 'Mars/Olympus'"),
        ({"daily": {"calls": 100, "zone": "../etc"}}, "there is no time zone"),
        ({"reserve_percent": 91}, "less than or equal to 90"),
        ({"per_minute": 120}, "not permitted"),
    ],
)
def test_a_quota_that_cannot_be_kept_is_refused_with_the_reason(said: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Quota.model_validate(said)


@pytest.mark.parametrize(
    ("resets_at", "zone", "now", "reset"),
    [
        ("00:00", "UTC", "2026-05-01T12:00", "2026-05-02T00:00"),
        ("00:00", "UTC", "2026-05-01T00:00", "2026-05-02T00:00"),
        ("17:00", "UTC", "2026-05-01T12:00", "2026-05-01T17:00"),
        ("00:00", "America/Los_Angeles", "2026-07-01T05:00", "2026-07-01T07:00"),
        ("00:00", "America/Los_Angeles", "2026-01-01T05:00", "2026-01-01T08:00"),
        ("00:00", "Pacific/Auckland", "2026-01-01T12:00", "2026-01-02T11:00"),
        ("02:30", "Europe/Berlin", "2026-03-28T12:00", "2026-03-29T01:30"),  # a time that day does not have
        ("02:30", "Europe/Berlin", "2026-10-24T12:00", "2026-10-25T00:30"),  # one that day has twice: the first
    ],
)
def test_a_day_ends_at_the_vendors_time_of_day(resets_at: str, zone: str, now: str, reset: str) -> None:
    assert DailyPool(calls=1, resets_at=resets_at, zone=zone).next_reset(utc(now)) == utc(reset)


def test_the_landscape_replaces_what_the_manifest_says_key_by_key() -> None:
    vendor = Quota(concurrent=5, rates=(Rate(calls=120, per_secs=60),))
    said = Quota(concurrent=15, reserve_percent=50)
    both = combine(vendor, said)
    assert both == Quota(concurrent=15, rates=(Rate(calls=120, per_secs=60),), reserve_percent=50)
    assert combine(vendor, None) == vendor
    assert combine(None, said) == said
    assert combine(None, None) is None


def test_what_only_together_cannot_be_kept_is_refused() -> None:
    with pytest.raises(ValidationError, match="of 5, less 90 percent in reserve, 0 remain"):
        combine(Quota(concurrent=5), Quota(reserve_percent=90))


def test_the_landscape_names_the_line_of_a_bad_quota(tmp_path: Path) -> None:
    text = DEMO.read_text(encoding="utf-8")
    path = tmp_path / "landscape.yaml"
    added = "    poll_interval_secs: 2\n    quota:\n      reserve_percent: 10\n      concurrent: 0\n    settings:\n"
    path.write_text(text.replace("    poll_interval_secs: 2\n    settings:\n", added, 1), encoding="utf-8")
    line = next(
        n for n, words in enumerate(path.read_text(encoding="utf-8").splitlines(), 1) if "concurrent: 0" in words
    )
    with pytest.raises(Stop, match=rf"landscape\.yaml:{line}: systems\.tryton\.quota\.concurrent"):
        load_landscape(path)


def test_every_example_of_the_page_is_a_quota_that_is_accepted() -> None:
    page = (Path(__file__).parents[3] / "docs" / "quotas.md").read_text(encoding="utf-8")
    examples = [block.split("```", 1)[0] for block in page.split("```yaml\n")[1:]]
    assert len(examples) >= 6
    for example in examples:
        said = yaml.safe_load(example)
        for part in said.get("systems", {"": said}).values():
            assert Quota.model_validate(part["quota"]).model_fields_set

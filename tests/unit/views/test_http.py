"""The views' HTTP interface."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from aiohttp import web

from tieline.views.costs import AssetEntry, CostEntry
from tieline.views.disposals import Closing, DisposalEntry, Retirement
from tieline.views.entries import (
    ASSETS_TABLE,
    CHANGES_TABLE,
    COMMANDS_TABLE,
    DISPOSALS_TABLE,
    DOCUMENTS_TABLE,
    RESULTS_TABLE,
    Change,
)
from tieline.views.faust_app import LiveViews
from tieline.views.flows import ChangeEntry, CommandEntry, ResultEntry
from tieline.views.http import PAGE_LIMIT, start_server

MARCH_NINE = 1_772_355_600_000  # 2026-03-01T09:00:00Z


@asynccontextmanager
async def serving(live: LiveViews) -> AsyncIterator[httpx.AsyncClient]:
    runner: web.AppRunner = await start_server(live, 0)
    host, port = runner.addresses[0][:2]
    assert host == "127.0.0.1"
    try:
        async with httpx.AsyncClient(base_url=f"http://{host}:{port}", trust_env=False) as client:
            yield client
    finally:
        await runner.cleanup()


def some_costs(assets: int) -> LiveViews:
    live = LiveViews(is_ready=True)
    entry = AssetEntry(version=1, tag="T", amount="100", currency="EUR")
    for number in range(assets):
        live.figures.put(Change(ASSETS_TABLE, f"a{number:04d}", entry))
    document = CostEntry(
        asset_id="a0001",
        amount="2.50",
        currency="EUR",
        date="2026-03-01",
        reversal=False,
        company="ACME",
        cost_centre="CC-100",
        period="2026-003",
        period_from="posting_period",
    )
    live.figures.put(Change(DOCUMENTS_TABLE, "d1", document))
    return live


async def test_the_cost_of_one_asset() -> None:
    async with serving(some_costs(3)) as client:
        answer = await client.get("/assets/a0001/cost")
        assert answer.status_code == 200
        assert answer.json()["total_cost_of_ownership"] == {"EUR": "102.50"}
        assert (await client.get("/assets/nobody/cost")).status_code == 404


async def test_pages_are_bounded_and_lead_to_the_next() -> None:
    async with serving(some_costs(PAGE_LIMIT + 5)) as client:
        first = (await client.get("/costs", params={"limit": PAGE_LIMIT})).json()
        assert len(first["items"]) == PAGE_LIMIT
        second = (await client.get("/costs", params={"limit": PAGE_LIMIT, "after": first["next_after"]})).json()
        assert len(second["items"]) == 5
        assert second["next_after"] is None
        assert first["totals"]["maintenance"] == {"EUR": "2.50"}


async def test_the_spend_of_a_cost_centre_and_a_period() -> None:
    async with serving(some_costs(1)) as client:
        row = {
            "company": "ACME",
            "cost_centre": "CC-100",
            "period": "2026-003",
            "period_from": "posting_period",
            "documents": 1,
            "reversals": 0,
            "spend": {"EUR": "2.50"},
        }
        found = await client.get("/spend", params={"cost_centre": "CC-100", "period": "2026-003"})
        assert found.json() == {"items": [row], "next_after": None, "totals": {"EUR": "2.50"}}
        for other in ({"cost_centre": "CC-200"}, {"period": "2026-004"}):
            assert (await client.get("/spend", params=other)).json() == {"items": [], "next_after": None, "totals": {}}
        assert (await client.get("/spend", params={"limit": "0"})).status_code == 400


async def test_the_disposals_of_a_status() -> None:
    live = some_costs(1)
    entry = DisposalEntry(
        tag_version=2,
        tag="T",
        recorded_on="2026-03-09",
        retirement=Retirement(version=2, on="2026-03-01"),
        closing=Closing(version=1, on=None, status="RUNNING"),
    )
    live.figures.put(Change(DISPOSALS_TABLE, "a1", entry))
    item = {
        "asset_id": "a1",
        "tag": "T",
        "status": "open",
        "retired_on": "2026-03-01",
        "closed_on": None,
        "lag_days": None,
        "age_days": 8,
    }
    about = {
        "next_after": None,
        "event_time": "2026-03-09",
        "counts": {"open": 1, "closed": 0, "not_retired": 0, "not_in_books": 0},
        "longest_open_days": 8,
    }
    async with serving(live) as client:
        for params in ({}, {"status": "open"}):
            assert (await client.get("/disposals", params=params)).json() == {"items": [item], **about}
        assert (await client.get("/disposals", params={"status": "closed"})).json() == {"items": [], **about}
        refused = await client.get("/disposals", params={"status": "gone"})
        assert refused.status_code == 400
        assert "not_in_books" in refused.json()["error"]


async def test_the_completeness_of_a_flow_from_an_hour_on() -> None:
    live = some_costs(1)
    for key, change in (("book/a1|main/1", MARCH_NINE), ("book/a2|main/1", MARCH_NINE + 3_600_000)):
        entry = ChangeEntry(object="book", source="tryton", changed_ms=change, written_ms=change + 500)
        live.figures.put(Change(CHANGES_TABLE, key, entry))
        command = CommandEntry(change=key, target="unio24", written_ms=change + 700)
        live.figures.put(Change(COMMANDS_TABLE, f"unio24/{key}", command))
    confirmed = ResultEntry(outcome="CONFIRMED", written_ms=MARCH_NINE + 3_602_500)
    live.figures.put(Change(RESULTS_TABLE, "unio24/book/a2|main/1", confirmed))
    async with serving(live) as client:
        flow = "book:tryton>unio24"
        answer = (await client.get("/completeness", params={"flow": flow, "after": "2026-03-01T10"})).json()
        names = ("hour", "routed", "confirmed", "latency_p50_secs")
        assert [[item[name] for name in names] for item in answer["items"]] == [["2026-03-01T10:00Z", 1, 1, 2.5]]
        assert (answer["first_hour"], answer["window_hours"]) == ("2026-02-27T11:00:00+00:00", 48)
        first = (await client.get("/completeness", params={"limit": "1"})).json()
        assert [item["hour"] for item in first["items"]] == ["2026-03-01T09:00Z"]
        assert first["next_after"] == "2026-03-01T09:00Z/book:tryton>unio24"
        assert (await client.get("/completeness", params={"flow": "book:tryton>none"})).json()["items"] == []


@pytest.mark.parametrize("limit", ["0", "-1", "x", str(PAGE_LIMIT + 1), "²", "9" * 50])
async def test_a_wrong_limit_is_refused(limit: str) -> None:
    async with serving(some_costs(1)) as client:
        answer = await client.get("/costs", params={"limit": limit})
        assert answer.status_code == 400
        assert str(PAGE_LIMIT) in answer.json()["error"]


async def test_nothing_is_told_before_the_tables_are_read_back() -> None:
    live = some_costs(1)
    live.is_ready = False
    async with serving(live) as client:
        for path in ("/costs", "/assets/a0000/cost", "/spend", "/disposals", "/completeness", "/health"):
            assert (await client.get(path)).status_code == 503


async def test_fausts_own_pages_are_not_served() -> None:
    async with serving(some_costs(1)) as client:
        for path in ("/", "/tables", "/router", "/stats", "/graph"):
            assert (await client.get(path)).status_code == 404

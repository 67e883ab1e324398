"""The views' HTTP interface."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from aiohttp import web

from tieline.views.costs import AssetEntry, CostEntry
from tieline.views.disposals import Closing, DisposalEntry, Retirement
from tieline.views.entries import ASSETS_TABLE, DISPOSALS_TABLE, DOCUMENTS_TABLE, SOURCES, Change
from tieline.views.faust_app import LiveViews
from tieline.views.http import PAGE_LIMIT, start_server


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
    live = LiveViews(recovered=set(SOURCES))
    entry = AssetEntry(version=1, tag="T", amount="100", currency="EUR")
    live.figures.costs.replace_assets({f"a{n:04d}": entry for n in range(assets)})
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


@pytest.mark.parametrize("limit", ["0", "-1", "x", str(PAGE_LIMIT + 1), "²", "9" * 50])
async def test_a_wrong_limit_is_refused(limit: str) -> None:
    async with serving(some_costs(1)) as client:
        answer = await client.get("/costs", params={"limit": limit})
        assert answer.status_code == 400
        assert str(PAGE_LIMIT) in answer.json()["error"]


async def test_nothing_is_told_before_the_tables_are_read_back() -> None:
    live = some_costs(1)
    live.recovered.discard(ASSETS_TABLE)
    async with serving(live) as client:
        for path in ("/costs", "/assets/a0000/cost", "/spend", "/disposals", "/health"):
            assert (await client.get(path)).status_code == 503


async def test_fausts_own_pages_are_not_served() -> None:
    async with serving(some_costs(1)) as client:
        for path in ("/", "/tables", "/router", "/stats", "/graph"):
            assert (await client.get(path)).status_code == 404

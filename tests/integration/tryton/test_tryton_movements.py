"""Updates, disposals and cancellations of a real Tryton as book movements, held against the books it reports."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.parts.tryton import TrytonPart
from tests.unit.processors.bench import Hub
from tests.unit.processors.movement_bench import NOTHING, unexplained

from tieline.connectors.tryton import demo, demo_books
from tieline.connectors.tryton.client import TrytonClient
from tieline.connectors.tryton.mapping import ASSETS, MOVEMENTS
from tieline.kernel.asset_records import AssetReport, DisposalKind
from tieline.kernel.book_records import BookReport
from tieline.kernel.errors import Rejected
from tieline.kernel.movement_records import SIDES, MovementKind, MovementReport, RollForward
from tieline.kernel.protocols import Connector, RawItem
from tieline.kernel.reports import Report
from tieline.processors.movement_checks import check_movement, check_reversal_pair

pytestmark = pytest.mark.integration
BOUGHT = dt.date(2025, 1, 1)


@pytest.fixture
def connector(connecting: Callable[..., Connector]) -> Connector:
    return connecting(read_timeout_secs=20, reference_interval_secs=0, reported_references=())


class Reading:
    """What the source says from one look to the next, and what the hub makes of it."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self._position: dict[str, str] = {}
        self.hub = Hub()

    async def look(self) -> list[Report]:
        """The reports since the look before, told to the hub, too."""
        found: list[RawItem] = []
        more = True
        while more:
            page = await self._connector.source.read_changes(self._position, 1000)
            self._position = dict(page.position)
            found += page.items
            more = page.more
        keep(found)
        reports = [report for item in found for report in self._connector.map_item(item)]
        self.hub.say(*(one for one in reports if isinstance(one, AssetReport | BookReport | MovementReport)))
        return reports

    async def movements(self, asset: int) -> list[MovementReport]:
        """The movements of an asset since the look before; each can stand by itself."""
        said = [one for one in await self.look() if isinstance(one, MovementReport)]
        for one in said:
            check_movement(one.fields)
        return [one for one in said if one.fields.asset_native_id == str(asset)]


def keep(items: Sequence[RawItem]) -> None:
    """Write the records down as golden cases, where TIELINE_KEEP_GOLDEN names a folder."""
    if folder := os.environ.get("TIELINE_KEEP_GOLDEN"):
        for item in items:
            (Path(folder) / f"{item.stream}-{item.native_id}.json").write_bytes(item.payload)


async def running(client: TrytonClient, part: TrytonPart, comment: str = "disposal-kind: scrap") -> int:
    """A running asset of 1200.00 in 36 months."""
    return await demo.book_asset(
        client, part.known_settings(), asset_class="COMPUTER", value=Decimal("1200.00"), start=BOUGHT, comment=comment
    )


def changes(movement: MovementReport) -> dict[str, Decimal]:
    return {name: amount for name in SIDES if (amount := getattr(movement.fields, name))}


async def test_a_write_down_and_a_write_up_tie_with_the_book(
    connector: Connector, client: TrytonClient, part: TrytonPart
) -> None:
    asset = await running(client, part)
    await demo.post_depreciation(client, dt.date(2025, 1, 31))
    reading = Reading(connector)
    await reading.look()
    await demo_books.update_asset(
        client, asset, day=dt.date(2025, 2, 10), value=Decimal("900.00"), description="Water damage"
    )
    [down] = await reading.movements(asset)
    assert (down.fields.kind, down.fields.reason) == (MovementKind.REVALUATION, "Water damage")
    assert (down.fields.effective_date, down.fields.posting_period) == (dt.date(2025, 2, 10), "2025-002")
    assert down.fields.document
    less = Decimal("-300.00")
    assert changes(down) == {"cost_change": less, "net_book_value_change": less, "expense": -less}
    await demo_books.update_asset(client, asset, day=dt.date(2025, 2, 20), value=Decimal("950.00"))
    again, up = await reading.movements(asset)
    assert again.fields == down.fields
    more = Decimal("50.00")
    assert changes(up) == {"cost_change": more, "net_book_value_change": more, "income": more}
    await demo.post_depreciation(client, dt.date(2025, 3, 31))
    await reading.look()
    assert unexplained(reading.hub)[f"tryton/{asset}|main"] == NOTHING
    row = reading.hub.rows(RollForward)[f"tryton/{asset}|main"]
    assert (row.closing_cost, row.movements) == (Decimal("950.00"), 2)
    assert row.posted_depreciation > 0


async def test_a_balance_sheet_counterpart_corrects_the_cost_or_is_the_surplus(
    connecting: Callable[..., Connector], client: TrytonClient, part: TrytonPart
) -> None:
    asset = await running(client, part)
    plain, named = connecting(), connecting(revaluation_surplus_accounts=["MAINT-ACCRUAL"])
    await demo_books.update_asset(
        client, asset, day=dt.date(2025, 1, 10), value=Decimal("1300.00"), counterpart="MAINT-ACCRUAL"
    )
    rows = await client.search("account.move", [("origin", "=", f"account.asset,{asset}")])
    item = await plain.source.read_one(MOVEMENTS, str(rows[0]))
    assert item is not None
    [cost], [surplus] = plain.map_item(item), named.map_item(item)
    assert isinstance(cost, MovementReport)
    assert isinstance(surplus, MovementReport)
    more = {"cost_change": Decimal(100), "net_book_value_change": Decimal(100)}
    assert (cost.fields.kind, changes(cost)) == (MovementKind.ACQUISITION_ADJUSTMENT, more | {"clearing": Decimal(100)})
    assert (surplus.fields.kind, changes(surplus)) == (
        MovementKind.REVALUATION,
        more | {"surplus_change": Decimal(100)},
    )
    check_movement(cost.fields)
    check_movement(surplus.fields)


async def test_a_new_end_is_a_new_life_and_a_residual_value_alone_is_none(
    connector: Connector, client: TrytonClient, part: TrytonPart
) -> None:
    asset = await running(client, part)
    reading = Reading(connector)
    await reading.look()
    day = dt.date(2025, 1, 10)
    await demo_books.update_asset(client, asset, day=day, residual_value=Decimal("60.00"))
    assert await reading.movements(asset) == []
    await demo_books.update_asset(client, asset, day=day, end=dt.date(2028, 12, 31), description="Runs well")
    [longer] = await reading.movements(asset)
    assert (longer.fields.kind, longer.fields.from_life_periods, longer.fields.to_life_periods) == (
        MovementKind.LIFE_CHANGE,
        36,
        48,
    )
    assert longer.fields.reason == "Runs well"
    assert longer.fields.effective_date == longer.origin.recorded_at.date()
    await demo_books.update_asset(client, asset, day=day, end=dt.date(2026, 12, 31), value=Decimal("1100.00"))
    said = {one.origin.native_id: one for one in await reading.movements(asset)}
    assert said.pop(longer.origin.native_id).fields == longer.fields
    value, shorter = said.values()
    assert (value.fields.kind, value.fields.effective_date) == (MovementKind.REVALUATION, day)
    assert (shorter.fields.from_life_periods, shorter.fields.to_life_periods) == (48, 24)
    assert shorter.fields.effective_date == day
    assert unexplained(reading.hub)[f"tryton/{asset}|main"] == NOTHING


async def test_a_disposal_takes_the_book_to_nothing_and_its_cancellation_is_visible(
    connector: Connector, client: TrytonClient, part: TrytonPart
) -> None:
    asset = await running(client, part)
    await demo.post_depreciation(client, dt.date(2025, 2, 28))
    reading = Reading(connector)
    book = next(
        one for one in await reading.look() if isinstance(one, BookReport) and one.asset_native_id == str(asset)
    )
    move = await demo_books.close_asset(client, asset, day=dt.date(2025, 3, 10))
    [gone] = await reading.movements(asset)
    worn = book.fields.accumulated
    assert worn > 0
    assert (gone.fields.kind, gone.fields.disposal_kind) == (MovementKind.DISPOSAL, DisposalKind.SCRAP)
    assert (gone.origin.native_id, gone.fields.effective_date) == (str(move), dt.date(2025, 3, 10))
    assert changes(gone) == {
        "cost_change": Decimal(-1200),
        "accumulated_change": -worn,
        "net_book_value_change": worn - 1200,
        "expense": 1200 - worn,
    }
    key = f"tryton/{asset}|main"
    row = reading.hub.rows(RollForward)[key]
    assert (row.closing_cost, row.closing_accumulated) == NOTHING
    assert unexplained(reading.hub)[key] == NOTHING
    cancelling = await demo_books.cancel_move(client, move, description="Found again")
    [back] = await reading.movements(asset)
    assert (back.origin.native_id, back.fields.reversal_of) == (str(cancelling), str(move))
    assert (back.fields.kind, back.fields.reason) == (MovementKind.DISPOSAL_REVERSAL, "Found again")
    check_reversal_pair(gone.fields, back.fields)
    # Tryton keeps the asset closed; the next word about its book shows that the ledger has it again.
    await demo.edit(client, "account.asset", asset, {"comment": "disposal-kind: scrap\nFound again."})
    await reading.look()
    assert unexplained(reading.hub)[key] == (Decimal(-1200), -worn)


async def test_a_disposal_by_hand_without_a_word_how_is_refused_until_somebody_says_it(
    connector: Connector, client: TrytonClient, part: TrytonPart
) -> None:
    asset = await running(client, part, comment="")
    move = await demo_books.close_asset(client, asset, day=dt.date(2025, 1, 10))
    item = await connector.source.read_one(MOVEMENTS, str(move))
    assert item is not None
    with pytest.raises(Rejected) as caught:
        connector.map_item(item)
    assert caught.value.field == "origin.comment.disposal-kind"
    page = await connector.source.read_changes({}, 1000)
    await demo.edit(client, "account.asset", asset, {"comment": "disposal-kind: theft"})
    page = await connector.source.read_changes(page.position, 1000)
    streams = {found.stream: found for found in page.items}
    assert streams.keys() == {ASSETS, MOVEMENTS}
    [said] = connector.map_item(streams[MOVEMENTS])
    assert isinstance(said, MovementReport)
    assert said.fields.disposal_kind is DisposalKind.THEFT


async def test_an_idle_poll_costs_eight_calls_and_one_with_everything_due_six_more(
    connecting: Callable[..., Connector], client: TrytonClient, part: TrytonPart, monkeypatch: pytest.MonkeyPatch
) -> None:
    await running(client, part)
    calls: list[str] = []
    post = TrytonClient.search_read

    async def counted(self: TrytonClient, model: str, *arguments: Any, **options: Any) -> list[dict[str, Any]]:
        calls.append(model)
        return await post(self, model, *arguments, **options)

    monkeypatch.setattr(TrytonClient, "search_read", counted)
    for interval, expected in ((3600, 8), (0, 8 + 6)):
        connector = connecting(reference_interval_secs=interval)
        position: dict[str, str] = {}
        more = True
        while more:
            page = await connector.source.read_changes(position, 200)
            position, more = dict(page.position), page.more
        calls.clear()
        page = await connector.source.read_changes(position, 200)
        assert (page.items, dict(page.position), page.more) == ([], position, False)
        assert len(calls) == expected, calls

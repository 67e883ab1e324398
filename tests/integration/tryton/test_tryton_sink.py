"""The Tryton sink against a real Tryton: one effect each, whatever happens to the answers."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from tests.parts.tryton import (
    FaultyWire,
    TrytonPart,
    dispatch,
    persistently,
    post_cost,
    write_asset,
)

from tieline.connectors.tryton import demo
from tieline.connectors.tryton import wire as wire_form
from tieline.connectors.tryton.client import TrytonClient
from tieline.kernel.asset_records import AssetReport, DisposalKind, FinancialStatus, PhysicalStatus
from tieline.kernel.book_records import BookFields, BookReport
from tieline.kernel.command_records import PostCost, RemoveRecord, WriteAsset, WriteBook
from tieline.kernel.cost_records import CostKind, CostLine, CostReport
from tieline.kernel.digests import digest_fields
from tieline.kernel.errors import OutcomeUnknown, Rejected, Retryable
from tieline.kernel.protocols import Connector, Sink, Written
from tieline.kernel.vocabulary import Money

pytestmark = pytest.mark.integration
Connecting = Callable[..., Connector]
PHYSICAL = ("tag", "serial_number", "description", "location", "physical_status")


@pytest.fixture
def connector(connecting: Connecting) -> Connector:
    return connecting()


@pytest.fixture
async def wire(part: TrytonPart) -> AsyncIterator[FaultyWire]:
    async with FaultyWire(part.port) as running:
        yield running


async def assets_of(client: TrytonClient, asset_id: str) -> list[dict[str, Any]]:
    return await client.search_read(
        "account.asset", [("comment", "ilike", f"%tieline: {asset_id}%")], ["state", "comment", "value", "number"]
    )


async def moves_of(client: TrytonClient, cost_doc_id: str) -> list[dict[str, Any]]:
    return await client.search_read("account.move", [("description", "ilike", f"%{cost_doc_id}%")], ["state", "number"])


async def reports(connector: Connector, native_id: str) -> tuple[AssetReport, BookReport | None]:
    item = await connector.source.read_one("assets", native_id)
    assert item is not None
    found = connector.map_item(item)
    asset, book = found[0], found[1] if len(found) > 1 else None
    assert isinstance(asset, AssetReport)
    assert book is None or isinstance(book, BookReport)
    return asset, book


async def settle(sink: Sink, command: WriteAsset | PostCost) -> Written:
    """What the delivery loop does: on an unknown outcome read back, and send again only what took no effect."""
    try:
        return await sink.write(command, None)
    except OutcomeUnknown:
        return await sink.read_back(command, None) or await settle(sink, command)


# ---- assets ---------------------------------------------------------------------------------------------------


async def test_an_asset_is_created_with_everything_and_put_into_the_books(
    connector: Connector, client: TrytonClient
) -> None:
    command = write_asset(po_line_ref="tryton/999999/2", location="Hall\nB \\ 7", disposal_kind=None)
    assert await connector.sink.read_back(command, None) is None
    written = await connector.sink.write(command, None)
    asset, book = await reports(connector, written.native_id)
    assert asset.origin.hub_ref == command.asset_id
    assert asset.fields == command.fields.model_copy(
        update={"asset_number": written.number, "financial_status": FinancialStatus.RUNNING}
    )
    assert written.effect
    assert written.number
    assert book is not None
    assert book.fields.gross_cost == Decimal("1234.56")
    assert [row["state"] for row in await assets_of(client, command.asset_id)] == ["running"]


async def test_amounts_arrive_with_four_digits_and_are_the_same_amounts(connector: Connector) -> None:
    cost = Money(amount=Decimal("1234.5600"), currency="EUR")
    command = write_asset(acquisition_cost=cost, quantity=Decimal("1.000000"))
    written = await connector.sink.write(command, None)
    assert not (await connector.sink.write(command, written.native_id)).effect
    lines = (CostLine(line_no=1, kind=CostKind.TOOL, description="Hire", amount=Decimal("7.5000")),)
    posted = await connector.sink.write(post_cost(lines=lines, total=Decimal("7.5000")), None)
    assert (await cost_report(connector, posted.native_id)).fields.total == Decimal("7.50")


async def test_the_same_command_twice_is_one_effect(connector: Connector, client: TrytonClient) -> None:
    command = write_asset()
    first = await connector.sink.write(command, None)
    again = await connector.sink.write(command, None)
    with_id = await connector.sink.write(command, first.native_id)
    assert (again.effect, with_id.effect) == (False, False)
    assert {again.digest, with_id.digest} == {first.digest}
    assert again.source_version == first.source_version
    assert await connector.sink.read_back(command, None) is not None
    assert len(await assets_of(client, command.asset_id)) == 1


@pytest.mark.parametrize("method", ["create", "run"])
async def test_a_lost_answer_leaves_one_asset(
    connecting: Connecting, wire: FaultyWire, client: TrytonClient, method: str
) -> None:
    sink = connecting(endpoint=wire.url).sink
    command = write_asset()
    wire.lose_answer(f"model.account.asset.{method}")
    with pytest.raises(OutcomeUnknown):
        await sink.write(command, None)
    found = await sink.read_back(command, None)
    # A draft is only half of the effect: it is not read back as done.
    assert (found is not None) is (method == "run")
    written = await settle(sink, command)
    rows = await assets_of(client, command.asset_id)
    assert [(row["state"], str(row["id"])) for row in rows] == [("running", written.native_id)]
    assert wire.count("model.account.asset.create") == 1


async def test_two_sinks_at_once_make_one_asset(connecting: Connecting, client: TrytonClient) -> None:
    command = write_asset()
    sinks = [connecting().sink for _ in range(2)]
    written = await asyncio.gather(*(persistently(partial(sink.write, command, None)) for sink in sinks))
    rows = await assets_of(client, command.asset_id)
    assert [row["state"] for row in rows] == ["running"]
    assert {one.native_id for one in written if isinstance(one, Written)} == {str(rows[0]["id"])}


async def test_of_two_records_made_between_search_and_create_the_elder_stays(
    connecting: Connecting, wire: FaultyWire, client: TrytonClient
) -> None:
    command = write_asset()
    quick, slow = connecting().sink, connecting(endpoint=wire.url).sink
    wire.before("model.account.asset.create", lambda: quick.write(command, None))
    written = await slow.write(command, None)
    rows = await assets_of(client, command.asset_id)
    assert [str(row["id"]) for row in rows] == [written.native_id]
    assert wire.count("model.account.asset.delete") == 1


async def test_an_accountants_asset_is_adopted_by_serial_number_and_keeps_its_books(
    part: TrytonPart, connector: Connector, client: TrytonClient
) -> None:
    command = write_asset()
    serial = command.fields.serial_number
    native = await demo.book_asset(
        client,
        part.known_settings(),
        asset_class="COMPUTER",
        value=Decimal("1200.00"),
        start=dt.date(2025, 1, 1),
        comment=f"Bought at the fair.\nSerial: {serial}\n\nAsk Kim: second shelf",
    )
    written = await connector.sink.write(command, None)
    assert written.native_id == str(native)
    asset, _ = await reports(connector, written.native_id)
    assert asset.origin.hub_ref == command.asset_id
    assert asset.fields.acquisition_cost == Money(amount=Decimal("1200.00"), currency="EUR")
    assert asset.fields.in_service_date == dt.date(2025, 1, 1)
    assert asset.fields.tag == command.fields.tag
    [row] = await assets_of(client, command.asset_id)
    text = row["comment"].split("\n")
    assert text[:4] == ["Bought at the fair.", f"Serial: {serial}", "", "Ask Kim: second shelf"]
    assert not (await connector.sink.write(command, None)).effect


async def test_an_asset_bought_on_an_order_line_is_adopted_by_it(
    part: TrytonPart, connector: Connector, client: TrytonClient
) -> None:
    line, native = await bought_asset(part, client)
    command = write_asset(po_line_ref=f"tryton/{line}/1")
    assert (await connector.sink.write(command, None)).native_id == str(native)
    asset, _ = await reports(connector, str(native))
    assert asset.fields.po_line_ref == f"tryton/{line}/1"
    second = write_asset(po_line_ref=f"tryton/{line}/2")
    other = await connector.sink.write(second, None)
    assert other.native_id != str(native)
    assert (await reports(connector, other.native_id))[0].fields.po_line_ref == f"tryton/{line}/2"


async def bought_asset(part: TrytonPart, client: TrytonClient) -> tuple[int, int]:
    """An order line for two computers, approved, and the asset an accountant booked on its invoice line."""
    settings = part.known_settings()
    bought = [demo.Bought("COMPUTER", Decimal(2), Decimal("617.28"))]
    order, [line] = await demo.create_order(client, settings, bought, supplier="Blue River Computers")
    await demo.approve_order(client, order)
    native = await demo.book_asset(
        client,
        settings,
        asset_class="COMPUTER",
        value=Decimal("1234.56"),
        start=dt.date(2025, 1, 15),
        supplier_invoice_line=await demo.invoice_line_of(client, line),
    )
    return line, native


async def test_two_that_fit_are_left_to_a_person(part: TrytonPart, connector: Connector, client: TrytonClient) -> None:
    command = write_asset()
    for _ in range(2):
        await demo.book_asset(
            client,
            part.known_settings(),
            asset_class="COMPUTER",
            value=Decimal(10),
            start=dt.date(2025, 1, 1),
            comment=f"tag: {command.fields.tag}",
        )
    with pytest.raises(Rejected, match="fits 2 assets") as caught:
        await connector.sink.write(command, None)
    assert caught.value.field == "fields.tag"
    assert await assets_of(client, command.asset_id) == []


async def test_a_move_changes_its_line_only_and_a_persons_edit_meanwhile_is_not_lost(
    connecting: Connecting, wire: FaultyWire, client: TrytonClient
) -> None:
    sink = connecting(endpoint=wire.url).sink
    first = write_asset()
    written = await sink.write(first, None)
    [row] = await assets_of(client, first.asset_id)
    moved = first.model_copy(
        update={"fields": first.fields.model_copy(update={"location": "HQ/9"}), "writable_fields": PHYSICAL}
    )
    by_hand = row["comment"] + "\nCheck the warranty!"
    wire.before(
        "model.account.asset.write", lambda: demo.edit(client, "account.asset", row["id"], {"comment": by_hand})
    )
    with pytest.raises(Retryable):
        await sink.write(moved, written.native_id)
    assert (await sink.write(moved, written.native_id)).effect
    [after] = await assets_of(client, first.asset_id)
    assert after["comment"] == by_hand.replace("location: HQ/2.14", "location: HQ/9")


async def test_a_field_the_target_owns_is_left_alone(connector: Connector, client: TrytonClient) -> None:
    first = write_asset()
    written = await connector.sink.write(first, None)
    cheaper = Money(amount=Decimal("1.00"), currency="EUR")
    fields = first.fields.model_copy(update={"acquisition_cost": cheaper, "cost_centre": "CC-300"})
    command = first.model_copy(update={"fields": fields, "writable_fields": PHYSICAL})
    assert not (await connector.sink.write(command, written.native_id)).effect
    [row] = await assets_of(client, first.asset_id)
    assert row["value"]["decimal"] == "1234.56"
    assert "cost-centre: CC-100" in row["comment"]


async def test_the_value_of_a_running_asset_cannot_be_changed(connector: Connector) -> None:
    first = write_asset()
    written = await connector.sink.write(first, None)
    dearer = Money(amount=Decimal("2000.00"), currency="EUR")
    command = first.model_copy(update={"fields": first.fields.model_copy(update={"acquisition_cost": dearer})})
    with pytest.raises(Rejected, match=r"cannot become 2000.00: the asset is running") as caught:
        await connector.sink.write(command, written.native_id)
    assert caught.value.field == "fields.acquisition_cost"
    assert caught.value.remedy


async def test_what_is_in_store_stays_a_draft_until_it_comes_into_service(
    connector: Connector, client: TrytonClient
) -> None:
    stored = write_asset(physical_status=PhysicalStatus.IN_STORE, in_service_date=None)
    written = await connector.sink.write(stored, None)
    assert written.number is None
    asset, book = await reports(connector, written.native_id)
    assert (asset.fields.financial_status, asset.fields.in_service_date) == (FinancialStatus.DRAFT, None)
    assert book is None
    assert not (await connector.sink.write(stored, written.native_id)).effect
    used = stored.fields.model_copy(
        update={
            "physical_status": PhysicalStatus.IN_SERVICE,
            "in_service_date": dt.date(2025, 3, 1),
            "acquisition_cost": Money(amount=Decimal("1200.00"), currency="EUR"),
        }
    )
    command = stored.model_copy(update={"fields": used})
    done = await connector.sink.write(command, written.native_id)
    assert done.number
    asset, book = await reports(connector, written.native_id)
    assert asset.fields.in_service_date == dt.date(2025, 3, 1)
    assert book is not None
    assert (book.fields.start_date, book.fields.end_date) == (dt.date(2025, 3, 1), dt.date(2028, 2, 29))
    assert {line.depreciation for line in book.fields.lines} == {Decimal("33.33"), Decimal("33.45")}
    assert sum(line.depreciation for line in book.fields.lines) == Decimal("1200.00")
    assert len(await assets_of(client, stored.asset_id)) == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"asset_class": "AIRSHIP"}, "fields.asset_class"),
        ({"asset_class": None}, "fields.asset_class"),
        ({"acquisition_cost": None}, "fields.acquisition_cost"),
        ({"acquisition_cost": Money(amount=Decimal("10.001"), currency="EUR")}, "fields.acquisition_cost"),
        ({"acquisition_cost": Money(amount=Decimal("10.00"), currency="USD")}, "fields.acquisition_cost"),
        ({"acquisition_date": None, "in_service_date": None}, "fields.acquisition_date"),
        ({"company": "OTHER"}, "fields.company"),
    ],
)
async def test_what_cannot_be_booked_is_rejected_with_its_field_and_leaves_nothing(
    connector: Connector, client: TrytonClient, changes: dict[str, Any], field: str
) -> None:
    command = write_asset(**changes)
    with pytest.raises(Rejected) as caught:
        await connector.sink.write(command, None)
    assert caught.value.field == field
    assert caught.value.remedy
    assert await assets_of(client, command.asset_id) == []


# ---- disposal -------------------------------------------------------------------------------------------------


def disposed(command: WriteAsset, day: dt.date) -> WriteAsset:
    fields = command.fields.model_copy(update={"disposal_date": day, "disposal_kind": DisposalKind.SCRAP})
    return command.model_copy(update={"fields": fields})


async def test_a_disposal_posts_what_is_due_and_closes_on_its_date_once(
    connector: Connector, client: TrytonClient
) -> None:
    first = write_asset()
    native = (await connector.sink.write(first, None)).native_id
    command = disposed(first, dt.date(2025, 4, 10))
    assert await connector.sink.read_back(command, native) is None
    written = await connector.sink.write(command, native)
    again = await connector.sink.write(command, native)
    assert (written.effect, again.effect) == (True, False)
    assert again.digest == written.digest
    assert await connector.sink.read_back(command, native) is not None
    asset, book = await reports(connector, native)
    assert asset.fields.financial_status is FinancialStatus.CLOSED
    assert asset.fields.disposal_date == dt.date(2025, 4, 10)
    assert asset.fields.disposal_kind is DisposalKind.SCRAP
    assert book is not None
    # 17 of January's 31 days, then two whole months; what was not due is no longer in the schedule.
    assert [(line.date, line.depreciation, line.posted) for line in book.fields.lines] == [
        (dt.date(2025, 1, 31), Decimal("18.81"), True),
        (dt.date(2025, 2, 28), Decimal("34.29"), True),
        (dt.date(2025, 3, 31), Decimal("34.29"), True),
    ]
    assert [line.posting_period for line in book.fields.lines] == ["2025-001", "2025-002", "2025-003"]
    rows = await client.search_read(
        "account.asset",
        [("id", "=", int(native))],
        ["move.date", "move.state", "move.lines.debit", "move.lines.credit", "move.lines.account.code"],
    )
    move = rows[0]["move."]
    assert move["state"] == "posted"
    sides = {line["account."]["code"]: (line["debit"]["decimal"], line["credit"]["decimal"]) for line in move["lines."]}
    assert {code: tuple(Decimal(side) for side in both) for code, both in sides.items()} == {
        "1.5.3": (Decimal(0), Decimal("1234.56")),
        "ASSET-DEPRECIATED": (Decimal("87.39"), Decimal(0)),
        "DEPRECIATION": (Decimal("1147.17"), Decimal(0)),
    }


@pytest.mark.parametrize("method", ["wizard.account.asset.create_moves.execute", "model.account.asset.close"])
async def test_a_lost_answer_closes_once(
    connecting: Connecting, wire: FaultyWire, client: TrytonClient, method: str
) -> None:
    sink = connecting(endpoint=wire.url).sink
    first = write_asset()
    native = (await sink.write(first, None)).native_id
    command = disposed(first, dt.date(2025, 4, 10))
    wire.lose_answer(method)
    with pytest.raises(OutcomeUnknown):
        await sink.write(command, native)
    assert (await sink.read_back(command, native) is not None) is (method == "model.account.asset.close")
    await sink.write(command, native)
    posted = await client.search_read("account.asset.line", [("asset", "=", int(native))], ["move.state"])
    assert [row["move."]["state"] for row in posted] == ["posted"] * 3
    closing = await client.search("account.move", [("origin", "=", f"account.asset,{native}")])
    assert len(closing) == 1


async def test_a_disposal_before_posted_depreciation_or_on_another_date_is_rejected(
    connector: Connector, client: TrytonClient
) -> None:
    first = write_asset()
    native = (await connector.sink.write(first, None)).native_id
    await demo.post_depreciation(client, dt.date(2025, 6, 30))
    with pytest.raises(Rejected, match="already posted") as caught:
        await connector.sink.write(disposed(first, dt.date(2025, 4, 10)), native)
    assert caught.value.field == "fields.disposal_date"
    await connector.sink.write(disposed(first, dt.date(2025, 7, 1)), native)
    with pytest.raises(Rejected, match="was closed on 2025-07-01"):
        await connector.sink.write(disposed(first, dt.date(2025, 7, 2)), native)


async def test_a_disposal_can_wait_for_the_accountants_posting(connecting: Connecting, client: TrytonClient) -> None:
    sink = connecting(due_depreciation="require").sink
    first = write_asset()
    native = (await sink.write(first, None)).native_id
    command = disposed(first, dt.date(2025, 8, 15))
    with pytest.raises(Rejected, match="7 depreciations up to 2025-08-15 are not posted yet"):
        await sink.write(command, native)
    await demo.post_depreciation(client, dt.date(2025, 8, 15))
    assert (await sink.write(command, native)).effect


# ---- removal, and what is not ours -----------------------------------------------------------------------------


def removal(native_id: str, entity: str = "asset") -> RemoveRecord:
    return RemoveRecord(dispatch=dispatch(), entity=entity, record_id="x", native_id=native_id)


async def test_only_a_draft_is_removed_and_once(connector: Connector) -> None:
    draft = write_asset(physical_status=PhysicalStatus.ORDERED, in_service_date=None)
    native = (await connector.sink.write(draft, None)).native_id
    assert await connector.sink.read_back(removal(native), None) is None
    assert (await connector.sink.write(removal(native), None)).effect
    assert not (await connector.sink.write(removal(native), None)).effect
    assert await connector.sink.read_back(removal(native), None) is not None
    assert await connector.source.read_one("assets", native) is None
    running = (await connector.sink.write(write_asset(), None)).native_id
    with pytest.raises(Rejected, match="only a draft can be removed"):
        await connector.sink.write(removal(running), None)


async def test_books_and_orders_are_not_written(connector: Connector) -> None:
    book = BookFields(
        book_id="main",
        currency="EUR",
        method="SL",
        gross_cost=Decimal(1),
        salvage=Decimal(0),
        accumulated=Decimal(0),
        net_book_value=Decimal(1),
        as_of=dt.date(2025, 1, 1),
        lines=(),
    )
    with pytest.raises(Rejected, match="Tryton owns its book records"):
        await connector.sink.write(WriteBook(dispatch=dispatch(), asset_id="a", fields=book), None)
    with pytest.raises(Rejected, match="Tryton owns its purchase-order records"):
        await connector.sink.write(removal("1", "purchase-order"), None)


# ---- costs ----------------------------------------------------------------------------------------------------


async def posting(client: TrytonClient, native_id: str) -> list[tuple[str, Decimal, Decimal, list[str]]]:
    rows = await client.search_read(
        "account.move.line",
        [("move", "=", int(native_id))],
        ["account.code", "debit", "credit", "analytic_lines.account.code"],
        order=[("id", "ASC")],
    )
    return [
        (
            row["account."]["code"],
            Decimal(row["debit"]["decimal"]),
            Decimal(row["credit"]["decimal"]),
            [line["account."]["code"] for line in row["analytic_lines."]],
        )
        for row in rows
    ]


async def cost_report(connector: Connector, native_id: str) -> CostReport:
    item = await connector.source.read_one("costs", native_id)
    assert item is not None
    [report] = connector.map_item(item)
    assert isinstance(report, CostReport)
    return report


async def test_costs_are_posted_once_on_their_date_and_cost_centre(connector: Connector, client: TrytonClient) -> None:
    asset = await connector.sink.write(write_asset(), None)
    command = post_cost(asset_number=asset.number)
    assert await connector.sink.read_back(command, None) is None
    written = await connector.sink.write(command, None)
    again = await connector.sink.write(command, None)
    assert (written.effect, again.effect) == (True, False)
    assert again.digest == written.digest
    assert await posting(client, written.native_id) == [
        ("MAINT-EXPENSE", Decimal("100.50"), Decimal(0), ["CC-200"]),
        ("MAINT-EXPENSE", Decimal("19.98"), Decimal(0), ["CC-200"]),
        ("MAINT-ACCRUAL", Decimal(0), Decimal("120.48"), []),
    ]
    report = await cost_report(connector, written.native_id)
    assert report.origin.hub_ref == command.cost_doc_id
    assert report.fields == command.fields.model_copy(update={"asset_native_id": asset.native_id})
    assert [(row["state"], row["number"]) for row in await moves_of(client, command.cost_doc_id)] == [
        ("posted", written.number)
    ]


@pytest.mark.parametrize("method", ["create", "post"])
async def test_a_lost_answer_posts_once(
    connecting: Connecting, wire: FaultyWire, client: TrytonClient, method: str
) -> None:
    sink = connecting(endpoint=wire.url).sink
    command = post_cost()
    wire.lose_answer(f"model.account.move.{method}")
    with pytest.raises(OutcomeUnknown):
        await sink.write(command, None)
    assert (await sink.read_back(command, None) is not None) is (method == "post")
    await settle(sink, command)
    assert [row["state"] for row in await moves_of(client, command.cost_doc_id)] == ["posted"]
    assert wire.count("model.account.move.create") == 1


async def test_two_sinks_at_once_post_once(connecting: Connecting, wire: FaultyWire, client: TrytonClient) -> None:
    command = post_cost()
    quick, slow = connecting().sink, connecting(endpoint=wire.url).sink
    wire.before("model.account.move.create", lambda: quick.write(command, None))
    written = await slow.write(command, None)
    [row] = await moves_of(client, command.cost_doc_id)
    assert (row["state"], str(row["id"])) == ("posted", written.native_id)


async def test_a_reversal_swaps_the_sides(connector: Connector, client: TrytonClient) -> None:
    lines = (CostLine(line_no=1, kind=CostKind.SERVICE, description="Refund", amount=Decimal("-120.48")),)
    command = post_cost(lines=lines, total=Decimal("-120.48"), reversal_of="CD-17")
    written = await connector.sink.write(command, None)
    assert await posting(client, written.native_id) == [
        ("MAINT-EXPENSE", Decimal(0), Decimal("120.48"), ["CC-200"]),
        ("MAINT-ACCRUAL", Decimal("120.48"), Decimal(0), []),
    ]
    assert (await cost_report(connector, written.native_id)).fields == command.fields


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"cost_centre": "CC-999"}, "fields.cost_centre", "unknown in Tryton"),
        ({"effective_date": dt.date(2019, 5, 1)}, "fields.effective_date", "no period"),
        ({"total": Decimal("120.49")}, "fields.total", "the lines come to 120.48"),
        ({"currency": "USD"}, "fields.lines[0].amount", "in EUR"),
        ({"company": "OTHER"}, "fields.company", "not kept in this Tryton"),
        ({"lines": (), "total": Decimal(0)}, "fields.lines", "without lines"),
    ],
)
async def test_costs_that_cannot_be_posted_are_rejected_with_their_field(
    connector: Connector, client: TrytonClient, changes: dict[str, Any], field: str, reason: str
) -> None:
    command = post_cost(**changes)
    with pytest.raises(Rejected, match=reason) as caught:
        await connector.sink.write(command, None)
    assert caught.value.field == field
    assert await moves_of(client, command.cost_doc_id) == []


async def test_nothing_is_posted_into_a_closed_period_until_it_is_open_again(
    connector: Connector, client: TrytonClient
) -> None:
    day = dt.date(2024, 2, 14)
    asset = write_asset(acquisition_date=dt.date(2027, 1, 1), in_service_date=dt.date(2027, 1, 1))
    native = (await connector.sink.write(asset, None)).native_id
    await demo.close_period(client, day)
    command = post_cost(effective_date=day)
    try:
        with pytest.raises(Rejected, match="period 2024-02 is closed") as caught:
            await connector.sink.write(command, None)
        assert caught.value.field == "fields.effective_date"
        assert await moves_of(client, command.cost_doc_id) == []
        with pytest.raises(Rejected, match="period 2024-02 is closed") as caught:
            await connector.sink.write(disposed(asset, day), native)
        assert caught.value.field == "fields.disposal_date"
    finally:
        await demo.reopen_period(client, day)
    written = await connector.sink.write(command, None)
    assert (await cost_report(connector, written.native_id)).fields.effective_date == day


async def test_t10_a_late_document_is_posted_in_an_open_period_and_keeps_its_own_date(
    connector: Connector, client: TrytonClient
) -> None:
    day, given = dt.date(2024, 2, 14), dt.date(2024, 3, 1)
    await demo.close_period(client, day)
    try:
        command = post_cost(effective_date=day).model_copy(update={"posting_date": given})
        written = await connector.sink.write(command, None)
        assert written == await connector.sink.read_back(command, None)
    finally:
        await demo.reopen_period(client, day)
    [move] = await moves_of(client, command.cost_doc_id)
    [period] = await client.search_read("account.move", [("id", "=", move["id"])], ["date", "period.name"])
    assert (wire_form.date(period["date"]), period["period."]["name"]) == (given, "2024-03")
    assert (await cost_report(connector, written.native_id)).fields.effective_date == day


async def test_a_draft_posting_can_be_removed_a_posted_one_not(
    connecting: Connecting, wire: FaultyWire, client: TrytonClient
) -> None:
    sink = connecting(endpoint=wire.url).sink
    command = post_cost()
    wire.lose_answer("model.account.move.create")
    with pytest.raises(OutcomeUnknown):
        await sink.write(command, None)
    [draft] = await moves_of(client, command.cost_doc_id)
    assert (await sink.write(removal(str(draft["id"]), "cost-document"), None)).effect
    assert not (await sink.write(removal(str(draft["id"]), "cost-document"), None)).effect
    posted = await sink.write(command, None)
    with pytest.raises(Rejected, match="only a draft can be removed"):
        await sink.write(removal(posted.native_id, "cost-document"), None)


async def test_fields_written_are_the_fields_reported(connector: Connector) -> None:
    """What the hub remembers as its own word is what comes back as a report (Invariant 8)."""
    command = write_asset(condition="B", custodian="p-17")
    written = await connector.sink.write(command, None)
    asset, _ = await reports(connector, written.native_id)
    assert written.digest == digest_fields(asset.fields)

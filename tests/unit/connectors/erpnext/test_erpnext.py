"""ERPNext's own traps, each against the sandbox that plays it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import aiohttp
import pytest
from tests.unit.connectors.erpnext.erpnext_parts import (
    IN_SERVICE,
    KEY,
    REFERENCE,
    SECRET,
    cost,
    deliver,
    drain,
    fields,
    report_of,
    running,
    write,
)

from tieline.connectors.erpnext.connector import connect
from tieline.connectors.erpnext.fieldtable import page, tables
from tieline.connectors.erpnext.sandbox_assets import depreciate
from tieline.connectors.erpnext.settings import read_settings
from tieline.connectors.erpnext.webhook import SIGNATURE, signature_of, webhook_parser
from tieline.kernel.asset_records import AssetFields, AssetReport, DisposalKind
from tieline.kernel.book_records import BookReport
from tieline.kernel.command_records import CostPosting, RemoveRecord
from tieline.kernel.cost_records import CostKind, ReceiverKind
from tieline.kernel.errors import OutcomeUnknown, Rejected, Retryable, Stop
from tieline.kernel.order_records import OrderReport
from tieline.kernel.protocols import RawItem
from tieline.kernel.reference_records import ReferenceReport
from tieline.kernel.vocabulary import Dispatch, Money

GOLDEN = Path(__file__).parents[3] / "golden" / "erpnext"
CASES = sorted(file.parent for file in GOLDEN.glob("*/expected.json"))
BOOK = {"finance_book": None, "total_number_of_depreciations": 3, "expected_value_after_useful_life": Decimal(10)}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_golden_case(case: Path) -> None:
    expected = json.loads((case / "expected.json").read_text(encoding="utf-8"))
    settings = {"endpoint": "http://127.0.0.1:1", "api_key": "k", "api_secret": "s", "currency": "EUR"}
    connector = connect("erp", {**settings, "companies": {"1000": "Acme"}})
    item = RawItem(expected["stream"], "x", (case / "given.json").read_bytes())
    if "rejected" in expected:
        with pytest.raises(Rejected) as caught:
            connector.map_item(item)
        assert {"field": caught.value.field, "reason": caught.value.reason} == expected["rejected"]
    else:
        reports = [one.model_dump(mode="json", exclude_none=True) for one in connector.map_item(item)]
        assert reports == expected.get("reports", [expected.get("report")])


async def test_the_sandbox_says_no_as_the_vendor_does() -> None:
    async with running() as part:
        name = part.create()

        async def ask(method: str, path: str, body: object = None, token: str = f"{KEY}:{SECRET}") -> tuple[int, dict]:  # type: ignore[type-arg]
            headers = {"Authorization": f"token {token}"}
            async with (
                aiohttp.ClientSession() as session,
                session.request(method, part.url + path, headers=headers, json=body) as got,
            ):
                return got.status, json.loads(await got.text())

        assert (await ask("GET", "/api/resource/Asset", token="k:wrong"))[0] == 401  # noqa: S106  - a wrong one
        status, listed = await ask("GET", "/api/resource/Asset")
        assert (status, listed) == (200, {"data": [{"name": name}]}), "names only, unless fields are asked for"
        status, refused = await ask("GET", "/api/resource/Depreciation Schedule")
        assert (status, refused["exc_type"]) == (403, "PermissionError"), "rows are listed by their parent's kind"
        status, missing = await ask("GET", "/api/resource/Asset/ACC-ASS-2026-99999")
        assert (status, missing["exc_type"]) == (404, "DoesNotExistError")
        stale = {"location": "Hall 2", "modified": "2020-01-01 00:00:00"}
        status, refused = await ask("PUT", f"/api/resource/Asset/{name}", stale)
        assert (status, refused["exc_type"]) == (417, "TimestampMismatchError")
        said = json.loads(json.loads(refused["_server_messages"])[0])
        assert said["message"].startswith("Error: Document has been modified")
        assert (await ask("PUT", f"/api/resource/Asset/{name}", {"docstatus": 2}))[1]["exc_type"] == (
            "DocstatusTransitionError"
        )


async def test_an_asset_is_made_a_draft_until_its_day_in_service_is_known_then_submitted() -> None:
    async with running() as part:
        connector = part.connect()
        written = await deliver(connector, write("a-1", fields(1, in_service_date=None)))
        [row] = part.rows("Asset")
        assert (row["docstatus"], row["status"], row["location"], row["is_existing_asset"]) == (0, "Draft", "Hall 1", 1)
        submitted = await deliver(connector, write("a-1", fields(1), version=2), written.native_id)
        [row] = part.rows("Asset")
        assert (row["docstatus"], row["status"], row["available_for_use_date"]) == (1, "Submitted", "2026-05-11")
        assert submitted.native_id == written.native_id == "ACC-ASS-2026-00001"


async def test_without_the_setting_a_person_submits() -> None:
    async with running() as part:
        await deliver(part.connect(submit=False), write("a-1", fields(1)))
        assert [row["docstatus"] for row in part.rows("Asset")] == [0]


async def test_a_fixed_field_of_a_submitted_asset_is_refused_before_anything_is_sent() -> None:
    async with running() as part:
        connector = part.connect()
        written = await deliver(connector, write("a-1", fields(1)))
        before = part.effects()
        with pytest.raises(Rejected, match="cost_center of a submitted asset is fixed") as caught:
            await connector.sink.write(write("a-1", fields(1, cost_centre="Main - A"), version=2), written.native_id)
        assert caught.value.field == "fields.cost_centre"
        assert part.effects() == before
        await deliver(connector, write("a-1", fields(1, description="Renamed"), version=2), written.native_id)
        assert (await report_of(connector, written.native_id)).fields.description == "Renamed"


async def test_what_a_person_saved_meanwhile_is_not_overwritten() -> None:
    async with running() as part:
        connector = part.connect()
        written = await deliver(connector, write("a-1", fields(1, in_service_date=None)))
        part.save(written.native_id, location="Yard & Gate")
        part.fail(kind="stale_read", method="GET", count=1)  # the sink sees what was before
        changed = write(
            "a-1", fields(1, in_service_date=None, description="Ours"), version=2, writable=("description",)
        )
        with pytest.raises(Retryable, match="modified after you have opened it"):
            await connector.sink.write(changed, written.native_id)
        await deliver(connector, changed, written.native_id)
        [row] = part.rows("Asset")
        assert (row["asset_name"], row["location"]) == ("Ours", "Yard & Gate")
        assert part.effects().count(("updated", "Asset")) == 2


async def test_a_dropped_write_is_not_called_done() -> None:
    async with running() as part:
        connector = part.connect()
        written = await deliver(connector, write("a-1", fields(1)))
        for method, changed in (("PUT", {"description": "Renamed"}), ("POST", {"location": "Hall 2"})):
            part.fail(kind="drop_write", method=method)
            command = write("a-1", fields(1, **changed), version=2, writable=tuple(changed))
            with pytest.raises(OutcomeUnknown):
                await connector.sink.write(command, written.native_id)
            assert await connector.sink.read_back(command, written.native_id) is None
            assert (await connector.sink.write(command, written.native_id)).effect


async def test_a_movement_is_dated_after_every_other_and_one_in_the_future_is_named() -> None:
    async with running() as part:
        connector = part.connect()
        written = await deliver(connector, write("a-1", fields(1)))
        for turn, place in enumerate(("Hall 2", "Yard & Gate", "Hall 1"), 2):  # the clock stands
            await deliver(connector, write("a-1", fields(1, location=place), version=turn), written.native_id)
            assert part.rows("Asset")[0]["location"] == place
        store, rows = part.sandbox.store, [{"asset": written.native_id, "target_location": "Hall 2"}]
        later = {"purpose": "Transfer", "company": "Acme", "transaction_date": "2027-01-01 00:00:00", "docstatus": 1}
        part.sandbox.do(lambda change: store.insert("Asset Movement", {**later, "assets": rows}, change))
        command = write("a-1", fields(1, location="Yard & Gate"), version=9)
        with pytest.raises(Rejected, match="dated later"):
            await connector.sink.write(command, written.native_id)


async def test_scrapping_is_once_and_what_it_cannot_say_is_refused_unsent() -> None:
    async with running() as part:
        connector = part.connect()
        written = await deliver(connector, write("a-1", fields(1)))
        sold = fields(1, disposal_date=dt.date(2026, 11, 2), disposal_kind=DisposalKind.SALE)
        with pytest.raises(Rejected, match="SALE is not written here"):
            await connector.sink.write(write("a-1", sold, version=2), written.native_id)
        scrapped = sold.model_copy(update={"disposal_kind": DisposalKind.SCRAP, "in_service_date": None})
        with pytest.raises(Rejected, match="a draft cannot be scrapped"):
            await connector.sink.write(write("a-2", scrapped), None)
        assert len(part.rows("Asset")) == 1
        lost = sold.model_copy(update={"disposal_kind": DisposalKind.LOSS})
        await deliver(connector, write("a-1", lost, version=3), written.native_id)
        assert part.effects().count(("scrapped", "Asset")) == 1
        again = await connector.sink.write(write("a-1", lost, version=4), written.native_id)
        assert not again.effect
        other = lost.model_copy(update={"disposal_date": dt.date(2026, 11, 3)})
        with pytest.raises(Rejected, match="it left there on 2026-11-02"):
            await connector.sink.write(write("a-1", other, version=5), written.native_id)


async def test_t27_an_amount_that_loses_a_cent_in_a_binary_fraction_is_named() -> None:
    amount = Money(amount=Decimal("90071992547409.93"), currency="EUR")
    async with running(has_doubles=True) as part:
        with pytest.raises(Rejected, match="kept less") as caught:
            await part.connect().sink.write(write("a-1", fields(1, acquisition_cost=amount)), None)
        assert caught.value.field == "fields.acquisition_cost"


async def test_a_site_without_a_unique_reference_is_searched_first() -> None:
    async with running(is_unique=False) as part:
        connector = part.connect(reference_is_unique=False)
        part.fail(kind="timeout_after_commit", method="POST")
        await deliver(connector, write("a-1", fields(1)))
        await deliver(connector, write("a-1", fields(1)))
        assert [row[REFERENCE] for row in part.rows("Asset")] == ["a-1"]


async def test_a_record_of_another_reference_is_not_taken() -> None:
    async with running() as part:
        connector = part.connect()
        written = await deliver(connector, write("a-1", fields(1)))
        with pytest.raises(Rejected, match="carries the reference of another"):
            await connector.sink.write(write("a-2", fields(2)), written.native_id)


async def test_a_deleted_number_that_is_given_again_is_not_called_gone() -> None:
    async with running() as part:
        connector = part.connect()
        first = part.create()
        _, position = await drain(connector, {})
        part.delete(first)
        part.moved += dt.timedelta(seconds=5)
        assert part.create(asset_name="Another") == first, "the series gives its last number again"
        items, position = await drain(connector, position)
        reports = [one for item in items for one in connector.map_item(item) if isinstance(one, AssetReport)]
        assert [(one.deleted, one.fields.description) for one in reports] == [(False, "Another")]
        part.delete(first)
        items, _ = await drain(connector, position)
        [gone] = [one for item in items for one in connector.map_item(item) if isinstance(one, AssetReport)]
        assert (gone.deleted, gone.origin.native_id) == (True, first)


async def test_what_is_saved_behind_a_long_readings_back_is_read_next() -> None:
    async with running() as part:
        connector = part.connect(page_size=2)
        names = [part.create(asset_name=f"Drill {n}") for n in range(5)]
        items: list[RawItem] = []
        position: Mapping[str, str] = {}
        for turn in range(60):
            page = await connector.source.read_changes(position, 1)
            items, position = [*items, *page.items], page.position
            if not page.more and turn > 15:
                break
            part.moved += dt.timedelta(minutes=3)
            if names[1] in [item.native_id for item in page.items] and turn < 15:
                part.save(names[0], location="Hall 2")  # behind the token
                part.moved += dt.timedelta(minutes=3)
                part.save(names[4], location="Hall 2")  # before it, and later
        last = {item.native_id: connector.map_item(item)[0] for item in items if item.stream == "assets"}
        places = {name: one.fields.location for name, one in last.items() if isinstance(one, AssetReport)}
        assert places == {**dict.fromkeys(names, "Hall 1"), names[0]: "Hall 2", names[4]: "Hall 2"}


async def test_only_drafts_are_removed_and_what_is_gone_counts_as_removed() -> None:
    async with running() as part:
        connector = part.connect()

        def remove(name: str) -> RemoveRecord:
            dispatch = Dispatch(command_id=f"r-{name}", target="erp", version=1)
            return RemoveRecord(dispatch=dispatch, entity="asset", record_id=name, native_id=name)

        draft, submitted = part.create(), part.create(docstatus=1, available_for_use_date=IN_SERVICE.isoformat())
        assert (await connector.sink.write(remove(draft), None)).effect
        assert not (await connector.sink.write(remove(draft), None)).effect
        with pytest.raises(Rejected, match="Submitted Record cannot be deleted"):
            await connector.sink.write(remove(submitted), None)


async def test_a_posting_that_saves_only_the_asset_brings_its_book() -> None:
    async with running() as part:
        connector = part.connect()
        name = part.create(
            docstatus=1,
            calculate_depreciation=1,
            available_for_use_date="2026-08-01",
            finance_books=[BOOK],
        )
        items, position = await drain(connector, {})
        [before] = [one for item in items for one in connector.map_item(item) if isinstance(one, BookReport)]
        assert (before.fields.accumulated, before.fields.net_book_value) == (Decimal(0), Decimal("100.10"))
        part.moved += dt.timedelta(minutes=5)
        asked: dict[str, object] = {"depr_schedule_name": "ACC-ADS-2026-00001", "date": "2026-09-30"}
        part.sandbox.do(lambda change: depreciate(part.sandbox.store, asked, change))
        items, _ = await drain(connector, position)
        [after] = [one for item in items for one in connector.map_item(item) if isinstance(one, BookReport)]
        # (100.10 - 10) / 3 = 30.03, twice
        assert (after.fields.accumulated, after.fields.net_book_value) == (Decimal("60.06"), Decimal("40.04"))
        assert (after.fields.as_of, after.fields.end_date) == (dt.date(2026, 9, 30), dt.date(2026, 10, 31))
        assert [line.posted for line in after.fields.lines] == [True, True, False]
        assert sum((line.depreciation for line in after.fields.lines), Decimal(0)) == Decimal("90.10")
        assert after.origin.native_id == f"{name}|main"
        assert after.origin.source_version != before.origin.source_version


async def test_orders_come_with_their_items_and_places_by_name() -> None:
    async with running() as part:
        connector, store = part.connect(), part.sandbox.store
        item: dict[str, object] = {
            "item_code": "PRESS",
            "item_name": "Press",
            "is_fixed_asset": 1,
            "asset_category": "Machinery",
        }
        item |= {"qty": Decimal(2), "uom": "Nos", "net_rate": Decimal("1250.25"), "net_amount": Decimal("2500.50")}
        order: dict[str, object] = {
            "supplier": "SUP-7",
            "company": "Acme",
            "transaction_date": "2026-11-02",
            "currency": "USD",
        }
        order |= {"status": "To Receive and Bill", "net_total": Decimal("2500.50"), "docstatus": 1}
        for _ in range(2):
            part.sandbox.do(lambda change: store.insert("Purchase Order", {**order, "items": [item]}, change))
        items, _ = await drain(connector, {})
        reports = [one for each in items for one in connector.map_item(each)]
        orders = [one.fields for one in reports if isinstance(one, OrderReport)]
        assert [(one.po_number, one.approval_status, one.net_total) for one in orders] == [
            (f"PUR-ORD-2026-0000{number}", "APPROVED", Decimal("2500.50")) for number in (1, 2)
        ]
        assert [[line.line_id for line in one.lines] for one in orders] == [
            [f"PUR-ORD-2026-0000{number}-items-1"] for number in (1, 2)
        ]
        codes = {one.fields.code: one.fields.company for one in reports if isinstance(one, ReferenceReport)}
        assert codes == {"Hall 1": None, "Hall 2": None, "Yard & Gate": None, "Main - A": "1000", "Plant - A": "1000"}


async def test_an_asset_that_is_cancelled_there_is_not_made_again() -> None:
    async with running() as part:
        connector = part.connect()
        written = await deliver(connector, write("a-1", fields(1)))
        part.save(written.native_id, docstatus=2)
        assert (await report_of(connector, written.native_id)).deleted
        with pytest.raises(Rejected, match="cancelled there"):
            await connector.sink.write(write("a-1", fields(1, location="Hall 2"), version=2), written.native_id)
        assert len(part.rows("Asset")) == 1


async def test_costs_are_posted_by_receiver_against_the_clearing_account() -> None:
    async with running() as part:
        connector = part.connect()
        shares = [("Main - A", "3.10"), ("Plant - A", "-1.10")]
        postings = tuple(
            CostPosting(
                line_no=1,
                kind=CostKind.SERVICE,
                receiver_kind=ReceiverKind.COST_CENTRE,
                receiver=centre,
                amount=Money(amount=Decimal(amount), currency="EUR"),
            )
            for centre, amount in shares
        )
        command = cost(7, "2.00").model_copy(update={"postings": postings, "posting_date": dt.date(2026, 12, 1)})
        written = await deliver(connector, command)
        [entry] = part.rows("Journal Entry")
        assert (entry["name"], entry["posting_date"], entry["docstatus"]) == (written.native_id, "2026-12-01", 1)
        rows = entry["accounts"]
        assert isinstance(rows, list)
        keys = ("account", "cost_center", "debit_in_account_currency", "credit_in_account_currency")
        assert [tuple(row.get(key) for key in keys) for row in rows] == [
            ("Repairs - A", "Main - A", Decimal("3.10"), None),
            ("Repairs - A", "Plant - A", None, Decimal("1.10")),
            ("Clearing - A", None, None, Decimal("2.00")),
        ]
        with pytest.raises(Rejected, match="says otherwise"):
            await connector.sink.write(cost(7, "2.50"), None)


@pytest.mark.parametrize(
    ("changed", "place"),
    [({"currency": "USD"}, "fields.currency"), ({"total": Decimal("9.99")}, "fields.total")],
)
async def test_costs_that_cannot_be_posted_are_refused_by_their_field(changed: dict[str, object], place: str) -> None:
    async with running() as part:
        command = cost(7, "", **changed)
        with pytest.raises(Rejected) as caught:
            await part.connect().sink.write(command, None)
        assert (caught.value.field, part.rows("Journal Entry")) == (place, [])


async def test_times_are_those_of_the_sites_zone() -> None:
    async with running(zone="Asia/Kolkata") as part:
        connector = part.connect(time_zone="Asia/Kolkata")
        name = part.create()
        assert part.rows("Asset")[0]["modified"] == dt.datetime(2026, 11, 21, 17, 30)  # noqa: DTZ001  - local
        items, position = await drain(connector, {})
        assert name in [item.native_id for item in items]
        assert (await report_of(connector, name)).origin.recorded_at == dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
        assert (await drain(connector, position))[0] == []


async def test_names_and_mail_addresses_of_people_stay_there() -> None:
    async with running() as part:
        connector = part.connect()
        item = await connector.source.read_one("assets", part.create())
        assert item is not None
        assert b"example.com" not in item.payload


def test_webhooks_are_taken_by_their_signature() -> None:
    parse = webhook_parser("s3cret")
    body = b'{"doctype": "Asset", "name": "ACC-ASS-2026-00001"}'
    # printf '%s' "$body" | openssl dgst -sha256 -hmac s3cret -binary | base64
    signature = "BHhTafZNByOg1HYjLKI1SBd47B/PWfiMl2NE7MuQL9M="
    assert signature_of("s3cret", body) == signature
    assert parse({SIGNATURE.lower(): signature}, body) == [("assets", "ACC-ASS-2026-00001")]
    for headers, given in (({}, body), ({SIGNATURE: signature}, body + b" "), ({SIGNATURE: signature[::-1]}, body)):
        with pytest.raises(Rejected, match="signature"):
            parse(headers, given)
    other = b'{"doctype": "Customer", "name": "X"}'
    assert parse({SIGNATURE: signature_of("s3cret", other)}, other) == []
    with pytest.raises(Rejected, match="doctype and name"):
        parse({SIGNATURE: signature_of("s3cret", b"[]")}, b"[]")


@pytest.mark.parametrize(
    "more",
    [{"webhook_port": 80}, {"cost_accounts": {"SERVICE": "R"}}, {"time_zone": "Mars"}, {"page_size": 500}],
    ids=str,
)
def test_settings_that_do_not_go_together_are_refused(more: dict[str, object]) -> None:
    plain = {"endpoint": "https://erp.example", "api_key": "k", "api_secret": "s", "currency": "EUR"}
    assert read_settings("erp", plain).cost_field == "gross_purchase_amount"
    with pytest.raises(Stop):
        read_settings("erp", {**plain, **more})


def test_the_field_page_names_the_cost_by_version() -> None:
    settings = {"endpoint": "https://erp.example", "currency": "EUR", "cost_field": "net_purchase_amount"}
    assert "`net_purchase_amount`" in page(settings)
    assert set(tables(settings)) >= {AssetFields.__name__, "BookFields", "OrderFields"}

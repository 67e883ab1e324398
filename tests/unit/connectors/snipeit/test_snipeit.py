"""Snipe-IT's own traps, each against the sandbox that plays it."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

import aiohttp
import pytest
from tests.unit.connectors.snipeit.snipeit_parts import (
    REFERENCE,
    TOKEN,
    deliver,
    drain,
    fields,
    running,
    write,
    zone,
)

from tieline.connectors.snipeit import sandbox_store as acts
from tieline.connectors.snipeit.fieldtable import page, tables
from tieline.connectors.snipeit.sandbox_shapes import DEFAULT_FIELDS, Instance
from tieline.connectors.snipeit.settings import read_settings
from tieline.kernel.asset_records import AssetFields, AssetReport, PhysicalStatus
from tieline.kernel.book_records import BookFields
from tieline.kernel.code_lists import CodeEntry, Codes
from tieline.kernel.command_records import PostCost, RemoveRecord, WriteBook
from tieline.kernel.cost_records import CostFields
from tieline.kernel.errors import Rejected, Retryable, Stop, Unavailable
from tieline.kernel.protocols import Connector
from tieline.kernel.vocabulary import Dispatch, Money


async def ask(url: str, token: str = TOKEN) -> tuple[int, dict[str, object], dict[str, str]]:
    """Status, document and headers, as a caller without our connector sees them."""
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as got:
        return got.status, json.loads(await got.text()), dict(got.headers)


async def report_of(connector: Connector, native_id: str) -> AssetReport:
    item = await connector.source.read_one("assets", native_id)
    assert item is not None
    [report] = connector.map_item(item)
    assert isinstance(report, AssetReport)
    return report


async def test_the_sandbox_says_no_as_the_vendor_does() -> None:
    async with running(per_minute=3) as part:
        assert (await ask(part.url + "/api/v1/hardware", "wrong"))[0] == 401
        status, missing, headers = await ask(part.url + "/api/v1/hardware/7")
        assert (status, missing["status"], missing["payload"]) == (200, "error", None)
        assert headers["X-RateLimit-Remaining"] == "2"
        status, page_, _ = await ask(part.url + "/api/v1/hardware?limit=900")
        assert (status, page_) == (200, {"total": 0, "rows": []})
        await ask(part.url + "/api/v1/hardware")
        status, refused, headers = await ask(part.url + "/api/v1/hardware")
        assert (status, refused["messages"], int(headers["Retry-After"]) > 0) == (429, "Too many requests", True)


async def test_a_page_above_500_is_lowered_without_a_word_and_nothing_is_lost() -> None:
    async with running() as part:
        for number in range(1, 1002):
            part.create(name=str(number))
        _, page_, _ = await ask(part.url + "/api/v1/hardware?limit=1000")
        assert isinstance(page_["rows"], list)
        assert (len(page_["rows"]), page_["total"]) == (500, 1001)
        reading = part.connect()
        assert len([item async for item in reading.source.read_all("assets")]) == 1001


async def test_throttling_pauses_everybody_and_blames_no_record() -> None:
    async with running() as part:
        connector = part.connect()
        part.fail(kind="error_429", retry_after=30)
        with pytest.raises(Unavailable, match="am is throttled") as caught:
            await connector.sink.write(write("a-1", fields(1)), None)
        assert caught.value.retry_after_secs == 30
        with pytest.raises(Unavailable, match="gives no call now"):
            await connector.source.read_one("assets", "1")


async def test_archived_assets_are_read_and_found_and_one_that_comes_back_meanwhile_is_not_missed() -> None:
    async with running() as part:
        ids = [part.create(name=str(number), status_id=5 if number % 2 else 2) for number in range(8)]
        reading = part.connect(page_size=2)
        assert {item.native_id async for item in reading.source.read_all("assets")} == set(ids)
        given = []
        async for item in reading.source.read_all("assets"):
            given.append(item.native_id)
            if len(given) == 4:  # the active ones are read; now an archived one is taken up again
                part.moved += dt.timedelta(seconds=5)
                part.do(acts.update_asset, {"status_id": 2}, ids[1])
        assert sorted(given) == sorted(ids)
        await deliver(reading, write("a-1", AssetFields(description="found"), writable=("description",)), ids[3])
        assert (await report_of(reading, ids[3])).origin.hub_ref == "a-1"
        wanted = AssetFields(description="found", physical_status=PhysicalStatus.RETIRED)
        again = await deliver(part.connect(), write("a-1", wanted), None)
        assert (again.native_id, again.effect) == (ids[3], False), "by our reference, among the archived"


async def test_a_deleted_twin_is_no_obstacle_and_a_deletion_is_told() -> None:
    async with running() as part:
        connector = part.connect()
        first = await deliver(connector, write("a-1", fields(1, tag="T-1")))
        _, position = await drain(connector, {})
        part.moved += dt.timedelta(seconds=9)
        part.do(acts.delete_asset, {}, first.native_id)
        items, position = await drain(connector, position)
        [gone] = [report for item in items for report in connector.map_item(item)]
        assert isinstance(gone, AssetReport)
        assert (gone.deleted, gone.origin.native_id, gone.origin.hub_ref) == (True, first.native_id, "a-1")
        second = await deliver(connector, write("a-1", fields(1, tag="T-1"), version=2), first.native_id)
        assert second.native_id != first.native_id
        part.moved += dt.timedelta(seconds=9)
        part.do(acts.delete_asset, {}, second.native_id)
        part.do(acts.restore_asset, {}, second.native_id)
        items, _ = await drain(connector, position)
        back = [report for item in items for report in connector.map_item(item)]
        assert [report.origin.native_id for report in back if isinstance(report, AssetReport) and not report.deleted]


async def test_names_of_people_never_leave_the_source() -> None:
    async with running() as part:
        native_id = part.create(name="Laptop")
        part.do(acts.check_out, {"checkout_to_type": "user", "assigned_user": 1}, native_id)
        part.do(acts.audit_asset, {}, native_id)
        items, _ = await drain(part.connect(), {})
        captured = b"".join(item.payload for item in items)
        assert b"Lovelace" not in captured
        assert b"somebody" not in captured
        report = await report_of(part.connect(), native_id)
        assert (report.fields.custodian, report.fields.physical_status) == ("1", PhysicalStatus.IN_SERVICE)


async def test_t26_amounts_are_read_by_the_declared_format_and_no_other() -> None:
    async with running(Instance(is_continental=True)) as part:
        native_id = part.create(purchase_cost="1234567.89")
        report = await report_of(part.connect(number_format="1.234,56"), native_id)
        assert report.fields.acquisition_cost == Money(amount=Decimal("1234567.89"), currency="EUR")
        item = await part.connect().source.read_one("assets", native_id)
        assert item is not None
        with pytest.raises(Rejected, match="is not an amount") as caught:
            part.connect().map_item(item)
        assert caught.value.field == "purchase_cost"


async def test_an_amount_of_three_digits_after_the_point_is_refused_not_rounded() -> None:
    async with running() as part:
        cost = Money(amount=Decimal("1.005"), currency="EUR")
        with pytest.raises(Rejected, match="more than the 2 digits"):
            await part.connect().sink.write(write("a-1", fields(1, acquisition_cost=cost)), None)
        assert part.effects() == []


async def test_times_are_those_of_the_instances_zone_also_when_the_clocks_go_back() -> None:
    async with running(zone("Europe/Berlin")) as part:
        start = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
        part.moved = dt.datetime(2026, 10, 25, 0, 50, tzinfo=dt.UTC) - start  # 02:50 in summer time
        native_id = part.create(name="a")
        connector = part.connect(time_zone="Europe/Berlin")
        _, position = await drain(connector, {})
        part.moved += dt.timedelta(minutes=20)  # 02:10, for the second time
        part.do(acts.update_asset, {"name": "b"}, native_id)
        items, _ = await drain(connector, position)
        [report] = [report for item in items for report in connector.map_item(item)]
        assert isinstance(report, AssetReport)
        assert report.fields.description == "b"
        assert report.origin.recorded_at == dt.datetime(2026, 10, 25, 0, 10, tzinfo=dt.UTC), "an hour off, not lost"


async def test_a_model_without_the_reference_field_is_told_and_makes_no_second_asset() -> None:
    own = {column: one for column, one in DEFAULT_FIELDS.items() if column != REFERENCE}
    async with running(Instance(custom_fields=own)) as part:
        connector = part.connect()
        with pytest.raises(Rejected, match="did not keep our reference") as caught:
            await connector.sink.write(write("a-1", fields(1)), None)
        assert caught.value.field == REFERENCE
        assert caught.value.held_digest is not None


async def test_a_record_of_another_asset_is_not_written_over() -> None:
    async with running() as part:
        connector = part.connect()
        first = await deliver(connector, write("a-1", fields(1)))
        with pytest.raises(Rejected, match="carries the reference of another"):
            await connector.sink.write(write("a-2", fields(2)), first.native_id)


@pytest.mark.parametrize(
    ("changed", "field", "why"),
    [
        ({"location": "Nowhere"}, "location", "they have no location 'Nowhere'"),
        ({"company": "9999"}, "company", "they have no company '9999'"),
        ({"physical_status": PhysicalStatus.UNKNOWN}, "physical_status", "UNKNOWN has no counterpart"),
        ({"description": "x" * 256}, "description", "is longer than the 255 characters"),
        ({"serial_number": "TAKEN"}, "serial", "must be unique"),
    ],
)
async def test_what_cannot_be_made_there_is_refused_by_its_field(
    changed: dict[str, object], field: str, why: str
) -> None:
    async with running() as part:
        part.create(serial="TAKEN")
        before = part.effects()
        with pytest.raises(Rejected, match=why) as caught:
            await part.connect().sink.write(write("a-1", fields(1, **changed)), None)
        assert caught.value.field == field
        assert part.effects() == before


async def test_an_asset_class_gets_its_model_and_a_new_asset_a_status() -> None:
    async with running() as part:
        connector = part.connect(models={"MACHINERY": 2}, default_model=None, initial_status="IN_STORE")
        written = await deliver(connector, write("a-1", fields(1, asset_class="MACHINERY", physical_status=None)))
        held = (await report_of(connector, written.native_id)).fields
        assert (held.asset_class, held.physical_status) == ("MACHINERY", PhysicalStatus.IN_STORE)
        with pytest.raises(Rejected, match="no model is declared for asset class TOOL"):
            await connector.sink.write(write("a-2", fields(2, asset_class="TOOL")), None)


async def test_a_move_by_check_out_is_made_once_and_takes_nothing_from_a_person() -> None:
    async with running() as part:
        connector = part.connect(move_by="checkout")
        ready = fields(1, physical_status=PhysicalStatus.IN_STORE)
        written = await deliver(connector, write("a-1", ready))
        moved = ready.model_copy(update={"location": "Headquarters"})
        command = write("a-1", moved, version=2, writable=("location",))
        for kind in ("timeout_after_commit", "error_500_after_commit", "cut_body"):
            part.fail(kind=kind, path="check(in|out)$")
        await deliver(connector, command, written.native_id)
        assert not (await deliver(connector, command, written.native_id)).effect
        actions = [action for action, _ in part.effects()]
        assert actions == ["created", "checked-out", "checked-in", "checked-out"]
        assert (await report_of(connector, written.native_id)).fields.location == "Headquarters"
        part.do(acts.check_in, {}, written.native_id)
        part.do(acts.check_out, {"checkout_to_type": "user", "assigned_user": 2}, written.native_id)
        with pytest.raises(Rejected, match="a person has it checked out"):
            await connector.sink.write(write("a-1", ready, version=3, writable=("location",)), written.native_id)


async def test_without_a_unique_field_a_record_is_looked_for_before_it_is_made() -> None:
    plain = {column: type(one)(one.title) for column, one in DEFAULT_FIELDS.items()}
    async with running(Instance(custom_fields=plain)) as part:
        connector = part.connect(reference_is_unique=False)
        part.fail(kind="timeout_after_commit", method="POST")
        first = await deliver(connector, write("a-1", fields(1)))
        again = await connector.sink.write(write("a-1", fields(1)), None)
        assert (again.native_id, again.effect) == (first.native_id, False)
        assert [action for action, _ in part.effects()] == ["created"]


async def test_only_what_differs_and_may_be_written_is_sent() -> None:
    async with running() as part:
        connector = part.connect()
        written = await deliver(connector, write("a-1", fields(1)))
        part.do(acts.update_asset, {"name": "Theirs", "order_number": "PO-7"}, written.native_id)
        command = write("a-1", fields(1, location="Headquarters"), version=2, writable=("location",))
        await deliver(connector, command, written.native_id)
        report = await report_of(connector, written.native_id)
        assert (report.fields.description, report.fields.location) == ("Theirs", "Headquarters")
        assert report.fields.po_line_ref == "PO-7"


async def test_codes_of_the_landscape_go_around_the_map() -> None:
    entries = (CodeEntry(code="Warehouse & Yard", means="L-300"), CodeEntry(code="Laboratory", means="L-200"))
    async with running() as part:
        connector = part.connect(codes=Codes("am", {"location": entries}))
        written = await deliver(connector, write("a-1", fields(1, location="L-300")))
        assert (await report_of(connector, written.native_id)).fields.location == "L-300"
        assert not (await deliver(connector, write("a-1", fields(1, location="L-300")))).effect
        with pytest.raises(Rejected, match=r"code_lists.location.am"):
            await connector.sink.write(write("a-2", fields(2, location="L-900")), None)


def book(accumulated: str) -> BookFields:
    return BookFields(
        book_id="main",
        currency="EUR",
        method="SL",
        gross_cost=Decimal(100),
        salvage=Decimal(0),
        accumulated=Decimal(accumulated),
        net_book_value=Decimal(100) - Decimal(accumulated),
        as_of=dt.date(2026, 1, 31),
        lines=(),
    )


async def test_a_book_is_shown_in_custom_fields_once_and_only_where_declared() -> None:
    columns = {"accumulated": "_snipeit_accumulated_8", "net_book_value": "_snipeit_net_book_value_9"}
    async with running() as part:
        connector = part.connect(book_fields=columns, book="main")
        dispatch = Dispatch(command_id="b-1", target="am", version=1)
        command = WriteBook(dispatch=dispatch, asset_id="a-1", fields=book("10.50"))
        with pytest.raises(Retryable, match="its book waits for it"):
            await connector.sink.write(command, None)
        written = await deliver(connector, write("a-1", fields(1)))
        assert await connector.sink.read_back(command, None) is None
        assert (await deliver(connector, command)).native_id == f"{written.native_id}|main"
        assert not (await deliver(connector, command)).effect
        [row] = part.assets()
        assert isinstance(row["custom"], dict)
        assert row["custom"]["_snipeit_accumulated_8"] == "10.50"
        assert row["custom"]["_snipeit_net_book_value_9"] == "89.50"
        with pytest.raises(Rejected, match="takes no WriteBook"):
            await part.connect().sink.write(command, None)
        other = command.model_copy(update={"fields": command.fields.model_copy(update={"book_id": "tax"})})
        with pytest.raises(Rejected, match="only book main is shown"):
            await connector.sink.write(other, None)


async def test_what_it_does_not_take_is_refused_and_a_removal_counts_once() -> None:
    async with running() as part:
        connector = part.connect()
        written = await deliver(connector, write("a-1", fields(1)))
        dispatch = Dispatch(command_id="r-1", target="am", version=1)
        remove = RemoveRecord(dispatch=dispatch, entity="asset", record_id="a-1", native_id=written.native_id)
        assert (await deliver(connector, remove)).effect
        assert not (await deliver(connector, remove)).effect
        costs = CostFields(
            work_order="1",
            company="1",
            currency="EUR",
            cost_centre="C",
            effective_date=dt.date(2026, 1, 1),
            total=Decimal(0),
            lines=(),
        )
        with pytest.raises(Rejected, match="takes no PostCost"):
            await connector.sink.write(PostCost(dispatch=dispatch, cost_doc_id="c", fields=costs), None)


async def test_a_wrong_token_stops_and_is_not_told() -> None:
    async with running() as part:
        with pytest.raises(Stop, match="Check the token") as caught:
            await part.connect(token="s3cret").source.read_changes({}, 10)  # noqa: S106  - of nobody
        assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"token": ["s3cret"]}, "token"),
        ({"endpoint": "http://snipe.example.com"}, "endpoint: Value error, must be https"),
        ({"reference_field": "hub_reference"}, "reference_field"),
        ({"currency": "euro"}, "currency"),
        ({"time_zone": "Mars/Base"}, "time_zone"),
        ({"statuses": {"RETIRED": []}}, "statuses"),
        ({"statuses": {"UNKNOWN": ["?"]}}, "UNKNOWN is what no label means"),
        ({"statuses": {"RETIRED": ["Gone (deployed)"]}}, "it is a label alone"),
        ({"page_size": 1000}, "page_size"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_a_wrong_setting_is_named_and_its_value_is_not_told(changed: dict[str, object], named: str) -> None:
    right = {"endpoint": "https://snipe.example.com", "token": "t", "currency": "EUR", "reference_field": REFERENCE}
    assert read_settings("am", right).endpoint == "https://snipe.example.com"
    with pytest.raises(Stop, match=named) as caught:
        read_settings("am", {**right, **changed})
    assert "s3cret" not in str(caught.value)


def test_the_catalogue_says_where_fields_stand() -> None:
    settings: dict[str, object] = {
        "endpoint": "https://snipe.example.com",
        "currency": "EUR",
        "reference_field": REFERENCE,
        "custom_fields": {"cost_centre": "_snipeit_cc_2"},
        "book_fields": {"accumulated": "_snipeit_acc_3"},
        "maintenance_cost_centre": "CC-9",
    }
    found = tables(settings)
    assert set(found) == {"AssetFields", "BookFields", "CostFields", "AuditFields", "ReferenceFields"}
    assert found["AssetFields"].places["location"].written == ("location_id",)
    assert found["AssetFields"].places["cost_centre"].written == ("_snipeit_cc_2",)
    assert found["CostFields"].places["total"].written == ()
    assert "`_snipeit_hub_reference_1`" in page(settings)

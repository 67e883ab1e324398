"""NetBox's own traps, each against the sandbox that plays it."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal

import aiohttp
import pytest
from pydantic import SecretStr
from tests.unit.connectors.netbox.netbox_parts import TOKEN, deliver, drain, fields, running, write

from tieline.connectors.netbox import sandbox as acts
from tieline.connectors.netbox.fieldtable import page, tables
from tieline.connectors.netbox.sandbox_store import DEFAULT_FIELDS, CustomField, Instance, custom_of
from tieline.connectors.netbox.settings import read_settings
from tieline.connectors.netbox.webhook import parse
from tieline.kernel.asset_records import AssetFields, AssetReport, PhysicalStatus
from tieline.kernel.book_records import BookFields
from tieline.kernel.code_lists import SHARED, CodeEntry, Codes
from tieline.kernel.command_records import RemoveRecord, WriteBook
from tieline.kernel.errors import Rejected, Retryable, Stop
from tieline.kernel.protocols import Connector
from tieline.kernel.vocabulary import Dispatch, Money

V1 = "0123456789abcdef0123456789abcdef01234567"


async def ask(
    method: str, url: str, body: object = None, **headers: str
) -> tuple[int, dict[str, object], Mapping[str, str]]:
    """Status, document and headers, as a caller without our connector sees them."""
    given = {"Authorization": f"Bearer {TOKEN}", **{name.replace("_", "-"): text for name, text in headers.items()}}
    async with aiohttp.ClientSession() as session, session.request(method, url, json=body, headers=given) as got:
        said = await got.text()
        return got.status, json.loads(said) if said.startswith("{") else {"text": said}, got.headers


async def report_of(connector: Connector, native_id: str) -> AssetReport:
    item = await connector.source.read_one("assets", native_id)
    assert item is not None
    [report] = connector.map_item(item)
    assert isinstance(report, AssetReport)
    return report


def custom(**changed: CustomField) -> Instance:
    return Instance(custom_fields={**DEFAULT_FIELDS, **changed})


async def test_the_sandbox_says_no_as_the_vendor_does() -> None:
    async with running() as part:
        devices = part.url + "/api/dcim/devices/"
        assert (await ask("GET", devices, Authorization="Token x"))[:2] == (403, {"detail": "Invalid token"})
        assert (await ask("GET", devices + "7/"))[:2] == (404, {"detail": "No Device matches the given query."})
        assert (await ask("GET", part.url + "/api/nowhere/"))[1] == {"text": "<html><h1>Page Not Found</h1></html>"}
        wrong = {"serial": "x" * 51, "status": "on-loan", "role": 99}
        status, refused, _ = await ask("POST", devices, wrong)
        assert (status, sorted(refused)) == (400, ["device_type", "role", "serial", "site", "status"])
        made = await ask("POST", devices, {"device_type": 1, "role": 1, "site": 1, "serial": " padded "})
        assert (made[0], made[1]["serial"], made[2]["ETag"]) == (201, "padded", 'W/"2026-11-21T12:00:00+00:00"')
        stale = await ask("PATCH", devices + "1/", {"serial": "x"}, If_Match='W/"2026-01-01T00:00:00+00:00"')
        assert (stale[0], stale[2]["ETag"]) == (412, made[2]["ETag"])
        listed = await ask("GET", devices + "?last_updated__gte=yesterday")
        assert listed[:2] == (400, {"last_updated__gte": ["Enter a valid date/time."]})


async def test_the_sandboxs_lists_page_by_offset_and_by_start_and_are_written_all_or_none() -> None:
    async with running(Instance(max_page_size=2)) as part:
        ids = [int(part.create(serial=f"S-{n}")) for n in range(3)]
        devices = part.url + "/api/dcim/devices/"
        _, first, _ = await ask("GET", devices + "?limit=900&ordering=-id&colour=red")
        assert isinstance(first["results"], list)
        assert (first["count"], [one["id"] for one in first["results"]]) == (3, [ids[2], ids[1]])
        assert [one["id"] for one in (await ask("GET", str(first["next"])))[1]["results"]] == [ids[0]]  # type: ignore[attr-defined]  # a list
        _, by_start, _ = await ask("GET", devices + f"?start={ids[1]}")
        assert (by_start["count"], by_start["next"]) == (None, None)
        assert (await ask("GET", devices + "?start=1&offset=1"))[0] == 400
        both = [{"id": ids[0], "serial": "new"}, {"id": ids[1], "status": "on-loan"}]
        status, refused, _ = await ask("PATCH", devices, both)
        assert (status, refused["detail"]) == (400, "1 of 2 objects failed validation.")
        assert [row["serial"] for row in part.devices()] == ["S-0", "S-1", "S-2"]


@pytest.mark.parametrize("token", [V1, TOKEN], ids=["v1", "v2"])
async def test_tokens_of_both_versions_are_sent_as_theirs(token: str) -> None:
    async with running(token=token) as part:
        native_id = part.create(serial="S-1")
        assert (await report_of(part.connect(), native_id)).fields.serial_number == "S-1"


async def test_a_page_that_is_lowered_without_a_word_loses_nothing() -> None:
    async with running(Instance(max_page_size=4)) as part:
        ids = [part.create() for _ in range(11)]
        reading = part.connect(page_size=500)
        assert [item.native_id async for item in reading.source.read_all("assets")] == ids
        items, _ = await drain(reading, {})
        assert [item.native_id for item in items if item.stream == "assets"] == ids


async def test_a_record_changed_while_the_list_is_read_comes_again_and_hides_no_other() -> None:
    async with running() as part:
        ids = []
        for _ in range(9):
            part.moved += dt.timedelta(seconds=20)
            ids.append(part.create())
        reading = part.connect(page_size=3)
        first = await reading.source.read_changes({}, 8)  # five places and a page of three devices
        seen = [item.native_id for item in first.items if item.stream == "assets"]
        assert seen == ids[:3]
        for native_id in (*ids[:3], ids[3]):  # by offset, three rows would now be stepped over
            part.moved += dt.timedelta(seconds=20)
            part.do(acts.update_device, {"serial": "again"}, native_id)
        items, _ = await drain(reading, first.position)
        assert {item.native_id for item in items} == set(ids)
        assert (await report_of(reading, ids[0])).fields.serial_number == "again"


async def test_a_list_that_does_not_say_whether_it_goes_on_proves_nothing() -> None:
    async with running() as part:
        part.create()
        part.fail(kind="answer", text='{"results": []}', path="/devices/")
        with pytest.raises(Retryable, match="whether the list goes on"):
            _ = [item async for item in part.connect().source.read_all("assets")]


async def test_somebody_elses_change_between_look_and_write_is_not_overwritten() -> None:
    async with running() as part:
        connector = part.connect()
        made = await deliver(connector, write("a-1", fields(1)))
        part.moved += dt.timedelta(seconds=5)
        part.do(acts.update_device, {"serial": "a person's"}, made.native_id)
        wanted = write("a-1", fields(1, description="ours"), version=2, writable=("description", "serial_number"))
        part.fail(kind="stale_read", method="GET")
        with pytest.raises(Retryable, match="412"):
            await connector.sink.write(wanted, made.native_id)
        assert [row["description"] for row in part.devices()] == ["Press 1"]
        await connector.sink.write(wanted, made.native_id)
        assert [row["description"] for row in part.devices()] == ["ours"]


async def test_before_version_4_6_there_is_no_etag_and_writes_go_without() -> None:
    async with running(Instance(has_etags=False, log_app="extras")) as part:
        connector = part.connect(change_log="extras")
        made = await deliver(connector, write("a-1", fields(1)))
        await deliver(connector, write("a-1", fields(1, description="ours"), version=2), made.native_id)
        _, position = await drain(connector, {})
        part.moved += dt.timedelta(seconds=9)
        part.do(acts.delete_device, {}, made.native_id)
        items, _ = await drain(connector, position)
        [gone] = connector.map_item(items[0])
        assert isinstance(gone, AssetReport)
        assert (len(items), gone.deleted) == (1, True)


async def test_what_moves_leaves_its_rack_and_what_stays_does_not() -> None:
    async with running() as part:
        connector = part.connect()
        made = await deliver(connector, write("a-1", fields(1)))
        part.do(acts.update_device, {"rack": 1, "position": 12, "face": "front"}, made.native_id)
        await deliver(connector, write("a-1", fields(1, description="new"), version=2), made.native_id)
        assert [(row["rack"], row["position"]) for row in part.devices()] == [(1, 12)]
        await deliver(connector, write("a-1", fields(1, location="works"), version=3), made.native_id)
        [row] = part.devices()
        assert [row[name] for name in ("site", "location", "rack", "position", "face")] == [2, None, None, None, ""]


async def test_a_filter_that_is_switched_off_stops_the_sink_before_it_makes_a_double() -> None:
    async with running(custom(hub_reference=CustomField(filter_logic="disabled"))) as part:
        part.create()
        with pytest.raises(Stop, match="does not filter by hub_reference"):
            await part.connect(reference_is_unique=False).sink.write(write("a-1", fields(1)), None)
        assert len(part.devices()) == 1


async def test_a_loose_filter_finds_parts_and_the_right_one_is_taken() -> None:
    async with running(custom(hub_reference=CustomField(filter_logic="loose"))) as part:
        connector = part.connect(reference_is_unique=False, page_size=2)
        made = {name: (await deliver(connector, write(name, fields(1)))).native_id for name in ("a-12", "a-11", "a-1")}
        again = await deliver(connector, write("a-1", fields(1)))
        assert (again.native_id, again.effect, len(part.devices())) == (made["a-1"], False, 3)


async def test_t27_a_decimal_field_that_keeps_a_binary_fraction_is_refused() -> None:
    async with running() as part:
        connector = part.connect(custom_fields={"acquisition_cost": "cost_decimal"})
        cost = Money(amount=Decimal("90071992547409.93"), currency="EUR")
        with pytest.raises(Rejected, match=r"instead of 90071992547409\.93") as caught:
            await connector.sink.write(write("a-1", fields(1, acquisition_cost=cost)), None)
        assert caught.value.field == "fields.acquisition_cost"


async def test_a_refused_creation_names_its_field_and_makes_nothing() -> None:
    async with running() as part:
        part.create(asset_tag="T-1")
        with pytest.raises(Rejected, match="already exists") as caught:
            await part.connect().sink.write(write("a-1", fields(1, tag="T-1")), None)
        assert (caught.value.field, len(part.devices())) == ("asset_tag", 1)


@pytest.mark.parametrize(
    ("changed", "more", "field"),
    [
        ({"physical_status": None}, {}, "fields.physical_status"),
        ({"physical_status": PhysicalStatus.MISSING}, {}, "physical_status"),
        ({"location": None}, {}, "fields.location"),
        ({"location": "hq/attic"}, {}, "location"),
        ({"location": None}, {"default_place": "attic"}, "default_place"),
        ({"asset_class": "PUMPS"}, {"default_kind": None}, "fields.asset_class"),
        ({"serial_number": "S" * 51}, {}, "serial_number"),
    ],
)
async def test_what_a_new_device_needs_is_asked_for_before_anything_is_sent(
    changed: dict[str, object], more: dict[str, object], field: str
) -> None:
    async with running() as part:
        with pytest.raises(Rejected) as caught:
            await part.connect(SHARED, **more).sink.write(write("a-1", fields(1, **changed)), None)
        assert (caught.value.field, part.devices()) == (field, [])


async def test_class_and_default_place_say_what_a_new_device_is_and_where() -> None:
    async with running() as part:
        connector = part.connect(kinds={"PUMPS": {"device_type": 2, "role": 1}}, default_place="works/hall-1")
        await deliver(connector, write("a-1", fields(1, asset_class="PUMPS", location=None)))
        [row] = part.devices()
        assert [row[name] for name in ("device_type", "role", "site", "location")] == [2, 1, 2, 2]


async def test_a_deletion_is_told_with_our_reference_and_only_while_the_log_is_read() -> None:
    async with running() as part:
        connector, deaf = part.connect(), part.connect(change_log="none")
        made = await deliver(connector, write("a-1", fields(1)))
        _, position = await drain(connector, {})
        _, unheard = await drain(deaf, {})
        part.moved += dt.timedelta(seconds=9)
        part.do(acts.delete_device, {}, made.native_id)
        [item], after = await drain(connector, position)
        [gone] = connector.map_item(item)
        assert isinstance(gone, AssetReport)
        assert (gone.deleted, gone.origin.native_id, gone.origin.hub_ref) == (True, made.native_id, "a-1")
        assert (await drain(connector, after))[0] == (await drain(deaf, unheard))[0] == []


async def test_an_entry_that_an_ignored_filter_let_through_deletes_nothing() -> None:
    async with running() as part:
        connector, native_id = part.connect(), part.create()
        _, position = await drain(connector, {})
        entry = {"id": 9, "time": "2026-11-21T12:00:05Z", "changed_object_id": int(native_id)}
        others = [
            {**entry, "action": {"value": "update"}, "changed_object_type": "dcim.device"},
            {**entry, "id": 10, "action": {"value": "delete"}, "changed_object_type": "ipam.vlan"},
        ]
        part.fail(kind="answer", path="object-changes", text=json.dumps({"next": None, "results": others}), count=3)
        assert (await drain(connector, position))[0] == []


async def test_places_that_close_move_or_go_are_told() -> None:
    async with running() as part:
        connector = part.connect()
        _, position = await drain(connector, {})
        part.moved += dt.timedelta(seconds=9)
        part.do(acts.updater("site"), {"status": "retired"}, "1")
        part.do(acts.updater("location"), {"parent": None}, "3")
        part.do(acts.deleter("location"), {}, "1")
        items, _ = await drain(connector, position)
        told = [one.model_dump()["fields"] for item in items for one in connector.map_item(item)]
        assert Counter((one["code"], one["parent"], one["status"]) for one in told) == {
            ("hq", None, "CLOSED"): 1,
            ("works/bay-3", "works", "ACTIVE"): 1,
            ("locations-1", None, "CLOSED"): 1,
        }


async def test_a_404_that_is_not_netboxs_own_is_no_proof_of_a_deletion() -> None:
    async with running() as part:
        connector, native_id = part.connect(), part.create()
        part.fail(kind="answer", status=404, text="<html>no such host</html>", count=2)
        with pytest.raises(Retryable, match="not proved"):
            await connector.source.read_one("assets", native_id)
        remove = RemoveRecord(
            dispatch=Dispatch(command_id="r-1", target="am", version=2),
            entity="asset",
            record_id="a-1",
            native_id=native_id,
        )
        with pytest.raises(Retryable, match="not proved"):
            await connector.sink.write(remove, native_id)
        assert [(await connector.sink.write(remove, native_id)).effect for _ in range(2)] == [True, False]


async def test_a_book_is_shown_in_custom_fields_and_not_sent_again() -> None:
    async with running() as part:
        connector = part.connect(book_fields={"book_id": "book", "net_book_value": "net_book_value"}, book="main")
        made = await deliver(connector, write("a-1", fields(1)))
        book = BookFields(
            book_id="main",
            currency="EUR",
            method="SL",
            gross_cost=Decimal(100),
            salvage=Decimal(0),
            accumulated=Decimal("9.50"),
            net_book_value=Decimal("90.50"),
            as_of=dt.date(2026, 1, 31),
            lines=(),
        )
        dispatch = Dispatch(command_id="b-1", target="am", version=1)
        command = WriteBook(dispatch=dispatch, asset_id="a-1", fields=book)
        assert [(await connector.sink.write(command, None)).effect for _ in range(2)] == [True, False]
        held = custom_of(part.devices()[0])
        assert (held["book"], held["net_book_value"], held["cost"]) == ("main", "90.50", "1.07"), made
        tax = command.model_copy(update={"fields": book.model_copy(update={"book_id": "tax"})})
        with pytest.raises(Rejected, match="only book main"):
            await connector.sink.write(tax, None)


async def test_codes_of_the_landscape_go_around_places_both_ways() -> None:
    codes = Codes("am", {"location": (CodeEntry(code="hq/store", means="L-100"),)})
    async with running() as part:
        connector = part.connect(codes)
        made = await deliver(connector, write("a-1", fields(1, location="L-100")))
        assert (part.devices()[0]["site"], part.devices()[0]["location"]) == (1, 1)
        assert (await report_of(connector, made.native_id)).fields.location == "L-100"


async def test_people_comments_and_configurations_are_not_captured() -> None:
    async with running() as part:
        connector = part.connect()
        native_id = part.create(comments="ask Ada Lovelace")
        one = await connector.source.read_one("assets", native_id)
        _, position = await drain(connector, {})
        part.moved += dt.timedelta(seconds=9)
        part.do(acts.delete_device, {}, native_id)
        [gone], _ = await drain(connector, position)
        assert one is not None
        for payload in (one.payload, gone.payload):
            assert not [word for word in (b"Ada", b"alovelace", b"192.0.2.1", b"tieline_etag") if word in payload]


# ---- webhooks ----------------------------------------------------------------------------------------------------

SECRET = SecretStr("unit-secret")


def signed(event: object) -> tuple[dict[str, str], bytes]:
    body = json.dumps(event).encode()
    return {"x-hook-signature": hmac.new(b"unit-secret", body, hashlib.sha512).hexdigest()}, body


@pytest.mark.parametrize(
    ("event", "found"),
    [
        ({"event": "updated", "object_type": "dcim.device", "data": {"id": 7}}, [("assets", "7")]),
        ({"event": "created", "model": "site", "data": {"id": 2}}, [("sites", "2")]),
        ({"event": "deleted", "object_type": "dcim.device", "data": {"id": 7}}, []),
        ({"event": "updated", "object_type": "ipam.vlan", "data": {"id": 7}}, []),
    ],
)
def test_a_webhook_says_which_record_to_read(event: object, found: list[tuple[str, str]]) -> None:
    assert list(parse(SECRET, *signed(event))) == found


def test_a_webhook_without_a_fitting_signature_or_shape_is_refused() -> None:
    headers, body = signed({"event": "updated", "object_type": "dcim.device", "data": {"id": 7}})
    for forged in ((headers, body + b" "), ({}, body), ({"X-Hook-Signature": ""}, body)):
        with pytest.raises(Rejected, match="does not fit"):
            parse(SECRET, *forged)
    with pytest.raises(Rejected, match="more than"):
        parse(SECRET, headers, b"x" * 1_000_001)
    for shapeless in ([1], {"object_type": "dcim.device", "data": {"id": True}}, {"model": "device"}):
        with pytest.raises(Rejected):
            parse(SECRET, *signed(shapeless))


# ---- settings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"webhook_port": 8080}, "webhook_secret is needed"),
        ({"custom_fields": {"acquisition_cost": "cost"}}, "currency is needed"),
        ({"statuses": {"UNKNOWN": ["on-loan"]}}, "UNKNOWN is what no status means"),
        ({"statuses": {"IN_STORE": []}}, "name at least one status"),
        ({"reference_field": "hub reference"}, "reference_field"),
    ],
)
def test_faulty_settings_are_named(more: dict[str, object], said: str) -> None:
    given = {"endpoint": "https://netbox.example", "token": "t-secret", "reference_field": "hub_reference", **more}
    with pytest.raises(Stop, match=said) as caught:
        read_settings("am", given)
    assert "t-secret" not in str(caught.value)


def test_the_field_table_is_made_of_the_map() -> None:
    settings = {"endpoint": "https://netbox.example", "reference_field": "hub_reference", "webhook_port": 8080}
    asset = tables(settings)["AssetFields"]
    assert (asset.places["location"].read, asset.places["location"].written) == (("site.slug",), ("place",))
    assert asset.places["asset_class"].written == ()
    text = page({**settings, "book_fields": {"book_id": "book"}})
    assert "custom field `hub_reference`" in text
    assert "| `physical_status` | `status.value`, written as `status` | both ways |" in text
    assert AssetFields.model_fields["tag"].description in text  # type: ignore[operator]  # it has one

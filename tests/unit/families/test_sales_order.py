"""A family that the hub does not know by itself, sales orders, from one system to the other: data, and no code."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.unit.families.estate import LANDSCAPE, TOKEN, Estate, commands, events, start_estate

from tieline.connectors.unio24.sandbox_store import Document
from tieline.kernel.command_records import CommandSettled, SettledAs
from tieline.kernel.family_records import FamilyCommand, FamilyReport
from tieline.kernel.records import Outbound, Typed

ORDER: Document = {
    "number": "SO-1",
    "company": "ACME",
    "customer": {"code": "C-7"},
    "currency": "EUR",
    "ordered_on": "2026-11-20",
    "promised_on": "24.12.2026",
    "state": "processing",
    "total": "1234.50",
    "positions": [
        {"pos": 1, "sku": "PUMP", "qty": "2", "price": "600.125", "net": "1200.25"},
        {"pos": 2, "sku": "HOSE", "qty": "3.5", "price": "9.785714", "net": "34.25"},
    ],
}
SHOWN: Document = {
    "erp_order": "SO-1",
    "company": "acme",
    "customer": "C-7",
    "currency": "EUR",
    "date": "2026-11-20",
    "promised": "2026-12-24",
    "status": 1,
    "amount": "1234,5000",  # an amount has the four digits of its contract
    "kind": "sale",
    "items": [
        {"line": 1, "article": "PUMP", "quantity": "2.000000", "unit_price": "600.125000", "amount": "1200.2500"},
        {"line": 2, "article": "HOSE", "quantity": "3.500000", "unit_price": "9.785714", "amount": "34.2500"},
    ],
}


@pytest.fixture
async def estate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Estate]:
    monkeypatch.setenv("SHOP_TOKEN", TOKEN)
    monkeypatch.setenv("UNIO24_TOKEN", TOKEN)
    async with start_estate(tmp_path) as running:
        yield running


def shown(estate: Estate) -> Document:
    """The only record in the asset system, without what is the system's own."""
    [record] = estate.screens["unio24"].held()
    return {name: value for name, value in record.items() if name in SHOWN}


def test_the_family_is_declared_without_a_line_of_code() -> None:
    files = [path for path in LANDSCAPE.parent.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".avsc", ".yaml"}
    assert len(files) > 10


async def test_a_new_order_becomes_state_an_event_and_a_record_in_the_target(estate: Estate) -> None:
    order = estate.screens["shop"].create(**ORDER)
    written = await estate.run()

    state = estate.state()
    assert (state.version, state.origin_system, state.origin_native_id) == (1, "shop", str(order["id"]))
    fields = state.fields
    assert (fields.order_number, fields.status, fields.net_total) == ("SO-1", "CONFIRMED", Decimal("1234.50"))
    assert (fields.customer, fields.promised_date) == ("C-7", dt.date(2026, 12, 24))
    assert [line.unit_price for line in fields.lines] == [Decimal("600.125"), Decimal("9.785714")]
    [event] = events(written)
    assert (event.record_id, event.fields) == (state.record_id, fields)
    assert (event.accepted.effective_date, event.accepted.origin_system) == (dt.date(2026, 11, 20), "shop")
    assert set(event.accepted.changed_fields) == set(type(fields).model_fields)
    [command] = commands(written)
    assert command.dispatch.command_id == f"unio24/sales-order/{state.record_id}/1"
    [record] = estate.screens["unio24"].held()
    assert shown(estate) == SHOWN
    assert record["external_ref"] == state.record_id
    [result] = [value.body for value in written if isinstance(value.body, CommandSettled)]
    assert (result.outcome, result.native_id) == (SettledAs.CONFIRMED, str(record["id"]))
    assert state.links == {"shop": str(order["id"]), "unio24": str(record["id"])}
    assert estate.links() == {
        f"shop/sales-order/{order['id']}": state.record_id,
        f"unio24/sales-order/{record['id']}": state.record_id,
    }
    assert estate.dead == []


async def test_a_change_is_sent_with_the_fields_that_differ_and_no_others(estate: Estate) -> None:
    order = estate.screens["shop"].create(**ORDER)
    await estate.run()
    estate.clock.tick()
    estate.screens["shop"].edit(order["id"], state="done", promised_on="20.12.2026")
    written = await estate.run()

    [event] = events(written)
    assert (event.accepted.version, event.accepted.changed_fields) == (2, ("promised_date", "status"))
    assert shown(estate) == SHOWN | {"status": 2, "promised": "2026-12-20"}
    [changed] = [e["detail"] for e in estate.screens["unio24"].store.journal(0, 99) if e["action"] == "updated"]
    assert changed == {"status": 2, "promised": "2026-12-20"}
    assert estate.dead == []


async def test_what_was_said_before_has_no_effect_when_it_is_said_again(estate: Estate) -> None:
    order = estate.screens["shop"].create(**ORDER)
    await estate.run()
    estate.clock.tick()
    estate.screens["shop"].edit(order["id"], state="done")
    await estate.run()
    state, writes, seen = estate.state(), estate.screens["unio24"].writes(), len(estate.log)
    topics = ("src.shop.raw.v1", "sales.sales-order.report.v1")
    said = [record for record in estate.log if record.topic in topics and record.key_text.startswith("shop/")]
    assert len(said) == 4
    for record in (*said, *reversed(said)):
        await estate.handle(record)
    await estate.run()
    assert (events(estate.typed(seen)), commands(estate.typed(seen))) == ([], [])
    assert (estate.state(), estate.screens["unio24"].writes()) == (state, writes)
    assert estate.dead == []


async def test_an_older_version_of_the_same_second_does_not_come_back(estate: Estate) -> None:
    order = estate.screens["shop"].create(**ORDER)
    await estate.run()
    estate.screens["shop"].edit(order["id"], state="done")  # the clock stands still
    await estate.run()
    assert estate.state().fields.status == "DELIVERED"
    first = next(record for record in estate.log if record.topic == "sales.sales-order.report.v1")
    await estate.handle(first)
    assert (estate.state().fields.status, estate.state().version) == ("DELIVERED", 2)


async def test_an_older_version_does_not_pass_a_newer_one_of_the_same_content(estate: Estate) -> None:
    order = estate.screens["shop"].create(**ORDER)
    await estate.run()
    first = next(record for record in estate.log if record.topic == "sales.sales-order.report.v1")
    late: Any = estate.hub.codec.decode(first.topic, first.value or b"").body
    estate.clock.tick()
    between = estate.clock.now
    estate.clock.tick()
    estate.screens["shop"].edit(order["id"], note="of no interest here")
    assert events(await estate.run()) == []
    late = late.model_copy(
        update={
            "origin": late.origin.model_copy(update={"recorded_at": between}),
            "fields": late.fields.model_copy(update={"company": "OTHER"}),
        }
    )
    await estate.publish(Outbound(first.topic, first.key_text, Typed("SalesOrderReport", late)))
    assert (estate.state().fields.company, estate.state().version) == ("ACME", 1)


async def test_a_command_that_is_delivered_again_writes_nothing(estate: Estate) -> None:
    estate.screens["shop"].create(**ORDER)
    await estate.run()
    writes = estate.screens["unio24"].writes()
    command = next(record for record in estate.log if record.topic == "sink.unio24.command.v1")
    await estate.handle(command)
    estate.ledgers["unio24"].clear()  # also where nothing is known of the delivery
    await estate.handle(command)
    assert estate.screens["unio24"].writes() == writes == ["created"]
    body = estate.hub.codec.decode(command.topic, command.value or b"").body
    assert isinstance(body, FamilyCommand)
    written = await estate.connectors["unio24"].sink.write(body, None)
    assert not written.effect, "nothing was sent, though they keep the company in lower case"


@pytest.mark.parametrize("kind", ["error_500_after_commit", "cut_body"])
async def test_a_lost_answer_makes_no_second_record(estate: Estate, kind: str) -> None:
    estate.screens["unio24"].fail(method="POST", path="/api/v1/records", kind=kind, count=1)
    estate.screens["shop"].create(**ORDER)
    await estate.run()
    assert estate.screens["unio24"].writes() == ["created"]
    assert shown(estate) == SHOWN
    assert estate.dead == []


async def test_what_the_hub_wrote_comes_back_as_nobodys_change(estate: Estate) -> None:
    estate.screens["shop"].create(**ORDER)
    written = await estate.run()
    reports = [value.body for value in written if isinstance(value.body, FamilyReport)]
    echoes: list[Any] = [report for report in reports if report.origin.system == "unio24"]
    assert echoes, "the target's record was read back"
    assert echoes[0].fields.company == "acme", "as the target writes it"
    assert len(events(written)) == 1
    assert estate.state().fields.company == "ACME"
    assert estate.conflicts() == {}


async def test_a_foreign_edit_is_a_conflict_until_it_is_taken_back(estate: Estate) -> None:
    estate.screens["shop"].create(**ORDER)
    await estate.run()
    [record] = estate.screens["unio24"].held()
    estate.clock.tick()
    estate.screens["unio24"].edit(record["id"], status=9)
    written = await estate.run()
    assert events(written) == []
    # The company stands there in lower case, by the file's own rule: that is nobody's edit.
    assert estate.conflicts() == {("status", "unio24"): ("CONFIRMED", "CANCELLED")}
    assert estate.state().fields.status == "CONFIRMED"
    estate.clock.tick()
    estate.screens["unio24"].edit(record["id"], status=1)
    await estate.run()
    assert estate.conflicts() == {}


async def test_a_foreign_edit_of_a_line_is_a_conflict_of_the_list(estate: Estate) -> None:
    estate.screens["shop"].create(**ORDER)
    await estate.run()
    [record] = estate.screens["unio24"].held()
    lines: Any = record["items"]
    estate.clock.tick()
    estate.screens["unio24"].edit(record["id"], items=[lines[0], lines[1] | {"quantity": "4"}])
    await estate.run()
    [(place, values)] = estate.conflicts().items()
    assert place == ("lines", "unio24")
    assert ('"3.500000"' in str(values[0]), '"4.000000"' in str(values[1])) == (True, True)


async def test_a_conflict_ends_when_the_owner_says_the_same(estate: Estate) -> None:
    order = estate.screens["shop"].create(**ORDER)
    await estate.run()
    [record] = estate.screens["unio24"].held()
    estate.clock.tick()
    estate.screens["unio24"].edit(record["id"], status=9)
    await estate.run()
    assert list(estate.conflicts()) == [("status", "unio24")]
    estate.screens["shop"].edit(order["id"], state="cancelled")
    await estate.run()
    assert estate.conflicts() == {}


async def test_a_flow_both_ways_never_leads_back_to_where_a_change_came_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two systems of the owning role: each one's word is the record, and goes to the other only (Invariant 8)."""
    monkeypatch.setenv("SHOP_TOKEN", TOKEN)
    monkeypatch.setenv("UNIO24_TOKEN", TOKEN)
    async with start_estate(tmp_path, both_ways(tmp_path)) as estate:
        estate.screens["shop"].create(**ORDER)
        await estate.run()
        [record] = estate.screens["unio24"].held()
        estate.clock.tick()
        estate.screens["unio24"].edit(record["id"], status=9)
        written = await estate.run()
        [event], [command] = events(written), commands(written)
        assert (event.accepted.origin_system, event.accepted.changed_fields) == ("unio24", ("status",))
        assert command.dispatch.target == "shop"
        [order] = estate.screens["shop"].held()
        assert order["state"] == "cancelled"
        estate.clock.tick()
        estate.screens["unio24"].edit(record["id"], status=1)  # back to what the hub once wrote: said, and no echo
        written = await estate.run()
        assert [event.accepted.changed_fields for event in events(written)] == [("status",)]
        [order] = estate.screens["shop"].held()
        assert order["state"] == "confirmed"
        assert estate.dead == []


async def test_how_a_target_spells_what_it_was_given_is_not_its_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the target's role would let it say it (Invariant 8)."""
    monkeypatch.setenv("SHOP_TOKEN", TOKEN)
    monkeypatch.setenv("UNIO24_TOKEN", TOKEN)
    async with start_estate(tmp_path, both_ways(tmp_path, spelling=", letter_case: lower")) as estate:
        estate.screens["shop"].create(**ORDER)
        written = await estate.run()
        assert shown(estate)["company"] == "acme"
        assert len(events(written)) == 1
        assert estate.state().fields.company == "ACME"


def both_ways(folder: Path, *, spelling: str = "") -> Path:
    """The example's landscape with both systems in the owning role and a flow each way."""
    shutil.copytree(LANDSCAPE.parent, folder / "both")
    path = folder / "both" / "landscape.yaml"
    text = path.read_text(encoding="utf-8").replace("role: asset-management", "role: erp")
    flow = text[text.index("  - object:") :]
    back = flow.replace("source: shop", "source: unio24").replace("target: unio24", "target: shop")
    profile = LANDSCAPE.parents[2] / "deploy" / "local" / "unio24.profile.yaml"
    path.write_text((text + back).replace("../../deploy/local/unio24.profile.yaml", str(profile)), encoding="utf-8")
    files = folder / "both" / "families" / "sales-order"
    shop, unio24 = files / "shop.yaml", files / "unio24.yaml"
    reference = "id: id\nreference: external_ref\nreference_parameter: external_ref\n"
    shop.write_text(shop.read_text(encoding="utf-8").replace("id: id\n", reference), encoding="utf-8")
    spelt = unio24.read_text(encoding="utf-8").replace(", letter_case: lower", spelling)
    unio24.write_text(spelt, encoding="utf-8")
    return path


async def test_only_the_owner_makes_a_record(estate: Estate) -> None:
    estate.screens["unio24"].create(**SHOWN)
    written = await estate.run()
    assert events(written) == []
    assert [str(rejection) for rejection in estate.dead] == ["origin.system: a sales-order is the erp's to say"]


async def test_a_copy_that_carries_the_reference_of_another_record_is_refused(estate: Estate) -> None:
    estate.screens["shop"].create(**ORDER)
    await estate.run()
    [record] = estate.screens["unio24"].held()
    # Their API keeps references apart; a copy made behind it does not.
    copy = {**record, "id": 99, "external_ref": f"{record['external_ref']} "}
    estate.screens["unio24"].store.insert("record", copy)
    await estate.run()
    [rejection] = estate.dead
    assert f"carries the same reference as record {record['id']} of unio24" in str(rejection)

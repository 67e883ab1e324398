"""Code lists at work in the connector: both ways, by the day, and never into silence."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest
from tests.unit.connectors.unio24.memory_api import MemoryApi

from tieline.connectors.unio24.connector import connect
from tieline.connectors.unio24.mapping import book_after, map_item, native_book
from tieline.connectors.unio24.profile import load_profile
from tieline.connectors.unio24.sink import Unio24Sink
from tieline.kernel.asset_records import AssetFields
from tieline.kernel.book_records import BookFields
from tieline.kernel.code_lists import CodeEntry, Codes, ListName
from tieline.kernel.command_records import WriteAsset, WriteBook
from tieline.kernel.digests import digest_fields
from tieline.kernel.errors import Rejected, Stop
from tieline.kernel.vocabulary import Dispatch

PROFILE = load_profile(Path(__file__).parents[4] / "deploy" / "local" / "unio24.profile.yaml")
DAY = dt.date(2026, 8, 2)


def lists(**entries: tuple[CodeEntry, ...]) -> Codes:
    names: Mapping[str, ListName] = {"classes": "asset-class", "centres": "cost-centre", "methods": "method"}
    return Codes("am", {names[name]: found for name, found in entries.items()})


CODES = lists(
    classes=(
        CodeEntry(code="LAPTOP", means="COMPUTER", preferred=True),
        CodeEntry(code="PHONE", means="COMPUTER"),
    ),
    centres=(
        CodeEntry(code="K1", means="IT", valid_to=dt.date(2026, 8, 1)),
        CodeEntry(code="K2", means="IT", valid_from=dt.date(2026, 8, 2)),
    ),
)


def write(fields: AssetFields, *writable: str, day: dt.date | None = DAY) -> WriteAsset:
    dispatch = Dispatch(command_id="c", target="am", version=1)
    return WriteAsset(
        dispatch=dispatch, asset_id="A", native_id=None, fields=fields, writable_fields=writable, effective_date=day
    )


def reported(api: MemoryApi, native_id: str) -> AssetFields:
    [report] = map_item(PROFILE, "am", api.item(native_id), CODES)
    assert isinstance(report.fields, AssetFields)
    return report.fields


@pytest.mark.parametrize("theirs", ["LAPTOP", "PHONE"])
def test_several_codes_of_theirs_mean_one_of_ours(theirs: str) -> None:
    api = MemoryApi()
    api.edit("1", name="n", category=theirs, cost_centre="K1")
    found = reported(api, "1")
    assert (found.asset_class, found.cost_centre) == ("COMPUTER", "IT")


@pytest.mark.parametrize(("field", "code"), [("category", "CHAIR"), ("cost_centre", "K2")])
def test_an_unmapped_code_waits_as_a_rejection_that_names_their_field(field: str, code: str) -> None:
    api = MemoryApi()
    api.edit("1", name="n", **{field: code})  # on the first of August, when K2 does not hold yet
    with pytest.raises(Rejected) as caught:
        reported(api, "1")
    assert caught.value.field == field
    assert "in the landscape, start again, then replay" in str(caught.value.remedy)


async def test_a_new_record_gets_the_preferred_code_of_the_day() -> None:
    api = MemoryApi()
    sink = Unio24Sink(api.client(), PROFILE, "am", CODES)
    fields = AssetFields(description="n", asset_class="COMPUTER", cost_centre="IT")
    written = await sink.write(write(fields, "description"), None)
    assert api.records["1"] | {"category": "LAPTOP", "cost_centre": "K2"} == api.records["1"]
    api.now += dt.timedelta(days=1)
    assert written.effect


async def test_a_code_that_means_the_same_is_left_as_it_is() -> None:
    api = MemoryApi()
    api.edit("1", name="old", category="PHONE", external_ref="A")
    sink = Unio24Sink(api.client(), PROFILE, "am", CODES)
    fields = AssetFields(description="new", asset_class="COMPUTER")
    written = await sink.write(write(fields, "description", "asset_class"), None)
    assert api.writes == [("PATCH", {"name": "new"})]
    # Invariant 8: the hash is that of the report the source makes of the very record.
    assert written.digest == digest_fields(reported(api, "1"))


async def test_what_cannot_be_said_in_their_codes_is_not_written() -> None:
    api = MemoryApi()
    api.edit("1", name="old", external_ref="A")
    sink = Unio24Sink(api.client(), PROFILE, "am", CODES)
    fields = AssetFields(description="new", asset_class="SHIP")
    with pytest.raises(Rejected, match=r"fields.asset_class: asset-class 'SHIP' has no code in am on 2026-08-02"):
        await sink.write(write(fields, "description", "asset_class"), None)
    assert api.writes == []
    await sink.write(write(fields, "description"), "1")  # the class is theirs: it does not stop the rest
    assert api.writes == [("PATCH", {"name": "new"})]


async def test_an_unmapped_code_they_hold_is_replaced_where_the_hub_may() -> None:
    api = MemoryApi()
    api.edit("1", name="n", category="CHAIR", external_ref="A")
    sink = Unio24Sink(api.client(), PROFILE, "am", CODES)
    fields = AssetFields(description="n", asset_class="COMPUTER")
    assert not (await sink.write(write(fields, "description"), None)).effect
    assert (await sink.write(write(fields, "asset_class"), None)).effect
    assert api.records["1"]["category"] == "LAPTOP"


async def test_a_command_without_a_day_finds_what_was_always_the_same() -> None:
    api = MemoryApi()
    sink = Unio24Sink(api.client(), PROFILE, "am", CODES)
    with pytest.raises(Rejected, match="cost-centre 'IT' has no code in am, or not always the same one"):
        await sink.write(write(AssetFields(description="n", cost_centre="IT"), day=None), None)
    await sink.write(write(AssetFields(description="n", asset_class="COMPUTER"), day=None), None)
    assert api.records["1"]["category"] == "LAPTOP"


async def test_a_change_is_written_in_the_code_of_its_day() -> None:
    api = MemoryApi()
    api.edit("1", name="n", external_ref="A")
    sink = Unio24Sink(api.client(), PROFILE, "am", CODES)
    await sink.write(write(AssetFields(cost_centre="IT"), "cost_centre", day=dt.date(2026, 8, 1)), "1")
    assert api.records["1"].get("cost_centre") == "K1"
    api.now += dt.timedelta(days=1)
    api.edit("1", cost_centre="")
    await sink.write(write(AssetFields(cost_centre="IT"), "cost_centre"), "1")
    assert api.records["1"].get("cost_centre") == "K2"


async def test_a_books_method_goes_out_and_back_by_its_list() -> None:
    codes = lists(methods=(CodeEntry(code="10", means="SL"),))
    zero = Decimal(0)
    fields = BookFields(
        book_id="main",
        currency="EUR",
        method="SL",
        gross_cost=zero,
        salvage=zero,
        accumulated=zero,
        net_book_value=zero,
        as_of=DAY,
        lines=(),
    )
    assert native_book(PROFILE, codes.native_fields(fields, DAY))["method"] == "10"
    assert book_after(PROFILE, fields, codes).method == "SL"
    api = MemoryApi()
    sink = Unio24Sink(api.client(), PROFILE, "am", codes)
    dispatch = Dispatch(command_id="c", target="am", version=1)
    command = WriteBook(dispatch=dispatch, asset_id="A", native_id="1", fields=fields)
    first = await sink.write(command, None)
    assert api.panels["1", "main"]["method"] == "10"
    assert first.digest == digest_fields(fields)
    assert not (await sink.write(command, None)).effect


def test_codes_mapped_in_two_places_stop_the_start(tmp_path: Path) -> None:
    text = (Path(__file__).parents[4] / "deploy" / "local" / "unio24.profile.yaml").read_text(encoding="utf-8")
    twice = tmp_path / "twice.yaml"
    twice.write_text(text.replace("{path: category, max_length: 50}", "{path: category, values: {COMPUTER: PC}}"))
    good = {"endpoint": "http://127.0.0.1:1/", "token": "t"}
    connect("am", {**good, "profile": str(twice)})
    with pytest.raises(Stop, match=r"assets.fields.asset_class has its own values.*code_lists.asset-class.am"):
        connect("am", {**good, "profile": str(twice)}, codes=CODES)

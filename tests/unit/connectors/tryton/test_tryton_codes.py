"""Code lists in the Tryton connector: product codes, cost centres, methods and units by the record's own day."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest

from tieline.connectors.tryton import wire
from tieline.connectors.tryton.asset_plan import Found
from tieline.connectors.tryton.assets import AssetWriter
from tieline.connectors.tryton.client import TrytonClient
from tieline.connectors.tryton.connector import connect
from tieline.connectors.tryton.costs import CostWriter
from tieline.connectors.tryton.mapping import Context, map_item
from tieline.connectors.tryton.reference import Reference
from tieline.connectors.tryton.settings import read_settings
from tieline.kernel.asset_records import AssetFields
from tieline.kernel.code_lists import CodeEntry, Codes, ListName
from tieline.kernel.command_records import PostCost, WriteAsset
from tieline.kernel.cost_records import CostFields, CostKind, CostLine
from tieline.kernel.errors import Rejected
from tieline.kernel.protocols import RawItem
from tieline.kernel.vocabulary import Dispatch

PLACE = {"database": "d", "user": "u", "password": "p", "company": "ACME"}
CLASSES = {"COMPUTER": {"product": "FROM-SETTINGS"}}
CASES = Path(__file__).parents[3] / "golden" / "tryton"


def context(name: ListName, *entries: tuple[str, str]) -> Context:
    found = tuple(CodeEntry(code=code, means=means) for code, means in entries)
    return Context(
        "tryton", {"COMPUTER": "COMPUTER", "VEHICLE": "VEHICLE"}, "MAINT-EXPENSE", Codes("tryton", {name: found})
    )


def fields_of(case: str, context: Context, place: int = 0) -> Any:
    stream = json.loads((CASES / case / "expected.json").read_text(encoding="utf-8"))["stream"]
    payload = (CASES / case / "given.json").read_bytes()
    return map_item(context, RawItem(stream, "1", payload))[place].model_dump(mode="json")["fields"]


def golden(case: str, place: int = 0) -> Any:
    return json.loads((CASES / case / "expected.json").read_text(encoding="utf-8"))["reports"][place]["fields"]


def test_a_product_code_means_a_class_by_the_list() -> None:
    product = golden("order-approved")["lines"][0]["asset_class"]
    found = fields_of("order-approved", context("asset-class", (product, "IT-EQUIPMENT")))
    assert found["lines"][0]["asset_class"] == "IT-EQUIPMENT"
    with pytest.raises(Rejected, match=r"asset-class code .* means nothing canonical") as caught:
        fields_of("order-approved", context("asset-class", ("OTHER", "IT-EQUIPMENT")))
    assert caught.value.field == "lines[0].product.code"


def test_a_unit_is_one_of_un_ece_by_the_list() -> None:
    symbol = golden("order-approved")["lines"][0]["unit"]
    assert fields_of("order-approved", context("unit", (symbol, "EA")))["lines"][0]["unit"] == "EA"
    with pytest.raises(Rejected, match=r"unit code .* means nothing canonical") as caught:
        fields_of("order-approved", context("unit", ("kg", "KGM")))
    assert caught.value.field == "lines[0].unit.symbol"


def test_a_cost_centre_is_translated_and_an_unmapped_one_waits() -> None:
    centre = golden("cost-posted")["cost_centre"]
    assert fields_of("cost-posted", context("cost-centre", (centre, "CC-NEW")))["cost_centre"] == "CC-NEW"
    with pytest.raises(Rejected, match=r"cost-centre code .* means nothing canonical"):
        fields_of("cost-posted", context("cost-centre", ("other", "CC-NEW")))


def test_a_method_is_that_of_the_list_where_there_is_one() -> None:
    case = "book-in-a-broken-fiscal-year"
    assert fields_of(case, context("method", ("linear", "SL_TO_SALVAGE")), 1)["method"] == "SL_TO_SALVAGE"
    with pytest.raises(Rejected, match="method code 'linear' means nothing canonical"):
        fields_of(case, context("method", ("degressive", "DB")))


def test_a_class_goes_out_as_the_product_of_the_day() -> None:
    entries = (
        CodeEntry(code="PC-OLD", means="COMPUTER", valid_to=dt.date(2026, 6, 30)),
        CodeEntry(code="PC-NEW", means="COMPUTER", valid_from=dt.date(2026, 7, 1)),
    )
    settings = read_settings("tryton", {"endpoint": "http://127.0.0.1:1", **PLACE, "asset_classes": CLASSES})
    client = cast("TrytonClient", None)
    listed = Reference(client, settings, Codes("tryton", {"asset-class": entries}))
    assert listed.product_code("COMPUTER", dt.date(2026, 6, 30)) == "PC-OLD"
    assert listed.product_code("COMPUTER", dt.date(2026, 7, 1)) == "PC-NEW"
    with pytest.raises(Rejected, match="'SHIP' has no code in tryton"):
        listed.product_code("SHIP", dt.date(2026, 7, 1))
    plain = Reference(client, settings)
    assert plain.product_code("COMPUTER", None) == "FROM-SETTINGS"
    assert plain.product_code("SHIP", None) is None


CENTRES = (
    CodeEntry(code="4711", means="IT", valid_to=dt.date(2026, 6, 30)),
    CodeEntry(code="4712", means="IT", valid_from=dt.date(2026, 7, 1)),
)
HALLS = (CodeEntry(code="H-3", means="HALL 3"),)
CODES = Codes("tryton", {"cost-centre": CENTRES, "location": HALLS})
SETTINGS = {"endpoint": "http://127.0.0.1:1", **PLACE, "asset_classes": {"COMPUTER": {"product": "COMPUTER"}}}


class Shelf:
    """As much of a Tryton as answers every look-up with one record; ``asked`` is what was looked up, by model."""

    def __init__(self) -> None:
        self.asked: dict[str, list[Any]] = {}

    async def context(self) -> dict[str, object]:
        return {"company": 1}

    async def search(self, model: str, domain: list[Any], **_: object) -> list[int]:
        self.asked[model] = domain
        return [1]

    async def search_read(self, model: str, domain: list[Any], *_: object, **__: object) -> list[dict[str, object]]:
        self.asked[model] = domain
        return [{"id": 1, "name": "p", "state": "open", "currency.": {"code": "EUR", "digits": 2}}]


async def test_a_cost_is_charged_to_the_centres_code_of_its_day() -> None:
    shelf = Shelf()
    client, settings = cast("TrytonClient", shelf), read_settings("tryton", SETTINGS)
    context = Context("tryton", settings.product_codes(), "MAINT-EXPENSE", CODES)
    writer = CostWriter(client, settings, context, Reference(client, settings, CODES))
    for day, code in ((dt.date(2026, 6, 30), "4711"), (dt.date(2026, 7, 1), "4712")):
        fields = CostFields(
            work_order="W",
            company="ACME",
            currency="EUR",
            cost_centre="IT",
            effective_date=day,
            total=Decimal(5),
            lines=(CostLine(line_no=1, kind=CostKind.PART, description="d", amount=Decimal(5)),),
        )
        dispatch = Dispatch(command_id="c", target="tryton", version=1)
        await writer._values(PostCost(dispatch=dispatch, cost_doc_id="D", fields=fields))
        assert ("code", "=", code) in shelf.asked["analytic_account.account"]


def test_what_stands_in_the_comment_is_written_in_trytons_codes_and_only_where_it_may_be() -> None:
    client, settings = cast("TrytonClient", Shelf()), read_settings("tryton", SETTINGS)
    context = Context("tryton", settings.product_codes(), "MAINT-EXPENSE", CODES)
    writer = AssetWriter(client, settings, context, Reference(client, settings, CODES))
    row = json.loads((CASES / "asset-draft" / "given.json").read_text(encoding="utf-8"))
    command = WriteAsset(
        dispatch=Dispatch(command_id="c", target="tryton", version=1),
        asset_id="A",
        fields=AssetFields(location="HALL 3", cost_centre="HR"),
        writable_fields=("location",),
        effective_date=dt.date(2026, 7, 1),
    )
    comment = writer._plan(command, wire.parse_payload(json.dumps(row).encode()), Found.BY_ID).comment
    assert comment is not None
    assert "location: H-3" in comment
    both = command.model_copy(update={"writable_fields": ("location", "cost_centre")})
    with pytest.raises(Rejected, match="cost-centre 'HR' has no code in tryton on 2026-07-01"):
        writer._plan(both, wire.parse_payload(json.dumps(row).encode()), Found.BY_ID)


def test_a_product_of_the_same_class_is_left_as_it_is() -> None:
    client, settings = cast("TrytonClient", Shelf()), read_settings("tryton", SETTINGS)
    entries = (
        CodeEntry(code="PC", means="COMPUTER", preferred=True),
        CodeEntry(code="COMPUTER", means="COMPUTER"),
    )
    codes = Codes("tryton", {"asset-class": entries})
    context = Context("tryton", settings.product_codes(), "MAINT-EXPENSE", codes)
    writer = AssetWriter(client, settings, context, Reference(client, settings, codes))
    command = WriteAsset(
        dispatch=Dispatch(command_id="c", target="tryton", version=1),
        asset_id="A",
        fields=AssetFields(asset_class="COMPUTER"),
        writable_fields=("asset_class",),
    )
    assert writer._product_code(command, "COMPUTER") == "COMPUTER"
    assert writer._product_code(command, "VEHICLE") == "PC"


async def test_connecting_gives_the_lists_to_the_mapping() -> None:
    given = CASES / "cost-posted" / "given.json"
    item = RawItem("costs", "1", given.read_bytes())
    centre = golden("cost-posted")["cost_centre"]
    codes = Codes("tryton", {"cost-centre": (CodeEntry(code=centre, means="CC-NEW"),)})
    connector = connect("tryton", SETTINGS, codes=codes)
    [report] = connector.map_item(item)
    assert report.model_dump()["fields"]["cost_centre"] == "CC-NEW"
    closing = connector.close()
    assert hasattr(closing, "__await__")
    await closing


@pytest.mark.parametrize(
    ("cleared", "writable", "left"),
    [(("custodian",), ("custodian",), False), ((), ("custodian",), True), (("custodian",), (), True)],
)
def test_a_person_in_charge_goes_from_the_comment_when_the_thing_was_given_back(
    cleared: tuple[str, ...], writable: tuple[str, ...], *, left: bool
) -> None:
    client, settings = cast("TrytonClient", Shelf()), read_settings("tryton", SETTINGS)
    context = Context("tryton", settings.product_codes(), "MAINT-EXPENSE", CODES)
    writer = AssetWriter(client, settings, context, Reference(client, settings, CODES))
    row = json.loads((CASES / "asset-draft" / "given.json").read_text(encoding="utf-8"))
    row["comment"] = "Bought at the fair.\ntieline: A\ncustodian: e17"
    command = WriteAsset(
        dispatch=Dispatch(command_id="c", target="tryton", version=1),
        asset_id="A",
        fields=AssetFields(),
        writable_fields=writable,
        cleared_fields=cleared,
        effective_date=dt.date(2026, 7, 1),
    )
    plan = writer._plan(command, wire.parse_payload(json.dumps(row).encode()), Found.BY_ID)
    assert plan.comment == (None if left else "Bought at the fair.\ntieline: A")

"""Code lists in the Tryton connector: product codes, cost centres, methods and units by the record's own day."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any, cast

import pytest

from tieline.connectors.tryton.client import TrytonClient
from tieline.connectors.tryton.mapping import Context, map_item
from tieline.connectors.tryton.reference import Reference
from tieline.connectors.tryton.settings import read_settings
from tieline.kernel.code_lists import CodeEntry, Codes, ListName
from tieline.kernel.errors import Rejected
from tieline.kernel.protocols import RawItem

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

"""Files that map declared families: what is refused, with line and key, and what is read and written by them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.unit.families.estate import LANDSCAPE

from tieline.connectors.unio24.connector import connect
from tieline.connectors.unio24.records import load_records, native_record, record_after, record_report
from tieline.kernel.errors import Rejected, Stop
from tieline.kernel.landscape import load_landscape
from tieline.kernel.shapes import FamilyShapes, shapes_of
from tieline.kernel.vocabulary import Model

FILES = LANDSCAPE.parent / "families" / "sales-order"
RECORD: Mapping[str, object] = {
    "id": 5,
    "version": 3,
    "updated_at": "2026-11-21T12:00:00Z",
    "number": " SO-1 ",
    "company": "ACME",
    "currency": "EUR",
    "ordered_on": "2026-11-20",
    "state": "confirmed",
    "total": "10.5",
    "positions": [{"pos": 1, "sku": "PUMP", "qty": "2", "price": "5.25", "net": "10.5"}],
}


def shapes() -> FamilyShapes:
    return shapes_of(load_landscape(LANDSCAPE, {}).families)


def load(path: Path) -> Any:
    return load_records({"sales-order": path}, shapes())["sales-order"]


def read(**changes: object) -> Any:
    return record_report(load(FILES / "shop.yaml"), "shop", {**RECORD, **changes})


def test_a_record_of_theirs_is_read_by_the_file() -> None:
    report = read(promised_on="24.12.2026", customer={"code": "C-7"})
    assert (report.origin.entity, report.origin.native_id, report.origin.source_version) == ("sales-order", "5", "3")
    assert report.origin.recorded_at == dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
    fields = report.fields
    assert (fields.order_number, fields.customer, fields.net_total) == ("SO-1", "C-7", Decimal("10.5"))
    assert (fields.order_date, fields.promised_date) == (dt.date(2026, 11, 20), dt.date(2026, 12, 24))
    assert [(line.line_no, line.item, line.quantity) for line in fields.lines] == [(1, "PUMP", 2)]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"id": None}, "id"),
        ({"version": None}, "version"),
        ({"updated_at": "yesterday"}, "updated_at"),
        ({"number": None}, "number"),
        ({"total": "1.00001"}, "total"),
        ({"total": "1,00"}, "total"),
        ({"currency": "euro"}, "currency"),
        ({"ordered_on": "20.11.2026"}, "ordered_on"),
        ({"positions": None}, "positions"),
        ({"positions": ["PUMP"]}, "positions.0"),
        ({"positions": [{"pos": "1", "sku": "PUMP", "qty": "2", "price": "5", "net": "10"}]}, "positions.0.pos"),
    ],
)
def test_a_record_that_is_none_is_refused_with_the_key_of_theirs(change: dict[str, object], place: str) -> None:
    with pytest.raises(Rejected) as refused:
        read(**change)
    assert refused.value.field == place


def test_what_they_will_hold_is_compared_as_they_hold_it() -> None:
    mapped, fields = load(FILES / "unio24.yaml"), read().fields
    after: Any = record_after(mapped, fields)
    assert (fields.company, after.company) == ("ACME", "acme")
    assert (after.net_total, after.lines) == (fields.net_total, fields.lines)


def test_what_is_longer_than_they_keep_is_refused_and_never_cut() -> None:
    mapped = load(FILES / "unio24.yaml")
    fields: Model = read(number="x" * 41).fields
    with pytest.raises(Rejected, match="longer than the 40 characters"):
        native_record(mapped, fields)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("  net_total: {path: total}\n", "", "line 9, fields: net_total is missing; every record needs it"),
        ("net_total: {path: total}", "net_total: {path: total, format: iso}", "format makes no sense"),
        ("company: {path: company}", "colour: {path: company}", "fields.colour: is not a canonical field"),
        ("currency: {path: currency}", "lines: {path: currency}", "fields.lines: is not a canonical field"),
        ("CONFIRMED: [confirmed, processing]", "SENT: sent", "values has SENT; the canonical symbols are DRAFT"),
        ("orders/{id}", "orders", "line 5, item_path: needs the placeholders {id}, and no others"),
        ("id: id\n", "id: id\nreference: ref\n", "reference: goes with reference_parameter"),
        ("      item: {path: sku}\n", "", "lists.lines.fields: item is missing"),
        ("item: {path: sku}", "item: {path: sku, direction: in}", "cannot be of direction in"),
        ("  lines:\n    path", "  parts:\n    path", "lists.parts: is no list of records of ours; there are lines"),
        ("profile_version: 1", "profile_version: 2", "profile_version: Input should be 1"),
        ("version: version\n", "", "version: is missing"),
    ],
)
def test_a_file_that_cannot_work_is_refused_with_line_and_key(tmp_path: Path, old: str, new: str, fault: str) -> None:
    text = (FILES / "shop.yaml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "shop.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(Stop) as refused:
        load(path)
    assert fault in str(refused.value)


def test_a_file_of_a_family_that_is_not_declared_is_refused() -> None:
    profile = LANDSCAPE.parents[2] / "deploy" / "local" / "unio24.profile.yaml"
    settings: dict[str, object] = {
        "endpoint": "http://127.0.0.1:1",
        "profile": str(profile),
        "token": "x",
        "records": {"invoice": str(FILES / "shop.yaml")},
    }
    with pytest.raises(Stop, match=r"records\.invoice: the landscape declares no such family; it declares sales-order"):
        connect("shop", settings, shapes=shapes())

"""Settings, wire formats, faults and plans without a server."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from tests.parts.tryton import write_asset

from tieline.connectors.tryton import faults, mapping, wire
from tieline.connectors.tryton.asset_plan import Found, plan_changes
from tieline.connectors.tryton.assets import end_date
from tieline.connectors.tryton.connector import connect
from tieline.connectors.tryton.models import Asset
from tieline.connectors.tryton.reference import AssetProduct
from tieline.connectors.tryton.settings import TrytonSettings, read_settings
from tieline.kernel.asset_records import AssetFields, PhysicalStatus
from tieline.kernel.errors import Rejected, Retryable, Stop, Unavailable

GOLDEN = Path(__file__).parents[3] / "golden" / "tryton"
MANIFEST = Path(mapping.__file__).with_name("manifest.yaml")
GOOD = {
    "endpoint": "http://127.0.0.1:8000",
    "database": "d",
    "user": "u",
    "password": SecretStr("hush-hush"),
    "company": "ACME",
    "asset_classes": {"COMPUTER": {"product": "PC"}},
}


def asset(name: str) -> Asset:
    return mapping.parse(Asset, wire.loads((GOLDEN / name / "given.json").read_bytes()))


# ---- settings -------------------------------------------------------------------------------------------------


def test_every_setting_is_described() -> None:
    assert all(field.description for field in TrytonSettings.model_fields.values())


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"endpoint": "not a url"}, "endpoint"),
        ({"asset_classes": {}}, "asset_classes"),
        ({"asset_classes": {"A": {"produkt": "x"}}}, "asset_classes.A.product"),
        ({"page_size": 0}, "page_size"),
        ({"pasword": "x"}, "pasword"),
        ({"asset_classes": {"A": {"product": "x"}, "B": {"product": "x"}}}, "asset_classes"),
    ],
)
def test_bad_settings_stop_with_their_place(change: dict[str, object], where: str) -> None:
    with pytest.raises(Stop, match=rf"systems\.erp\.settings\.{where}: ") as caught:
        connect("erp", {**GOOD, **change})
    assert "hush" not in str(caught.value)


def test_classes_and_products_go_both_ways() -> None:
    assert read_settings("erp", GOOD).product_codes() == {"PC": "COMPUTER"}


def test_the_manifest_names_real_fields_and_streams() -> None:
    manifest = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))
    assert manifest["name"] == MANIFEST.parent.name
    assert set(manifest["streams"]) == set(mapping.STREAMS)
    assert set(manifest["objects"]["asset"]["fields"]) <= set(AssetFields.model_fields)
    for rule in manifest["rules"].values():
        assert rule["status"] == "done" or (rule["status"] == "exempt" and rule["why"])


# ---- wire -----------------------------------------------------------------------------------------------------


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**15), max_value=10**15))
def test_amounts_travel_exactly(amount: Decimal) -> None:
    assert wire.decimal(json.loads(json.dumps(wire.encode(amount)))) == amount


@given(st.datetimes(timezones=st.just(dt.UTC)))
def test_instants_and_dates_travel_exactly(moment: dt.datetime) -> None:
    assert wire.instant(wire.encode(moment)) == moment
    assert wire.date(wire.encode(moment.date())) == moment.date()


@pytest.mark.parametrize("value", [1.5, Decimal("NaN"), Decimal("Infinity"), object(), b"x", {"a": [1.5]}])
def test_what_is_not_exact_is_not_sent(value: object) -> None:
    with pytest.raises(TypeError):
        wire.encode(value)


def test_a_document_keeps_its_digits() -> None:
    text = b'{"quantity":1.10,"big":1E+2,"name":"\xc3\xa9\\n","none":null,"yes":true,"list":[0.1,[]],"empty":{}}'
    assert wire.dumps(wire.loads(text)) == text


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_any_document_survives(document: object) -> None:
    assert wire.loads(wire.dumps(document)) == document


@pytest.mark.parametrize(
    "text",
    [
        b'{"amount": 1, "amount": 999}',
        b"1e400",
        b"[1E+999999999]",
        b"NaN",
        b"1" * 101,
        b"[" * 100_000,
        b"[" * 65 + b"]" * 65,
        b"\xff",
    ],
)
def test_json_that_could_be_read_in_two_ways_or_has_no_bounds_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        wire.loads(text)
    with pytest.raises(Rejected, match="is not JSON as Tryton sends it"):
        wire.parse_payload(text)


@pytest.mark.parametrize(
    "text", ["1E+999999999", "1E+41", "1e-41", "NaN", "sNaN", "-Infinity", "1_000", "\u0661\u0662", " 1", "1" * 41, ""]
)
def test_an_amount_is_a_plain_number_of_bounded_size(text: str) -> None:
    with pytest.raises(ValueError, match="must be a"):
        wire.decimal({"__class__": "Decimal", "decimal": text})


def test_an_amount_may_be_written_with_an_exponent_as_python_does() -> None:
    found = [wire.decimal({"__class__": "Decimal", "decimal": text}) for text in ("1E+2", "0E-4", "-12.50")]
    assert found == [100, 0, Decimal("-12.50")]


@pytest.mark.parametrize("year", [0, -1, 10_000, 10**30])
def test_a_date_that_no_calendar_has_is_refused(year: int) -> None:
    day = {"__class__": "date", "year": year, "month": 1, "day": 1}
    with pytest.raises(ValueError, match=r"year|calendar"):
        wire.date(day)
    clock = dict.fromkeys(("hour", "minute", "second", "microsecond"), 0)
    with pytest.raises(ValueError, match=r"year|calendar"):
        wire.instant({**day, **clock, "__class__": "datetime"})


# ---- faults ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (["UserError", ["Not so.", "Because.", None]], Rejected, "Tryton: Not so. Because."),
        (["UserWarning", ["name", "Sure?", ""]], Rejected, "Tryton: Sure?"),
        (["ConcurrencyException", "x"], Retryable, "somebody changed the record"),
        (["LoginException", ["password", "", "password"]], Stop, "further way to log in"),
        (["'nope'", "Traceback"], Rejected, "Tryton failed: 'nope'"),
        ([], Rejected, "no reason given"),
        ("odd", Rejected, "odd"),
        (["UserError", "odd"], Rejected, "UserError"),
        (["UserError", ["x" * 5000]], Rejected, "x" * 500),
    ],
)
def test_every_error_of_an_answer_says_what_to_do(error: Any, kind: type[Exception], text: str) -> None:
    found = faults.from_rpc_error(error, "m")
    assert isinstance(found, kind)
    assert text in str(found)
    assert len(str(found)) < 700


@pytest.mark.parametrize("status", [429, 503])
def test_the_pause_that_is_asked_for_is_passed_on_as_seconds_and_as_a_date(status: int) -> None:
    at = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=90)
    for text, secs in (("17", 17.0), (format_datetime(at, usegmt=True), 90.0), ("soon", None)):
        response = httpx.Response(status, headers={"Retry-After": text})
        found = faults.from_status(response, "m", writes=True)
        assert isinstance(found, Unavailable)
        assert found.retry_after_secs == (None if secs is None else pytest.approx(secs, abs=3.0))


# ---- plans ----------------------------------------------------------------------------------------------------


def test_an_adopted_draft_stays_the_accountants() -> None:
    plan = plan_changes("tryton", write_asset(), asset("asset-draft"), Found.ADOPTED, "VEHICLE")
    assert (plan.values, plan.run, plan.close_on) == ({}, False, None)
    assert plan.comment is not None


def test_a_creation_met_again_accepts_what_tryton_did_since() -> None:
    command = write_asset(quantity=Decimal(5))
    plan = plan_changes("tryton", command, asset("asset-running-with-postings"), Found.BY_HUB_REF, "COMPUTER")
    assert not plan.values
    with pytest.raises(Rejected) as caught:
        plan_changes("tryton", command, asset("asset-running-with-postings"), Found.BY_ID, "COMPUTER")
    assert caught.value.field == "fields.quantity"


def test_nothing_is_written_that_is_not_writable() -> None:
    command = write_asset(writable=("location",), disposal_date=dt.date(2026, 1, 1))
    plan = plan_changes("tryton", command, asset("asset-running-with-postings"), Found.BY_ID, "COMPUTER")
    assert (plan.values, plan.close_on) == ({}, None)
    assert plan.comment is not None
    assert "location: HQ/2.14" in plan.comment
    assert "serial: SN-7" in plan.comment.replace("Serial", "serial")


def test_a_field_without_a_value_removes_nothing() -> None:
    command = write_asset(serial_number=None, tag=None)
    plan = plan_changes("tryton", command, asset("asset-running-with-postings"), Found.ADOPTED, "COMPUTER")
    assert plan.comment is not None
    assert "Serial: SN-7\ntag: T-7" in plan.comment


@pytest.mark.parametrize(
    ("changes", "found", "runs"),
    [
        ({}, Found.BY_HUB_REF, True),
        ({"in_service_date": None, "physical_status": None}, Found.BY_HUB_REF, True),
        ({"in_service_date": None, "physical_status": None}, Found.BY_ID, False),
        ({"in_service_date": None, "physical_status": PhysicalStatus.ORDERED}, Found.BY_HUB_REF, False),
        ({"in_service_date": None, "physical_status": PhysicalStatus.IN_MAINTENANCE}, Found.BY_ID, True),
        ({"in_service_date": None, "disposal_date": dt.date(2025, 5, 1)}, Found.BY_ID, True),
        ({}, Found.ADOPTED, False),
    ],
)
def test_depreciation_begins_when_the_thing_can_be_used(changes: dict[str, Any], found: Found, *, runs: bool) -> None:
    assert plan_changes("tryton", write_asset(**changes), asset("asset-draft"), found, "VEHICLE").run is runs


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        (dt.date(2025, 1, 15), 36, dt.date(2028, 1, 14)),
        (dt.date(2025, 1, 1), 12, dt.date(2025, 12, 31)),
        (dt.date(2024, 2, 29), 12, dt.date(2025, 2, 27)),
        (dt.date(2025, 8, 31), 1, dt.date(2025, 9, 29)),
        (dt.date(2025, 12, 1), 1, dt.date(2025, 12, 31)),
    ],
)
def test_a_life_ends_where_tryton_ends_it(start: dt.date, months: int, end: dt.date) -> None:
    assert end_date(start, AssetProduct(1, 1, months)) == end


def test_a_product_without_a_life_is_rejected() -> None:
    with pytest.raises(Rejected, match="no depreciation duration"):
        end_date(dt.date(2025, 1, 1), AssetProduct(1, 1, None))

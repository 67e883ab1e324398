"""Golden cases of the mapping, and what it must not lose on the way out."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tieline.connectors.unio24.mapping import asset_after, asset_report, book_after, map_item, native_asset, native_book
from tieline.connectors.unio24.profile import Profile, load_profile, parse_profile
from tieline.kernel.asset_records import AssetFields, DisposalKind, PhysicalStatus
from tieline.kernel.book_records import BookFields, ScheduleLine
from tieline.kernel.errors import Rejected
from tieline.kernel.protocols import RawItem
from tieline.kernel.vocabulary import Money

ROOT = Path(__file__).parents[4]
PROFILE_FILE = ROOT / "deploy" / "local" / "unio24.profile.yaml"
CASES = sorted(file.parent for file in (ROOT / "tests" / "golden" / "unio24").glob("*/given.json"))


@pytest.fixture(scope="module")
def profile() -> Profile:
    return load_profile(PROFILE_FILE)


@cache
def changed(old: str, new: str) -> Profile:
    text = PROFILE_FILE.read_text(encoding="utf-8")
    assert not old or text.count(old) == 1
    return parse_profile(text.replace(old, new), name="changed.yaml")


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=50),
    st.sampled_from(["NaN", "1e5", "-0", "٣", "2026-13-01", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"]),
    st.lists(st.none(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.none(), max_size=2),
)
WHOLE = [case for case in CASES if case.name in ("asset-full", "cost-full", "book-full")]


@settings(max_examples=300, deadline=None)
@given(data=st.data(), case=st.sampled_from(WHOLE))
def test_whatever_a_record_holds_it_is_mapped_or_rejected_by_name(data: st.DataObject, case: Path) -> None:
    record = json.loads((case / "given.json").read_text(encoding="utf-8"))
    part = record["lines"][0] if "lines" in record and data.draw(st.booleans()) else record
    part[data.draw(st.sampled_from(sorted(part)))] = data.draw(JUNK)
    stream = json.loads((case / "expected.json").read_text(encoding="utf-8"))["stream"]
    assert named(RawItem(stream, "x", json.dumps(record).encode()))


def named(item: RawItem) -> str | None:
    """The native id of the report, or the field of the rejection; any other error is the test's failure."""
    try:
        [report] = map_item(changed("", ""), "am", item)
    except Rejected as rejection:
        return rejection.field
    return report.origin.native_id


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_golden_case(case: Path, profile: Profile) -> None:
    expected = json.loads((case / "expected.json").read_text(encoding="utf-8"))
    item = RawItem(expected["stream"], "x", (case / "given.json").read_bytes())
    if "rejected" in expected:
        with pytest.raises(Rejected) as caught:
            map_item(profile, "am", item)
        assert {"field": caught.value.field, "reason": caught.value.reason} == expected["rejected"]
    else:
        [report] = map_item(profile, "am", item)
        assert report.model_dump(mode="json", exclude_none=True) == expected["report"]


def test_there_are_golden_cases_of_both_sorts() -> None:
    bad = [case for case in CASES if case.name.startswith("bad-")]
    assert len(CASES) - len(bad) >= 9
    assert len(bad) >= 20


def test_an_unknown_stream_is_refused(profile: Profile) -> None:
    with pytest.raises(Rejected, match="no stream orders"):
        map_item(profile, "am", RawItem("orders", "1", b"{}"))


FULL = AssetFields(
    tag="AT-9",
    serial_number="SN-9",
    description="Pump",
    physical_status=PhysicalStatus.IN_MAINTENANCE,
    quantity=Decimal("2.5"),
    acquisition_cost=Money(amount=Decimal("1234567890.1234"), currency="JPY"),
    acquisition_date=dt.date(2026, 1, 31),
    disposal_kind=DisposalKind.THEFT,
)


def test_an_asset_goes_out_in_their_words_and_comes_back_the_same(profile: Profile) -> None:
    native = native_asset(profile, FULL)
    assert native == {
        "tag": "AT-9",
        "serial": "SN-9",
        "name": "Pump",
        "status": "in_repair",
        "quantity": "2.5",
        "purchase_cost": "1234567890.1234",
        "currency": "JPY",
        "purchase_date": "2026-01-31",
        "retired_reason": "stolen",
    }
    assert asset_after(profile, FULL) == FULL


def test_only_the_named_fields_go_out(profile: Profile) -> None:
    assert native_asset(profile, FULL, only=["tag"]) == {"tag": "AT-9"}


def test_unknown_is_never_written(profile: Profile) -> None:
    with pytest.raises(Rejected, match=r"physical_status: UNKNOWN has no counterpart.*add UNKNOWN to the values"):
        native_asset(profile, AssetFields(physical_status=PhysicalStatus.UNKNOWN))


def test_text_longer_than_they_keep_is_refused_not_cut(profile: Profile) -> None:
    assert native_asset(profile, AssetFields(description="x" * 120)) == {"name": "x" * 120}
    with pytest.raises(Rejected, match="description: is longer than the 120 characters they keep"):
        native_asset(profile, AssetFields(description="x" * 121))


def test_text_goes_out_in_the_case_they_keep_and_its_length_is_that_of_the_result() -> None:
    profile = changed("{path: name, max_length: 120}", "{path: name, max_length: 6, letter_case: upper}")
    assert asset_after(profile, AssetFields(description=" pump ")) == AssetFields(description="PUMP")
    with pytest.raises(Rejected, match="description: is longer than the 6 characters they keep"):
        native_asset(profile, AssetFields(description="straße"))  # STRASSE


def test_a_number_with_more_digits_than_they_keep_is_refused_not_rounded() -> None:
    profile = changed(
        "{path: purchase_cost, currency_path: currency}", "{path: purchase_cost, currency_path: currency, decimals: 2}"
    )
    cost = Money(amount=Decimal("1234.5600"), currency="EUR")
    assert native_asset(profile, AssetFields(acquisition_cost=cost))["purchase_cost"] == "1234.5600"
    with pytest.raises(Rejected, match="acquisition_cost: has more than the 2 digits after the point they keep"):
        native_asset(profile, AssetFields(acquisition_cost=Money(amount=Decimal("1234.5678"), currency="EUR")))


@settings(deadline=None)
@given(
    amount=st.decimals(min_value=Decimal(-9999999999999999), max_value=Decimal(9999999999999999), places=4),
    currency=st.sampled_from(["EUR", "JPY", "KWD"]),
)
def test_money_survives_both_ways_exactly(amount: Decimal, currency: str) -> None:
    profile = changed(
        "{path: purchase_cost, currency_path: currency}", "{path: a.b, currency_path: a.c, decimal_mark: ','}"
    )
    fields = AssetFields(acquisition_cost=Money(amount=amount, currency=currency))
    assert asset_after(profile, fields) == fields


@settings(deadline=None)
@given(day=st.dates(), pattern=st.sampled_from(["%d.%m.%Y", "%m/%d/%Y", "iso"]))
def test_dates_survive_both_ways(day: dt.date, pattern: str) -> None:
    if day.year < 1000:  # strptime wants four digits, strftime does not pad them
        day = day.replace(year=day.year + 1000)
    profile = changed("{path: purchase_date}", f"{{path: purchase_date, format: '{pattern}'}}")
    assert asset_after(profile, AssetFields(acquisition_date=day)).acquisition_date == day


@settings(deadline=None)
@given(day=st.dates(min_value=dt.date(1970, 1, 1), max_value=dt.date(2200, 1, 1)))
@pytest.mark.parametrize("pattern", ["epoch-seconds", "epoch-millis"])
def test_dates_survive_as_numbers(day: dt.date, pattern: str) -> None:
    profile = changed("{path: purchase_date}", f"{{path: purchase_date, format: {pattern}}}")
    assert asset_after(profile, AssetFields(acquisition_date=day)).acquisition_date == day


RECORD: dict[str, object] = {"id": 1, "version": 1, "updated_at": "2026-01-01T00:00:00Z", "name": "n"}


def test_a_day_stays_the_day_that_was_written(profile: Profile) -> None:
    report = asset_report(profile, "am", {**RECORD, "purchase_date": "2026-02-28T23:30:00-05:00"})
    assert report.fields.acquisition_date == dt.date(2026, 2, 28)


@pytest.mark.parametrize("edge", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
def test_a_time_beyond_the_calendar_is_refused(profile: Profile, edge: str) -> None:
    with pytest.raises(Rejected, match="updated_at: is beyond the calendar"):
        asset_report(profile, "am", {**RECORD, "updated_at": edge})


def test_sentinels_mean_none() -> None:
    profile = changed("{path: purchase_date}", "{path: purchase_date, absent: ['1900-01-01', 'false']}")
    for sentinel in ("1900-01-01", False, "", "  ", None):
        assert asset_report(profile, "am", {**RECORD, "purchase_date": sentinel}).fields.acquisition_date is None


def test_codes_are_translated_and_unlisted_ones_kept_or_refused() -> None:
    listed = "{path: category, values: {IT-EQUIPMENT: [LAPTOP, PHONE]}}"
    profile = changed("{path: category, max_length: 50}", listed)
    for theirs, ours in (("LAPTOP", "IT-EQUIPMENT"), ("PHONE", "IT-EQUIPMENT"), ("CHAIR", "CHAIR")):
        assert asset_report(profile, "am", {**RECORD, "category": theirs}).fields.asset_class == ours
    assert native_asset(profile, AssetFields(asset_class="IT-EQUIPMENT")) == {"category": "LAPTOP"}
    strict = changed("{path: category, max_length: 50}", listed.replace("}}", "}, otherwise: reject}"))
    with pytest.raises(Rejected, match="category: 'CHAIR' is not among"):
        asset_report(strict, "am", {**RECORD, "category": "CHAIR"})
    with pytest.raises(Rejected, match="asset_class: 'CHAIR' has no counterpart"):
        native_asset(strict, AssetFields(asset_class="CHAIR"))


def test_numbers_as_codes_match_and_are_written_as_numbers() -> None:
    profile = changed("{path: category, max_length: 50}", "{path: category, values: {MACHINERY: [7]}}")
    assert asset_report(profile, "am", {**RECORD, "category": 7}).fields.asset_class == "MACHINERY"
    assert native_asset(profile, AssetFields(asset_class="MACHINERY")) == {"category": 7}


def test_nested_custom_fields_and_constants() -> None:
    text = PROFILE_FILE.read_text(encoding="utf-8").replace(
        "  reference: external_ref", "  reference: custom.tieline.ref"
    )
    text = text.replace("company: {path: company, max_length: 50}", "company: {constant: '1000'}")
    profile = parse_profile(text, name="nested.yaml")
    report = asset_report(profile, "am", {**RECORD, "custom": {"tieline": {"ref": "a-1"}}})
    assert report.origin.hub_ref == "a-1"
    assert report.fields.company == "1000"
    assert "company" not in native_asset(profile, AssetFields(company="2000", tag="t"))


@pytest.mark.parametrize(
    ("option", "value", "amount"),
    [
        ("group_mark: ','", "$1,234.50", "1234.50"),
        ("group_mark: ','", "(45.00)", "-45.00"),
        ("decimal_mark: ',', group_mark: '.'", "1.234,50", "1234.50"),
        ("decimals: 2, binary_float: true", Decimal(repr(0.1 + 0.2)), "0.30"),
        ("decimals: 2, binary_float: true", "0.3", "0.3"),
    ],
)
def test_t26_amounts_are_read_as_the_profile_declares(option: str, value: object, amount: str) -> None:
    cost = "{path: purchase_cost, currency_path: currency"
    profile = changed(f"{cost}}}", f"{cost}, {option}}}")
    found = asset_report(profile, "am", {**RECORD, "purchase_cost": value, "currency": "USD"}).fields.acquisition_cost
    assert found == Money(amount=Decimal(amount), currency="USD")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("group_mark: ','", "€1,234.50"),
        ("group_mark: ','", "1.234,50"),
        ("decimals: 2, binary_float: true", Decimal("0.305")),
        ("decimals: 2", Decimal(repr(0.1 + 0.2))),
    ],
)
def test_t26_what_the_profile_does_not_declare_is_refused(option: str, value: object) -> None:
    cost = "{path: purchase_cost, currency_path: currency"
    profile = changed(f"{cost}}}", f"{cost}, {option}}}")
    with pytest.raises(Rejected, match="purchase_cost"):
        asset_report(profile, "am", {**RECORD, "purchase_cost": value, "currency": "USD"})


def test_amounts_in_another_currency_than_the_fixed_one_are_refused() -> None:
    profile = changed("{path: purchase_cost, currency_path: currency}", "{path: purchase_cost, currency: EUR}")
    assert native_asset(profile, AssetFields(acquisition_cost=Money(amount=Decimal(5), currency="EUR"))) == {
        "purchase_cost": "5"
    }
    with pytest.raises(Rejected, match="their amounts are in EUR, this one is in USD"):
        native_asset(profile, AssetFields(acquisition_cost=Money(amount=Decimal(5), currency="USD")))


def test_a_book_goes_out_whole_and_comes_back_the_same(profile: Profile) -> None:
    line = ScheduleLine(
        date=dt.date(2026, 1, 31),
        posting_period="2026-001",
        depreciation=Decimal("10.00"),
        accumulated_after=Decimal("10.00"),
        net_book_value_after=Decimal("90.00"),
        posted=True,
        document="M-1",
    )
    fields = BookFields(
        book_id="main",
        currency="EUR",
        method="SL",
        gross_cost=Decimal(100),
        salvage=Decimal(0),
        accumulated=Decimal(10),
        net_book_value=Decimal(90),
        as_of=dt.date(2026, 1, 31),
        lines=(line, line.model_copy(update={"posted": False, "document": None, "posting_period": None})),
    )
    native = native_book(profile, fields)
    assert "book" not in native  # it is in the path
    assert native["cost"] == "100"
    lines = native["lines"]
    assert isinstance(lines, list)
    assert lines[1] == {
        "date": "2026-01-31",
        "depreciation": "10.00",
        "accumulated": "10.00",
        "book_value": "90.00",
        "posted": False,
    }
    assert book_after(profile, fields) == fields


@pytest.mark.parametrize(
    ("custodian", "cleared"), [(None, ("custodian",)), ("  ", ("custodian",)), ("e17", ()), (..., ())]
)
def test_only_a_key_that_is_there_and_empty_says_that_nobody_has_the_thing(
    profile: Profile, custodian: object, cleared: tuple[str, ...]
) -> None:
    record = json.loads((CASES[0].parent / "asset-ordered-shell" / "given.json").read_text(encoding="utf-8"))
    del record["custodian"]
    record |= {} if custodian is ... else {"custodian": custodian}
    report = asset_report(profile, "am", record)
    assert (report.cleared, report.fields.custodian) == (cleared, "e17" if custodian == "e17" else None)

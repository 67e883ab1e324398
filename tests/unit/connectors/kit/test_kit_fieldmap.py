"""A declared map of fields: both ways, exactly, and refused by name where it cannot be."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from tieline.connectors.kit.amounts import CONTINENTAL, ENGLISH
from tieline.connectors.kit.fieldmap import (
    FieldRule,
    Kind,
    RecordMap,
    check_kept,
    comparable,
    constant,
    date,
    differing,
    money,
    number,
    read_fields,
    reference,
    symbol,
    text,
    writable,
    write_fields,
)
from tieline.connectors.kit.fieldtables import page_of, tables_of
from tieline.connectors.kit.lookups import Lookups
from tieline.kernel.asset_records import AssetFields, PhysicalStatus
from tieline.kernel.correspondence import Place
from tieline.kernel.errors import Rejected
from tieline.kernel.vocabulary import Money


class Fixed:
    """Names that are known."""

    def id_of(self, kind: str, name: str) -> str | int | None:
        return {"location": {"Hall 1": 31}}[kind].get(name)


STATUSES = {"IN_SERVICE": ["In use", "Lent"], "RETIRED": ["Sold"]}
RULES = [
    FieldRule("tag", "tag", text(max_length=5)),
    FieldRule("description", "title", text(escaped=True)),
    FieldRule("location", "place.name", reference("location"), "place_id"),
    FieldRule("physical_status", "status", symbol(PhysicalStatus, STATUSES)),
    FieldRule("company", "org", text(letter_case="upper"), direction="in"),
    FieldRule(
        "acquisition_cost",
        "cost.value",
        money(currency_path="cost.currency", form=ENGLISH, decimals=2),
        more=lambda value: {"cost.currency": value.currency} if isinstance(value, Money) else {},
    ),
    FieldRule("acquisition_date", "bought", date(blank=("1900-01-01T12:00:00Z",))),
    FieldRule("quantity", "count", number(as_text=True)),
    FieldRule("condition", "note", text(), direction="out"),
]
RECORD = {
    "tag": " A-1 ",
    "title": "Saw &amp; &lt;blade&gt;",
    "place": {"id": 31, "name": "Hall 1"},
    "status": "lent",
    "org": "1000",
    "cost": {"value": "1,234.50", "currency": "EUR"},
    "bought": "2026-01-31T12:00:00Z",
    "count": Decimal("2.5"),
    "note": "theirs",
}
FIELDS = AssetFields(
    tag="A-1",
    description="Saw & <blade>",
    location="Hall 1",
    physical_status=PhysicalStatus.IN_SERVICE,
    company="1000",
    acquisition_cost=Money(amount=Decimal("1234.50"), currency="EUR"),
    acquisition_date=dt.date(2026, 1, 31),
    quantity=Decimal("2.5"),
)


def test_a_record_is_read_by_its_map() -> None:
    assert read_fields(AssetFields, RULES, RECORD) == FIELDS


def test_fields_are_written_in_their_words_ids_and_numbers() -> None:
    assert write_fields(RULES, FIELDS.model_copy(update={"condition": "good"}), names=Fixed()) == {
        "tag": "A-1",
        "title": "Saw & <blade>",
        "place_id": 31,
        "status": "In use",
        "cost": {"value": Decimal("1234.50"), "currency": "EUR"},
        "bought": "2026-01-31",
        "count": "2.5",
        "note": "good",
    }
    assert write_fields(RULES, FIELDS, only={"tag", "company"}) == {"tag": "A-1"}, "what is read only is never written"
    assert write_fields(RULES, AssetFields()) == {}, "what is not known is not written"


def test_what_a_map_writes_and_what_can_be_compared() -> None:
    assert "company" not in writable(RULES)
    assert "condition" in writable(RULES)
    assert comparable(RULES) == writable(RULES) - {"condition"}


@pytest.mark.parametrize("nothing", [None, "", False])
def test_what_says_nothing_is_none(nothing: object) -> None:
    record = {key: nothing for key in RECORD if key not in ("place", "cost")}
    read = read_fields(AssetFields, RULES, {**record, "cost": {"value": nothing}, "place": nothing})
    assert read == AssetFields()


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("tag", ["x"], "must be text or a whole number"),
        ("tag", True, "must be text or a whole number"),
        ("count", "two", "is not an amount"),
        ("count", {"x": 1}, "is not a decimal number"),
        ("count", True, "is not a decimal number"),
        ("count", Decimal("1.2345678"), "must have at most 6 digits after the point"),
        ("bought", "31.01.2026", "is not a day of format iso"),
        ("bought", "2026-01-31x", "is not a day of format iso"),
        ("bought", "2026-02-30", "is not a day of format iso"),
        ("tag", "x" * 4001, "String should have at most 4000 characters"),
    ],
)
def test_what_cannot_be_read_is_refused_by_its_path(path: str, value: object, reason: str) -> None:
    with pytest.raises(Rejected) as caught:
        read_fields(AssetFields, RULES, {**RECORD, path: value}, place="lines.3.")
    assert (caught.value.field, caught.value.reason) == (f"lines.3.{path}", reason)


@pytest.mark.parametrize(
    ("cost", "field", "reason"),
    [
        ({"value": "1.234,50", "currency": "EUR"}, "cost.value", "is not an amount"),
        ({"value": "1", "currency": "eur"}, "cost.currency", "an amount needs an ISO 4217 currency"),
        ({"value": "1"}, "cost.currency", "an amount needs an ISO 4217 currency"),
        ({"value": Decimal("0.00001"), "currency": "EUR"}, "cost.value", "must have at most 4 digits after the point"),
        ({"value": Decimal("NaN"), "currency": "EUR"}, "cost.value", "Input should be a finite number"),
    ],
)
def test_money_is_exact_or_refused(cost: dict[str, object], field: str, reason: str) -> None:
    with pytest.raises(Rejected) as caught:
        read_fields(AssetFields, RULES, {**RECORD, "cost": cost})
    assert (caught.value.field, caught.value.reason) == (field, reason)


@pytest.mark.parametrize(
    ("changed", "field", "reason"),
    [
        ({"tag": "A-1000"}, "tag", "is longer than the 5 characters they keep"),
        ({"location": "Hall 2"}, "location", "they have no location 'Hall 2'"),
        ({"physical_status": PhysicalStatus.MISSING}, "physical_status", "MISSING has no counterpart of theirs"),
        ({"physical_status": PhysicalStatus.UNKNOWN}, "physical_status", "UNKNOWN has no counterpart of theirs"),
        (
            {"acquisition_cost": Money(amount=Decimal("1.005"), currency="EUR")},
            "acquisition_cost",
            "has more than the 2 digits after the point they keep",
        ),
    ],
)
def test_t27_what_they_would_not_keep_is_refused_before_it_is_sent(
    changed: dict[str, object], field: str, reason: str
) -> None:
    with pytest.raises(Rejected) as caught:
        write_fields(RULES, FIELDS.model_copy(update=changed), names=Fixed())
    assert (caught.value.field, caught.value.reason) == (field, reason)


def test_an_unknown_word_is_held_and_never_guessed() -> None:
    assert read_fields(AssetFields, RULES, {**RECORD, "status": "Melted"}).physical_status is PhysicalStatus.UNKNOWN


def test_an_amount_in_another_currency_than_theirs_is_refused() -> None:
    rules = [FieldRule("acquisition_cost", "c", money(currency="USD", form=CONTINENTAL, as_text=True))]
    read = read_fields(AssetFields, rules, {"c": "1.234,5"})
    assert read.acquisition_cost == Money(amount=Decimal("1234.5"), currency="USD")
    assert write_fields(rules, read) == {"c": "1234.5"}
    with pytest.raises(Rejected, match="their amounts are in USD, this one is in EUR"):
        write_fields(rules, FIELDS)


@pytest.mark.parametrize(
    ("pattern", "theirs", "day", "written"),
    [
        ("epoch-millis", "/Date(1769817600000)/", dt.date(2026, 1, 31), "/Date(1769817600000)/"),
        ("epoch-millis", "/Date(-86400000+0000)/", dt.date(1969, 12, 31), "/Date(-86400000)/"),
        ("epoch-millis", 1769817600000, dt.date(2026, 1, 31), "/Date(1769817600000)/"),
        ("%d/%m/%Y", "31/01/2026", dt.date(2026, 1, 31), "31/01/2026"),
        ("iso", "1900-01-01T12:00:00Z", None, None),
    ],
)
def test_days_in_the_shapes_that_systems_write_them(
    pattern: str, theirs: object, day: dt.date | None, written: object
) -> None:
    rules = [FieldRule("acquisition_date", "d", date(pattern, blank=("1900-01-01T12:00:00Z",)))]
    read = read_fields(AssetFields, rules, {"d": theirs})
    assert read.acquisition_date == day
    assert write_fields(rules, read).get("d") == written


def test_what_differs_and_what_was_cut() -> None:
    held = FIELDS.model_copy(update={"tag": "A", "description": "Saw"})
    assert differing(FIELDS, held, {"tag", "location", "condition"}) == ["tag"]
    with pytest.raises(Rejected, match=r"kept less of it than was sent: 3 of 13 characters") as caught:
        check_kept(FIELDS, held, {"description"}, held_digest="d")
    assert (caught.value.field, caught.value.held_digest) == ("fields.description", "d")
    check_kept(FIELDS, FIELDS.model_copy(update={"description": "SAW & <BLADE>"}), {"description"})


def test_the_catalogue_is_made_of_the_same_map() -> None:
    maps = [RecordMap("/assets", AssetFields, [*RULES, FieldRule("asset_class", "", constant("TOOL"), direction="in")])]
    places = tables_of(maps)["AssetFields"].places
    assert places["location"] == Place(("place.name",), ("place_id",), "name of a location")
    assert places["company"].written == ()
    assert places["condition"].read == ()
    page = page_of(maps, "Test")
    assert "| `location` | `place.name`, written as `place_id` | both ways | name of a location |" in page
    assert "| `serial_number` |  | not mapped |" in page
    assert "IN_SERVICE: In use, Lent; RETIRED: Sold; any other is held" in page


async def test_names_are_read_when_one_is_asked_for_and_again_after_a_minute() -> None:
    places: list[tuple[str, str | int]] = [("Hall 1", 31), ("Hall 2", 32), ("Twin", 1), ("twin ", 2)]
    reads, secs = [0], [0.0]

    async def read() -> AsyncIterator[tuple[str, str | int]]:
        reads[0] += 1
        for one in places:
            yield one

    names = Lookups({"location": read}, monotonic=lambda: secs[0])
    for _ in range(3):
        await names.load("location", "Hall 1")
    assert (names.id_of("location", " hall 2"), reads[0]) == (32, 1)
    places.append(("Hall 3", 33))
    await names.load("location", "Hall 3")
    assert names.id_of("location", "Hall 3") is None, "not at every record"
    secs[0] = 61
    await names.load("location", "Hall 3")
    assert (names.id_of("location", "Hall 3"), reads[0]) == (33, 2)
    with pytest.raises(Rejected, match="several records there are called 'Twin'"):
        names.id_of("location", "Twin")


def test_a_kind_of_ones_own() -> None:
    yes = Kind(lambda asked: "yes" if asked.value == 1 else None, lambda asked: int(asked.value == "yes"))
    rules = [FieldRule("condition", "ok", yes)]
    assert write_fields(rules, read_fields(AssetFields, rules, {"ok": 1})) == {"ok": 1}

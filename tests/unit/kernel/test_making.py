"""The functions that read a record as its model, held against pydantic: the same records, and no more than it takes."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from functools import cache
from typing import Annotated, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import AwareDatetime, Field, StringConstraints, ValidationError, model_validator
from tests.unit.kernel.test_serialising import RECORDS, TOLD, contents, written

from tieline.kernel.codecs import model_of
from tieline.kernel.declarations import parsed_schema, schema_text
from tieline.kernel.serialising import Doubtful, maker_of, reader_of
from tieline.kernel.vocabulary import Amount, Code, Currency, Model, Period, Text

FEW = settings(max_examples=40)
TEXTS = ("", "EUR", "EUR\n", "2026-007", "é" * 120, "é" * 201, "x" * 200, "x" * 201, "x" * 4000, "x" * 4001)


@cache
def bounded(name: str) -> st.SearchStrategy[Any]:
    """Whatever a record of ours may hold, with texts at the bounds that models have."""
    return contents(parsed_schema(name), texts=st.sampled_from(TEXTS))


@pytest.mark.parametrize("name", RECORDS)
def test_every_record_of_ours_is_read_as_its_model(name: str) -> None:
    assert callable(maker_of(schema_text(name), model_of(name)))


@pytest.mark.parametrize("name", TOLD)
@FEW
@given(data=st.data())
def test_what_is_made_is_what_the_model_makes_of_it(name: str, data: st.DataObject) -> None:
    model, text = model_of(name), schema_text(name)
    body = written(parsed_schema(name), data.draw(bounded(name)))
    try:
        wanted = model.model_validate(reader_of(text)(body, 0)[0], strict=False)
    except ValidationError:
        with pytest.raises(Doubtful):
            maker_of(text, model)(body, 0)
        return
    try:
        made, end = maker_of(text, model)(body, 0)
    except Doubtful:
        return  # it may ask the model; that it does so seldom has a test of its own
    assert end == len(body)
    assert repr(made) == repr(wanted)
    assert made == wanted
    assert made.model_fields_set == wanted.model_fields_set
    assert made.model_copy(update={}) == wanted.model_copy(update={})


class Thing(Model):
    """One value of each type that has bounds."""

    text: Text
    code: Code
    currency: Currency
    period: Period
    amount: Amount
    several: Annotated[str, Field(min_length=3)]


AMOUNT = {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 4}
NAMES = ("text", "code", "currency", "period", "amount", "several")
GOOD: dict[str, Any] = {
    "text": "",
    "code": "A",
    "currency": "EUR",
    "period": "2026-007",
    "amount": 10**20 - 1,
    "several": "é" * 9,
}


def record(**types: Any) -> str:
    """The schema of a record with these fields."""
    return json.dumps(
        {"type": "record", "name": "R", "fields": [{"name": name, "type": kind} for name, kind in types.items()]}
    )


def make_thing(**changed: Any) -> Model:
    """What is made of a thing with these values; the amount as an unscaled number."""
    given = GOOD | changed
    number = given["amount"]
    body = written(
        json.loads(record(**dict.fromkeys(NAMES, "string") | {"amount": "bytes"})),
        given | {"amount": number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True)},
    )
    made, _ = maker_of(record(**dict.fromkeys(NAMES, "string") | {"amount": AMOUNT}), Thing)(body, 0)
    return made


def test_what_is_within_every_bound_is_made_without_asking_the_model() -> None:
    kinds: tuple[dict[str, Any], ...] = (
        {},
        {"text": "x" * 4000, "code": "x" * 200, "several": "abcdefghi"},
        {"amount": -(10**20) + 1, "currency": "AAA"},
        {"amount": 0},
    )
    for good in kinds:
        wanted = GOOD | good
        amount = Decimal(wanted["amount"]).scaleb(-4)
        assert make_thing(**good) == Thing.model_validate(wanted | {"amount": amount})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", "x" * 4001),
        ("code", ""),
        ("code", "x" * 201),
        ("currency", "EURO"),
        ("currency", "EUR\n"),
        ("currency", "eur"),
        ("period", "2026-07"),
        ("period", "2026-007x"),
        ("several", "éé"),  # two characters of four bytes
        ("amount", 10**20),
        ("amount", -(10**20)),
    ],
)
def test_what_a_model_refuses_is_never_made(name: str, value: Any) -> None:
    with pytest.raises(Doubtful):
        make_thing(**{name: value})


class Judging(Model):
    """Checks its fields together."""

    a: str

    @model_validator(mode="after")
    def _is_good(self) -> Judging:
        return self


class Bounded(Model):
    """A number with a bound."""

    a: Annotated[int, Field(ge=0)]


class Stripped(Model):
    """A text that is changed on its way in."""

    a: Annotated[str, StringConstraints(strip_whitespace=True)]


class Plain(Model):
    """A text."""

    a: str


class Instant(Model):
    """A moment."""

    a: AwareDatetime


class Naive(Model):
    """A moment of any kind."""

    a: dt.datetime


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        (Judging, "string"),
        (Bounded, "long"),
        (Stripped, "string"),
        (Plain, ["null", "string"]),
        (Plain, "bytes"),
        (Instant, "long"),
        (Naive, {"type": "long", "logicalType": "timestamp-millis"}),
    ],
    ids=[
        "a check of the whole",
        "a bound",
        "a conversion",
        "null",
        "another type",
        "no moment",
        "a moment without zone",
    ],
)
def test_a_check_that_is_not_known_leaves_everything_to_the_model(model: type[Model], kind: Any) -> None:
    with pytest.raises(TypeError):
        maker_of(record(a=kind), model)


@given(junk=st.binary(max_size=60))
@example(junk=b"")
def test_of_junk_nothing_is_made_that_the_model_refuses(junk: bytes) -> None:
    text, model = schema_text("CostReport"), model_of("CostReport")
    try:
        made, _ = maker_of(text, model)(junk, 0)
    except Exception:  # noqa: BLE001  - whatever it provokes; the codec asks the model
        return
    assert made == model.model_validate(reader_of(text)(junk, 0)[0], strict=False)

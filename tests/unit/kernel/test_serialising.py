"""The functions written for each schema, held against fastavro: the same bytes, and the same values from them."""

from __future__ import annotations

import datetime as dt
import io
import json
from decimal import Decimal
from functools import cache
from types import SimpleNamespace
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tieline.kernel.declarations import parsed_schema, schema_names, schema_text
from tieline.kernel.serialising import Read, Write, parsed, read_long, reader_of, write_long, writer_of
from tieline.kernel.vocabulary import Money

RECORDS = sorted(name for name in schema_names() if parsed_schema(name)["type"] == "record")
TOLD = ("AssetState", "BookReport", "CostReport", "HeldReport")  # together every type that a schema of ours may have
FEW = settings(max_examples=40)  # of each; a record has many values
ANY_TEXT = st.text(max_size=90)
INSTANTS = st.datetimes(timezones=st.just(dt.UTC)).map(lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000))


def contents(
    schema: Any, types: dict[str, Any] | None = None, texts: st.SearchStrategy[str] = ANY_TEXT
) -> st.SearchStrategy[Any]:
    """Whatever a record of the schema may hold; its texts are of ``texts``."""
    known = {} if types is None else types
    if isinstance(schema, list):
        return st.one_of(*(contents(branch, known, texts) for branch in schema))
    if isinstance(schema, str):
        schema = known.get(schema, {"type": schema})
    if "name" in schema:
        known[schema["name"]] = schema
    match schema.get("logicalType", schema["type"]):
        case "record":
            return st.fixed_dictionaries(
                {field["name"]: contents(field["type"], known, texts) for field in schema["fields"]}
            )
        case "array":
            return st.lists(contents(schema["items"], known, texts), max_size=3)
        case "map":
            return st.dictionaries(st.text(max_size=5), contents(schema["values"], known, texts), max_size=3)
        case "decimal":
            digits, scale = schema["precision"], schema["scale"]
            limit = 10**digits - 1
            return st.integers(-limit, limit).map(lambda n: Decimal((n < 0, Decimal(abs(n)).as_tuple().digits, -scale)))
        case kind:
            return {
                "null": st.none(),
                "string": texts,
                "bytes": st.binary(max_size=90),
                "boolean": st.booleans(),
                "int": st.integers(-(2**31), 2**31 - 1),
                "long": st.integers(-(2**63), 2**63 - 1),
                "date": st.dates(),
                "timestamp-millis": INSTANTS,
                "enum": st.sampled_from(schema.get("symbols", ("",))),
            }[kind]


@cache
def generated(name: str) -> st.SearchStrategy[Any]:
    """Whatever a record of ours may hold."""
    return contents(parsed_schema(name))


@cache
def functions(name: str) -> tuple[Write, Read]:
    """What writes and what reads a record of ours."""
    return writer_of(schema_text(name)), reader_of(schema_text(name))


def as_object(schema: Any, content: Any, types: dict[str, Any] | None = None) -> Any:
    """The content as the models hold it: records as objects with attributes."""
    known = {} if types is None else types
    if isinstance(schema, list):
        for branch in schema:
            as_object(branch, None, known)
        other = next(branch for branch in schema if branch != "null")
        return None if content is None else as_object(other, content, known)
    if isinstance(schema, str):
        schema = known.get(schema, {"type": schema})
    if "name" in schema:
        known[schema["name"]] = schema
    match schema["type"]:
        case "record":
            said = content or {}
            return SimpleNamespace(
                **{
                    field["name"]: as_object(field["type"], said.get(field["name"]), known)
                    for field in schema["fields"]
                }
            )
        case "array":
            as_object(schema["items"], None, known)
            return tuple(as_object(schema["items"], one, known) for one in content or ())
        case "map":
            return {key: as_object(schema["values"], one, known) for key, one in (content or {}).items()}
        case _:
            return content


def written(schema: Any, content: Any) -> bytes:
    """By fastavro."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, content)
    return out.getvalue()


@pytest.mark.parametrize("name", TOLD)
@FEW
@given(data=st.data())
def test_any_content_has_the_bytes_that_fastavro_gives_it_and_is_read_as_it_reads_them(
    name: str, data: st.DataObject
) -> None:
    schema, (write, read) = parsed_schema(name), functions(name)
    content = data.draw(generated(name))
    wanted, out = written(schema, content), bytearray()
    write(out, as_object(schema, content))
    assert bytes(out) == wanted
    assert read(b"head!" + wanted, 5) == (content, 5 + len(wanted))
    assert fastavro.schemaless_reader(io.BytesIO(wanted), schema, None) == content


@pytest.mark.parametrize("name", RECORDS)
def test_every_schema_of_ours_has_its_functions(name: str) -> None:
    assert all(functions(name))


@pytest.mark.parametrize("name", TOLD)
@FEW
@given(data=st.data())
def test_bytes_that_end_early_are_refused_wherever_they_end(name: str, data: st.DataObject) -> None:
    whole = written(parsed_schema(name), data.draw(generated(name)))
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with pytest.raises((EOFError, IndexError)):
        functions(name)[1](cut, 0)


@given(junk=st.binary(max_size=60))
def test_what_is_read_from_junk_is_what_fastavro_reads_from_it(junk: bytes) -> None:
    schema = parsed_schema("CostReport")
    try:
        content, end = functions("CostReport")[1](junk, 0)
    except Exception:  # noqa: BLE001  - whatever it provokes; the codec refuses it
        return
    body = io.BytesIO(junk)
    assert fastavro.schemaless_reader(body, schema, None) == content
    assert body.tell() == end


def record(**types: Any) -> str:
    """The schema of a record with these fields."""
    fields = [{"name": name, "type": kind} for name, kind in types.items()]
    return json.dumps({"type": "record", "name": "R", "fields": fields})


def test_a_block_that_says_how_long_it_is_is_read_too() -> None:
    body = bytes([3, 4, 2, 4, 2, 6, 0])  # two numbers in a block of two bytes, one more, the end
    schema = record(a={"type": "array", "items": "long"})
    assert fastavro.schemaless_reader(io.BytesIO(body), parsed(schema), None) == {"a": [1, 2, 3]}
    assert reader_of(schema)(body, 0) == ({"a": [1, 2, 3]}, len(body))


@given(unscaled=st.integers(-(10**90), 10**90), spare=st.integers(0, 3))
def test_a_decimal_of_any_length_is_read_as_fastavro_reads_it(unscaled: int, spare: int) -> None:
    schema = record(a={"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 4})
    digits = unscaled.to_bytes(unscaled.bit_length() // 8 + 1 + spare, "big", signed=True)
    body = written(parsed(record(a="bytes")), {"a": digits})
    wanted: Any = fastavro.schemaless_reader(io.BytesIO(body), parsed(schema), None)
    read, _ = reader_of(schema)(body, 0)
    assert str(read["a"]) == str(wanted["a"])


@pytest.mark.parametrize(
    "body",
    [b"\x01", b"\x01ab", b"\xff" * 10, b"\x80" * 20 + b"\x01", b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01ab"],
    ids=["negative", "negative before text", "longest", "endless", "longer than all memory"],
)
def test_a_length_that_cannot_be_is_refused(body: bytes) -> None:
    with pytest.raises((EOFError, IndexError, ValueError)):
        reader_of(record(a="string"))(body, 0)


@pytest.mark.parametrize(("kind", "body"), [(["null", "long"], b"\x04\x02"), ({"type": "enum"}, b"\x01")])
def test_a_branch_or_symbol_that_is_not_there_is_refused(kind: Any, body: bytes) -> None:
    if isinstance(kind, dict):
        kind = kind | {"name": "E", "symbols": ["A", "B"]}
    with pytest.raises((ValueError, KeyError)):
        reader_of(record(a=kind))(body, 0)


@pytest.mark.parametrize("amount", ["1.23456", "12345678901234567.00", "1.00000000000000000000000000000000001", "NaN"])
def test_an_amount_that_does_not_fit_is_never_cut(amount: str) -> None:
    schema = record(a={"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 4})
    with pytest.raises((ValueError, ArithmeticError)):
        writer_of(schema)(bytearray(), SimpleNamespace(a=Decimal(amount)))


@pytest.mark.parametrize(
    "amount", ["10000000000000000", "10000000000000000.0000", "1.00000", "1E+16", "NaN", "Infinity"]
)
def test_money_of_too_many_digits_never_enters(amount: str) -> None:
    with pytest.raises(ValidationError):
        Money(amount=Decimal(amount), currency="EUR")


@pytest.mark.parametrize("amount", ["9999999999999999.9999", "-9999999999999999.9999", "0.0000", "0", "1E+15", "0E+20"])
def test_money_of_few_enough_digits_enters_as_it_is(amount: str) -> None:
    assert str(Money(amount=Decimal(amount), currency="EUR").amount) == str(Decimal(amount))


def test_a_number_longer_than_64_bits_is_refused() -> None:
    for number in (2**63, -(2**63) - 1):
        with pytest.raises(OverflowError):
            write_long(bytearray(), number)


@pytest.mark.parametrize("kind", ["double", ["null", "string", "long"], {"type": "string", "logicalType": "uuid"}])
def test_a_type_that_no_schema_of_ours_may_have_is_refused(kind: Any) -> None:
    for compiled in (writer_of, reader_of):
        with pytest.raises(TypeError):
            compiled(record(a=kind))


def test_a_field_may_be_called_as_a_word_of_pythons() -> None:
    schema, out = record(**{"class": "string"}), bytearray()
    writer_of(schema)(out, SimpleNamespace(**{"class": "A"}))
    assert bytes(out) == written(parsed(schema), {"class": "A"})
    assert reader_of(schema)(bytes(out), 0) == ({"class": "A"}, 2)


@given(number=st.integers(-(2**63), 2**63 - 1))
def test_a_number_is_read_as_it_was_written(number: int) -> None:
    out = bytearray()
    write_long(out, number)
    assert read_long(bytes(out), 0) == (number, len(out))

"""Strict JSON: exact or refused."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieline.connectors.kit.strict_json import JsonError, dump_json, parse_json

MAX_BYTES = 2_100_000

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(10**40), max_value=10**40)
    | st.decimals(allow_nan=False, allow_infinity=False, places=4)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_what_is_dumped_is_parsed_to_the_same(value: object) -> None:
    assert parse_json(dump_json(value), max_bytes=MAX_BYTES) == value


def test_numbers_stay_exact() -> None:
    document = parse_json(b'{"a": 0.1, "b": 1234567890123456789.0001, "c": 12, "d": 1e3}', max_bytes=MAX_BYTES)
    assert document == {"a": Decimal("0.1"), "b": Decimal("1234567890123456789.0001"), "c": 12, "d": Decimal("1E+3")}
    assert isinstance(document, dict)
    assert isinstance(document["d"], Decimal)
    assert dump_json(document) == b'{"a":0.1,"b":1234567890123456789.0001,"c":12,"d":1E+3}'


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"NaN", "NaN is not a JSON number"),
        (b'{"a": [-Infinity]}', "-Infinity is not a JSON number"),
        (b'{"a": 1, "a": 1}', "a key twice"),
        (b'{"o": {"a": 1, "a": 2}}', "a key twice"),
        (b'{"a": 1', "not JSON at character"),
        (b"", "not JSON at character 0"),
        (b"\xff", "not UTF-8"),
        (b"[" * 200_000, "nested too deep"),
        (b"1" * 101, "more than 100 characters"),
        (b"0." + b"1" * 101, "more than 100 characters"),
        (b"1e99999999999999999999", "out of range"),
        (b"1e400", "out of range"),
        (b'{"a": [-1E+999999999]}', "out of range"),
        (b"1e-999999999", "out of range"),
        (b"0e309", "out of range"),
        (b"[" * 65 + b"]" * 65, "nested too deep"),
        (b'{"a":' * 40 + b'[{"b":' * 13 + b"1" + b"}]" * 13 + b"}" * 40, "nested too deep"),
        (b'["[{",' + b"[" * 64 + b"]" * 64 + b"]", "nested too deep"),
        (b"[" + b"0," * 1_000_000 + b"0]", "more than 1000000 items"),
        (rb'"\ud83d"', "half of a character"),
        (rb'{"a": "x\udE00\uD83D"}', "half of a character"),
        (rb'{"\ud83d": 1.5}', "half of a character"),
        (b" " * (MAX_BYTES + 1), "more than 2100000 bytes"),
    ],
)
def test_anything_else_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(JsonError, match=message):
        parse_json(body, max_bytes=MAX_BYTES)


def test_what_is_just_within_the_bounds_is_accepted() -> None:
    assert parse_json(b"1e308", max_bytes=MAX_BYTES) == Decimal("1e308")
    assert parse_json(b"0.0000", max_bytes=MAX_BYTES) == 0
    deepest: object = "]}"
    for _ in range(64):
        deepest = [deepest]
    assert parse_json(b"[" * 64 + b'"]}"' + b"]" * 64, max_bytes=MAX_BYTES) == deepest
    assert parse_json(b'["' + b"[{" * 1000 + b'", {}]', max_bytes=MAX_BYTES) == ["[{" * 1000, {}], "brackets in a text"
    assert parse_json(rb'"\ud83d\ude00"', max_bytes=MAX_BYTES) == "\N{GRINNING FACE}"

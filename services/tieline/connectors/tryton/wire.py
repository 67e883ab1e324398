"""Tryton's JSON: exact amounts and dates travel as objects that name their class."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from tieline.connectors.kit.strict_json import parse_json
from tieline.kernel.errors import Rejected

Json = Any
MAX_NUMBER_CHARS = 40
_MAX_EXPONENT = 40  # ten characters may stand for a thousand million digits: 1E+9999999
_NO_PART_OF_A_TIME = 1_000_000  # microseconds are the largest
_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")  # Python's own reading knows 1_000 and ١٢٣ too


def encode(value: object) -> Json:
    """A Python value as Tryton wants it. Raises ``TypeError`` for a float or an unknown type."""
    match value:
        case None | bool() | int() | str():
            plain: Json = value
        case Decimal():
            if not value.is_finite():
                raise TypeError("a number that is not finite cannot be sent")
            # Avro gives every amount four digits; Tryton counts them, zeros too, against the currency's.
            plain = {"__class__": "Decimal", "decimal": format(value.normalize(), "f")}
        case dt.datetime():
            plain = _encode_instant(value)
        case dt.date():
            plain = {"__class__": "date", "year": value.year, "month": value.month, "day": value.day}
        case Quantity():
            plain = value.amount
        case Mapping():
            plain = {str(key): encode(item) for key, item in value.items()}
        case list() | tuple():
            plain = [encode(item) for item in value]
        case _:
            raise TypeError(f"{type(value).__name__} has no form in Tryton's JSON")
    return plain


def _encode_instant(value: dt.datetime) -> Json:
    utc = value.astimezone(dt.UTC) if value.tzinfo else value
    names = ("year", "month", "day", "hour", "minute", "second", "microsecond")
    return {"__class__": "datetime", **{name: getattr(utc, name) for name in names}}


class Quantity:
    """A quantity: the one kind of number that Tryton keeps as a float."""

    __slots__ = ("amount",)

    def __init__(self, amount: Decimal) -> None:
        self.amount = amount


def loads(text: bytes) -> Json:
    """Parse JSON as ``parse_json`` does, whoever read ``text`` watched its size. Raises ``ValueError``."""
    return parse_json(text, max_bytes=len(text))


def dumps(value: Json) -> bytes:
    """The document as Tryton sent it, in one canonical spelling: a ``Decimal`` is a number with its own digits."""
    return _text(value).encode()


def decimal(value: object) -> Decimal:
    """An exact amount. Raises ``ValueError`` for a bare number, a text, NaN or an absurdly long number."""
    if not isinstance(value, Mapping) or value.get("__class__") != "Decimal":
        raise ValueError("must be an exact decimal, as Tryton sends amounts")
    text = value.get("decimal")
    if not isinstance(text, str) or len(text) > MAX_NUMBER_CHARS:
        raise ValueError(f"must be a decimal of at most {MAX_NUMBER_CHARS} characters")
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError("must be a decimal number") from None
    if not number.is_finite():
        raise ValueError("must be a finite number")
    if not _DECIMAL.fullmatch(text):
        raise ValueError("must be a decimal number")
    if not -_MAX_EXPONENT <= number.adjusted() <= _MAX_EXPONENT:
        raise ValueError("must be a number whose exponent is in range")
    return number


def date(value: object) -> dt.date:
    """A calendar date. Raises ``ValueError`` when it is none."""
    year, month, day = _parts(value, "date", ("year", "month", "day"))
    return dt.date(year, month, day)


def instant(value: object) -> dt.datetime:
    """A moment, UTC (Tryton's server always runs in UTC). Raises ``ValueError`` when it is none."""
    parts = _parts(value, "datetime", ("year", "month", "day", "hour", "minute", "second", "microsecond"))
    year, month, day, hour, minute, second, microsecond = parts
    return dt.datetime(year, month, day, hour, minute, second, microsecond, tzinfo=dt.UTC)


def parse_payload(payload: bytes) -> dict[str, Json]:
    """A stored record. Raises ``Rejected`` when it is not a JSON object."""
    try:
        document = loads(payload)
    except ValueError as error:
        raise Rejected(f"is not JSON as Tryton sends it: {error}", field="$", remedy="read the record again") from error
    if not isinstance(document, dict):
        raise Rejected("must be a JSON object", field="$", remedy="read the record again")
    return document


def _parts(value: object, kind: str, names: tuple[str, ...]) -> list[int]:
    if not isinstance(value, Mapping) or value.get("__class__") != kind:
        raise ValueError(f"must be a {kind}")
    parts = [value.get(name) for name in names]
    if not all(type(part) is int for part in parts):
        raise ValueError(f"must be a {kind} with whole {', '.join(names)}")
    found = [part for part in parts if isinstance(part, int)]
    if not all(0 <= part < _NO_PART_OF_A_TIME for part in found):
        raise ValueError(f"must be a {kind} of the calendar")  # what is larger than C can count is no ValueError there
    return found


def _text(value: Json) -> str:
    match value:
        case Decimal():
            return str(value)
        case dict():
            return "{" + ",".join(f"{json.dumps(k, ensure_ascii=False)}:{_text(v)}" for k, v in value.items()) + "}"
        case list():
            return "[" + ",".join(_text(item) for item in value) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False, allow_nan=False)

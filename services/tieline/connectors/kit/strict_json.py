"""JSON without surprises: exact decimals, no NaN, no duplicate keys, bounded."""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation

MAX_DEPTH = 64
MAX_ITEMS = 1_000_000  # of all lists and objects together: of two bytes each they take dozens in memory
_MAX_NUMBER_LENGTH = 100
# A double ends there, so that no sender's numbers go beyond. Ten characters may stand for a thousand million digits.
_MAX_EXPONENT = 308
_BRACKETS = bytes.maketrans(b"[{]}", b"(())")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_HALF_CHARACTER = re.compile(rb"\\u[dD][89a-fA-F]")


class JsonError(ValueError):
    """The text is not JSON, or not JSON we accept. The message never quotes the content."""


def parse_json(body: bytes, *, max_bytes: int) -> object:
    """The document in ``body``. Numbers with a point or exponent become ``Decimal``.

    Raises ``JsonError`` on more than ``max_bytes``, on anything but UTF-8 JSON, on NaN and infinities, on an object
    that has a key twice, on numbers of more than 100 characters or beyond what a double could say, on nesting
    deeper than 64, on more than a million items, and on half of a character (a lone surrogate), which no text can hold.
    """
    if len(body) > max_bytes:
        raise JsonError(f"more than {max_bytes} bytes")
    if body.count(b",") >= MAX_ITEMS:
        raise JsonError(f"more than {MAX_ITEMS} items")
    document = _parse(body)
    if _may_be_deep(body) and _is_deep(document):
        raise JsonError("nested too deep")
    if _HALF_CHARACTER.search(body):
        _refuse_halves(document)
    return document


def _parse(body: bytes) -> object:
    try:
        return json.loads(
            body.decode("utf-8"),
            parse_float=_decimal,
            parse_int=_integer,
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique,
        )
    except UnicodeDecodeError:
        raise JsonError("not UTF-8") from None
    except json.JSONDecodeError as error:
        raise JsonError(f"not JSON at character {error.pos}: {error.msg}") from None
    except RecursionError:
        raise JsonError("nested too deep") from None


def dump_json(value: object) -> bytes:
    """The value as JSON; a ``Decimal`` is written as the number it is, so parse and dump lose nothing."""
    try:
        # The C encoder cannot write Decimal, and most documents have none: amounts usually travel as text.
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_refuse_decimal).encode()
    except _HasDecimalError:
        return _exact(value).encode()


class _HasDecimalError(Exception):
    pass


def _refuse_decimal(value: object) -> object:
    if isinstance(value, Decimal):
        raise _HasDecimalError
    raise TypeError(f"{type(value).__name__} is not JSON")


def _exact(value: object) -> str:
    match value:
        case Decimal():
            return str(value)
        case dict():
            return "{" + ",".join(f"{json.dumps(str(k))}:{_exact(v)}" for k, v in value.items()) + "}"
        case list() | tuple():
            return "[" + ",".join(_exact(item) for item in value) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False)


def _may_be_deep(body: bytes) -> bool:
    """Whether it is worth a walk: takes a level of brackets off at a time; those in texts may mislead it to yes."""
    brackets = body.translate(_BRACKETS, _NO_BRACKETS)
    for _ in range(MAX_DEPTH):
        if not brackets:
            return False
        brackets = brackets.replace(b"()", b"")
    return bool(brackets)


def _is_deep(document: object) -> bool:
    level = [document]
    for _ in range(MAX_DEPTH):
        inner = (one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list))
        level = [value for values in inner for value in values]
    return any(isinstance(one, dict | list) for one in level)


def _refuse_halves(document: object) -> None:
    try:
        json.dumps(document, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        raise JsonError("half of a character") from None


def _decimal(text: str) -> Decimal:
    if len(text) > _MAX_NUMBER_LENGTH:
        raise JsonError(f"a number of more than {_MAX_NUMBER_LENGTH} characters")
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise JsonError("a number whose exponent is out of range") from None
    if not -_MAX_EXPONENT <= number.adjusted() <= _MAX_EXPONENT:
        raise JsonError("a number whose exponent is out of range")
    return number


def _integer(text: str) -> int:
    if len(text) > _MAX_NUMBER_LENGTH:
        raise JsonError(f"a number of more than {_MAX_NUMBER_LENGTH} characters")
    return int(text)


def _refuse_constant(text: str) -> object:
    raise JsonError(f"{text} is not a JSON number")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise JsonError("an object has a key twice")
    return document

"""JSON without surprises: exact decimals, no NaN, no duplicate keys, bounded."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation

_MAX_NUMBER_LENGTH = 100


class JsonError(ValueError):
    """The text is not JSON, or not JSON we accept. The message never quotes the content."""


def parse_json(body: bytes, *, max_bytes: int) -> object:
    """The document in ``body``. Numbers with a point or exponent become ``Decimal``.

    Raises ``JsonError`` on more than ``max_bytes``, on anything but UTF-8 JSON, on NaN and infinities, on an object
    that has a key twice, on numbers of more than 100 characters, and on nesting deeper than Python's recursion limit.
    """
    if len(body) > max_bytes:
        raise JsonError(f"more than {max_bytes} bytes")
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


def _decimal(text: str) -> Decimal:
    if len(text) > _MAX_NUMBER_LENGTH:
        raise JsonError(f"a number of more than {_MAX_NUMBER_LENGTH} characters")
    try:
        return Decimal(text)
    except InvalidOperation:
        raise JsonError("a number whose exponent is out of range") from None


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

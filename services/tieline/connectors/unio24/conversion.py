"""One value, converted between theirs and ours by its rule. Pure; every refusal names the field."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum

from pydantic import BaseModel

from tieline.connectors.kit.amounts import NumberFormat, from_float_artefact, parse_amount
from tieline.connectors.kit.paths import value_at
from tieline.connectors.unio24.rules import Condition, FieldRule, enum_of, kind_of
from tieline.kernel.errors import Rejected
from tieline.kernel.vocabulary import Money

_DECIMAL_TEXT = re.compile(r"-?[0-9]+(\.[0-9]+)?")  # \d is every script's digits
_MAX_DECIMAL_LENGTH = 60


def holds(condition: Condition, record: Mapping[str, object]) -> bool:
    """Whether the record holds one of the condition's values."""
    return _word(value_at(record, condition.path)) in {_word(value) for value in condition.values}


def from_theirs(  # noqa: PLR0911  - one return per kind of value reads as the table it is
    model: type[BaseModel], name: str, rule: FieldRule, record: Mapping[str, object]
) -> object:
    """The canonical value of one field, None when their record does not say. Raises ``Rejected`` naming their key."""
    if rule.constant is not None:
        return enum_of(model, name)(rule.constant) if kind_of(model, name) == "enum" else rule.constant
    path = str(rule.path)
    raw = value_at(record, path)
    text = raw.strip() if isinstance(raw, str) else raw
    if text is None or text == "" or (isinstance(text, str | int | Decimal) and _word(text) in rule.absent):
        return None
    match kind_of(model, name):
        case "enum":
            return _symbol(enum_of(model, name), rule, text)
        case "money":
            return _money(rule, record, path, text)
        case "decimal":
            return _number(rule, path, text)
        case "date":
            # The calendar day as written: turning it to UTC first could make it another day.
            return _parse_time(text, rule.format or "iso", path).date()
        case "flag" | "integer" as kind:
            wanted = bool if kind == "flag" else int
            if type(text) is not wanted:
                raise Rejected(f"must be {'true or false' if wanted is bool else 'a whole number'}", field=path)
            return text
        case "text":
            return _text(rule, path, text)


def to_theirs(name: str, rule: FieldRule, value: object) -> Mapping[str, object]:
    """Their keys and values that say this canonical value. Raises ``Rejected`` naming our field."""
    path = str(rule.path)
    match value:
        case StrEnum():
            return {path: _their_symbol(name, rule, value)}
        case Money():
            if rule.currency is not None and rule.currency != value.currency:
                reason = f"their amounts are in {rule.currency}, this one is in {value.currency}"
                raise Rejected(reason, field=name, remedy="convert it, or map the currency in the profile")
            amount = {path: _decimal_text(name, rule, value.amount)}
            return amount if rule.currency_path is None else amount | {rule.currency_path: value.currency}
        case Decimal():
            return {path: _decimal_text(name, rule, value)}
        case dt.date():
            return {path: _write_date(value, rule.format or "iso")}
        case str():
            return {path: _their_text(name, rule, value)}
        case _:
            return {path: value}


def read_time(value: object, pattern: str, place: str) -> dt.datetime:
    """The instant in ``value``; UTC unless it says otherwise. Raises ``Rejected`` naming ``place``."""
    at = _parse_time(value, pattern, place)
    try:
        return at.astimezone(dt.UTC) if at.tzinfo else at.replace(tzinfo=dt.UTC)
    except OverflowError:
        raise Rejected("is beyond the calendar", field=place, remedy="correct it in its system") from None


def _parse_time(value: object, pattern: str, place: str) -> dt.datetime:
    try:
        if pattern in ("epoch-seconds", "epoch-millis"):
            number = Decimal(str(value)) / (1000 if pattern == "epoch-millis" else 1)
            return dt.datetime.fromtimestamp(float(number), tz=dt.UTC)
        text = str(value)
        return dt.datetime.fromisoformat(text) if pattern == "iso" else dt.datetime.strptime(text, pattern)  # noqa: DTZ007  - its zone, if any, is read by the caller
    except (ValueError, ArithmeticError, OSError):
        raise Rejected(f"is not a time of format {pattern}", field=place, remedy="correct it, or the profile") from None


def write_time(at: dt.datetime, pattern: str) -> str:
    """The instant as the system wants it in a query, in UTC and whole seconds, rounded down."""
    match pattern:
        case "epoch-seconds":
            return str(int(at.timestamp()))
        case "epoch-millis":
            return str(int(at.timestamp()) * 1000)
        case "iso":
            return at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case _:
            return at.astimezone(dt.UTC).strftime(pattern)


def _write_date(day: dt.date, pattern: str) -> str | int:
    if pattern == "iso":
        return day.isoformat()
    midnight = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
    text = write_time(midnight, pattern)
    return int(text) if pattern.startswith("epoch") else text


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _canonical(rule: FieldRule, value: object) -> str | None:
    for symbol, theirs in (rule.values or {}).items():
        if _word(value) in {_word(option) for option in theirs}:
            return symbol
    return None


def _symbol(symbols: type[StrEnum], rule: FieldRule, value: object) -> StrEnum:
    # A word the profile does not know becomes UNKNOWN: the hub holds such a record, it never guesses.
    return symbols(_canonical(rule, value) or "UNKNOWN")


def _their_symbol(name: str, rule: FieldRule, value: StrEnum) -> object:
    theirs = (rule.values or {}).get(value.value)
    if theirs is None:
        remedy = f"add {value.value} to the values of {name} in the profile"
        raise Rejected(f"{value.value} has no counterpart of theirs", field=name, remedy=remedy)
    return theirs[0]


def _text(rule: FieldRule, path: str, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Rejected("must be text or a whole number", field=path)
    text = str(value)
    if rule.values is None:
        return text
    canonical = _canonical(rule, text)
    if canonical is None and rule.otherwise == "reject":
        raise Rejected(f"{text[:40]!r} is not among the profile's values", field=path, remedy="add it to the profile")
    return canonical or text


def _their_text(name: str, rule: FieldRule, value: str) -> object:
    text = value.strip()
    if rule.values is not None:
        if text in rule.values:
            return rule.values[text][0]
        if rule.otherwise == "reject":
            remedy = f"add it to the values of {name} in the profile"
            raise Rejected(f"{text[:40]!r} has no counterpart of theirs", field=name, remedy=remedy)
    if rule.letter_case is not None:
        text = text.upper() if rule.letter_case == "upper" else text.lower()
    if rule.max_length is not None and len(text) > rule.max_length:
        remedy = "shorten it at its source, or have them keep more and raise max_length in the profile"
        raise Rejected(f"is longer than the {rule.max_length} characters they keep", field=name, remedy=remedy)
    return text


def _money(rule: FieldRule, record: Mapping[str, object], path: str, value: object) -> Money:
    currency = rule.currency
    if rule.currency_path is not None:
        found = value_at(record, rule.currency_path)
        currency = found if isinstance(found, str) else None
    if currency is None or not re.fullmatch(r"[A-Z]{3}", currency):
        raise Rejected("an amount needs an ISO 4217 currency", field=rule.currency_path or path)
    # Built unchecked: the canonical record that takes it checks digits and names the field.
    return Money.model_construct(amount=_number(rule, path, value, currency), currency=currency)


def _number(rule: FieldRule, path: str, value: object, currency: str | None = None) -> Decimal:
    if isinstance(value, Decimal) and rule.binary_float and rule.decimals is not None:
        return from_float_artefact(value, rule.decimals, field=path)
    if isinstance(value, str) and rule.group_mark is not None:
        return parse_amount(value, NumberFormat(rule.decimal_mark, rule.group_mark), field=path, currency=currency)
    if isinstance(value, Decimal) or (isinstance(value, int) and not isinstance(value, bool)):
        return Decimal(value)
    if isinstance(value, str) and len(value) <= _MAX_DECIMAL_LENGTH:
        plain = value.strip()
        if rule.decimal_mark == ",":
            plain = plain.replace(".", "#").replace(",", ".")
        if _DECIMAL_TEXT.fullmatch(plain):
            return Decimal(plain)
    remedy = f"write it with digits and the decimal mark {rule.decimal_mark!r} only"
    raise Rejected("is not a decimal number", field=path, remedy=remedy)


def _decimal_text(name: str, rule: FieldRule, amount: Decimal) -> str:
    if rule.decimals is not None and round(amount, rule.decimals) != amount:
        remedy = "round it at its source, or have them keep more and raise decimals in the profile"
        raise Rejected(f"has more than the {rule.decimals} digits after the point they keep", field=name, remedy=remedy)
    return format(amount, "f").replace(".", rule.decimal_mark)

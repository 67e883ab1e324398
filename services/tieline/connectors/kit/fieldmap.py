"""A declared two-way map between the canonical fields of a record and a vendor's record. Pure.

A map is a list of ``FieldRule``; what a rule does is in its ``Kind``, a pair of functions to choose from. A map gives
the reports, the bodies of writes, what a write should leave behind, and the table of the catalogue (``fieldtables``).

In a report None means that the system does not say; what is not known is not written. Codes of the landscape's lists
are translated around the map (``canonical``, ``native``), not in it.
"""

from __future__ import annotations

import datetime as dt
import html
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Literal, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from tieline.connectors.kit.amounts import NumberFormat, parse_amount
from tieline.connectors.kit.kept import lost
from tieline.connectors.kit.paths import Record, put_at, value_at
from tieline.kernel.errors import Rejected
from tieline.kernel.vocabulary import Money

M = TypeVar("M", bound=BaseModel)
Direction = Literal["both", "in", "out"]


class Names(Protocol):
    """Names of a system's own records by kind (``location``), both ways; see ``lookups``."""

    def id_of(self, kind: str, name: str) -> str | int | None:
        """The id of the record that has this name; None if there is none."""
        ...


class NoNames:
    """No names: a map that refers to nothing by name."""

    def id_of(self, kind: str, name: str) -> str | int | None:
        """None."""
        del kind, name
        return None


NO_NAMES = NoNames()


@dataclass(frozen=True, slots=True)
class Read:
    """What a kind reads from: the value under the rule's path, the path, and the whole record."""

    value: object
    path: str
    record: Record


@dataclass(frozen=True, slots=True)
class Write:
    """What a kind writes: our value, our field's name, and the system's names."""

    value: object
    field: str
    names: Names = NO_NAMES


@dataclass(frozen=True, slots=True)
class Kind:
    """How a value is converted. Both raise ``Rejected``, naming the path or our field; ``says`` tells it to people.

    ``read`` gives None for a value that says nothing.
    """

    read: Callable[[Read], object]
    write: Callable[[Write], object]
    says: str = ""


@dataclass(frozen=True, slots=True)
class FieldRule:
    """Where one canonical field stands in the vendor's record.

    ``write_path`` is the key of a write where it is another one than ``path``, by which it is read; ``direction`` "in":
    never written, "out": never read. ``more`` are further values of a write (a currency, a flag).
    """

    name: str
    path: str
    kind: Kind
    write_path: str | None = None
    direction: Direction = "both"
    more: Callable[[object], Mapping[str, object]] | None = None
    note: str = ""

    @property
    def written_at(self) -> str:
        """The key of a write."""
        return self.write_path or self.path


Fields = Sequence[FieldRule]


# ---- reading ----------------------------------------------------------------------------------------------------


def read_fields(model: type[M], rules: Fields, record: Record, *, place: str = "", **given: object) -> M:
    """Our record of theirs; ``given`` are fields that are there already. Raises ``Rejected`` naming their path."""
    values: dict[str, object] = {}
    paths: dict[str, str] = {}
    for rule in rules:
        if rule.direction == "out":
            continue
        paths[rule.name] = f"{place}{rule.path}"
        value = rule.kind.read(Read(value_at(record, rule.path), paths[rule.name], record))
        if value is not None and rule.name not in values:
            values[rule.name] = value
    return validated(model, {**values, **given}, paths)


def validated(model: type[M], values: Mapping[str, object], paths: Mapping[str, str] | None = None) -> M:
    """The record with these values. Raises ``Rejected`` naming the path of the first that it does not take."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        name = str(fault["loc"][0])
        reason = "is missing" if fault["type"] == "missing" else fault["msg"].removeprefix("Value error, ")
        remedy = f"canonical field {name}; correct the record"
        raise Rejected(reason, field=(paths or {}).get(name, name), remedy=remedy) from None


# ---- writing ----------------------------------------------------------------------------------------------------


def write_fields(
    rules: Fields, fields: BaseModel, *, only: Collection[str] | None = None, names: Names = NO_NAMES
) -> dict[str, object]:
    """Their keys and values for what is known of ``fields`` (``only`` these of them). Raises ``Rejected``."""
    body: dict[str, object] = {}
    for rule in written(rules, only):
        value = getattr(fields, rule.name)
        if value is None:
            continue
        put_at(body, rule.written_at, rule.kind.write(Write(value, rule.name, names)))
        for path, more in (rule.more(value) if rule.more else {}).items():
            put_at(body, path, more)
    return body


def written(rules: Fields, only: Collection[str] | None = None) -> Iterator[FieldRule]:
    """Rules by which something is written (``only`` these fields), in their order."""
    return (rule for rule in rules if rule.direction != "in" and (only is None or rule.name in only))


def writable(rules: Fields) -> frozenset[str]:
    """Canonical fields that the map writes."""
    return frozenset(rule.name for rule in written(rules))


def comparable(rules: Fields) -> frozenset[str]:
    """Canonical fields that it writes and reads: of the others nobody can tell whether they were kept."""
    return frozenset(rule.name for rule in rules if rule.direction == "both")


def differing(wanted: BaseModel, holds: BaseModel, names: Collection[str]) -> list[str]:
    """Fields of ``names`` whose wanted value is known and is not what the target holds, in the model's order."""
    return [
        name
        for name in type(wanted).model_fields
        if name in names and getattr(wanted, name) is not None and getattr(wanted, name) != getattr(holds, name)
    ]


def check_kept(wanted: BaseModel, holds: BaseModel, names: Collection[str], *, held_digest: str | None = None) -> None:
    """Raise ``Rejected`` naming the field of which a target kept less than it was sent (T27)."""
    for name in sorted(names):
        fault = lost(getattr(wanted, name), getattr(holds, name))
        if fault is not None:
            raise Rejected(
                f"they kept less of it than was sent: {fault}",
                field=f"fields.{name}",
                remedy="shorten it at its source, or have them keep more",
                held_digest=held_digest,
            )


# ---- kinds ------------------------------------------------------------------------------------------------------


def text(*, max_length: int | None = None, escaped: bool = False, letter_case: str | None = None) -> Kind:
    """Text, trimmed; empty says nothing. ``escaped``: their answers have it HTML-escaped, writes do not.

    What is longer than they keep is refused, never cut (T27). ``letter_case`` "upper" or "lower" is what they make of
    it.
    """

    def read(asked: Read) -> str | None:
        value = asked.value
        if value is None or value is False:  # Odoo's empty
            return None
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise Rejected("must be text or a whole number", field=asked.path)
        found = html.unescape(str(value)) if escaped else str(value)
        return found.strip() or None

    def write(asked: Write) -> str:
        said = str(asked.value).strip()
        if letter_case is not None:
            said = said.upper() if letter_case == "upper" else said.lower()
        return fitting(said, max_length, asked.field)

    limits = [f"at most {max_length} characters"] if max_length else []
    return Kind(read, write, ", ".join([*limits, *(["HTML-escaped in answers"] if escaped else [])]))


def fitting(said: str, max_length: int | None, name: str) -> str:
    """The text; raises ``Rejected`` if it is longer than they keep."""
    if max_length is not None and len(said) > max_length:
        raise Rejected(
            f"is longer than the {max_length} characters they keep", field=name, remedy="shorten it at its source"
        )
    return said


def money(
    *,
    currency: str | None = None,
    currency_path: str | None = None,
    form: NumberFormat | None = None,
    decimals: int | None = None,
    as_text: bool = False,
) -> Kind:
    """An exact amount (Invariant 11) in one ``currency``, or in that at ``currency_path`` (write it by ``more``).

    ``form`` is how their text writes numbers; without one, text must read the same in every convention. It is written
    as a JSON number, or ``as_text`` with a point; more digits than ``decimals`` are refused.
    """

    def read(asked: Read) -> Money | None:
        if asked.value in (None, "", False):
            return None
        found = currency
        if currency_path is not None:
            at = value_at(asked.record, currency_path)
            found = at if isinstance(at, str) else None
        if found is None or not re.fullmatch(r"[A-Z]{3}", found):
            raise Rejected("an amount needs an ISO 4217 currency", field=currency_path or asked.path)
        amount = exact(asked.value, asked.path, form, found)
        try:
            return Money(amount=amount, currency=found)
        except ValidationError as error:
            reason = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
            raise Rejected(reason, field=asked.path, remedy="correct it at its source") from None

    def write(asked: Write) -> object:
        value = asked.value
        if not isinstance(value, Money):
            raise Rejected("is no amount", field=asked.field)
        if currency is not None and currency_path is None and value.currency != currency:
            reason = f"their amounts are in {currency}, this one is in {value.currency}"
            raise Rejected(reason, field=asked.field, remedy="convert it at its source")
        return numeral(value.amount, decimals, asked.field, as_text=as_text)

    return Kind(read, write, f"in {currency}" if currency else f"currency at `{currency_path}`")


def number(*, form: NumberFormat | None = None, decimals: int | None = None, as_text: bool = False) -> Kind:
    """An exact number."""

    def read(asked: Read) -> Decimal | None:
        return None if asked.value in (None, "", False) else exact(asked.value, asked.path, form)

    def write(asked: Write) -> object:
        return numeral(Decimal(str(asked.value)), decimals, asked.field, as_text=as_text)

    return Kind(read, write, "")


def exact(value: object, path: str, form: NumberFormat | None = None, currency: str | None = None) -> Decimal:
    """The exact number in a JSON number or a text. Raises ``Rejected`` naming ``path``."""
    if isinstance(value, str):
        return parse_amount(value, form, field=path, currency=currency)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Rejected("is not a decimal number", field=path)
    return Decimal(value)


def numeral(amount: Decimal, decimals: int | None, name: str, *, as_text: bool) -> object:
    """A number as it is written. Raises ``Rejected`` for more digits after the point than they keep."""
    if decimals is not None and round(amount, decimals) != amount:
        raise Rejected(
            f"has more than the {decimals} digits after the point they keep",
            field=name,
            remedy="round it at its source",
        )
    shown = amount if decimals is None else round(amount, decimals)
    return format(shown, "f") if as_text else shown


def date(pattern: str = "iso", *, blank: Collection[str] = ()) -> Kind:
    """A calendar day, as it is written: no zone makes it another. ``blank`` are their days that mean none.

    ``pattern`` is ``iso`` (a time after the day is not looked at), ``epoch-millis`` (SAP V2's ``/Date(ms)/`` too), or
    for ``strptime``.
    """

    def read(asked: Read) -> dt.date | None:
        value = asked.value
        if value in (None, "", False) or str(value) in blank:
            return None
        try:
            return _day(str(value), pattern)
        except (ValueError, OverflowError):
            raise Rejected(
                f"is not a day of format {pattern}", field=asked.path, remedy="correct it at its source"
            ) from None

    def write(asked: Write) -> str:
        day = asked.value
        if not isinstance(day, dt.date):
            raise Rejected("is no day", field=asked.field)
        if pattern == "epoch-millis":
            midnight = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
            return f"/Date({int(midnight.timestamp()) * 1000})/"
        return day.isoformat() if pattern == "iso" else day.strftime(pattern)

    return Kind(read, write, "" if pattern == "iso" else f"as `{pattern}`")


def _day(said: str, pattern: str) -> dt.date:
    if pattern == "epoch-millis":
        millis = re.fullmatch(r"(?:/Date\()?(-?\d{1,15})(?:[+-]\d+)?(?:\)/)?", said)
        if millis is None:
            raise ValueError(said)
        return dt.datetime(1970, 1, 1, tzinfo=dt.UTC).date() + dt.timedelta(milliseconds=int(millis[1]))
    if pattern == "iso":
        if len(said) > 10 and said[10] not in "T ":  # noqa: PLR2004  - the length of 2026-01-31
            raise ValueError(said)
        return dt.date.fromisoformat(said[:10])
    return dt.datetime.strptime(said, pattern).date()  # noqa: DTZ007  - a calendar day has no zone


def symbol(symbols: type[StrEnum], table: Mapping[str, Sequence[str]]) -> Kind:
    """One of an enum's symbols: by symbol their words for it, the first of which is written.

    A word that the table does not have is UNKNOWN: the hub holds such a record, it never guesses.
    """
    by_word = {word.casefold(): symbols(name) for name, words in table.items() for word in words}

    def read(asked: Read) -> StrEnum | None:
        if asked.value in (None, "", False) and str(asked.value).casefold() not in by_word:
            return None
        return by_word.get(html.unescape(str(asked.value)).strip().casefold(), symbols("UNKNOWN"))

    def write(asked: Write) -> str:
        words = table.get(str(asked.value))
        if not words:
            raise Rejected(
                f"{asked.value} has no counterpart of theirs", field=asked.field, remedy="name one in the settings"
            )
        return words[0]

    says = "; ".join(f"{name}: {', '.join(words)}" for name, words in table.items())
    return Kind(read, write, f"{says}; any other is held")


def reference(kind: str, *, escaped: bool = False, write_id: bool = True) -> Kind:
    """Another record of theirs by its name: it is read as a name and, with ``write_id``, written as that record's id.

    The names must be loaded before (``lookups``); a name that they do not have is refused with the remedy.
    """
    plain = text(escaped=escaped)

    def write(asked: Write) -> object:
        found = asked.names.id_of(kind, str(asked.value))
        if found is None:
            raise Rejected(
                f"they have no {kind} {str(asked.value)[:60]!r}",
                field=asked.field,
                remedy=f"make the {kind} there, or map the code in the landscape's code lists",
            )
        return found

    return Kind(plain.read, write if write_id else plain.write, f"name of a {kind}")


def through(inner: Kind, read: Callable[[Read], Read]) -> Kind:
    """The kind, reading from something else than the value under the path: made of the record, say."""
    return Kind(lambda asked: inner.read(read(asked)), inner.write, inner.says)


def constant(value: object) -> Kind:
    """Always this value; a rule with it has direction "in"."""
    return Kind(lambda _asked: value, lambda _asked: value, f"always {value}")


@dataclass(frozen=True, slots=True)
class RecordMap:
    """One canonical record in one system: its name there, its model here, its rules."""

    native: str
    model: type[BaseModel]
    rules: Fields
    title: str = ""
    writes: bool = True
    remarks: Sequence[str] = field(default_factory=tuple)

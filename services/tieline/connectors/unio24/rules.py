"""The rules of a profile: where one field stands in their record, how its value is converted, and what is no rule."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from tieline.kernel.vocabulary import Money

Key = Annotated[str, StringConstraints(pattern=r"^[^\s.]+(\.[^\s.]+)*$")]
UrlPath = Annotated[str, StringConstraints(pattern=r"^/[^\s?#]*$")]
Kind = Literal["text", "enum", "money", "decimal", "date", "flag", "integer"]


def _as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else (value,)


TheirValues = Annotated[tuple[str | int | bool, ...], BeforeValidator(_as_tuple)]


class Part(BaseModel):
    """Base of every part of a profile: closed, immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


Fault = tuple[tuple[str, ...], str]
"""Place in a file, as keys, and what is wrong there."""


class FieldRule(Part):
    """Where one canonical field stands in their record, and how its value is converted."""

    path: Key | None = Field(default=None, description="Key in their record; dots lead into nested objects.")
    constant: str | None = Field(default=None, description="Fixed value, for what their record does not hold.")
    direction: Literal["both", "in"] = Field(default="both", description="in: only read from them, never written.")
    format: str | None = Field(
        default=None,
        description="Date format: iso (default), epoch-seconds, epoch-millis, or strptime such as %d.%m.%Y.",
    )
    values: Mapping[str, TheirValues] | None = Field(
        default=None, description="Canonical value to theirs; of several, the first is written."
    )
    otherwise: Literal["keep", "reject"] = Field(
        default="keep", description="What happens to a text value that is not in values."
    )
    currency_path: Key | None = Field(default=None, description="Key of the amount's currency.")
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] | None = Field(
        default=None, description="Fixed currency of the amount."
    )
    decimal_mark: Literal[".", ","] = Field(default=".", description="Decimal mark of numbers given as text.")
    group_mark: Literal["", ".", ",", " ", "'"] | None = Field(
        default=None,
        description="Given: amounts as people write them, grouped by this mark, with brackets or a currency symbol.",
    )
    binary_float: bool = Field(
        default=False, description="They compute in binary floating point: 0.30000000000000004 is 0.30. Needs decimals."
    )
    max_length: int | None = Field(
        default=None, ge=1, description="Longest text they keep; a longer one is refused, never cut."
    )
    letter_case: Literal["upper", "lower"] | None = Field(
        default=None, description="The case they keep a text in, whatever they are sent."
    )
    decimals: int | None = Field(
        default=None, ge=0, le=6, description="Digits after the point that they keep; a longer number is refused."
    )
    absent: Annotated[tuple[str, ...], BeforeValidator(_as_tuple)] = Field(
        default=(), description="Values of theirs that mean: none. Empty always does."
    )


Fields = Mapping[str, FieldRule]


class Condition(Part):
    """What a record must hold for something to be so."""

    path: Key = Field(description="Key in their record.")
    values: TheirValues = Field(description="Values of theirs of which one must stand there.")


def needed_fields(model: type[BaseModel], *without: str) -> tuple[str, ...]:
    """Fields that every record of the class has, but for some."""
    return tuple(name for name, info in model.model_fields.items() if info.is_required() and name not in without)


@cache  # asked for every field of every record; the models are few and never change
def kind_of(model: type[BaseModel], name: str) -> Kind:
    """What sort of value a canonical field holds."""
    kinds: dict[type, Kind] = {Money: "money", Decimal: "decimal", dt.date: "date", bool: "flag", int: "integer"}
    for part in _parts(model.model_fields[name].annotation):
        if isinstance(part, type) and issubclass(part, StrEnum):
            return "enum"
        if isinstance(part, type) and part in kinds:
            return kinds[part]
    return "text"


def enum_of(model: type[BaseModel], name: str) -> type[StrEnum]:
    """The enumeration of a canonical field; only for fields of kind ``enum``."""
    for part in _parts(model.model_fields[name].annotation):
        if isinstance(part, type) and issubclass(part, StrEnum):
            return part
    raise TypeError(f"{model.__name__}.{name} is no enumeration")


def _parts(annotation: object) -> Iterator[object]:
    yield annotation
    for inner in get_args(annotation):
        yield from _parts(inner)


def rules_faults(
    model: type[BaseModel], rules: object, needed: Sequence[str], elsewhere: Sequence[str]
) -> Iterator[Fault]:
    """What is wrong with the rules of a record's fields; those ``elsewhere`` are mapped in another place."""
    if not isinstance(rules, Mapping):
        return  # the shape itself is wrong; pydantic says so
    for name in needed:
        if name not in rules:
            yield (), f"{name} is missing; every record needs it"
    for name, rule in rules.items():
        if name not in model.model_fields or name in elsewhere:
            known = ", ".join(field for field in model.model_fields if field not in elsewhere)
            yield (str(name),), f"is not a canonical field; known are {known}"
        elif isinstance(rule, Mapping):
            yield from (((str(name),), fault) for fault in _rule_faults(model, str(name), rule))


def path_faults(path: str, placeholders: Sequence[str]) -> Iterator[Fault]:
    """What is wrong with the path of one record."""
    wanted = [f"{{{name}}}" for name in placeholders]
    if sorted(re.findall(r"\{[^}]*\}", path)) != wanted:
        yield ("item_path",), f"needs the placeholders {' and '.join(wanted)}, and no others"


def _rule_faults(model: type[BaseModel], name: str, rule: Mapping[object, object]) -> Iterator[str]:
    kind = kind_of(model, name)
    if ("path" in rule) == ("constant" in rule):
        yield "needs either path or constant"
    allowed: dict[str, tuple[Kind, ...]] = {
        "format": ("date",),
        "values": ("enum", "text"),
        "otherwise": ("text",),
        "currency_path": ("money",),
        "currency": ("money",),
        "decimal_mark": ("money", "decimal"),
        "max_length": ("text",),
        "letter_case": ("text",),
        "decimals": ("money", "decimal"),
        "group_mark": ("money", "decimal"),
        "binary_float": ("money", "decimal"),
        "constant": ("text", "enum"),
    }
    for option, kinds in allowed.items():
        if option in rule and kind not in kinds:
            yield f"{option} makes no sense for a field of kind {kind}"
    if "constant" in rule:
        for option in sorted(str(key) for key in rule.keys() - {"constant", "path"}):
            yield f"{option} makes no sense beside constant, which is neither read from them nor written"
    elif "otherwise" in rule and "values" not in rule:
        yield "otherwise needs values, outside which it says what happens"
    yield from _number_faults(rule)
    date_format = str(rule.get("format", "iso"))
    if date_format not in ("iso", "epoch-seconds", "epoch-millis") and "%" not in date_format:
        yield "format is iso, epoch-seconds, epoch-millis, or a pattern such as %d.%m.%Y"
    if kind == "money" and ("currency_path" in rule) == ("currency" in rule):
        yield "needs either currency_path or currency"
    if kind == "enum":
        yield from _symbol_faults(enum_of(model, name), rule)


def _symbol_faults(kind: type[StrEnum], rule: Mapping[object, object]) -> Iterator[str]:
    symbols, values = [symbol for symbol in kind if symbol != "UNKNOWN"], rule.get("values")
    if "constant" in rule:
        if rule["constant"] not in symbols:
            yield f"constant is {rule['constant']}; the canonical symbols are {', '.join(symbols)}"
    elif not isinstance(values, Mapping):
        yield f"needs values for {', '.join(symbols)}"
    elif unknown := [str(value) for value in values if value not in symbols]:
        yield f"values has {', '.join(unknown)}; the canonical symbols are {', '.join(symbols)}"


def _number_faults(rule: Mapping[object, object]) -> Iterator[str]:
    if rule.get("binary_float") and "decimals" not in rule:
        yield "binary_float needs decimals, the digits after the point that count"
    if rule.get("group_mark") == rule.get("decimal_mark", "."):
        yield "group_mark must differ from decimal_mark"

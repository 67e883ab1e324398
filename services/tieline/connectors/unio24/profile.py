"""The profile: which paths, names and values one organisation's UNIO24-style API uses. The system's owner edits it.

``load_profile`` refuses anything it does not understand, with the line and the key.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, TypeVar, get_args

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from tieline.kernel.errors import Stop
from tieline.kernel.model import AssetFields, BookFields, Code, CostFields, CostLine, Money, ReceiverKind, ScheduleLine

_MAX_PROFILE_BYTES = 256_000
_PLAIN = {"extra_forbidden": "is not a known key", "missing": "is missing"}
_ELSEWHERE = ("lines", "receivers")
_PLACEHOLDERS = {"assets": ("id",), "books": ("asset_id", "book_id"), "cost_documents": ("id",)}

Key = Annotated[str, StringConstraints(pattern=r"^[^\s.]+(\.[^\s.]+)*$")]
UrlPath = Annotated[str, StringConstraints(pattern=r"^/[^\s?#]*$")]
Kind = Literal["text", "enum", "money", "decimal", "date", "flag", "integer"]


def _as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else (value,)


TheirValues = Annotated[tuple[str | int | bool, ...], BeforeValidator(_as_tuple)]


class Part(BaseModel):
    """Base of every part of a profile: closed, immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


P = TypeVar("P", bound=Part)
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


class Resource(Part):
    """One kind of record: its paths and the keys that every record has."""

    list_path: UrlPath = Field(description="Path that lists the records.")
    item_path: UrlPath = Field(description="Path of one record; placeholders in braces.")
    items: Key = Field(default="items", description="Key of the list within the answer.")
    version: Key = Field(description="Key of the record's version.")
    modified_at: Key = Field(description="Key of the record's modification time.")
    modified_format: str = Field(default="iso", description="Format of that time, as for dates; UTC unless it says.")


class AssetResource(Resource):
    """Assets: the register."""

    id: Key = Field(description="Key of the record's immutable id.")
    reference: Key = Field(description="Key of the (custom) field that holds our reference; unique on their side.")
    reference_parameter: Key = Field(description="Query parameter that finds a record by our reference.")
    search: Mapping[Literal["serial_number", "po_line_ref"], Key] = Field(
        default_factory=dict, description="Canonical field to the query parameter that finds records by it."
    )
    on_create: Mapping[str, str | int | bool] = Field(
        default_factory=dict, description="Their keys and fixed values to send with a new record, unless mapped."
    )
    fields: Fields = Field(description="Canonical field to theirs.")


class BookResource(Resource):
    """Finance panels: the read-only copy of the ERP's books. item_path takes {asset_id} and {book_id}."""

    asset_id: Key = Field(description="Key of the id of the panel's asset.")
    fields: Fields = Field(description="Canonical field to theirs.")
    lines: Key = Field(description="Key of the schedule's lines.")
    line_fields: Fields = Field(description="Canonical field of a line to theirs.")


class ReceiverShare(BaseModel):
    """One receiver of a cost line as asset management says it: its share in per cent of the line."""

    kind: ReceiverKind = Field(description="What bears a share of the line.")
    code: Code = Field(description="Its code.")
    percent: Decimal = Field(description="Its share in per cent, as exact as it stands there.")


class ReceiverRule(Part):
    """Where a line of a cost document says who bears it."""

    path: Key = Field(description="Key of the list within the line; a line without it is the document's cost centre's.")
    fields: Fields = Field(description="kind, code and percent (of the line) to theirs.")


class CostResource(Resource):
    """Cost documents of completed work orders."""

    id: Key = Field(description="Key of the document's immutable id.")
    fields: Fields = Field(description="Canonical field to theirs.")
    lines: Key = Field(description="Key of the document's lines.")
    line_fields: Fields = Field(description="Canonical field of a line to theirs.")
    receivers: ReceiverRule | None = Field(default=None, description="Who bears a line; none: they do not say it.")


class Paging(Part):
    """Names of the list parameters. Lists asked for changes must come by modification time, then id."""

    size_parameter: Key = Field(description="Query parameter: records per page.")
    token_parameter: Key = Field(description="Query parameter: token of the page.")
    next_token: Key = Field(description="Key of the next page's token in the answer; empty on the last page.")
    modified_since_parameter: Key = Field(description="Query parameter: only records modified at or after this.")
    modified_since_format: str = Field(default="iso", description="Format of that time, as for dates.")
    fixed: Mapping[str, str] = Field(default_factory=dict, description="Parameters sent with every list, e.g. a sort.")


class ErrorKeys(Part):
    """Where an error answer says what is wrong."""

    message: Key = Field(default="error", description="Key of the message.")
    field: Key = Field(default="field", description="Key of the offending field's name.")
    existing_id: Key = Field(default="existing_id", description="Key, in answer 409, of the record that is there.")


class WebhookNames(Part):
    """How their webhooks look. The signature is hex HMAC-SHA256 over "id.timestamp.body"."""

    subscribe_path: UrlPath | None = Field(default=None, description="Path to list and add subscriptions.")
    items: Key = Field(default="items", description="Key of the list of subscriptions.")
    url: Key = Field(default="url", description="Key of a subscription's URL.")
    secret: Key = Field(default="secret", description="Key of a subscription's secret.")
    id_header: str = Field(description="Header with the webhook's id.")
    timestamp_header: str = Field(description="Header with the time of sending, in seconds since 1970.")
    signature_header: str = Field(description="Header with the signature.")
    object: Key = Field(description="Key of the kind of record in the body.")
    object_id: Key = Field(description="Key of the record's id in the body.")
    streams: Mapping[str, Literal["assets", "cost-documents"]] = Field(
        description="Their kind of record to the stream to read; other kinds are ignored."
    )


class Profile(Part):
    """The whole file."""

    name: str = Field(description="What this profile is for.")
    profile_version: Literal[1] = Field(description="Format of this file.")
    assets: AssetResource
    books: BookResource
    cost_documents: CostResource
    paging: Paging
    errors: ErrorKeys = Field(default_factory=ErrorKeys)
    webhook: WebhookNames
    if_match: bool = Field(
        default=True, description="Whether a change of an asset is sent with its version in If-Match."
    )

    @model_validator(mode="before")
    @classmethod
    def _fields_fit_the_model(cls, data: object) -> object:
        faults = list(_field_faults(data))
        if faults:
            raise _ProfileFaults(faults)
        return data


class _ProfileFaults(Exception):
    def __init__(self, faults: Sequence[tuple[tuple[str, ...], str]]) -> None:
        super().__init__(str(faults))
        self.faults = faults


def field_sections() -> list[tuple[tuple[str, str], type[BaseModel], tuple[str, ...]]]:
    """Where the profile maps fields, of which canonical class, and which of them it must map."""
    return [
        (("assets", "fields"), AssetFields, ("description",)),
        (("books", "fields"), BookFields, needed_fields(BookFields, "lines")),
        (("books", "line_fields"), ScheduleLine, needed_fields(ScheduleLine)),
        (("cost_documents", "fields"), CostFields, needed_fields(CostFields, "lines")),
        (("cost_documents", "line_fields"), CostLine, needed_fields(CostLine, "line_no")),
    ]


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


def _field_faults(data: object) -> Iterator[tuple[tuple[str, ...], str]]:
    for (section, key), model, needed in field_sections():
        resource = data.get(section) if isinstance(data, Mapping) else None
        if key == "fields" and isinstance(resource, Mapping):
            path = str(resource.get("item_path", ""))
            yield from (((section, *place), fault) for place, fault in path_faults(path, _PLACEHOLDERS[section]))
        rules = resource.get(key) if isinstance(resource, Mapping) else None
        yield from (((section, key, *place), fault) for place, fault in rules_faults(model, rules, needed, _ELSEWHERE))
    costs = data.get("cost_documents") if isinstance(data, Mapping) else None
    receivers = costs.get("receivers") if isinstance(costs, Mapping) else None
    rules = receivers.get("fields") if isinstance(receivers, Mapping) else None
    found = rules_faults(ReceiverShare, rules, needed_fields(ReceiverShare), ())
    yield from ((("cost_documents", "receivers", "fields", *place), fault) for place, fault in found)


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
        "constant": ("text",),
    }
    for option, kinds in allowed.items():
        if option in rule and kind not in kinds:
            yield f"{option} makes no sense for a field of kind {kind}"
    yield from _number_faults(rule)
    date_format = str(rule.get("format", "iso"))
    if date_format not in ("iso", "epoch-seconds", "epoch-millis") and "%" not in date_format:
        yield "format is iso, epoch-seconds, epoch-millis, or a pattern such as %d.%m.%Y"
    if kind == "money" and ("currency_path" in rule) == ("currency" in rule):
        yield "needs either currency_path or currency"
    if kind == "enum":
        symbols = [symbol for symbol in enum_of(model, name) if symbol != "UNKNOWN"]
        values = rule.get("values")
        if not isinstance(values, Mapping):
            yield f"needs values for {', '.join(symbols)}"
        elif unknown := [str(value) for value in values if value not in symbols]:
            yield f"values has {', '.join(unknown)}; the canonical symbols are {', '.join(symbols)}"


def _number_faults(rule: Mapping[object, object]) -> Iterator[str]:
    if rule.get("binary_float") and "decimals" not in rule:
        yield "binary_float needs decimals, the digits after the point that count"
    if rule.get("group_mark") == rule.get("decimal_mark", "."):
        yield "group_mark must differ from decimal_mark"


def load_profile(path: Path) -> Profile:
    """The profile in a file; raises ``Stop`` listing every fault with file, line and key."""
    return parse_profile(read_text(path), name=path.name)


def read_text(path: Path) -> str:
    """The text of a profile's file; raises ``Stop`` if it cannot be read or is too long to be one."""
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_PROFILE_BYTES + 1)
    except OSError as error:
        raise Stop(f"profile {path}: {error.strerror}; set the profile setting to the file") from None
    if len(text) > _MAX_PROFILE_BYTES:
        raise Stop(f"profile {path}: longer than {_MAX_PROFILE_BYTES} bytes")
    return text.decode("utf-8", errors="replace")


def parse_profile(text: str, *, name: str) -> Profile:
    """The profile in ``text``; ``name`` stands in messages for the file. Raises ``Stop`` as ``load_profile`` does."""
    return parse_part(Profile, text, name=name)


def parse_part(
    kind: type[P], text: str, *, name: str, faults_in: Callable[[object], Iterator[Fault]] = lambda _: iter(())
) -> P:
    """The part of this kind in ``text``. ``faults_in`` finds what its shape alone does not show. Raises ``Stop``."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Stop(f"profile {name}: {error}") from None
    if not isinstance(node, yaml.MappingNode):
        raise Stop(f"profile {name}: line 1: a mapping is wanted")
    faults: list[Fault] = [(place, "the key stands twice") for place in _doubled(node, ())]
    faults += faults_in(data)
    part: P | None = None
    try:
        part = kind.model_validate(data)
    except _ProfileFaults as error:
        faults += [(place, fault) for place, fault in error.faults]
    except ValidationError as error:
        faults += [(tuple(str(p) for p in e["loc"]), _PLAIN.get(e["type"], e["msg"])) for e in error.errors()]
    if faults or part is None:
        lines = (f"{name} line {_line(node, place)}, {'.'.join(place)}: {fault}" for place, fault in faults)
        raise Stop("the profile cannot be used:\n" + "\n".join(lines))
    return part


def _doubled(node: yaml.Node, place: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            here = (*place, str(key.value))
            if str(key.value) in seen:
                yield here
            seen.add(str(key.value))
            yield from _doubled(value, here)


def _line(node: yaml.Node, place: Sequence[str]) -> int:
    """The line of the innermost key of ``place`` that the file has; lines count from 1."""
    line: int = node.start_mark.line + 1
    for part in place:
        entries = node.value if isinstance(node, yaml.MappingNode) else []
        found = [(key, value) for key, value in entries if str(key.value) == part]
        if not found:
            break
        line, node = found[-1][0].start_mark.line + 1, found[-1][1]
    return line

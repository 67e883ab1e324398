"""The profile: which paths, names and values one organisation's UNIO24-style API uses. The system's owner edits it.

``load_profile`` refuses anything it does not understand, with the line and the key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeVar, get_args

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from tieline.connectors.unio24.models import AUDITS, EQUIPMENT_LINKS, StreamName, reference_stream
from tieline.connectors.unio24.resources import (
    AssetResource,
    AuditResource,
    BookResource,
    CostResource,
    LinkResource,
    LinkShare,
    ReceiverShare,
    ReferenceResource,
)
from tieline.connectors.unio24.rules import Fault, Key, Part, UrlPath, needed_fields, path_faults, rules_faults
from tieline.kernel.asset_records import AssetFields
from tieline.kernel.audit_records import AuditFields
from tieline.kernel.book_records import BookFields, ScheduleLine
from tieline.kernel.cost_records import CostFields, CostLine
from tieline.kernel.errors import Stop
from tieline.kernel.reference_records import EMPLOYEE, FAMILIES, Family, ReferenceFields
from tieline.kernel.yaml_reading import compose_yaml, load_yaml

_MAX_PROFILE_BYTES = 256_000
_PLAIN = {"extra_forbidden": "is not a known key", "missing": "is missing"}
_ELSEWHERE = ("lines", "receivers")
_OPTIONAL = {"audits": AUDITS, "equipment_links": EQUIPMENT_LINKS}
_KNOWN_STREAMS = frozenset(get_args(StreamName))
_PLACEHOLDERS = {"assets": ("id",), "books": ("asset_id", "book_id"), "cost_documents": ("id",)}

P = TypeVar("P", bound=Part)


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
    streams: Mapping[str, StreamName] = Field(
        description="Their kind of record to the stream to read; other kinds are ignored."
    )


class Profile(Part):
    """The whole file."""

    name: str = Field(description="What this profile is for.")
    profile_version: Literal[1] = Field(description="Format of this file.")
    assets: AssetResource
    books: BookResource
    cost_documents: CostResource
    audits: AuditResource | None = Field(default=None, description="Physical audits; none: they are not read.")
    equipment_links: LinkResource | None = Field(
        default=None, description="Links of equipment and fixed assets; none: they are not read."
    )
    references: Mapping[Family, ReferenceResource] = Field(
        default_factory=dict, description="Family of reference records to theirs; others are not read."
    )
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


def _field_faults(data: object) -> Iterator[Fault]:
    if not isinstance(data, Mapping):
        return  # the shape itself is wrong; pydantic says so
    for (section, key), model, needed in field_sections():
        resource = data.get(section)
        if key == "fields" and isinstance(resource, Mapping):
            path = str(resource.get("item_path", ""))
            yield from _under((section,), path_faults(path, _PLACEHOLDERS[section]))
        rules = resource.get(key) if isinstance(resource, Mapping) else None
        yield from _under((section, key), rules_faults(model, rules, needed, _ELSEWHERE))
    rules = _inner(data, "cost_documents", "receivers", "fields")
    found = rules_faults(ReceiverShare, rules, needed_fields(ReceiverShare), ())
    yield from _under(("cost_documents", "receivers", "fields"), found)
    yield from _under(("audits",), _audit_faults(data.get("audits")))
    yield from _under(("equipment_links",), _link_faults(data.get("equipment_links")))
    references = data.get("references")
    for family, resource in references.items() if isinstance(references, Mapping) else ():
        yield from _under(("references", str(family)), _reference_faults(str(family), resource))
    yield from _under(("webhook", "streams"), _unmapped_streams(data))


def _audit_faults(resource: object) -> Iterator[Fault]:
    if not isinstance(resource, Mapping):
        return
    yield from _one_by_id(resource)
    fields, line_fields = resource.get("fields", {}), resource.get("line_fields", {})
    has_lines = {name for name in ("lines", "line_id", "line_fields") if resource.get(name)}
    if has_lines and len(has_lines) < 3:  # noqa: PLR2004  - all of them
        yield (min(has_lines),), "lines, line_id and line_fields go together"
    for key, rules in (("fields", fields), ("line_fields", line_fields)):
        yield from _under((key,), rules_faults(AuditFields, rules, (), ()))
    if not isinstance(fields, Mapping) or not isinstance(line_fields, Mapping):
        return
    yield from (((str(name),), "stands in fields and in line_fields") for name in fields.keys() & line_fields.keys())
    for name in needed_fields(AuditFields):
        if name not in fields and name not in line_fields:
            yield ("line_fields" if has_lines else "fields",), f"{name} is missing; every result needs it"


def _link_faults(resource: object) -> Iterator[Fault]:
    if not isinstance(resource, Mapping):
        return
    yield from _one_by_id(resource)
    fields = resource.get("fields")
    yield from _under(("fields",), rules_faults(LinkShare, fields, needed_fields(LinkShare), ()))
    shares = {"percent", "share_part", "share_whole"} & (fields.keys() if isinstance(fields, Mapping) else set())
    if shares and shares not in ({"percent"}, {"share_part", "share_whole"}):
        yield ("fields",), "a share is percent, or share_part of share_whole"


def _reference_faults(family: str, resource: object) -> Iterator[Fault]:
    if family not in FAMILIES:
        yield (), f"is no family of reference records; there are {', '.join(FAMILIES)}"
    if not isinstance(resource, Mapping):
        return
    yield from _one_by_id(resource)
    fields = resource.get("fields")
    yield from _under(("fields",), rules_faults(ReferenceFields, fields, needed_fields(ReferenceFields), ()))
    if family == EMPLOYEE and isinstance(fields, Mapping) and "name" in fields:
        # T40: of an employee there is only the opaque id.
        yield ("fields", "name"), "an employee's name never enters the hub; leave it out"


def _unmapped_streams(data: Mapping[object, object]) -> Iterator[Fault]:
    """Webhooks that call for records the profile does not map."""
    references = data.get("references")
    families = map(str, references) if isinstance(references, Mapping) else ()
    mapped = {"assets", "cost-documents", *map(reference_stream, families)}
    mapped |= {stream for section, stream in _OPTIONAL.items() if data.get(section) is not None}
    streams = _inner(data, "webhook", "streams")
    for kind, stream in streams.items() if isinstance(streams, Mapping) else ():
        if isinstance(stream, str) and stream in _KNOWN_STREAMS - mapped:
            yield (str(kind),), f"the profile maps no {stream}"


def _one_by_id(resource: Mapping[object, object]) -> Iterator[Fault]:
    return path_faults(str(resource.get("item_path", "")), ("id",))


def _inner(data: object, *keys: str) -> object:
    for key in keys:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data


def _under(place: tuple[str, ...], faults: Iterator[Fault]) -> Iterator[Fault]:
    return (((*place, *at), fault) for at, fault in faults)


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
        node = compose_yaml(text)
        data = load_yaml(text)
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

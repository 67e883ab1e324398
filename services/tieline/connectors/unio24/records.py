"""Records of declared families in a UNIO24-style system: a file maps each, as the profile maps assets. Pure.

The landscape names the files: ``settings: {records: {sales-order: {path: families/sales-order/unio24.yaml}}}``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import AwareDatetime, BaseModel, Field

from tieline.connectors.kit.paths import put_at, value_at
from tieline.connectors.unio24.mapping import (
    identifier,
    lines_at,
    map_item,
    origin_of,
    parse_record,
    read_fields,
    write_fields,
)
from tieline.connectors.unio24.models import STREAMS, Record, StreamName
from tieline.connectors.unio24.optional_streams import optional_reports, optional_resources
from tieline.connectors.unio24.profile import Profile, parse_part, read_text
from tieline.connectors.unio24.resources import Resource
from tieline.connectors.unio24.rules import Fault, Fields, Key, Part, needed_fields, path_faults, rules_faults
from tieline.kernel.code_lists import Codes
from tieline.kernel.errors import Rejected, Stop
from tieline.kernel.family_records import FamilyReport
from tieline.kernel.protocols import RawItem
from tieline.kernel.reports import Report
from tieline.kernel.shapes import FamilyShapes, Shape
from tieline.kernel.vocabulary import Model, Money


class ListRule(Part):
    """Where a list of ours stands in their record, and the fields of what is in it."""

    path: Key = Field(description="Key of the list.")
    fields: Fields = Field(description="Canonical field of one entry to theirs.")


class RecordResource(Resource):
    """The whole file: how the system keeps one family's records."""

    name: str = Field(description="What this file is for.")
    profile_version: Literal[1] = Field(description="Format of this file.")
    id: Key = Field(description="Key of the record's immutable id.")
    reference: Key | None = Field(
        default=None, description="Key of the field that holds our reference, unique there; needed to write records."
    )
    reference_parameter: Key | None = Field(
        default=None, description="Query parameter that finds a record by our reference; needed to write records."
    )
    on_create: Mapping[str, str | int | bool] = Field(
        default_factory=dict, description="Their keys and fixed values to send with a new record, unless mapped."
    )
    fields: Fields = Field(description="Canonical field to theirs.")
    lists: Mapping[str, ListRule] = Field(default_factory=dict, description="Canonical list to theirs.")


@dataclass(frozen=True, slots=True)
class MappedFamily:
    """One family as one system keeps it."""

    shape: Shape
    resource: RecordResource

    @property
    def name(self) -> str:
        """Its name; also the name of the stream of its records."""
        return self.shape.family.name


def load_records(files: Mapping[str, Path], shapes: FamilyShapes) -> Mapping[str, MappedFamily]:
    """The families that the files map, by name. Raises ``Stop`` listing every fault with file, line and key."""
    return {name: _load(name, path, shapes) for name, path in files.items()}


def _load(name: str, path: Path, shapes: FamilyShapes) -> MappedFamily:
    if name not in shapes.families or name in {*STREAMS, *get_args(StreamName)}:
        known = ", ".join(shapes.families) or "none"
        raise Stop(f"records.{name}: the landscape declares no such family; it declares {known}")
    shape = shapes.families[name]
    resource = parse_part(
        RecordResource, read_text(path), name=path.name, faults_in=lambda data: _faults(shape.fields, data)
    )
    return MappedFamily(shape, resource)


def lists_of(model: type[BaseModel]) -> Mapping[str, type[Model]]:
    """The fields of a record that are lists of records, with the class of one of them."""
    found: dict[str, type[Model]] = {}
    for name, info in model.model_fields.items():
        for part in (info.annotation, *get_args(info.annotation)):
            arguments = get_args(part) if get_origin(part) is tuple else ()
            if arguments and isinstance(arguments[0], type) and issubclass(arguments[0], Model):
                found[name] = arguments[0]
    return found


def _faults(model: type[BaseModel], data: object) -> Iterator[Fault]:
    if not isinstance(data, Mapping):
        return  # the shape itself is wrong; pydantic says so
    yield from path_faults(str(data.get("item_path", "")), ("id",))
    if (data.get("reference") is None) != (data.get("reference_parameter") is None):
        yield ("reference",), "goes with reference_parameter: by it a record is found again after a lost answer"
    lists = lists_of(model)
    yield from _unmappable(model, data.get("fields"), ("fields",), tuple(lists))
    needed = needed_fields(model, *lists)
    yield from ((("fields", *at), fault) for at, fault in rules_faults(model, data.get("fields"), needed, tuple(lists)))
    rules = data.get("lists") or {}
    if not isinstance(rules, Mapping):
        return
    for name in needed_fields(model):
        if name in lists and name not in rules:
            yield ("lists",), f"{name} is missing; every record needs it"
    for name, rule in rules.items():
        place = ("lists", str(name))
        if name not in lists:
            yield place, f"is no list of records of ours; there are {', '.join(lists) or 'none'}"
        elif isinstance(rule, Mapping):
            inner, fields = lists[name], rule.get("fields")
            yield from _unmappable(inner, fields, (*place, "fields"))
            found = rules_faults(inner, fields, needed_fields(inner), ())
            yield from (((*place, "fields", *at), fault) for at, fault in found)
            yield from _read_only(fields, (*place, "fields"))


def _unmappable(
    model: type[BaseModel], rules: object, place: tuple[str, ...], elsewhere: tuple[str, ...] = ()
) -> Iterator[Fault]:
    """Fields that a rule names though no rule can hold what they are: records, lists, maps and instants."""
    for name in rules if isinstance(rules, Mapping) else ():
        info = model.model_fields.get(str(name))
        if info is not None and name not in elsewhere and _is_compound(info.annotation):
            yield (*place, str(name)), "is no single value; a file like this maps text, numbers, money, dates and flags"


def _read_only(rules: object, place: tuple[str, ...]) -> Iterator[Fault]:
    for name, rule in rules.items() if isinstance(rules, Mapping) else ():
        if isinstance(rule, Mapping) and rule.get("direction") == "in":
            yield (*place, str(name)), "cannot be of direction in: a list is written whole or not at all"


def _is_compound(annotation: object) -> bool:
    parts = [annotation, *get_args(annotation)]
    return any(
        get_origin(part) in (tuple, dict)
        or part is bytes
        or part is AwareDatetime
        or (isinstance(part, type) and issubclass(part, Model) and part is not Money)
        for part in parts
    )


def map_any(
    profile: Profile, system: str, families: Mapping[str, MappedFamily], codes: Codes, item: RawItem
) -> Sequence[Report]:
    """The reports in one raw record, of the hub's own kinds or of a family. Raises ``Rejected`` with the place.

    One, but of an audit one for each thing, and none before it is complete.
    """
    if item.stream in families:
        return [record_report(families[item.stream], system, parse_record(item))]
    if item.stream in optional_resources(profile):
        return optional_reports(profile, system, item.stream, parse_record(item), codes)
    return map_item(profile, system, item, codes)


def record_report(mapped: MappedFamily, system: str, record: Record) -> FamilyReport:
    """One record of theirs. Raises ``Rejected`` naming the key of theirs that is at fault."""
    resource = mapped.resource
    reference = value_at(record, resource.reference) if resource.reference else None
    if reference is not None and not isinstance(reference, str):
        raise Rejected("must be text", field=resource.reference)
    native_id = identifier(record, resource.id)
    hub_ref = (reference or "").strip() or None
    origin = origin_of(resource, system, mapped.name, native_id, record, hub_ref=hub_ref)
    return mapped.shape.report(origin=origin, fields=read_record(mapped, record))


def read_record(mapped: MappedFamily, record: Record, **given: object) -> Model:
    """The family's fields in a record of theirs; ``given`` are there already. Raises as ``read_fields`` does."""
    inner = lists_of(mapped.shape.fields)
    lists: dict[str, object] = {}
    for name, rule in mapped.resource.lists.items():
        if value_at(record, rule.path) is None and not mapped.shape.fields.model_fields[name].is_required():
            continue
        lists[name] = tuple(
            read_fields(inner[name], rule.fields, line, place=f"{rule.path}.{place}.")
            for place, line in lines_at(record, rule.path)
        )
    known: dict[str, Any] = given | lists
    return read_fields(mapped.shape.fields, mapped.resource.fields, record, **known)


def record_after(mapped: MappedFamily, fields: Model) -> Model:
    """What they will hold of ``fields``, after their trimming and coding: comparable with what they report."""
    kept = {name: getattr(fields, name) for name in type(fields).model_fields if name not in written_names(mapped)}
    given = {name: value for name, value in kept.items() if value is not None}
    return read_record(mapped, native_record(mapped, fields), **given)


def native_record(mapped: MappedFamily, fields: Model, only: Collection[str] | None = None) -> dict[str, object]:
    """Their keys for the known values of ``fields`` (``only`` these of them); fields of direction ``in`` left out."""
    wanted = [name for name in type(fields).model_fields if only is None or name in only]
    record = write_fields(mapped.resource.fields, fields, wanted)
    for name, rule in mapped.resource.lists.items():
        lines = getattr(fields, name)
        if name in wanted and lines is not None:
            written = [write_fields(rule.fields, line, list(type(line).model_fields)) for line in lines]
            put_at(record, rule.path, written)
    return record


def written_names(mapped: MappedFamily) -> frozenset[str]:
    """Canonical fields that the file writes."""
    rules = mapped.resource.fields.items()
    return frozenset(name for name, rule in rules if rule.path and rule.direction != "in") | set(mapped.resource.lists)

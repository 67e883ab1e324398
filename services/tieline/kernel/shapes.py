"""Classes for the records of declared families, built from their Avro schemas by the rules of the hub's own records.

The schema is the contract and the class its mirror: immutable, closed, text bounded, money exact (Invariant 11). So
what a codec refuses of an asset it refuses of any family's record.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import AwareDatetime, Field, create_model

from tieline.kernel import vocabulary
from tieline.kernel.codecs import model_of
from tieline.kernel.declarations import (
    NAMESPACE,
    find_schema,
    load_topics,
    parsed_schema,
    read_schema,
    read_topic,
    schema_folders,
    schema_names,
    schema_text,
)
from tieline.kernel.errors import Stop
from tieline.kernel.families import TOPIC_CLASSES, Families, Family
from tieline.kernel.family_records import FamilyCommand, FamilyEvent, FamilyReport, FamilyState
from tieline.kernel.linting import Mirror, kernel_mirrors
from tieline.kernel.vocabulary import Model

_DECIMALS: Mapping[tuple[object, object], Any] = {
    (20, 4): vocabulary.Amount,
    (20, 6): vocabulary.UnitPrice,
    (18, 6): vocabulary.Quantity,
    (18, 9): vocabulary.FxRate,
}
_LONG = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]
_BARE: Mapping[str, Any] = {"long": _LONG, "boolean": bool, "bytes": bytes}
_LOGICAL: Mapping[tuple[str, str], Any] = {("int", "date"): dt.date, ("long", "timestamp-millis"): AwareDatetime}
_FIELD_NAME = re.compile(r"[a-z][a-z0-9_]*")
_INSTANT = {"type": "long", "logicalType": "timestamp-millis"}
_LINKS = {"type": "map", "values": "string"}


@dataclass(frozen=True, slots=True)
class Shape:
    """The classes of one family."""

    family: Family
    fields: type[Model]
    report: type[FamilyReport]
    event: type[FamilyEvent]
    state: type[FamilyState]
    command: type[FamilyCommand]


@dataclass(frozen=True, slots=True)
class FamilyShapes:
    """Every record that a landscape knows: the hub's own, and those of its families. See ``codecs.Shapes``."""

    families: Mapping[str, Shape]
    mirrors: Mapping[str, Mirror]
    folders: tuple[Path, ...]

    def of(self, family: Family) -> Shape:
        """The classes of a family of this landscape."""
        return self.families[family.name]

    def model_of(self, name: str) -> type[Model]:
        """See ``codecs.Shapes``."""
        found = self.mirrors.get(name)
        return found if found is not None and issubclass(found, Model) else model_of(name)

    def schema_text(self, name: str) -> str:
        """See ``codecs.Shapes``."""
        return schema_text(name, *self.folders)


@cache
def shapes_of(families: Families) -> FamilyShapes:
    """The classes of these families, the same ones each time. Raises ``Stop`` with file, place and reason."""
    if not families.members:
        return FamilyShapes({}, {}, schema_folders(families))
    _refuse_own_names(families)
    builder = _Builder(schema_folders(families))
    shapes = {family.name: _shape(family, builder) for family in families}
    return FamilyShapes(shapes, builder.built, builder.folders)


def _refuse_own_names(families: Families) -> None:
    own_records, own_topics = set(schema_names()), [template.name.split(".") for template in load_topics()]
    own_entities = {"purchase-line"} | {name[1] for name in own_topics} | {"-".join(name[:2]) for name in own_topics}
    seen: dict[str, Path] = {}
    for family in families:
        if family.name in own_entities:
            raise Stop(f"{family.folder}: the hub itself has records called {family.name}; call the family otherwise")
        for path in sorted(family.schemas.glob("*.avsc")):
            name = path.stem.removeprefix(f"{NAMESPACE}.")
            if name in own_records:
                raise Stop(f"{path}: the hub itself has a {name}; refer to it, or call yours otherwise")
            if name in seen:
                raise Stop(f"{path}: {seen[name]} declares {name} too; one of them is enough")
            seen[name] = path


def _shape(family: Family, builder: _Builder) -> Shape:
    wanted: Mapping[str, tuple[type[Model], Mapping[str, object]]] = {
        family.report: (FamilyReport, {"origin": _own("Origin"), "fields": _own(family.fields)}),
        family.event: (
            FamilyEvent,
            {
                "record_id": "string",
                "accepted": _own("Accepted"),
                "fields": _own(family.fields),
                "links": _LINKS,
            },
        ),
        family.state: (
            FamilyState,
            {
                "record_id": "string",
                "version": "long",
                "origin_system": "string",
                "origin_native_id": "string",
                "source_version": "string",
                "recorded_at": _INSTANT,
                "fields": _own(family.fields),
                "links": _LINKS,
            },
        ),
        family.command: (
            FamilyCommand,
            {
                "dispatch": _own("Dispatch"),
                "record_id": "string",
                "native_id": ["null", "string"],
                "fields": _own(family.fields),
            },
        ),
    }
    for name, (_, fields) in wanted.items():
        path = find_schema(name, builder.folders)
        given = {field["name"]: field["type"] for field in read_schema(path).get("fields", ())}
        if list(given.items()) != list(fields.items()):
            raise Stop(f"{path}: needs exactly the fields {_listed(fields)}, in this order and of these types")
    classes = {name: builder.record(name, base, family) for name, (base, _) in wanted.items()}
    shape = Shape(
        family=family,
        fields=builder.record(family.fields),
        report=cast("type[FamilyReport]", classes[family.report]),
        event=cast("type[FamilyEvent]", classes[family.event]),
        state=cast("type[FamilyState]", classes[family.state]),
        command=cast("type[FamilyCommand]", classes[family.command]),
    )
    _check_effective_date(family, builder.folders)
    for klass, record in zip(TOPIC_CLASSES, (family.report, family.event, family.state), strict=True):
        template = read_topic(family.topics / f"{family.topic(klass)}.yaml")
        if template.metadata.annotations.records != (record,):
            raise Stop(f"{family.topics / template.name}.yaml: metadata.annotations.records must be [{record}]")
    return shape


def _own(name: str) -> str:
    return f"{NAMESPACE}.{name}"


def _listed(fields: Mapping[str, object]) -> str:
    return ", ".join(f"{name} ({_words(kind)})" for name, kind in fields.items())


def _words(kind: object) -> object:
    if isinstance(kind, dict):
        return kind.get("logicalType") or f"{kind['type']} of {kind['values']}"
    return " or ".join(kind) if isinstance(kind, list) else kind


def _check_effective_date(family: Family, folders: Sequence[Path]) -> None:
    name = family.descriptor.effective_date
    if name is None:
        return
    fields = read_schema(find_schema(family.fields, folders))["fields"]
    date = {"type": "int", "logicalType": "date"}
    if not any(field["name"] == name and field["type"] in (date, ["null", date]) for field in fields):
        raise Stop(f"{family.folder}: effective_date: {name} is no date field of {family.fields}")


class _Builder:
    """Builds each declared type once; a type of the hub's own is the hub's own class."""

    def __init__(self, folders: tuple[Path, ...]) -> None:
        self.folders = folders
        self.built: dict[str, Mirror] = {}
        self._own = kernel_mirrors(schema_names())
        self._open: list[str] = []

    def record(self, name: str, base: type[Model] = Model, family: Family | None = None) -> type[Model]:
        """The class of a record. Raises ``Stop`` if it is none."""
        found = self._type(name, base)
        if not issubclass(found, Model):
            raise Stop(f"{find_schema(name, self.folders)}: must be a record")
        if family is not None:
            cast("Any", found).family = family
        return found

    def _type(self, name: str, base: type[Model] = Model) -> Mirror:
        if name in self.built:
            return self.built[name]
        if name in self._own:
            return self._own[name]
        path = find_schema(name, self.folders)
        if name in self._open:
            raise Stop(f"{path}: refers to itself by {' > '.join(self._open)}; a record may not hold itself")
        self._open.append(name)
        self.built[name] = self._build(read_schema(path), base, path)
        self._open.pop()
        return self.built[name]

    def _build(self, schema: Mapping[str, Any], base: type[Model], path: Path) -> Mirror:
        parsed_schema(str(schema["name"]), *self.folders)  # Avro's own rules first
        if schema["type"] == "enum":
            make = cast("Callable[..., type[StrEnum]]", StrEnum)
            return make(schema["name"], {symbol: symbol for symbol in schema["symbols"]}, module=__name__)
        fields: dict[str, Any] = {}
        for field in schema["fields"]:
            name = field["name"]
            if not _FIELD_NAME.fullmatch(name) or (hasattr(Model, name) and name not in base.model_fields):
                raise Stop(f"{path}: {name}: cannot be a field here: lower case and underscores, no name of pydantic's")
            annotation = self._annotation(field["type"], name, path)
            fields[name] = (annotation, _info(field, annotation))
        made = create_model(schema["name"], __base__=base, __module__=__name__, __doc__=schema.get("doc"), **fields)
        return cast("type[Model]", made)

    def _annotation(self, node: Any, name: str, path: Path) -> Any:
        """The annotation of a field: the hub's own types, chosen by the Avro type and, for text, by the name."""
        if isinstance(node, list):
            branches = [branch for branch in node if branch != "null"]
            if len(branches) != 1 or len(node) > 2:  # noqa: PLR2004  - null and one type
                raise Stop(f"{path}: {name}: a union is of null and one other type")
            return self._annotation(branches[0], name, path) | None
        if isinstance(node, str) and node.startswith(f"{NAMESPACE}."):
            return self._type(node.removeprefix(f"{NAMESPACE}."))
        if isinstance(node, dict) and node["type"] == "array":
            return tuple.__class_getitem__((self._annotation(node["items"], name, path), ...))
        if isinstance(node, dict) and node["type"] == "map":
            return dict.__class_getitem__((str, self._annotation(node["values"], name, path)))
        return _plain(node, name, path)


def _plain(node: Any, name: str, path: Path) -> Any:
    """The annotation of a value that holds no others."""
    found: Any = None
    if node == "string":
        found = _text(name)
    elif isinstance(node, str):
        found = _BARE.get(node)
    elif node.get("logicalType") == "decimal" and node["type"] == "bytes":
        found = _DECIMALS.get((node.get("precision"), node.get("scale", 0)))
    else:
        found = _LOGICAL.get((node["type"], str(node.get("logicalType"))))
    if found is None:
        sizes = ", ".join(f"({precision},{scale})" for precision, scale in _DECIMALS)
        raise Stop(
            f"{path}: {name}: {node} is no type of the hub's; there are string, long, boolean, bytes, date, "
            f"timestamp-millis, decimals of {sizes}, arrays, maps, and records and enums in files of their own"
        )
    return found


def _info(field: Mapping[str, Any], annotation: Any) -> Any:
    """Meaning and default of a field; a schema's default is JSON, a class's is the value itself."""
    doc = str(field.get("doc", ""))
    if "default" not in field:
        return Field(description=doc)
    default = field["default"]
    if isinstance(default, list):
        default = tuple(default)
    elif isinstance(annotation, type) and issubclass(annotation, StrEnum):
        default = annotation(default)
    return Field(default=default, description=doc)


def _text(name: str) -> Any:
    if name == "currency" or name.endswith("_currency"):
        return vocabulary.Currency
    if name in ("period", "posting_period"):
        return vocabulary.Period
    return vocabulary.Code if name == "record_id" else vocabulary.Text

"""Rules for topics and schemas that neither Kafka nor a registry enforces. Pure: a tree goes in, findings come out."""

from __future__ import annotations

import datetime as dt
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime

from tieline.kernel import vocabulary
from tieline.kernel.codecs import MIRRORS, model_of
from tieline.kernel.compatibility import unreadable_under
from tieline.kernel.declarations import CONSUMER, NAMESPACE, SYSTEM, TopicTemplate, Tree
from tieline.kernel.findings import Finding
from tieline.kernel.fleet import PROCESSORS
from tieline.kernel.meaning_rules import DECIMAL_SIZES, decimal_size, meaning_findings, parts, referred
from tieline.kernel.schema_changes import Schema, differences, type_words
from tieline.kernel.vocabulary import Model

Mirror = type[Model] | type[StrEnum]

WEEK_MS = 7 * 24 * 60 * 60 * 1000
WITH_DEAD_LETTERS = frozenset({*PROCESSORS, f"source-{SYSTEM}", f"sink-{SYSTEM}"})
PARTIES = WITH_DEAD_LETTERS | {CONSUMER, "views", "analysts", "reconciliation", "desk", "operator"}

_PLAIN_TYPES: Mapping[Any, Any] = {
    str: "string",
    int: "long",
    bool: "boolean",
    bytes: "bytes",
    dt.date: {"type": "int", "logicalType": "date"},
    AwareDatetime: {"type": "long", "logicalType": "timestamp-millis"},
    vocabulary.Amount: {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 4},
    vocabulary.UnitPrice: {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 6},
    vocabulary.Quantity: {"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 6},
    vocabulary.FxRate: {"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 9},
}


def lint(tree: Tree, mirrors: Mapping[str, Mirror] | None = None) -> tuple[Finding, ...]:
    """Every finding, sorted by place. ``mirrors`` are the classes by schema name; None leaves the mirror rule out."""
    findings = [Finding("topic-file", f.file, f.reason) for f in tree.topic_faults]
    findings += [Finding("schema-file", f.file, f.reason) for f in tree.schema_faults]
    for topic_rule in _TOPIC_RULES:
        findings += topic_rule(tree.topics)
    findings += _references(tree)
    for schema in tree.schemas.values():
        findings += _documented(schema)
        findings += _enum_with_unknown(schema)
        for field in schema.get("fields", ()):
            findings += _field(f"{schema['name']}.{field['name']}", field)
    findings += meaning_findings(tree)
    if mirrors is not None:
        findings += _mirrored(tree.schemas, mirrors)
    return tuple(sorted(findings, key=lambda f: (f.place, f.rule, f.message)))


def compare(old: Schema, new: Schema) -> tuple[Finding, ...]:
    """What changes meaning between two self-contained versions of a schema though a registry lets it pass."""
    return tuple(
        Finding(d.unseen, d.place, f"{d.words}; stored records would change their meaning: add a new field instead")
        for d in differences(old, new)
        if d.unseen
    )


def compare_trees(old: Tree, new: Tree) -> tuple[Finding, ...]:
    """``compare`` over every type that both trees declare, and what a registry will refuse of each topic's records."""
    findings = [
        finding
        for name, schema in sorted(new.schemas.items())
        if name in old.schemas
        for finding in compare(old.schemas[name], schema)
    ]
    before, after = ({f"{NAMESPACE}.{name}": schema for name, schema in tree.schemas.items()} for tree in (old, new))
    for topic in new.topics:
        notes = topic.metadata.annotations
        for record in notes.records:
            full = f"{NAMESPACE}.{record}"
            if full in before and full in after and notes.compatibility != "NONE":
                for reason in unreadable_under(notes.compatibility, (full, before), (full, after)):
                    words = f"{reason}; {notes.compatibility} of {topic.name} forbids it"
                    findings.append(Finding("compatibility", record, words))
    return tuple(findings)


# ---- topics ---------------------------------------------------------------------------------------------------


def _known_parties(topics: Sequence[TopicTemplate]) -> Iterator[Finding]:
    for topic in topics:
        notes = topic.metadata.annotations
        for role, names in (("writer", notes.writers), ("reader", notes.readers)):
            for name in names:
                if name not in PARTIES:
                    known = ", ".join(sorted(PARTIES))
                    yield Finding("known-party", topic.name, f"{role} {name!r} is nobody; known are {known}")


def _kept_long_enough(topics: Sequence[TopicTemplate]) -> Iterator[Finding]:
    for topic in topics:
        if topic.klass not in ("report", "command"):
            continue
        configs = topic.spec.configs
        text = configs.get("retention.ms", "none")
        # Minus one is Kafka's word for ever; anything else that is not a number keeps nothing we can count on.
        kept = text == "-1" or (text.isdecimal() and int(text) >= WEEK_MS)
        if configs.get("cleanup.policy") != "delete" or not kept:
            message = f"a {topic.klass} waits out an outage of a week: cleanup.policy delete and retention.ms of at"
            yield Finding("retention", topic.name, f"{message} least {WEEK_MS}, not {text}")


def _state_is_compacted(topics: Sequence[TopicTemplate]) -> Iterator[Finding]:
    for topic in topics:
        policies = topic.spec.configs.get("cleanup.policy", "").split(",")
        if topic.klass == "state" and "compact" not in policies:
            yield Finding("state-compacted", topic.name, "state is the last value of every key: cleanup.policy compact")


def _dead_letters_fit(topics: Sequence[TopicTemplate]) -> Iterator[Finding]:
    # A letter goes to the partition its record came from, so every source partition needs its counterpart.
    for letters in topics:
        if letters.klass != "dead-letter":
            continue
        writers = set(letters.metadata.annotations.writers)
        if CONSUMER in writers:
            writers |= WITH_DEAD_LETTERS
        for source in topics:
            shared = writers & set(source.metadata.annotations.readers)
            if shared and source.spec.partitions > letters.spec.partitions:
                yield Finding(
                    "dead-letter-partitions",
                    letters.name,
                    f"{letters.spec.partitions} partitions, but {source.name}, read by {', '.join(sorted(shared))}, "
                    f"has {source.spec.partitions}; give it at least as many",
                )


_TOPIC_RULES: Sequence[Callable[[Sequence[TopicTemplate]], Iterable[Finding]]] = (
    _known_parties,
    _kept_long_enough,
    _state_is_compacted,
    _dead_letters_fit,
)


# ---- schemas --------------------------------------------------------------------------------------------------


def _references(tree: Tree) -> Iterator[Finding]:
    used: set[str] = set()
    for topic in tree.topics:
        for record in topic.metadata.annotations.records:
            used.add(record)
            if tree.schemas.get(record, {}).get("type") != "record":
                yield Finding("unknown-record", topic.name, f"there is no schema of a record {NAMESPACE}.{record}")
    for name, schema in tree.schemas.items():
        for other in referred(schema):
            used.add(other)
            if other not in tree.schemas:
                yield Finding("unknown-record", name, f"refers to {NAMESPACE}.{other}, which has no schema")
    for name in tree.schemas:
        # A topic file that cannot be read may well be the one that carries it.
        if name not in used and not tree.topic_faults:
            yield Finding("orphan-schema", name, "no topic carries it and no other schema refers to it; remove it")


def _documented(schema: Schema) -> Iterator[Finding]:
    message = "has no doc; say what it means, with its unit"
    if not str(schema.get("doc", "")).strip():
        yield Finding("missing-doc", schema["name"], message)
    for field in schema.get("fields", ()):
        if not str(field.get("doc", "")).strip():
            yield Finding("missing-doc", f"{schema['name']}.{field['name']}", message)


def _enum_with_unknown(schema: Schema) -> Iterator[Finding]:
    if schema["type"] != "enum":
        return
    if schema["symbols"][:1] != ["UNKNOWN"] or schema.get("default") != "UNKNOWN":
        message = "UNKNOWN must be its first symbol and its default, for readers that meet a newer symbol"
        yield Finding("enum-unknown", schema["name"], message)


def _field(place: str, field: Schema) -> Iterator[Finding]:
    kind = field["type"]
    if isinstance(kind, list) and "null" in kind and (kind[0] != "null" or field.get("default", "") is not None):
        yield Finding("nullable-default", place, "a nullable field is null or ..., in this order, with default null")
    for part in parts(kind):
        if part in ("float", "double"):
            yield Finding("float", place, "a binary fraction cannot hold money exactly; use a decimal")
        size = decimal_size(part)
        if size is not None and (part["type"] != "bytes" or size not in DECIMAL_SIZES):
            sizes = ", ".join(f"({p},{s})" for p, s in sorted(DECIMAL_SIZES))
            yield Finding("decimal-size", place, f"{type_words(part)} is none of the decimals {sizes} in bytes")


# ---- classes --------------------------------------------------------------------------------------------------


def kernel_mirrors(schema_names: Iterable[str]) -> Mapping[str, Mirror]:
    """Every class of the kernel that must have a schema, by the schema's name; one class may serve several records."""
    classes = {
        name: found
        for module in MIRRORS
        for name, found in vars(module).items()
        if isinstance(found, type) and issubclass(found, (Model, StrEnum)) and found.__module__ == module.__name__
        if found is not Model
    }
    mirrors: dict[str, Mirror] = {}
    for name in schema_names:
        try:
            mirrors[name] = classes[name] if name in classes else model_of(name)
        except KeyError:
            continue  # a schema without a class: the rule reports it
    serving = set(mirrors.values())
    return mirrors | {name: found for name, found in classes.items() if found not in serving}


def _mirrored(schemas: Mapping[str, Schema], mirrors: Mapping[str, Mirror]) -> Iterator[Finding]:
    for name in sorted(set(mirrors) - set(schemas)):
        yield Finding("model-mirror", name, f"the class has no schema {NAMESPACE}.{name}.avsc")
    for name, schema in schemas.items():
        mirror = mirrors.get(name)
        if mirror is None:
            yield Finding("model-mirror", name, "the schema has no class among the kernel's records")
        elif issubclass(mirror, StrEnum):
            if schema.get("symbols") != [str(symbol) for symbol in mirror]:
                yield Finding("model-mirror", name, f"its symbols are not those of the class: {', '.join(mirror)}")
        else:
            yield from _record_mirrored(name, schema, mirror)


def _record_mirrored(name: str, schema: Schema, mirror: type[Model]) -> Iterator[Finding]:
    hints = typing.get_type_hints(mirror, include_extras=True)
    written = [field["name"] for field in schema.get("fields", ())]
    if written != list(mirror.model_fields):
        yield Finding("model-mirror", name, f"its fields are not those of the class: {', '.join(mirror.model_fields)}")
        return
    for field in schema["fields"]:
        place = f"{name}.{field['name']}"
        expected = avro_type(hints[field["name"]])
        if field["type"] != expected:
            words = f"is {type_words(field['type'])}, the class says {type_words(expected)}"
            yield Finding("model-mirror", place, words)
        in_class = mirror.model_fields[field["name"]]
        if (in_class.description or "") != field.get("doc", ""):
            yield Finding("model-mirror", place, "its doc is not the description of the class's field, word for word")
        if in_class.is_required() == ("default" in field) or (
            not in_class.is_required() and _json_default(in_class.default) != field.get("default")
        ):
            yield Finding("model-mirror", place, "its default is not that of the class")


def _json_default(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def avro_type(hint: Any) -> Any:
    """The Avro type of an annotation in the kernel's classes. Raises ``TypeError`` for one that has none."""
    if hint in _PLAIN_TYPES:
        return _PLAIN_TYPES[hint]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated and arguments[0] is not Decimal:  # a decimal's size is in its annotation
        return avro_type(arguments[0])
    if origin in (types.UnionType, typing.Union):
        return ["null", *(avro_type(branch) for branch in arguments if branch is not types.NoneType)]
    if origin is tuple and arguments[1:] == (...,):
        return {"type": "array", "items": avro_type(arguments[0])}
    if origin is dict and arguments[0] is str:
        return {"type": "map", "values": avro_type(arguments[1])}
    if isinstance(hint, type) and issubclass(hint, (Model, StrEnum)):
        return f"{NAMESPACE}.{hint.__name__}"
    raise TypeError(f"{hint} has no Avro type here; extend linting.avro_type")

"""The catalogue for people: of every field its meaning, unit, owner, and where it comes from and goes to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tieline.catalogue.avro import unit_of
from tieline.catalogue.entities import (
    BECOMES,
    Entity,
    entities,
    entities_of,
    flows_of,
    owner_words,
    place_in,
)
from tieline.catalogue.inputs import Inputs
from tieline.kernel.declarations import NAMESPACE, TopicTemplate
from tieline.kernel.meaning_rules import parts
from tieline.kernel.producing import EVENT_HEADERS
from tieline.kernel.schema_changes import Schema, type_words

_HEAD = """# Catalogue

Generated from `topics/`, `schemas/avro/`, the ownership matrix, the landscape and the connectors' field tables; do not
edit. Written anew by `make docs`. The same for tools: [AsyncAPI](asyncapi.yaml), [data contracts](contracts/).

**Business entities** come first: of each field what it means, its unit, who owns it, who may propose it, from which
field of which system it comes and to which it goes, in the landscape "{landscape}". A field that a system neither gives
nor gets is not said for it. How values are converted on the way: {pages}.
**Records around them** (reports, events, commands, what the hub remembers) follow, with the processes that write and
read them. **Codes** are last. Topics and their settings: [topics](topics.md).
"""


def render_catalogue(inputs: Inputs) -> str:
    """The page as Markdown."""
    schemas = inputs.tree.schemas
    found = entities(schemas)
    pages = ", ".join(f"[{system}]({system}-fields.md)" for system in inputs.field_pages) or "no connector says"
    lines = [_HEAD.format(landscape=inputs.landscape.name, pages=pages)]
    lines += ["## Business entities", ""]
    for entity in found:
        lines += _entity_section(inputs, entity)
    of_entities = {name for entity in found for name in (entity.record, *entity.parts)}
    lines += ["## Records around them", "", *_headers(), ""]
    for name, schema in sorted(schemas.items()):
        if schema["type"] == "record" and name not in of_entities:
            lines += _record_section(inputs, name, schema)
    lines += ["## Codes", ""]
    for name, schema in sorted(schemas.items()):
        if schema["type"] == "enum":
            lines += _code_section(inputs, name, schema)
    return "\n".join(lines).rstrip("\n") + "\n"


# ---- entities -------------------------------------------------------------------------------------------------


def _entity_section(inputs: Inputs, entity: Entity) -> Iterator[str]:
    carried = [topic for topic in inputs.tree.topics if _speaks_of(inputs, topic, entity)]
    flows = [f"{flow.source} to {flow.target}" for flow in flows_of(inputs, entity)]
    for record in (entity.record, *entity.parts):
        yield f"### {record}"
        yield ""
        yield _words(inputs.tree.schemas[record].get("doc", ""))
        yield ""
        if record == entity.record:
            yield f"Flows: {', '.join(flows) or 'none in this landscape'}."
            yield f"Topics: {', '.join(_topic_link(topic) for topic in carried) or 'none'}."
        else:
            yield f"A part of [{entity.record}](#{entity.record.lower()})."
        natives = [
            f"{system} `{tables[record].native}`" for system, tables in inputs.tables.items() if record in tables
        ]
        if natives:
            yield f"In the systems: {', '.join(natives)}."
        yield ""
        yield "| field | meaning | type | unit | owner | may propose | comes from | goes to |"
        yield "|---|---|---|---|---|---|---|---|"
        for field in inputs.tree.schemas[record]["fields"]:
            yield _row(_entity_cells(inputs, entity, record, field))
        yield ""


def _speaks_of(inputs: Inputs, topic: TopicTemplate, entity: Entity) -> bool:
    records = topic.metadata.annotations.records
    return any(entity in entities_of(record, inputs.tree.schemas) for record in records)


def _entity_cells(inputs: Inputs, entity: Entity, record: str, field: Schema) -> Sequence[str]:
    name = field["name"]
    owner, proposers = owner_words(inputs, entity, record, name)
    sources = dict.fromkeys(flow.source for flow in flows_of(inputs, entity))
    targets = dict.fromkeys(flow.target for flow in flows_of(inputs, entity))
    inside = [part for part in entity.parts if f"{NAMESPACE}.{part}" in list(parts(field["type"]))]
    if inside:
        comes = goes = f"see [{inside[0]}](#{inside[0].lower()})"
    else:
        comes = "; ".join(filter(None, (_from(inputs, system, record, name) for system in sources)))
        goes = "; ".join(filter(None, (_to(inputs, system, record, name) for system in targets)))
    if becomes := BECOMES.get(record, {}).get(name):
        asset = ", ".join(f"`{one}`" for one in becomes)
        goes = "; ".join(filter(None, (goes, f"[asset](#assetfields): {asset}")))
    return (
        f"`{name}`",
        _words(field.get("doc", "")),
        _linked_type(inputs, field["type"]),
        unit_of(field["type"]),
        owner,
        proposers,
        comes or "no system",
        goes or "no system",
    )


def _from(inputs: Inputs, system: str, record: str, field: str) -> str:
    place = place_in(inputs, system, record, field)
    if place is None:
        return "" if record in inputs.tables.get(system, {}) else f"{system} (its connector has no field table)"
    if not place.read:
        return f"{system}: {place.note}"
    return f"{system}: {', '.join(f'`{name}`' for name in place.read)}"


def _to(inputs: Inputs, system: str, record: str, field: str) -> str:
    place = place_in(inputs, system, record, field)
    if place is None:
        return ""
    if not place.written:
        return f"{system}: not written; {place.note}" if place.note else ""
    return f"{system}: {', '.join(f'`{name}`' for name in place.written)}"


# ---- everything else ------------------------------------------------------------------------------------------


def _headers() -> Iterator[str]:
    yield "Every one of them travels with the CloudEvents attributes in its headers:"
    yield ""
    yield "| header | meaning |"
    yield "|---|---|"
    for name, words in EVENT_HEADERS.items():
        yield _row((f"`{name}`", words))


def _record_section(inputs: Inputs, name: str, schema: Schema) -> Iterator[str]:
    yield f"### {name}"
    yield ""
    yield _words(schema.get("doc", ""))
    yield ""
    for topic in inputs.tree.topics:
        notes = topic.metadata.annotations
        if name in notes.records:
            writers, readers = ", ".join(notes.writers), ", ".join(notes.readers)
            owner = topic.metadata.labels.owner
            yield f"- {_topic_link(topic)}: comes from {writers}; goes to {readers}; owner {owner}."
    holders = sorted(other for other, held in inputs.tree.schemas.items() if f"{NAMESPACE}.{name}" in _types_in(held))
    if holders:
        yield f"- A part of {', '.join(f'[{other}](#{other.lower()})' for other in holders)}."
    yield ""
    yield "| field | meaning | type | unit |"
    yield "|---|---|---|---|"
    for field in schema["fields"]:
        yield _row(
            (
                f"`{field['name']}`",
                _words(field.get("doc", "")),
                _linked_type(inputs, field["type"]),
                unit_of(field["type"]),
            )
        )
    yield ""


def _code_section(inputs: Inputs, name: str, schema: Schema) -> Iterator[str]:
    yield f"### {name}"
    yield ""
    yield _words(schema.get("doc", ""))
    yield ""
    yield f"One of {', '.join(f'`{symbol}`' for symbol in schema['symbols'])}."
    users = sorted(
        f"[{other}](#{other.lower()}).`{field['name']}`"
        for other, held in inputs.tree.schemas.items()
        for field in held.get("fields", ())
        if f"{NAMESPACE}.{name}" in list(parts(field["type"]))
    )
    yield f"Used by {', '.join(users) or 'nothing yet'}."
    yield ""


def _types_in(schema: Schema) -> Sequence[Any]:
    return [part for field in schema.get("fields", ()) for part in parts(field["type"])]


def _linked_type(inputs: Inputs, node: Any) -> str:
    words = type_words(node)
    named: Mapping[str, Schema] = inputs.tree.schemas
    return " ".join(f"[{word}](#{word.lower()})" if word in named else word for word in words.split(" "))


def _topic_link(topic: TopicTemplate) -> str:
    anchor = "".join(c for c in topic.name if c.isalnum() or c in "-_")
    return f"[`{topic.name}`](topics.md#{anchor})"


def _row(cells: Sequence[str]) -> str:
    escaped = [cell.replace("|", "\\|") for cell in cells]
    return f"| {' | '.join(escaped)} |"


def _words(text: object) -> str:
    return " ".join(str(text).split())

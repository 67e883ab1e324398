"""Rules on what a field says: its kind by its name, the currency beside an amount, the three times of an event.

A registry compares how bytes are resolved; none of this reaches it. Pure: a tree goes in, findings come out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tieline.kernel.declarations import NAMESPACE, Tree
from tieline.kernel.findings import Finding
from tieline.kernel.schema_changes import Schema, type_words

MONEY, UNIT_PRICE, QUANTITY, FX_RATE = (20, 4), (20, 6), (18, 6), (18, 9)  # precision, scale
DECIMAL_SIZES = frozenset({MONEY, UNIT_PRICE, QUANTITY, FX_RATE})
THREE_TIMES = ("effective_date", "recorded_at", "posting_period")
# Topics of these domains speak of the hub's own doings, which have no business date and are posted nowhere.
OWN_DOMAINS = frozenset({"hub", "recon"})

_DATE = {"type": "int", "logicalType": "date"}
_INSTANT = {"type": "long", "logicalType": "timestamp-millis"}
_TIMES = (
    (re.compile(r"(?:.*_)?date|as_of"), _DATE),
    (re.compile(r"(?:.*_)?at|since"), _INSTANT),
)
_SIZES = (
    (re.compile(r"(?:.*_)?(?:quantity|qty)"), QUANTITY),
    (re.compile(r"(?:.*_)?price"), UNIT_PRICE),
    (re.compile(r"(?:fx|exchange)_rate"), FX_RATE),
    (
        re.compile(
            r"(?:.*_)?(?:amount|cost|total|salvage|depreciation|accumulated|net_book_value|proceeds)(?:_after)?"
        ),
        MONEY,
    ),
)
_BARE = frozenset({"bytes", "int", "long"})


def meaning_findings(tree: Tree) -> Iterator[Finding]:
    """Every finding of these rules, schema by schema."""
    for schema in tree.schemas.values():
        for field in schema.get("fields", ()):
            yield from _of_its_kind(f"{schema['name']}.{field['name']}", field)
    yield from _with_currency(tree)
    yield from _three_times(tree)


def parts(node: Any) -> Iterator[Any]:
    """The type and every type inside it."""
    yield node
    if isinstance(node, list):
        for branch in node:
            yield from parts(branch)
    elif isinstance(node, dict):
        for key in ("items", "values"):
            if key in node:
                yield from parts(node[key])


def referred(schema: Schema) -> Iterator[str]:
    """Names of the declared types that a schema's fields refer to, without namespace."""
    for field in schema.get("fields", ()):
        for part in parts(field["type"]):
            if isinstance(part, str) and part.startswith(f"{NAMESPACE}."):
                yield part.removeprefix(f"{NAMESPACE}.")


def decimal_size(node: Any) -> tuple[Any, Any] | None:
    """Precision and scale of a decimal, None for any other type."""
    if isinstance(node, dict) and node.get("logicalType") == "decimal":
        return (node.get("precision"), node.get("scale", 0))
    return None


def _of_its_kind(place: str, field: Schema) -> Iterator[Finding]:
    name = field["name"]
    leaves = [part for part in parts(field["type"]) if part != "null" and not _holds_others(part)]
    for pattern, wanted in _TIMES:
        if pattern.fullmatch(name) and any(leaf != wanted for leaf in leaves):
            words = f"is {type_words(field['type'])}; a field of this name is {type_words(wanted)}"
            yield Finding("field-kind", place, words)
    for pattern, size in _SIZES:
        if not pattern.fullmatch(name):
            continue
        for leaf in leaves:
            bare = type_words(leaf) in _BARE
            other = decimal_size(leaf) in DECIMAL_SIZES - {size}
            if bare or other:
                words = f"is {type_words(leaf)}; a field of this name is decimal({size[0]},{size[1]})"
                yield Finding("field-kind", place, words)


def _holds_others(node: Any) -> bool:
    return isinstance(node, list) or (isinstance(node, dict) and node["type"] in ("array", "map"))


def _with_currency(tree: Tree) -> Iterator[Finding]:
    # Invariant 11: an amount without its currency is a number.
    parents: dict[str, set[str]] = {}
    for name, schema in tree.schemas.items():
        for other in referred(schema):
            parents.setdefault(other, set()).add(name)
    carried = {record for topic in tree.topics for record in topic.metadata.annotations.records}
    for name, schema in tree.schemas.items():
        for field in schema.get("fields", ()):
            amount = any(decimal_size(part) in (MONEY, UNIT_PRICE) for part in parts(field["type"]))
            if amount and not _says_currency(name, tree.schemas, parents, carried, frozenset()):
                message = (
                    "is an amount without a currency: use Money, or put a currency field beside it or in every record "
                    f"that holds {name}"
                )
                yield Finding("currency", f"{name}.{field['name']}", message)


def _says_currency(
    name: str, schemas: Mapping[str, Schema], parents: Mapping[str, set[str]], carried: set[str], seen: frozenset[str]
) -> bool:
    fields = schemas.get(name, {}).get("fields", ())
    if any(field["name"] == "currency" or f"{NAMESPACE}.Money" in parts(field["type"]) for field in fields):
        return True
    above = parents.get(name, set()) - seen
    # What a topic carries by itself has nothing around it that could say the currency.
    return (
        name not in carried
        and bool(above)
        and all(_says_currency(parent, schemas, parents, carried, seen | {name}) for parent in above)
    )


def _three_times(tree: Tree) -> Iterator[Finding]:
    for topic in tree.topics:
        if topic.klass != "event" or topic.name.partition(".")[0] in OWN_DOMAINS:
            continue
        for record in topic.metadata.annotations.records:
            schema = tree.schemas.get(record)
            if schema is None or schema["type"] != "record":
                continue  # reported as an unknown record
            said = {field["name"] for field in schema.get("fields", ())}
            for other in referred(schema):
                said |= {field["name"] for field in tree.schemas.get(other, {}).get("fields", ())}
            missing = [name for name in THREE_TIMES if name not in said]
            if missing:
                message = f"an event on {topic.name} has its three times, here or in Accepted; without {missing[0]}"
                yield Finding("event-times", record, f"{message} it cannot be told when it holds")

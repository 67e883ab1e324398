"""What differs between two versions of an Avro schema, in words, and which differences change the meaning unseen.

A registry compares how bytes are resolved. It lets pass what resolves and yet means something else: another scale of a
decimal, a dropped logical type, a removed enum symbol. Documentation and the order of fields do not count here,
as they do not count there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Unseen = Literal["logical-type", "enum-symbol"]
Schema = Mapping[str, Any]

_NAMED = ("record", "enum", "fixed")


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference. ``unseen`` names the rule it breaks if a registry would let it pass, else it is None."""

    place: str
    words: str
    unseen: Unseen | None = None

    def __str__(self) -> str:
        return f"{self.place}: {self.words}"


def differences(old: Schema, new: Schema) -> tuple[Difference, ...]:
    """Everything that differs between two self-contained schemas, by the place where it stands (``Record.field``)."""
    before, after = _types(old), _types(new)
    found = [Difference(_short(name), "removed") for name in before if name not in after]
    for name, schema in after.items():
        if name not in before:
            found.append(Difference(_short(name), f"added, {schema['type']}"))
        elif schema["type"] != before[name]["type"]:
            found.append(Difference(_short(name), f"was {before[name]['type']}, is {schema['type']}"))
        elif schema["type"] == "enum":
            found += _enum_differences(_short(name), before[name], schema)
        elif schema["type"] == "record":
            found += _record_differences(_short(name), before[name], schema)
    return tuple(found)


def named_types(schema: Schema) -> Mapping[str, Schema]:
    """The named types defined in a schema by full name; inside them, each other named type is only a reference."""
    return _types(schema)


def _types(schema: Schema) -> dict[str, Schema]:
    found: dict[str, Schema] = {}
    _collect(schema, "", found)
    return found


def _collect(node: Any, namespace: str, found: dict[str, Schema]) -> Any:
    """The node with every named type replaced by its full name; definitions go to ``found``."""
    if isinstance(node, str):
        return node
    if isinstance(node, list):
        return [_collect(branch, namespace, found) for branch in node]
    kind = node["type"]
    if kind in _NAMED:
        space = node.get("namespace", namespace)
        full = f"{space}.{node['name']}" if space else str(node["name"])
        body = dict(node)
        found[full] = body
        if kind == "record":
            body["fields"] = [{**f, "type": _collect(f["type"], space, found)} for f in node["fields"]]
        return full
    if kind in ("array", "map"):
        inner = "items" if kind == "array" else "values"
        return {**node, inner: _collect(node[inner], namespace, found)}
    if isinstance(kind, (dict, list)):
        return _collect(kind, namespace, found)
    return node


def _enum_differences(place: str, old: Schema, new: Schema) -> Iterator[Difference]:
    for symbol in old["symbols"]:
        if symbol not in new["symbols"]:
            yield Difference(
                place,
                f"symbol {symbol} removed: stored records with it would read as {new.get('default')}",
                "enum-symbol",
            )
    for symbol in new["symbols"]:
        if symbol not in old["symbols"]:
            yield Difference(place, f"symbol {symbol} added")
    if old.get("default") != new.get("default"):
        yield Difference(place, f"default was {old.get('default')}, is {new.get('default')}")


def _record_differences(place: str, old: Schema, new: Schema) -> Iterator[Difference]:
    before = {field["name"]: field for field in old["fields"]}
    after = {field["name"]: field for field in new["fields"]}
    for name in before:
        if name not in after:
            yield Difference(f"{place}.{name}", "removed")
    for name, field in after.items():
        here = f"{place}.{name}"
        if name not in before:
            yield Difference(here, f"added, {type_words(field['type'])}{_default_words(field)}")
            continue
        if type_words(before[name]["type"]) != type_words(field["type"]):
            words = f"was {type_words(before[name]['type'])}, is {type_words(field['type'])}"
            unseen: Unseen | None = "logical-type" if _meaning_lost(before[name]["type"], field["type"]) else None
            yield Difference(here, words, unseen)
        if _default_words(before[name]) != _default_words(field):
            old_words = _default_words(before[name]) or ", no default"
            yield Difference(here, f"{old_words[2:]} before, {(_default_words(field) or ', no default')[2:]} now")


def type_words(node: Any) -> str:
    """A type for people: ``string``, ``decimal(20,4)``, ``array of Money``, ``null or date``."""
    if isinstance(node, str):
        return _short(node)
    if isinstance(node, list):
        return " or ".join(type_words(branch) for branch in node)
    kind = node["type"]
    if kind == "array":
        return f"array of {type_words(node['items'])}"
    if kind == "map":
        return f"map of {type_words(node['values'])}"
    logical = node.get("logicalType")
    if logical == "decimal":
        return f"decimal({node.get('precision')},{node.get('scale', 0)})" + ("" if kind == "bytes" else f" in {kind}")
    return f"{logical} in {kind}" if logical else _short(str(kind))


def _meaning_lost(old: Any, new: Any) -> bool:
    before, after = dict(_leaves(old)), dict(_leaves(new))
    dropped = any(meaning and after.get(path) != meaning for path, meaning in before.items())
    gained = any(meaning and path in before and not before[path] for path, meaning in after.items())
    return dropped or gained


def _leaves(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Where a primitive stands in a type, and what its logical type says (empty for none)."""
    if isinstance(node, str):
        yield f"{path}/{node}", ""
    elif isinstance(node, list):
        for branch in node:
            yield from _leaves(branch, path)
    elif node["type"] == "array":
        yield from _leaves(node["items"], f"{path}/array")
    elif node["type"] == "map":
        yield from _leaves(node["values"], f"{path}/map")
    else:
        yield f"{path}/{node['type']}", type_words(node) if "logicalType" in node else ""


def _default_words(field: Schema) -> str:
    return f", default {json.dumps(field['default'])}" if "default" in field else ""


def _short(full_name: str) -> str:
    return full_name.rpartition(".")[2]

"""What differs between two versions of an Avro schema, in words, and which differences change the meaning unseen.

A registry compares how bytes are resolved. It lets pass what resolves and yet means something else: another scale of a
decimal, a dropped logical type, a removed enum symbol, another default. Documentation and the order of fields do not
count here, as they do not count there. A type or field that got a new name and keeps the old one as an alias is the
same one; a type is the same in another namespace, too, because Avro compares names without it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Unseen = Literal["logical-type", "enum-symbol", "default-changed"]
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
    pairs = {name: _counterpart(name, schema, before) for name, schema in after.items()}
    kept = set(pairs.values())
    found = [Difference(_short(name), "removed") for name in before if name not in kept]
    for name, schema in after.items():
        earlier = pairs[name]
        if earlier is None:
            found.append(Difference(_short(name), f"added, {schema['type']}"))
            continue
        if earlier != name:
            found.append(Difference(_short(name), f"was called {earlier}, is called {name}"))
        if schema["type"] != before[earlier]["type"]:
            found.append(Difference(_short(name), f"was {before[earlier]['type']}, is {schema['type']}"))
        elif schema["type"] == "enum":
            found += _enum_differences(_short(name), before[earlier], schema)
        elif schema["type"] == "record":
            found += _record_differences(_short(name), before[earlier], schema)
    return tuple(found)


def flattened(schema: Schema) -> tuple[Any, Mapping[str, Schema]]:
    """What a self-contained schema is, and its named types by full name; each of them is only referred to elsewhere."""
    found: dict[str, Schema] = {}
    return _collect(schema, "", found), found


def same_name(name: str, schema: Schema, other: str) -> bool:
    """Whether a named type stands for one called ``other`` in an earlier version; both are full names.

    Names count without their namespace, and the type's aliases count (Avro's schema resolution).
    """
    space = name.rpartition(".")[0]
    aliases = {alias if "." in alias else f"{space}.{alias}".lstrip(".") for alias in schema.get("aliases", ())}
    return _short(name) == _short(other) or other in aliases


def _types(schema: Schema) -> Mapping[str, Schema]:
    return flattened(schema)[1]


def _counterpart(name: str, schema: Schema, before: Mapping[str, Schema]) -> str | None:
    """The earlier version's type that this one stands for: of the same full name, else of the same name."""
    if name in before:
        return name
    return next((other for other in before if same_name(name, schema, other)), None)


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
        # A default that is new or gone changes what can be read, which the registry looks at; another one, what is.
        unseen: Unseen | None = "default-changed" if "default" in old and "default" in new else None
        yield Difference(place, f"default was {old.get('default')}, is {new.get('default')}", unseen)


def _record_differences(place: str, old: Schema, new: Schema) -> Iterator[Difference]:
    before = {field["name"]: field for field in old["fields"]}
    after = {field["name"]: field for field in new["fields"]}
    earlier = {name: next((n for n in (name, *f.get("aliases", ())) if n in before), None) for name, f in after.items()}
    for name in before:
        if name not in earlier.values():
            yield Difference(f"{place}.{name}", "removed")
    for name, field in after.items():
        here, source = f"{place}.{name}", earlier[name]
        if source is None:
            yield Difference(here, f"added, {type_words(field['type'])}{_default_words(field)}")
            continue
        if source != name:
            yield Difference(here, f"was called {source}")
        yield from _field_differences(here, before[source], field)


def _field_differences(here: str, old: Schema, new: Schema) -> Iterator[Difference]:
    if type_words(old["type"]) != type_words(new["type"]):
        words = f"was {type_words(old['type'])}, is {type_words(new['type'])}"
        yield Difference(here, words, "logical-type" if _meaning_lost(old["type"], new["type"]) else None)
    if _default_words(old) != _default_words(new):
        # Records written before the field was there read as its default: another default gives them another content.
        unseen: Unseen | None = "default-changed" if "default" in old and "default" in new else None
        old_words = _default_words(old) or ", no default"
        words = f"{old_words[2:]} before, {(_default_words(new) or ', no default')[2:]} now"
        yield Difference(here, words, unseen)


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

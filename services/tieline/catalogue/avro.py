"""Avro schemas for people and tools: self-contained with their documentation, and units in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tieline.kernel.declarations import NAMESPACE
from tieline.kernel.meaning_rules import FX_RATE, MONEY, QUANTITY, UNIT_PRICE, decimal_size, parts
from tieline.kernel.schema_changes import Schema

_UNITS = {
    MONEY: "money, in the record's currency",
    UNIT_PRICE: "money for one unit, in the record's currency",
    QUANTITY: "pieces, or the record's unit",
    FX_RATE: "units of one currency for one of the other",
}
_LOGICAL_UNITS = {"date": "calendar day", "timestamp-millis": "instant, UTC, milliseconds"}


def self_contained(name: str, schemas: Mapping[str, Schema]) -> dict[str, Any]:
    """The schema as one document, each named type written out where it is first used, documentation kept."""
    found: dict[str, Any] = _written_out(f"{NAMESPACE}.{name}", schemas, set())
    return found


def _written_out(node: Any, schemas: Mapping[str, Schema], written: set[str]) -> Any:
    if isinstance(node, str):
        if not node.startswith(f"{NAMESPACE}.") or node in written:
            return node
        written.add(node)
        return _written_out(schemas[node.removeprefix(f"{NAMESPACE}.")], schemas, written)
    if isinstance(node, list):
        return [_written_out(branch, schemas, written) for branch in node]
    whole = {
        **node,
        **{key: _written_out(node[key], schemas, written) for key in ("items", "values") if key in node},
    }
    if "fields" in node:
        whole["fields"] = [{**f, "type": _written_out(f["type"], schemas, written)} for f in node["fields"]]
    return whole


def unit_of(node: Any) -> str:
    """The unit of a field's values in words; empty where it has none."""
    for part in parts(node):
        size = decimal_size(part)
        if size in _UNITS:
            return _UNITS[size]
        if isinstance(part, dict) and part.get("logicalType") in _LOGICAL_UNITS:
            return _LOGICAL_UNITS[part["logicalType"]]
        if part == f"{NAMESPACE}.Money":
            return "money, with its currency"
    return ""

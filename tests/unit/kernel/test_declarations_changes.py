from __future__ import annotations

from typing import Any

import pytest

from tieline.kernel.schema_changes import differences, type_words

DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 4}
KIND = {"type": "enum", "name": "Kind", "namespace": "tieline", "symbols": ["UNKNOWN", "A"], "default": "UNKNOWN"}


def _record(**fields: Any) -> dict[str, Any]:
    listed = [value if "type" in value and "name" in value else {"name": n, **value} for n, value in fields.items()]
    return {"type": "record", "name": "Thing", "namespace": "tieline", "fields": listed}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            _record(a={"type": "string"}),
            _record(a={"type": "string"}, b={"type": ["null", DECIMAL], "default": None}),
            ["Thing.b: added, null or decimal(20,4), default null"],
        ),
        (_record(a={"type": "string"}, b={"type": "int"}), _record(a={"type": "string"}), ["Thing.b: removed"]),
        (_record(a={"type": "int"}), _record(a={"type": "long"}), ["Thing.a: was int, is long"]),
        (
            _record(a={"type": "int"}),
            _record(a={"type": "int", "default": 3}),
            ["Thing.a: no default before, default 3 now"],
        ),
        (
            _record(a={"type": KIND}),
            _record(a={"type": {**KIND, "symbols": ["UNKNOWN", "A", "B"]}}),
            ["Kind: symbol B added"],
        ),
        (
            _record(a={"type": KIND}),
            _record(a={"type": {k: v for k, v in KIND.items() if k != "default"}}),
            ["Kind: default was UNKNOWN, is None"],
        ),
        (
            _record(a={"type": "int"}),
            _record(b={"type": "int", "aliases": ["a"]}),
            ["Thing.b: was called a"],
        ),
        (
            _record(a={"type": KIND}),
            _record(a={"type": {**KIND, "name": "Sort", "aliases": ["Kind"]}}),
            ["Thing.a: was Kind, is Sort", "Sort: was called tieline.Kind, is called tieline.Sort"],
        ),
        (_record(a={"type": KIND}), _record(a={"type": "string"}), ["Kind: removed", "Thing.a: was Kind, is string"]),
        (_record(), {**KIND, "name": "Thing"}, ["Thing: was record, is enum"]),
    ],
)
def test_each_difference_in_words(old: dict[str, Any], new: dict[str, Any], words: list[str]) -> None:
    found = differences(old, new)
    assert [str(one) for one in found] == words
    assert not any(one.unseen for one in found)


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ({"type": DECIMAL}, {"type": {**DECIMAL, "scale": 2}}, "logical-type"),
        ({"type": DECIMAL}, {"type": {**DECIMAL, "precision": 38}}, "logical-type"),
        ({"type": DECIMAL}, {"type": "bytes"}, "logical-type"),
        ({"type": "bytes"}, {"type": DECIMAL}, "logical-type"),
        ({"type": {"type": "map", "values": DECIMAL}}, {"type": {"type": "map", "values": "bytes"}}, "logical-type"),
        ({"type": KIND}, {"type": {**KIND, "symbols": ["UNKNOWN"]}}, "enum-symbol"),
        ({"type": KIND}, {"type": {**KIND, "default": "A"}}, "default-changed"),
        ({"type": "int", "default": 1}, {"type": "int", "default": 2}, "default-changed"),
    ],
)
def test_what_a_registry_lets_pass_is_marked(old: dict[str, Any], new: dict[str, Any], rule: str) -> None:
    assert [one.unseen for one in differences(_record(a=old), _record(a=new))] == [rule]


def test_a_decimal_that_becomes_nullable_keeps_its_meaning() -> None:
    (found,) = differences(_record(a={"type": DECIMAL}), _record(a={"type": ["null", DECIMAL]}))
    assert found.unseen is None


def test_documentation_order_and_lay_out_do_not_count() -> None:
    old = _record(a={"type": "string", "doc": "One."}, b={"type": KIND})
    new = _record(b={"type": KIND}, a={"type": {"type": "string"}})
    assert differences(old, {**new, "doc": "Other."}) == ()


def test_a_change_deep_inside_is_named_once_by_its_own_type() -> None:
    inner = {"type": "record", "name": "Line", "namespace": "tieline", "fields": [{"name": "n", "type": "int"}]}
    wider = {**inner, "fields": [{"name": "n", "type": "long"}]}
    old = _record(a={"type": {"type": "array", "items": inner}}, b={"type": ["null", "tieline.Line"]})
    new = _record(a={"type": {"type": "array", "items": wider}}, b={"type": ["null", "tieline.Line"]})
    assert [str(one) for one in differences(old, new)] == ["Line.n: was int, is long"]


def test_types_read_like_words() -> None:
    assert type_words(["null", {"type": "array", "items": "tieline.Line"}]) == "null or array of Line"
    assert type_words({"type": "int", "logicalType": "date"}) == "date in int"
    assert type_words({"type": "map", "values": "string"}) == "map of string"

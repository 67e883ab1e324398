"""Forty and more changes of a schema, each with what is predicted of it: which levels allow it, and what is read.

The levels are those our topics declare. What each version reads of the other is tried with fastavro, both ways.
"""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, get_args

import fastavro
import pytest
from fastavro.read import SchemaResolutionError

from tieline.kernel.compatibility import refusals
from tieline.kernel.declarations import Compatibility, load_topics
from tieline.kernel.schema_changes import Unseen, differences

B, BT, FT = "BACKWARD", "BACKWARD_TRANSITIVE", "FULL_TRANSITIVE"
ALL, BACKWARDS, LATEST, NEVER = (B, BT, FT), (B, BT), (B,), ()
FAILS = "cannot be read"

MONEY = {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 4}
PRICE = {**MONEY, "scale": 6}
CENTS = {**MONEY, "scale": 2}
DATE = {"type": "int", "logicalType": "date"}
MILLIS = {"type": "long", "logicalType": "timestamp-millis"}
MICROS = {"type": "long", "logicalType": "timestamp-micros"}
KIND = {"type": "enum", "name": "Kind", "symbols": ["UNKNOWN", "A", "B"], "default": "UNKNOWN"}
BARE_KIND = {"type": "enum", "name": "Kind", "symbols": ["UNKNOWN", "A", "B"]}
LINE = {"type": "record", "name": "Line", "fields": [{"name": "no", "type": "int"}]}
LONG_LINE = {"type": "record", "name": "Line", "fields": [{"name": "no", "type": "long"}]}
LINE_WITH_NOTE = {
    "type": "record",
    "name": "Line",
    "fields": [{"name": "no", "type": "int"}, {"name": "note", "type": ["null", "string"], "default": None}],
}
DAY = dt.date(2024, 10, 4)  # 20000 days after the first of January 1970
INSTANT = dt.datetime(2023, 11, 14, 22, 13, 20, tzinfo=dt.UTC)  # 1.7 thousand million seconds after it
NULLABLE = {"type": ["null", "string"], "default": None}


def thing(name: str = "Thing", namespace: str = "tieline", **fields: Any) -> dict[str, Any]:
    """A record; each field is its type, or the whole field where it has a default, an alias or a doc."""
    listed = [
        {"name": n, **f} if isinstance(f, dict) and ("default" in f or "aliases" in f or "doc" in f) else
        {"name": n, "type": f}
        for n, f in fields.items()
    ]  # fmt: skip
    return {"type": "record", "name": name, "namespace": namespace, "fields": listed}


def enum(**changes: Any) -> dict[str, Any]:
    """A field of the enum, changed; a bare dictionary with a default would be taken for the field's own."""
    return {"type": {**KIND, **changes}, "doc": "Sort."}


KIND_FIELD = enum()


@dataclass(frozen=True, slots=True)
class Case:
    """One change. ``new_reads`` and ``old_reads`` are (what the other wrote, what is read or FAILS)."""

    name: str
    old: Mapping[str, Any]
    new: Mapping[str, Any]
    allowed: Sequence[str]
    new_reads: tuple[Mapping[str, Any], Any]
    old_reads: tuple[Mapping[str, Any], Any]
    unseen: Unseen | None = None
    before: Sequence[Mapping[str, Any]] = field(default=())
    """Versions before ``old``, oldest first."""


CASES = (
    # ---- fields come and go
    Case("field added, nullable with default", thing(a="int"), thing(a="int", b=NULLABLE), ALL,
         ({"a": 1}, {"a": 1, "b": None}), ({"a": 1, "b": "x"}, {"a": 1})),
    Case("field added, with a default that is a value", thing(a="int"),
         thing(a="int", b={"type": "long", "default": 7}),
         ALL, ({"a": 1}, {"a": 1, "b": 7}), ({"a": 1, "b": 2}, {"a": 1})),
    Case("field added, required", thing(a="int"), thing(a="int", b="string"), NEVER,
         ({"a": 1}, FAILS), ({"a": 1, "b": "x"}, {"a": 1})),
    Case("field added, nullable without default", thing(a="int"), thing(a="int", b=["null", "string"]), NEVER,
         ({"a": 1}, FAILS), ({"a": 1, "b": "x"}, {"a": 1})),
    Case("field removed, required", thing(a="int", b="string"), thing(a="int"), BACKWARDS,
         ({"a": 1, "b": "x"}, {"a": 1}), ({"a": 1}, FAILS)),
    Case("field removed, that had a default", thing(a="int", b=NULLABLE), thing(a="int"), ALL,
         ({"a": 1, "b": "x"}, {"a": 1}), ({"a": 1}, {"a": 1, "b": None})),
    Case("field removed and later back with another type", thing(a="int"),
         thing(a="int", b={"type": "int", "default": 0}),
         LATEST, ({"a": 1}, {"a": 1, "b": 0}), ({"a": 1, "b": 2}, {"a": 1}),
         before=(thing(a="int", b={"type": "string", "default": ""}),)),
    Case("field required again after a version without it", thing(a="int", b=NULLABLE),
         thing(a="int", b=["null", "string"]),
         LATEST, ({"a": 1, "b": "x"}, {"a": 1, "b": "x"}), ({"a": 1, "b": None}, {"a": 1, "b": None}),
         before=(thing(a="int"),)),
    Case("money removed and later back with another scale", thing(a="int"),
         thing(a="int", m={"type": ["null", CENTS], "default": None}), LATEST,
         ({"a": 1}, {"a": 1, "m": None}), ({"a": 1, "m": Decimal("2.50")}, {"a": 1}),
         before=(thing(a="int", m={"type": ["null", MONEY], "default": None}),)),
    # ---- names
    Case("field renamed, without alias", thing(a="int"), thing(b="int"), NEVER,
         ({"a": 1}, FAILS), ({"b": 1}, FAILS)),
    Case("field renamed, with alias", thing(a="int"), thing(b={"type": "int", "aliases": ["a"]}), BACKWARDS,
         ({"a": 1}, {"b": 1}), ({"b": 1}, FAILS)),
    Case("field renamed, with alias and another scale", thing(a=MONEY),
         thing(b={"type": PRICE, "aliases": ["a"]}), NEVER,
         ({"a": Decimal("1.5")}, {"b": Decimal("1.5000")}), ({"b": Decimal("1.5")}, FAILS), unseen="logical-type"),
    Case("record renamed, without alias", thing(a="int"), thing("Item", a="int"), NEVER,
         ({"a": 1}, FAILS), ({"a": 1}, FAILS)),
    Case("record renamed, with alias", thing(a="int"), {**thing("Item", a="int"), "aliases": ["Thing"]}, BACKWARDS,
         ({"a": 1}, {"a": 1}), ({"a": 1}, FAILS)),
    Case("namespace changed", thing(a="int"), thing(namespace="hub", a="int"), ALL,
         ({"a": 1}, {"a": 1}), ({"a": 1}, {"a": 1})),
    Case("namespace and scale changed", thing(a=MONEY), thing(namespace="hub", a=CENTS), NEVER,
         ({"a": Decimal("1.5")}, {"a": Decimal("1.5000")}), ({"a": Decimal("1.5")}, {"a": Decimal("1.50")}),
         unseen="logical-type"),
    Case("enum renamed, with alias", thing(a=KIND_FIELD),
         thing(a=enum(name="Sort", aliases=["Kind"])), BACKWARDS, ({"a": "A"}, {"a": "A"}), ({"a": "A"}, FAILS)),
    # ---- types
    Case("int widened to long", thing(a="int"), thing(a="long"), BACKWARDS,
         ({"a": 1}, {"a": 1}), ({"a": 1}, FAILS)),
    Case("long narrowed to int", thing(a="long"), thing(a="int"), NEVER,
         ({"a": 2**40}, FAILS), ({"a": 1}, {"a": 1})),
    Case("string to bytes", thing(a="string"), thing(a="bytes"), ALL,
         ({"a": "x"}, {"a": b"x"}), ({"a": b"x"}, {"a": "x"})),
    Case("string to int", thing(a="string"), thing(a="int"), NEVER,
         ({"a": "1"}, FAILS), ({"a": 1}, FAILS)),
    Case("one to many", thing(a="int"), thing(a={"type": "array", "items": "int"}), NEVER,
         ({"a": 1}, FAILS), ({"a": [1]}, FAILS)),
    Case("array items widened", thing(a={"type": "array", "items": "int"}), thing(a={"type": "array", "items": "long"}),
         BACKWARDS, ({"a": [1]}, {"a": [1]}), ({"a": [1]}, FAILS)),
    Case("map values changed", thing(a={"type": "map", "values": "string"}), thing(a={"type": "map", "values": "long"}),
         NEVER, ({"a": {"x": "1"}}, FAILS), ({"a": {"x": 1}}, FAILS)),
    Case("array of records, field added", thing(a={"type": "array", "items": LINE}),
         thing(a={"type": "array", "items": LINE_WITH_NOTE}), ALL,
         ({"a": [{"no": 1}]}, {"a": [{"no": 1, "note": None}]}), ({"a": [{"no": 1, "note": "x"}]}, {"a": [{"no": 1}]})),
    Case("array of records, field narrowed", thing(a={"type": "array", "items": LONG_LINE}),
         thing(a={"type": "array", "items": LINE}), NEVER,
         ({"a": [{"no": 1}]}, FAILS), ({"a": [{"no": 1}]}, {"a": [{"no": 1}]})),
    Case("fixed of another size", thing(a={"type": "fixed", "name": "Hash", "size": 4}),
         thing(a={"type": "fixed", "name": "Hash", "size": 8}), NEVER, ({"a": b"1234"}, FAILS),
         ({"a": b"12345678"}, FAILS)),
    # ---- unions
    Case("made nullable", thing(a="string"), thing(a=NULLABLE), BACKWARDS,
         ({"a": "x"}, {"a": "x"}), ({"a": None}, FAILS)),
    Case("made required", thing(a=NULLABLE), thing(a="string"), NEVER,
         ({"a": None}, FAILS), ({"a": "x"}, {"a": "x"})),
    Case("union branch added", thing(a=["null", "string"]), thing(a=["null", "string", "long"]), BACKWARDS,
         ({"a": "x"}, {"a": "x"}), ({"a": 1}, FAILS)),
    Case("union branch removed", thing(a=["null", "string", "long"]), thing(a=["null", "string"]), NEVER,
         ({"a": 1}, FAILS), ({"a": "x"}, {"a": "x"})),
    Case("union reordered", thing(a=["null", "string"]), thing(a=["string", "null"]), ALL,
         ({"a": "x"}, {"a": "x"}), ({"a": None}, {"a": None})),
    # ---- decimals and other logical types
    Case("T25 decimal scale (18,2) to (18,4)", thing(a={**CENTS, "precision": 18}), thing(a={**MONEY, "precision": 18}),
         NEVER, ({"a": Decimal("1234.56")}, {"a": Decimal("1234.56")}),
         ({"a": Decimal("1234.5678")}, {"a": Decimal("1234.5678")}), unseen="logical-type"),
    Case("decimal precision raised", thing(a=MONEY), thing(a={**MONEY, "precision": 38}), NEVER,
         ({"a": Decimal("1.5")}, {"a": Decimal("1.5000")}), ({"a": Decimal("1.5")}, {"a": Decimal("1.5000")}),
         unseen="logical-type"),
    Case("T25 bytes become a decimal", thing(a="bytes"), thing(a=MONEY), NEVER,
         ({"a": b"\x3a\x98"}, {"a": b"\x3a\x98"}), ({"a": Decimal("1.5")}, {"a": Decimal("1.5000")}),
         unseen="logical-type"),
    Case("decimal loses its logical type", thing(a=MONEY), thing(a="bytes"), NEVER,
         ({"a": Decimal("1.5")}, {"a": Decimal("1.5000")}), ({"a": b"\x3a\x98"}, {"a": b"\x3a\x98"}),
         unseen="logical-type"),
    Case("nullable decimal of another scale", thing(a=["null", MONEY]), thing(a=["null", PRICE]), NEVER,
         ({"a": Decimal("1.5")}, {"a": Decimal("1.5000")}), ({"a": Decimal("1.5")}, {"a": Decimal("1.500000")}),
         unseen="logical-type"),
    Case("map of decimals of another scale", thing(a={"type": "map", "values": MONEY}),
         thing(a={"type": "map", "values": CENTS}), NEVER,
         ({"a": {"x": Decimal("1.5")}}, {"a": {"x": Decimal("1.5000")}}),
         ({"a": {"x": Decimal("1.5")}}, {"a": {"x": Decimal("1.50")}}), unseen="logical-type"),
    Case("date loses its logical type", thing(a=DATE), thing(a="int"), NEVER,
         ({"a": DAY}, {"a": DAY}), ({"a": 20000}, {"a": 20000}), unseen="logical-type"),
    Case("number becomes a date", thing(a="int"), thing(a=DATE), NEVER,
         ({"a": 20000}, {"a": 20000}), ({"a": DAY}, {"a": DAY}), unseen="logical-type"),
    Case("milliseconds become microseconds", thing(a=MILLIS), thing(a=MICROS), NEVER,
         ({"a": INSTANT}, {"a": INSTANT}), ({"a": INSTANT}, {"a": INSTANT}),
         unseen="logical-type"),
    Case("decimal made nullable", thing(a=MONEY), thing(a={"type": ["null", MONEY], "default": None}), BACKWARDS,
         ({"a": Decimal("1.5")}, {"a": Decimal("1.5000")}), ({"a": None}, FAILS)),
    # ---- enums
    Case("enum symbol added", thing(a=KIND_FIELD), thing(a=enum(symbols=["UNKNOWN", "A", "B", "C"])), ALL,
         ({"a": "A"}, {"a": "A"}), ({"a": "C"}, {"a": "UNKNOWN"})),
    Case("enum symbol added, no default", thing(a=BARE_KIND),
         thing(a={**BARE_KIND, "symbols": ["UNKNOWN", "A", "B", "C"]}),
         BACKWARDS, ({"a": "A"}, {"a": "A"}), ({"a": "C"}, FAILS)),
    Case("enum symbol removed", thing(a=KIND_FIELD), thing(a=enum(symbols=["UNKNOWN", "A"])), NEVER,
         ({"a": "B"}, {"a": "UNKNOWN"}), ({"a": "A"}, {"a": "A"}), unseen="enum-symbol"),
    Case("enum symbols reordered", thing(a=KIND_FIELD), thing(a=enum(symbols=["UNKNOWN", "B", "A"])), ALL,
         ({"a": "A"}, {"a": "A"}), ({"a": "B"}, {"a": "B"})),
    Case("enum given a default", thing(a=BARE_KIND), thing(a=KIND_FIELD), ALL,
         ({"a": "A"}, {"a": "A"}), ({"a": "B"}, {"a": "B"})),
    Case("enum given another default", thing(a=KIND_FIELD), thing(a=enum(default="A")), NEVER,
         ({"a": "B"}, {"a": "B"}), ({"a": "B"}, {"a": "B"}), unseen="default-changed"),
    Case("enum to string", thing(a=KIND_FIELD), thing(a="string"), NEVER, ({"a": "A"}, FAILS), ({"a": "A"}, FAILS)),
    # ---- defaults and what does not count
    Case("default given", thing(a="int"), thing(a={"type": "int", "default": 3}), ALL,
         ({"a": 1}, {"a": 1}), ({"a": 2}, {"a": 2})),
    Case("default taken away", thing(a={"type": "int", "default": 3}), thing(a="int"), ALL,
         ({"a": 1}, {"a": 1}), ({"a": 2}, {"a": 2})),
    Case("default changed", thing(a="int", b={"type": "int", "default": 3}),
         thing(a="int", b={"type": "int", "default": 4}),
         NEVER, ({"a": 1, "b": 3}, {"a": 1, "b": 3}), ({"a": 1, "b": 4}, {"a": 1, "b": 4}), unseen="default-changed"),
    Case("documentation only", thing(a="int"), {**thing(a={"type": "int", "doc": "New."}), "doc": "New."}, ALL,
         ({"a": 1}, {"a": 1}), ({"a": 1}, {"a": 1})),
    Case("fields reordered", thing(a="int", b="string"), thing(b="string", a="int"), ALL,
         ({"a": 1, "b": "x"}, {"a": 1, "b": "x"}), ({"a": 1, "b": "x"}, {"a": 1, "b": "x"})),
)  # fmt: skip


def read(written: Mapping[str, Any], writer: Mapping[str, Any], reader: Mapping[str, Any]) -> Any:
    return fastavro.schemaless_reader(bytes_of(written, writer), parsed(writer), parsed(reader))


def bytes_of(written: Mapping[str, Any], writer: Mapping[str, Any]) -> io.BytesIO:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, parsed(writer), dict(written))
    out.seek(0)
    return out


def parsed(schema: Mapping[str, Any]) -> Any:
    return fastavro.parse_schema(dict(schema))


def test_there_are_forty_changes_and_each_has_its_own_name() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 40


def test_the_levels_of_the_matrix_are_those_of_our_topics() -> None:
    declared = {topic.metadata.annotations.compatibility for topic in load_topics()} - {"NONE"}
    assert declared == {B, BT, FT}
    assert declared < set(get_args(Compatibility))


@pytest.mark.parametrize("level", [B, BT, FT])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_level_allows_what_is_predicted(case: Case, level: Compatibility) -> None:
    reasons = refusals(case.new, [*case.before, case.old], level)
    assert (not reasons) == (level in case.allowed), reasons


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_a_registry_would_let_pass_is_marked_as_predicted(case: Case) -> None:
    found = {one.unseen for one in differences(case.old, case.new) if one.unseen}
    assert found == ({case.unseen} if case.unseen else set())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_version_reads_of_the_other_what_is_predicted(case: Case) -> None:
    ways = ((case.old, case.new, case.new_reads), (case.new, case.old, case.old_reads))
    for writer, reader, (written, expected) in ways:
        if expected == FAILS:
            with pytest.raises(SchemaResolutionError):
                read(written, writer, reader)
        else:
            assert read(written, writer, reader) == expected


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_a_level_allows_is_read_by_those_it_promises_it_to(case: Case) -> None:
    if case.allowed:
        assert case.new_reads[1] != FAILS
    if FT in case.allowed:
        assert case.old_reads[1] != FAILS


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("T25 decimal scale (18,2) to (18,4)", Decimal("12.3456")),
        ("field renamed, with alias and another scale", Decimal("0.015")),
        ("namespace and scale changed", Decimal("150.00")),
        ("T25 bytes become a decimal", Decimal("1.5")),
        ("milliseconds become microseconds", dt.datetime(1970, 1, 20, 16, 13, 20, tzinfo=dt.UTC)),
        ("number becomes a date", DAY),
    ],
)
def test_t25_a_reader_that_trusts_its_own_schema_sees_another_value(name: str, seen: object) -> None:
    # fastavro takes the writer's logical type; a reader in another language may take its own, and nothing fails.
    case = next(one for one in CASES if one.name == name)
    trusting: Any = fastavro.schemaless_reader(bytes_of(case.new_reads[0], case.old), parsed(case.new), None)
    (value,) = trusting.values()
    assert value == seen != next(iter(case.new_reads[0].values()))


def test_a_type_that_holds_itself_is_compared_to_its_end() -> None:
    def tree(kind: str) -> dict[str, Any]:
        return thing(a=kind, below={"type": "array", "items": "tieline.Thing"})

    assert refusals(tree("long"), [tree("int")], "FULL") == ("Thing.a: long cannot be read as int (old reads new)",)
    assert refusals(tree("long"), [tree("int")], "BACKWARD") == ()


def test_nothing_is_refused_where_no_level_is_declared_or_nothing_came_before() -> None:
    assert refusals(thing(a=CENTS), [thing(a=MONEY)], "NONE") == ()
    assert refusals(thing(a=MONEY), [], "FULL_TRANSITIVE") == ()


def test_forward_asks_the_old_version_to_read_the_new_one() -> None:
    assert refusals(thing(a="int"), [thing(a="int", b="string")], "FORWARD") == (
        "Thing.b: it is not always there, and has no default (old reads new)",
    )
    assert refusals(thing(a="int", b="string"), [thing(a="int")], "FORWARD") == ()

"""What a model demands of a value beside its Avro type, in a form that a reader's code can be written from.

It is read from pydantic's own core schema, so that it is what pydantic would check. A demand may be stricter than the
model's, never laxer: what does not meet it is left to the model itself, which takes it or says what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from tieline.kernel.vocabulary import Exact, Model

# All that a core schema may say of a value of each type. What else it said would be a check that is not made here.
_KNOWN: Mapping[str, frozenset[str]] = {
    "definitions": frozenset({"schema", "definitions"}),
    "definition-ref": frozenset({"schema_ref"}),
    "default": frozenset({"schema", "default"}),
    "nullable": frozenset({"schema"}),
    "model": frozenset({"cls", "schema", "config", "custom_init", "root_model"}),
    "model-fields": frozenset({"fields", "model_name", "computed_fields"}),
    "model-field": frozenset({"schema"}),
    "tuple": frozenset({"items_schema", "variadic_item_index"}),
    "dict": frozenset({"keys_schema", "values_schema"}),
    "str": frozenset({"min_length", "max_length", "pattern"}),
    "enum": frozenset({"cls", "members", "sub_type"}),
    "function-after": frozenset({"function", "schema"}),
    "int": frozenset({"ge", "le"}),
    "datetime": frozenset({"tz_constraint", "microseconds_precision"}),
    "decimal": frozenset(),
    "date": frozenset(),
    "bool": frozenset(),
    "bytes": frozenset(),
}
_OF_NO_CHECK = frozenset({"type", "ref", "metadata"})
_CONFIG = frozenset({"title", "strict", "extra_fields_behavior"})  # nothing is converted or left over here
_LONG = (-(2**63), 2**63 - 1)


@dataclass(frozen=True, slots=True)
class Demand:
    """What is demanded of one value. Each kind of value looks only at what concerns it."""

    kind: str
    """The type of pydantic's core schema: str, tuple, model ..."""
    nullable: bool = False
    model: type[Model] | None = None
    fields: Mapping[str, Demand] = field(default_factory=dict)
    """Of each field of a record."""
    inner: Demand | None = None
    """Of each item of a list, and of each value of a map."""
    keys: Demand | None = None
    enum: type[Enum] | None = None
    shortest: int = 0
    longest: int | None = None
    """Of a text, in bytes: one of more bytes may have few enough characters all the same, which the model counts."""
    fits: Callable[[str], object] | None = None
    exact: Exact | None = None


def demand_of(model: type[Model]) -> Demand:
    """What a model demands. Raises ``TypeError`` where it checks something that is not known here."""
    return _demand(model.__pydantic_core_schema__, {})


def _demand(schema: Mapping[str, Any], shared: Mapping[str, Mapping[str, Any]]) -> Demand:
    _refuse_unknown(schema)
    match schema:
        case {"type": "definitions", "schema": inner, "definitions": definitions}:
            return _demand(inner, {**shared, **{one["ref"]: one for one in definitions}})
        case {"type": "definition-ref", "schema_ref": ref}:
            return _demand(shared[ref], shared)
        case {"type": "default", "schema": inner}:
            return _demand(inner, shared)  # every field is given
        case {"type": "nullable", "schema": inner}:
            return replace(_demand(inner, shared), nullable=True)
        case {"type": "model" | "tuple" | "dict"}:
            return _holding(schema, shared)
        case _:
            return _plain(schema)


def _holding(schema: Mapping[str, Any], shared: Mapping[str, Mapping[str, Any]]) -> Demand:
    """What is demanded of a value that holds others."""
    match schema:
        case {"type": "tuple", "items_schema": [item], "variadic_item_index": 0}:
            return Demand("tuple", inner=_demand(item, shared))
        case {"type": "dict", "keys_schema": keys, "values_schema": values}:
            return Demand("dict", inner=_demand(values, shared), keys=_demand(keys, shared))
        case {
            "type": "model",
            "cls": cls,
            "schema": {"type": "model-fields", "fields": fields},
            "custom_init": False,
            "root_model": False,
            "config": config,
        } if config.keys() <= _CONFIG:
            _refuse_unknown(schema["schema"])
            return Demand("model", model=cls, fields={name: _field(one, shared) for name, one in fields.items()})
        case _:
            raise TypeError(f"a {schema['type']} of a kind that is not known here")


def _field(schema: Mapping[str, Any], shared: Mapping[str, Mapping[str, Any]]) -> Demand:
    _refuse_unknown(schema)
    return _demand(schema["schema"], shared)


def _plain(schema: Mapping[str, Any]) -> Demand:
    """What is demanded of a value that holds no others."""
    match schema:
        case {"type": "str"}:
            pattern, least = schema.get("pattern"), schema.get("min_length", 0)
            return Demand(
                "str",
                shortest=4 * least - 3 if least else 0,  # so many bytes are so many characters, whatever they are
                longest=schema.get("max_length"),
                fits=None if pattern is None else _whole(pattern),
            )
        case {"type": "function-after", "function": {"type": "no-info", "function": Exact() as exact}}:
            _refuse_unknown(schema["schema"])
            if schema["schema"]["type"] != "decimal":
                raise TypeError("an exact number that is no decimal")
            return Demand("decimal", exact=exact)
        case {"type": "enum", "cls": cls, "sub_type": "str"}:
            return Demand("enum", enum=cls)
        case {"type": "int"} if schema.get("ge", _LONG[0]) <= _LONG[0] and schema.get("le", _LONG[1]) >= _LONG[1]:
            return Demand("int")
        case {"type": "datetime", "tz_constraint": "aware"}:
            return Demand("datetime")
        case {"type": "date" | "bool" | "bytes" as kind}:
            return Demand(kind)
        case _:
            raise TypeError(f"a check of {schema['type']} that is not known here")


def _refuse_unknown(schema: Mapping[str, Any]) -> None:
    kind = schema["type"]
    if kind not in _KNOWN or not schema.keys() <= _KNOWN[kind] | _OF_NO_CHECK:
        raise TypeError(f"a check of {kind} that is not known here")


def _whole(pattern: str) -> Callable[[str], object]:
    """Whether a text fits a pattern from end to end. Of ASCII only, where pydantic's own engine knows every script."""
    if not (pattern.startswith("^") and pattern.endswith("$")):
        raise TypeError(f"the pattern {pattern} does not hold for a whole text")
    return re.compile(pattern[1:-1], re.ASCII).fullmatch

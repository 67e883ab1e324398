"""Values inside a vendor's record, by dotted paths (``location.name``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

Record = Mapping[str, object]
"""One record as its system gave it, parsed by ``strict_json``: numbers with a point are ``Decimal``."""


def value_at(record: Record, path: str) -> object:
    """The value under a dotted path; None when a part of it is missing."""
    value: object = record
    for part in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value


def has_key(record: Record, path: str) -> bool:
    """Whether the record has the key of a dotted path, whatever it holds."""
    outer, _, last = path.rpartition(".")
    holder = value_at(record, outer) if outer else record
    return isinstance(holder, Mapping) and last in holder


def put_at(record: dict[str, object], path: str, value: object) -> None:
    """Set the value under a dotted path, making the objects on the way."""
    *outer, last = path.split(".")
    target = record
    for part in outer:
        target = cast("dict[str, object]", target.setdefault(part, {}))
    target[last] = value

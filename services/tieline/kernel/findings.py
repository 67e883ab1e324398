"""What a check of topics and schemas can find: the names of its rules, and one broken rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tieline.kernel.schema_changes import Unseen

Rule = (
    Unseen
    | Literal[
        "compatibility",
        "topic-file",
        "schema-file",
        "unknown-record",
        "orphan-schema",
        "missing-doc",
        "decimal-size",
        "field-kind",
        "currency",
        "event-times",
        "float",
        "enum-unknown",
        "nullable-default",
        "dead-letter-partitions",
        "retention",
        "state-compacted",
        "known-party",
        "model-mirror",
    ]
)


@dataclass(frozen=True, slots=True)
class Finding:
    """A broken rule: which, where, and what to do."""

    rule: Rule
    place: str
    message: str

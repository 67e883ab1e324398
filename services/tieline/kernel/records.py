"""Kafka records as the loops see them: frozen, with their coordinates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tieline.kernel.vocabulary import Model

HEADERS_UNREADABLE = "tl_headers_unreadable"
"""Stands alone for the headers of a record whose headers the client cannot give: a name in them is not UTF-8."""


@dataclass(frozen=True, slots=True)
class Inbound:
    """One record read from a topic, undecoded. ``timestamp_ms`` is the broker's or producer's, milliseconds UTC."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp_ms: int = 0

    def header(self, name: str) -> str | None:
        """The last header of that name as text, or None."""
        for key, value in reversed(self.headers):
            if key == name:
                return value.decode("utf-8", "replace")
        return None

    @property
    def coordinates(self) -> str:
        """``topic/partition/offset``, as people and dead letters name a record."""
        return f"{self.topic}/{self.partition}/{self.offset}"

    @property
    def key_text(self) -> str:
        """The key as text; empty when there is none."""
        return (self.key or b"").decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Typed:
    """A decoded value: the name of its Avro record (``AssetMoved``) and its content."""

    name: str
    body: Model


@dataclass(frozen=True, slots=True)
class Outbound:
    """One record to be written. ``value`` is a typed body, raw bytes passed through, or None for a tombstone.

    ``partition_key`` decides the partition where it differs from ``key``: composite keys live with their aggregate.
    """

    topic: str
    key: str | bytes | None
    value: Typed | bytes | None
    headers: Mapping[str, str | bytes] = field(default_factory=dict)
    partition_key: str | None = None

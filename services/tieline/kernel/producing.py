"""From ``Outbound`` to the broker: encoding, CloudEvents headers, partitions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaException, Producer

from tieline.kernel import broker
from tieline.kernel.clock import Clock
from tieline.kernel.codecs import Codec
from tieline.kernel.dead_letters import REPLAY_OF
from tieline.kernel.partitioning import partition_of
from tieline.kernel.records import Inbound, Outbound, Typed

CORRELATION = "ce_correlationid"
EVENT_HEADERS: Mapping[str, str] = {
    "ce_specversion": "Version of CloudEvents: 1.0, binary mode.",
    "ce_id": "Id of the event, the same after a retry: writer, coordinates of its cause, ordinal.",
    "ce_type": "Avro record in the value, with its namespace.",
    "ce_source": "Process that wrote it: /tieline/<name>.",
    "ce_time": "When it was written (UTC).",
    CORRELATION: "Coordinates (topic/partition/offset) of the record that everything here goes back to.",
    "ce_causationid": "Coordinates of the record that caused this one.",
    "content-type": "application/avro, in Confluent framing.",
}
"""The CloudEvents attributes on every typed record, and what they mean."""
_MAX_DIGITS = 13  # milliseconds until the year 2286
CHANGED_AT_MS = "tl_changed_at_ms"
"""When a system made the change that everything here goes back to (Unix time, ms); not what a person sent again."""


def source_of(correlation: str | None) -> str:
    """System whose raw record a correlation names; empty if it names none."""
    parts = (correlation or "").split(".")
    return parts[1] if len(parts) > 2 and parts[0] == "src" else ""  # noqa: PLR2004  - src.<system>.…


def read_ms(text: str | None) -> int | None:
    """A time out of a header (Unix time, ms); None for what is none, and for what no calendar has."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS else None


def pass_on(cause: Inbound) -> dict[str, str | bytes]:
    """The header that says when the change began, for what a record causes; none if a person sent the record again."""
    began = None if cause.header(REPLAY_OF) is not None else cause.header(CHANGED_AT_MS)
    return {} if began is None else {CHANGED_AT_MS: began}


class Writer:
    """Writes outbound records with one producer. Blocks only while the client's send buffer is full.

    Raises ``KafkaException`` when the producer can do nothing any more, with the code that says why.
    """

    def __init__(self, name: str, codec: Codec, partitions: Mapping[str, int], clock: Clock) -> None:
        self._name = name
        self._codec = codec
        self._partitions = partitions
        self._clock = clock
        self._cause: Inbound | None = None
        self._said_of_cause: tuple[str, str, dict[str, str | bytes]] = ("", "", {})

    def write(self, producer: Producer, record: Outbound, cause: Inbound | None, ordinal: int) -> None:
        """Queue one record. ``ordinal`` counts what one cause gave, so that the event id is the same after a retry."""
        value = record.value
        data = self._codec.encode(record.topic, value) if isinstance(value, Typed) else value
        headers = record.headers
        if isinstance(value, Typed):
            headers = {**self._event_headers(value, cause, ordinal), **headers}
        arguments: dict[str, Any] = {}
        if record.partition_key is not None:
            arguments["partition"] = partition_of(record.partition_key, self._partitions[record.topic])
        while True:
            try:
                producer.produce(record.topic, value=data, key=record.key, headers=list(headers.items()), **arguments)
            except BufferError:
                producer.poll(0.1)
            except KafkaException as error:
                raise broker.why_refused(producer, error) from error
            else:
                return

    def _event_headers(self, value: Typed, cause: Inbound | None, ordinal: int) -> dict[str, str | bytes]:
        origin, correlation, passed_on = self._beginning(cause)
        return {
            **passed_on,
            "ce_specversion": "1.0",
            "ce_id": f"{self._name}:{origin}:{ordinal}",
            "ce_type": f"tieline.{value.name}",
            "ce_source": f"/tieline/{self._name}",
            "ce_time": self._clock().isoformat(timespec="milliseconds"),
            CORRELATION: correlation,
            "ce_causationid": origin,
            "content-type": "application/avro",
        }

    def _beginning(self, cause: Inbound | None) -> tuple[str, str, dict[str, str | bytes]]:
        """What everything that one cause gives says of it alike: its coordinates, where it goes back to, since when."""
        if cause is None:
            now = self._clock().isoformat()
            return now, now, {}
        if cause is not self._cause:  # what it gives is written one after the other
            self._cause = cause
            origin = cause.coordinates
            self._said_of_cause = origin, cause.header(CORRELATION) or origin, pass_on(cause)
        return self._said_of_cause

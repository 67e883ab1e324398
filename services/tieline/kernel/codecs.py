"""Avro bytes to records and back, in Confluent framing: magic byte 0, schema id (4 bytes, big endian), Avro body.

A schema id counts only if the registry lists it under one of the subjects declared for the topic it arrived on:
a stock deserialiser accepts the id of any subject, and a foreign schema can crash the process that follows it.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import quote

import fastavro
from pydantic import ValidationError

from tieline.kernel import (
    asset_records,
    audit_records,
    book_records,
    command_records,
    conflict_records,
    cost_records,
    drift_records,
    equipment_records,
    invoice_records,
    ledger_records,
    memory,
    movement_records,
    order_records,
    period_records,
    procurement_records,
    reference_records,
    removed_records,
    vocabulary,
)
from tieline.kernel.declarations import Topic, schema_text, subject
from tieline.kernel.errors import Rejected, Retryable, Stop
from tieline.kernel.records import Typed
from tieline.kernel.registry import Registry
from tieline.kernel.serialising import Make, Read, Write, maker_of, parsed, reader_of, writer_of
from tieline.kernel.vocabulary import Model

MAGIC = 0
HEAD_BYTES = 5  # the frame: one magic byte, four of schema id
MAX_VALUE_BYTES = 1_000_000  # the broker's own default limit; nothing legitimate comes near it

MIRRORS = (
    vocabulary,
    asset_records,
    book_records,
    period_records,
    order_records,
    cost_records,
    command_records,
    memory,
    audit_records,
    conflict_records,
    drift_records,
    equipment_records,
    invoice_records,
    ledger_records,
    movement_records,
    procurement_records,
    reference_records,
    removed_records,
)
"""Modules whose classes mirror the Avro record of their name."""
_SHARED_SHAPES: Mapping[str, type[Model]] = {
    **dict.fromkeys(
        ("AssetRegistered", "AssetChanged", "AssetMoved", "AssetPlacedInService", "AssetDisposed"),
        asset_records.AssetEvent,
    ),
    **dict.fromkeys(("AssetAssigned", "AssetReturned", "AssetCostCentreChanged"), asset_records.AssetEvent),
    **dict.fromkeys(("AssetMerged", "AssetSeparated"), asset_records.AssetMergeEvent),
    **dict.fromkeys(("EquipmentLinked", "EquipmentLinkChanged"), equipment_records.EquipmentLinkEvent),
    **dict.fromkeys(("PoApproved", "PoChanged", "PoLineCancelled", "PoClosed", "PoReopened"), order_records.OrderEvent),
    "DepreciationScheduleReplaced": book_records.AssetBookChanged,
    **dict.fromkeys(
        (f"DepreciationRun{step}" for step in ("Started", "Posted", "Failed", "Completed")),
        book_records.DepreciationRunEvent,
    ),
    **dict.fromkeys(("CostPosted", "CostCapitalised", "CostReversed"), cost_records.CostEvent),
    **dict.fromkeys(("PeriodOpened", "PeriodClosing", "PeriodClosed", "PeriodReopened"), period_records.PeriodEvent),
    **dict.fromkeys(("GoodsReceived", "GoodsReceiptReversed"), order_records.ReceiptEvent),
    **dict.fromkeys(("InvoiceMatched", "InvoiceReversed"), order_records.InvoiceEvent),
    **dict.fromkeys(
        ("AssetCapitalised", "AssetCostAdjusted", "AssetReclassified", "AssetCapitalisationReversed"),
        order_records.AcquisitionEvent,
    ),
    **dict.fromkeys(audit_records.EVENT_NAMES.values(), audit_records.AuditEvent),
    **dict.fromkeys(movement_records.EVENT_NAMES.values(), movement_records.MovementEvent),
    **dict.fromkeys(("ReferenceAdded", "ReferenceChanged", "ReferenceRemoved"), reference_records.ReferenceEvent),
}


def model_of(name: str) -> type[Model]:
    """The class that mirrors the Avro record ``name``. Raises ``KeyError`` if there is none."""
    places = (getattr(module, name, None) for module in MIRRORS)
    for found in (_SHARED_SHAPES.get(name), *places):
        if isinstance(found, type) and issubclass(found, Model):
            return found
    raise KeyError(name)


class Shapes(Protocol):
    """The records that a codec knows, by name: their classes and their schemas."""

    def model_of(self, name: str) -> type[Model]:
        """The class that mirrors the record. Raises ``KeyError`` if there is none."""
        ...

    def schema_text(self, name: str) -> str:
        """Its schema as the registry gets it. Raises ``Stop`` if there is none."""
        ...


class OwnShapes:
    """The hub's own records."""

    def model_of(self, name: str) -> type[Model]:
        """See ``Shapes``."""
        return model_of(name)

    def schema_text(self, name: str) -> str:
        """See ``Shapes``."""
        return schema_text(name)


_Reader = tuple[str, type[Model], Callable[[bytes], tuple[Any, bool]]]
"""Name and class of a record, and what reads its body: the content, and whether bytes are left over.

The content is the record itself, or what its class is still to validate.
"""
_Refusal = str
"""Why nothing is read with a schema id on a topic."""


class SchemaIds(Protocol):
    """What the codec asks of a registry."""

    def id_of(self, subject_name: str, text: str) -> int | None:
        """The id of this very schema under the subject, or None. Raises ``Retryable`` if the registry is out."""
        ...

    def find(self, schema_id: int) -> tuple[str, frozenset[str]] | None:
        """Schema text and subjects of an id, or None if unknown. Raises ``Retryable`` if the registry is out."""
        ...


class Codec:
    """Encodes and decodes for a fixed set of topics. Blocks only on the first sight of a schema id."""

    def __init__(self, topics: Mapping[str, Topic], registry: SchemaIds, shapes: Shapes | None = None) -> None:
        self._shapes = shapes or OwnShapes()
        self._topics = topics
        self._registry = registry
        self._writers: dict[tuple[str, str], tuple[bytes, Write]] = {}
        self._readers: dict[tuple[str, int], _Reader | _Refusal] = {}

    def is_raw(self, topic: str) -> bool:
        """Whether the topic carries bytes without a schema. Raises ``Stop`` for an undeclared topic."""
        if topic not in self._topics:
            raise Stop(f"{topic} is not a declared topic; see topics/")
        return not self._topics[topic].records

    def encode(self, topic: str, value: Typed) -> bytes:
        """Bytes of a typed value. Raises ``Stop`` if the topic does not declare the record or it is not registered."""
        key = (topic, value.name)
        if key not in self._writers:
            self._writers[key] = self._writer(topic, value.name)
        head, write = self._writers[key]
        out = bytearray(head)
        write(out, value.body)
        return bytes(out)

    def decode(self, topic: str, data: bytes) -> Typed:
        """The typed value in ``data``. Raises ``Rejected`` with the reason for bytes that are not a valid one."""
        name, kind, read = self.admit(topic, data)
        try:
            content, is_whole = read(data)
        except Exception as error:  # reading raises whatever the bytes provoke; all of it means bad bytes
            raise Rejected(f"{name}: cannot be decoded ({type(error).__name__}: {error})") from error
        if not is_whole:
            raise Rejected(f"{name}: bytes are left over after the record")
        if isinstance(content, Model):
            return Typed(name, content)
        try:
            return Typed(name, kind.model_validate(content, strict=False))
        except ValidationError as error:
            first = error.errors()[0]
            raise Rejected(str(first["msg"]), field=".".join(str(p) for p in first["loc"])) from error

    def admit(self, topic: str, data: bytes) -> _Reader:
        """What reads ``data``, of which only frame and size are looked at; asks the registry about a new schema id.

        Raises ``Rejected`` for what must not be decoded, ``Retryable`` when the registry is out.
        """
        if len(data) > MAX_VALUE_BYTES:
            raise Rejected(f"{len(data)} bytes; at most {MAX_VALUE_BYTES} are read")
        if len(data) < HEAD_BYTES or data[0] != MAGIC:
            raise Rejected("not in Confluent framing (magic byte 0 and a schema id)", remedy="produce it with Avro")
        schema_id = struct.unpack(">I", data[1:HEAD_BYTES])[0]
        key = (topic, schema_id)
        if key not in self._readers:
            self._readers[key] = self._reader(topic, schema_id)
        reader = self._readers[key]
        if isinstance(reader, _Refusal):
            raise Rejected(reader)
        return reader

    def _writer(self, topic: str, name: str) -> tuple[bytes, Write]:
        declared = self._topics.get(topic)
        if declared is None or name not in declared.records:
            raise Stop(f"{topic} does not declare the record {name}; see topics/")
        subject_name, text = subject(declared, name), self._shapes.schema_text(name)
        schema_id = self._registry.id_of(subject_name, text)
        if schema_id is None:
            raise Stop(f"{subject_name} has not this version of {name}; run: tieline topics apply")
        return struct.pack(">bI", MAGIC, schema_id), writer_of(text)

    def _reader(self, topic: str, schema_id: int) -> _Reader | _Refusal:
        declared = self._topics.get(topic)
        if declared is None:
            raise Stop(f"{topic} is not a declared topic; see topics/")
        text, subjects = self._registry.find(schema_id) or ("", frozenset())
        for name in declared.records:
            if subject(declared, name) not in subjects:
                continue
            wanted, kind = self._shapes.schema_text(name), self._shapes.model_of(name)
            try:
                read = _body_reader(text, wanted, kind)
            except Exception as error:  # noqa: BLE001  - a schema raises whatever its text provokes; none of it is read
                return f"schema id {schema_id} of {name} is not one that is read ({type(error).__name__}: {error})"
            return name, kind, read
        return f"schema id {schema_id} is not registered under a subject of {topic}"


def _body_reader(written_text: str, wanted_text: str, kind: type[Model]) -> Callable[[bytes], tuple[Any, bool]]:
    """What reads a frame's body: the content, as our schema has it, and whether it ends where the frame does.

    Raises ``TypeError`` and what a parser raises for a schema that is none of ours, whoever registered it.
    """
    if written_text == wanted_text or parsed(written_text) == parsed(wanted_text):
        return _own_reader(wanted_text, kind)
    written, wanted, skim = parsed(written_text), parsed(wanted_text), reader_of(written_text)

    def read_other(data: bytes) -> tuple[Any, bool]:
        # fastavro resolves schemas and believes the bytes: what they claim is looked at before it does.
        _, end = skim(data, HEAD_BYTES)
        body = io.BytesIO(data[HEAD_BYTES:])
        return fastavro.schemaless_reader(body, written, wanted), end == len(data)

    return read_other


def _own_reader(text: str, kind: type[Model]) -> Callable[[bytes], tuple[Any, bool]]:
    """What reads a body of our own schema: as its class, or as what its class is to validate."""
    make = _maker(text, kind)

    def read_own(data: bytes) -> tuple[Any, bool]:
        content: Any
        try:
            content, end = make(data, HEAD_BYTES)
        except Exception:  # noqa: BLE001  - whatever it is: the model says what is wrong, or takes it
            content, end = reader_of(text)(data, HEAD_BYTES)
        return content, end == len(data)

    return read_own


def _maker(text: str, kind: type[Model]) -> Make | Read:
    """What reads a record of ours as its class; as what its class validates, where that checks more than is known."""
    try:
        return maker_of(text, kind)
    except TypeError:
        return reader_of(text)


class ConfluentSchemaIds:
    """The real registry, by its Confluent-compatible API."""

    def __init__(self, url: str) -> None:
        self._registry = Registry(url)

    def close(self) -> None:
        """Nothing is kept open."""

    def id_of(self, subject_name: str, text: str) -> int | None:
        """See ``SchemaIds``."""
        path = f"subjects/{quote(subject_name, safe='')}?normalize=false&deleted=false"
        found = self._registry.ask(path, {"schema": text, "schemaType": "AVRO"})
        return None if found is None else int(_part(found, "id"))

    def find(self, schema_id: int) -> tuple[str, frozenset[str]] | None:
        """See ``SchemaIds``."""
        found = self._registry.ask(f"schemas/ids/{schema_id}")
        if found is None:
            return None
        subjects = self._registry.ask(f"schemas/ids/{schema_id}/subjects") or []
        return str(_part(found, "schema")), frozenset(str(name) for name in subjects)


def _part(answer: Any, name: str) -> Any:
    if not isinstance(answer, dict) or name not in answer:
        raise Retryable(f"schema registry: an answer without {name}; is registry.url the address of its API?")
    return answer[name]

"""The transactional loop on a real broker and registry: bad input, table state, crashes at awkward places."""

from __future__ import annotations

import datetime as dt
import io
import json
import struct
import threading
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import fastavro
import pytest
from confluent_kafka import Producer
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from tieline.kernel import broker
from tieline.kernel.asset_records import AssetFields, AssetReport, AssetState
from tieline.kernel.codecs import Codec, ConfluentSchemaIds
from tieline.kernel.consuming import Processor, Runtime, TransactionalLoop
from tieline.kernel.declarations import Topic, parsed_schema, schema_text, subject
from tieline.kernel.kafka_log import KafkaLog
from tieline.kernel.landscape import Kafka
from tieline.kernel.records import Inbound, Outbound, Typed
from tieline.kernel.tables import Table
from tieline.kernel.telemetry import Log
from tieline.kernel.vocabulary import Money, Origin

pytestmark = pytest.mark.integration


class Bench:
    """One processor over topics of its own names, on the session's broker and registry."""

    def __init__(self, kafka: str, ids: ConfluentSchemaIds, client: SchemaRegistryClient) -> None:
        tag = uuid.uuid4().hex[:8]
        self.name = f"bench{tag}"
        self.kafka = Kafka(bootstrap_servers=kafka, replication_factor=1)
        self.reports = self._topic(f"bench.{tag}.report.v1", ("AssetReport",), "TopicRecordName")
        self.state = self._topic(f"bench.{tag}.state.v1", ("AssetState",), "TopicName")
        self.letters = self._topic(f"hub.{self.name}.dead-letter.v1", (), "none")
        topics = {t.name: t for t in (self.reports, self.state, self.letters)}
        self.client = client
        for topic in topics.values():
            for record in topic.records:
                client.register_schema(subject(topic, record), Schema(schema_text(record), "AVRO"))
        self.create(list(topics))
        self.runtime = Runtime(
            self.kafka,
            Codec(topics, ids),
            dict.fromkeys(topics, 1),
            Log(self.name),
            lambda: False,
        )
        self.table: Table[AssetState] = Table(self.state.name, AssetState)
        self.fail_on: set[str] = set()

    def _topic(self, name: str, records: tuple[str, ...], subjects: Any) -> Topic:
        return Topic(
            name=name,
            owner="bench",
            klass=name.split(".")[-2],  # type: ignore[arg-type]  # the bench's names end like real ones
            partitions=1,
            configs={},
            key="key",
            description="A bench.",
            records=records,
            subjects=subjects,
            compatibility="NONE",
            writers=("bench",),
            readers=("bench",),
        )

    def create(self, names: list[str]) -> None:
        from confluent_kafka.admin import AdminClient  # noqa: PLC0415  - used here only
        from confluent_kafka.cimpl import NewTopic  # noqa: PLC0415  - used here only

        admin = AdminClient({"bootstrap.servers": self.kafka.bootstrap_servers})
        for future in admin.create_topics(
            [NewTopic(n, num_partitions=1, replication_factor=1) for n in names]
        ).values():
            future.result()

    def handle(self, record: Inbound, value: Typed) -> list[Outbound]:
        report = value.body
        assert isinstance(report, AssetReport)
        key = record.key_text
        old = self.table.get(key)
        version = (old.version if old else 0) + 1
        state = AssetState(asset_id=key, version=version, fields=report.fields, said_by={}, links={})
        self.table.put(key, state)
        if report.origin.native_id in self.fail_on:
            raise ZeroDivisionError
        return []

    def loop(self) -> TransactionalLoop:
        loop = TransactionalLoop(Processor(self.name, (self.reports.name,), self.handle, (self.table,)), self.runtime)
        loop.start()
        return loop

    def send(self, *values: bytes) -> None:
        producer = Producer({"bootstrap.servers": self.kafka.bootstrap_servers})
        for n, value in enumerate(values):
            producer.produce(self.reports.name, value=value, key=f"k{n}")
        assert producer.flush(10) == 0

    def report(self, native_id: str, amount: str = "10.00") -> bytes:
        origin = Origin(
            system="am", entity="asset", native_id=native_id, source_version="1", recorded_at=dt.datetime.now(dt.UTC)
        )
        money = Money.model_construct(amount=Decimal(amount), currency="EUR")
        fields = AssetFields.model_construct(acquisition_cost=money, description="Pump")
        body = AssetReport.model_construct(origin=origin, fields=fields, deleted=False)
        return self.runtime.codec.encode(self.reports.name, Typed("AssetReport", body))

    def read(self, topic: Topic) -> list[Inbound]:
        found: list[Inbound] = []
        broker.read_to_end(self.kafka, [topic.name], found.append)
        return found


@pytest.fixture
def bench(kafka: str, registry: str) -> Iterator[Bench]:
    with SchemaRegistryClient({"url": registry}) as client:
        ids = ConfluentSchemaIds(registry)
        yield Bench(kafka, ids, client)
        ids.close()


def test_a_report_becomes_state_and_a_restart_goes_on_where_it_stopped(bench: Bench) -> None:
    bench.send(bench.report("1"))
    loop = bench.loop()
    assert loop.run_once(10) == 1
    loop.close()
    bench.send(bench.report("1"))
    again = bench.loop()
    assert again.run_once(10) == 1
    assert again.run_once(0.5) == 0
    again.close()
    row = bench.table.get("k0")
    assert row is not None
    assert row.version == 2
    assert len(bench.read(bench.state)) == 2


def bad_inputs(bench: Bench) -> dict[str, bytes]:
    """Every kind of bytes that must become a dead letter, by what the reason must say."""
    good = bench.report("1")
    foreign = subject(bench.state, "AssetState")
    foreign_id = bench.client.lookup_schema(foreign, Schema(schema_text("AssetState"), "AVRO")).schema_id
    floats = _with_float_money(json.loads(schema_text("AssetReport")))
    float_id = bench.client.register_schema(f"elsewhere-{bench.name}-value", Schema(json.dumps(floats), "AVRO"))
    out = io.BytesIO()
    plain = AssetReport(
        origin=Origin(
            system="am", entity="asset", native_id="9", source_version="1", recorded_at=dt.datetime.now(dt.UTC)
        ),
        fields=AssetFields(description="Pump"),
    ).model_dump(mode="python")
    plain["fields"]["acquisition_cost"] = {"amount": float("nan"), "currency": "EUR"}
    fastavro.schemaless_writer(out, fastavro.parse_schema(floats), plain)
    long_amount = _forty_digits(bench)
    return {
        "framing": b"\x07random bytes of no meaning",
        "cannot be decoded": good[:20],
        "schema id 99999": b"\x00" + struct.pack(">I", 99_999) + good[5:],
        f"schema id {foreign_id}": b"\x00" + struct.pack(">I", foreign_id) + good[5:],
        f"schema id {float_id}": b"\x00" + struct.pack(">I", float_id) + out.getvalue(),
        "digits before the point": long_amount,
        "left over": good + b"\x00",
        "bytes; at most": b"\x00" * 1_000_001,
    }


def _with_float_money(schema: Any) -> Any:
    """The same schema with money as a double, under names of its own as a careless producer would write it."""
    if isinstance(schema, dict):
        if schema.get("logicalType") == "decimal":
            return "double"
        return {k: _with_float_money(v) for k, v in schema.items()}
    if isinstance(schema, list):
        return [_with_float_money(v) for v in schema]
    return schema


def _forty_digits(bench: Bench) -> bytes:
    good = bench.report("1", "0.0001")
    at = good.index(b"\x02\x01", 5)  # one byte of decimal, value 1
    digits = (10**39 + 1).to_bytes(17, "big")
    return good[:at] + bytes([17 * 2]) + digits + good[at + 2 :]


def test_every_kind_of_bad_bytes_is_a_dead_letter_and_the_flow_goes_on(bench: Bench) -> None:
    bad = bad_inputs(bench)
    bench.send(*(list(bad.values())[:-1]), bench.report("good"))
    loop = bench.loop()
    handled = 0
    while handled < len(bad):
        handled += loop.run_once(10)
    loop.close()
    letters = bench.read(bench.letters)
    assert len(letters) == len(bad) - 1
    for offset, (letter, (reason, value)) in enumerate(zip(letters, bad.items(), strict=False)):
        assert letter.value == value
        assert reason in (letter.header("tl_reason") or "")
        assert letter.header("tl_topic") == bench.reports.name
        assert letter.header("tl_offset") == str(offset)
    assert len(bench.read(bench.state)) == 1


def test_a_value_larger_than_anything_legitimate_is_not_parsed(bench: Bench) -> None:
    from tieline.kernel.errors import Rejected  # noqa: PLC0415  - used here only

    with pytest.raises(Rejected, match="at most"):
        bench.runtime.codec.decode(bench.reports.name, b"\x00" * 1_000_001)


def test_a_defect_in_a_handler_costs_one_record_and_none_of_its_state(bench: Bench) -> None:
    bench.fail_on.add("2")
    bench.send(bench.report("1"), bench.report("2"), bench.report("3"))
    loop = bench.loop()
    handled = 0
    while handled < 3:
        handled += loop.run_once(10)
    loop.close()
    [letter] = bench.read(bench.letters)
    assert "ZeroDivisionError" in (letter.header("tl_reason") or "")
    assert {record.key_text for record in bench.read(bench.state)} == {"k0", "k2"}
    assert bench.table.get("k1") is None


def test_an_analyst_reads_a_topic_with_the_stock_deserialiser(bench: Bench) -> None:
    bench.send(bench.report("1", "1234.56"))
    [record] = bench.read(bench.reports)
    stock = AvroDeserializer(bench.client)
    value = stock(record.value, SerializationContext(bench.reports.name, MessageField.VALUE))
    assert value is not None
    assert value["fields"]["acquisition_cost"]["amount"] == Decimal("1234.5600")
    assert value["origin"]["system"] == "am"


def test_a_second_copy_takes_over_and_the_first_can_commit_nothing_more(bench: Bench) -> None:
    from tieline.kernel.errors import Stop  # noqa: PLC0415  - used here only

    first = bench.loop()
    second = bench.loop()
    bench.send(bench.report("1"))
    with pytest.raises(Stop, match="another copy"):
        first.run_once(10)
    assert second.run_once(10) == 1
    first.close()
    second.close()
    assert len(bench.read(bench.state)) == 1
    assert parsed_schema("AssetState")


def test_reading_to_the_end_waits_for_a_transaction_that_is_still_open(bench: Bench) -> None:
    slow = broker.start_producer(bench.kafka, f"{bench.name}-slow", lambda: False, on_wait=print)
    slow.begin_transaction()
    slow.produce(bench.reports.name, value=bench.report("1"), key="undecided")
    slow.flush(10)
    bench.send(bench.report("2"))  # decided, but hidden behind the open transaction
    timer = threading.Timer(1.0, slow.commit_transaction)
    timer.start()
    assert [record.key_text for record in bench.read(bench.reports)] == ["undecided", "k0"]
    timer.join()
    start = {f"{bench.reports.name}/0": 0}
    assert [r.key for r in KafkaLog(bench.kafka, bench.runtime.codec).read_from(start)] == ["undecided", "k0"]

"""The real broker and registry work as the hub uses them, and survive ``kill -9``."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from tieline.stack.errors import StackError
from tieline.stack.parts import KafkaPart

pytestmark = pytest.mark.integration


def _create_topic(bootstrap: str) -> str:
    topic = f"stack.{uuid4()}.v1"
    admin = AdminClient({"bootstrap.servers": bootstrap})  # named, because its end cancels what it was asked
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(20)
    return topic


def _transactional(bootstrap: str) -> Producer:
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": f"stack-{uuid4()}"})
    producer.init_transactions(20)
    return producer


def _read(bootstrap: str, topic: str, count: int) -> list[bytes]:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"stack-{uuid4()}",
            "group.protocol": "consumer",
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([topic])
    try:
        return [bytes(message.value() or b"") for message in consumer.consume(count, timeout=20)]
    finally:
        consumer.close()


def test_a_reader_sees_committed_records_and_never_aborted_ones(kafka: str) -> None:
    topic = _create_topic(kafka)
    producer = _transactional(kafka)
    producer.begin_transaction()
    producer.produce(topic, b"aborted")
    producer.flush(20)
    producer.abort_transaction(20)
    producer.begin_transaction()
    producer.produce(topic, b"committed")
    producer.commit_transaction(20)
    assert _read(kafka, topic, 1) == [b"committed"]


def test_no_topic_appears_unasked(kafka: str) -> None:
    missing = f"missing.{uuid4()}"
    metadata = AdminClient({"bootstrap.servers": kafka}).list_topics(missing, timeout=10)
    assert metadata.topics[missing].error is not None
    assert missing not in AdminClient({"bootstrap.servers": kafka}).list_topics(timeout=10).topics


def test_committed_records_survive_kill_9(own_kafka: KafkaPart) -> None:
    topic = _create_topic(own_kafka.bootstrap)
    producer = _transactional(own_kafka.bootstrap)
    producer.begin_transaction()
    producer.produce(topic, b"kept")
    producer.commit_transaction(20)
    first = own_kafka.pid
    own_kafka.kill()
    with pytest.raises(StackError, match="does not run"):
        _ = own_kafka.pid
    own_kafka.restart()
    assert own_kafka.pid != first
    assert _read(own_kafka.bootstrap, topic, 1) == [b"kept"]


def _record(*fields: dict[str, object]) -> Schema:
    return Schema(json.dumps({"type": "record", "name": "Probe", "fields": list(fields)}), "AVRO")


def test_the_registry_keeps_schemas_and_refuses_incompatible_ones(registry: str) -> None:
    subject = f"probe-{uuid4()}"
    with SchemaRegistryClient({"url": registry}) as client:
        schema_id = client.register_schema(subject, _record({"name": "tag", "type": "string"}))
        assert client.register_schema(subject, _record({"name": "tag", "type": "string"})) == schema_id
        client.set_compatibility(subject, "FULL_TRANSITIVE")
        with pytest.raises(SchemaRegistryError) as refused:
            client.register_schema(subject, _record({"name": "tag", "type": "long"}))
        assert refused.value.http_status_code == 409
        assert client.get_latest_version(subject).schema_id == schema_id

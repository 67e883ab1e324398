"""The hub's broker edge against Apache's own image, as a test suite with testcontainers would start it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from tieline.kernel import broker
from tieline.kernel.landscape import Kafka
from tieline.kernel.records import Inbound
from tieline.stack import docker
from tieline.stack.ports import HOST, free_ports

pytestmark = [
    pytest.mark.docker,
    pytest.mark.integration,
    pytest.mark.skipif(not docker.available(), reason="no Docker engine with Compose v2 answers"),
]

IMAGE = "apache/kafka:4.1.1"
TOPIC = "asset.asset.report.v1"


@pytest.fixture
def kafka() -> Iterator[Kafka]:
    port = free_ports(1)[0]
    container = DockerContainer(IMAGE).with_envs(
        KAFKA_NODE_ID="1",
        KAFKA_PROCESS_ROLES="broker,controller",
        KAFKA_CONTROLLER_QUORUM_VOTERS="1@localhost:9093",
        KAFKA_CONTROLLER_LISTENER_NAMES="CONTROLLER",
        KAFKA_LISTENERS=f"PLAINTEXT://:{port},CONTROLLER://:9093",
        KAFKA_ADVERTISED_LISTENERS=f"PLAINTEXT://{HOST}:{port}",
        KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR="1",
        KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR="1",
        KAFKA_TRANSACTION_STATE_LOG_MIN_ISR="1",
        KAFKA_AUTO_CREATE_TOPICS_ENABLE="false",
    )
    # Its own method for ports cannot say which address: this one listens on the loopback only.
    container.ports[f"{port}/tcp"] = (HOST, port)  # type: ignore[assignment]  # what Docker's own client takes
    container.waiting_for(LogMessageWaitStrategy("Kafka Server started").with_startup_timeout(90))
    with container:
        yield Kafka(bootstrap_servers=f"{HOST}:{port}", replication_factor=1)


def test_what_a_transaction_wrote_is_read_and_what_it_took_back_is_not(kafka: Kafka) -> None:
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    admin.create_topics([NewTopic(TOPIC, num_partitions=3, replication_factor=1)])[TOPIC].result(30)
    producer = broker.start_producer(kafka, "container", lambda: False, on_wait=lambda _: None)
    for commits, values in ((True, range(50)), (False, range(50, 80)), (True, range(80, 100))):
        producer.begin_transaction()
        for value in values:
            producer.produce(TOPIC, value=str(value).encode(), key=str(value % 7))
        if commits:
            producer.commit_transaction(30)
        else:
            producer.flush(30)  # so that the log really holds what is taken back
            producer.abort_transaction(30)
    found: list[Inbound] = []
    broker.read_to_end(kafka, [TOPIC], found.append)
    assert sorted(int(record.value or b"-1") for record in found) == [*range(50), *range(80, 100)]

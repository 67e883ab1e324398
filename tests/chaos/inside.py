"""The test's own view of the hub: past the proxy, with the same topics as the processes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from confluent_kafka.admin import AdminClient
from confluent_kafka.schema_registry import SchemaRegistryClient
from tests.chaos.hub import declared_small

from tieline.kernel.applying import apply, plan
from tieline.kernel.codecs import Codec, ConfluentSchemaIds
from tieline.kernel.landscape import load_landscape
from tieline.kernel.shapes import shapes_of
from tieline.wiring import Hub


def open_hub_small(path: Path, bootstrap: str) -> Hub:
    """The hub as the test sees it: the same topics as its processes, but Kafka at ``bootstrap``, without the proxy."""
    landscape = load_landscape(path)
    kafka = landscape.kafka.model_copy(update={"bootstrap_servers": bootstrap})
    landscape = landscape.model_copy(update={"kafka": kafka})
    topics = {topic.name: topic for topic in declared_small(landscape)}
    ids = ConfluentSchemaIds(landscape.registry.url)
    partitions = {name: topic.partitions for name, topic in topics.items()}
    return Hub(path, landscape, topics, Codec(topics, ids, shapes_of(landscape.families)), partitions, ids.close)


def apply_small(hub: Hub) -> None:
    """Create topics and schemas."""
    admin = AdminClient({"bootstrap.servers": hub.landscape.kafka.bootstrap_servers, "log_level": 3})
    with SchemaRegistryClient({"url": hub.landscape.registry.url}) as registry:
        steps = plan(hub.landscape, admin, registry)
        create = [replace(step, topic=hub.topics[step.topic.name]) for step in steps.create]
        apply(replace(steps, create=tuple(create)), admin, registry)

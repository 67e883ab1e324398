"""The AsyncAPI 3.0 document of a landscape: channels are topics, messages their records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tieline.catalogue.avro import self_contained
from tieline.catalogue.inputs import Inputs
from tieline.catalogue.yaml_text import yaml_text
from tieline.kernel.declarations import NAMESPACE, Topic
from tieline.kernel.producing import EVENT_HEADERS

AVRO = "application/vnd.apache.avro+yaml;version=1.9.0"
SERVER = "kafka"
BYTES = "Bytes"
_BINDING = "0.5.0"
_HEAD = "Generated from topics/, schemas/avro/ and the landscape; do not edit. Written anew by `make docs`."
_NUMBERS = ("retention.ms", "delete.retention.ms")


def render_asyncapi(inputs: Inputs) -> str:
    """The document as YAML text."""
    return yaml_text(asyncapi(inputs), _HEAD)


def asyncapi(inputs: Inputs) -> dict[str, Any]:
    """The document: servers, channels, an operation for each writer and reader, messages, schemas."""
    landscape, schemas = inputs.landscape, inputs.tree.schemas
    records = sorted({record for topic in inputs.topics for record in topic.records})
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": f"Tieline: {landscape.name}",
            "version": "1.0.0",
            "description": "What moves between the systems of this landscape. Channels are Kafka topics, values are "
            "Avro in Confluent framing, CloudEvents attributes are in the headers (binary mode).",
        },
        "defaultContentType": "application/avro",
        "servers": {
            SERVER: {
                "host": landscape.kafka.bootstrap_servers,
                "protocol": "kafka",
                "description": "The landscape's cluster; read with isolation.level=read_committed.",
                "bindings": {
                    "kafka": {
                        "schemaRegistryUrl": landscape.registry.url,
                        "schemaRegistryVendor": "confluent",
                        "bindingVersion": _BINDING,
                    }
                },
            }
        },
        "channels": {topic.name: _channel(inputs, topic) for topic in inputs.topics},
        "operations": dict(_operations(inputs)),
        "components": {
            "messages": {**{record: _message(record, schemas) for record in records}, BYTES: _BYTES_MESSAGE},
            "schemas": {
                **{record: {"schemaFormat": AVRO, "schema": self_contained(record, schemas)} for record in records},
                "EventHeaders": _HEADERS,
            },
        },
    }


def _channel(inputs: Inputs, topic: Topic) -> dict[str, Any]:
    configs: dict[str, Any] = {name: int(topic.configs[name]) for name in _NUMBERS if name in topic.configs}
    configs["cleanup.policy"] = topic.configs.get("cleanup.policy", "delete").split(",")
    return {
        "address": topic.name,
        "title": topic.name,
        "description": f"{topic.description} Key: {topic.key}. Owner: {topic.owner}.",
        "servers": [{"$ref": f"#/servers/{SERVER}"}],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in topic.records or (BYTES,)},
        "tags": [{"name": topic.klass}],
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "replicas": inputs.landscape.kafka.replication_factor,
                "topicConfiguration": configs,
                "bindingVersion": _BINDING,
            }
        },
    }


def _operations(inputs: Inputs) -> Iterator[tuple[str, dict[str, Any]]]:
    for topic in inputs.topics:
        for action, parties in (("send", topic.writers), ("receive", topic.readers)):
            for party in parties:
                yield (
                    f"{party}.{action}.{topic.name}",
                    {
                        "action": action,
                        "channel": {"$ref": f"#/channels/{topic.name}"},
                        "summary": f"{party} {'writes' if action == 'send' else 'reads'} {topic.name}.",
                        "messages": [
                            {"$ref": f"#/channels/{topic.name}/messages/{name}"} for name in topic.records or (BYTES,)
                        ],
                    },
                )


def _message(record: str, schemas: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "name": f"{NAMESPACE}.{record}",
        "title": record,
        "summary": " ".join(str(schemas[record].get("doc", "")).split()),
        "contentType": "application/avro",
        "headers": {"$ref": "#/components/schemas/EventHeaders"},
        "payload": {"$ref": f"#/components/schemas/{record}"},
        "bindings": {
            "kafka": {
                "key": {"type": "string"},
                "schemaIdLocation": "payload",
                "schemaIdPayloadEncoding": "confluent",
                "bindingVersion": _BINDING,
            }
        },
    }


_BYTES_MESSAGE = {
    "name": "bytes",
    "title": "Bytes without a schema",
    "summary": "What a system said or a consumer could not process, untouched.",
    "contentType": "application/octet-stream",
    "payload": {"type": "string", "format": "binary"},
}
_HEADERS = {
    "type": "object",
    "required": list(EVENT_HEADERS),
    "properties": {
        name: {"type": "string", "description": words, **({"const": "1.0"} if name == "ce_specversion" else {})}
        for name, words in EVENT_HEADERS.items()
    },
}

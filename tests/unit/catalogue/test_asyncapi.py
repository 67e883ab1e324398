"""The AsyncAPI document, checked for what AsyncAPI 3.0.0 demands of it.

No package with its JSON schema is among the locked ones, so the checks are written out here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import fastavro
import yaml

from tieline.catalogue.asyncapi import BYTES, asyncapi, render_asyncapi
from tieline.catalogue.inputs import Inputs
from tieline.kernel.declarations import schema_text

TOP = {"asyncapi", "id", "info", "servers", "defaultContentType", "channels", "operations", "components"}
CHANNEL = {"address", "messages", "title", "summary", "description", "servers", "parameters", "tags", "externalDocs",
           "bindings"}  # fmt: skip
OPERATION = {"action", "channel", "title", "summary", "description", "security", "tags", "externalDocs", "bindings",
             "traits", "messages", "reply"}  # fmt: skip
MESSAGE = {"headers", "payload", "correlationId", "contentType", "name", "title", "summary", "description", "tags",
           "externalDocs", "bindings", "examples", "traits"}  # fmt: skip


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def _at(document: Any, reference: str) -> Any:
    assert reference.startswith("#/")
    for part in reference[2:].split("/"):
        document = document[part]
    return document


def test_it_has_what_the_standard_requires_and_nothing_it_forbids(inputs: Inputs) -> None:
    found = asyncapi(inputs)
    assert found["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= set(found["info"])
    assert set(found) <= TOP
    for server in found["servers"].values():
        assert {"host", "protocol"} <= set(server)
    for channel in found["channels"].values():
        assert set(channel) <= CHANNEL
    for operation in found["operations"].values():
        assert {"action", "channel"} <= set(operation) <= OPERATION
        assert operation["action"] in ("send", "receive")
        assert set(operation["channel"]) == {"$ref"}
    for message in found["components"]["messages"].values():
        assert set(message) <= MESSAGE
    for kind in ("messages", "schemas"):
        assert all(re.fullmatch(r"[\w.-]+", name) for name in found["components"][kind])


def test_every_reference_leads_somewhere(inputs: Inputs) -> None:
    found = asyncapi(inputs)
    references = set(_references(found))
    assert len(references) > 100
    for reference in references:
        assert _at(found, reference), reference


def test_channels_are_the_topics_of_the_landscape_with_their_records(inputs: Inputs) -> None:
    channels = asyncapi(inputs)["channels"]
    assert set(channels) == {topic.name for topic in inputs.topics}
    assert "sink.tryton.command.v1" in channels, "every template is written out for every system"
    for topic in inputs.topics:
        channel = channels[topic.name]
        assert channel["address"] == topic.name
        assert set(channel["messages"]) == (set(topic.records) or {BYTES})
        assert channel["bindings"]["kafka"]["partitions"] == topic.partitions
    asset = channels["asset.asset.event.v1"]["bindings"]["kafka"]["topicConfiguration"]
    assert asset == {"retention.ms": 220752000000, "cleanup.policy": ["delete"]}


def test_an_operation_for_every_writer_and_reader_takes_the_messages_of_its_channel(inputs: Inputs) -> None:
    found = asyncapi(inputs)
    expected = {f"{party}.send.{topic.name}" for topic in inputs.topics for party in topic.writers}
    expected |= {f"{party}.receive.{topic.name}" for topic in inputs.topics for party in topic.readers}
    assert set(found["operations"]) == expected
    for operation in found["operations"].values():
        channel = operation["channel"]["$ref"]
        assert all(one["$ref"].startswith(f"{channel}/messages/") for one in operation["messages"])


def test_a_payload_is_the_registered_schema_with_its_documentation(inputs: Inputs) -> None:
    document = yaml.safe_load(render_asyncapi(inputs))
    for name, held in document["components"]["schemas"].items():
        if name == "EventHeaders":
            continue
        assert held["schemaFormat"].startswith("application/vnd.apache.avro")
        registered = json.loads(schema_text(name))
        assert fastavro.schema.to_parsing_canonical_form(held["schema"]) == (
            fastavro.schema.to_parsing_canonical_form(registered)
        )
        # The canonical form drops logical types; the documentation is what the registry has not.
        assert _without_docs(held["schema"]) == registered
        assert all(field["doc"] for field in held["schema"]["fields"])


def _without_docs(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_docs(one) for one in node]
    if isinstance(node, dict):
        return {key: _without_docs(value) for key, value in node.items() if key != "doc"}
    return node


def test_every_typed_message_has_the_cloudevents_headers(inputs: Inputs) -> None:
    found = asyncapi(inputs)
    headers = found["components"]["schemas"]["EventHeaders"]
    assert {"ce_specversion", "ce_id", "ce_type", "ce_source", "content-type"} <= set(headers["required"])
    for name, message in found["components"]["messages"].items():
        assert ("headers" in message) == (name != BYTES)

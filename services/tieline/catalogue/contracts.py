"""Data contracts by the Open Data Contract Standard 3.1.0: one for each event and state topic of the business."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tieline.catalogue.entities import entities_of, flows_of
from tieline.catalogue.inputs import Inputs
from tieline.catalogue.yaml_text import yaml_text
from tieline.kernel.declarations import NAMESPACE, Topic
from tieline.kernel.landscape import Flow
from tieline.kernel.meaning_rules import OWN_DOMAINS, THREE_TIMES, decimal_size
from tieline.kernel.schema_changes import Schema, type_words

_HEAD = "Generated from topics/, schemas/avro/ and the landscape; do not edit. Written anew by `make docs`."
_DAY_MS = 24 * 60 * 60 * 1000
_LOGICAL = {
    "string": "string",
    "bytes": "string",
    "int": "integer",
    "long": "integer",
    "boolean": "boolean",
    "date": "date",
    "timestamp-millis": "timestamp",
    "decimal": "number",
}


def render_contracts(inputs: Inputs) -> Mapping[str, str]:
    """File name to YAML text, a contract each."""
    return {
        f"{topic.name}.odcs.yaml": yaml_text(contract(inputs, topic), _HEAD)
        for topic in inputs.topics
        if topic.klass in ("event", "state") and topic.name.partition(".")[0] not in {*OWN_DOMAINS, "src", "observed"}
    }


def contract(inputs: Inputs, topic: Topic) -> dict[str, Any]:
    """The contract of one topic."""
    domain, entity, *_ = topic.name.split(".")
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": f"urn:tieline:{topic.name}",
        "name": topic.name,
        "version": f"{topic.name.rpartition('.v')[2]}.0.0",
        "status": "active",
        "domain": domain,
        "dataProduct": f"{domain}.{entity}",
        "description": {
            "purpose": topic.description,
            "usage": "Read committed records only. Hold, do not post, what has an enum value UNKNOWN: a newer symbol "
            "than this reader knows. Where a topic has several records, the schema id says which it is.",
            "limitations": f"Ordered by key only. Schemas evolve by {topic.compatibility}; precision and scale of a "
            "decimal never change.",
        },
        "tags": [topic.klass],
        "team": {"name": topic.owner},
        "servers": [
            {
                "server": "kafka",
                "type": "kafka",
                "host": inputs.landscape.kafka.bootstrap_servers,
                "format": "avro",
                "description": inputs.landscape.name,
                "customProperties": [{"property": "schemaRegistryUrl", "value": inputs.landscape.registry.url}],
            }
        ],
        "schema": [_object(inputs, topic, record) for record in topic.records],
        "slaProperties": list(_service_levels(inputs, topic)),
        "customProperties": [
            {"property": "key", "value": topic.key},
            {"property": "subjects", "value": topic.subjects},
            {"property": "compatibility", "value": topic.compatibility},
            {"property": "writers", "value": list(topic.writers)},
            {"property": "readers", "value": list(topic.readers)},
        ],
    }


# Where a key's words differ from the field's name.
_KEY_FIELDS = {"purchase order id": "po_id", "cost document id": "cost_doc_id"}


def _key_fields(inputs: Inputs, topic: Topic) -> tuple[tuple[str, ...], bool]:
    """The fields at the top of every record that make up its key, and whether they are the whole of it."""
    words = [word.strip() for word in topic.key.partition("(")[0].split("|")]
    names = [_KEY_FIELDS.get(word, word.replace(" ", "_")) for word in words]
    common = set.intersection(*({f["name"] for f in inputs.tree.schemas[r]["fields"]} for r in topic.records))
    return tuple(name for name in names if name in common), all(name in common for name in names)


def _object(inputs: Inputs, topic: Topic, record: str) -> dict[str, Any]:
    schemas = inputs.tree.schemas
    key, whole = _key_fields(inputs, topic)
    unique = topic.klass == "state" and whole
    properties = [_property(field, schemas) for field in schemas[record]["fields"]]
    for one in properties:
        if one["name"] in key:
            one["quality"] = [_metric("nullValues", "completeness", f"Every record has its {one['name']}.")]
            if unique:
                one |= {"primaryKey": True, "primaryKeyPosition": key.index(one["name"]) + 1}
    found: dict[str, Any] = {
        "name": record,
        "physicalName": f"{NAMESPACE}.{record}",
        "physicalType": "topic",
        "logicalType": "object",
        "description": _words(schemas[record].get("doc", "")),
        "properties": properties,
    }
    if unique:
        found["quality"] = [
            {
                **_metric("duplicateValues", "uniqueness", "After compaction a key has one record, its last."),
                "arguments": {"properties": list(key)},
            }
        ]
    return found


def _property(field: Schema, schemas: Mapping[str, Schema]) -> dict[str, Any]:
    node = field["type"]
    nullable = isinstance(node, list)
    inner = next((branch for branch in node if branch != "null"), "null") if isinstance(node, list) else node
    found = {"name": field["name"], **_typed(inner, schemas), "required": not nullable}
    found["description"] = _words(field.get("doc", ""))
    if field["name"] in THREE_TIMES and not nullable:
        found["quality"] = [_metric("nullValues", "timeliness", "One of the three times of every event.")]
    return found


def _typed(node: Any, schemas: Mapping[str, Schema]) -> dict[str, Any]:
    """Logical and physical type of a value, with what is inside it."""
    if isinstance(node, str) and node.startswith(f"{NAMESPACE}."):
        schema = schemas[node.removeprefix(f"{NAMESPACE}.")]
        if schema["type"] == "enum":
            valid = {
                **_metric("invalidValues", "conformity", "A symbol of the enum; UNKNOWN stands for a newer one."),
                "arguments": {"validValues": list(schema["symbols"])},
            }
            return {"logicalType": "string", "physicalType": f"enum {schema['name']}", "quality": [valid]}
        inside = [_property(field, schemas) for field in schema["fields"]]
        return {"logicalType": "object", "physicalType": f"record {schema['name']}", "properties": inside}
    kind = node if isinstance(node, str) else node["type"]
    if kind == "array":
        return {"logicalType": "array", "physicalType": type_words(node), "items": _typed(node["items"], schemas)}
    if kind == "map":
        return {"logicalType": "object", "physicalType": type_words(node)}
    logical = node.get("logicalType", kind) if isinstance(node, dict) else kind
    found: dict[str, Any] = {"logicalType": _LOGICAL[logical], "physicalType": type_words(node)}
    if decimal_size(node) is None and found["logicalType"] == "integer":
        found["logicalTypeOptions"] = {"format": "i32" if kind == "int" else "i64"}
    if logical == "timestamp-millis":
        found["logicalTypeOptions"] = {"timezone": True, "defaultTimezone": "Etc/UTC"}
    return found


def _metric(metric: str, dimension: str, words: str) -> dict[str, Any]:
    return {"type": "library", "metric": metric, "mustBe": 0, "dimension": dimension, "description": words}


def _service_levels(inputs: Inputs, topic: Topic) -> Iterator[dict[str, Any]]:
    """Latency and frequency of the flows that move what the topic speaks of, and how long it is kept."""
    flows: dict[str, Flow] = {}
    for record in topic.records:
        for entity in entities_of(record, inputs.tree.schemas):
            flows |= {flow.name: flow for flow in flows_of(inputs, entity)}
    for flow in flows.values():
        way = f"{flow.object} from {flow.source} to {flow.target}"
        yield {
            "property": "latency",
            "value": _whole(flow.latency_target_secs),
            "unit": "s",
            "driver": "operational",
            "description": f"From a change to its confirmed effect, {way}.",
        }
        yield {
            "property": "frequency",
            "value": _whole(flow.interval_mins),
            "unit": "m",
            "driver": "operational",
            "description": f"Longest planned time between two transfers, {way}.",
        }
    policies = topic.configs.get("cleanup.policy", "delete").split(",")
    kept = topic.configs.get("retention.ms", "")
    if "delete" in policies and kept.isdecimal():
        days = int(kept) // _DAY_MS
        yield {"property": "retention", "value": days, "unit": "d", "driver": "regulatory"}
    elif "compact" in policies:
        words = "The last record of each key is kept for ever, earlier ones until compaction."
        yield {
            "property": "retention",
            "value": "last value of each key",
            "driver": "operational",
            "description": words,
        }


def _whole(value: float) -> float:
    return int(value) if value.is_integer() else value


def _words(text: object) -> str:
    return " ".join(str(text).split())

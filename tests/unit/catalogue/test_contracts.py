"""The data contracts, checked for what the Open Data Contract Standard 3.1.0 demands of them.

No package with its JSON schema is among the locked ones, so the checks are written out here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from tieline.catalogue.contracts import render_contracts
from tieline.catalogue.inputs import Inputs

TOP = {"version", "kind", "apiVersion", "id", "name", "tenant", "tags", "status", "servers", "dataProduct",
       "description", "domain", "schema", "support", "price", "team", "roles", "slaProperties",
       "authoritativeDefinitions", "customProperties", "contractCreatedTs"}  # fmt: skip
OBJECT = {"name", "physicalType", "description", "businessName", "authoritativeDefinitions", "tags", "customProperties",
          "logicalType", "physicalName", "dataGranularityDescription", "properties", "relationships",
          "quality"}  # fmt: skip
ELEMENT = {
    "name",
    "physicalType",
    "description",
    "businessName",
    "authoritativeDefinitions",
    "tags",
    "customProperties",
}
PROPERTY = ELEMENT | {
    "primaryKey", "primaryKeyPosition", "logicalType", "logicalTypeOptions", "physicalName", "required", "unique",
    "partitioned", "partitionKeyPosition", "classification", "encryptedName", "transformSourceObjects",
    "transformLogic", "transformDescription", "examples", "criticalDataElement", "relationships", "quality",
}  # fmt: skip
LOGICAL = {"string", "date", "timestamp", "time", "number", "integer", "object", "array", "boolean"}
OPTIONS = {"integer": {"format", "multipleOf"}, "timestamp": {"timezone", "defaultTimezone", "format"}}
INSIDE = {"object": {"properties"}, "array": {"items"}}
SLA = {"property", "value", "valueExt", "unit", "element", "driver", "description", "scheduler", "schedule"}
METRICS = {"nullValues", "missingValues", "invalidValues", "duplicateValues", "rowCount"}
QUALITY = {"type", "metric", "mustBe", "dimension", "description", "arguments"}
DIMENSIONS = {"accuracy", "completeness", "conformity", "consistency", "coverage", "timeliness", "uniqueness"}


@pytest.fixture(scope="module")
def contracts(inputs: Inputs) -> Mapping[str, dict[str, Any]]:
    return {name.removesuffix(".odcs.yaml"): yaml.safe_load(text) for name, text in render_contracts(inputs).items()}


def _properties(node: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for one in node.get("properties", ()):
        yield one
        yield from _properties(one)
        yield from _properties(one.get("items", {}))


def _all(contracts: Mapping[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    return (one for found in contracts.values() for record in found["schema"] for one in _properties(record))


def _named(node: Mapping[str, Any], *path: str) -> dict[str, Any]:
    for name in path:
        node = next(one for one in node["properties"] if one["name"] == name)
    return dict(node)


def test_there_is_one_for_every_event_and_state_topic_of_the_business(contracts: Mapping[str, Any]) -> None:
    assert {
        "asset.asset.event.v1", "asset.asset.state.v1", "asset.book.event.v1", "asset.book.state.v1",
        "cost.document.event.v1", "cost.document.state.v1", "depreciation.posting.event.v1",
        "procurement.purchase-order.event.v1", "procurement.purchase-order.state.v1",
    } <= set(contracts)  # fmt: skip
    assert not [name for name in contracts if name.startswith(("hub.", "recon.", "src.", "sink.", "observed."))]


def test_each_has_what_the_standard_requires_and_nothing_it_forbids(contracts: Mapping[str, dict[str, Any]]) -> None:
    for found in contracts.values():
        assert {"version", "apiVersion", "kind", "id", "status"} <= set(found) <= TOP
        assert (found["apiVersion"], found["kind"]) == ("v3.1.0", "DataContract")
        assert [set(one) >= {"server", "type", "host"} for one in found["servers"]] == [True]
        for record in found["schema"]:
            assert {"name"} <= set(record) <= OBJECT
        for level in found["slaProperties"]:
            assert {"property", "value"} <= set(level) <= SLA
        for one in found["customProperties"]:
            assert {"property", "value"} == set(one)


def test_each_property_is_typed_described_and_marked_required_or_not(contracts: Mapping[str, dict[str, Any]]) -> None:
    for one in _all(contracts):
        kind = one["logicalType"]
        assert kind in LOGICAL
        assert set(one) <= PROPERTY | INSIDE.get(kind, set())
        assert set(one.get("logicalTypeOptions", {})) <= OPTIONS.get(kind, set())
        assert one["description"]
        assert isinstance(one["required"], bool)
        assert one["physicalType"]


def test_each_quality_check_is_one_of_the_library_with_one_operator(contracts: Mapping[str, dict[str, Any]]) -> None:
    checks = [check for one in _all(contracts) for check in one.get("quality", ())]
    checks += [
        check for found in contracts.values() for record in found["schema"] for check in record.get("quality", ())
    ]
    assert {check["metric"] for check in checks} == {"nullValues", "invalidValues", "duplicateValues"}
    for check in checks:
        assert set(check) <= QUALITY
        assert check["type"] == "library"
        assert check["metric"] in METRICS
        assert check["dimension"] in DIMENSIONS
        assert check["mustBe"] == 0


def test_types_keep_their_meaning(contracts: Mapping[str, dict[str, Any]]) -> None:
    [state] = contracts["asset.asset.state.v1"]["schema"]
    assert _named(state, "asset_id")["primaryKey"] is True
    cost = _named(state, "fields", "acquisition_cost")
    assert (cost["logicalType"], cost["required"]) == ("object", False)
    amount = _named(cost, "amount")
    assert (amount["logicalType"], amount["physicalType"], amount["required"]) == ("number", "decimal(20,4)", True)
    assert _named(state, "fields", "disposal_date")["logicalType"] == "date"
    [status] = _named(state, "fields", "physical_status")["quality"]
    assert status["arguments"]["validValues"][0] == "UNKNOWN"
    posted = contracts["depreciation.posting.event.v1"]["schema"][0]
    assert _named(posted, "accepted", "recorded_at")["logicalType"] == "timestamp"
    assert _named(posted, "accepted", "effective_date")["quality"][0]["metric"] == "nullValues"
    [order] = contracts["procurement.purchase-order.state.v1"]["schema"]
    lines = _named(order, "fields", "lines")
    price = _named(lines["items"], "unit_price")
    assert (lines["logicalType"], price["physicalType"]) == ("array", "decimal(20,6)")


def test_a_key_that_is_not_whole_at_the_top_claims_no_uniqueness(contracts: Mapping[str, dict[str, Any]]) -> None:
    [book] = contracts["asset.book.state.v1"]["schema"]
    assert "primaryKey" not in _named(book, "asset_id"), "an asset has a record for each of its books"
    assert "quality" not in book
    [asset] = contracts["asset.asset.state.v1"]["schema"]
    assert asset["quality"][0]["arguments"] == {"properties": ["asset_id"]}


def test_service_levels_are_those_of_the_landscape_and_the_topic(contracts: Mapping[str, dict[str, Any]]) -> None:
    levels = contracts["depreciation.posting.event.v1"]["slaProperties"]
    # The book's flow: 60 seconds, every 15 minutes; ten years of postings.
    assert [(one["property"], one["value"], one.get("unit")) for one in levels] == [
        ("latency", 60, "s"), ("frequency", 15, "m"), ("retention", 3650, "d"),
    ]  # fmt: skip
    state = contracts["asset.asset.state.v1"]["slaProperties"]
    assert [one["value"] for one in state] == [30, 5, 30, 5, "last value of each key"], "two flows"
    assert all(isinstance(one["value"], int | str) for one in [*levels, *state]), "60 s, not 60.0"

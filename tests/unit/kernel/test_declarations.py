from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fastavro
import pytest

from tieline.kernel import declarations
from tieline.kernel.declarations import (
    declared,
    load_topics,
    parsed_schema,
    read_topic,
    schema_names,
    schema_text,
    subject,
    subjects_of,
    topics_for,
)
from tieline.kernel.errors import Stop
from tieline.kernel.landscape import Landscape

RAW_TOPIC = """\
apiVersion: kafka.jikkou.io/v1
kind: KafkaTopic
metadata:
  name: "tieline-views-__assignor-__leader"
  labels: {owner: integration-team, class: internal}
  annotations:
    description: What the views' library keeps for itself.
    key: as the library has it
    records: []
    subjects: none
    compatibility: NONE
    writers: [views]
    readers: [views]
spec:
  partitions: 1
  configs: {cleanup.policy: delete}
"""


def _landscape(replication_factor: int = 1, systems: tuple[str, ...] = ("north", "south")) -> Landscape:
    system = {"connector": "any", "role": "erp", "owner": "team", "poll_interval_secs": 1, "settings": {}}
    flow = {
        "source": systems[0],
        "target": systems[1],
        "object": "asset",
        "interval_mins": 1,
        "latency_target_secs": 5,
        "owner": "team",
        "on_error": "hold",
        "mode": "enabled",
    }
    return Landscape.model_validate(
        {
            "name": "test",
            "kafka": {"bootstrap_servers": "127.0.0.1:9", "replication_factor": replication_factor},
            "registry": {"url": "http://127.0.0.1:9"},
            "systems": dict.fromkeys(systems, system),
            "flows": [flow],
        },
        strict=False,
    )


def test_placeholders_become_every_system_and_consumer() -> None:
    topics = {topic.name: topic for topic in topics_for(_landscape())}
    assert {"src.north.raw.v1", "src.south.raw.v1", "hub.sink-north.dead-letter.v1"} <= set(topics)
    assert not any("{" in text for topic in topics.values() for text in (topic.name, *topic.writers, *topic.readers))
    assert topics["src.north.raw.v1"].writers == ("source-north",)
    assert topics["asset.book.report.v1"].writers == ("source-north", "source-south")
    assert topics["hub.accept.dead-letter.v1"].writers == ("accept",)


def test_a_new_system_only_adds_topics() -> None:
    before = {topic.name for topic in topics_for(_landscape())}
    after = {topic.name for topic in topics_for(_landscape(systems=("north", "south", "west")))}
    assert before < after
    assert all("west" in name for name in after - before)


@pytest.mark.parametrize(("copies", "in_sync"), [(1, "1"), (2, "1"), (3, "2")])
def test_in_sync_copies_follow_from_the_replication_factor(copies: int, in_sync: str) -> None:
    assert {topic.configs["min.insync.replicas"] for topic in topics_for(_landscape(copies))} == {in_sync}


def test_no_topic_has_more_partitions_than_the_landscape_allows() -> None:
    landscape = _landscape()
    few = landscape.model_copy(update={"kafka": landscape.kafka.model_copy(update={"most_partitions": 2})})
    declared = {topic.name: topic.partitions for topic in topics_for(landscape)}
    assert max(declared.values()) > 2
    assert 1 in declared.values()
    assert {topic.name: topic.partitions for topic in topics_for(few)} == {
        name: min(partitions, 2) for name, partitions in declared.items()
    }


def test_subjects_are_named_by_topic_and_record_or_by_topic() -> None:
    topics = {topic.name: topic for topic in topics_for(_landscape())}
    assert subject(topics["asset.asset.event.v1"], "AssetMoved") == "asset.asset.event.v1-tieline.AssetMoved"
    assert subject(topics["asset.asset.state.v1"], "AssetState") == "asset.asset.state.v1-value"
    assert subjects_of(topics["src.north.raw.v1"]) == {}
    with pytest.raises(Stop, match=r"asset\.asset\.state\.v1 does not declare the record AssetMoved"):
        subject(topics["asset.asset.state.v1"], "AssetMoved")


def test_one_name_from_two_templates_is_refused() -> None:
    templates = load_topics()
    with pytest.raises(Stop, match="declared twice"):
        topics_for(_landscape(), [*templates, templates[0]])


def test_an_internal_topic_may_be_called_as_its_library_wants(tmp_path: Path) -> None:
    path = tmp_path / "tieline-views-__assignor-__leader.yaml"
    path.write_text(RAW_TOPIC, encoding="utf-8")
    (topic,) = topics_for(_landscape(), [read_topic(path)])
    assert (topic.klass, topic.records, topic.partitions) == ("internal", (), 1)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("description: What", "description: A: What", r"leader\.yaml:7: not valid YAML.*quote a text"),
        ("partitions: 1", "partitions: 0", r"spec\.partitions: .*greater than or equal to 1"),
        ("class: internal", "class: intrenal", r"metadata\.labels\.class"),
        ("kind: KafkaTopic", "kind: Topic", "kind: "),
        ("records: []", "records: [XRef]", "so it has no records"),
        ("subjects: none", "subjects: TopicName", "subjects is none exactly when records is empty"),
        ("compatibility: NONE", "compatibility: FULL", "compatibility is NONE exactly when"),
        ("writers: [views]", "writers: []", "writers: .*at least 1"),
    ],
)
def test_a_fault_is_named_with_file_and_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "tieline-views-__assignor-__leader.yaml"
    assert old in RAW_TOPIC
    path.write_text(RAW_TOPIC.replace(old, new), encoding="utf-8")
    with pytest.raises(Stop, match=message) as stop:
        load_topics(tmp_path)
    assert str(path) in str(stop.value)


def test_the_package_s_own_declarations_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site" / "tieline"
    for folder in ("_declared/topics", "_declared/schemas/avro", "kernel"):
        (package / folder).mkdir(parents=True)
    monkeypatch.setattr(declarations, "__file__", str(package / "kernel" / "declarations.py"))
    assert declared().topics == package / "_declared" / "topics"
    (package / "_declared" / "topics").rmdir()
    with pytest.raises(Stop, match="install tieline again"):
        declared()


# ---- schemas --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", schema_names())
def test_each_schema_stands_by_itself(name: str) -> None:
    text = schema_text(name)
    # A fresh parse knows no other type, so every reference must have been written out before its use.
    fastavro.parse_schema(json.loads(text), named_schemas={})
    assert '"doc"' not in text


def test_a_type_is_written_out_once_and_then_named() -> None:
    text = schema_text("Observed")
    assert text.count('"name":"CostLine"') == 1
    lines: Any = {field["name"]: field["type"] for field in json.loads(schema_text("CostFields"))["fields"]}["lines"]
    assert lines["items"]["name"] == "CostLine"


def _schemas(folder: Path, schema: dict[str, Any]) -> Path:
    folder.mkdir()
    (folder / f"tieline.{schema['name']}.avsc").write_text(json.dumps(schema), encoding="utf-8")
    return folder


def test_documentation_and_lay_out_do_not_change_the_registered_text(tmp_path: Path) -> None:
    field = {"name": "doc", "type": ["null", "string"], "doc": "Number.", "default": None}
    one = {"type": "record", "name": "Thing", "namespace": "tieline", "doc": "A thing.", "fields": [field]}
    other = {
        "namespace": "tieline",
        "fields": [{"default": None, "doc": "The number.", "type": ["null", "string"], "name": "doc"}],
        "name": "Thing",
        "type": "record",
    }
    text = schema_text("Thing", _schemas(tmp_path / "one", one))
    assert text == schema_text("Thing", _schemas(tmp_path / "other", other))
    assert json.loads(text)["fields"] == [{"name": "doc", "type": ["null", "string"], "default": None}]


def test_a_missing_type_and_an_invalid_schema_are_named(tmp_path: Path) -> None:
    with pytest.raises(Stop, match=r"tieline\.Nothing\.avsc: there is no such schema"):
        schema_text("Nothing", tmp_path)
    field = {"name": "amount", "type": "money"}
    wrong = {"type": "record", "name": "Thing", "namespace": "tieline", "fields": [field]}
    with pytest.raises(Stop, match=r"tieline\.Thing: not a valid Avro schema"):
        parsed_schema("Thing", _schemas(tmp_path / "wrong", wrong))

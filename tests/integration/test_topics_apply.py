"""Plan and apply against a real broker and a real registry."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its documented names, not marked as exported
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
)
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from typer.testing import CliRunner

from tieline.kernel import applying
from tieline.kernel.applying import ChangeConfig, Plan, SetLevel, apply, plan
from tieline.kernel.commands_topics import apply_command, plan_command
from tieline.kernel.declarations import Topic, schema_text, subject, subjects_of, topics_for
from tieline.kernel.errors import Stop, Unavailable
from tieline.kernel.landscape import Landscape

pytestmark = pytest.mark.integration


def _raw_landscape(kafka: str, registry: str, tag: str) -> dict[str, Any]:
    system = {"connector": "any", "role": "erp", "owner": "team", "poll_interval_secs": 1, "settings": {}}
    flow = {
        "source": f"a{tag}",
        "target": f"b{tag}",
        "object": "asset",
        "interval_mins": 1,
        "latency_target_secs": 5,
        "owner": "team",
        "on_error": "hold",
        "mode": "enabled",
    }
    return {
        "name": "test",
        "kafka": {"bootstrap_servers": kafka, "replication_factor": 1},
        "registry": {"url": registry},
        "systems": {f"a{tag}": system, f"b{tag}": dict(system)},
        "flows": [flow],
    }


@dataclass
class Bench:
    """A landscape of its own names on the session's broker and registry."""

    raw: dict[str, Any]
    tag: str
    admin: AdminClient
    registry: SchemaRegistryClient

    @property
    def landscape(self) -> Landscape:
        return Landscape.model_validate(self.raw)

    def topic(self, record: str = "Conflict", **changes: Any) -> Topic:
        """A state topic with one record and a name of its own."""
        return replace(
            Topic(
                name=f"bench.t{uuid.uuid4().hex[:8]}.state.v1",
                klass="state",
                partitions=3,
                configs={"cleanup.policy": "compact", "segment.ms": "21600000"},
                key="key",
                description="A bench.",
                owner="bench",
                records=(record,),
                subjects="TopicName",
                compatibility="BACKWARD_TRANSITIVE",
                writers=("accept",),
                readers=("route",),
            ),
            **changes,
        )

    def plan(self, *topics: Topic) -> Plan:
        return plan(self.landscape, self.admin, self.registry, topics)

    def apply(self, *topics: Topic) -> Plan:
        steps = self.plan(*topics)
        apply(steps, self.admin, self.registry)
        return steps

    def settings(self, topic: str) -> dict[str, str]:
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
        entries = self.admin.describe_configs([resource])[resource].result(20)
        return {name: str(entry.value) for name, entry in entries.items()}

    def set(self, topic: str, setting: str, value: str) -> None:
        entry = ConfigEntry(setting, value, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
        self.admin.incremental_alter_configs([resource])[resource].result(20)


@pytest.fixture
def bench(kafka: str, registry: str) -> Iterator[Bench]:
    tag = uuid.uuid4().hex[:8]
    admin = AdminClient({"bootstrap.servers": kafka})
    with SchemaRegistryClient({"url": registry}) as client:
        yield Bench(_raw_landscape(kafka, registry, tag), tag, admin, client)


def test_a_whole_landscape_is_applied_and_the_second_plan_is_empty(bench: Bench) -> None:
    topics = topics_for(bench.landscape)
    first = plan(bench.landscape, bench.admin, bench.registry)
    assert {t.name for t in topics if bench.tag in t.name} <= {step.topic.name for step in first.create}
    apply(first, bench.admin, bench.registry)

    assert plan(bench.landscape, bench.admin, bench.registry).empty
    there = bench.admin.list_topics(timeout=20).topics
    assert {t.name: t.partitions for t in topics} == {t.name: len(there[t.name].partitions) for t in topics}
    # A record passed on from a report topic to the identified topic keeps its bytes, so also its schema id.
    ids: dict[str, set[int]] = {}
    for topic in topics:
        settings = bench.settings(topic.name)
        assert {name: settings[name] for name in topic.configs} == dict(topic.configs)
        for name, record in subjects_of(topic).items():
            found = bench.registry.lookup_schema(name, Schema(schema_text(record), "AVRO"))
            assert found.schema_id is not None
            ids.setdefault(record, set()).add(found.schema_id)
            assert bench.registry.get_compatibility(name) == topic.compatibility
    assert {record for record, numbers in ids.items() if len(numbers) != 1} == set()
    report_id = ids["AssetReport"].pop()
    listed = bench.registry.get_subjects_by_schema_id(report_id)
    assert {"asset.asset.report.v1-tieline.AssetReport", "hub.identified.report.v1-tieline.AssetReport"} <= set(listed)


def test_applying_a_plan_twice_does_no_harm(bench: Bench) -> None:
    steps = bench.plan(bench.topic())
    apply(steps, bench.admin, bench.registry)
    apply(steps, bench.admin, bench.registry)
    assert bench.registry.get_versions(steps.register[0].subject) == [1]


def test_a_setting_that_drifted_is_put_back_and_an_undeclared_one_is_reported(bench: Bench) -> None:
    topic = bench.topic()
    bench.apply(topic)
    bench.set(topic.name, "segment.ms", "60000")
    bench.set(topic.name, "retention.ms", "1000")

    steps = bench.plan(topic)
    assert steps.configs == (ChangeConfig(topic.name, "segment.ms", "60000", "21600000"),)
    assert f"setting {topic.name} retention.ms=1000" in steps.surplus
    apply(steps, bench.admin, bench.registry)
    assert bench.settings(topic.name)["segment.ms"] == "21600000"
    assert bench.settings(topic.name)["retention.ms"] == "1000", "what is not declared is left alone"
    assert bench.plan(topic).empty


@pytest.mark.parametrize("partitions", [2, 6])
def test_another_number_of_partitions_is_refused_and_nothing_else_happens(bench: Bench, partitions: int) -> None:
    topic, other = bench.topic(), bench.topic()
    bench.apply(topic)
    steps = bench.plan(replace(topic, partitions=partitions), other)
    assert not steps.empty
    with pytest.raises(Stop, match=rf"{topic.name} has 3 partitions, {partitions} are declared.*new major version"):
        apply(steps, bench.admin, bench.registry)
    assert other.name not in bench.admin.list_topics(timeout=20).topics


def test_a_new_version_of_a_schema_is_told_field_by_field(bench: Bench) -> None:
    topic = bench.topic()
    older = json.loads(schema_text("Conflict"))
    older["fields"] = [field for field in older["fields"] if field["name"] != "foreign_value"]
    name = subject(topic, "Conflict")
    bench.registry.register_schema(name, Schema(json.dumps(older), "AVRO"))

    (step,) = bench.apply(topic).register
    assert step.changes is not None
    assert [str(change) for change in step.changes] == [
        "Conflict.foreign_value: added, null or string, default null",
    ]
    assert bench.registry.get_versions(name) == [1, 2]
    assert bench.plan(topic).empty


def test_an_incompatible_schema_stops_with_subject_and_reason(bench: Bench) -> None:
    topic = bench.topic()
    older = json.loads(schema_text("Conflict"))
    older["fields"][0]["type"] = "int"
    name = subject(topic, "Conflict")
    bench.registry.register_schema(name, Schema(json.dumps(older), "AVRO"))
    with pytest.raises(Stop, match=rf"{name}: the schema is incompatible with an earlier version: .*fields/0"):
        bench.apply(topic)
    assert bench.registry.get_versions(name) == [1]


def test_another_scale_is_refused_although_the_registry_would_let_it_pass(bench: Bench) -> None:
    topic = bench.topic("Money", compatibility="FULL_TRANSITIVE")
    older = json.loads(schema_text("Money"))
    older["fields"][0]["type"]["scale"] = 2
    name = subject(topic, "Money")
    bench.registry.set_compatibility(name, "FULL_TRANSITIVE")
    bench.registry.register_schema(name, Schema(json.dumps(older), "AVRO"))
    assert bench.registry.test_compatibility(name, Schema(schema_text("Money"), "AVRO"))

    with pytest.raises(Stop, match=r"Money\.amount: was decimal\(20,2\), is decimal\(20,4\)"):
        bench.apply(topic)
    assert bench.registry.get_versions(name) == [1]


def test_a_level_that_differs_is_changed(bench: Bench) -> None:
    topic = bench.topic()
    bench.apply(topic)
    stricter = replace(topic, compatibility="FULL_TRANSITIVE")
    name = subject(topic, "Conflict")
    assert bench.plan(stricter).levels == (SetLevel(name, "BACKWARD_TRANSITIVE", "FULL_TRANSITIVE"),)
    bench.apply(stricter)
    assert bench.registry.get_compatibility(name) == "FULL_TRANSITIVE"
    assert bench.plan(stricter).empty


def test_what_is_not_declared_is_reported_and_stays(bench: Bench) -> None:
    topic, forgotten = bench.topic(), bench.topic()
    bench.apply(forgotten)
    steps = bench.apply(topic)
    name = subject(forgotten, "Conflict")
    assert {f"topic {forgotten.name}", f"subject {name}"} <= set(steps.surplus)
    assert forgotten.name in bench.admin.list_topics(timeout=20).topics
    assert bench.registry.get_versions(name) == [1]


def test_what_the_broker_turns_down_stops_with_its_reason(bench: Bench) -> None:
    topic = bench.topic(configs={"cleanup.policy": "keep"})
    with pytest.raises(Stop, match=rf"creating {topic.name}: Kafka says INVALID_CONFIG: .*cleanup\.policy"):
        bench.apply(topic)


def test_a_broker_or_registry_that_is_away_is_named(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applying, "CALL_TIMEOUT_SECS", 1.0)
    nobody = AdminClient({"bootstrap.servers": "127.0.0.1:1", "log_level": 0})
    with pytest.raises(Unavailable, match="the cluster's topics: Kafka says"):
        plan(bench.landscape, nobody, bench.registry, [])
    with (
        SchemaRegistryClient({"url": "http://127.0.0.1:1", "max.retries": 0}) as away,
        pytest.raises(Unavailable, match="the schema registry does not answer"),
    ):
        plan(bench.landscape, bench.admin, away, [])


def test_the_commands_say_by_exit_code_whether_something_is_to_do(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "landscape.yaml"
    path.write_text(yaml.safe_dump(bench.raw), encoding="utf-8")
    app = typer.Typer()
    app.command("plan")(plan_command)
    app.command("apply")(apply_command)

    def run(*words: str, answer: str | None = None) -> tuple[int, str]:
        result = CliRunner().invoke(app, [*words, "--landscape", str(path)], input=answer)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        return result.exit_code, result.output

    code, output = run("plan")
    assert code == 2
    assert f"src.a{bench.tag}.raw.v1" in output
    assert run("apply", answer="n\n")[0] == 2
    assert run("plan")[0] == 2, "saying no changes nothing"
    assert run("apply", "--yes")[0] == 0
    code, output = run("plan")
    assert (code, "Nothing to do." in output) == (0, True)

"""Bringing a cluster and a registry to what is declared: first a plan, then its steps. Nothing is ever deleted."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its documented names, not marked as exported
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    TopicMetadata,
)
from confluent_kafka.cimpl import NewTopic
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from tieline.kernel.declarations import Topic, schema_folders, schema_text, subjects_of, topics_for
from tieline.kernel.errors import Stop, Unavailable
from tieline.kernel.landscape import Landscape
from tieline.kernel.schema_changes import Difference, differences

T = TypeVar("T")
R = TypeVar("R")

CALL_TIMEOUT_SECS = 30.0
_LOOK_SECS = 0.05
REGISTRY_CALLS_AT_ONCE = 8
_NOT_FOUND = 404
_CONFLICT = 409
_SERVER_ERROR = 500
_UNREACHABLE = frozenset({"_TRANSPORT", "_TIMED_OUT", "_ALL_BROKERS_DOWN", "_RESOLVE", "REQUEST_TIMED_OUT"})


@dataclass(frozen=True, slots=True)
class CreateTopic:
    """A topic the cluster does not have."""

    topic: Topic
    replication_factor: int


@dataclass(frozen=True, slots=True)
class ChangeConfig:
    """A topic setting that differs. ``old`` is None if the cluster does not know the setting."""

    topic: str
    setting: str
    old: str | None
    new: str


@dataclass(frozen=True, slots=True)
class SetLevel:
    """A compatibility level that differs. ``old`` is None if the subject had none of its own."""

    subject: str
    old: str | None
    new: str


@dataclass(frozen=True, slots=True)
class RegisterSchema:
    """A schema that the subject does not have. ``changes`` compares it with the latest version; None for the first."""

    subject: str
    record: str
    text: str
    changes: tuple[Difference, ...] | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What must be done, in this order; what is refused; and what stands there undeclared (only reported)."""

    create: tuple[CreateTopic, ...] = ()
    configs: tuple[ChangeConfig, ...] = ()
    levels: tuple[SetLevel, ...] = ()
    register: tuple[RegisterSchema, ...] = ()
    refused: tuple[str, ...] = ()
    surplus: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """True when nothing is to be done and nothing is refused; what is surplus does not count."""
        return not (self.create or self.configs or self.levels or self.register or self.refused)


def plan(
    landscape: Landscape,
    admin: AdminClient,
    registry: SchemaRegistryClient,
    topics: Sequence[Topic] | None = None,
) -> Plan:
    """Compare what is declared with what is there. Changes nothing; blocks for some round trips.

    Raises ``Unavailable`` if the cluster or the registry does not answer, ``Stop`` if one of them says no.
    """
    wanted = topics_for(landscape) if topics is None else topics
    by_broker = _plan_topics(wanted, landscape.kafka.replication_factor, admin)
    by_registry = _plan_subjects(wanted, registry, schema_folders(landscape.families))
    return Plan(
        by_broker.create,
        by_broker.configs,
        by_registry.levels,
        by_registry.register,
        refused=by_broker.refused + by_registry.refused,
        surplus=by_broker.surplus + by_registry.surplus,
    )


def apply(steps: Plan, admin: AdminClient, registry: SchemaRegistryClient) -> None:
    """Do everything the plan says. Doing it again does no harm; blocks until the cluster and the registry have it.

    Raises ``Stop`` before the first step if the plan has refusals, and when a step is turned down (an incompatible
    schema: with subject and reason); ``Unavailable`` if the other side does not answer. What was done stays done.
    """
    if steps.refused:
        raise Stop("refused, nothing was changed: " + "; ".join(steps.refused))
    _create_topics(steps.create, admin)
    _change_configs(steps.configs, admin)
    # The level first: a subject's level may stand before its first schema, and the new schema is checked against it.
    _side_by_side(lambda step: _set_level(step, registry), steps.levels)
    by_record = defaultdict[str, list[RegisterSchema]](list)
    for step in steps.register:
        by_record[step.record].append(step)
    # The subjects of one record follow each other, so that no two of them race for its first id.
    _side_by_side(lambda one: _register(one, registry), list(by_record.values()))


# ---- topics ---------------------------------------------------------------------------------------------------


def _plan_topics(wanted: Sequence[Topic], replication_factor: int, admin: AdminClient) -> Plan:
    there = _listed(admin)
    names = {topic.name for topic in wanted}
    surplus = [f"topic {name}" for name in sorted(set(there) - names) if not name.startswith("__")]
    refused = [
        f"{topic.name} has {len(there[topic.name].partitions)} partitions, {topic.partitions} are declared: another "
        "number would move keys to other partitions; declare a new major version of the topic instead"
        for topic in wanted
        if topic.name in there and len(there[topic.name].partitions) != topic.partitions
    ]
    present = [topic for topic in wanted if topic.name in there]
    configs: list[ChangeConfig] = []
    for topic, entries in zip(present, _described(present, admin), strict=True):
        for setting, value in topic.configs.items():
            now = entries[setting].value if setting in entries else None
            if now != value:
                configs.append(ChangeConfig(topic.name, setting, now, value))
        surplus += [
            f"setting {topic.name} {setting}={entry.value}"
            for setting, entry in sorted(entries.items())
            if ConfigSource(entry.source) is ConfigSource.DYNAMIC_TOPIC_CONFIG and setting not in topic.configs
        ]
    return Plan(
        create=tuple(CreateTopic(topic, replication_factor) for topic in wanted if topic.name not in there),
        configs=tuple(configs),
        refused=tuple(refused),
        surplus=tuple(surplus),
    )


def _described(topics: Sequence[Topic], admin: AdminClient) -> Iterator[Mapping[str, ConfigEntry]]:
    if not topics:
        return
    resources = [ConfigResource(ConfigResource.Type.TOPIC, topic.name) for topic in topics]
    futures = admin.describe_configs(resources, request_timeout=CALL_TIMEOUT_SECS)
    for resource in resources:
        yield _answer(futures[resource], f"the settings of {resource.name}") or {}


def _listed(admin: AdminClient) -> Mapping[str, TopicMetadata]:
    try:
        found: Mapping[str, TopicMetadata] = admin.list_topics(timeout=CALL_TIMEOUT_SECS).topics
    except KafkaException as error:
        raise _kafka_error("the cluster's topics", error) from error
    return found


def _create_topics(steps: Sequence[CreateTopic], admin: AdminClient) -> None:
    if not steps:
        return
    new = [
        NewTopic(
            step.topic.name,
            num_partitions=step.topic.partitions,
            replication_factor=step.replication_factor,
            config=dict(step.topic.configs),
        )
        for step in steps
    ]
    futures = admin.create_topics(new, operation_timeout=CALL_TIMEOUT_SECS, request_timeout=CALL_TIMEOUT_SECS)
    for name, future in futures.items():
        _answer(future, f"creating {name}", harmless=KafkaError.TOPIC_ALREADY_EXISTS)
    _await_topics({topic.topic for topic in new}, admin)


def _await_topics(names: set[str], admin: AdminClient) -> None:
    # A broker answers the creation before it shows the topics to those who ask for them next.
    deadline = time.monotonic() + CALL_TIMEOUT_SECS
    while missing := names - set(_listed(admin)):
        if time.monotonic() > deadline:
            raise Unavailable(f"Kafka created {', '.join(sorted(missing))}, and does not show them")
        time.sleep(_LOOK_SECS)


def _change_configs(steps: Sequence[ChangeConfig], admin: AdminClient) -> None:
    entries = defaultdict[str, list[ConfigEntry]](list)
    for step in steps:
        entries[step.topic].append(ConfigEntry(step.setting, step.new, incremental_operation=AlterConfigOpType.SET))
    if not entries:
        return
    resources = [
        ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=wanted)
        for topic, wanted in entries.items()
    ]
    futures = admin.incremental_alter_configs(resources, request_timeout=CALL_TIMEOUT_SECS)
    for resource, future in futures.items():
        _answer(future, f"changing the settings of {resource.name}")


def _answer(future: Future[T], what: str, harmless: int | None = None) -> T | None:
    try:
        return future.result(timeout=2 * CALL_TIMEOUT_SECS)
    except KafkaException as error:
        if harmless is not None and error.args[0].code() == harmless:
            return None
        raise _kafka_error(what, error) from error
    except TimeoutError as error:
        raise Unavailable(f"{what}: Kafka does not answer") from error


def _kafka_error(what: str, error: KafkaException) -> Stop | Unavailable:
    cause: KafkaError = error.args[0]
    kind = Unavailable if cause.name() in _UNREACHABLE else Stop
    return kind(f"{what}: Kafka says {cause.name()}: {cause.str()}")


# ---- subjects -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Wanted:
    subject: str
    record: str
    level: str
    text: str


def _plan_subjects(topics: Sequence[Topic], registry: SchemaRegistryClient, folders: Sequence[Path]) -> Plan:
    registry.clear_caches()  # type: ignore[no-untyped-call]  # The client would answer from memory what another process has changed since
    there = frozenset(_found("its subjects", registry.get_subjects) or ())
    wanted = [
        _Wanted(subject, record, topic.compatibility, schema_text(record, *folders))
        for topic in topics
        for subject, record in subjects_of(topic).items()
    ]
    parts = _side_by_side(lambda one: _plan_subject(one, registry, exists=one.subject in there), wanted)
    surplus = sorted(there - {one.subject for one in wanted})
    return Plan(
        levels=tuple(step for part in parts for step in part.levels),
        register=tuple(step for part in parts for step in part.register),
        refused=tuple(reason for part in parts for reason in part.refused),
        surplus=tuple(f"subject {subject}" for subject in surplus),
    )


def _plan_subject(one: _Wanted, registry: SchemaRegistryClient, *, exists: bool) -> Plan:
    name = one.subject
    if not exists:
        return Plan((), (), (SetLevel(name, None, one.level),), (RegisterSchema(name, one.record, one.text, None),))
    level = _found(f"the level of {name}", lambda: registry.get_compatibility(name))
    levels = () if level == one.level else (SetLevel(name, level, one.level),)
    if _found(name, lambda: registry.lookup_schema(name, Schema(one.text, "AVRO"))) is not None:
        return Plan(levels=levels)
    latest = _found(name, lambda: registry.get_latest_version(name))
    if latest is None or latest.schema.schema_str is None:
        return Plan(levels=levels, register=(RegisterSchema(name, one.record, one.text, None),))
    changes = differences(json.loads(latest.schema.schema_str), json.loads(one.text))
    # Records of every version are still read where the level is transitive: a field that went and came back counts.
    older = _older_versions(name, registry) if one.level.endswith("TRANSITIVE") else ()
    seen = [*changes, *(change for text in older for change in differences(json.loads(text), json.loads(one.text)))]
    refused = tuple(
        f"{name}: {change}; the registry would let it pass, and stored records would change their meaning"
        for change in dict.fromkeys(seen)
        if change.unseen
    )
    return Plan(levels=levels, register=(RegisterSchema(name, one.record, one.text, changes),), refused=refused)


def _older_versions(name: str, registry: SchemaRegistryClient) -> Sequence[str]:
    """The texts of every version but the latest, newest first."""
    numbers = _found(f"the versions of {name}", lambda: registry.get_versions(name)) or []
    found = (_found(name, partial(registry.get_version, name, number)) for number in sorted(numbers)[-2::-1])
    return [one.schema.schema_str for one in found if one is not None and one.schema.schema_str is not None]


def _set_level(step: SetLevel, registry: SchemaRegistryClient) -> None:
    _done(f"the level of {step.subject}", lambda: registry.set_compatibility(step.subject, step.new))


def _register(steps: Sequence[RegisterSchema], registry: SchemaRegistryClient) -> None:
    for step in steps:
        _done(step.subject, partial(registry.register_schema, step.subject, Schema(step.text, "AVRO")))


def _found(what: str, call: Callable[[], T]) -> T | None:
    """The registry's answer; None where it knows nothing of the kind."""
    try:
        return call()
    except Exception as error:
        if isinstance(error, SchemaRegistryError) and error.http_status_code == _NOT_FOUND:
            return None
        raise _registry_error(what, error) from error


def _done(what: str, call: Callable[[], object]) -> None:
    try:
        call()
    except Exception as error:
        raise _registry_error(what, error) from error


def _registry_error(what: str, error: Exception) -> Stop | Unavailable:
    if not isinstance(error, SchemaRegistryError):  # whichever HTTP library the client found: no answer came
        return Unavailable(f"{what}: the schema registry does not answer: {error}")
    if error.http_status_code == _CONFLICT:
        return Stop(f"{what}: the schema is incompatible with an earlier version: {error.error_message}")
    if error.http_status_code >= _SERVER_ERROR:
        return Unavailable(f"{what}: the schema registry fails: {error}")
    return Stop(f"{what}: the schema registry says no: {error}")


def _side_by_side(work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Results in the order of the items; the first failure is raised once all have ended."""
    with ThreadPoolExecutor(max_workers=REGISTRY_CALLS_AT_ONCE) as pool:
        return list(pool.map(work, items))

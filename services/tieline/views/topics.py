"""The topics Faust keeps for itself. The broker creates none by itself, so the view does, before it starts.

They are the view's own notebook, not part of the catalogue: removing them (and the group) makes it read again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tieline.kernel.consuming import group_of
from tieline.kernel.errors import Stop
from tieline.kernel.landscape import Kafka
from tieline.views.entries import WINDOWED, Sources, topics_of

# Also the consumer group and the beginning of the changelogs' names. Once released, a change of what a table keeps of
# an event must come with a new group, so that the sources are read anew instead of entries of another shape.
APP_ID = group_of("views")
CALL_TIMEOUT_SECS = 30.0
# As long as commands are kept: the batch recomputation has nothing older to go by either.
WINDOWED_RETENTION_MS = 7 * 86_400_000
_WINDOWED_SEGMENT_MS = 86_400_000  # only a closed segment is deleted


def changelogs(sources: Sources) -> Mapping[str, str]:
    """Changelog topic to its table."""
    return {f"{APP_ID}-{table}-changelog": table for table in sources}


def ensure_topics(kafka: Kafka, sources: Sources) -> None:
    """Create what is missing. Raises ``Stop`` when a source is missing or a changelog has the wrong partitions."""
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 3, **kafka.client})
    found = _partitions(admin, kafka)
    for source in topics_of(sources):
        if source not in found:
            raise Stop(f"topic {source} does not exist; run: tieline topics apply")
    missing = [name for name in changelogs(sources) if name not in found]
    if missing:
        tables = changelogs(sources)
        wanted = {name: found[sources[tables[name]][0]] for name in missing}
        _create(admin, [_changelog(name, tables[name], wanted[name], kafka.replication_factor) for name in missing])
        found = _await_visible(admin, kafka, missing)
    for changelog, table in changelogs(sources).items():
        for source in sources[table]:
            if found[changelog] != found[source]:
                raise Stop(
                    f"{changelog} has {found[changelog]} partitions and {source} has {found[source]}: delete "
                    f"{changelog} and the consumer group {APP_ID}, then start again; the view reads its sources anew"
                )


def _partitions(admin: AdminClient, kafka: Kafka) -> dict[str, int]:
    try:
        topics = admin.list_topics(timeout=CALL_TIMEOUT_SECS).topics
    except KafkaException as error:
        raise Stop(f"{kafka.bootstrap_servers} does not answer: {error.args[0].str()}") from error
    return {name: len(topic.partitions) for name, topic in topics.items() if topic.partitions}


def _await_visible(admin: AdminClient, kafka: Kafka, wanted: list[str]) -> dict[str, int]:
    """Partitions by topic, once the broker tells of the new topics: it does so a moment after it has created them."""
    deadline = time.monotonic() + CALL_TIMEOUT_SECS
    while not set(wanted) <= (found := _partitions(admin, kafka)).keys():
        if time.monotonic() > deadline:
            raise Stop(f"{', '.join(wanted)}: created, but the broker does not show them")
        time.sleep(0.1)
    return found


def _changelog(name: str, table: str, partitions: int, replication_factor: int) -> NewTopic:
    configs = {"cleanup.policy": "compact", "min.insync.replicas": str(max(1, replication_factor - 1))}
    if table in WINDOWED:
        configs |= {
            "cleanup.policy": "compact,delete",
            "retention.ms": str(WINDOWED_RETENTION_MS),
            "segment.ms": str(_WINDOWED_SEGMENT_MS),
        }
    return NewTopic(name, num_partitions=partitions, replication_factor=replication_factor, config=configs)


def _create(admin: AdminClient, topics: list[NewTopic]) -> None:
    for name, outcome in admin.create_topics(topics, operation_timeout=CALL_TIMEOUT_SECS).items():
        try:
            outcome.result(CALL_TIMEOUT_SECS)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise Stop(f"{name} cannot be created: {error.args[0].str()}") from error

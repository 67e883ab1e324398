"""A broker as if it were new: what tests made is deleted. To start another costs ten seconds of processor time."""

from __future__ import annotations

import contextlib
import time

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

TIMEOUT_SECS = 60


def empty(bootstrap: str) -> None:
    """Delete every topic and group but the broker's own; returns when it shows none of them."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    if topics := _topics(admin):
        for outcome in admin.delete_topics(topics, operation_timeout=TIMEOUT_SECS).values():
            outcome.result(TIMEOUT_SECS)
    groups = [group.group_id for group in admin.list_consumer_groups().result(TIMEOUT_SECS).valid or ()]
    for outcome in admin.delete_consumer_groups(groups).values() if groups else ():
        # A member killed a moment ago counts as one for a while; the positions went with the topics.
        with contextlib.suppress(KafkaException):
            outcome.result(TIMEOUT_SECS)
    ends = time.monotonic() + TIMEOUT_SECS
    while left := _topics(admin):
        assert time.monotonic() < ends, left
        time.sleep(0.1)


def _topics(admin: AdminClient) -> list[str]:
    return [name for name in admin.list_topics(timeout=TIMEOUT_SECS).topics if not name.startswith("__")]

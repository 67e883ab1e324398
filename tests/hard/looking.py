"""What the hard tests look at, straight from where it is kept: Tryton's records, the sandbox's, the dead letters."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from tieline.connectors.tryton import comment, costs_text
from tieline.connectors.tryton.client import TrytonClient
from tieline.connectors.unio24.demo import Unio24User
from tieline.kernel import broker
from tieline.kernel.errors import Retryable, Unavailable
from tieline.kernel.records import Inbound
from tieline.wiring import Hub

T = TypeVar("T")
TRIES = 40


def patiently(do: Callable[[], T]) -> T:
    """Repeat what a busy Tryton refuses for the moment: the demo's keeps its books in SQLite, which locks whole."""
    for _ in range(TRIES - 1):
        try:
            return do()
        except (Retryable, Unavailable):
            time.sleep(0.25)
    return do()


def dead_letters(hub: Hub) -> list[str]:
    """Every dead letter of the estate: topic and reason."""
    found: list[Inbound] = []
    topics = [topic.name for topic in hub.topics.values() if topic.klass == "dead-letter"]
    broker.read_to_end(hub.landscape.kafka, topics, found.append)
    return [f"{record.topic}: {record.header('tl_reason')}" for record in found]


@dataclass(frozen=True, slots=True)
class Books:
    """Tryton's fixed assets and maintenance moves, as rows of its API."""

    assets: Sequence[dict[str, Any]]
    moves: Sequence[dict[str, Any]]

    def asset_refs(self) -> list[str]:
        """The hub's reference in each asset that has one."""
        said = (comment.read_values(row["comment"]).get(comment.HUB_REF) for row in self.assets)
        return [ref for ref in said if ref]

    def cost_refs(self) -> list[str]:
        """The hub's reference in each maintenance move that has one."""
        said = (costs_text.read_document(row["description"]).hub_ref for row in self.moves)
        return [ref for ref in said if ref]


async def read_books(client: TrytonClient) -> Books:
    """Everything, drafts included."""
    assets = await client.search_read("account.asset", [], ["number", "state", "comment", "value"])
    moves = await client.search_read("account.move", [("journal.code", "=", "MAINT")], ["state", "description"])
    return Books(assets, moves)


def twice(values: Iterable[object]) -> list[object]:
    """What occurs more than once."""
    return [value for value, count in Counter(values).items() if count > 1]


def creations(manager: Unio24User) -> list[int]:
    """Ids of the asset records the sandbox ever accepted as new, from its journal."""
    return [int(entry["object_id"]) for entry in manager.journal(object="asset", action="created")]

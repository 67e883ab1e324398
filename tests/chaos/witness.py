"""What came of it: the events as a read_committed reader sees them, and the effects as the targets noted them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import httpx
from tests.chaos.history import History, Noted, Version
from tests.chaos.hub import WORKS
from tests.chaos.ledger import Ledger
from tests.chaos.load import EVENTS, FLOWS, WHOLE_STATE, Flow, Item, asset_version
from tests.parts.unio24 import TOKEN, Unio24Part

from tieline.kernel import broker
from tieline.kernel.asset_records import AssetEvent
from tieline.kernel.book_records import AssetBookChanged
from tieline.kernel.cost_records import CostEvent
from tieline.kernel.records import Inbound
from tieline.kernel.vocabulary import Model
from tieline.wiring import Hub

UNTOLD = -1
"""The number of an effect that says nothing of a version: none of ours would be so."""


class Effects:
    """The sandbox's journal, read on as it grows, and the ledger's postings."""

    def __init__(self, works: Unio24Part, ledger: Ledger) -> None:
        self._works = works
        self._ledger = ledger
        self._last = 0
        self._ids: dict[int, str] = {}
        self._things: dict[int, str] = {}
        self._found: dict[Flow, list[Noted]] = {"assets": [], "books": []}

    def read_on(self) -> Mapping[Flow, Sequence[Noted]]:
        """All effects so far, by flow, in the order in which they took place."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        url = f"{self._works.url}/_journal"
        while True:
            try:
                answer = httpx.get(url, params={"after": self._last, "limit": 5000}, headers=headers, trust_env=False)
            except httpx.TransportError:
                break  # it is being restarted
            items = answer.raise_for_status().json()["items"]
            for entry in items:
                self._last = entry["seq"]
                self._take(entry)
            if not items:
                break
        costs = [Noted(_cost_version(one.document), one.ref) for one in list(self._ledger.postings)]
        return {**self._found, "costs": costs}

    def _take(self, entry: Mapping[str, Any]) -> None:
        record, detail = entry["object_id"], entry["detail"]
        if entry["object"] == "asset":
            if entry["action"] == "created":
                self._ids[record] = detail["external_ref"]
                self._things[record] = detail["erp_asset_number"]
            cost = detail.get("purchase_cost")
            version = Version(f"asset {record}", UNTOLD) if cost is None else asset_version(Decimal(cost))
            self._found["assets"].append(Noted(version, self._ids[record]))
        elif entry["object"] == "panel":
            version = Item("books", int(self._things[record]), detail["lines"]).version
            self._found["books"].append(Noted(version, self._ids[record]))


def read_histories(hub: Hub, sent: Sequence[Item], effects: Mapping[Flow, Sequence[Noted]]) -> list[History]:
    """The history of each flow, read when all has come to rest."""
    buried = [letter.coordinates for letter in _dead_letters(hub)]
    return [
        History(
            flow,
            sent=[item.version for item in sent if item.flow == flow],
            events=_events(hub, flow),
            effects=effects[flow],
            buried=buried if flow == FLOWS[0] else (),
            is_whole_state=flow in WHOLE_STATE,
        )
        for flow in FLOWS
    ]


def known_to_works(hub: Hub) -> set[str]:
    """Canonical ids of the assets of which the hub has published that the works know them."""
    found: set[str] = set()

    def take(record: Inbound) -> None:
        body = None if record.value is None else hub.codec.decode(record.topic, record.value).body
        if isinstance(body, AssetEvent) and WORKS in body.links:
            found.add(body.asset_id)

    broker.read_to_end(hub.landscape.kafka, [EVENTS["assets"]], take)
    return found


def _dead_letters(hub: Hub) -> list[Inbound]:
    found: list[Inbound] = []
    topics = [topic.name for topic in hub.topics.values() if topic.klass == "dead-letter"]
    broker.read_to_end(hub.landscape.kafka, topics, found.append)
    return found


def _events(hub: Hub, flow: Flow) -> list[Noted]:
    found: list[Noted] = []

    def take(record: Inbound) -> None:
        if record.value is not None:
            noted = _noted(hub.codec.decode(record.topic, record.value).body)
            if noted is not None:
                found.append(noted)

    broker.read_to_end(hub.landscape.kafka, [EVENTS[flow]], take)
    return found


def _noted(body: Model) -> Noted | None:
    match body:
        case AssetEvent() as event:
            # What a target answered changes an asset's links, and is no version of its source's.
            cost = event.fields.acquisition_cost
            if cost is None or "acquisition_cost" not in event.accepted.changed_fields:
                return None
            return Noted(asset_version(cost.amount), event.asset_id)
        case AssetBookChanged() as event:
            thing = int(event.accepted.origin_native_id.partition("|")[0])
            return Noted(Item("books", thing, len(event.fields.lines)).version, event.asset_id)
        case CostEvent() as event:
            return Noted(_cost_version(event.fields.work_order), event.cost_doc_id)
        case _:
            return None


def _cost_version(work_order: str) -> Version:
    return Item("costs", int(work_order.removeprefix("WO-")), 1).version

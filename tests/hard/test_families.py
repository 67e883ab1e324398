"""A family that the hub does not know by itself, on real Kafka: sales orders from a shop to the asset system.

Everything about them is data (tests/families): contract, topics, routing, and how each system keeps them. The shop is
a second UNIO24-style system in the role of an ERP. Nothing is started that another estate does not start.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.hard.looking import dead_letters
from tests.parts.estate import ROOT, Estate, eventually
from tests.parts.tryton import TrytonPart, start_tryton
from tests.parts.unio24 import PROFILE, Unio24Part, start_unio24
from tests.unit.families.test_sales_order import ORDER, SHOWN

from tieline.connectors.unio24.demo import Document
from tieline.kernel.kafka_log import KafkaLog, LogRecord
from tieline.kernel.memory import Conflict
from tieline.kernel.records import Outbound
from tieline.stack.parts import KafkaPart, RegistryPart
from tieline.wiring import publish_once

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

FAMILIES = ROOT / "tests" / "families" / "families"
SALES_ORDER = FAMILIES / "sales-order"
REPORTS, EVENTS, STATE = (f"sales.sales-order.{klass}.v1" for klass in ("report", "event", "state"))


class FamilyEstate(Estate):
    """The demo's estate with a shop beside it, whose sales orders go to the asset system."""

    def __init__(
        self,
        folder: Path,
        kafka: KafkaPart,
        registry: RegistryPart,
        tryton: TrytonPart,
        unio24: Unio24Part,
        *,
        shop: Unio24Part,
    ) -> None:
        self.shop = shop
        super().__init__(folder, kafka, registry, tryton, unio24)

    def _landscape(self) -> Mapping[str, object]:
        landscape: dict[str, Any] = dict(super()._landscape())
        landscape["families"] = str(FAMILIES)
        unio24 = landscape["systems"]["unio24"]
        unio24["settings"]["records"] = {"sales-order": {"path": str(SALES_ORDER / "unio24.yaml")}}
        landscape["systems"]["shop"] = {
            "connector": "unio24",
            "role": "erp",
            "owner": "sales-applications",
            "poll_interval_secs": 0.5,
            "settings": {
                "endpoint": self.shop.url,
                "profile": {"path": str(PROFILE)},
                "records": {"sales-order": {"path": str(SALES_ORDER / "shop.yaml")}},
                "token": {"secret": f"file:{self.folder}/unio24-token.secret"},
            },
        }
        flow = {"object": "sales-order", "source": "shop", "target": "unio24", "interval_mins": 15}
        terms = {"latency_target_secs": 3600, "owner": "sales-applications", "on_error": "hold", "mode": "enabled"}
        landscape["flows"] = [*landscape["flows"], flow | terms]
        return landscape

    def log(self) -> KafkaLog:
        """The estate's log, to look at."""
        return KafkaLog(self.hub.landscape.kafka, self.hub.codec)

    def read(self, topic: str) -> list[LogRecord]:
        """Every record of a topic."""
        start = {f"{topic}/{partition}": 0 for partition in range(self.hub.partitions[topic])}
        return list(self.log().read_from(start))


@pytest.fixture
def estate(tmp_path: Path, empty_kafka: KafkaPart, registry_part: RegistryPart) -> Iterator[FamilyEstate]:
    folder = tmp_path / "estate"
    folder.mkdir()
    with ExitStack() as stack:
        tryton = stack.enter_context(start_tryton(folder / "tryton"))
        unio24 = stack.enter_context(start_unio24(folder / "unio24"))
        shop = stack.enter_context(start_unio24(folder / "shop"))
        running = FamilyEstate(folder, empty_kafka, registry_part, tryton, unio24, shop=shop)
        stack.callback(running.stop)
        running.start()
        yield running


def shown(estate: FamilyEstate) -> list[Document]:
    """The sales orders that the asset system shows, without what is the system's own."""
    with estate.unio24.user() as manager:
        return [{k: v for k, v in one.items() if k in SHOWN} for one in manager.records("sales-orders")]


def state(estate: FamilyEstate) -> Any:
    """What the hub believes of the only sales order."""
    [row] = estate.log().read_table(STATE).values()
    assert row.value is not None
    return row.value.body


def test_sales_orders_flow_change_and_replay_without_a_line_of_code(estate: FamilyEstate) -> None:
    assert not list(FAMILIES.parent.rglob("*.py"))
    assert "Nothing to do." in estate.tieline("topics", "plan").stdout
    estate.tieline("check")

    with estate.shop.user() as seller:
        order = seller.create_record("orders", ORDER)
        eventually(lambda: shown(estate) == [SHOWN], "the order in the asset system")
        assert (state(estate).version, state(estate).origin_native_id) == (1, str(order["id"]))

        seller.edit_record("orders", order["id"], state="done")
        eventually(lambda: shown(estate) == [SHOWN | {"status": 2}], "the change in the asset system")
    assert state(estate).version == 2
    changes: list[Any] = [record.value.body for record in estate.read(EVENTS) if record.value is not None]
    assert [event.accepted.version for event in changes] == [1, 2]
    assert changes[1].accepted.changed_fields == ("status",)

    replay(estate)
    see_a_foreign_edit(estate)
    assert dead_letters(estate.hub) == []


def replay(estate: FamilyEstate) -> None:
    """Everything the shop said is said again, oldest last: nothing follows from it."""
    eventually(lambda: "unio24" in state(estate).links, "the record's number in the asset system")
    before, held = len(estate.read(EVENTS)), estate.log().read_table(STATE)
    writes = journal(estate)
    said = [record for record in estate.read(REPORTS) if record.key.startswith("shop/")]
    assert len(said) >= 2
    publish_once(estate.hub, "replay", [Outbound(one.topic, one.key, one.value) for one in reversed(said)])

    with estate.shop.user() as seller:  # what comes behind the replay shows that it has passed
        seller.create_record("orders", ORDER | {"number": "SO-2"})
    eventually(lambda: len(shown(estate)) == 2, "the next order in the asset system")
    assert len(estate.read(EVENTS)) == before + 1
    after = estate.log().read_table(STATE)
    assert {key: after[key].value for key in held} == {key: row.value for key, row in held.items()}
    assert journal(estate)[: len(writes)] == writes
    assert len(journal(estate)) == len(writes) + 1


def see_a_foreign_edit(estate: FamilyEstate) -> None:
    """Invariant 9: somebody changes the copy; it is visible, and nobody else's word changes."""
    with estate.unio24.user() as manager:
        first = manager.records("sales-orders")[0]
        manager.edit_record("sales-orders", first["id"], status=9)

    def conflicts() -> list[Conflict]:
        rows = estate.log().read_table("hub.conflict.state.v1").values()
        return [row.value.body for row in rows if row.value is not None and isinstance(row.value.body, Conflict)]

    eventually(lambda: any(one.field == "status" for one in conflicts()), "the conflict")
    [conflict] = [one for one in conflicts() if one.field == "status"]
    assert (conflict.system, conflict.owned_value, conflict.foreign_value) == ("unio24", "DELIVERED", "CANCELLED")
    assert len(estate.read(EVENTS)) == 3


def journal(estate: FamilyEstate) -> list[Document]:
    """What was ever written to the asset system's collection."""
    with estate.unio24.user() as manager:
        return manager.journal(object="record")

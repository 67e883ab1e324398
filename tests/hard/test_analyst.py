"""Somebody else's reader: the stock Avro deserialiser reads what the hub publishes, amounts as exact decimals."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext
from tests.parts.estate import DEMO_LANDSCAPE, eventually

from tieline.kernel.applying import apply, plan
from tieline.kernel.asset_records import AssetFields, AssetReport
from tieline.kernel.book_records import BookFields, BookReport, ScheduleLine
from tieline.kernel.capturing import report_record
from tieline.kernel.clock import utc_now
from tieline.kernel.consuming import Processor, TransactionalLoop
from tieline.kernel.cost_records import CostFields, CostKind, CostLine, CostReport
from tieline.kernel.reports import Report
from tieline.kernel.vocabulary import Money, Origin
from tieline.processors.wiring import build_processor
from tieline.stack.parts import KafkaPart, RegistryPart
from tieline.wiring import Hub, open_hub, publish_once

pytestmark = pytest.mark.integration

COST, DEPRECIATION, REPAIR = Decimal("1234.56"), Decimal("34.29"), Decimal("120.48")
DAY = dt.date(2026, 3, 31)


def origin(system: str, entity: str, native_id: str) -> Origin:
    return Origin(
        system=system,
        entity=entity,
        native_id=native_id,
        source_version="1",
        recorded_at=dt.datetime(2026, 4, 1, tzinfo=dt.UTC),
    )


def reports() -> list[Report]:
    """An asset that both systems know, one posted month, and the costs of one repair."""
    cost = Money(amount=COST, currency="EUR")
    booked = AssetFields(asset_number="42", company="ACME", description="Pump", acquisition_cost=cost)
    month = ScheduleLine(
        date=DAY,
        posting_period="2026-003",
        depreciation=DEPRECIATION,
        accumulated_after=DEPRECIATION,
        net_book_value_after=COST - DEPRECIATION,
        posted=True,
        document="M-7",
    )
    book = BookFields(
        book_id="main",
        currency="EUR",
        method="SL",
        gross_cost=COST,
        salvage=Decimal(0),
        accumulated=DEPRECIATION,
        net_book_value=COST - DEPRECIATION,
        as_of=DAY,
        lines=(month,),
    )
    costs = CostFields(
        work_order="WO-1",
        asset_native_id="7",
        company="ACME",
        currency="EUR",
        cost_centre="CC-100",
        effective_date=DAY,
        total=REPAIR,
        lines=(CostLine(line_no=1, kind=CostKind.LABOUR, description="Fix", quantity=Decimal("2.5"), amount=REPAIR),),
    )
    return [
        AssetReport(origin=origin("tryton", "asset", "1"), fields=booked),
        BookReport(origin=origin("tryton", "book", "1|main"), asset_native_id="1", fields=book),
        AssetReport(origin=origin("unio24", "asset", "7"), fields=AssetFields(asset_number="42", tag="AT-7")),
        CostReport(origin=origin("unio24", "cost-document", "3"), fields=costs),
    ]


@pytest.fixture
def hub(tmp_path: Path, empty_kafka: KafkaPart, registry_part: RegistryPart) -> Iterator[Hub]:
    """A hub where identify and accept have handled the reports."""
    landscape = yaml.safe_load(DEMO_LANDSCAPE.read_text(encoding="utf-8"))
    landscape["kafka"]["bootstrap_servers"] = empty_kafka.bootstrap
    landscape["registry"]["url"] = registry_part.url
    path = tmp_path / "landscape.yaml"
    path.write_text(yaml.safe_dump(landscape), encoding="utf-8")
    made = open_hub(path)
    admin = AdminClient({"bootstrap.servers": empty_kafka.bootstrap})
    with SchemaRegistryClient({"url": registry_part.url}) as client:
        apply(plan(made.landscape, admin, client), admin, client)
    # One by one: reports of different systems have no order among themselves.
    for report in reports():
        publish_once(made, "test", [report_record(report)])
        for name in ("identify", "accept"):
            run(made, build_processor(name, made.landscape, utc_now), 1)
    yield made
    made.close()


def run(hub: Hub, processor: Processor, count: int) -> None:
    """Run a processor until it has handled so many records."""
    loop = TransactionalLoop(processor, hub.runtime(processor.name, threading.Event().is_set))
    loop.start()
    handled = [0]

    def enough() -> bool:
        handled[0] += loop.run_once(1.0)
        return handled[0] >= count

    eventually(enough, f"{processor.name} handled {count} records")
    loop.close()


class Analyst:
    """Knows the broker and the registry, nothing of Tieline."""

    def __init__(self, kafka: str, registry: str) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": kafka,
                "group.id": "analyst",
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
            }
        )
        self._registry = SchemaRegistryClient({"url": registry})
        self._deserialise = AvroDeserializer(self._registry)

    def read(self, topic: str, count: int) -> list[dict[str, Any]]:
        """The first records of a topic, as plain dictionaries."""
        self._consumer.subscribe([topic])
        found: list[dict[str, Any]] = []

        def enough() -> bool:
            message = self._consumer.poll(1.0)
            if message is not None:
                assert message.error() is None, message.error()
                found.append(self._deserialise(message.value(), SerializationContext(topic, MessageField.VALUE)))
            return len(found) >= count

        eventually(enough, f"{count} records of {topic}")
        return found

    def close(self) -> None:
        self._consumer.close()
        self._registry.close()


@pytest.fixture
def analyst(hub: Hub) -> Iterator[Analyst]:
    made = Analyst(hub.landscape.kafka.bootstrap_servers, hub.landscape.registry.url)
    yield made
    made.close()


def exact(value: object, expected: Decimal) -> bool:
    """Whether it is a decimal, not a float, and the very number."""
    return type(value) is Decimal and value == expected


def test_an_analyst_reads_events_and_state_with_a_stock_reader(analyst: Analyst) -> None:
    registered, joined = analyst.read("asset.asset.event.v1", 2)
    assert exact(registered["fields"]["acquisition_cost"]["amount"], COST)
    assert registered["fields"]["acquisition_cost"]["currency"] == "EUR"
    assert joined["asset_id"] == registered["asset_id"]
    assert joined["links"] == {"tryton": "1", "unio24": "7"}

    (posting,) = analyst.read("depreciation.posting.event.v1", 1)
    assert posting["asset_id"] == registered["asset_id"]
    assert exact(posting["amount"]["amount"], DEPRECIATION)
    assert exact(posting["net_book_value_after"], COST - DEPRECIATION)
    assert posting["scheduled_date"] == DAY
    assert posting["accepted"]["posting_period"] == "2026-003"

    (cost,) = analyst.read("cost.document.event.v1", 1)
    assert cost["asset_id"] == registered["asset_id"]
    assert exact(cost["fields"]["total"], REPAIR)
    assert [line["kind"] for line in cost["fields"]["lines"]] == ["LABOUR"]
    assert exact(cost["fields"]["lines"][0]["quantity"], Decimal("2.5"))

    states = analyst.read("asset.asset.state.v1", 2)
    assert exact(states[-1]["fields"]["acquisition_cost"]["amount"], COST)
    assert states[-1]["fields"]["tag"] == "AT-7"
    assert states[-1]["version"] == 2

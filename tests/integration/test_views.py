"""The live views on a real broker: they agree with the events, whatever happens to the process."""

from __future__ import annotations

import datetime as dt
import os
import time
import uuid
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from tests.parts.estate import DEMO_LANDSCAPE, TIELINE, eventually

from tieline.kernel.broker import open_producer
from tieline.kernel.codecs import Codec
from tieline.kernel.declarations import schema_text, subjects_of
from tieline.kernel.errors import Stop
from tieline.kernel.landscape import Kafka
from tieline.kernel.model import Accepted, AssetEvent, AssetFields, CostEvent, CostFields, Money
from tieline.kernel.records import Typed
from tieline.stack.parts import KafkaPart, Part
from tieline.stack.ports import free_ports
from tieline.views.batch import recompute
from tieline.views.costs import ASSET_EVENTS, COST_EVENTS, as_json
from tieline.views.entries import SOURCES
from tieline.views.topics import changelogs, ensure_topics
from tieline.wiring import Hub, open_hub

pytestmark = pytest.mark.integration
ASSETS = 40
IDLE_SECS = 10


class Views:
    """The process under test, and one who writes the events it follows."""

    def __init__(self, folder: Path, kafka: str, registry: str) -> None:
        landscape = yaml.safe_load(DEMO_LANDSCAPE.read_text(encoding="utf-8"))
        landscape["kafka"]["bootstrap_servers"] = kafka
        landscape["registry"]["url"] = registry
        landscape["views_port"] = free_ports(1)[0]
        path = folder / "landscape.yaml"
        path.write_text(yaml.safe_dump(landscape), encoding="utf-8")
        self.hub: Hub = open_hub(path)
        self.kafka: Kafka = self.hub.landscape.kafka
        self.url = f"http://127.0.0.1:{landscape['views_port']}"
        self._declare(registry)
        self.place = folder / "place"
        self.place.mkdir()
        self.part = Part(
            name="views",
            argv=[str(TIELINE), "run", "views", "--landscape", str(path)],
            log=folder / "views.log",
            is_ready=self.is_ready,
            environment={"TIELINE_LOG_LEVEL": "info"},
            cwd=self.place,
        )
        self.written: dict[str, tuple[str, Decimal]] = {}

    @property
    def codec(self) -> Codec:
        return self.hub.codec

    def close(self) -> None:
        self.hub.close()

    def _declare(self, registry: str) -> None:
        admin = AdminClient({"bootstrap.servers": self.kafka.bootstrap_servers})
        topics = [self.hub.topics[name] for name in sorted(set(SOURCES.values()))]
        made = admin.create_topics(
            [NewTopic(t.name, num_partitions=t.partitions, replication_factor=1) for t in topics]
        )
        for outcome in made.values():
            outcome.result(30)
        with SchemaRegistryClient({"url": registry}) as client:
            for topic in topics:
                for name, record in subjects_of(topic).items():
                    client.register_schema(name, Schema(schema_text(record), "AVRO"))

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=2, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    def write(self, first: int, last: int, *, commit: bool = True, twice: bool = False) -> None:
        """Documents first..last-1 and the state of every asset, in one transaction, committed or aborted."""
        producer = open_producer(self.kafka, f"test-{uuid.uuid4().hex}")
        producer.init_transactions(30)
        producer.begin_transaction()
        for number in range(first, last):
            event = cost_event(number)
            for _ in range(2 if twice else 1):
                self._produce(producer, COST_EVENTS, "CostPosted", event.cost_doc_id, event)
            if commit:
                self.written[event.cost_doc_id] = (str(event.asset_id), event.fields.total)
        for number in range(ASSETS):
            event_of_asset = asset_event(number, version=last)
            self._produce(producer, ASSET_EVENTS, "AssetChanged", event_of_asset.asset_id, event_of_asset)
        if commit:
            producer.commit_transaction(30)
        else:
            producer.flush(30)  # so that the aborted records really are in the log
            producer.abort_transaction(30)

    def _produce(self, producer: Producer, topic: str, name: str, key: str, body: Any) -> None:
        producer.produce(topic, self.codec.encode(topic, Typed(name, body)), key)

    def write_raw(self, value: bytes) -> None:
        producer = open_producer(self.kafka, f"test-{uuid.uuid4().hex}")
        producer.init_transactions(30)
        producer.begin_transaction()
        producer.produce(COST_EVENTS, value, "bad")
        producer.commit_transaction(30)

    def shown(self) -> Mapping[str, Any]:
        """Every asset as the view shows it, page by page."""
        items: dict[str, Any] = {}
        after: str | None = ""
        while after is not None:
            page = httpx.get(f"{self.url}/costs", params={"after": after, "limit": 17}, trust_env=False).json()
            items |= {item["asset_id"]: item for item in page["items"]}
            after = page["next_after"]
        return items

    def agrees(self) -> bool:
        """Whether every maintenance sum is exactly that of what was written, counted by this test itself."""
        wanted: dict[str, Decimal] = {}
        for asset_id, total in self.written.values():
            wanted[asset_id] = wanted.get(asset_id, Decimal(0)) + total
        shown = self.shown()
        sums = {key: Decimal(item["maintenance"]["EUR"]) for key, item in shown.items() if item["documents"]}
        documents = sum(item["documents"] for item in shown.values())
        return sums == wanted and documents == len(self.written) and len(shown) == ASSETS

    def batch(self) -> Mapping[str, Any]:
        """The batch recomputation from the event topics."""
        found, _ = recompute(self.kafka, self.codec).costs.page(after="", limit=1000)
        return {cost.asset_id: as_json(cost) for cost in found}


def accepted(version: int) -> Accepted:
    return Accepted(
        version=version,
        origin_system="unio24",
        origin_native_id="1",
        effective_date=dt.date(2026, 3, 1),
        recorded_at=dt.datetime(2026, 3, 1, tzinfo=dt.UTC),
        changed_fields=(),
    )


def cost_event(number: int) -> CostEvent:
    fields = CostFields(
        work_order=f"WO-{number}",
        company="ACME",
        currency="EUR",
        cost_centre="CC-100",
        effective_date=dt.date(2026, 3, 1 + number % 28),
        total=Decimal(number) + Decimal("0.37"),
        lines=(),
    )
    asset_id = f"asset-{number % ASSETS:02d}"
    return CostEvent(cost_doc_id=f"doc-{number}", asset_id=asset_id, accepted=accepted(1), fields=fields)


def asset_event(number: int, version: int) -> AssetEvent:
    fields = AssetFields(tag=f"T{number}", acquisition_cost=Money(amount=Decimal(1000 + version), currency="EUR"))
    return AssetEvent(asset_id=f"asset-{number:02d}", accepted=accepted(version), fields=fields, links={})


def cpu_secs(pid: int) -> float:
    """Processor time of a process so far, from the kernel's own account."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.fixture
def views(tmp_path: Path, own_kafka: KafkaPart, registry: str) -> Iterator[Views]:
    made = Views(tmp_path, own_kafka.bootstrap, registry)
    try:
        yield made
    finally:
        made.part.stop()
        made.close()


def test_they_agree_with_the_events_and_with_the_batch_after_every_crash(views: Views) -> None:
    views.write(0, 200)
    views.write(200, 260, commit=False)  # must never be counted
    views.part.start()
    eventually(views.agrees, "the view agrees with the events")
    for crash in range(3):
        views.write(300 + 200 * crash, 500 + 200 * crash)
        # In the middle of its work: the new events have only just been written.
        views.part.kill()
        views.write(0, 50, twice=True)  # documents it knows already, read again
        views.part.start(wait_secs=90)
        eventually(views.agrees, f"the view agrees after crash {crash + 1}")
    assert views.shown() == views.batch()


def test_a_graceful_end_loses_nothing(views: Views) -> None:
    views.part.start()
    for round_ in range(3):
        views.write(100 * round_, 100 * round_ + 100)
        views.part.stop()
        views.part.start(wait_secs=90)
    eventually(views.agrees, "the view agrees after each restart")
    assert not list(views.place.iterdir())  # a container may not allow files there


def test_a_record_it_cannot_read_is_counted_and_costs_nothing_else(views: Views) -> None:
    views.part.start()
    views.write_raw(b"not avro")
    views.write(0, 100)
    eventually(views.agrees, "the view goes on behind the bad record")
    health = httpx.get(f"{views.url}/health", trust_env=False).json()
    assert health["skipped_records"] == 1
    assert "record-skipped" in views.part.log.read_text(encoding="utf-8")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads processor time from /proc")
def test_it_is_idle_when_nothing_happens(views: Views) -> None:
    views.write(0, 50)
    views.part.start()
    eventually(views.agrees, "the view agrees")
    before = cpu_secs(views.part.pid)
    time.sleep(IDLE_SECS)  # measured, not waited for
    busy_percent = 100 * (cpu_secs(views.part.pid) - before) / IDLE_SECS
    assert busy_percent < 5, f"{busy_percent:.1f} % of a core while idle"


def test_it_reads_no_warning_into_the_log(views: Views) -> None:
    views.write(0, 50)
    views.part.start()
    eventually(views.agrees, "the view agrees")
    views.part.stop()
    log = views.part.log.read_text(encoding="utf-8")
    assert "Warning" not in log
    assert '"stopped"' in log


def test_a_changelog_with_other_partitions_than_its_source_is_refused(views: Views) -> None:
    changelog, source = next(iter(changelogs().items()))
    admin = AdminClient({"bootstrap.servers": views.kafka.bootstrap_servers})
    for outcome in admin.create_topics([NewTopic(changelog, num_partitions=1, replication_factor=1)]).values():
        outcome.result(30)
    with pytest.raises(Stop, match=f"{changelog} has 1 partitions and {source} has 12"):
        ensure_topics(views.kafka)


def test_its_topics_are_compacted_and_made_once(views: Views) -> None:
    ensure_topics(views.kafka)
    ensure_topics(views.kafka)
    admin = AdminClient({"bootstrap.servers": views.kafka.bootstrap_servers})
    found = admin.list_topics(timeout=30).topics
    assert {name: len(found[name].partitions) for name in changelogs()} == dict.fromkeys(changelogs(), 12)

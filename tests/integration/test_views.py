"""The live views on a real broker: they agree with the events, whatever happens to the process."""

from __future__ import annotations

import datetime as dt
import os
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
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
from tieline.kernel.model import (
    Accepted,
    AssetEvent,
    AssetFields,
    CostEvent,
    CostFields,
    DepreciationPosted,
    FinancialStatus,
    Money,
    PhysicalStatus,
)
from tieline.kernel.records import Typed
from tieline.stack.parts import KafkaPart, Part
from tieline.stack.ports import free_ports
from tieline.views import costs, disposals, spend
from tieline.views.batch import recompute
from tieline.views.costs import ASSET_EVENTS, COST_EVENTS
from tieline.views.depreciation import POSTING_EVENTS
from tieline.views.entries import SOURCES
from tieline.views.topics import changelogs, ensure_topics
from tieline.wiring import Hub, open_hub

pytestmark = pytest.mark.integration
ASSETS = 40
IDLE_SECS = 10
RETIRED_FROM = 200  # version of the assets
CLOSED_FROM = 500
RETIRED_ON = dt.date(2026, 2, 10)


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
        self.written: dict[str, CostEvent] = {}
        self.depreciated: dict[str, Decimal] = {}  # amount by asset
        self.version = 0  # of every asset

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
        """Documents and postings first..last-1 and the state of every asset: one transaction, committed or aborted."""
        producer = open_producer(self.kafka, f"test-{uuid.uuid4().hex}")
        producer.init_transactions(30)
        producer.begin_transaction()
        for number in range(first, last):
            event, posting = cost_event(number), posting_event(number)
            for _ in range(2 if twice else 1):
                self._produce(producer, COST_EVENTS, "CostPosted", event.cost_doc_id, event)
                self._produce(producer, POSTING_EVENTS, "DepreciationPosted", posting.asset_id, posting)
            if commit:
                if event.cost_doc_id not in self.written:
                    before = self.depreciated.get(posting.asset_id, Decimal(0))
                    self.depreciated[posting.asset_id] = before + posting.amount.amount
                self.written[event.cost_doc_id] = event
        for number in range(ASSETS):
            event_of_asset = asset_event(number, version=last)
            self._produce(producer, ASSET_EVENTS, "AssetChanged", event_of_asset.asset_id, event_of_asset)
        if commit:
            producer.commit_transaction(30)
            self.version = max(self.version, last)
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

    def shown(self, path: str = "/costs") -> list[dict[str, Any]]:
        """Everything a view shows, page by page."""
        items: list[dict[str, Any]] = []
        after: str | None = ""
        while after is not None:
            page = httpx.get(f"{self.url}{path}", params={"after": after, "limit": 17}, trust_env=False).json()
            items += page["items"]
            after = page["next_after"]
        return items

    def agrees(self) -> bool:
        """Whether every figure is exactly that of what was written, counted by this test itself."""
        return self._costs_agree() and self._spend_agrees() and self._disposals_agree()

    def _costs_agree(self) -> bool:
        maintenance = sums((event.asset_id, event) for event in self.written.values())
        shown = {item["asset_id"]: item for item in self.shown()}
        found = {key: decimals(item["maintenance"]) for key, item in shown.items() if item["documents"]}
        books = {key: item["depreciation"]["main"]["posted"] for key, item in shown.items() if item["depreciation"]}
        documents = sum(item["documents"] for item in shown.values())
        return (
            found == maintenance
            and documents == len(self.written)
            and len(shown) == ASSETS
            and {key: Decimal(posted["EUR"]) for key, posted in books.items()} == self.depreciated
        )

    def _spend_agrees(self) -> bool:
        events = self.written.values()
        wanted = sums(((e.fields.cost_centre, e.accepted.posting_period or "2026-03"), e) for e in events)
        shown = self.shown("/spend")
        return {(item["cost_centre"], item["period"]): decimals(item["spend"]) for item in shown} == wanted

    def _disposals_agree(self) -> bool:
        # Every fourth asset is retired, every eighth closed; see asset_event.
        retired = range(0, ASSETS, 4) if self.version >= RETIRED_FROM else range(0)
        closed = range(0, ASSETS, 8) if self.version >= CLOSED_FROM else range(0)
        days = (recorded_on(self.version) - RETIRED_ON).days
        wanted = {f"asset-{n:02d}": ("closed", days, None) if n in closed else ("open", None, days) for n in retired}
        shown = self.shown("/disposals")
        return {item["asset_id"]: (item["status"], item["lag_days"], item["age_days"]) for item in shown} == wanted

    def agrees_with_the_batch(self) -> bool:
        """Whether every view shows exactly what the batch recomputation from the event topics gives."""
        figures = recompute(self.kafka, self.codec)
        pages = {
            "/costs": [costs.as_json(item) for item in figures.costs.page(after="", limit=1000)[0]],
            "/spend": [spend.as_json(item) for item in figures.spend.page(limit=1000)[0]],
            "/disposals": [disposals.as_json(item) for item in figures.disposals.page(limit=1000)[0]],
        }
        return all(pages.values()) and {path: self.shown(path) for path in pages} == pages


def sums(events: Iterable[tuple[Any, CostEvent]]) -> dict[Any, dict[str, Decimal]]:
    """Sums per key and currency."""
    found: dict[Any, dict[str, Decimal]] = {}
    for key, event in events:
        row = found.setdefault(key, {})
        row[event.fields.currency] = row.get(event.fields.currency, Decimal(0)) + event.fields.total
    return found


def decimals(amounts: Mapping[str, str]) -> dict[str, Decimal]:
    return {currency: Decimal(amount) for currency, amount in amounts.items()}


def recorded_on(version: int) -> dt.date:
    return dt.date(2026, 3, 1) + dt.timedelta(days=version // 50)


def accepted(version: int, *changed: str, posting_period: str | None = None) -> Accepted:
    return Accepted(
        version=version,
        origin_system="unio24",
        origin_native_id="1",
        effective_date=dt.date(2026, 3, 1),
        recorded_at=dt.datetime.combine(recorded_on(version), dt.time(9), dt.UTC),
        posting_period=posting_period,
        changed_fields=changed,
    )


def cost_event(number: int) -> CostEvent:
    """A document: every seventh takes back, every fifth is in another currency, every second is posted late."""
    total = Decimal(number) + Decimal("0.37")
    takes_back = number % 7 == 0
    fields = CostFields(
        work_order=f"WO-{number}",
        company="ACME",
        currency="USD" if number % 5 == 0 else "EUR",
        cost_centre=f"CC-{number % 3}",
        effective_date=dt.date(2026, 3, 1 + number % 28),
        total=-total if takes_back else total,
        lines=(),
        reversal_of=f"{number}" if takes_back else None,
    )
    about = accepted(1, posting_period="2026-004" if number % 2 else None)
    asset_id = f"asset-{number % ASSETS:02d}"
    return CostEvent(cost_doc_id=f"doc-{number}", asset_id=asset_id, accepted=about, fields=fields)


def posting_event(number: int) -> DepreciationPosted:
    amount = Decimal(number) / 100
    return DepreciationPosted(
        asset_id=f"asset-{number % ASSETS:02d}",
        book_id="main",
        accepted=accepted(number),
        amount=Money(amount=amount, currency="EUR"),
        accumulated_after=amount,
        net_book_value_after=Decimal(1000) - amount,
        scheduled_date=dt.date(2026, 3, 1 + number % 28),
    )


def asset_event(number: int, version: int) -> AssetEvent:
    """The asset as of a version: with time every fourth is retired, and every eighth closed as well."""
    retired = number % 4 == 0 and version >= RETIRED_FROM
    closed = number % 8 == 0 and version >= CLOSED_FROM
    fields = AssetFields(
        tag=f"T{number}",
        acquisition_cost=Money(amount=Decimal(1000 + version), currency="EUR"),
        physical_status=PhysicalStatus.RETIRED if retired else PhysicalStatus.IN_SERVICE,
        financial_status=FinancialStatus.CLOSED if closed else FinancialStatus.RUNNING,
        disposal_date=RETIRED_ON if retired else None,
    )
    about = accepted(version, "physical_status", "financial_status", "disposal_date")
    return AssetEvent(asset_id=f"asset-{number:02d}", accepted=about, fields=fields, links={})


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
        eventually(views.agrees_with_the_batch, "every view shows what the batch gives")


def test_a_graceful_end_loses_nothing(views: Views) -> None:
    views.part.start()
    for round_ in range(3):
        views.write(100 * round_, 100 * round_ + 100)
        views.part.stop()
        views.part.start(wait_secs=90)
    eventually(views.agrees, "the view agrees after each restart")
    eventually(views.agrees_with_the_batch, "every view shows what the batch gives")
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

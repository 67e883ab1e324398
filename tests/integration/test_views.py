"""The live views on a real broker: they agree with the events, whatever happens to the process."""

from __future__ import annotations

import datetime as dt
import os
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from confluent_kafka import Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its documented names, not marked as exported
    AdminClient,
    ConfigResource,
)
from confluent_kafka.cimpl import NewTopic
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from tests.parts.estate import DEMO_LANDSCAPE, TIELINE, eventually

from tieline.kernel.asset_records import AssetEvent, AssetFields, FinancialStatus, PhysicalStatus
from tieline.kernel.book_records import AssetBookChanged, BookFields, DepreciationPosted
from tieline.kernel.broker import open_producer
from tieline.kernel.codecs import Codec
from tieline.kernel.command_records import CommandSettled, SettledAs, WriteBook
from tieline.kernel.cost_records import CostEvent, CostFields
from tieline.kernel.declarations import schema_text, subjects_of
from tieline.kernel.errors import Stop
from tieline.kernel.landscape import Kafka
from tieline.kernel.records import Typed
from tieline.kernel.topic_names import (
    ASSET_EVENTS,
    BOOK_EVENTS,
    COST_EVENTS,
    POSTING_EVENTS,
    commands_of,
    results_of,
)
from tieline.kernel.vocabulary import Accepted, Dispatch, Money
from tieline.stack.parts import Part, RegistryPart, start_kafka
from tieline.stack.ports import free_ports
from tieline.views import completeness, costs, disposals, spend
from tieline.views.batch import recompute
from tieline.views.entries import Sources, sources_of, topics_of
from tieline.views.topics import changelogs, ensure_topics
from tieline.wiring import Hub, open_hub

pytestmark = pytest.mark.integration
ASSETS = 40
IDLE_SECS = 10
RETIRED_FROM = 200  # version of the assets
CLOSED_FROM = 500
RETIRED_ON = dt.date(2026, 2, 10)


class Views:
    """The processes under test, and one who writes the records they follow."""

    def __init__(self, folder: Path, kafka: str, registry: str) -> None:
        landscape = yaml.safe_load(DEMO_LANDSCAPE.read_text(encoding="utf-8"))
        landscape["kafka"]["bootstrap_servers"] = kafka
        landscape["registry"]["url"] = registry
        landscape["metrics_port"] = 0
        self.place = folder / "place"
        self.place.mkdir()
        ports = free_ports(2)
        self.urls = [f"http://127.0.0.1:{port}" for port in ports]
        self.parts = [self._part(folder, landscape, number, port) for number, port in enumerate(ports)]
        self.part = self.parts[0]
        self.hub: Hub = open_hub(folder / "landscape-0.yaml")
        self.kafka: Kafka = self.hub.landscape.kafka
        self.sources: Sources = sources_of(self.hub.landscape.systems)
        self._declare(registry)
        self.began = dt.datetime.now(dt.UTC).replace(microsecond=0)
        self.written: dict[str, CostEvent] = {}
        self.depreciated: dict[str, Decimal] = {}  # amount by asset
        self.booked: set[int] = set()  # changes of books
        self.version = 0  # of every asset

    def _part(self, folder: Path, landscape: Mapping[str, Any], number: int, port: int) -> Part:
        path = folder / f"landscape-{number}.yaml"
        path.write_text(yaml.safe_dump({**landscape, "views_port": port}), encoding="utf-8")
        return Part(
            name=f"views-{number}",
            argv=[str(TIELINE), "run", "views", "--landscape", str(path)],
            log=folder / f"views-{number}.log",
            is_ready=lambda: self.is_ready(number),
            environment={"TIELINE_LOG_LEVEL": "info"},
            cwd=self.place,
        )

    @property
    def url(self) -> str:
        return self.urls[0]

    @property
    def codec(self) -> Codec:
        return self.hub.codec

    def close(self) -> None:
        for part in self.parts:
            part.stop()
        self.hub.close()

    def _declare(self, registry: str) -> None:
        admin = AdminClient({"bootstrap.servers": self.kafka.bootstrap_servers})
        topics = [self.hub.topics[name] for name in topics_of(self.sources)]
        made = admin.create_topics(
            [NewTopic(t.name, num_partitions=t.partitions, replication_factor=1) for t in topics]
        )
        for outcome in made.values():
            outcome.result(30)
        with SchemaRegistryClient({"url": registry}) as client:
            for topic in topics:
                for name, record in subjects_of(topic).items():
                    client.register_schema(name, Schema(schema_text(record), "AVRO"))

    def is_ready(self, number: int) -> bool:
        try:
            return httpx.get(f"{self.urls[number]}/health", timeout=2, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    def skipped(self, number: int) -> int:
        """Records that one process could not read: it is told of those on its own partitions only."""
        answer = httpx.get(f"{self.urls[number]}/health", trust_env=False)
        return int(answer.json()["skipped_records"])

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
                self._produce_flow(producer, number)
            if commit:
                self.booked.add(number)
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

    def _produce_flow(self, producer: Producer, number: int) -> None:
        """A book's change, its command but for every fifth, and the command's answer but for every third."""
        event = book_event(number, self.changed_at(number))
        asset_id = event.asset_id
        self._produce(producer, BOOK_EVENTS, "AssetBookChanged", asset_id, event)
        if number % 5:
            dispatch = Dispatch(command_id=command_id(number), target="unio24", version=number)
            body = WriteBook(dispatch=dispatch, asset_id=asset_id, fields=event.fields)
            self._produce(producer, commands_of("unio24"), "WriteBook", asset_id, body)
        if number % 5 and number % 3:
            answer = CommandSettled(
                command_id=command_id(number),
                target="unio24",
                entity="book",
                canonical_id=f"{asset_id}|main",
                version=number,
                outcome=SettledAs.REJECTED if number % 7 == 0 else SettledAs.CONFIRMED,
            )
            self._produce(producer, results_of("unio24"), "CommandSettled", asset_id, answer)

    def changed_at(self, number: int) -> dt.datetime:
        return self.began - dt.timedelta(minutes=number % 150)

    def _produce(self, producer: Producer, topic: str, name: str, key: str, body: Any) -> None:
        producer.produce(topic, self.codec.encode(topic, Typed(name, body)), key)

    def write_raw(self, value: bytes, keys: int = 1) -> None:
        producer = open_producer(self.kafka, f"test-{uuid.uuid4().hex}")
        producer.init_transactions(30)
        producer.begin_transaction()
        for number in range(keys):
            producer.produce(COST_EVENTS, value, f"bad-{number}")
        producer.commit_transaction(30)

    def shown(self, path: str, asked: int) -> list[dict[str, Any]]:
        """Everything a view of one process shows, page by page."""
        items: list[dict[str, Any]] = []
        after: str | None = ""
        while after is not None:
            params: dict[str, str | int] = {"after": after, "limit": 17}
            page = httpx.get(f"{self.urls[asked]}{path}", params=params, trust_env=False).json()
            items += page["items"]
            after = page["next_after"]
        return items

    def agrees(self, asked: int = 0) -> bool:
        """Whether every figure is exactly that of what was written, counted by this test itself."""
        return (
            self._costs_agree(asked)
            and self._spend_agrees(asked)
            and self._disposals_agree(asked)
            and self._completeness_agrees(asked)
        )

    def _completeness_agrees(self, asked: int) -> bool:
        wanted: dict[str, list[int]] = {}
        for number in self.booked:
            row = wanted.setdefault(f"{self.changed_at(number):%Y-%m-%dT%H}:00Z", [0, 0, 0, 0, 0])
            routed, answered = number % 5 != 0, number % 5 != 0 and number % 3 != 0
            refused = answered and number % 7 == 0
            counted = (True, routed, answered and not refused, refused, routed and not answered)
            wanted[f"{self.changed_at(number):%Y-%m-%dT%H}:00Z"] = [
                total + one for total, one in zip(row, counted, strict=True)
            ]
        names = ("accepted", "routed", "confirmed", "rejected", "open")
        shown = [item for item in self.shown("/completeness", asked) if item["flow"] == "book:tryton>unio24"]
        return {item["hour"]: [item[name] for name in names] for item in shown} == wanted

    def _costs_agree(self, asked: int) -> bool:
        maintenance = sums((event.asset_id, event) for event in self.written.values())
        shown = {item["asset_id"]: item for item in self.shown("/costs", asked)}
        found = {key: decimals(item["maintenance"]) for key, item in shown.items() if item["documents"]}
        books = {key: item["depreciation"]["main"]["posted"] for key, item in shown.items() if item["depreciation"]}
        documents = sum(item["documents"] for item in shown.values())
        return (
            found == maintenance
            and documents == len(self.written)
            and len(shown) == ASSETS
            and {key: Decimal(posted["EUR"]) for key, posted in books.items()} == self.depreciated
        )

    def _spend_agrees(self, asked: int) -> bool:
        events = self.written.values()
        wanted = sums(((e.fields.cost_centre, e.accepted.posting_period or "2026-03"), e) for e in events)
        shown = self.shown("/spend", asked)
        return {(item["cost_centre"], item["period"]): decimals(item["spend"]) for item in shown} == wanted

    def _disposals_agree(self, asked: int) -> bool:
        # Every fourth asset is retired, every eighth closed; see asset_event.
        retired = range(0, ASSETS, 4) if self.version >= RETIRED_FROM else range(0)
        closed = range(0, ASSETS, 8) if self.version >= CLOSED_FROM else range(0)
        days = (recorded_on(self.version) - RETIRED_ON).days
        wanted = {f"asset-{n:02d}": ("closed", days, None) if n in closed else ("open", None, days) for n in retired}
        shown = self.shown("/disposals", asked)
        return {item["asset_id"]: (item["status"], item["lag_days"], item["age_days"]) for item in shown} == wanted

    def agrees_with_the_batch(self, asked: int = 0) -> bool:
        """Whether every view shows exactly what the batch recomputation from the topics gives."""
        figures = recompute(self.hub.landscape, self.codec)
        pages = {
            "/costs": [costs.as_json(item) for item in figures.costs.page(after="", limit=1000)[0]],
            "/spend": [spend.as_json(item) for item in figures.spend.page(limit=1000)[0]],
            "/disposals": [disposals.as_json(item) for item in figures.disposals.page(limit=1000)[0]],
            "/completeness": [completeness.as_json(item) for item in figures.completeness.page(limit=1000)[0]],
        }
        return all(pages.values()) and {path: self.shown(path, asked) for path in pages} == pages


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


def command_id(number: int) -> str:
    return f"unio24/book/asset-{number % ASSETS:02d}|main/{number}"


def book_event(number: int, changed_at: dt.datetime) -> AssetBookChanged:
    about = accepted(number).model_copy(update={"origin_system": "tryton", "recorded_at": changed_at})
    fields = BookFields(
        book_id="main",
        currency="EUR",
        method="SL",
        gross_cost=Decimal(1000),
        salvage=Decimal(0),
        accumulated=Decimal(0),
        net_book_value=Decimal(1000),
        as_of=dt.date(2026, 3, 1),
        lines=(),
    )
    return AssetBookChanged(asset_id=f"asset-{number % ASSETS:02d}", accepted=about, fields=fields)


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


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory, registry_part: RegistryPart) -> Iterator[Views]:
    """One broker for all tests of this file: each writes more, and what a view shows is the sum of all of it."""
    folder = tmp_path_factory.mktemp("views")
    with start_kafka(folder / "kafka") as kafka:
        made = Views(folder, kafka.bootstrap, registry_part.url)
        try:
            yield made
        finally:
            made.close()


@pytest.fixture
def views(line: Views) -> Iterator[Views]:
    """No process runs before a test, nor after it."""
    yield line
    for part in line.parts:
        part.stop()


def test_a_changelog_with_other_partitions_than_its_source_is_refused(views: Views) -> None:
    changelog, table = next(iter(changelogs(views.sources).items()))
    [source] = views.sources[table]
    declared = views.hub.topics[source].partitions
    assert declared > 1
    admin = AdminClient({"bootstrap.servers": views.kafka.bootstrap_servers})
    for outcome in admin.create_topics([NewTopic(changelog, num_partitions=1, replication_factor=1)]).values():
        outcome.result(30)
    with pytest.raises(Stop, match=f"{changelog} has 1 partitions and {source} has {declared}"):
        ensure_topics(views.kafka, views.sources)
    for outcome in admin.delete_topics([changelog]).values():
        outcome.result(30)
    eventually(lambda: changelog not in admin.list_topics(timeout=30).topics, "the changelog is gone")


def test_its_topics_are_compacted_and_made_once(views: Views) -> None:
    ensure_topics(views.kafka, views.sources)
    ensure_topics(views.kafka, views.sources)
    wanted = changelogs(views.sources)
    admin = AdminClient({"bootstrap.servers": views.kafka.bootstrap_servers})
    found = admin.list_topics(timeout=30).topics
    declared = {name: views.hub.topics[views.sources[table][0]].partitions for name, table in wanted.items()}
    assert {name: len(found[name].partitions) for name in wanted} == declared
    described = admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, name) for name in wanted])
    assert all("compact" in outcome.result(30)["cleanup.policy"].value for outcome in described.values())


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


def test_two_processes_share_the_partitions_and_each_answers_for_all_of_them(views: Views) -> None:
    views.write(2000, 2200)
    for part in views.parts:
        part.start(wait_secs=90)

    def both_work() -> bool:
        views.write_raw(b"not avro", keys=24)
        return all(views.skipped(number) > 0 for number in (0, 1))

    eventually(both_work, "each has partitions of its own")
    views.write(2200, 2400)
    for asked in (0, 1):
        eventually(partial(views.agrees, asked), f"process {asked} answers for both")
    views.write(2400, 2600)
    # In the middle of its work: what it had, the other takes over.
    views.parts[0].kill()
    views.write(0, 50, twice=True)
    eventually(lambda: views.agrees(1), "the other agrees with the events alone")
    eventually(lambda: views.agrees_with_the_batch(1), "the other shows what the batch gives")
    views.parts[0].start(wait_secs=90)
    views.write(2600, 2700)
    for asked in (0, 1):
        eventually(partial(views.agrees, asked), f"process {asked} agrees again")
        eventually(partial(views.agrees_with_the_batch, asked), f"process {asked} is as the batch")


def test_a_graceful_end_loses_nothing(views: Views) -> None:
    views.part.start()
    for round_ in range(2):
        views.write(3000 + 100 * round_, 3100 + 100 * round_)
        views.part.stop()
        views.part.start(wait_secs=90)
    eventually(views.agrees, "the view agrees after each restart")
    eventually(views.agrees_with_the_batch, "every view shows what the batch gives")
    assert not list(views.place.iterdir())  # a container may not allow files there


def test_a_record_it_cannot_read_is_counted_and_costs_nothing_else(views: Views) -> None:
    views.part.start()
    views.write_raw(b"not avro")
    views.write(3200, 3300)
    eventually(views.agrees, "the view goes on behind the bad record")
    assert views.skipped(0) == 1
    assert "record-skipped" in views.part.log.read_text(encoding="utf-8")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads processor time from /proc")
def test_it_is_idle_when_nothing_happens(views: Views) -> None:
    views.part.start()
    views.write(3300, 3350)
    eventually(views.agrees, "the view agrees")
    before = cpu_secs(views.part.pid)
    time.sleep(IDLE_SECS)  # measured, not waited for
    busy_percent = 100 * (cpu_secs(views.part.pid) - before) / IDLE_SECS
    assert busy_percent < 5, f"{busy_percent:.1f} % of a core while idle"


def test_it_reads_no_warning_into_the_log(views: Views) -> None:
    began = views.part.log.stat().st_size
    views.write(3350, 3400)
    views.part.start()
    eventually(views.agrees, "the view agrees")
    views.part.stop()
    log = views.part.log.read_bytes()[began:].decode()
    assert "Warning" not in log
    assert '"stopped"' in log

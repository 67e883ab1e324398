"""A small estate for operators' commands: two systems, real topics, kernel loops over parts in memory."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from confluent_kafka import OFFSET_END, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.schema_registry import SchemaRegistryClient

from tieline.kernel import broker
from tieline.kernel.applying import apply, plan
from tieline.kernel.asset_records import AssetFields, AssetReport
from tieline.kernel.capturing import mapping_processor, raw_record
from tieline.kernel.clock import utc_now
from tieline.kernel.codecs import Codec, ConfluentSchemaIds
from tieline.kernel.command_records import Command, WriteAsset
from tieline.kernel.consuming import Runtime, TransactionalLoop
from tieline.kernel.declarations import Topic, topics_for
from tieline.kernel.delivering import DeliveryLoop
from tieline.kernel.errors import Rejected, TielineError, Unavailable
from tieline.kernel.inspecting import LogReader, all_partitions, read_spans
from tieline.kernel.landscape import Landscape
from tieline.kernel.producing import Writer
from tieline.kernel.protocols import Connector, Page, RawItem, Written
from tieline.kernel.records import Inbound, Outbound, Typed
from tieline.kernel.reports import Report
from tieline.kernel.telemetry import Log
from tieline.kernel.vocabulary import Dispatch, Origin

SHARED = ("hub.case.state.v1", "hub.parked.state.v1", "hub.delivery-ledger.state.v1", "asset.asset.report.v1")


@dataclass(frozen=True, slots=True)
class BenchHub:
    """What commands know of the estate."""

    landscape: Landscape
    topics: Mapping[str, Topic]
    codec: Codec
    partitions: Mapping[str, int]


class MemorySink:
    """A target that notes every effect, and answers as it is told, once per listed answer."""

    def __init__(self) -> None:
        self.effects: list[tuple[str, int]] = []
        self.answers: dict[str, list[TielineError]] = {}

    async def write(self, command: Command, native_id: str | None) -> Written:
        """See ``Sink``."""
        del native_id
        assert isinstance(command, WriteAsset)
        waiting = self.answers.get(command.asset_id, [])
        if waiting:
            raise waiting.pop(0)
        self.effects.append((command.asset_id, command.dispatch.version))
        return Written(f"n-{command.asset_id}")

    async def read_back(self, command: Command, native_id: str | None) -> Written | None:
        """See ``Sink``."""
        del command, native_id
        return None


class MemorySource:
    """A source that has nothing to give; the bench writes raw records itself."""

    async def read_changes(self, position: Mapping[str, str], limit: int) -> Page:
        """See ``Source``."""
        del limit
        return Page((), position)

    async def read_one(self, stream: str, native_id: str) -> RawItem | None:
        """See ``Source``."""
        del stream, native_id
        return None

    async def read_all(self, stream: str) -> AsyncIterator[RawItem]:
        """See ``Source``."""
        del stream
        return
        yield RawItem("", "", b"")


class Bench:
    """An ERP and an asset-management system of unique names, on the session's broker and registry."""

    def __init__(self, kafka: str, registry: str) -> None:
        tag = "".join(c for c in uuid.uuid4().hex if c.isalpha())
        self.erp, self.am = f"erp{tag}", f"am{tag}"
        self.landscape = Landscape.model_validate(landscape_of(self.erp, self.am, kafka, registry), strict=False)
        self.topics = {topic.name: topic for topic in topics_for(self.landscape)}
        admin = AdminClient({"bootstrap.servers": kafka})
        with SchemaRegistryClient({"url": registry}) as client:
            apply(plan(self.landscape, admin, client), admin, client)
        self.ids = ConfluentSchemaIds(registry)
        partitions = {name: topic.partitions for name, topic in self.topics.items()}
        self.hub = BenchHub(self.landscape, self.topics, Codec(self.topics, self.ids), partitions)
        self.log = LogReader(self.hub)
        self._wait_for_leaders()
        self.stopped = threading.Event()
        self.runtime = Runtime(self.landscape.kafka, self.hub.codec, partitions, Log("bench"), self.stopped.is_set)
        self.sink = MemorySink()
        self.unmappable: set[str] = set()

    def write_landscape(self, path: Path) -> Path:
        """The landscape as a file, for commands."""
        path.write_text(yaml.safe_dump(self.landscape.model_dump(mode="json")), encoding="utf-8")
        return path

    def close(self) -> None:
        """Close the connections."""
        self.log.__exit__()
        self.ids.close()

    def _wait_for_leaders(self) -> None:
        # A new topic is listed before every partition has a leader.
        deadline = time.monotonic() + 60
        while True:
            try:
                read_spans(self.log, all_partitions(self.log, self.topics))
            except Unavailable:
                assert time.monotonic() < deadline
                time.sleep(0.5)
            else:
                return

    # ---- writing ---------------------------------------------------------------------------------------------

    def write(self, records: Iterable[Outbound]) -> None:
        """Write records in one transaction, as the hub's processes do."""
        producer = broker.start_producer(self.landscape.kafka, "bench", lambda: False, on_wait=print)
        writer = Writer("bench", self.hub.codec, self.hub.partitions, utc_now)
        producer.begin_transaction()
        for ordinal, record in enumerate(records):
            writer.write(producer, record, None, ordinal)
        producer.commit_transaction(10)
        self.settle()

    def settle(self) -> None:
        """Wait until everything committed can be read: the broker writes a transaction's markers after its commit."""
        own = [name for name in self.topics if self.erp in name or self.am in name]
        wheres = all_partitions(self.log, [*own, *SHARED])
        kafka = self.landscape.kafka.model_copy(update={"client": {"isolation.level": "read_uncommitted"}})
        written = broker.open_consumer(kafka, "bench")
        ends = written.offsets_for_times([TopicPartition(*where, OFFSET_END) for where in wheres], 30)
        written.close()
        deadline = time.monotonic() + 30
        while self._behind(ends):
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def _behind(self, ends: Sequence[TopicPartition]) -> bool:
        spans = read_spans(self.log, [(tp.topic, tp.partition) for tp in ends])
        return any(spans[tp.topic, tp.partition].end < tp.offset for tp in ends)

    def capture(self, *native_ids: str) -> None:
        """Raw records, as the source of the asset-management system captures them."""
        items = [RawItem("assets", one, json.dumps({"id": one}).encode()) for one in native_ids]
        self.write([raw_record(self.am, item) for item in items])

    def command(self, *commands: tuple[str, int]) -> None:
        """Commands to the ERP, by asset and version."""
        self.write(self.command_record(asset, version) for asset, version in commands)

    def command_record(self, asset: str, version: int) -> Outbound:
        """One command, as route writes it."""
        dispatch = Dispatch(command_id=f"{self.erp}/asset/{asset}/{version}", target=self.erp, version=version)
        body = WriteAsset(dispatch=dispatch, asset_id=asset, fields=AssetFields(), writable_fields=())
        return Outbound(f"sink.{self.erp}.command.v1", asset, Typed("WriteAsset", body))

    def forge_letter(self, consumer: str, key: str, value: bytes, headers: Mapping[str, str]) -> None:
        """A letter that no consumer wrote."""
        producer = Producer({"bootstrap.servers": self.landscape.kafka.bootstrap_servers})
        producer.produce(f"hub.{consumer}.dead-letter.v1", value=value, key=key, headers=list(headers.items()))
        assert producer.flush(10) == 0

    # ---- running ---------------------------------------------------------------------------------------------

    def run_mapping(self, count: int) -> None:
        """Map this many raw records."""
        connector = Connector(MemorySource(), self.sink, self.map_item, ("assets",))
        loop = TransactionalLoop(mapping_processor(self.am, connector), self.runtime)
        loop.start()
        _run(loop, count)
        self.settle()

    def run_sink(self, count: int) -> None:
        """Deliver this many commands."""
        loop = DeliveryLoop(self.erp, self.sink, self.runtime)
        loop.start()
        _run(loop, count)
        self.settle()

    def map_item(self, item: RawItem) -> Sequence[Report]:
        """The mapping, which objects to what the bench says is unmappable."""
        if item.native_id in self.unmappable:
            raise Rejected(f"record {item.native_id} has no class", field="class", remedy="map the class")
        origin = Origin(
            system=self.am, entity="asset", native_id=item.native_id, source_version="1", recorded_at=utc_now()
        )
        return [AssetReport(origin=origin, fields=AssetFields(description="Pump"))]

    # ---- reading ---------------------------------------------------------------------------------------------

    def read(self, topic: str, key: str | None = None) -> list[Inbound]:
        """Every committed record of a topic, or of one key of it."""
        found: list[Inbound] = []
        broker.read_to_end(self.landscape.kafka, [topic], found.append)
        return [record for record in found if key is None or record.key_text == key]


def landscape_of(erp: str, am: str, kafka: str, registry: str) -> dict[str, object]:
    """A landscape of two systems and one flow, as its file would say it."""
    common = {"owner": "bench", "poll_interval_secs": 1.0, "settings": {}}
    flow = {
        "source": am,
        "target": erp,
        "object": "asset",
        "interval_mins": 1.0,
        "latency_target_secs": 30.0,
        "owner": "bench",
        "on_error": "hold",
        "mode": "enabled",
    }
    return {
        "name": "bench",
        "kafka": {"bootstrap_servers": kafka, "replication_factor": 1},
        "registry": {"url": registry},
        "systems": {
            erp: {"connector": "tryton", "role": "erp", **common},
            am: {"connector": "unio24", "role": "asset-management", **common},
        },
        "flows": [flow],
    }


def _run(loop: TransactionalLoop | DeliveryLoop, count: int) -> None:
    handled = 0
    while handled < count:
        handled += loop.run_once(10)
    loop.close()

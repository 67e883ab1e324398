"""The delivery loop on a real broker and registry: one effect a version, outages, crashes before the outcome."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.schema_registry import SchemaRegistryClient

from tieline.kernel import broker
from tieline.kernel.applying import apply, plan
from tieline.kernel.asset_records import AssetFields
from tieline.kernel.clock import utc_now
from tieline.kernel.codecs import Codec, ConfluentSchemaIds
from tieline.kernel.command_records import Command, CommandSettled, SettledAs, WriteAsset
from tieline.kernel.consuming import Runtime
from tieline.kernel.declarations import topics_for
from tieline.kernel.delivering import DeliveryLoop
from tieline.kernel.errors import OutcomeUnknown, Rejected, Stop, TielineError, Unavailable
from tieline.kernel.landscape import Flow, Kafka, Landscape, Mode, Registry, System
from tieline.kernel.memory import LedgerEntry, Stage
from tieline.kernel.producing import Writer
from tieline.kernel.protocols import Written
from tieline.kernel.records import Inbound, Outbound, Typed
from tieline.kernel.telemetry import Log
from tieline.kernel.vocabulary import Dispatch, Model

pytestmark = pytest.mark.integration


class CountingSink:
    """A target in memory: what it holds, every effect, and what to answer next (per asset)."""

    def __init__(self) -> None:
        self.held: dict[str, int] = {}
        self.effects: list[tuple[str, int]] = []
        self.answers: dict[str, list[TielineError | None]] = {}
        self.applies_before_error = False
        self.crash_after_effect = False

    async def write(self, command: Command, native_id: str | None) -> Written:
        assert isinstance(command, WriteAsset)
        del native_id
        waiting = self.answers.get(command.asset_id, [])
        error = waiting.pop(0) if waiting else None
        if error is None or self.applies_before_error:
            self.held[command.asset_id] = command.dispatch.version
            self.effects.append((command.asset_id, command.dispatch.version))
        if self.crash_after_effect:
            raise Stop("killed here")
        if error is not None:
            raise error
        return Written(f"n-{command.asset_id}", digest="d")

    async def read_back(self, command: Command, native_id: str | None) -> Written | None:
        assert isinstance(command, WriteAsset)
        del native_id
        if self.held.get(command.asset_id) == command.dispatch.version:
            return Written(f"n-{command.asset_id}")
        return None


class Bench:
    """One target with the real topics, on the session's broker and registry."""

    def __init__(self, kafka: str, registry: str) -> None:
        self.system = "erp" + "".join(c for c in uuid.uuid4().hex if c.isalpha())
        self.landscape = _landscape(self.system, kafka, registry)
        self.topics = {topic.name: topic for topic in topics_for(self.landscape)}
        admin = AdminClient({"bootstrap.servers": kafka})
        with SchemaRegistryClient({"url": registry}) as client:
            apply(plan(self.landscape, admin, client), admin, client)
        self.ids = ConfluentSchemaIds(registry)
        self.stopped = threading.Event()
        self.runtime = Runtime(
            self.landscape.kafka,
            Codec(self.topics, self.ids),
            {name: topic.partitions for name, topic in self.topics.items()},
            Log("bench"),
            self.stopped.is_set,
        )
        self.sink = CountingSink()

    def loop(self) -> DeliveryLoop:
        loop = DeliveryLoop(self.system, self.sink, self.runtime)
        loop.start()
        return loop

    def send(self, *commands: tuple[str, int]) -> None:
        producer = broker.start_producer(self.landscape.kafka, "bench", lambda: False, on_wait=print)
        writer = Writer("bench", self.runtime.codec, self.runtime.partitions, utc_now)
        producer.begin_transaction()
        for ordinal, (asset, version) in enumerate(commands):
            dispatch = Dispatch(
                command_id=f"{self.system}/asset/{asset}/{version}", target=self.system, version=version
            )
            body = WriteAsset(dispatch=dispatch, asset_id=asset, fields=AssetFields(), writable_fields=())
            out = Outbound(f"sink.{self.system}.command.v1", asset, Typed("WriteAsset", body))
            writer.write(producer, out, None, ordinal)
        producer.commit_transaction(10)

    def run(self, loop: DeliveryLoop, count: int) -> None:
        handled = 0
        while handled < count:
            handled += loop.run_once(10)

    def read(self, topic: str) -> list[Inbound]:
        found: list[Inbound] = []
        broker.read_to_end(self.landscape.kafka, [topic], found.append)
        return found

    def body(self, record: Inbound) -> Model:
        assert record.value is not None
        return self.runtime.codec.decode(record.topic, record.value).body

    def ledger(self, asset: str) -> LedgerEntry:
        rows = [r for r in self.read("hub.delivery-ledger.state.v1") if r.key_text == f"{self.system}/asset/{asset}"]
        entry = self.body(rows[-1])
        assert isinstance(entry, LedgerEntry)
        return entry

    def results(self) -> list[CommandSettled]:
        found = [self.body(r) for r in self.read(f"sink.{self.system}.result.v1")]
        return [r for r in found if isinstance(r, CommandSettled)]


def _landscape(system: str, kafka: str, registry: str) -> Landscape:
    other = "am" + system
    settings: dict[str, object] = {}
    common = {"owner": "bench", "poll_interval_secs": 1.0, "settings": settings}
    flow = Flow(
        source=other,
        target=system,
        object="asset",
        interval_mins=1,
        latency_target_secs=10,
        owner="bench",
        on_error="hold",
        mode=Mode.ENABLED,
    )
    return Landscape(
        name="bench",
        kafka=Kafka(bootstrap_servers=kafka, replication_factor=1),
        registry=Registry(url=registry),
        systems={
            system: System.model_validate({"connector": "tryton", "role": "erp", **common}),
            other: System.model_validate({"connector": "unio24", "role": "asset-management", **common}),
        },
        flows=(flow,),
    )


@pytest.fixture
def bench(kafka: str, registry: str) -> Iterator[Bench]:
    made = Bench(kafka, registry)
    yield made
    made.ids.close()


def test_versions_of_one_asset_arrive_in_order_and_each_has_one_effect(bench: Bench) -> None:
    bench.send(("A", 1), ("B", 1), ("A", 2), ("A", 3), ("A", 3), ("A", 2))
    loop = bench.loop()
    bench.run(loop, 6)
    loop.close()
    assert [v for a, v in bench.sink.effects if a == "A"] == [1, 2, 3]
    assert [v for a, v in bench.sink.effects if a == "B"] == [1]
    assert bench.ledger("A").applied_version == 3
    assert bench.ledger("A").native_id == "n-A"
    outcomes = [r.outcome for r in bench.results() if r.canonical_id == "A"]
    assert outcomes.count(SettledAs.CONFIRMED) == 3
    assert outcomes.count(SettledAs.SUPERSEDED) == 2


def test_a_restart_repeats_nothing(bench: Bench) -> None:
    bench.send(("A", 1))
    loop = bench.loop()
    bench.run(loop, 1)
    loop.close()
    again = bench.loop()
    assert again.run_once(1) == 0
    again.close()
    assert bench.sink.effects == [("A", 1)]


def test_a_crash_between_effect_and_outcome_is_read_back_not_repeated(bench: Bench) -> None:
    bench.send(("A", 1))
    bench.sink.crash_after_effect = True
    loop = bench.loop()
    with pytest.raises(Stop, match="killed"):
        bench.run(loop, 1)
    loop.close()
    assert bench.ledger("A").stage is Stage.INTENT
    bench.sink.crash_after_effect = False
    again = bench.loop()
    bench.run(again, 1)
    again.close()
    assert bench.sink.effects == [("A", 1)]
    assert bench.ledger("A").stage is Stage.CONFIRMED


def test_a_time_out_after_the_write_has_one_effect(bench: Bench) -> None:
    bench.sink.applies_before_error = True
    bench.sink.answers["A"] = [OutcomeUnknown("time-out")]
    bench.send(("A", 1))
    loop = bench.loop()
    bench.run(loop, 1)
    loop.close()
    assert bench.sink.effects == [("A", 1)]


def test_an_outage_pauses_and_dead_letters_nothing(bench: Bench) -> None:
    bench.sink.answers["A"] = [Unavailable("out"), Unavailable("still out")]
    bench.send(("A", 1), ("A", 2))
    loop = bench.loop()
    bench.run(loop, 2)
    loop.close()
    assert bench.sink.effects == [("A", 1), ("A", 2)]
    assert bench.read(f"hub.sink-{bench.system}.dead-letter.v1") == []


def test_an_outage_lets_the_process_stop(bench: Bench) -> None:
    bench.sink.answers["A"] = [Unavailable("out")] * 100
    bench.send(("A", 1))
    loop = bench.loop()
    timer = threading.Timer(1.0, bench.stopped.set)
    timer.start()
    with pytest.raises(Stop, match="stopped while"):
        bench.run(loop, 1)
    timer.join()
    loop.close()
    assert bench.sink.effects == []


def test_a_failed_key_is_parked_with_its_followers_and_the_others_flow(bench: Bench) -> None:
    bench.sink.answers["A"] = [Rejected("unknown class", field="asset_class")]
    bench.send(("A", 1), ("A", 2), ("B", 1))
    loop = bench.loop()
    bench.run(loop, 3)
    loop.close()
    assert bench.sink.effects == [("B", 1)]
    letters = bench.read(f"hub.sink-{bench.system}.dead-letter.v1")
    reasons = [letter.header("tl_reason") or "" for letter in letters]
    assert reasons[0] == "unknown class"
    assert reasons[1].startswith("waits behind")
    assert letters[0].header("tl_field") == "asset_class"
    assert bench.ledger("A").stage is Stage.REJECTED

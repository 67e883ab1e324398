"""A whole system read back: what is gone is said to be gone, but only by a read that was complete (T24, T35)."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, cast

import pytest
from confluent_kafka import Consumer, Producer
from tests.unit.processors.bench import decode, encode

from tieline.kernel import observing
from tieline.kernel.asset_records import AssetFields, AssetReport
from tieline.kernel.codecs import Codec
from tieline.kernel.consuming import Runtime
from tieline.kernel.errors import Rejected, TielineError, Unavailable
from tieline.kernel.landscape import Kafka
from tieline.kernel.ledger_records import ControlMeasure, LedgerBalance
from tieline.kernel.memory import Observed, RunRequested, SystemObserved
from tieline.kernel.observing import Observer
from tieline.kernel.protocols import Connector, ControlAccounts, Page, RawItem, Sink
from tieline.kernel.records import Inbound, Typed
from tieline.kernel.reports import Report
from tieline.kernel.telemetry import Log
from tieline.kernel.topic_names import RUN_TOPIC
from tieline.kernel.vocabulary import Origin

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
OBSERVED = "observed.erp.record.state.v1"


class System:
    """A system of assets and one control account; ``fault`` ends a read after its first record."""

    def __init__(self, *natives: str) -> None:
        self.natives = list(natives)
        self.fault: TielineError | None = None
        self.balances = iter([Decimal(100), Decimal(100)])

    async def read_changes(self, _position: Mapping[str, str], _limit: int) -> Page:
        raise NotImplementedError

    async def read_one(self, _stream: str, _native_id: str) -> RawItem | None:
        raise NotImplementedError

    async def read_all(self, stream: str) -> AsyncIterator[RawItem]:
        if stream == "accounts":
            yield RawItem(stream, "1500", str(next(self.balances)).encode())
            return
        for native in self.natives:
            yield RawItem(stream, native, b"")
            if self.fault is not None:
                raise self.fault

    def connector(self, *, ledger: bool = False) -> Connector:
        accounts = ControlAccounts("accounts", _balance) if ledger else None
        return Connector(self, cast("Sink", None), _report, ("assets",), control_accounts=accounts)


def _report(item: RawItem) -> Sequence[Report]:
    said = Origin(system="erp", entity="asset", native_id=item.native_id, source_version="1", recorded_at=NOW)
    return (AssetReport(origin=said, fields=AssetFields(description="Pump")),)


def _balance(item: RawItem) -> LedgerBalance:
    amount = Decimal(item.payload.decode())
    if amount < 0:
        raise Rejected("is negative", field="balance")
    return LedgerBalance(
        company="ACME",
        account=item.native_id,
        currency="EUR",
        as_of=NOW.date(),
        measure=ControlMeasure.COST,
        balance=amount,
        balance_before=amount,
    )


class World:
    """The observed topic and the observer of one system, on a broker that is a list."""

    CALL_TIMEOUT_SECS = 1.0

    def __init__(self, system: System, runner: asyncio.Runner, *, ledger: bool = False) -> None:
        self.written: list[Inbound] = []
        self._pending: list[Inbound] = []
        codec = cast("Codec", self)
        runtime = Runtime(Kafka(bootstrap_servers="127.0.0.1:1"), codec, {}, Log("test"), lambda: False, lambda: NOW)
        self.observer = Observer("erp", system.connector(ledger=ledger), runtime, runner)

    # What a run does.

    def observe(self, run_id: str) -> SystemObserved:
        request = RunRequested(run_id=run_id, systems=("erp",), requested_at=NOW)
        record = Inbound(RUN_TOPIC, 0, 0, run_id.encode(), encode(Typed("RunRequested", request)))
        self.observer.serve(
            record,
            lambda asked: decode(asked.value or b""),
            cast("Producer", self),
            cast("Consumer", self),
            lambda: None,
        )
        answer = decode(self.written[-1].value or b"").body
        assert isinstance(answer, SystemObserved)
        return answer

    def table(self) -> dict[str, Observed]:
        """What a reader of the whole compacted topic knows."""
        rows: dict[str, Observed] = {}
        for record in self.written:
            if record.topic == OBSERVED:
                rows.pop(record.key_text, None)
                body = decode(record.value).body if record.value is not None else None
                if isinstance(body, Observed):
                    rows[record.key_text] = body
        return rows

    def clean(self) -> None:
        """Compaction after ``delete.retention.ms``: last record of each key, no tombstones."""
        last = {(record.topic, record.key): record for record in self.written}
        self.written = [r for r in self.written if last[r.topic, r.key] is r and r.value is not None]

    # What the observer asks of codec, producer, consumer and broker.

    def encode(self, _topic: str, value: Typed) -> bytes:
        return encode(value)

    def decode(self, _topic: str, value: bytes) -> Typed:
        return decode(value)

    def begin_transaction(self) -> None:
        self._pending = []

    def produce(self, topic: str, *, value: bytes | None, key: str, **_: Any) -> None:
        self._pending.append(Inbound(topic, 0, 0, key.encode(), value))

    def send_offsets_to_transaction(self, *_: Any) -> None:
        return

    def consumer_group_metadata(self) -> None:
        return

    def commit_transaction(self, _timeout_secs: float) -> None:
        self.written += self._pending

    def end_offsets(self, _kafka: Kafka, _topics: Sequence[str], *, stable: bool = False) -> dict[tuple[str, int], int]:
        del stable
        return {}

    def read_to_end(self, _kafka: Kafka, _topics: Sequence[str], take: Callable[[Inbound], None]) -> None:
        for record in self.written:
            if record.topic == OBSERVED:
                take(record)


Making = Callable[..., World]


@pytest.fixture
def making(monkeypatch: pytest.MonkeyPatch) -> Iterator[Making]:
    with asyncio.Runner() as runner:

        def make(system: System, *, ledger: bool = False) -> World:
            world = World(system, runner, ledger=ledger)
            monkeypatch.setattr(observing, "broker", world)
            return world

        yield make


def test_t24_what_a_complete_read_does_not_find_is_gone(making: Making) -> None:
    system = System("1", "2", "3")
    world = making(system)
    world.observe("run1")
    system.natives.remove("2")
    answer = world.observe("run2")
    assert (answer.complete, answer.counts) == (True, {"asset": 2})
    assert set(world.table()) == {"erp/asset/1", "erp/asset/3"}


def test_t24_a_ghost_is_found_however_long_ago_it_went(making: Making) -> None:
    """The record goes while nobody looks, and the topic is cleaned again and again meanwhile."""
    system = System("1", "2", "3")
    world = making(system)
    world.observe("run1")
    system.natives.remove("2")
    world.clean()
    world.clean()
    world.observe("run2")
    assert set(world.table()) == {"erp/asset/1", "erp/asset/3"}
    world.clean()
    world.observe("run3")
    assert set(world.table()) == {"erp/asset/1", "erp/asset/3"}, "the cleaned tombstone brings nothing back"


def test_t24_an_incomplete_read_claims_nothing(making: Making) -> None:
    """Invariant 12."""
    system = System("1", "2", "3")
    world = making(system)
    world.observe("run1")
    system.fault = Unavailable("page 2 did not answer")
    answer = world.observe("run2")
    assert (answer.complete, answer.reason) == (False, "page 2 did not answer")
    assert set(world.table()) == {"erp/asset/1", "erp/asset/2", "erp/asset/3"}


def test_t35_the_account_is_read_before_and_after_the_records(making: Making) -> None:
    system = System("1")
    system.balances = iter([Decimal(100), Decimal(250)])
    world = making(system, ledger=True)
    answer = world.observe("run1")
    held = world.table()["erp/ledger-balance/1500"].ledger_balance
    assert held is not None
    assert (held.balance_before, held.balance) == (Decimal(100), Decimal(250))
    assert answer.counts == {"asset": 1, "ledger-balance": 1}


def test_t35_a_balance_that_cannot_be_read_is_not_a_balance(making: Making) -> None:
    system = System("1")
    system.balances = iter([Decimal(-1), Decimal(100)])
    world = making(system, ledger=True)
    assert world.observe("run1").complete
    row = world.table()["erp/ledger-balance/1500"]
    assert (row.ledger_balance, row.unreadable) == (None, "balance: is negative")


def test_t35_an_account_that_is_declared_no_more_leaves_no_figure_behind(making: Making) -> None:
    world = making(System("1"), ledger=True)
    world.observe("run1")
    written = world.written
    world = making(System("1"))
    world.written = written
    answer = world.observe("run2")
    assert set(world.table()) == {"erp/asset/1"}
    assert answer.counts == {"asset": 1}

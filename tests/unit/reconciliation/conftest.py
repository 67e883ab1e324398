"""A healthy estate to plant differences in, and Kafka as a dictionary."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal

import pytest

from tieline.kernel.asset_records import AssetFields, AssetReport, AssetState, FinancialStatus, PhysicalStatus
from tieline.kernel.book_records import BookFields, BookState, ScheduleLine
from tieline.kernel.cost_records import CostFields, CostKind, CostLine, CostState
from tieline.kernel.digests import digest_fields
from tieline.kernel.errors import Stop
from tieline.kernel.kafka_log import LogRecord, Row
from tieline.kernel.landscape import Landscape
from tieline.kernel.memory import (
    Conflict,
    HeldReport,
    LedgerEntry,
    LinkStatus,
    Observed,
    ParkedKey,
    PeriodHold,
    Stage,
    SystemObserved,
    WaitingLetter,
    XRef,
)
from tieline.kernel.ownership import load_ownership
from tieline.kernel.partitioning import partition_of
from tieline.kernel.records import Outbound, Typed
from tieline.kernel.vocabulary import Money, Origin
from tieline.reconciliation.cut import MOVING_TOPICS
from tieline.reconciliation.evidence import Evidence, Placed
from tieline.reconciliation.scope import Scope

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
ERP, AM = "tryton", "unio24"
BEGAN = 1_000_000  # end offset of every partition before the read; healthy rows stand below it
PARTITIONS = 3
BOTH_HOLD = {"description", "asset_number", "company", "cost_centre", "acquisition_cost", "in_service_date"}
HELD = {
    ERP: frozenset(BOTH_HOLD | {"asset_class", "quantity", "acquisition_date", "financial_status"}),
    AM: frozenset(BOTH_HOLD | {"tag", "serial_number", "location", "condition", "custodian", "physical_status"}),
}
LANDSCAPE = {
    "name": "test",
    "kafka": {"bootstrap_servers": "127.0.0.1:1", "replication_factor": 1},
    "registry": {"url": "http://127.0.0.1:1"},
    "systems": {
        ERP: {"connector": ERP, "role": "erp", "owner": "finance", "poll_interval_secs": 5, "settings": {}},
        AM: {"connector": AM, "role": "asset-management", "owner": "works", "poll_interval_secs": 5, "settings": {}},
    },
    "flows": [
        {
            "source": source,
            "target": target,
            "object": kind,
            "interval_mins": 1,
            "latency_target_secs": 60,
            "owner": "works",
            "on_error": "hold",
            "mode": "enabled",
        }
        for kind, source, target in (
            ("asset", AM, ERP),
            ("asset", ERP, AM),
            ("book", ERP, AM),
            ("cost-document", AM, ERP),
        )
    ],
}


class Estate:
    """``size`` assets held by both systems alike; every second with a book, every tenth with a cost document.

    Asset n is ``a<n>``, record ``<n>`` in the ERP and ``U<n>`` in asset management. Nothing of it is drift until
    something is planted.
    """

    def __init__(self, size: int) -> None:
        self.scope = Scope(Landscape.model_validate(LANDSCAPE), load_ownership(), HELD)
        self.run_id = "run1"
        self.assets: dict[str, Placed[AssetState]] = {}
        self.books: dict[str, Placed[BookState]] = {}
        self.costs: dict[str, Placed[CostState]] = {}
        self.xrefs: dict[str, XRef] = {}
        self.ledger: dict[str, Placed[LedgerEntry]] = {}
        self.observed: dict[str, dict[str, Observed]] = {ERP: {}, AM: {}}
        self.parked: dict[str, ParkedKey] = {}
        self.held: dict[str, HeldReport] = {}
        self.period_held: dict[str, PeriodHold] = {}
        self.conflicts: dict[str, Conflict] = {}
        self.pending: dict[str, dict[str, str]] = {ERP: {}, AM: {}}
        for n in range(size):
            self._add_asset(n)
            if n % 2 == 0:
                self._add_book(n)
            if n % 10 == 0:
                self._add_cost(n)

    def evidence(self) -> Evidence:
        return Evidence(
            run_id=self.run_id,
            systems={system: self.answer(system) for system in (ERP, AM)},
            assets=dict(self.assets),
            books=dict(self.books),
            costs=dict(self.costs),
            xrefs=dict(self.xrefs),
            ledger=dict(self.ledger),
            observed={system: dict(rows) for system, rows in self.observed.items()},
            parked=dict(self.parked),
            held=dict(self.held),
            period_held=dict(self.period_held),
            conflicts=dict(self.conflicts),
            pending=self.pending,
            closing={"hub.identified.report.v1/0": 7},
        )

    def answer(self, system: str) -> SystemObserved:
        counts: dict[str, int] = {}
        for row in self.observed[system].values():
            counts[row.entity] = counts.get(row.entity, 0) + 1
        began = {f"{topic}/{p}": BEGAN for topic in MOVING_TOPICS for p in range(PARTITIONS)}
        return SystemObserved(
            run_id=self.run_id,
            system=system,
            complete=True,
            counts=counts,
            began=began,
            reported={f"src.{system}.raw.v1/0": 0},
            finished_at=NOW,
        )

    # ---- planting ------------------------------------------------------------------------------------------------

    def edit(self, system: str, n: int, **values: object) -> None:
        """Change what a system holds of asset n, behind the hub's back."""
        row = self.asset_record(system, n)
        fields = (row.asset or AssetFields()).model_copy(update=values)
        self.put(row.model_copy(update={"asset": fields}))

    def edit_state(self, n: int, **values: object) -> None:
        """Change what the hub believes of asset n."""
        placed = self.assets[f"a{n}"]
        fields = placed.row.fields.model_copy(update=values)
        self.assets[f"a{n}"] = Placed(placed.row.model_copy(update={"fields": fields}), placed.partition, placed.offset)

    def edit_book(self, n: int, **values: object) -> None:
        """Change asset management's copy of asset n's book."""
        row = self.observed[AM][f"{AM}/book/U{n}|main"]
        assert row.book is not None
        self.put(row.model_copy(update={"book": row.book.model_copy(update=values)}))

    def edit_cost(self, n: int, **values: object) -> None:
        """Change the ERP's posting of asset n's cost document."""
        row = self.observed[ERP][f"{ERP}/cost-document/M{n}"]
        assert row.cost_document is not None
        self.put(row.model_copy(update={"cost_document": row.cost_document.model_copy(update=values)}))

    def asset_record(self, system: str, n: int) -> Observed:
        return self.observed[system][f"{system}/asset/{native(system, n)}"]

    def put(self, row: Observed) -> None:
        """Let a system hold this record."""
        self.observed[row.system][f"{row.system}/{row.entity}/{row.native_id}"] = row

    def remove(self, system: str, entity: str, native_id: str) -> Observed:
        """Let a system hold this record no more, nor an asset's books."""
        if entity == "asset":
            self.observed[system].pop(f"{system}/book/{native_id}|main", None)
        return self.observed[system].pop(f"{system}/{entity}/{native_id}")

    def copy_asset(self, system: str, n: int, native_id: str) -> None:
        """A second record like asset n's."""
        self.put(self.asset_record(system, n).model_copy(update={"native_id": native_id, "hub_ref": None}))

    def make_unreadable(self, system: str, entity: str, native_id: str, *, stream: str | None = None) -> None:
        """Turn a record into one that cannot be mapped; an asset's books go blind with it."""
        self.remove(system, entity, native_id)
        self.put(
            Observed(
                run_id=self.run_id,
                system=system,
                entity=stream or entity,
                native_id=native_id,
                unreadable="value: not a number",
            )
        )

    def link(self, system: str, entity: str, native_id: str, canonical_id: str, status: LinkStatus) -> None:
        self.xrefs[f"{system}/{entity}/{native_id}"] = xref(system, entity, native_id, canonical_id, status)

    def unlink(self, system: str, entity: str, native_id: str) -> None:
        del self.xrefs[f"{system}/{entity}/{native_id}"]

    def delivery(self, system: str, entity: str, canonical_id: str, **values: object) -> None:
        """Change a ledger entry."""
        key = f"{system}/{entity}/{canonical_id}"
        placed = self.ledger[key]
        self.ledger[key] = Placed(placed.row.model_copy(update=values), placed.partition, placed.offset)

    def move(self, table: str, key: str) -> None:
        """Let a row have been written during the read."""
        rows: dict[str, Placed[AssetState]] = getattr(self, table)  # or of another kind: only the place matters
        rows[key] = Placed(rows[key].row, rows[key].partition, BEGAN)

    def park(self, system: str, entity: str, canonical_id: str) -> None:
        letter = WaitingLetter(command_id="c", topic=f"sink.{system}.command.v1", partition=1, offset=42)
        self.parked[f"{system}/key/{canonical_id}"] = ParkedKey(
            target=system,
            entity=entity,
            canonical_id=canonical_id,
            letters=(letter,),
            reason="period closed",
            since=NOW,
        )

    def hold(self, system: str, entity: str, native_id: str, waits_for: str = f"{AM}/asset/U77") -> None:
        self.held[f"{system}/{entity}/{native_id}"] = HeldReport(
            waits_for=waits_for,
            reason="its asset is unknown",
            topic="cost.document.report.v1",
            partition=0,
            offset=9,
            key=f"{system}/{native_id}",
            value=b"",
            since=NOW,
        )

    def hold_for_period(self, system: str, native_id: str) -> None:
        said = Origin(system=system, entity="asset", native_id=native_id, source_version="1", recorded_at=NOW)
        self.period_held[f"{system}/asset/{native_id}"] = PeriodHold(
            lane="asset/a1",
            place=1,
            reason="period 2026-003 of ACME is closed",
            company="ACME",
            period="2026-003",
            effective_date=NOW.date(),
            canonical_id="a1",
            asset=AssetReport(origin=said, fields=AssetFields()),
            since=NOW,
        )

    def conflict(self, n: int, field: str, system: str) -> None:
        self.conflicts[f"a{n}|{field}|{system}"] = Conflict(
            canonical_id=f"a{n}", field=field, owner=ERP, system=system, detected_at=NOW
        )

    # ---- the healthy estate --------------------------------------------------------------------------------------

    def _add_asset(self, n: int) -> None:
        fields = asset_fields(n)
        rules = self.scope.ownership.rules
        said_by = {
            name: ERP if rules[name].owner == "erp" else AM
            for name, value in fields.__dict__.items()
            if value is not None
        }
        links = {ERP: str(n), AM: f"U{n}"}
        state = AssetState(asset_id=f"a{n}", version=3, fields=fields, said_by=said_by, links=links)
        self.assets[f"a{n}"] = Placed(state, n % PARTITIONS, n)
        for system in (ERP, AM):
            held = fields.model_copy(update={k: None for k in AssetFields.model_fields if k not in HELD[system]})
            record = native(system, n)
            self.put(
                Observed(
                    run_id=self.run_id, system=system, entity="asset", native_id=record, hub_ref=f"a{n}", asset=held
                )
            )
            self.link(system, "asset", record, f"a{n}", LinkStatus.LINKED)
            self._deliver(system, "asset", f"a{n}", n, version=3, digest=digest_fields(held), record=record)

    def _add_book(self, n: int) -> None:
        fields = book_fields(n)
        state = BookState(asset_id=f"a{n}", version=2, fields=fields)
        self.books[f"a{n}|main"] = Placed(state, n % PARTITIONS, n)
        for system in (ERP, AM):
            record = f"{native(system, n)}|main"
            self.put(Observed(run_id=self.run_id, system=system, entity="book", native_id=record, book=fields))
        self._deliver(AM, "book", f"a{n}|main", n, version=2, digest=digest_fields(fields), record=f"U{n}")

    def add_second_book(self, n: int, book_id: str) -> None:
        """Another book of an asset that has one, healthy at both systems."""
        fields = book_fields(n).model_copy(update={"book_id": book_id})
        self.books[f"a{n}|{book_id}"] = Placed(BookState(asset_id=f"a{n}", version=1, fields=fields), n % PARTITIONS, n)
        for system in (ERP, AM):
            record = f"{native(system, n)}|{book_id}"
            self.put(Observed(run_id=self.run_id, system=system, entity="book", native_id=record, book=fields))
        self._deliver(AM, "book", f"a{n}|{book_id}", n, version=1, digest=digest_fields(fields), record=f"U{n}")

    def _add_cost(self, n: int) -> None:
        fields = cost_fields(n)
        state = CostState(
            cost_doc_id=f"c{n}",
            version=1,
            asset_id=f"a{n}",
            origin_system=AM,
            origin_native_id=f"W{n}|1",
            fields=fields,
        )
        self.costs[f"c{n}"] = Placed(state, n % PARTITIONS, n)
        for system, record in ((AM, f"W{n}|1"), (ERP, f"M{n}")):
            self.put(
                Observed(
                    run_id=self.run_id, system=system, entity="cost-document", native_id=record, cost_document=fields
                )
            )
            self.link(system, "cost-document", record, f"c{n}", LinkStatus.LINKED)
        self._deliver(ERP, "cost-document", f"c{n}", n, version=1, digest=digest_fields(fields), record=f"M{n}")

    def _deliver(
        self, system: str, entity: str, canonical_id: str, n: int, *, version: int, digest: str, record: str
    ) -> None:
        entry = LedgerEntry(
            target=system,
            entity=entity,
            canonical_id=canonical_id,
            command_id=f"{system}/{entity}/{canonical_id}/{version}",
            version=version,
            applied_version=version,
            stage=Stage.CONFIRMED,
            native_id=record,
            number=f"N{n}",
            digest=digest,
            at=NOW,
        )
        self.ledger[f"{system}/{entity}/{canonical_id}"] = Placed(entry, n % PARTITIONS, n)


def native(system: str, n: int) -> str:
    return str(n) if system == ERP else f"U{n}"


def money(text: str, currency: str = "EUR") -> Money:
    return Money(amount=Decimal(text), currency=currency)


def asset_fields(n: int) -> AssetFields:
    return AssetFields(
        tag=f"TAG-{n}",
        serial_number=f"SN{n}",
        description=f"Pump {n}",
        location=f"HALL-{n % 7}",
        condition="GOOD",
        physical_status=PhysicalStatus.IN_SERVICE,
        asset_number=f"FA{n:06}",
        company=("ACME", "NOVA")[n % 2],
        asset_class="MACHINE",
        cost_centre=f"CC-{n % 5}",
        quantity=Decimal(1),
        acquisition_cost=Money(amount=Decimal(100_000 + n) / 100, currency=("EUR", "USD")[n % 3 == 0]),
        acquisition_date=dt.date(2026, 1, 1) + dt.timedelta(days=n % 28),
        in_service_date=dt.date(2026, 2, 1),
        financial_status=FinancialStatus.RUNNING,
    )


def book_fields(n: int) -> BookFields:
    cost = Decimal(100_000 + n) / 100
    step = Decimal("10.00")
    lines = tuple(
        ScheduleLine(
            date=dt.date(2026, month, 28),
            depreciation=step,
            accumulated_after=step * month,
            net_book_value_after=cost - step * month,
            posted=month == 1,
        )
        for month in (1, 2, 3)
    )
    return BookFields(
        book_id="main",
        currency=("EUR", "USD")[n % 3 == 0],
        method="SL",
        gross_cost=cost,
        salvage=Decimal(0),
        accumulated=step,
        net_book_value=cost - step,
        as_of=dt.date(2026, 1, 28),
        lines=lines,
    )


def cost_fields(n: int) -> CostFields:
    total = Decimal("125.50") + n
    return CostFields(
        work_order=f"WO-{n}",
        asset_native_id=f"U{n}",
        company=("ACME", "NOVA")[n % 2],
        currency="EUR",
        cost_centre=f"CC-{n % 5}",
        effective_date=dt.date(2026, 3, 1),
        total=total,
        lines=(CostLine(line_no=1, kind=CostKind.PART, description="Seal", amount=total),),
    )


def xref(system: str, entity: str, native_id: str, canonical_id: str, status: LinkStatus) -> XRef:
    return XRef(
        system=system,
        entity=entity,
        native_id=native_id,
        canonical_id=canonical_id,
        status=status,
        rule="hub-ref",
        match_keys=(),
        linked_at=NOW,
    )


class MemoryLog:
    """Kafka as a dictionary: partitions, offsets, transaction markers and committed positions. Passes ``test_log``."""

    def __init__(self) -> None:
        self._partitions: dict[str, list[list[LogRecord | None]]] = {}
        self._committed: dict[tuple[str, str], int] = {}
        self.on_publish: Callable[[Sequence[Outbound]], None] = lambda _: None

    # The protocol.

    def end_offsets(self, topics: Sequence[str]) -> Mapping[str, int]:
        return {f"{t}/{p}": len(records) for t in topics for p, records in enumerate(self._logs(t))}

    def committed(self, consumer: str, topics: Sequence[str]) -> Mapping[str, int]:
        return {
            f"{t}/{p}": self._committed.get((consumer, f"{t}/{p}"), 0)
            for t in topics
            for p in range(len(self._logs(t)))
        }

    def read_table(self, topic: str) -> Mapping[str, Row]:
        rows: dict[str, Row] = {}
        for records in self._logs(topic):
            for record in records:
                if record is not None:
                    rows[record.key] = Row(record.partition, record.offset, record.value)
        return rows

    def read_from(self, start: Mapping[str, int], *, limit: int | None = None) -> Sequence[LogRecord]:
        found: list[LogRecord] = []
        for where, offset in start.items():
            topic, partition = where.rsplit("/", 1)
            found += [r for r in self._logs(topic)[int(partition)][offset:] if r is not None]
        return found[:limit]

    # What the world does to it.

    def create(self, topic: str, partitions: int = PARTITIONS) -> None:
        self._partitions.setdefault(topic, [[] for _ in range(partitions)])

    def publish(self, outbounds: Sequence[Outbound]) -> None:
        """One transaction: the records, then a marker on every partition touched."""
        touched: list[list[LogRecord | None]] = []
        for outbound in outbounds:
            logs = self._logs(outbound.topic)
            key = str(outbound.key)
            partition = partition_of(outbound.partition_key or key, len(logs))
            value = outbound.value if isinstance(outbound.value, Typed) else None
            record = LogRecord(outbound.topic, partition, len(logs[partition]), key, value)
            logs[partition].append(record)
            if all(each is not logs[partition] for each in touched):
                touched.append(logs[partition])
        for log in touched:
            log.append(None)
        self.on_publish(outbounds)

    def place(self, topic: str, key: str, value: Typed, partition: int, offset: int) -> None:
        """Put a record at an exact place; the offsets before it are taken by markers."""
        log = self._logs(topic)[partition]
        log.extend([None] * (offset - len(log)))
        log.append(LogRecord(topic, partition, offset, key, value))

    def commit(self, consumer: str, positions: Mapping[str, int]) -> None:
        for where, offset in positions.items():
            self._committed[consumer, where] = offset

    def commit_all(self, consumer: str, topics: Iterable[str]) -> None:
        """Let a consumer have handled everything: its position is the last record's plus one, before the marker."""
        for topic in topics:
            for p, records in enumerate(self._logs(topic)):
                last = max((r.offset for r in records if r is not None), default=-1)
                self._committed[consumer, f"{topic}/{p}"] = last + 1

    def _logs(self, topic: str) -> list[list[LogRecord | None]]:
        if topic not in self._partitions:
            raise Stop(f"topic {topic} does not exist")
        return self._partitions[topic]


@pytest.fixture
def estate() -> Estate:
    """Two thousand healthy assets."""
    return Estate(2_000)


@pytest.fixture(scope="session")
def make_estate() -> Callable[[int], Estate]:
    """Healthy estates of any size."""
    return Estate


@pytest.fixture
def memory_log() -> MemoryLog:
    """An empty log without topics."""
    return MemoryLog()

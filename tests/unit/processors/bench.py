"""The processors on a table: records go in by hand, what they write goes on to the next one, nothing is mocked."""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Callable, Iterable
from decimal import Decimal
from itertools import count
from typing import Any, TypeVar

from tieline.kernel.asset_records import AssetEvent, AssetFields, AssetReport, AssetState
from tieline.kernel.audit_records import AuditReport
from tieline.kernel.book_records import BookFields, BookReport, DepreciationRunReport, ScheduleLine
from tieline.kernel.codecs import model_of
from tieline.kernel.command_records import CommandSettled, SettledAs
from tieline.kernel.consuming import Processor
from tieline.kernel.cost_records import CostFields, CostKind, CostLine, CostReport
from tieline.kernel.equipment_records import EquipmentLinkReport
from tieline.kernel.errors import Rejected
from tieline.kernel.landscape import Landscape
from tieline.kernel.memory import Conflict, HeldReport, LedgerEntry, LinkAction, LinkDecision, XRef
from tieline.kernel.movement_records import MovementReport
from tieline.kernel.order_records import InvoiceReport, OrderFields, OrderReport, ReceiptReport
from tieline.kernel.period_records import FiscalPeriodReport
from tieline.kernel.records import Inbound, Outbound, Typed
from tieline.kernel.reference_records import ReferenceReport, report_topic
from tieline.kernel.reports import Report
from tieline.kernel.tables import Table
from tieline.kernel.vocabulary import Model, Money, Origin
from tieline.processors.wiring import build_processor

ERP, AM = "tryton", "unio24"
NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
FLOWS = (
    ("asset", AM, ERP),
    ("asset", ERP, AM),
    ("book", ERP, AM),
    ("purchase-order", ERP, AM),
    ("cost-document", AM, ERP),
)
REPORT_TOPICS: dict[type[Model], str] = {
    AssetReport: "asset.asset.report.v1",
    BookReport: "asset.book.report.v1",
    MovementReport: "asset.movement.report.v1",
    OrderReport: "procurement.purchase-order.report.v1",
    ReceiptReport: "procurement.receipt.report.v1",
    InvoiceReport: "procurement.invoice.report.v1",
    CostReport: "cost.document.report.v1",
    EquipmentLinkReport: "asset.equipment-link.report.v1",
    AuditReport: "asset.audit.report.v1",
    DepreciationRunReport: "depreciation.run.report.v1",
    FiscalPeriodReport: "reference.fiscal-period.report.v1",
}
M = TypeVar("M", bound=Model)


def landscape(flows: Iterable[tuple[str, str, str]] = FLOWS, **systems: str) -> Landscape:
    """An estate of one ERP and one asset management, and of further systems by name and role."""
    roles = {ERP: "erp", AM: "asset-management"} | systems
    system = {"connector": "any", "owner": "works", "poll_interval_secs": 5, "settings": {}}
    flow = {"interval_mins": 1, "latency_target_secs": 60, "owner": "works", "on_error": "hold", "mode": "enabled"}
    return Landscape.model_validate(
        {
            "name": "test",
            "kafka": {"bootstrap_servers": "127.0.0.1:1"},
            "registry": {"url": "http://127.0.0.1:1"},
            "systems": {name: system | {"role": role} for name, role in roles.items()},
            "flows": [flow | {"object": kind, "source": source, "target": target} for kind, source, target in flows],
        }
    )


def ticking(start: dt.datetime = NOW) -> Callable[[], dt.datetime]:
    """A clock that is one second later each time it is asked."""
    seconds = count()
    return lambda: start + dt.timedelta(seconds=next(seconds))


def encode(value: Typed) -> bytes:
    """A value as bytes, so that "untouched" can be told; JSON stands in for Avro."""
    return f"{value.name}\n{value.body.model_dump_json()}".encode()


def decode(data: bytes) -> Typed:
    """The value in the bytes."""
    name, _, text = data.decode().partition("\n")
    return Typed(name, model_of(name).model_validate_json(text))


class Stage:
    """One processor as the loop runs it: each record stands or falls as a whole."""

    def __init__(self, processor: Processor) -> None:
        self.processor = processor
        self.inbox: deque[Inbound] = deque()

    def step(self) -> list[Outbound]:
        """Handle the next record. Raises ``Rejected`` after undoing what the record changed."""
        return self.handle(self.inbox.popleft())

    def handle(self, record: Inbound) -> list[Outbound]:
        try:
            written = list(self.processor.handle(record, decode(record.value or b"")))
        except Rejected:
            for table in self.processor.tables:
                table.drop_record()
            raise
        for table in self.processor.tables:
            written += table.drain()
            table.commit()
        return written

    def table(self, kind: type[M]) -> Table[M]:
        [found] = [t for t in (*self.processor.tables, *self.processor.followed) if t.kind is kind]
        return found


class Hub:
    """identify, accept and route in a row. ``written`` is everything on every topic, oldest first."""

    def __init__(self, estate: Landscape | None = None) -> None:
        estate = estate or landscape()
        clock = ticking()
        self.stages = {name: Stage(build_processor(name, estate, clock)) for name in ("identify", "accept", "route")}
        self.written: list[Outbound] = []
        self.commands: dict[str, list[Model]] = {system: [] for system in estate.systems}
        self.dead: list[Rejected] = []
        self._offsets = count()
        self._unread: deque[LedgerEntry] = deque()

    def say(self, *values: Report | EquipmentLinkReport | CommandSettled | LinkDecision) -> list[Outbound]:
        """Publish reports or results and let the hub come to rest. Returns all that was written because of them."""
        before = len(self.written)
        for value in values:
            self.publish(value)
            self.rest()
        return self.written[before:]

    def publish(self, value: Report | EquipmentLinkReport | CommandSettled | LinkDecision) -> None:
        """Put a report or a result on its topic; nothing is handled yet."""
        if isinstance(value, CommandSettled):
            topic, key = f"sink.{value.target}.result.v1", value.canonical_id
        elif isinstance(value, LinkDecision):
            topic, key = "hub.link-decision.report.v1", value.mapping or value.canonical_id or ""
        else:
            is_reference = isinstance(value, ReferenceReport)
            topic = report_topic(value.origin.entity) if is_reference else REPORT_TOPICS[type(value)]
            key = f"{value.origin.system}/{value.origin.native_id}"
        self._pass_on(Outbound(topic, key, Typed(type(value).__name__, value), {"ce_correlationid": "c1"}))

    def rest(self) -> None:
        """Handle everything that waits."""
        while self._unread:
            self.catch_up()
        while any(stage.inbox for stage in self.stages.values()):
            for name in self.stages:
                self.step(name)

    def step(self, name: str) -> None:
        """Let one processor handle one record, if one waits; a rejected one is kept in ``dead``."""
        if not self.stages[name].inbox:
            return
        try:
            written = self.stages[name].step()
        except Rejected as rejection:
            self.dead.append(rejection)
            return
        for outbound in written:
            self.written.append(outbound)
            if outbound.topic.startswith("sink.") and isinstance(outbound.value, Typed):
                self.commands[outbound.topic.split(".")[1]].append(outbound.value.body)
            self._pass_on(outbound)

    def write_ledger(self, entry: LedgerEntry) -> None:
        """A sink has written its ledger; accept reads it when it catches up, at the latest when all comes to rest."""
        self._unread.append(entry)

    def catch_up(self) -> None:
        """Let accept read the oldest ledger row it has not read."""
        if self._unread:
            self.follow(self._unread.popleft())

    def follow(self, entry: LedgerEntry) -> None:
        """A sink has written its ledger, and accept has read it."""
        key = f"{entry.target}/{entry.entity}/{entry.canonical_id}"
        self.stages["accept"].table(LedgerEntry).load(key, entry)

    def rows(self, kind: type[M]) -> dict[str, M]:
        """The content of the one table of this kind that a processor owns."""
        [table] = [t for s in self.stages.values() for t in s.processor.tables if t.kind is kind]
        return dict(table.items())

    def the_asset(self) -> AssetState:
        """The only asset there is."""
        [state] = self.rows(AssetState).values()
        return state

    def memory(self) -> dict[str, dict[str, Any]]:
        """Everything the hub keeps, to compare."""
        tables = [t for s in self.stages.values() for t in s.processor.tables]
        return {table.topic: dict(table.items()) for table in tables}

    def _pass_on(self, outbound: Outbound) -> None:
        value = outbound.value
        if value is None:
            for table in (table for stage in self.stages.values() for table in stage.processor.followed):
                if outbound.topic == table.topic:
                    table.load(str(outbound.key), None)
            return
        data = encode(value) if isinstance(value, Typed) else value
        assert isinstance(outbound.key, str)
        headers = tuple((k, v.encode() if isinstance(v, str) else v) for k, v in outbound.headers.items())
        record = Inbound(outbound.topic, 0, next(self._offsets), outbound.key.encode(), data, headers)
        for stage in self.stages.values():
            if outbound.topic in stage.processor.inputs:
                stage.inbox.append(record)
            for table in stage.processor.followed:
                if outbound.topic == table.topic and isinstance(value, Typed):
                    table.load(outbound.key, value.body)


def named(written: Iterable[Outbound], *names: str) -> list[Typed]:
    """The typed values of those names, in order."""
    return [out.value for out in written if isinstance(out.value, Typed) and out.value.name in names]


def asset_events(written: Iterable[Outbound]) -> list[tuple[str, AssetEvent]]:
    """Asset events with their names."""
    found = [out.value for out in written if out.topic == "asset.asset.event.v1"]
    return [(v.name, v.body) for v in found if isinstance(v, Typed) and isinstance(v.body, AssetEvent)]


def links(hub: Hub) -> dict[str, str]:
    """Canonical id per record, whatever the standing."""
    return {key: row.canonical_id for key, row in hub.rows(XRef).items()}


def conflicts(hub: Hub) -> set[tuple[str, str]]:
    """Field and system of each open conflict."""
    return {(row.field, row.system) for row in hub.rows(Conflict).values()}


def held(hub: Hub) -> dict[str, str]:
    """What each held report waits for."""
    return {key: row.waits_for for key, row in hub.rows(HeldReport).items()}


def origin(system: str, entity: str, native_id: str, hub_ref: str | None = None) -> Origin:
    return Origin(
        system=system, entity=entity, native_id=native_id, source_version="1", recorded_at=NOW, hub_ref=hub_ref
    )


def asset(  # a report with any of the asset's fields
    system: str,
    native_id: str,
    *,
    entity: str = "asset",
    hub_ref: str | None = None,
    deleted: bool = False,
    **fields: Any,
) -> AssetReport:
    return AssetReport(origin=origin(system, entity, native_id, hub_ref), fields=AssetFields(**fields), deleted=deleted)


def line(native_id: str = "7/1", **fields: Any) -> AssetReport:
    """What the ERP's order line says of the unit it buys."""
    return asset(ERP, native_id, entity="purchase-line", po_line_ref=f"{ERP}/{native_id}", **fields)


def euros(amount: str) -> Money:
    return Money(amount=Decimal(amount), currency="EUR")


def book(asset_native_id: str, posted: Iterable[str] = (), **changes: Any) -> BookReport:
    """A book of 1200 over 12 months from January 2026; ``posted`` are months of the year, ``05`` or ``05:DOC``."""
    documents = {month[:2]: month[3:] or None for month in posted}
    lines = tuple(
        ScheduleLine(
            date=dt.date(2026, month, 28),
            posting_period=f"2026-{month:03}",
            depreciation=Decimal(100),
            accumulated_after=Decimal(100 * month),
            net_book_value_after=Decimal(1200 - 100 * month),
            posted=f"{month:02}" in documents,
            document=documents.get(f"{month:02}"),
        )
        for month in range(1, 13)
    )
    accumulated = Decimal(100 * len(documents))
    values: dict[str, Any] = {
        "book_id": "main",
        "currency": "EUR",
        "method": "SL",
        "gross_cost": Decimal(1200),
        "salvage": Decimal(0),
        "accumulated": accumulated,
        "net_book_value": Decimal(1200) - accumulated,
        "as_of": dt.date(2026, 1, 1),
        "lines": lines,
    }
    fields = BookFields(**(values | changes))
    native_id = f"{asset_native_id}|{fields.book_id}"
    return BookReport(origin=origin(ERP, "book", native_id), asset_native_id=asset_native_id, fields=fields)


def cost(native_id: str = "WO1", asset_native_id: str | None = None, *amounts: str, **changes: Any) -> CostReport:
    parts = [Decimal(a) for a in amounts or ("80.00", "20.50")]
    lines = tuple(
        CostLine(line_no=n, kind=CostKind.LABOUR, description="work", amount=amount)
        for n, amount in enumerate(parts, 1)
    )
    values: dict[str, Any] = {
        "work_order": native_id,
        "asset_native_id": asset_native_id,
        "company": "ACME",
        "currency": "EUR",
        "cost_centre": "CC1",
        "effective_date": dt.date(2026, 11, 3),
        "total": sum(parts, Decimal(0)),
        "lines": lines,
    }
    return CostReport(origin=origin(AM, "cost-document", native_id), fields=CostFields(**(values | changes)))


def order(native_id: str, fields: OrderFields) -> OrderReport:
    return OrderReport(origin=origin(ERP, "purchase-order", native_id), fields=fields)


def decided(action: str, **values: Any) -> LinkDecision:
    """A person's decision on a record (``mapping``) or on two things."""
    return LinkDecision(
        decision_id="d1", action=LinkAction(action), by="ann", reason="looked at both", at=NOW, **values
    )


def settled(
    target: str, canonical_id: str, native_id: str | None, *, entity: str = "asset", outcome: str = "CONFIRMED"
) -> CommandSettled:
    return CommandSettled(
        command_id=f"{target}/{entity}/{canonical_id}/1",
        target=target,
        entity=entity,
        canonical_id=canonical_id,
        version=1,
        outcome=SettledAs(outcome),
        native_id=native_id,
    )

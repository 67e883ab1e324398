"""The source loop: read a system, keep what it said byte for byte, map it to reports, read it back when asked.

One process, one thread, three steps in turn:
capture  what changed goes to ``src.<system>.raw.v1`` in one transaction with the position (Invariant 1);
map      raw records become reports (``TransactionalLoop``), so that a mapping fault is a dead letter like any other;
observe  a reconciliation run reads the whole system between two captures, so that its cut is this process's own order.
A webhook only says where to look: the record is read from the API, so a forged or doubled one changes nothing.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import queue
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from confluent_kafka import Consumer, KafkaException, Producer

from tieline.kernel import broker
from tieline.kernel.asset_records import AssetReport
from tieline.kernel.audit_records import AuditReport
from tieline.kernel.book_records import BookReport, DepreciationRunReport
from tieline.kernel.consuming import (
    Processor,
    Runtime,
    TransactionalLoop,
    close_connector,
    load_tables,
    patiently,
    poll_batch,
    start_producer,
    stop_if_fenced,
)
from tieline.kernel.cost_records import CostReport
from tieline.kernel.dead_letters import REPLAY_OF
from tieline.kernel.equipment_records import EquipmentLinkReport
from tieline.kernel.errands import Priority, run_errand
from tieline.kernel.errors import OutcomeUnknown, Rejected, Retryable, Stop, Unavailable
from tieline.kernel.family_records import FamilyReport
from tieline.kernel.memory import SourcePosition
from tieline.kernel.metering import LoopMeter, SourceMeter
from tieline.kernel.movement_records import MovementReport
from tieline.kernel.observing import Observer
from tieline.kernel.order_records import InvoiceReport, OrderReport, ReceiptReport
from tieline.kernel.period_records import FiscalPeriodReport
from tieline.kernel.privacy import IDS_ONLY, Custodians, map_opaquely
from tieline.kernel.producing import CHANGED_AT_MS, Writer, read_ms
from tieline.kernel.protocols import Connector, Page, RawItem
from tieline.kernel.records import Inbound, Outbound, Typed
from tieline.kernel.reference_records import ReferenceReport, report_topic
from tieline.kernel.reports import Report
from tieline.kernel.tables import Table
from tieline.kernel.topic_names import RUN_TOPIC
from tieline.kernel.vetting import Vetting

PAGE_LIMIT = 200
STREAM = "tl_stream"
NATIVE_ID = "tl_native_id"
READ_BEFORE = "tl_read_before_ms"  # when the read before this one found something (Unix time, ms)
# After trouble at the source: the pause grows from the first to the last of these.
PAUSES_SECS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
MAX_REQUESTS = 10  # of a run, taken at once
MAX_WEBHOOKS_WAITING = 10_000  # beyond it the poll finds them

REPORT_TOPICS: Mapping[type[object], str] = {
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


def raw_topic(system: str) -> str:
    """``src.<system>.raw.v1``."""
    return f"src.{system}.raw.v1"


def raw_record(system: str, item: RawItem, read_before: dt.datetime | None = None) -> Outbound:
    """A captured item as it is kept; ``read_before``: when an earlier read found something last."""
    headers: dict[str, str | bytes] = {STREAM: item.stream, NATIVE_ID: item.native_id}
    if read_before is not None:
        headers[READ_BEFORE] = str(round(read_before.timestamp() * 1000))
    return Outbound(raw_topic(system), f"{system}/{item.native_id}", item.payload, headers)


def report_record(report: Report) -> Outbound:
    """A report on its topic, keyed system/native id."""
    key = f"{report.origin.system}/{report.origin.native_id}"
    match report:
        case FamilyReport():
            topic = report.family.topic("report")
        case ReferenceReport():
            topic = report_topic(report.origin.entity)
        case _:
            topic = REPORT_TOPICS[type(report)]
    return Outbound(topic, key, Typed(type(report).__name__, report))


def began_headers(record: Inbound, report: Report) -> dict[str, str | bytes]:
    """The header that says when the change began; none where a person had the record mapped again.

    It is the system's own time, but within what was read: a first load, or a clock that is wrong, is no delay of ours.
    """
    if record.header(REPLAY_OF) is not None:
        return {}
    captured_ms, read_before_ms = record.timestamp_ms, read_ms(record.header(READ_BEFORE))
    earliest_ms = captured_ms if read_before_ms is None else read_before_ms
    recorded_ms = round(report.origin.recorded_at.timestamp() * 1000)
    return {CHANGED_AT_MS: str(min(max(recorded_ms, earliest_ms), captured_ms))}


def mapping_processor(system: str, connector: Connector, custodians: Custodians = IDS_ONLY) -> Processor:
    """Raw records to reports, by the connector's pure mapping; nobody's name gets past it (T40)."""

    def handle(record: Inbound, _: Typed) -> Sequence[Outbound]:
        stream, native_id = record.header(STREAM), record.header(NATIVE_ID)
        if stream is None or native_id is None or record.value is None:
            raise Rejected("not a captured record: stream, native id or payload is missing")
        item = RawItem(stream, native_id, record.value)
        reports = map_opaquely(connector, item, custodians)
        return [replace(report_record(report), headers=began_headers(record, report)) for report in reports]

    return Processor(f"source-{system}", (raw_topic(system),), handle)


class SourceLoop:
    """Runs the source side of one connected system."""

    def __init__(self, system: str, connector: Connector, poll_interval_secs: float, runtime: Runtime) -> None:
        self._system = system
        self._connector = connector
        self._interval_secs = poll_interval_secs
        self._runtime = runtime
        self._name = f"source-{system}"
        self._transactional_id = f"{self._name}-capture"
        self._runner = asyncio.Runner()
        self._mapping = TransactionalLoop(mapping_processor(system, connector, runtime.custodians), runtime)
        self._writer = Writer(self._name, runtime.codec, runtime.partitions, runtime.clock)
        self._positions: Table[SourcePosition] = Table(f"src.{system}.position.state.v1", SourcePosition)
        group = f"tieline.{self._name}-requests"
        self._requests: Consumer = broker.open_consumer(runtime.kafka, group)
        self._vetting = Vetting(group, [RUN_TOPIC], runtime, self._requests, window=MAX_REQUESTS)
        self._observer = Observer(system, connector, runtime, self._runner)
        self._producer: Producer | None = None
        self._source = SourceMeter(system, poll_interval_secs, runtime.metrics, runtime.clock)
        self._meter = LoopMeter(self._name, runtime.metrics, runtime.clock)
        self._due_at = 0.0
        self._failures = 0
        self.webhooks: queue.Queue[tuple[str, str]] = queue.Queue(MAX_WEBHOOKS_WAITING)
        self._source.announced(self.webhooks.qsize)
        self._source.planned(lambda: max(0.0, self._due_at - time.monotonic()))

    def start(self) -> None:
        """Fence predecessors and take up the position. Blocks until the broker answers."""
        self._recover()
        self._mapping.start()

    def run_once(self, timeout_secs: float) -> None:
        """One turn: capture if due or called by a webhook, map what is there, serve a read-back request.

        Raises ``Stop`` when another copy has taken over.
        """
        self._meter.turned()
        try:
            self._capture()
            self._mapping.run_once(timeout_secs)
            requests = poll_batch(self._requests, 0.0, MAX_REQUESTS)
            self._vetting.examine(requests)
            if not requests:
                self._vetting.refresh(self._live_producer())
            for request in requests:
                self._observer.serve(
                    request, self._vetting.decode, self._live_producer(), self._requests, self._capture_all
                )
        except (KafkaException, Retryable) as error:
            stop_if_fenced(self._name, error)
            self._runtime.log.warning("transaction-repeated", reason=str(error))
            self._meter.repeated()
            self._recover()

    def close(self) -> None:
        """Leave; what was not committed is read again at the next start."""
        self._mapping.close()
        self._requests.close()
        close_connector(self._connector.close, self._runner)
        self._runner.close()

    def _recover(self) -> None:
        def take_up() -> None:
            self._producer = start_producer(self._transactional_id, self._runtime)
            load_tables({self._positions.topic: self._positions}, self._runtime)
            self._vetting.take_up()

        patiently(take_up, self._runtime)

    def _capture(self) -> None:
        try:
            if time.monotonic() >= self._due_at:
                self._capture_all()
                self._failures = 0  # not where it was not due: the pause would never grow
            self._capture_announced()
        except (Unavailable, Retryable, OutcomeUnknown, Rejected) as error:
            # A read that the system turns down is no record's fault either: records are judged when they are mapped.
            self._source.failed()
            pause_secs = PAUSES_SECS[min(self._failures, len(PAUSES_SECS) - 1)]
            pause_secs = max(pause_secs, getattr(error, "retry_after_secs", None) or 0.0)
            self._failures += 1
            self._due_at = time.monotonic() + pause_secs
            self._runtime.log.warning("source-unavailable", why=str(error)[:300], next_read_secs=round(pause_secs, 1))

    def _capture_all(self) -> None:
        # The first read fetches everything there is: much, and in nobody's way.
        priority = Priority.POLLING if self._positions.get(self._system) else Priority.BACKFILL
        more = True
        while more and not self._runtime.stopping():
            row = self._positions.get(self._system)
            reading = self._connector.source.read_changes(row.cursors if row else {}, PAGE_LIMIT)
            page = self._runner.run(run_errand(priority, reading))
            if page.items or row is None or dict(page.position) != row.cursors:
                self._write(page)
            more = page.more
        self._source.polled()
        self._due_at = time.monotonic() + self._interval_secs

    def _capture_announced(self) -> None:
        announced: set[tuple[str, str]] = set()
        while not self.webhooks.empty() and len(announced) < PAGE_LIMIT:
            announced.add(self.webhooks.get_nowait())
        reads = (self._connector.source.read_one(*where) for where in sorted(announced))
        items = [self._runner.run(run_errand(Priority.LIVE, read)) for read in reads]
        found = [item for item in items if item is not None]
        if found:
            self._write(Page(found, {}))

    def _write(self, page: Page) -> None:
        self._meter.turned()
        producer = self._live_producer()
        before = self._positions.get(self._system)
        read_before = before.polled_at if before else None
        outbounds = [raw_record(self._system, item, read_before) for item in page.items]
        if page.position:
            row = SourcePosition(system=self._system, cursors=dict(page.position), polled_at=self._runtime.clock())
            self._positions.put(self._system, row)
            outbounds += self._positions.drain()
        began_secs = time.monotonic()
        producer.begin_transaction()
        for ordinal, outbound in enumerate(outbounds):
            self._writer.write(producer, outbound, None, ordinal)
        # Invariant 1: the source position and what was read up to it are one transaction.
        producer.commit_transaction(broker.CALL_TIMEOUT_SECS)
        self._positions.commit()
        self._meter.transacted(time.monotonic() - began_secs)
        self._source.captured(page.items)

    def _live_producer(self) -> Producer:
        if self._producer is None:
            raise Stop("the source loop was not started")
        return self._producer

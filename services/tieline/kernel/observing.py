"""Reading a whole system back for a reconciliation run, with the log positions that bound the read.

Order is the proof: positions before, a catch-up capture, the read, another catch-up capture, positions after.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from confluent_kafka import Consumer, Producer

from tieline.kernel import broker
from tieline.kernel.asset_records import AssetReport
from tieline.kernel.audit_records import AuditReport
from tieline.kernel.balances import observe_balances, read_balances
from tieline.kernel.book_records import BookReport, DepreciationRunReport
from tieline.kernel.consuming import Runtime, next_offsets
from tieline.kernel.cost_records import CostReport
from tieline.kernel.equipment_records import EquipmentLinkReport
from tieline.kernel.errands import Priority, run_errand
from tieline.kernel.errors import OutcomeUnknown, Rejected, Retryable, Stop, Unavailable
from tieline.kernel.family_records import FamilyReport
from tieline.kernel.memory import Observed, RunRequested, SystemObserved
from tieline.kernel.movement_records import MovementReport
from tieline.kernel.order_records import OrderReport
from tieline.kernel.period_records import FiscalPeriodReport
from tieline.kernel.privacy import map_opaquely
from tieline.kernel.producing import Writer
from tieline.kernel.protocols import Connector, RawItem
from tieline.kernel.records import Inbound, Outbound, Typed
from tieline.kernel.reference_records import ReferenceReport
from tieline.kernel.reports import Report
from tieline.kernel.topic_names import RUN_TOPIC, commands_of

T = TypeVar("T")

BATCH_RECORDS = 500


def cut_topics(system: str) -> tuple[str, ...]:
    """Topics whose end offsets before the read tell what moved during it."""
    return (
        "asset.asset.state.v1",
        "asset.book.state.v1",
        "procurement.purchase-order.state.v1",
        "cost.document.state.v1",
        "hub.delivery-ledger.state.v1",
        commands_of(system),
    )


def observed_topic(system: str) -> str:
    """``observed.<system>.record.state.v1``."""
    return f"observed.{system}.record.state.v1"


def observe_report(run_id: str, report: Report) -> Observed:
    """A mapped record as an observation. Raises ``Rejected`` for one that no reconciliation compares."""
    origin = report.origin
    groups: dict[str, object] = {}
    match report:
        case AssetReport():
            groups["asset"] = report.fields
        case BookReport():
            groups["book"] = report.fields
        case CostReport():
            groups["cost_document"] = report.fields
        case OrderReport():
            groups["purchase_order"] = report.fields
        case (
            FiscalPeriodReport()
            | DepreciationRunReport()
            | MovementReport()
            | AuditReport()
            | EquipmentLinkReport()
            | ReferenceReport()
            | FamilyReport()
        ):
            raise Rejected(f"{origin.entity} is not compared", remedy="leave its stream out of snapshot_streams")
        case _:
            pass  # of a receipt or an invoice only the identity is compared
    return Observed.model_validate(
        {
            "run_id": run_id,
            "system": origin.system,
            "entity": origin.entity,
            "native_id": origin.native_id,
            "hub_ref": origin.hub_ref,
            **groups,
        }
    )


class Observer:
    """Serves read-back requests for one system, inside its source process."""

    def __init__(self, system: str, connector: Connector, runtime: Runtime, runner: asyncio.Runner) -> None:
        self._system = system
        self._connector = connector
        self._runtime = runtime
        self._custodians = runtime.custodians
        self._runner = runner
        self._writer = Writer(f"source-{system}", runtime.codec, runtime.partitions, runtime.clock)

    def serve(
        self,
        request: Inbound,
        decode: Callable[[Inbound], Typed],
        producer: Producer,
        requests: Consumer,
        catch_up: Callable[[], None],
    ) -> None:
        """Do one request and commit its position with the answer; other records of the topic are passed over."""
        answer = self._answer(request, decode, producer, catch_up)
        producer.begin_transaction()
        if answer is not None:
            outbound = Outbound(RUN_TOPIC, answer.run_id, Typed("SystemObserved", answer))
            self._writer.write(producer, outbound, request, 0)
        producer.send_offsets_to_transaction(
            next_offsets([request]), requests.consumer_group_metadata(), broker.CALL_TIMEOUT_SECS
        )
        producer.commit_transaction(broker.CALL_TIMEOUT_SECS)

    def _answer(
        self,
        request: Inbound,
        decode: Callable[[Inbound], Typed],
        producer: Producer,
        catch_up: Callable[[], None],
    ) -> SystemObserved | None:
        try:
            body = decode(request).body
        except Rejected:
            return None
        if not isinstance(body, RunRequested) or self._system not in body.systems:
            return None
        self._runtime.log.info("observation-began", run_id=body.run_id)
        # Up to the first open transaction: what is undecided now counts as moving during the read.
        began = self._ends(cut_topics(self._system), stable=True)
        counts: dict[str, int] = {}
        reason: str | None = None
        try:
            catch_up()
            self._read_back(body.run_id, producer, counts)
            catch_up()
        except (Unavailable, Retryable, OutcomeUnknown, Rejected, Stop) as error:
            # Invariant 12: an incomplete read proves nothing; the run is told so.
            reason = str(error)[:500]
        self._runtime.log.info("observation-ended", run_id=body.run_id, complete=reason is None, counts=counts)
        return SystemObserved(
            run_id=body.run_id,
            system=self._system,
            complete=reason is None,
            reason=reason,
            counts=counts,
            began=began,
            reported=self._ends([f"src.{self._system}.raw.v1"]),
            finished_at=self._runtime.clock(),
        )

    def _ends(self, topics: Sequence[str], *, stable: bool = False) -> dict[str, int]:
        ends = broker.end_offsets(self._runtime.kafka, topics, stable=stable)
        return {f"{topic}/{p}": end for (topic, p), end in ends.items()}

    def _read_back(self, run_id: str, producer: Producer, counts: dict[str, int]) -> None:
        gone = self._known_keys()
        before = self._run(read_balances(self._connector))
        given: set[str] = set()
        batch: list[Outbound] = []
        for stream in self._connector.snapshot_streams:
            items = self._connector.source.read_all(stream)
            while (item := self._run(_next(items))) is not None:
                for seen in self._observe(run_id, item):
                    key = f"{seen.system}/{seen.entity}/{seen.native_id}"
                    gone.discard(key)
                    if key not in given:
                        given.add(key)
                        counts[seen.entity] = counts.get(seen.entity, 0) + 1
                    batch.append(Outbound(observed_topic(self._system), key, Typed("Observed", seen)))
                if len(batch) >= BATCH_RECORDS:
                    self._flush(producer, batch)
        after = self._run(read_balances(self._connector))
        for seen in observe_balances(run_id, self._system, before, after):
            key = f"{seen.system}/{seen.entity}/{seen.native_id}"
            gone.discard(key)
            counts[seen.entity] = counts.get(seen.entity, 0) + 1
            batch.append(Outbound(observed_topic(self._system), key, Typed("Observed", seen)))
        batch += [Outbound(observed_topic(self._system), key, None) for key in sorted(gone)]
        self._flush(producer, batch)

    def _run(self, read: Awaitable[T]) -> T:
        # Whoever asked for it: a whole system is read, and every live effect goes before that.
        return self._runner.run(run_errand(Priority.BACKFILL, read))

    def _observe(self, run_id: str, item: RawItem) -> list[Observed]:
        try:
            return [observe_report(run_id, report) for report in map_opaquely(self._connector, item, self._custodians)]
        except Rejected as rejection:
            unreadable = Observed(
                run_id=run_id,
                system=self._system,
                entity=item.stream,
                native_id=item.native_id,
                unreadable=str(rejection)[:500],
            )
            return [unreadable]

    def _known_keys(self) -> set[str]:
        keys: set[str] = set()

        def take(record: Inbound) -> None:
            if record.value is None:
                keys.discard(record.key_text)
            else:
                keys.add(record.key_text)

        broker.read_to_end(self._runtime.kafka, [observed_topic(self._system)], take)
        return keys

    def _flush(self, producer: Producer, batch: list[Outbound]) -> None:
        producer.begin_transaction()
        for ordinal, outbound in enumerate(batch):
            self._writer.write(producer, outbound, None, ordinal)
        producer.commit_transaction(broker.CALL_TIMEOUT_SECS)
        batch.clear()


async def _next(items: object) -> RawItem | None:
    found = await anext(items, None)  # type: ignore[call-overload]  # an AsyncIterator by the Source protocol
    return found if isinstance(found, RawItem) else None

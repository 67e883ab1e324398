"""One record of the log in a few words."""

from __future__ import annotations

from dataclasses import dataclass

from tieline.kernel.asset_records import AssetEvent, AssetMergeEvent, AssetReport
from tieline.kernel.audit_records import AuditEvent, AuditReport
from tieline.kernel.book_records import AssetBookChanged, BookReport, DepreciationPosted
from tieline.kernel.command_records import CommandSettled, PostCost, RemoveRecord, WriteAsset, WriteBook
from tieline.kernel.cost_records import CostEvent, CostReport
from tieline.kernel.family_records import FamilyCommand, FamilyEvent, FamilyReport
from tieline.kernel.memory import LinkDecision
from tieline.kernel.movement_records import MovementEvent, MovementReport
from tieline.kernel.order_records import InvoiceReport, OrderReport, ReceiptReport
from tieline.kernel.records import Inbound, Typed
from tieline.kernel.reports import Report
from tieline.kernel.topic_names import IDENTIFIED
from tieline.kernel.vocabulary import Accepted


@dataclass(frozen=True, slots=True)
class Told:
    """``kind`` of step, the system it came from or went to, and what it says."""

    kind: str
    system: str
    what: str


def tell(value: Typed, record: Inbound) -> Told:
    """What a report, event, command or result says; amounts with their currency, never rounded."""
    match value.body:
        case (
            AssetReport()
            | BookReport()
            | MovementReport()
            | CostReport()
            | OrderReport()
            | ReceiptReport()
            | InvoiceReport()
            | AuditReport()
            | FamilyReport()
        ) as report:
            told = _report(report, record)
        case AssetEvent() | FamilyEvent() | AuditEvent() as event:
            told = Told("event", event.accepted.origin_system, _accepted(value.name, event.accepted))
        case AssetMergeEvent() as event:
            told = Told("event", "", f"{value.name}, with {event.survivor_id}, by {event.by}: {event.reason}")
        case LinkDecision() as decision:
            told = Told("decision", "", f"{decision.action} by {decision.by}: {decision.reason}")
        case AssetBookChanged() as event:
            name = f"{value.name} {event.fields.book_id}"
            told = Told("event", event.accepted.origin_system, _accepted(name, event.accepted))
        case DepreciationPosted() | MovementEvent() as posted:
            told = Told("posting", posted.accepted.origin_system, _posted(value.name, posted))
        case CostEvent() as cost:
            what = f"{value.name} {cost.fields.total:f} {cost.fields.currency}, work order {cost.fields.work_order}"
            told = Told("cost", cost.accepted.origin_system, what)
        case WriteAsset() | WriteBook() | PostCost() | RemoveRecord() | FamilyCommand() as command:
            dispatch = command.dispatch
            repair = f", repair {dispatch.repair_id}" if dispatch.repair_id else ""
            again = f", {record.header('tl_action')} by the desk" if record.header("tl_action") else ""
            told = Told("command", dispatch.target, f"{value.name} v{dispatch.version}{repair}{again}")
        case CommandSettled() as settled:
            told = Told("result", settled.target, _settled(settled))
        case _:
            told = Told(value.name, "", "")
    return told


def _report(report: Report, record: Inbound) -> Told:
    origin = report.origin
    gone = " deleted" if isinstance(report, AssetReport) and report.deleted else ""
    told = f"{origin.entity} {origin.native_id}{gone}, version {origin.source_version}"
    what = f"{told}, recorded {origin.recorded_at:%Y-%m-%d %H:%M:%S} UTC"
    if record.topic == IDENTIFIED:
        return Told("identified", origin.system, f"{told}, from {record.header('tl_origin_record') or 'unknown'}")
    return Told("report", origin.system, what)


def _posted(name: str, event: DepreciationPosted | MovementEvent) -> str:
    if isinstance(event, MovementEvent):
        fields = event.fields
        change = f"{fields.net_book_value_change:+f} {fields.currency} of {fields.effective_date}"
        return f"{name} {fields.book_id}: net book value {change}, document {event.movement_id}"
    amount = f"{event.amount.amount:f} {event.amount.currency} for {event.scheduled_date}"
    return f"{event.book_id}: {amount}, net book value {event.net_book_value_after:f}"


def _accepted(name: str, accepted: Accepted) -> str:
    changed = ", ".join(accepted.changed_fields) or "nothing"
    return f"{name} v{accepted.version}: {changed}"


def _settled(settled: CommandSettled) -> str:
    number = f", number {settled.number}" if settled.number else ""
    native = f", id {settled.native_id}" if settled.native_id else ""
    reason = f": {settled.reason}" if settled.reason else ""
    return f"{settled.entity} {settled.outcome} v{settled.version}{native}{number}{reason}"

"""What an event is called: what it means to those who only read names."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from tests.unit.processors.bench import AM, ERP, NOW, Hub, asset, asset_events, book, named, order
from tests.unit.processors.test_capitalise import a_line, an_order
from tests.unit.processors.test_depreciation_runs import estate as estate_with_books
from tests.unit.processors.test_depreciation_runs import posted, run

from tieline.kernel.asset_records import AssetReport
from tieline.kernel.book_records import BookReport, DepreciationRunEvent, RunStatus, ScheduleLine
from tieline.kernel.command_records import WriteAsset
from tieline.kernel.conflict_records import ConflictResolution, ConflictResolved
from tieline.kernel.order_records import ApprovalStatus, OrderEvent, OrderFields
from tieline.kernel.records import Outbound, Typed

ORDER_NAMES = ("PoApproved", "PoChanged", "PoLineCancelled", "PoClosed", "PoReopened")


# ---- a person in charge ----------------------------------------------------------------------------------------


def given_back(native_id: str = "9", **fields: Any) -> AssetReport:
    return asset(AM, native_id, **fields).model_copy(update={"cleared": ("custodian",)})


def test_a_thing_is_assigned_given_back_and_assigned_again() -> None:
    hub = Hub()
    hub.say(asset(AM, "9", serial_number="S", location="L1"))
    names = [
        name for name, _ in asset_events(hub.say(asset(AM, "9", custodian="e17"), asset(AM, "9", custodian="e18")))
    ]
    [(back, event)] = asset_events(hub.say(given_back()))
    assert (*names, back) == ("AssetAssigned", "AssetAssigned", "AssetReturned")
    assert (event.accepted.changed_fields, event.fields.custodian) == (("custodian",), None)
    assert asset_events(hub.say(given_back())) == [], "nobody has it: there is nothing to give back"
    [(again, _)] = asset_events(hub.say(asset(AM, "9", custodian="e18")))
    assert again == "AssetAssigned"


def test_a_person_who_is_not_spoken_of_keeps_the_thing() -> None:
    hub = Hub()
    hub.say(asset(AM, "9", serial_number="S", custodian="e17"), asset(AM, "9", location="L2"))
    assert hub.the_asset().fields.custodian == "e17"


def test_only_what_may_be_emptied_is() -> None:
    hub = Hub()
    hub.say(asset(AM, "9", location="L1"))
    hub.say(asset(AM, "9").model_copy(update={"cleared": ("location",)}))
    assert hub.the_asset().fields.location == "L1"


def test_only_asset_management_gives_a_thing_back() -> None:
    hub = Hub()
    hub.say(asset(AM, "9", serial_number="S", custodian="e17"))
    hub.say(asset(ERP, "5", serial_number="S").model_copy(update={"cleared": ("custodian",)}))
    assert hub.the_asset().fields.custodian == "e17"


def test_the_other_system_is_told_that_nobody_has_it() -> None:
    hub = Hub()
    hub.say(asset(AM, "9", serial_number="S", custodian="e17"), asset(ERP, "5", serial_number="S", asset_number="A1"))
    hub.say(given_back())
    command = hub.commands[ERP][-1]
    assert isinstance(command, WriteAsset)
    assert (command.cleared_fields, "custodian" in command.writable_fields) == (("custodian",), True)
    hub.say(asset(AM, "9", location="L2"))
    later = hub.commands[ERP][-1]
    assert isinstance(later, WriteAsset)
    assert later.cleared_fields == ("custodian",), "a command carries the whole record, also what is empty"


def test_a_person_nobody_ever_named_is_not_emptied_elsewhere() -> None:
    hub = Hub()
    hub.say(asset(AM, "9", serial_number="S"), asset(ERP, "5", serial_number="S"), asset(AM, "9", location="L2"))
    command = hub.commands[ERP][-1]
    assert isinstance(command, WriteAsset)
    assert command.cleared_fields == ()


# ---- purchase orders -------------------------------------------------------------------------------------------


def told(written: list[Outbound]) -> list[tuple[str, tuple[str, ...]]]:
    """Names of the order's events and the lines they cancel."""
    found = [out.value for out in written if isinstance(out.value, Typed) and isinstance(out.value.body, OrderEvent)]
    return [(v.name, v.body.cancelled_lines) for v in found if isinstance(v.body, OrderEvent)]


def two_lines(*quantities: str, **changes: Any) -> OrderFields:
    lines = [a_line(quantity, line_id=str(7 + n), line_no=1 + n) for n, quantity in enumerate(quantities)]
    return an_order(*lines).model_copy(update=changes)


def test_a_line_that_goes_or_loses_its_quantity_is_cancelled() -> None:
    hub = Hub()
    hub.say(order("1", two_lines("3", "2", "1")))
    assert told(hub.say(order("1", two_lines("3", "2")))) == [("PoLineCancelled", ("9",))]
    assert told(hub.say(order("1", two_lines("3", "0")))) == [("PoLineCancelled", ("8",))]
    assert told(hub.say(order("1", two_lines("4", "0")))) == [("PoChanged", ())], "it is not cancelled twice"


def test_a_line_of_an_order_nobody_approved_is_edited_not_cancelled() -> None:
    hub = Hub()
    hub.say(order("1", two_lines("3", "2", approval_status=ApprovalStatus.DRAFT)))
    assert told(hub.say(order("1", two_lines("3", approval_status=ApprovalStatus.DRAFT)))) == [("PoChanged", ())]


def test_an_order_is_closed_and_opened_again() -> None:
    hub = Hub()
    hub.say(order("1", two_lines("3")))
    assert told(hub.say(order("1", two_lines("3", closed=True)))) == [("PoClosed", ())]
    assert told(hub.say(order("1", two_lines("4", closed=True)))) == [("PoChanged", ())]
    assert told(hub.say(order("1", two_lines("4")))) == [("PoReopened", ())]


def test_a_cancelled_order_is_closed_with_all_its_lines_and_approved_again() -> None:
    hub = Hub()
    hub.say(order("1", two_lines("3", "2")))
    cancelled = two_lines("3", "2", approval_status=ApprovalStatus.CANCELLED)
    assert told(hub.say(order("1", cancelled))) == [("PoClosed", ("7", "8"))]
    assert told(hub.say(order("1", two_lines("3", "2")))) == [("PoApproved", ())]


def test_an_order_closed_when_it_is_first_heard_of_is_approved_not_closed() -> None:
    assert told(Hub().say(order("1", two_lines("3", closed=True)))) == [("PoApproved", ())]


# ---- books and runs --------------------------------------------------------------------------------------------


def book_names(written: list[Outbound]) -> list[str]:
    return [v.name for v in named(written, "AssetBookChanged", "DepreciationScheduleReplaced")]


def replanned(report: BookReport, *amounts: tuple[int, str]) -> BookReport:
    """The report with other amounts in the lines of these months."""
    changed = dict(amounts)

    def line(of: ScheduleLine) -> ScheduleLine:
        amount = changed.get(of.date.month)
        return of if amount is None else of.model_copy(update={"depreciation": Decimal(amount)})

    lines = tuple(line(one) for one in report.fields.lines)
    return report.model_copy(update={"fields": report.fields.model_copy(update={"lines": lines})})


def with_a_book(*months: str) -> Hub:
    hub = Hub()
    assert book_names(hub.say(asset(ERP, "5", asset_number="A1"), book("5", posted=months))) == ["AssetBookChanged"]
    return hub


def test_posting_what_was_planned_replaces_no_schedule() -> None:
    assert book_names(with_a_book("01").say(book("5", posted=["01", "02"]))) == ["AssetBookChanged"]


def test_other_planned_lines_replace_the_schedule() -> None:
    hub = with_a_book("01")
    assert book_names(hub.say(replanned(book("5", posted=["01"]), (11, "90"), (12, "110")))) == [
        "DepreciationScheduleReplaced"
    ]


def test_planned_lines_that_go_replace_the_schedule_also_with_a_posting() -> None:
    hub = with_a_book("01")
    shorter = book("5", posted=["01", "02"])
    fields = shorter.fields.model_copy(update={"lines": shorter.fields.lines[:6]})
    assert book_names(hub.say(shorter.model_copy(update={"fields": fields}))) == ["DepreciationScheduleReplaced"]


def test_a_book_that_gets_its_first_schedule_changes() -> None:
    hub = Hub()
    hub.say(asset(ERP, "5", asset_number="A1"), book("5", lines=()))
    assert book_names(hub.say(book("5"))) == ["AssetBookChanged"]


def test_a_line_posted_at_another_amount_than_planned_replaces_nothing() -> None:
    hub = with_a_book("01")
    posted_otherwise = replanned(book("5", posted=["01", "02"]), (2, "99"))
    assert book_names(hub.say(posted_otherwise)) == ["AssetBookChanged"]


def test_the_status_of_a_run_is_told_once_and_its_completeness_by_itself() -> None:
    hub = estate_with_books(1)
    said = [
        run(1, "100.00", status=RunStatus.RUNNING),
        run(1, "100.00", status=RunStatus.FAILED, hours=1),
        run(1, "100.00", status=RunStatus.RUNNING, hours=2),
        run(1, "100.00", hours=3),
        run(1, "100.01", hours=4),
        run(1, "100.00", hours=5),
    ]
    events = [out.value for out in hub.say(*said, posted(0)) if out.topic == "depreciation.run.event.v1"]
    bodies = [(v.name, v.body) for v in events if isinstance(v, Typed) and isinstance(v.body, DepreciationRunEvent)]
    names = [name.removeprefix("DepreciationRun") for name, _ in bodies]
    assert names == ["Started", "Failed", "Started", "Posted", "Completed"]
    assert [body.accepted.changed_fields for _, body in bodies] == [("status",)] * 4 + [("completed",)]
    versions = [body.accepted.version for _, body in bodies]
    assert versions == sorted(set(versions))


def test_a_run_in_a_status_this_version_does_not_know_is_not_told() -> None:
    hub = estate_with_books(1)
    written = hub.say(run(1, "100.00", status=RunStatus.UNKNOWN))
    assert [out for out in written if out.topic == "depreciation.run.event.v1"] == []


# ---- conflicts -------------------------------------------------------------------------------------------------


def resolved(written: list[Outbound]) -> list[ConflictResolved]:
    return [v.body for v in named(written, "ConflictResolved") if isinstance(v.body, ConflictResolved)]


def later(report: AssetReport, hours: int) -> AssetReport:
    said = report.origin.model_copy(update={"recorded_at": NOW + dt.timedelta(hours=hours)})
    return report.model_copy(update={"origin": said})


def in_conflict() -> Hub:
    """The ERP says a place that is asset management's to say."""
    hub = Hub()
    hub.say(asset(AM, "9", serial_number="S", location="L1"), asset(ERP, "5", serial_number="S", location="L7"))
    assert len(named(hub.written, "ConflictFound")) == 1
    return hub


@pytest.mark.parametrize(
    ("end", "resolution", "standing"),
    [
        (later(asset(ERP, "5", serial_number="S", location="L1"), 1), ConflictResolution.AGREED, "L1"),
        (later(asset(AM, "9", serial_number="S", location="L7"), 1), ConflictResolution.TAKEN_OVER, "L7"),
        (later(asset(ERP, "5", deleted=True), 1), ConflictResolution.REMOVED, "L1"),
    ],
)
def test_the_end_of_a_conflict_is_told_once(end: AssetReport, resolution: ConflictResolution, standing: str) -> None:
    hub = in_conflict()
    [event] = resolved(hub.say(end))
    assert (event.field, event.system, event.resolution) == ("location", ERP, resolution)
    assert (event.standing_value, event.foreign_value) == (standing, "L7")
    assert event.recorded_at == NOW + dt.timedelta(hours=1)
    assert event.detected_at.date() == NOW.date()
    assert resolved(hub.say(end)) == []


def test_agreeing_where_nothing_stood_ends_nothing() -> None:
    hub = Hub()
    hub.say(asset(AM, "9", serial_number="S", location="L1"))
    assert resolved(hub.say(asset(ERP, "5", serial_number="S", location="L1"))) == []

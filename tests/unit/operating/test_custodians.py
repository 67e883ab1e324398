"""Things in the charge of somebody who has left."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import typer

from tieline.kernel.asset_records import AssetFields, AssetState, PhysicalStatus
from tieline.kernel.reference_records import ReferenceFields, ReferenceRecord, ReferenceState, ReferenceStatus
from tieline.operating.custodians import _day, list_orphans

TODAY = dt.date(2026, 11, 21)
YESTERDAY, TOMORROW = TODAY - dt.timedelta(days=1), TODAY + dt.timedelta(days=1)


def thing(number: str, custodian: str | None, *, merged_into: str | None = None, **fields: Any) -> AssetState:
    said = AssetFields(tag=f"T{number}", custodian=custodian, **fields)
    return AssetState(asset_id=number, version=1, fields=said, said_by={}, links={}, merged_into=merged_into)


def employee(code: str, *, company: str = "ACME", status: str = "ACTIVE", **days: Any) -> ReferenceState:
    fields = ReferenceFields(code=code, company=company, status=ReferenceStatus(status), **days)
    recorded_at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    record = ReferenceRecord(native_id=code, recorded_at=recorded_at, fields=fields)
    return ReferenceState(reference_id=f"{company}|{code}", version=1, origin_system="hris", records=(record,))


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (employee("p-1", valid_to=YESTERDAY), "left after 2026-11-20"),
        (employee("p-1", status="CLOSED"), "is closed"),
        (employee("p-1", status="LOCKED"), "is locked"),
        (employee("p-1", valid_from=TOMORROW), "has not begun"),
        (employee("p-2"), "no employee record"),
    ],
)
def test_f13_a_leavers_things_are_listed_with_the_reason(state: ReferenceState, why: str) -> None:
    [one] = list_orphans([thing("1", "p-1", location="L1"), thing("2", None)], [state], TODAY)
    assert (one.asset_id, one.tag, one.location, one.custodian, one.why) == ("1", "T1", "L1", "p-1", why)


@pytest.mark.parametrize("state", [employee("p-1"), employee("p-1", valid_to=TODAY), employee("p-1", company="OTHER")])
def test_f13_things_of_somebody_who_is_here_are_not_listed(state: ReferenceState) -> None:
    assert list_orphans([thing("1", "p-1")], [state], TODAY) == []


def test_f13_somebody_who_left_one_company_for_another_is_here() -> None:
    employees = [employee("p-1", valid_to=YESTERDAY), employee("p-1", company="OTHER", valid_from=TODAY)]
    assert list_orphans([thing("1", "p-1")], employees, TODAY) == []


@pytest.mark.parametrize(
    "gone",
    [
        thing("1", "p-1", physical_status=PhysicalStatus.RETIRED),
        thing("1", "p-1", disposal_date=TODAY),
        thing("1", "p-1", merged_into="2"),
    ],
)
def test_f13_what_is_gone_needs_no_custodian(gone: AssetState) -> None:
    assert list_orphans([gone], [], TODAY) == []
    assert len(list_orphans([thing("1", "p-1", disposal_date=TOMORROW)], [], TODAY)) == 1


def test_a_day_is_a_date() -> None:
    assert _day("2026-11-30") == dt.date(2026, 11, 30)
    with pytest.raises(typer.BadParameter, match="no date"):
        _day("30.11.2026")

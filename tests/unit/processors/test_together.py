"""Every family of reports in one estate: told again, told after a restart, told in vain, it all stays as it was."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.processors.bench import (
    AM,
    ERP,
    NOW,
    Hub,
    asset,
    book,
    cost,
    decided,
    euros,
    landscape,
    line,
    links,
)
from tests.unit.processors.movement_bench import HALVES, movement, other_half, reversal
from tests.unit.processors.test_acquisitions import bought, invoice, receipt
from tests.unit.processors.test_depreciation_runs import run
from tests.unit.processors.test_equipment import link
from tests.unit.processors.test_period_gate import period
from tests.unit.processors.test_references import record

from tieline.kernel.asset_records import PhysicalStatus
from tieline.kernel.landscape import Fiscal
from tieline.kernel.memory import PeriodHold
from tieline.kernel.reports import Report
from tieline.kernel.tables import Table
from tieline.kernel.vocabulary import Model

MARCH = dt.date(2026, 3, 17)
CACHES = {"_moved", "_progress", "_counted"}
"""What is looked at again after a start: see depreciation_runs.py, purchase_tracking.py and orders.py."""


def at(minutes: int, report: Any) -> Any:
    """The report as its system recorded it so many minutes after noon."""
    said = report.origin.model_copy(update={"recorded_at": NOW + dt.timedelta(minutes=minutes)})
    return report.model_copy(update={"origin": said})


def reports() -> list[Any]:
    """Of every family some, in the order in which they were recorded; March is closed, and so is CC3."""
    sale: dict[str, Any] = {"physical_status": PhysicalStatus.RETIRED, "disposal_date": MARCH}
    split: dict[str, Any] = {**HALVES, "kind": "SPLIT", "cost_change": "-100", "net_book_value_change": "-100"}
    given_ = movement("M1", clearing="-100", **split)
    impaired = movement("M3", kind="IMPAIRMENT", accumulated_change="10", net_book_value_change="-10", expense="10")
    said = [
        period(3, "closed"),
        record("CC1"),
        record("CC3", status="CLOSED"),
        record("OLD", native_id="77"),
        record("NEW", native_id="77"),  # the record's code was changed
        record("CC1", system=AM, name="foreign"),
        asset(ERP, "5", serial_number="S5", asset_number="FA5", company="ACME", acquisition_cost=euros("1200.00")),
        asset(ERP, "6", serial_number="S6", asset_number="FA6", company="ACME", cost_centre="CC1"),
        asset(AM, "9", serial_number="S5", location="L1", cost_centre="CC1"),
        asset(AM, "9", serial_number="S5", location="L2", cost_centre="CC3"),
        asset(AM, "10", serial_number="S10", company="ACME", location="L1"),
        asset(AM, "11", serial_number="S6", company="ACME", location="L7"),
        asset(ERP, "6", serial_number="S6", asset_number="FA6", company="ACME", location="L8", cost_centre="CC1"),
        book("5", ["01", "02"]),
        book("6", ["01"]),
        run(3, "300.00"),
        given_,
        other_half("M2", given_),
        impaired,
        reversal("M4", impaired),
        link("K1", "5", "10", share_part=1, share_whole=2),
        link("K2", "6", "10", share_part=1, share_whole=2),
        cost("WO1", "10", "33.33"),
        cost("WO2", "10", "-33.33", reversal_of="WO1"),
        cost("WO3", "9", effective_date=MARCH),
        asset(AM, "9", serial_number="S5", location="L3", cost_centre="CC1", **sale),
        asset(AM, "9", serial_number="S5", location="L4", cost_centre="CC1", **sale),
        asset(AM, "11", serial_number="S6", company="ACME", location="L9"),
        bought(),
        line(acquisition_cost=euros("1000.00"), description="bought"),
        receipt("R1", "2"),
        invoice("I1", "2", "2000.00"),
        asset(AM, "12", serial_number="S12", location="L5"),
        asset(AM, "12", serial_number="S12", location="L5", deleted=True),
        asset(ERP, "7", serial_number="S7", company="ACME", location="L1", cost_centre="CC1"),
        asset(AM, "13", company="ACME", location="L2", cost_centre="CC1"),
        asset(AM, "13", company="ACME", location="L3", cost_centre="CC3"),
        link("K3", "7", "13", share_whole=1),
        book("7", ["01"]),
        cost("WO4", "13", "50.00"),
    ]
    return [at(minutes, one) for minutes, one in enumerate(said)]


def everything(*, merged: bool = False) -> Hub:
    hub = Hub(landscape().model_copy(update={"fiscal": Fiscal.model_validate({"default_company": "ACME"})}))
    hub.say(*reports())
    assert hub.dead == []
    assert len(hub.rows(PeriodHold)) == 3
    if merged:
        hub.say(*(decided("MERGE", **pair) for pair in pairs(hub)))
        # What the record said as the other asset did is foreign to this one, and seen when it is said again.
        assert events(hub, *reports()) == ["ConflictFound"]
        assert hub.dead == []
    return hub


def pairs(hub: Hub) -> list[dict[str, str]]:
    """An asset and one of two records, of which only the ERP's moves; the ERP's and asset management's."""
    known = links(hub)
    return [
        {"canonical_id": known["unio24/asset/10"], "other_id": known["unio24/asset/11"]},
        {"canonical_id": known["tryton/asset/7"], "other_id": known["unio24/asset/13"]},
    ]


def events(hub: Hub, *said: Report) -> list[str]:
    """Names of the events that come of it."""
    found = hub.say(*said)
    return [getattr(out.value, "name", "") for out in found if ".event." in out.topic]


def kept(hub: Hub) -> dict[str, Any]:
    """What the processors know, their indexes included, as nested plain data without empty parts."""
    handlers = {name: stage.processor.handle.__self__ for name, stage in hub.stages.items()}  # type: ignore[attr-defined]
    # What route knows of an asset is what it needs of it, from the event or from the state, whichever came last.
    handlers["route"] = vars(handlers["route"])["_books_of"]
    return {name: anatomy(handler) for name, handler in handlers.items()}


def anatomy(part: object) -> object:
    match part:
        case Table():
            return dict(part.items())
        case dict():
            found = {key: anatomy(value) for key, value in part.items()}
            return {key: value for key, value in found.items() if value not in ({}, set(), [])}
        case set() | frozenset() | str() | int() | Decimal() | Model() | None:
            return part
        case list() | tuple():
            return [anatomy(one) for one in part]
        case _ if type(part).__module__.startswith("tieline.processors"):
            return anatomy({name: value for name, value in vars(part).items() if name not in CACHES})
        case _:
            return None


def restarted(hub: Hub, *, tail_first: bool) -> Hub:
    """Another hub that has read the tables' topics. Between partitions there is no order; of a key there is."""
    fresh = Hub(landscape().model_copy(update={"fiscal": Fiscal.model_validate({"default_company": "ACME"})}))
    for stage in fresh.stages.values():
        tables = {table.topic: table for table in (*stage.processor.tables, *stage.processor.followed)}
        for topic, table in tables.items():
            rows = [out for out in hub.written if out.topic == topic]
            first = {out.key: place for place, out in reversed(list(enumerate(rows)))}
            last = {out.key: place for place, out in enumerate(rows)}
            by = last if tail_first else first
            for out in sorted(rows, key=lambda out: by[out.key], reverse=tail_first):
                table.load(str(out.key), out.value.body if out.value is not None else None)  # type: ignore[union-attr]
    return fresh


# ---- told again ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("merged", [False, True], ids=["", "merged"])
def test_t02_everything_told_again_adds_no_event_and_nothing_waits_twice(*, merged: bool) -> None:
    hub = everything(merged=merged)
    waiting = hub.rows(PeriodHold)
    assert events(hub, *reports()) == []
    assert hub.rows(PeriodHold) == waiting
    assert hub.dead == []


@settings(max_examples=30, deadline=None)
@given(places=st.lists(st.integers(0, len(reports()) - 1), max_size=25))
def test_t02_any_of_it_told_again_in_any_order_adds_no_event(places: list[int]) -> None:
    hub, said = everything(merged=True), reports()
    assert events(hub, *(said[place] for place in places)) == []


# ---- told after a restart --------------------------------------------------------------------------------------


@pytest.mark.parametrize("tail_first", [False, True])
@pytest.mark.parametrize("merged", [False, True], ids=["", "merged"])
def test_a_restart_knows_all_that_was_known(*, merged: bool, tail_first: bool) -> None:
    hub = everything(merged=merged)
    assert kept(restarted(hub, tail_first=tail_first)) == kept(hub)


def test_a_restart_knows_where_what_moved_stands_now() -> None:
    hub = everything()
    apart = pairs(hub)
    for action in ("MERGE", "UNMERGE"):
        hub.say(*(decided(action, **pair) for pair in apart))
    assert hub.dead == []
    assert kept(restarted(hub, tail_first=True)) == kept(hub)


# ---- told in vain ----------------------------------------------------------------------------------------------

WRONG: dict[str, Callable[[], Any]] = {
    "book": lambda: book("5", ["01"], gross_cost=Decimal(7)),
    "movement": lambda: movement("M9", kind="IMPAIRMENT", net_book_value_change="-10"),
    "movement changed": lambda: movement("M3", kind="LIFE_CHANGE"),
    "cost": lambda: cost("WO9", "9", total=Decimal(1)),
    "reversal": lambda: cost("WO9", "9", "-1.00", reversal_of="WO1"),
    "link": lambda: link("K9", "5", "10", share_part=2, share_whole=3),
    "order": lambda: bought(net="1.00").model_copy(
        update={"fields": bought().fields.model_copy(update={"net_total": Decimal(5)})}
    ),
    "period": lambda: period(3, "open", first_date=dt.date(2026, 3, 2)),
    "asset": lambda: asset("nobody", "1", serial_number="S1"),
}


@pytest.mark.parametrize("wrong", sorted(WRONG))
def test_what_is_rejected_leaves_no_trace_in_what_accept_knows(wrong: str) -> None:
    hub = everything()
    before = kept(hub)["accept"]
    hub.say(at(999, WRONG[wrong]()))
    assert len(hub.dead) == 1
    assert kept(hub)["accept"] == before

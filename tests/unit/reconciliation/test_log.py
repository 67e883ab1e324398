"""What every ``Log`` promises. A further implementation joins by another ``harness`` parameter in this file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tieline.kernel.clock import utc_now
from tieline.kernel.errors import Stop
from tieline.kernel.memory import RunRequested
from tieline.kernel.records import Outbound, Typed
from tieline.reconciliation.cut import Log

if TYPE_CHECKING:
    from tests.unit.reconciliation.conftest import MemoryLog

EVENTS = "recon.run.event.v1"  # one partition, RunRequested allowed
TABLE = "observed.tryton.record.state.v1"


@dataclass(frozen=True)
class Harness:
    """A log, and the hands that fill it: ``publish`` is one transaction, ``commit`` moves a consumer's position."""

    log: Log
    publish: Callable[[Sequence[Outbound]], None]
    commit: Callable[[str, Mapping[str, int]], None]


@pytest.fixture(params=["memory"])
def harness(request: pytest.FixtureRequest, memory_log: MemoryLog) -> Harness:
    assert request.param == "memory"
    memory_log.create(EVENTS, 1)
    return Harness(memory_log, memory_log.publish, memory_log.commit)


def event(run_id: str) -> Outbound:
    body = RunRequested(run_id=run_id, systems=("tryton",), requested_at=utc_now())
    return Outbound(EVENTS, run_id, Typed("RunRequested", body))


def ids(harness: Harness, start: int, limit: int | None = None) -> list[str]:
    records = harness.log.read_from({f"{EVENTS}/0": start}, limit=limit)
    return [r.value.body.run_id for r in records if r.value and isinstance(r.value.body, RunRequested)]


def test_an_empty_topic_has_an_end_and_no_records(harness: Harness) -> None:
    assert harness.log.end_offsets([EVENTS]) == {f"{EVENTS}/0": 0}
    assert harness.log.read_from({f"{EVENTS}/0": 0}) == []
    assert harness.log.read_table(EVENTS) == {}


def test_records_are_read_in_order_from_a_position_on(harness: Harness) -> None:
    harness.publish([event("one"), event("two")])
    middle = harness.log.end_offsets([EVENTS])[f"{EVENTS}/0"]
    harness.publish([event("three")])
    assert ids(harness, 0) == ["one", "two", "three"]
    assert ids(harness, middle) == ["three"]
    assert ids(harness, 0, limit=1) == ["one"]


def test_behind_the_last_record_there_may_be_offsets_without_records(harness: Harness) -> None:
    harness.publish([event("one")])
    end = harness.log.end_offsets([EVENTS])[f"{EVENTS}/0"]
    last = harness.log.read_from({f"{EVENTS}/0": 0})[-1].offset
    assert end == last + 2  # the transaction's marker
    assert harness.log.read_from({f"{EVENTS}/0": last + 1}) == []
    assert harness.log.read_from({f"{EVENTS}/0": end}) == []


def test_a_table_has_the_last_record_of_each_key_at_its_place(harness: Harness) -> None:
    harness.publish([event("one"), event("two")])
    harness.publish([event("one")])
    table = harness.log.read_table(EVENTS)
    assert set(table) == {"one", "two"}
    last = harness.log.read_from({f"{EVENTS}/0": 0})[-1]
    assert (table["one"].partition, table["one"].offset) == (last.partition, last.offset)
    assert table["two"].value is not None


def test_a_tombstone_ends_a_row(harness: Harness) -> None:
    harness.publish([event("one")])
    harness.publish([Outbound(EVENTS, "one", None)])
    row = harness.log.read_table(EVENTS).get("one")
    assert row is None or row.value is None


def test_a_consumer_that_never_committed_stands_at_nought(harness: Harness) -> None:
    assert harness.log.committed("accept", [EVENTS]) == {f"{EVENTS}/0": 0}
    harness.publish([event("one")])
    harness.commit("accept", {f"{EVENTS}/0": 1})
    assert harness.log.committed("accept", [EVENTS]) == {f"{EVENTS}/0": 1}
    assert harness.log.committed("route", [EVENTS]) == {f"{EVENTS}/0": 0}


def test_a_topic_that_does_not_exist_stops(harness: Harness) -> None:
    with pytest.raises(Stop, match=r"no\.such"):
        harness.log.end_offsets(["no.such"])

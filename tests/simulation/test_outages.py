"""A target that is out: it is asked now and then by one command, nothing is buried, and all of it arrives in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from tests.simulation.estate import AM, ERP, Estate, estate
from tests.simulation.test_simulation import a_cost, check, thing

from tieline.kernel.asset_records import PhysicalStatus
from tieline.kernel.calling import LANES
from tieline.kernel.command_records import WriteAsset
from tieline.kernel.errors import OutcomeUnknown
from tieline.kernel.producing import Writer
from tieline.kernel.protocols import Written
from tieline.kernel.records import Outbound, Typed
from tieline.kernel.vocabulary import Dispatch

OUTAGE_SECS = 900.0
BEGINS_SECS, ENDS_SECS = 60.0, 60.0 + OUTAGE_SECS
THINGS = 40


def test_an_outage_of_a_quarter_of_an_hour_costs_one_question_a_pause_and_no_record() -> None:
    with estate(1) as hub:
        hub.trouble.on = False
        asked: list[float] = []
        began = hub.time.monotonic() + 60.0

        def fate(kind: str) -> str:
            now = hub.time.monotonic()
            if kind != "write" or not began <= now < began + OUTAGE_SECS:
                return "ok"
            asked.append(now)
            return "out"

        hub.systems[ERP].fate = fate
        for number in range(THINGS):
            hub.systems[AM].create(thing(number).model_copy(update={"physical_status": PhysicalStatus.IN_SERVICE}))
        hub.time.sleep(60.0)
        hub.rest()
        check(hub)
        assert asked, "the outage was not met"
        assert len(asked) <= LANES + 5 + OUTAGE_SECS / 10
        paused = [event for event, _ in hub.notes.seen if event in {"target-paused", "target-resumed"}]
        assert paused[-1] == "target-resumed"
        assert paused.count("target-resumed") == 1


@dataclass
class Work:
    """Commands for the ERP, each of a thing of its own, that keep coming while the ERP is out."""

    hub: Estate
    burst: int
    every_secs: float
    until_secs: float
    offered: int = 0
    asked_secs: list[float] = field(default_factory=list)
    """When the ERP was asked anything while it was out: writes, and what became of them."""
    paused_secs: float = 0.0

    def come(self) -> None:
        """What has come by now."""
        now_secs = self.hub.time.monotonic()
        due = self.burst * (1 + int(min(now_secs, self.until_secs) / self.every_secs))
        while self.offered < due:
            self._offer(self.offered)
            self.offered += 1
        if not self.paused_secs and self.hub.metrics.value("tieline_target_paused", target=ERP) == 1.0:
            self.paused_secs = now_secs

    def fate(self, outage: str) -> Callable[[str], str]:
        """``outage`` while the ERP is out; what it is told goes well before and after."""

        def decide(_: str) -> str:
            now_secs = self.hub.time.monotonic()
            if not BEGINS_SECS <= now_secs < ENDS_SECS:
                return "ok"
            self.asked_secs.append(now_secs)
            return outage

        return decide

    def _offer(self, number: int) -> None:
        name = f"a{number}"
        body = WriteAsset(
            dispatch=Dispatch(command_id=f"{ERP}/asset/{name}/1", target=ERP, version=1),
            asset_id=name,
            fields=thing(number),
            writable_fields=(),
        )
        producer = self.hub.log.open_producer({"transactional.id": "route"})
        producer.init_transactions(1.0)
        producer.begin_transaction()
        writer = Writer("route", self.hub.codec, self.hub.log.partitions, self.hub.time.now)
        outbound = Outbound(f"sink.{ERP}.command.v1", name, Typed("WriteAsset", body))
        writer.write(cast("Any", producer), outbound, None, 0)
        producer.commit_transaction(1.0)


@pytest.mark.parametrize("outage", ["out", "lost"])
def test_a_quarter_of_an_hour_of_load_on_a_target_that_is_out_costs_it_a_tenth_more(outage: str) -> None:
    with estate(1) as hub:
        hub.trouble.on = False
        work = Work(hub, burst=5, every_secs=5.0, until_secs=1200.0)
        hub.systems[ERP].fate = work.fate(outage)
        hub.time.meanwhile = work.come
        while hub.time.monotonic() < 1300.0:
            hub.step(f"sink-{ERP}")
        assert work.offered == 1205
        assert work.asked_secs, "the outage was not met"
        assert len(work.asked_secs) <= 0.1 * OUTAGE_SECS  # one a second was offered meanwhile
        assert work.paused_secs - work.asked_secs[0] <= 5.0
        created = Counter(effect.hub_id for effect in hub.systems[ERP].journal)
        assert created == Counter({f"a{number}": 1 for number in range(1205)})
        assert [m.at for m in hub.log.all_of(f"hub.sink-{ERP}.dead-letter.v1")] == []
        assert hub.metrics.value("tieline_target_paused", target=ERP) == 0.0


def test_a_poisoned_record_neither_pauses_the_target_nor_stops_the_others() -> None:
    with estate(1) as hub:
        hub.trouble.on = False
        work = Work(hub, burst=5, every_secs=5.0, until_secs=100.0)
        erp = hub.systems[ERP]
        write = erp.write_asset

        def refuse(command: WriteAsset, native_id: str | None) -> Written:
            if command.asset_id == "a7":
                raise OutcomeUnknown("HTTP 500")
            return write(command, native_id)

        hub.time.meanwhile = work.come
        erp.write_asset = refuse  # type: ignore[method-assign]  # the ERP's own fault, for one record
        while hub.time.monotonic() < 150.0:
            hub.step(f"sink-{ERP}")
        assert {effect.hub_id for effect in erp.journal} == {f"a{n}" for n in range(105)} - {"a7"}
        assert work.paused_secs == 0.0
        letters = hub.log.all_of(f"hub.sink-{ERP}.dead-letter.v1")
        assert [(letter.key() or b"").decode() for letter in letters] == ["a7"]


def test_what_was_sent_before_an_outage_is_looked_for_after_it() -> None:
    with estate(1) as hub:
        hub.trouble.on = False
        am, erp = hub.systems[AM], hub.systems[ERP]
        native_id = am.create(thing(0).model_copy(update={"physical_status": PhysicalStatus.IN_SERVICE}))
        hub.rest()
        # The document is posted, its answer is lost, and before it can be looked for the ERP goes down.
        ahead = ["unanswered", "out", "out"]

        def fate(kind: str) -> str:
            has_begun = len(ahead) < 3 or kind == "write"
            return ahead.pop(0) if ahead and has_begun else "ok"

        erp.fate = fate
        am.enter_cost(a_cost(native_id, "12.34"))
        hub.rest()
        assert ahead == [], "the outage was not met"
        check(hub)

"""A target that is out: it is asked now and then by one command, nothing is buried, and all of it arrives in order."""

from __future__ import annotations

from tests.simulation.estate import AM, ERP, estate
from tests.simulation.test_simulation import a_cost, check, thing

from tieline.kernel.delivering import LANES
from tieline.kernel.model import PhysicalStatus

OUTAGE_SECS = 900.0
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

"""The effect state machine, exhaustively: every step of a delivery, every outcome of the call, one effect each.

At every single step the process dies, or a commit's answer is lost; the target's journal is the witness.
"""

from __future__ import annotations

import pytest
from tests.simulation.estate import AM, ERP, FATES, Estate, estate, lost_answer
from tests.simulation.log import Killed
from tests.simulation.test_simulation import a_cost, check, thing

from tieline.kernel.asset_records import PhysicalStatus

OUTCOMES = ("ok", *FATES)
ACCIDENTS = ("killed", "lost answer")


class Accident:
    """One accident, at the n-th step of the sink; without a number it only counts the steps."""

    def __init__(self, kind: str, at: int | None) -> None:
        self._kind = kind
        self._at = at
        self.steps: list[str] = []

    def __call__(self, label: str) -> None:
        if not label.startswith((f"sink-{ERP}:", f"{ERP}:write", f"{ERP}:read:")):
            return
        self.steps.append(label)
        if len(self.steps) - 1 != self._at:
            return
        raise Killed(label) if self._kind == "killed" else lost_answer(label)


def deliver(hub: Estate, outcome: str, accident: Accident) -> None:
    """A record is created in the ERP, changed there, and gets a cost document; the first call ends in ``outcome``."""
    am = hub.systems[AM]
    hub.trouble.fates = []
    hub.trouble.aim = lambda _: None
    native_id = am.create(thing(0).model_copy(update={"physical_status": PhysicalStatus.IN_SERVICE}))
    for name in (f"source-{AM}", "identify", "accept", "route"):
        hub.step(name)
        hub.step(name)
    hub.trouble.aim, hub.trouble.fates = accident, [outcome, outcome]
    hub.step(f"sink-{ERP}")
    hub.rest()
    am.edit(native_id, location="L9")
    am.enter_cost(a_cost(native_id, "12.34"))
    hub.rest()
    check(hub)


@pytest.mark.parametrize("kind", ACCIDENTS)
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_step_and_every_outcome_of_the_call_leave_one_effect(outcome: str, kind: str) -> None:
    with estate(1) as quiet:
        counted = Accident(kind, None)
        deliver(quiet, outcome, counted)
    assert len(counted.steps) > 8, "the steps were not seen"
    for step, label in enumerate(counted.steps):
        if kind == "lost answer" and not label.endswith("commit"):
            continue
        with estate(1) as hub:
            deliver(hub, outcome, Accident(kind, step))

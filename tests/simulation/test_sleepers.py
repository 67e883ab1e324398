"""A sink that stands still between two calls of one effect: whoever took over meanwhile is not written over."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import pytest
from tests.simulation.estate import AM, ERP, Estate, estate
from tests.simulation.systems import Api
from tests.simulation.test_quotas import SINK, runtime_of
from tests.simulation.test_simulation import check, thing
from tests.simulation.test_zombies import work_for

from tieline.connectors.kit.governor import Governor
from tieline.kernel.asset_records import PhysicalStatus
from tieline.kernel.command_records import Command
from tieline.kernel.delivering import DeliveryLoop
from tieline.kernel.errors import Stop
from tieline.kernel.protocols import Written
from tieline.kernel.quotas import UNLIMITED
from tieline.kernel.wakefulness import STILL_SECS


@dataclass
class Steps:
    """What becomes of the calls of all copies of the sink. ``between`` comes once, after an effect's first call."""

    between: Callable[[], None] = lambda: None
    call_secs: float = 0.0
    writes_first: bool = False
    came: int = 0
    read_back: int = 0
    written: list[str] = field(default_factory=list)


@dataclass
class TwoSteps:
    """A sink each of whose effects is two calls, of which the target knows no condition: looking, then writing.

    With ``writes_first`` the effect comes with the first, and the second is what else belongs to it.
    """

    governor: Governor
    api: Api
    steps: Steps

    async def write(self, command: Command, native_id: str | None) -> Written:
        """See ``Sink``."""
        written = await self._call(command, native_id, writes=self.steps.writes_first)
        self.steps.came += 1
        if self.steps.came == 1:
            self.steps.between()
        return await self._call(command, native_id, writes=not self.steps.writes_first) or written or Written("")

    async def read_back(self, command: Command, native_id: str | None) -> Written | None:
        """See ``Sink``."""
        self.steps.read_back += 1
        async with self.governor.slot():
            return await self.api.read_back(command, native_id)

    async def _call(self, command: Command, native_id: str | None, *, writes: bool) -> Written | None:
        async with self.governor.slot():
            await asyncio.sleep(self.steps.call_secs)
            if not writes:
                return None
            self.steps.written.append(command.dispatch.command_id)
            return await self.api.write(command, native_id)


def put_sink(hub: Estate, steps: Steps) -> None:
    """Each copy of the sink has a governor of its own, as each process has."""
    time, system, runtime = hub.time, hub.systems[ERP], runtime_of(hub)

    def make() -> DeliveryLoop:
        governor = Governor("erp", UNLIMITED, most_concurrent=64, clock=time.now, monotonic=time.monotonic)
        return DeliveryLoop(ERP, TwoSteps(governor, Api(system), steps), runtime)

    hub.make = {**hub.make, SINK: make}


def begin(hub: Estate, steps: Steps) -> str:
    """An asset whose first version is delivered, and whose next one has come as far as the sink."""
    hub.trouble.on = False
    hub.trouble.fates = []
    am = hub.systems[AM]
    native_id = am.create(thing(0).model_copy(update={"physical_status": PhysicalStatus.IN_SERVICE}))
    hub.rest()
    hub.running.pop(SINK)
    put_sink(hub, steps)
    am.edit(native_id, location="OLD")
    work_for(hub, SINK)
    return native_id


def meanwhile(work: Callable[[], None]) -> None:
    """While the caller's event loop stands still, others' go on."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def step_on(hub: Estate) -> None:
    for _ in range(5):
        hub.step(SINK)


def location(hub: Estate) -> str | None:
    held = {record.fields.serial_number: record.fields.location for record in hub.systems[ERP].records.values()}
    return held["S0"]


def test_a_sink_that_slept_between_its_calls_and_was_replaced_writes_nothing_more() -> None:
    with estate(1) as hub:
        steps = Steps()
        native_id = begin(hub, steps)
        slept: list[float] = []

        def sleep() -> None:
            zombie, before = hub.running.pop(SINK), hub.time.monotonic()
            hub.systems[AM].edit(native_id, location="NEW")
            hub.rest()
            assert location(hub) == "NEW"
            hub.running[SINK] = zombie
            slept.append(hub.time.monotonic() - before)

        steps.between = partial(meanwhile, sleep)
        with pytest.raises(Stop, match="another copy"):
            step_on(hub)
        assert slept[0] > STILL_SECS
        assert location(hub) == "NEW"
        del hub.running[SINK]
        hub.rest()
        check(hub)


@pytest.mark.parametrize("writes_first", [False, True])
def test_a_sink_that_slept_and_was_not_replaced_reads_back_and_does_what_is_left(*, writes_first: bool) -> None:
    with estate(1) as hub:
        steps = Steps(writes_first=writes_first)
        begin(hub, steps)
        steps.between = lambda: hub.time.sleep(60.0)
        hub.rest()
        assert steps.read_back >= 1
        assert len(set(steps.written)) == len(steps.written), "each was written once"
        assert location(hub) == "OLD"
        assert not [event for event, _ in hub.notes.seen if event in {"target-paused", "key-parked"}]
        check(hub)


def test_a_target_whose_calls_take_long_is_no_sleep() -> None:
    with estate(1) as hub:
        steps = Steps(call_secs=2 * STILL_SECS)
        begin(hub, steps)
        hub.rest()
        assert steps.read_back == 0
        assert len(set(steps.written)) == len(steps.written), "each was written once"
        assert location(hub) == "OLD"
        check(hub)

"""The hub over systems that allow few calls: nothing is exceeded, everything arrives, and each call says why it is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import cast

from tests.simulation.estate import AM, ERP, Estate, estate
from tests.simulation.systems import Api
from tests.simulation.test_simulation import check, thing

from tieline.connectors.kit.governor import Governor
from tieline.kernel.asset_records import PhysicalStatus
from tieline.kernel.calling import FRESH_SECS
from tieline.kernel.capturing import SourceLoop
from tieline.kernel.command_records import Command, RemoveRecord
from tieline.kernel.consuming import Runtime
from tieline.kernel.delivering import DeliveryLoop
from tieline.kernel.errands import Priority, current_errand
from tieline.kernel.lanes import Task
from tieline.kernel.protocols import Page, RawItem, Written
from tieline.kernel.quotas import Allowance, Quota, Rate
from tieline.kernel.records import Inbound
from tieline.kernel.vocabulary import Dispatch

CALLS, STRETCH_SECS = 12, 60.0
SINK = f"sink-{ERP}"
RECORD = Inbound(f"sink.{ERP}.command.v1", 0, 0, b"a", b"")


@dataclass
class Governed:
    """A sink each of whose requests is two calls that a governor shares out."""

    hub: Estate
    governor: Governor
    api: Api
    began: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    told: list[Priority] = field(default_factory=list)
    confirmed_at: float = 0.0
    ages: list[float] = field(default_factory=list)

    async def write(self, command: Command, native_id: str | None) -> Written:
        """See ``Sink``."""
        await self._call(first=True)
        await self._call()
        return await self.api.write(command, native_id)

    async def read_back(self, command: Command, native_id: str | None) -> Written | None:
        """See ``Sink``."""
        await self._call()
        return await self.api.read_back(command, native_id)

    async def _call(self, *, first: bool = False) -> None:
        async with self.governor.slot():
            self.began.append(self.hub.time.monotonic())
            self.ages.append(self.hub.metrics.value("tieline_turn_age_seconds", consumer=SINK) or 0.0)
            self.told.append(current_errand().priority)
            if first:
                self.late.append(self.began[-1] - self.confirmed_at)

    def note(self, label: str) -> None:
        """See ``Trouble.aim``."""
        if label == f"{SINK}:after-commit":
            self.confirmed_at = self.hub.time.monotonic()


def runtime_of(hub: Estate) -> Runtime:
    return cast("Runtime", cast("partial[object]", hub.make[SINK]).args[-1])


def test_a_sink_that_may_call_seldom_delivers_all_and_begins_nothing_it_may_have_lost_the_right_to() -> None:
    with estate(1) as hub:
        hub.trouble.on = False
        allowance = Allowance(rates=(Rate(calls=CALLS, per_secs=STRETCH_SECS),), account=Quota(reserve_percent=0))
        time = hub.time
        governor = Governor("erp", allowance, most_concurrent=64, clock=time.now, monotonic=time.monotonic)
        governed = Governed(hub, governor, Api(hub.systems[ERP]))
        hub.trouble.aim = governed.note
        hub.make = {**hub.make, SINK: partial(DeliveryLoop, ERP, governed, runtime_of(hub))}
        for number in range(40):
            hub.systems[AM].create(thing(number).model_copy(update={"physical_status": PhysicalStatus.IN_SERVICE}))
        hub.rest()
        check(hub)
        assert len(governed.late) == 40, "each was written once"
        assert max(governed.late) <= FRESH_SECS  # nobody knows after that who has taken over
        for at in governed.began:
            assert sum(1 for other in governed.began if at - STRETCH_SECS < other - 1e-6 <= at) <= CALLS
        assert max(governed.ages) < STRETCH_SECS, "a slow target is no silent process"
        assert set(governed.told) == {Priority.LIVE}
        assert not [event for event, _ in hub.notes.seen if event == "target-paused"]


@dataclass
class Listening:
    """A source that notes why it is read."""

    api: Api
    told: list[tuple[str, Priority]] = field(default_factory=list)

    async def read_changes(self, position: Mapping[str, str], limit: int) -> Page:
        """See ``Source``."""
        self.told.append(("changes", current_errand().priority))
        page = await self.api.read_changes(position, 2)
        return replace(page, more=len(page.items) == min(limit, 2))

    async def read_one(self, stream: str, native_id: str) -> RawItem | None:
        """See ``Source``."""
        self.told.append(("one", current_errand().priority))
        return await self.api.read_one(stream, native_id)

    async def read_all(self, stream: str) -> AsyncIterator[RawItem]:
        """See ``Source``."""
        self.told.append(("all", current_errand().priority))
        yield RawItem(stream, "1", b"")


def test_a_source_says_whether_it_loads_polls_follows_a_webhook_or_reads_all_back() -> None:
    with estate(1) as hub:
        hub.trouble.on = False
        listening = Listening(Api(hub.systems[AM]))
        connector = replace(listening.api.connector(), source=listening)
        loop = SourceLoop(AM, connector, 1.0, runtime_of(hub))
        created = [hub.systems[AM].create(thing(number)) for number in range(5)]
        loop.start()
        loop.run_once(0.0)
        assert listening.told == [("changes", Priority.BACKFILL)] * 3, "the first read, to its end"
        listening.told.clear()
        loop.webhooks.put(("assets", created[0]))
        hub.time.sleep(2.0)
        loop.run_once(0.0)
        assert listening.told == [("changes", Priority.POLLING), ("one", Priority.LIVE)]
        listening.told.clear()
        loop._observer._run(anext(listening.read_all("assets")))
        assert listening.told == [("all", Priority.BACKFILL)]


def test_a_repair_goes_behind_what_just_changed() -> None:
    with estate(1) as hub:
        told: list[Priority] = []

        class Deaf:
            async def write(self, command: Command, native_id: str | None) -> Written:
                del command, native_id
                told.append(current_errand().priority)
                return Written("1")

            async def read_back(self, command: Command, native_id: str | None) -> Written | None:
                raise NotImplementedError

        sink = DeliveryLoop(ERP, Deaf(), runtime_of(hub))
        sink._calls.vouch(hub.time.monotonic())
        for repair_id in (None, "repair-1"):
            dispatch = Dispatch(command_id="c", target=ERP, version=1, repair_id=repair_id)
            command = RemoveRecord(dispatch=dispatch, entity="asset", record_id="a", native_id="1")
            sink._calls.begin([Task(RECORD, command)])
            sink._calls.wait(1.0)
        assert told == [Priority.LIVE, Priority.REPAIR]

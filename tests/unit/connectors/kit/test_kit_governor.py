"""The governor: no flow, no priority and no burst exceeds what one process may call of an account (T34)."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Sequence

import httpx
import pytest
from tests.simulation.virtual_time import START, VirtualLoop, VirtualTime

from tieline.connectors.kit.governor import Governor
from tieline.connectors.kit.throttling import Answer, Throttled, find_throttling
from tieline.kernel.errands import NotBegun, Priority, current_errand, errand
from tieline.kernel.errors import Unavailable
from tieline.kernel.quotas import UNLIMITED, Allowance, Caller, DailyPool, Quota, Rate, allowance_of

NOW = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)
LIVE, REPAIR, BACKFILL, POLLING = Priority


class World:
    """One account in virtual time: who called when, and what the governor told."""

    def __init__(self, allowance: Allowance = UNLIMITED, most_concurrent: int = 64) -> None:
        self.time = VirtualTime()
        self.loop = VirtualLoop(self.time)
        self.governor = Governor(
            "A", allowance, most_concurrent=most_concurrent, clock=self.time.now, monotonic=self.time.monotonic
        )
        self.began: list[float] = []
        self.ended: list[float] = []
        self.order: list[Priority] = []
        self.waits: list[tuple[Priority, float]] = []
        self.throttles = 0
        self.governor.report_to(self)

    def restart(self, allowance: Allowance) -> None:
        """Another process takes the place of the one before, and knows nothing of it."""
        self.governor = Governor("A", allowance, most_concurrent=64, clock=self.time.now, monotonic=self.time.monotonic)

    def waited(self, priority: Priority, secs: float) -> None:
        self.waits.append((priority, secs))

    def throttled(self) -> None:
        self.throttles += 1

    @property
    def now(self) -> float:
        return self.time.monotonic()

    def run(self, work: Awaitable[object]) -> None:
        async def main() -> None:
            await work

        try:
            self.loop.run_until_complete(main())
            assert [task for task in asyncio.all_tasks(self.loop) if not task.cancelling()] == [], "an alarm rings on"
        finally:
            self.loop.close()

    async def call(self, priority: Priority, secs: float = 0.1) -> float:
        """One call that takes so long; how long it waited for its turn."""
        asked = self.now
        with errand(priority):
            async with self.governor.slot():
                began = self.now
                self.began.append(began)
                self.order.append(priority)
                await asyncio.sleep(secs)
        self.ended.append(self.now)
        return began - asked

    async def load(self, priority: Priority, calls: int, lanes: int, secs: float = 0.1) -> None:
        """So many calls, so many at a time; what is turned away is tried again after the time that was said."""
        todo = iter(range(calls))

        async def lane() -> None:
            for _ in todo:
                while True:
                    try:
                        await self.call(priority, secs)
                        break
                    except Unavailable as error:
                        await asyncio.sleep(error.retry_after_secs or 1.0)

        async with asyncio.TaskGroup() as group:
            for _ in range(lanes):
                group.create_task(lane())


def most_within(begun: Sequence[float], secs: float) -> int:
    """Most calls that began in any stretch of this length, its end not counted."""
    most = first = 0
    for last, at in enumerate(begun):
        while begun[first] <= at - secs + 1e-6:
            first += 1
        most = max(most, last - first + 1)
    return most


def most_at_once(began: Sequence[float], ended: Sequence[float]) -> int:
    moves = sorted([(at, 1) for at in began] + [(at, -1) for at in ended])
    under_way = most = 0
    for _, step in moves:  # at one moment those that end come first
        under_way += step
        most = max(most, under_way)
    return most


def per_minute(calls: int) -> Allowance:
    return Allowance(rates=(Rate(calls=calls, per_secs=60),), account=Quota(reserve_percent=0))


# ---- bulk beside live ----------------------------------------------------------------------------------------------


def test_t34_fifty_thousand_calls_never_exceed_120_in_any_minute_and_live_calls_wait_for_none_of_them() -> None:
    world = World(per_minute(120))
    live: list[float] = []

    async def people() -> None:
        for number in range(200):
            await asyncio.sleep(97 + number % 7)
            live.append(await world.call(LIVE))

    async def both() -> None:
        await asyncio.gather(world.load(BACKFILL, 50_000, lanes=4), people())

    world.run(both())
    assert len(world.began) == 50_200
    assert most_within(world.began, 60) == 120 - 12 + 1, "a tenth is free for live calls, of which one came at a time"
    assert max(live) == 0.0
    assert world.now < 50_000 / 108 * 60 + 120, "and nothing of the rest is left unused"


def test_t34_five_at_a_time_are_never_exceeded_and_a_live_call_waits_for_one_call_at_most() -> None:
    world = World(Allowance(concurrent=5), most_concurrent=64)
    live: list[float] = []

    async def people() -> None:
        for _ in range(150):
            await asyncio.sleep(9.7)
            live.append(await world.call(LIVE, 2.0))

    async def both() -> None:
        await asyncio.gather(world.load(POLLING, 5_000, lanes=16, secs=2.0), people())

    world.run(both())
    assert most_at_once(world.began, world.ended) == 5
    assert max(live) <= 2.0
    assert len(world.began) == 5_150
    assert world.now == pytest.approx(5_150 * 2.0 / 5, rel=0.01)


def test_a_burst_of_live_calls_gets_what_the_bulk_load_leaves_free_at_once() -> None:
    world = World(per_minute(120))
    waits: list[float] = []

    async def burst() -> None:
        await asyncio.sleep(330)
        waits.extend(await asyncio.gather(*(world.call(LIVE) for _ in range(30))))

    async def both() -> None:
        await asyncio.gather(world.load(BACKFILL, 1_000, lanes=4), burst())

    world.run(both())
    assert waits[:12] == [0.0] * 12
    assert max(waits) < 30 * 60 / 108, "then each call that becomes free is a live one"
    assert most_within(world.began, 60) == 120


def test_a_load_that_is_turned_away_goes_on_when_the_day_begins_anew() -> None:
    daily = DailyPool(calls=100, resets_at="00:00")
    world = World(Allowance(daily=daily, account=Quota(reserve_percent=0)))
    world.run(world.load(BACKFILL, 250, lanes=3))
    days = [(world.time.now() - dt.timedelta(seconds=world.now - at)).date().isoformat() for at in world.began]
    # It began at 08:00: a third of the day counts as called. A tenth of each day is left for live calls.
    assert {day: days.count(day) for day in sorted(set(days))} == {
        "2026-03-02": 56,
        "2026-03-03": 90,
        "2026-03-04": 90,
        "2026-03-05": 14,
    }


def test_no_priority_starves_under_a_flood_of_live_calls() -> None:
    world = World(Allowance(concurrent=1))

    async def all_at_once() -> None:
        await asyncio.gather(*(world.load(priority, 700, lanes=4) for priority in Priority))

    world.run(all_at_once())
    first = world.order[: 64 + 16 + 4 + 1]
    assert [first.count(priority) for priority in Priority] == pytest.approx([64, 16, 4, 1], abs=1)
    assert len(world.order) == 2_800


def test_a_rate_that_live_calls_use_up_leaves_the_others_their_turns() -> None:
    world = World(per_minute(60))
    polls: list[float] = []

    async def poll() -> None:
        polls.extend([await world.call(POLLING) for _ in range(5)])

    async def both() -> None:
        await asyncio.gather(world.load(LIVE, 600, lanes=8), poll())

    world.run(both())
    assert len(polls) == 5
    assert most_within(world.began, 60) == 60


# ---- after a start -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("reserve_percent", "first_minute"), [(20, 13), (50, 35), (0, 0)])
def test_a_process_that_follows_one_that_called_its_whole_part_keeps_the_account_within_its_limit(
    reserve_percent: int, first_minute: int
) -> None:
    quota = Quota(rates=(Rate(calls=120, per_secs=60),), reserve_percent=reserve_percent)
    parts = [allowance_of(quota, caller) for caller in (Caller.SOURCE, Caller.SINK)]
    world = World(parts[1])

    async def work() -> None:
        for part in parts:  # both of the account's processes have used all they have, at this very moment
            world.began += [world.now] * part.rates[0].calls
        for part in parts:
            world.restart(part)
            await world.load(LIVE, part.rates[0].calls, lanes=4, secs=0.0)

    sink = World(parts[1])
    sink.run(sink.load(LIVE, 200, lanes=4))
    assert sum(1 for at in sink.began if at < 60.0) == first_minute
    assert most_within(sink.began, 60) <= parts[1].rates[0].calls
    world.run(work())
    assert most_within(sorted(world.began), 60) <= 120


def test_a_process_that_starts_again_and_again_calls_no_more_than_one_that_runs() -> None:
    quota = Quota(rates=(Rate(calls=120, per_secs=60), Rate(calls=2000, per_secs=3600)))
    part = allowance_of(quota, Caller.SINK)
    world = World(part)

    async def work() -> None:
        for _ in range(200):
            world.restart(part)
            hurried = asyncio.ensure_future(world.load(LIVE, 1000, lanes=2, secs=0.0))
            await asyncio.sleep(7.0)
            hurried.cancel()
            await asyncio.gather(hurried, return_exceptions=True)

    world.run(work())
    assert len(world.began) >= 200
    assert most_within(world.began, 60) <= part.rates[0].calls
    assert most_within(world.began, 3600) <= part.rates[1].calls


def test_a_long_stretch_is_taken_as_called_evenly_before_a_start() -> None:
    world = World(Allowance(rates=(Rate(calls=360, per_secs=3600),), after_others=True))
    world.run(world.load(LIVE, 400, lanes=4, secs=0.0))
    assert world.began[0] == pytest.approx(10.0)
    assert sum(1 for at in world.began if at <= 1800.0) == pytest.approx(180, abs=1)
    assert most_within(world.began, 3600) <= 360


@pytest.mark.parametrize(("priority", "of_the_day"), [(LIVE, 66), (POLLING, 60)])
def test_what_is_to_come_of_the_day_may_be_called_as_it_comes_after_a_start(
    priority: Priority, of_the_day: int
) -> None:
    world = World(Allowance(daily=DailyPool(calls=100), after_others=True))
    world.run(world.load(priority, 100, lanes=2))
    assert START.hour == 8, "a third of the day is gone"
    today = [at for at in world.began if at < 16 * 3600.0]
    assert len(today) == pytest.approx(of_the_day, abs=1)
    assert sum(1 for at in today if at < 8 * 3600.0) == pytest.approx(of_the_day / 2, abs=1)
    assert world.began[0] < 3600.0


def test_a_process_that_starts_again_and_again_gets_no_new_day_each_time() -> None:
    part = Allowance(daily=DailyPool(calls=480), after_others=True)
    world = World(part)

    async def work() -> None:
        for _ in range(15):
            world.restart(part)
            hurried = asyncio.ensure_future(world.load(LIVE, 500, lanes=1, secs=0.0))
            await asyncio.sleep(3600.0)
            hurried.cancel()
            await asyncio.gather(hurried, return_exceptions=True)

    world.run(work())
    assert len(world.began) <= 15 * 20 + 15 * 480 // 100


@pytest.mark.parametrize("after_others", [False, True])
def test_a_clock_that_is_set_back_by_a_year_does_not_keep_the_day_from_ending(after_others: bool) -> None:  # noqa: FBT001  - a table of facts
    world = World(Allowance(daily=DailyPool(calls=5), after_others=after_others))
    ahead = dt.timedelta(days=365)
    world.governor = Governor(
        "A",
        Allowance(daily=DailyPool(calls=5), after_others=after_others),
        most_concurrent=4,
        clock=lambda: world.time.now() + ahead,
        monotonic=world.time.monotonic,
    )

    async def work() -> None:
        nonlocal ahead
        await world.call(LIVE)
        with pytest.raises(Unavailable):
            await asyncio.gather(*(world.call(LIVE) for _ in range(9)))
        ahead = dt.timedelta(0)
        assert await world.call(LIVE) == 0.0
        assert world.governor.left()["day"] == 4

    world.run(work())


# ---- refusals ------------------------------------------------------------------------------------------------------


def refusing(world: World, wait_secs: float | None) -> Awaitable[Unavailable]:
    async def refused() -> None:
        async with world.governor.slot():
            await asyncio.sleep(0)  # what is refused together was in the air together
            raise Throttled("HTTP 429", account="A", wait_secs=wait_secs)

    async def told() -> Unavailable:
        with pytest.raises(Unavailable) as caught:
            await refused()
        return caught.value

    return told()


def test_t34_a_refusal_is_an_outage_of_the_account_never_a_fault_of_the_record() -> None:
    world = World()

    async def work() -> None:
        error = await refusing(world, 17.0)
        assert error.retry_after_secs == 17.0
        assert isinstance(error.__cause__, Throttled)
        assert world.throttles == 1

    world.run(work())


def test_t34_all_flows_wait_while_one_was_told_to() -> None:
    world = World()

    async def work() -> None:
        await refusing(world, 3.0)
        assert await world.call(LIVE) == pytest.approx(3.0)

    world.run(work())


@pytest.mark.parametrize(("priority", "patience_secs"), [(LIVE, 5.0), (REPAIR, 5.0), (BACKFILL, 60.0), (POLLING, 5.0)])
def test_t34_a_long_pause_is_passed_on_without_a_call(priority: Priority, patience_secs: float) -> None:
    world = World()

    async def work() -> None:
        await refusing(world, patience_secs + 20.0)
        await asyncio.sleep(10.0)
        with pytest.raises(Unavailable) as caught:
            await world.call(priority)
        assert caught.value.retry_after_secs == pytest.approx(patience_secs + 10.0)
        assert world.began == []
        await asyncio.sleep(10.0)
        assert await world.call(priority) == pytest.approx(patience_secs)

    world.run(work())


def test_t34_who_waits_already_is_told_too() -> None:
    world = World(most_concurrent=1)

    async def work() -> None:
        refused = asyncio.create_task(world.call(LIVE, 1.0))
        waiting = asyncio.create_task(world.call(LIVE))
        await asyncio.sleep(0.5)
        world.governor.slow_down(Throttled("part 3 of a batch", account="A", wait_secs=30.0))
        await refused
        with pytest.raises(Unavailable) as caught:
            await waiting
        assert caught.value.retry_after_secs == pytest.approx(29.5)

    world.run(work())


def test_t34_a_shorter_wait_does_not_open_what_a_longer_one_closed() -> None:
    world = World()

    async def work() -> None:
        await asyncio.gather(refusing(world, 5.0), refusing(world, 1.0))
        assert await world.call(LIVE) == pytest.approx(5.0)

    world.run(work())


def test_a_refusal_halves_what_is_under_way_and_time_gives_it_back() -> None:
    world = World(Allowance(concurrent=8))

    async def most_now() -> int:
        before = len(world.began)
        await world.load(LIVE, 32, lanes=16, secs=1.0)
        return most_at_once(world.began[before:], world.ended[before:])

    async def work() -> None:
        assert await most_now() == 8
        # Three that were in the air together are one refusal: four of eight remain, not one.
        await asyncio.gather(*(refusing(world, 1.0) for _ in range(3)))
        assert await most_now() == 4
        await asyncio.sleep(150)
        assert await most_now() == 6
        await asyncio.sleep(150)
        assert await most_now() == 8

    world.run(work())


def test_a_refusal_halves_the_rate_too() -> None:
    world = World(per_minute(120))

    async def work() -> None:
        await refusing(world, 0.0)
        began = world.now
        await world.load(BACKFILL, 50, lanes=1)
        assert 50 / (world.now - began) < 1.25, "of two calls a second"

    world.run(work())


def test_refusals_that_do_not_say_how_long_pause_the_account_longer_each_time() -> None:
    world = World()

    async def work() -> None:
        began = world.now
        for _ in range(3):
            await refusing(world, None)  # the second and the third wait out the pause after the one before
        assert await world.call(LIVE) == pytest.approx(4.0)
        assert world.now - began == pytest.approx(1.0 + 2.0 + 4.0 + 0.1)
        await refusing(world, None)
        assert await world.call(LIVE) == pytest.approx(1.0), "a call went through, and the count began anew"

    world.run(work())


def test_a_rate_that_is_spent_for_long_is_said_instead_of_waited_out() -> None:
    world = World(Allowance(rates=(Rate(calls=10, per_secs=3600),)))

    async def work() -> None:
        await world.load(LIVE, 10, lanes=10)
        with pytest.raises(Unavailable) as caught:
            await world.call(LIVE)
        assert caught.value.retry_after_secs == pytest.approx(3600, abs=1)

    world.run(work())


def test_the_form_of_a_refusal_does_not_matter_to_whoever_hears_the_answer() -> None:
    world = World()
    body = b'{"errors": [{"extensions": {"code": "THROTTLED"}}]}'

    async def work() -> None:
        with pytest.raises(Unavailable):
            async with world.governor.slot() as call:
                call.hear(Answer(200, {"retry-after": "4"}, body))
        assert await world.call(LIVE) == pytest.approx(4.0)

    world.run(work())


# ---- what the system says is left ----------------------------------------------------------------------------------


def hearing(world: World, **headers: str) -> Awaitable[None]:
    async def heard() -> None:
        async with world.governor.slot() as call:
            call.hear(Answer(200, {name.replace("_", "-"): text for name, text in headers.items()}))

    return heard()


LEFT = {"x_ratelimit_limit": "100", "x_ratelimit_reset": "4"}


@pytest.mark.parametrize(
    ("remaining", "live_waits", "polling_waits"),
    [("100", 0.0, 0.0), ("31", 0.0, 0.0), ("30", 0.0, 4.0), ("21", 0.0, 4.0), ("20", 4.0, 4.0), ("0", 4.0, 4.0)],
)
def test_a_low_count_keeps_back_first_what_comes_again_by_itself_and_the_reserve_is_left_to_others(
    remaining: str, live_waits: float, polling_waits: float
) -> None:
    world = World(Allowance(account=Quota(reserve_percent=20)))

    async def work() -> None:
        await hearing(world, **LEFT, x_ratelimit_remaining=remaining)
        waits = await asyncio.gather(world.call(LIVE), world.call(POLLING))
        assert waits == pytest.approx([live_waits, polling_waits])

    world.run(work())


def test_a_count_that_is_high_again_ends_the_wait() -> None:
    world = World()

    async def work() -> None:
        late = asyncio.create_task(asyncio.sleep(0))
        async with world.governor.slot() as call:
            await late
            await hearing(world, **LEFT, x_ratelimit_remaining="0")
            call.hear(Answer(200, {"x-ratelimit-limit": "100", "x-ratelimit-remaining": "99"}))
        assert await world.call(LIVE) == 0.0

    world.run(work())


# ---- turns ---------------------------------------------------------------------------------------------------------


def test_an_errand_that_has_begun_goes_before_one_that_has_not_so_that_few_are_under_way() -> None:
    world = World(most_concurrent=1)
    steps: list[str] = []

    async def command(name: str) -> None:
        with errand(LIVE):
            for step in range(3):
                async with world.governor.slot():
                    steps.append(f"{name}{step}")
                    await asyncio.sleep(1.0)

    async def work() -> None:
        await asyncio.gather(*(command(name) for name in "abcd"))

    world.run(work())
    # Whoever makes its next call finds the place taken by one that waited; those two go on, and the others wait.
    assert " ".join(steps) == "a0 b0 a1 b1 a2 b2 c0 d0 c1 d1 c2 d2"


def test_who_may_not_begin_so_late_sends_nothing_and_is_told_so() -> None:
    world = World(most_concurrent=1)

    async def late(begin_by_secs: float) -> None:
        with errand(LIVE, begin_by_secs=begin_by_secs):
            async with world.governor.slot():
                world.order.append(LIVE)
            async with world.governor.slot():  # what has begun goes on
                world.order.append(LIVE)

    async def work() -> None:
        slow = asyncio.create_task(world.call(BACKFILL, 20.0))
        await asyncio.sleep(1.0)
        in_time = asyncio.create_task(late(30.0))
        asked = world.now
        with pytest.raises(NotBegun):
            await late(10.0)
        assert world.now - asked == pytest.approx(9.0)
        await asyncio.gather(slow, in_time)
        assert world.order == [BACKFILL, LIVE, LIVE]

    world.run(work())


def test_who_stops_waiting_takes_nobodys_turn() -> None:
    world = World(most_concurrent=1)

    async def work() -> None:
        slow = asyncio.create_task(world.call(LIVE, 5.0))
        await asyncio.sleep(1.0)
        given_up = asyncio.create_task(world.call(LIVE))
        patient = asyncio.create_task(world.call(POLLING))
        await asyncio.sleep(1.0)
        given_up.cancel()
        await asyncio.wait([slow, given_up, patient])
        assert given_up.cancelled()
        assert world.order == [LIVE, POLLING]
        async with world.governor.slot():
            served = asyncio.create_task(world.call(LIVE))
            await asyncio.sleep(0)
        served.cancel()  # its turn has come, and it has not heard of it
        await asyncio.wait([served])
        assert served.cancelled()
        assert world.governor.calls_free() == 1

    world.run(work())


def test_a_place_is_free_again_after_any_end() -> None:
    world = World(most_concurrent=1)

    async def work() -> None:
        for error in (ValueError(), Throttled("HTTP 429", account="A")):
            with pytest.raises((ValueError, Unavailable)):
                async with world.governor.slot():
                    raise error
        await asyncio.wait_for(world.call(LIVE), 2.0)

    world.run(work())


def test_what_is_free_is_the_limit_less_the_calls_under_way_and_nothing_while_throttled() -> None:
    world = World(Allowance(rates=(Rate(calls=10, per_secs=60),), daily=DailyPool(calls=30, resets_at="08:00")), 3)

    async def work() -> None:
        governor = world.governor
        async with governor.slot(), governor.slot():
            assert governor.calls_free() == 1
            assert governor.left() == {"concurrent": 1, "60s": 8, "day": 28}
        assert governor.calls_free() == 3
        await asyncio.sleep(60)
        assert governor.left() == {"concurrent": 3, "60s": 10, "day": 28}
        await refusing(world, 10.0)
        assert governor.calls_free() == 0
        await asyncio.sleep(10)
        assert governor.calls_free() == 1, "of half of three"
        await asyncio.sleep(86_400)
        assert governor.left()["day"] == 30

    world.run(work())


def test_waits_are_told_by_priority() -> None:
    world = World(most_concurrent=1)

    async def work() -> None:
        await asyncio.gather(world.call(REPAIR, 2.0), world.call(POLLING))

    world.run(work())
    assert world.waits == [(REPAIR, 0.0), (POLLING, 2.0)]


async def test_what_nobody_marked_yields_and_a_mark_holds_for_its_task_alone() -> None:
    async def marked(priority: Priority) -> Priority:
        with errand(priority):
            await asyncio.sleep(0)
            return current_errand().priority

    assert await asyncio.gather(*(marked(priority) for priority in Priority)) == list(Priority)
    assert current_errand().priority is POLLING


# ---- several clients of one account --------------------------------------------------------------------------------


class Server:
    """Counts the calls that are under way at one time, and refuses those beyond its own limit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.under_way = self.most = self.served = self.refused = 0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            if self.under_way > self.limit:
                self.refused += 1
                return httpx.Response(429, headers={"Retry-After": "1"})
            for _ in range(3 + int(request.url.params["n"]) % 4):
                await asyncio.sleep(0)
            self.served += 1
            return httpx.Response(200)
        finally:
            self.under_way -= 1


async def call(governor: Governor, http: httpx.AsyncClient, number: int) -> None:
    async with governor.slot():
        answer = await http.get(f"http://server/?n={number}")
        throttled = find_throttling(Answer(answer.status_code, answer.headers), account=governor.account, now=NOW)
        if throttled is not None:
            raise throttled


@pytest.mark.parametrize("limit", [1, 5, 15])
async def test_t34_the_calls_of_all_flows_together_never_exceed_the_accounts_limit(limit: int) -> None:
    server, governor = Server(limit), Governor("A", Allowance(concurrent=limit), most_concurrent=64)
    # Four flows with a client of their own; one account, so one governor.
    async with asyncio.TaskGroup() as flows:
        for _ in range(4):
            flows.create_task(_flow(governor, server))
    assert (server.most, server.served, server.refused) == (limit, 160, 0)


async def _flow(governor: Governor, server: Server) -> None:
    async with httpx.AsyncClient(transport=httpx.MockTransport(server)) as http, asyncio.TaskGroup() as group:
        for number in range(40):
            group.create_task(call(governor, http, number))

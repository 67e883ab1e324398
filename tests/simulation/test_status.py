"""What a user sees of each trouble while real loops have it: what is wrong, since when, what waits, what comes next."""

from __future__ import annotations

import datetime as dt
from functools import partial
from types import SimpleNamespace
from typing import cast

import pytest
from tests.parts.statuses import look_at, names_of, printed, story_of
from tests.simulation.estate import AM, ERP, Estate, estate
from tests.simulation.systems import Api
from tests.simulation.test_error_policies import REFUSED, refuse_a_location
from tests.simulation.test_metrics import create, quiet
from tests.simulation.test_poison import DEADLY, Deaths
from tests.simulation.test_quotas import SINK, Governed, runtime_of
from tests.simulation.test_simulation import a_cost
from tests.simulation.test_zombies import wake, work_for

from tieline.connectors.kit.governor import Governor
from tieline.kernel.delivering import DeliveryLoop
from tieline.kernel.errors import Stop
from tieline.kernel.metering import follow_account
from tieline.kernel.metrics import Measure
from tieline.kernel.protocols import Connector
from tieline.kernel.quotas import Allowance, DailyPool, Quota, Rate
from tieline.kernel.settling import ATTEMPTS
from tieline.operating.scene import Away

QUARTER = 900.0
REPORTS = "asset.asset.report.v1"


def turn(hub: Estate, secs: float, *, without: tuple[str, ...] = ()) -> None:
    """All processes take their turns for so long."""
    ends_secs = hub.time.monotonic() + secs
    while hub.time.monotonic() < ends_secs:
        for name in sorted(set(hub.make) - set(without)):
            hub.step(name)
        hub.time.sleep(1.0)


def stamp(at: dt.datetime) -> str:
    return f"{at:%H:%M}"


def test_nothing_wrong_is_told_in_two_words_and_fits_eighty_columns() -> None:
    with estate(1) as hub:
        quiet(hub)
        create(hub)
        hub.rest()
        status = look_at(hub)
        assert names_of(status) == []
        assert not status.needs_attention
        text = printed(status)
        assert text.endswith("\nAll well.")
        assert max(map(len, text.splitlines())) <= 80
        assert "sink-erp   idle" in text
        assert "asset:am>erp         ok" in text


def test_a_target_out_for_a_quarter_of_an_hour() -> None:
    with estate(1) as hub:
        quiet(hub)
        create(hub)
        hub.rest()
        began = hub.time.now()
        erp = hub.systems[ERP]
        erp.fate = lambda kind: "out" if kind == "write" else "ok"
        for number in range(1, 41):
            create(hub, number)
        turn(hub, QUARTER)
        status = look_at(hub)
        assert names_of(status) == ["target-paused"]
        story = story_of(status, "target-paused")
        assert (story.subject, story.is_fault) == (ERP, True)
        assert story.what.startswith("erp takes no commands")
        assert story.since is not None
        assert dt.timedelta() < story.since - began < dt.timedelta(seconds=60)
        assert story.waits == "40 commands for erp, the oldest for 14m"
        next_secs = hub.metrics.value("tieline_target_next_call_seconds", target=ERP) or 0.0
        at = f"at {hub.time.now() + dt.timedelta(seconds=next_secs):%H:%M:%S} UTC" if next_secs else "now"
        assert story.next.startswith(
            f"the hub asks erp again by itself {at}, with one command for all; nothing is lost"
        )
        assert "bring erp back" in story.do
        text = printed(status)
        assert "! sink-erp   paused" in text
        assert text.endswith("Attention: 1 trouble, marked with !.")
        [logged] = {event for event, _ in hub.notes.seen if event.startswith("target-")}
        assert logged == "target-paused" == str(story.kind)
        erp.fate = lambda _: "ok"
        hub.rest()
        late = look_at(hub)
        assert names_of(late) == ["flow-slow"], "what waited has taken longer than promised"
        assert "over 40 changes of the last quarter of an hour" in story_of(late, "flow-slow").since_text(late.at)
        hub.time.sleep(901.0)
        assert names_of(look_at(hub)) == []


def test_a_refused_record_and_those_that_wait_behind_it() -> None:
    with estate(1) as hub:
        quiet(hub)
        refuse_a_location(hub)
        native_id = create(hub)
        hub.rest()
        hub.systems[AM].edit(native_id, location=REFUSED)
        hub.rest()
        parked_at = hub.time.now()
        for place in ("L2", "L3"):
            hub.systems[AM].edit(native_id, location=place)
            hub.rest()
        hub.time.sleep(7200.0)
        turn(hub, 30.0)
        status = look_at(hub)
        assert names_of(status) == ["key-parked"], "its letter is no second trouble"
        story = story_of(status, "key-parked")
        assert story.what.startswith("1 key of erp waits behind a dead letter: asset ")
        assert "no such location" in story.what
        assert story.since is not None
        assert abs(story.since - parked_at) < dt.timedelta(seconds=60)
        assert story.waits == "1 refused command, 2 commands behind in order, the oldest for 2h"
        assert "until a person decides; everything else of erp goes on" in story.next
        show, replay = story.run
        assert show.startswith("tieline dead-letters show sink-erp/")
        assert replay == show.replace(" show ", " replay ")
        assert "key-parked" in {event for event, _ in hub.notes.seen}


def test_nobody_knows_whether_a_command_took_effect() -> None:
    with estate(1) as hub:
        quiet(hub, *["lost"] * ATTEMPTS)
        native_id = create(hub)
        hub.rest()
        hub.systems[AM].edit(native_id, location="L9")
        hub.rest()
        status = look_at(hub)
        assert names_of(status) == ["delivery-in-doubt"], "that its key is parked is the same trouble"
        story = story_of(status, "delivery-in-doubt")
        assert story.what.startswith("erp may or may not have taken 1 command of asset")
        assert story.since is not None
        assert story.waits == "1 command, 1 command behind in order"
        assert story.next == "nothing is sent again by itself; everything else of erp goes on"
        assert "read back before anything is sent" in story.do
        assert story.run == ("tieline dead-letters list --consumer sink-erp",)


def governed(hub: Estate, allowance: Allowance) -> Governor:
    """The ERP's sink under an account, in its metrics too."""
    time = hub.time
    governor = Governor(ERP, allowance, most_concurrent=64, clock=time.now, monotonic=time.monotonic)
    sink = Governed(hub, governor, Api(hub.systems[ERP]))
    hub.make = {**hub.make, SINK: partial(DeliveryLoop, ERP, sink, runtime_of(hub))}
    follow_account(hub.metrics, SINK, ERP, cast("Connector", SimpleNamespace(account=governor)))
    return governor


def test_the_calls_of_a_minute_are_spent_and_it_is_no_fault() -> None:
    with estate(1) as hub:
        quiet(hub)
        governed(hub, Allowance(rates=(Rate(calls=12, per_secs=60.0),), account=Quota(reserve_percent=0)))
        for number in range(30):
            create(hub, number)
        turn(hub, 30.0)
        status = look_at(hub)
        assert names_of(status) == ["calls-spent"]
        story = story_of(status, "calls-spent")
        assert story.what == "erp gives no more calls to sink-erp: those of 60s are spent"
        assert not story.is_fault
        assert story.since_text(status.at) == "within the last stretch of its quota"
        assert story.waits.startswith(f"{30 - 6} commands for erp")  # two calls a command
        closed_secs = hub.metrics.value("tieline_account_closed_seconds", consumer=SINK, system=ERP) or 0.0
        assert 0.0 < closed_secs <= 60.0
        again = f"{hub.time.now() + dt.timedelta(seconds=closed_secs):%H:%M:%S} UTC"
        assert story.next == f"the hub calls again by itself at {again}; nothing is lost"
        assert "systems.erp in the landscape" in story.do
        text = printed(status)
        assert f"sink-erp erp 60s     0 at {again}" in text
        assert text.endswith("All well.")


def test_the_calls_of_a_day_are_spent_until_it_is_counted_anew() -> None:
    with estate(1) as hub:
        quiet(hub)
        # It is eight in the morning: of 18 calls a day two thirds are left.
        governed(hub, Allowance(daily=DailyPool(calls=18), account=Quota(reserve_percent=0)))
        for number in range(10):
            create(hub, number)
        turn(hub, 60.0)
        status = look_at(hub)
        assert names_of(status) == ["calls-spent"], "the pause of the target is the same trouble"
        story = story_of(status, "calls-spent")
        assert story.what == "erp gives no more calls to sink-erp: those of the day are spent"
        assert story.is_fault
        assert story.since is not None
        assert stamp(story.since) in {stamp(hub.time.now() - dt.timedelta(seconds=secs)) for secs in range(60)}
        assert story.waits.startswith("4 commands for erp, the oldest for")
        assert story.next == (
            "the hub calls again by itself at 2026-03-03 00:00:00 UTC; "
            "they are counted anew at 2026-03-03 00:00:00 UTC; nothing is lost"
        )
        assert "sink-erp erp day     0 at 2026-03-03 00:00:00 UTC" in printed(status)


def test_a_target_that_throttles_says_when_it_will_take_calls_again() -> None:
    with estate(1) as hub:
        quiet(hub)
        governor = governed(hub, Allowance(account=Quota(reserve_percent=0)))
        create(hub)
        hub.rest()
        now_secs = hub.time.monotonic()
        governor._allotment.refuse(now_secs, now_secs, 300.0)  # as a call does that is answered 429, Retry-After: 300
        create(hub, 1)
        turn(hub, 20.0)
        story = story_of(look_at(hub), "calls-spent")
        assert story.what == "erp gives no more calls to sink-erp: it refuses them, there were too many"
        until = hub.time.now() + dt.timedelta(seconds=now_secs + 300.0 - hub.time.monotonic())
        assert story.next == f"the hub calls again by itself at {until:%H:%M:%S} UTC; nothing is lost"


def test_a_source_that_does_not_answer() -> None:
    with estate(1) as hub:
        quiet(hub)
        hub.rest()
        began = hub.time.now()
        hub.systems[AM].fate = lambda _: "out"
        turn(hub, 600.0)
        status = look_at(hub)
        assert names_of(status) == ["source-unavailable"]
        story = story_of(status, "source-unavailable")
        assert story.what.startswith("am is not read")
        assert story.since is not None
        assert dt.timedelta() <= story.since - began < dt.timedelta(seconds=10)
        assert story.waits == "what am changed in the last 10m; not counted"
        wait_secs = hub.metrics.value("tieline_source_next_read_seconds", system=AM) or 0.0
        assert 0.0 < wait_secs <= 30.0
        at = f"{hub.time.now() + dt.timedelta(seconds=wait_secs):%H:%M:%S}"
        assert story.next.startswith(f"the hub reads it again by itself at {at} UTC, from where it stood")
        assert "event source-unavailable" in story.do
        told = [fields["next_read_secs"] for event, fields in hub.notes.seen if event == "source-unavailable"]
        assert told[:7] == [1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0], "the pause grows over turns at which nothing was due"
        hub.systems[AM].fate = lambda _: "ok"
        turn(hub, 60.0)
        assert names_of(look_at(hub)) == []


def test_a_process_that_is_down() -> None:
    with estate(1) as hub:
        quiet(hub)
        create(hub)
        hub.rest()
        del hub.running[SINK]
        last = max(m.written_ms for m in hub.log.all_of(f"sink.{ERP}.result.v1"))
        create(hub, 1)
        turn(hub, QUARTER, without=(SINK,))
        status = look_at(hub, down=(SINK,))
        assert names_of(status) == ["process-silent"]
        story = story_of(status, "process-silent")
        assert story.what == "sink-erp is down, or cannot be reached: its metrics port does not answer"
        assert story.since == dt.datetime.fromtimestamp(last / 1000, dt.UTC)
        assert "(the last record that it wrote)" in story.since_text(status.at)
        assert story.waits.startswith("1 command for erp, the oldest for 14m")
        assert story.next == "nothing, until it is started; it then goes on where it stood, and nothing is lost"
        assert story.run == ("tieline run sink erp",)
        assert "! sink-erp   down" in printed(status)


def test_a_hub_none_of_whose_processes_answers_is_one_trouble() -> None:
    with estate(1) as hub:
        quiet(hub)
        create(hub)
        hub.rest()
        status = look_at(hub, down=("views", *hub.make))
        assert names_of(status) == ["process-silent"]
        assert status.stories[0].subject == "every process"
        assert status.stories[0].since is not None


def test_a_process_that_was_paused_and_replaced_says_so_and_ends() -> None:
    with estate(1) as hub:
        quiet(hub)
        create(hub)
        hub.rest()
        zombie = hub.running.pop(SINK)
        hub.step(SINK)
        work_for(hub, SINK)
        with pytest.raises(Stop) as stopped:
            wake(hub, zombie)
        assert stopped.value.trouble == "fenced"
        assert str(stopped.value) == (
            "sink-erp: another copy of it has taken over and goes on from its position; this one ends"
        )
        hub.rest()
        assert names_of(look_at(hub)) == [], "the other does the work"


def test_a_record_that_cannot_be_read_and_one_that_would_end_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    with estate(1) as hub:
        quiet(hub)
        create(hub)
        hub.rest()
        Deaths(hub, monkeypatch)
        began = hub.time.now()
        hub.log.append((REPORTS, 0), (b"am/1", b"junk", ()))
        hub.rest()
        story = story_of(look_at(hub), "dead-letter")
        assert story.subject == "identify"
        assert story.what.startswith("identify could not process 1 record: ")
        assert "would end the process" not in story.what
        assert story.since is not None
        assert dt.timedelta() <= story.since - began < dt.timedelta(seconds=60)
        assert story.waits == "1 dead letter, kept as they came"
        assert "the process goes on with all others" in story.next
        [letter] = hub.log.all_of("hub.identify.dead-letter.v1")
        letter_id = f"identify/{letter.partition()}/{letter.offset()}"
        assert story.run == (f"tieline dead-letters show {letter_id}", f"tieline dead-letters replay {letter_id}")
        good = next(m for m in hub.log.all_of(REPORTS) if m.value() not in {None, b"junk"})
        value = (good.value() or b"").replace(b"S0", DEADLY.encode()[:2])
        hub.log.append((REPORTS, 1), (good.key(), value + DEADLY.encode(), good.headers()))
        hub.rest()
        story = story_of(look_at(hub), "dead-letter")
        assert story.what.startswith("identify could not process 2 records: ")
        assert "1 record would end the process, so nobody decodes it" in story.what
        assert story.run[0] == "tieline dead-letters list --consumer identify"


@pytest.mark.parametrize("break_log", ["missing", "out of range"])
def test_a_gap_in_the_positions(break_log: str) -> None:
    with estate(1) as hub:
        quiet(hub)
        create(hub)
        hub.rest()
        group = "tieline.route"
        where = next(w for (g, w), at in sorted(hub.log.committed.items()) if g == group and at)
        stands_at = hub.log.committed[group, where]
        if break_log == "missing":
            content = next(m for m in hub.log.at(where) if m is not None).content
            for _ in range(5):
                hub.log.append(where, content)
            hub.log.forget(where, stands_at + 3)
            says = "up to 3 records were deleted before they were read"
        else:
            hub.log.recreate(where[0])
            says = "the topic was made anew, or has lost its end"
        status = look_at(hub, down=("route",))
        assert names_of(status)[0] == "gap"
        assert "process-silent" not in names_of(status), "that it has ended is the same trouble"
        story = story_of(status, "gap")
        assert story.what.startswith(f"route cannot go on where it stood: {where[0]}/{where[1]}: the group stands at")
        assert says in story.what
        assert story.next == "nothing goes on by itself: the process ends rather than jump"
        assert story.run == (
            "tieline positions show route",
            "tieline positions accept-gap route",
            "tieline run route",
            "tieline reconcile run",
        )
        hub.running.pop("route")
        with pytest.raises(Stop) as stopped:
            hub.step("route")
        assert stopped.value.trouble == "gap"


def test_what_waits_for_others_and_what_does_not_stand_is_told_and_is_no_fault() -> None:
    with estate(1) as hub:
        quiet(hub)
        am, erp = hub.systems[AM], hub.systems[ERP]
        am.edit(create(hub), location="L1")
        hub.rest()
        am.enter_cost(a_cost("nobody", "1.00"))
        [booked] = erp.records
        erp.edit(booked, location="L-foreign")
        began = hub.time.now()
        hub.rest()
        status = look_at(hub)
        assert names_of(status) == ["report-held", "conflict"]
        assert not status.needs_attention
        held = story_of(status, "report-held")
        assert held.what.endswith(": another record that am has not reported yet: asset")
        assert held.since is not None
        assert dt.timedelta() <= held.since - began < dt.timedelta(seconds=60)
        assert held.waits.startswith("1 report, the oldest for")
        assert held.next == "each goes on by itself when what it waits for is known"
        conflict = story_of(status, "conflict")
        assert conflict.what == "1 word of systems say what does not stand: location of erp"
        assert conflict.run[0].startswith("tieline trace ")


def test_kafka_away_is_all_there_is_to_say_with_who_waits() -> None:
    with estate(1) as hub:
        quiet(hub)
        hub.rest()
        hub.time.sleep(120.0)
        away = [Away("Kafka", "127.0.0.1:9092: Local: Timed out")]
        unnoticed = look_at(hub, away=away)
        assert story_of(unnoticed, "broker-away").since_text(unnoticed.at) == "not known by any process"
        hub.metrics.put(Measure.BROKER_AWAY, 1)
        status = look_at(hub, away=away)
        assert names_of(status) == ["broker-away"]
        story = story_of(status, "broker-away")
        assert story.what == "Kafka does not answer: 127.0.0.1:9092: Local: Timed out"
        assert story.since is not None
        assert status.at - story.since >= dt.timedelta(seconds=120)
        assert story.waits == "everything; 8 processes of 8 run"
        assert "tries again by itself each second" in story.next
        assert story.run == ("make status", "make up")

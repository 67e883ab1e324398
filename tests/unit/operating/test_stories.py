"""The stories that need no loop: each tells what is wrong, since when, what waits, and what comes next."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tests.parts.statuses import names_of, printed, story_of

from tieline.kernel import dead_letters
from tieline.kernel.asset_records import AssetFields, AssetReport
from tieline.kernel.landscape import Flow
from tieline.kernel.letters import Letter
from tieline.kernel.memory import A_PERSON, Conflict, HeldReport, KeyState, ParkedKey, PeriodHold, WaitingLetter
from tieline.kernel.metrics import Measure, Metrics
from tieline.kernel.records import Inbound
from tieline.kernel.retention import Expiry
from tieline.kernel.troubles import Trouble
from tieline.kernel.vocabulary import Origin
from tieline.operating.commands import status_command
from tieline.operating.flows import FlowStatus
from tieline.operating.holds import count_conflicts, count_held_reports, count_period_holds
from tieline.operating.hours import FlowHour
from tieline.operating.processes import ProcessStatus, State
from tieline.operating.status import Status, status_json
from tieline.operating.workers import Figures, read_figures

NOW = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)
COMMANDS = "sink.erp.command.v1"
STORIES = sorted((Path(__file__).parents[3] / "services" / "tieline" / "operating").glob("*stories.py"))


def mins_ago(mins: float) -> dt.datetime:
    return NOW - dt.timedelta(minutes=mins)


def process(
    name: str = "sink-erp",
    state: State = State.IDLE,
    *,
    lag: int = 0,
    oldest: dt.datetime | None = None,
    letters: Sequence[Letter] = (),
    parked: Sequence[ParkedKey] = (),
    expiry: Expiry | None = None,
) -> ProcessStatus:
    return ProcessStatus(
        name,
        state,
        lag,
        lag,
        oldest,
        oldest,
        open_letters=len(letters),
        parked_keys=len(parked),
        letters=letters,
        parked=parked,
        expiry=expiry,
    )


def figures(*shown: tuple[Measure, float, Mapping[str, str]]) -> Figures:
    metrics = Metrics()
    for measure, value, labels in shown:
        metrics.put(measure, value, **labels)
    return read_figures(metrics.expose().decode())


def status(*processes: ProcessStatus, **facts: object) -> Status:
    found = {"flows": (), "commands": {one.name: f"tieline run {one.name}" for one in processes}} | facts
    return Status(NOW, processes, letters_cut=False, **found)  # type: ignore[arg-type]  # facts by name


def letter(consumer: str, offset: int, reason: str, mins: float, *, field: str = "", remedy: str = "") -> Letter:
    headers = {
        dead_letters.REASON: reason,
        dead_letters.TOPIC: COMMANDS,
        dead_letters.PARTITION: "0",
        dead_letters.OFFSET: str(offset),
        **({dead_letters.FIELD: field} if field else {}),
        **({dead_letters.REMEDY: remedy} if remedy else {}),
    }
    raw = tuple((name, value.encode()) for name, value in headers.items())
    written_ms = int(mins_ago(mins).timestamp() * 1000)
    return Letter(consumer, Inbound(f"hub.{consumer}.dead-letter.v1", 0, offset, b"a", b"", raw, written_ms))


def parked(*offsets: int, state: KeyState = KeyState.PARKED, mins: float = 30, asset: str = "a") -> ParkedKey:
    letters = [WaitingLetter(command_id=f"c{at}", topic=COMMANDS, partition=0, offset=at) for at in offsets]
    return ParkedKey(
        target="erp",
        entity="asset",
        canonical_id=asset,
        letters=tuple(letters),
        reason="no such location",
        since=mins_ago(mins),
        state=state,
    )


def flow(pending: int = 0) -> FlowStatus:
    said = {
        "source": "am",
        "target": "erp",
        "object": "asset",
        "interval_mins": 1,
        "latency_target_secs": 30,
        "owner": "ops",
        "on_error": "hold",
        "mode": "enabled",
    }
    return FlowStatus(Flow.model_validate(said), 1, pending, False, 0, 0, None, 0, None, None)


def test_a_key_that_drains_after_the_fix_is_told_apart_from_one_that_is_parked() -> None:
    rows = [parked(7, 8, state=KeyState.DRAINING, mins=40), parked(3, 4, 5, asset="b")]
    told = status(process(letters=[letter("sink-erp", 3, "no such location", 30)], parked=rows))
    assert names_of(told) == ["key-parked", "key-draining"]
    waits = story_of(told, "key-parked")
    assert waits.what == "1 key of erp waits behind a dead letter: asset b: no such location"
    assert waits.waits == "1 refused command, 2 commands behind in order, the oldest for 30m"
    assert waits.run == ("tieline dead-letters show sink-erp/0/3", "tieline dead-letters replay sink-erp/0/3")
    drains = story_of(told, "key-draining")
    assert drains.what.startswith("1 key of erp waits behind a letter that was resolved")
    assert drains.since == mins_ago(40)
    assert drains.waits == "2 commands in order, the oldest for 40m"
    assert drains.next == "the hub sends those that were replayed by itself, each when the one before it is done"
    assert drains.run == ("tieline dead-letters list --consumer sink-erp",)


def test_retries_that_are_spent_say_when_the_next_may_go_out() -> None:
    shown = figures(
        (Measure.RETRIES_WAIT, 12.0, {"target": "erp"}),
        (Measure.RETRYING_KEYS, 21.0, {"target": "erp"}),
    )
    sink = process(state=State.STALLED, lag=60, oldest=mins_ago(5))
    told = status(sink, workers={"sink-erp": shown}, flows=[flow(55)])
    assert names_of(told) == ["retries-spent"], "it explains that the position does not move"
    story = story_of(told, "retries-spent")
    assert story.what == "erp is not asked again for now: its retries of the last minute are spent"
    assert story.since_text(NOW) == "within the last minute"
    assert story.waits == "21 keys whose first command failed; 55 commands for erp, the oldest for 5m"
    assert story.next == "the hub tries the next of them again by itself at 12:00:12 UTC; what is new goes out"
    assert story.do == "see how erp is: many of its calls fail"
    # Nothing failed: what is spent keeps nobody waiting.
    idle = figures((Measure.RETRIES_WAIT, 12.0, {"target": "erp"}))
    assert names_of(status(process(), workers={"sink-erp": idle})) == []


def test_a_pause_whose_retries_are_spent_is_one_story() -> None:
    shown = figures(
        (Measure.PAUSED_AGE, 600.0, {"target": "erp"}),
        (Measure.NEXT_PROBE, 31.0, {"target": "erp"}),
        (Measure.RETRIES_WAIT, 31.0, {"target": "erp"}),
        (Measure.RETRYING_KEYS, 1.0, {"target": "erp"}),
    )
    told = status(process(state=State.PAUSED, lag=3, oldest=mins_ago(10)), workers={"sink-erp": shown})
    assert names_of(told) == ["target-paused"]
    story = story_of(told, "target-paused")
    assert story.what.endswith("; its retries are spent too")
    assert story.since == mins_ago(10)
    assert story.next.startswith("the hub asks erp again by itself at 12:00:31 UTC")


def test_work_that_nobody_does_says_what_is_known_of_why() -> None:
    stalled = process("accept", State.STALLED, lag=4, oldest=mins_ago(3))
    unknown = story_of(status(stalled), "process-stalled")
    assert unknown.what == "accept does not move, though there is work"
    assert (unknown.since, unknown.waits) == (mins_ago(3), "4 records by offset, the oldest for 3m")
    assert unknown.next.startswith("not known: it is stopped, or its target is paused")
    assert unknown.run == ("tieline run accept",)
    hangs = figures((Measure.TURN_AGE, 700.0, {"consumer": "accept"}))
    story = story_of(status(stalled, workers={"accept": hangs}), "process-stalled")
    assert story.next == "not known: it runs, and last looked for work 11m ago"
    tries = figures((Measure.RETRYING_KEYS, 1.0, {"target": "erp"}))
    sink = process(state=State.STALLED, lag=1, oldest=mins_ago(1))
    story = story_of(status(sink, workers={"sink-erp": tries}), "process-stalled")
    assert story.next == "the hub tries 1 key again by itself, whose first command failed"


def test_what_is_behind_catches_up_by_itself() -> None:
    story = story_of(status(process("route", State.BEHIND, lag=900, oldest=mins_ago(2))), "process-behind")
    assert (story.since, story.waits) == (mins_ago(2), "900 records by offset, the oldest for 2m")
    assert story.next.startswith("it catches up by itself")
    assert story.run == ("tieline status --watch",)


def test_retention_that_is_about_to_overtake_a_pause() -> None:
    sink = process(state=State.STALLED, lag=9, oldest=mins_ago(9000), expiry=Expiry(NOW + dt.timedelta(hours=18), 0.1))
    told = status(sink)
    assert names_of(told) == ["process-stalled", "records-expire"]
    story = story_of(told, "records-expire")
    assert story.what == "sink-erp will lose what waits for it: 10% of the time that its topic keeps the oldest is left"
    assert story.since == mins_ago(9000)
    assert story.waits == "9 records by offset, the oldest for 6d"
    assert story.next == "the oldest is deleted unread at 2026-05-02 06:00 UTC; the process then stops with a gap"
    assert story.run == ("tieline topics plan", "tieline topics apply")


def test_an_unmapped_code_is_a_dead_letter_with_its_remedy() -> None:
    remedy = "add it to code_lists.unit.am in the landscape, start again, then replay"
    letters = [
        letter("source-am", 9, "code 'BX' means nothing canonical", 5, field="unit", remedy=remedy),
        letter("source-am", 4, "code 'CT' means nothing canonical", 50, field="unit", remedy=remedy),
    ]
    story = story_of(status(process("source-am", letters=letters)), "dead-letter")
    assert story.what == "source-am could not process 2 records: unit: code 'BX' means nothing canonical"
    assert story.since == mins_ago(50)
    assert story.waits == "2 dead letters, kept as they came"
    assert story.next.startswith("nothing happens to them until a person decides")
    assert story.do == f"{remedy}; then replay, or discard"
    assert story.run[0] == "tieline dead-letters list --consumer source-am"


def test_a_flow_is_late_only_where_nothing_else_explains_it() -> None:
    where = {"object": "asset", "source": "am", "target": "erp"}
    late = (Measure.UNSETTLED_AGE, 240.0, where)
    told = status(process(), workers={"sink-erp": figures(late)}, flows=[flow(12)])
    story = story_of(told, "flow-late")
    assert story.what == "asset:am>erp is later than promised: a change may take 30s"
    assert (story.since, story.waits) == (mins_ago(4), "12 commands, the oldest for 4m")
    beside = status(process(parked=[parked(3)]), workers={"sink-erp": figures(late)}, flows=[flow(12)])
    assert names_of(beside) == ["key-parked", "flow-late"], "a parked key delays only itself (Invariant 6)"
    spaced = figures(late, (Measure.CALLS_CLOSED, 9.0, {"consumer": "sink-erp", "system": "erp"}))
    told = status(process(), workers={"sink-erp": spaced}, flows=[flow(12)])
    assert [(str(one.kind), one.is_fault) for one in told.stories] == [("calls-spent", False), ("flow-late", True)]
    paused = figures(late, (Measure.PAUSED_AGE, 240.0, {"target": "erp"}))
    assert names_of(status(process(), workers={"sink-erp": paused}, flows=[flow(12)])) == ["target-paused"]


def test_processes_that_wait_for_kafka_or_the_registry_say_so() -> None:
    shown = figures((Measure.BROKER_AWAY, 1.0, {}), (Measure.TURN_AGE, 90.0, {"consumer": "accept"}))
    told = status(process("accept", lag=2, oldest=mins_ago(1)), workers={"accept": shown})
    story = story_of(told, "broker-away")
    assert story.what == "Kafka or the schema registry does not answer, say accept"
    assert (story.since, story.waits) == (mins_ago(1.5), "2 records by offset")
    assert story.next.startswith("each tries again by itself every second")


# ---- what is no fault ----


def period_hold(lane: str, place: int, reason: str, mins: float) -> PeriodHold:
    origin = Origin(system="am", entity="asset", native_id="7", source_version="1", recorded_at=NOW)
    return PeriodHold(
        lane=lane,
        place=place,
        reason=reason,
        effective_date=dt.date(2026, 3, 17),
        canonical_id=lane.partition("/")[2],
        asset=AssetReport(origin=origin, fields=AssetFields()),
        since=mins_ago(mins),
    )


def held(waits_for: str, reason: str, mins: float) -> HeldReport:
    return HeldReport(
        waits_for=waits_for,
        reason=reason,
        topic="t",
        partition=0,
        offset=0,
        key="k",
        value=b"",
        since=mins_ago(mins),
    )


def test_what_a_closed_period_holds_is_counted_by_reason_and_is_no_fault() -> None:
    closed, locked = "period 2026-003 of ACME is closed", "cost centre CC1 of ACME is locked"
    rows = [
        period_hold("asset/a", 1, closed, 60),
        period_hold("asset/a", 2, "waits behind a", 50),
        period_hold("asset/b", 1, closed, 20),
        period_hold("cost/c", 1, locked, 10),
    ]
    told = status(period_holds=count_period_holds(rows))
    assert not told.needs_attention
    story = story_of(told, "period-held")
    assert story.what == f"4 reports wait for a fiscal period or a cost centre: {closed} (3); {locked} (1)"
    assert (story.since, story.waits) == (mins_ago(60), "4 reports, the oldest for 1h")
    assert story.next.startswith("each is posted by itself, with its own date, when the ERP opens its period")
    assert story.run == ("tieline trace a",)
    document = json.loads(status_json(told))
    assert document["period_holds"] == 4
    assert [(one["reason"], one["count"]) for one in document["holds"]["period"]] == [(closed, 3), (locked, 1)]


def test_reports_that_wait_for_a_record_are_told_from_those_that_wait_for_a_person() -> None:
    rows = {
        "am/cost-document/1": held("am/asset/77", "asset 77 of am is not known yet", 5),
        "am/cost-document/2": held("am/asset/78", "asset 78 of am is not known yet", 15),
        "erp/asset/9": held(A_PERSON, "serial S-1 fits 2 assets", 600),
    }
    story = story_of(status(held_reports=count_held_reports(rows)), "report-held")
    assert story.what == (
        "3 reports wait for another record, or a person's word: "
        "another record that am has not reported yet: asset (2); serial S-1 fits 2 assets (1)"
    )
    assert (story.since, story.waits) == (mins_ago(600), "3 reports, the oldest for 10h")
    assert story.next.endswith("; 1 of them only by a person's word")
    assert story.run == ("tieline links list",)
    assert not story.is_fault


def test_conflicts_are_counted_by_field_and_system() -> None:
    def row(asset: str, field: str, mins: float) -> Conflict:
        at = mins_ago(mins)
        return Conflict(canonical_id=asset, field=field, owner="am", system="erp", detected_at=at)

    rows = [row("a", "tag", 3), row("b", "tag", 30), row("c", "location", 5)]
    story = story_of(status(conflicts=count_conflicts(rows)), "conflict")
    assert story.what == "3 words of systems say what does not stand: tag of erp (2); location of erp (1)"
    assert story.since == mins_ago(30)
    assert story.waits.startswith("nothing: the owner's value goes on")
    assert story.next == "each ends by itself when its system says what stands"
    assert story.run == ("tieline trace b",)


def test_only_so_many_reasons_are_told() -> None:
    rows = [period_hold(f"asset/{n}", 1, f"period {n} is closed", n) for n in range(5)]
    assert story_of(status(period_holds=count_period_holds(rows)), "period-held").what.endswith("; and 2 more reasons")


# ---- how it looks ----


def test_the_figures_of_every_hour_and_what_is_left_of_quotas_fit_eighty_columns() -> None:
    where = {"consumer": "sink-erp", "system": "erp"}
    shown = figures(
        (Measure.QUOTA_LEFT, 40.0, {**where, "pool": "60s"}),
        (Measure.QUOTA_RESET, 0.0, {**where, "pool": "60s"}),
        (Measure.QUOTA_LEFT, 700.0, {**where, "pool": "day"}),
        (Measure.QUOTA_RESET, 3600.0, {**where, "pool": "day"}),
        (Measure.QUOTA_LEFT, 8.0, {**where, "pool": "concurrent"}),
    )
    name = "purchase-order:tryton>unio24"
    hours = [FlowHour(NOW - dt.timedelta(hours=n), name, 1000, n, (1000 - n) / 1000) for n in range(6)]
    told = status(process(), workers={"sink-erp": shown}, flows=[flow()], hours=hours)
    text = printed(told)
    assert max(map(len, text.splitlines())) <= 80
    assert "sink-erp erp 60s    40 -" in text
    assert "sink-erp erp day   700 at 13:00:00 UTC" in text
    assert "concurrent" not in text
    assert "COMPLETE, OF EACH HOUR       07h   08h   09h   10h   11h   12h" in text
    assert f"{name} 99.5% 99.6% 99.7% 99.8% 99.9% 100%" in text
    document = json.loads(status_json(told))
    assert {one["pool"]: one["left"] for one in document["calls_left"]} == {"60s": 40, "day": 700}
    assert document["completeness"][0]["completeness"] == 1.0


def test_a_story_reads_the_same_in_json() -> None:
    told = status(process("route", State.BEHIND, lag=900, oldest=mins_ago(2)))
    [trouble] = json.loads(status_json(told))["troubles"]
    assert trouble["trouble"] == "process-behind"
    assert trouble["since"] == "2026-05-01T11:58:00+00:00"
    assert trouble["is_fault"] is True
    for part in ("what", "waits", "next", "do"):
        assert trouble[part]
    assert trouble["run"] == ["tieline status --watch"]


def test_a_command_stands_on_one_line_and_all_else_fits() -> None:
    letters = [letter("sink-erp", 10**15, "a reason that is long " * 20, 5)]
    text = printed(status(process(letters=letters)))
    assert f"  run    tieline dead-letters replay sink-erp/0/{10**15}\n" in text
    assert max(map(len, text.splitlines())) <= 80


def test_what_comes_from_outside_moves_no_cursor_and_is_no_markup() -> None:
    letters = [letter("sink-erp", 1, "[bold]x[/bold]\x1b[31m", 5)]
    text = printed(status(process(letters=letters)))
    assert "[bold]x[/bold]" in text
    assert "\x1b" not in text


def test_no_trouble_is_told_that_no_story_has_a_place_for() -> None:
    # Fenced: the process that knows has ended. Repeated: one look at a counter says nothing of now.
    unseen = {Trouble.FENCED, Trouble.TRANSACTION_REPEATED}
    text = "".join(path.read_text(encoding="utf-8") for path in STORIES)
    told = {trouble for trouble in Trouble if f"Trouble.{trouble.name}" in text}
    assert told == set(Trouble) - unseen


def example() -> Status:
    """An ERP that has been out for a quarter of an hour, and a period that is closed."""
    shown = figures(
        (Measure.PAUSED_AGE, 900.0, {"target": "erp"}),
        (Measure.NEXT_PROBE, 21.0, {"target": "erp"}),
    )
    am = replace(process("source-am"), last_event_at=mins_ago(0.1), last_read_at=mins_ago(0.1))
    erp = process(state=State.PAUSED, lag=43, oldest=mins_ago(15))
    rows = [period_hold(f"asset/a{n}", 1, "period 2026-004 of ACME is closed", 200) for n in range(12)]
    delivered = replace(flow(40), delivered=1871, last_confirmed_at=mins_ago(15), latency_p95_secs=2.1)
    return status(am, erp, workers={"sink-erp": shown}, flows=[delivered], period_holds=count_period_holds(rows))


def test_the_example_in_the_readme_and_in_help_is_what_the_code_says() -> None:
    text = printed(example())
    readme = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
    assert text in readme
    [story] = [block for block in text.split("\n\n") if block.startswith("! target-paused")]
    told = " ".join((status_command.__doc__ or "").split())
    assert " ".join(story.split()) in told


def test_a_source_leaves_the_last_calls_of_a_day_to_changes_that_somebody_waits_for() -> None:
    where = {"consumer": "source-am", "system": "am"}
    shown = figures(
        (Measure.SOURCE_FAILING_AGE, 300.0, {"system": "am"}),
        (Measure.POLL_AGE, 310.0, {"system": "am"}),
        (Measure.CALLS_CLOSED, 7200.0, where),
        (Measure.QUOTA_LEFT, 95.0, {**where, "pool": "day"}),
        (Measure.QUOTA_RESET, 7200.5, {**where, "pool": "day"}),
    )
    told = status(process("source-am", State.PAUSED), workers={"source-am": shown})
    assert names_of(told) == ["calls-spent"]
    story = story_of(told, "calls-spent")
    assert story.what == (
        "am gives no more calls to source-am: "
        "those of the day are spent, but for 95 kept for changes that somebody waits for"
    )
    assert (story.since, story.waits) == (mins_ago(5), "what am changed in the last 5m; not counted")
    assert story.next.startswith("the hub calls again by itself at 14:00:00 UTC")

"""A run over a log: it waits by position, concludes nothing from an incomplete read, and records what it found."""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from tieline.depreciation.dialects import Dialect
from tieline.kernel.audit_records import AuditFields, AuditResult, AuditState
from tieline.kernel.command_records import PostCost, RemoveRecord, WriteAsset, WriteBook
from tieline.kernel.drift_records import DriftCleared, DriftDetected
from tieline.kernel.errors import Stop
from tieline.kernel.memory import DriftKind, RunFinished, RunRequested
from tieline.kernel.records import Outbound, Typed
from tieline.kernel.topic_names import IDENTIFIED, RUN_TOPIC
from tieline.reconciliation.commands import repair, report, run
from tieline.reconciliation.cut import (
    DRIFT_TOPIC,
    EVENT_TOPICS,
    REPORT_TOPICS,
    Patience,
    gather,
)
from tieline.reconciliation.running import DRIFT_EVENTS, Hub, last_run, new_run_id, open_drifts, reconcile

if TYPE_CHECKING:
    from tests.unit.reconciliation.conftest import Estate, MemoryLog

ERP, AM = "tryton", "unio24"
NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
RAW = {ERP: "src.tryton.raw.v1", AM: "src.unio24.raw.v1"}
RESULTS = ("sink.tryton.result.v1", "sink.unio24.result.v1")
COMMANDS = {ERP: "sink.tryton.command.v1", AM: "sink.unio24.command.v1"}
STAGES = {"identify": (*REPORT_TOPICS, *RESULTS), "accept": (IDENTIFIED,), "route": EVENT_TOPICS}
TABLES = {
    "assets": ("asset.asset.state.v1", "AssetState"),
    "books": ("asset.book.state.v1", "BookState"),
    "costs": ("cost.document.state.v1", "CostState"),
    "ledger": ("hub.delivery-ledger.state.v1", "LedgerEntry"),
}


class World:
    """The estate in a log, with sources that answer a run and consumers that have caught up."""

    def __init__(self, estate: Estate, log: MemoryLog) -> None:
        self.estate = estate
        self.log = log
        self.incomplete: dict[str, str] = {}
        self.silent: set[str] = set()
        self.began_topics: int | None = None
        self.paused_secs = 0.0
        self.on_pause: Callable[[], None] = lambda: None
        for topic in self._topics():
            log.create(topic, 1 if topic == RUN_TOPIC else 3)
        self._load()
        log.on_publish = self._answer
        self.hub = Hub(
            log=log,
            publish=log.publish,
            landscape=estate.scope.landscape,
            held=estate.scope.held,
            patience=Patience(limit_secs=60, step_secs=1, monotonic=lambda: self.paused_secs, sleep=self._sleep),
            clock=lambda: NOW,
            run_id=self._run_id,
        )
        self._runs = 0

    def catch_up(self, *, but: Sequence[str] = ()) -> None:
        for system in (ERP, AM):
            self._commit(f"source-{system}", (RAW[system],), but)
            self._commit(f"sink-{system}", (COMMANDS[system],), but)
        for consumer, topics in STAGES.items():
            self._commit(consumer, topics, but)

    def sent(self, topic: str) -> list[object]:
        start = dict.fromkeys(self.log.end_offsets([topic]), 0)
        return [r.value.body for r in self.log.read_from(start) if r.value is not None]

    def show(self) -> tuple[Console, io.StringIO]:
        out = io.StringIO()
        return Console(file=out, width=200), out

    def _run_id(self) -> str:
        self._runs += 1
        return f"run{self._runs}"

    def _sleep(self, secs: float) -> None:
        self.paused_secs += secs
        self.on_pause()

    def _commit(self, consumer: str, topics: Sequence[str], but: Sequence[str]) -> None:
        if consumer not in but:
            self.log.commit_all(consumer, topics)

    def _topics(self) -> list[str]:
        named = [topic for topic, _ in TABLES.values()]
        named += ["hub.xref.state.v1", "hub.parked.state.v1", "hub.conflict.state.v1"]
        named += ["hub.hold.state.v1", "hub.period-hold.state.v1", "asset.audit.state.v1"]
        named += [f"observed.{system}.record.state.v1" for system in (ERP, AM)]
        return [
            *named,
            *RAW.values(),
            *COMMANDS.values(),
            *sum(STAGES.values(), ()),
            RUN_TOPIC,
            DRIFT_TOPIC,
            DRIFT_EVENTS,
        ]

    def _load(self) -> None:
        for table, (topic, name) in TABLES.items():
            for key, placed in getattr(self.estate, table).items():
                self.log.publish([Outbound(topic, key, Typed(name, placed.row))])
        rows = (("hub.xref.state.v1", self.estate.xrefs), ("hub.parked.state.v1", self.estate.parked))
        for topic, table_rows in rows:
            self.log.publish([Outbound(topic, key, Typed(type(row).__name__, row)) for key, row in table_rows.items()])

    def _answer(self, outbounds: Sequence[Outbound]) -> None:
        """What the source processes do when a run is asked for."""
        for outbound in outbounds:
            body = outbound.value.body if isinstance(outbound.value, Typed) else None
            if isinstance(body, RunRequested):
                for system in body.systems:
                    if system not in self.silent:
                        self._read_back(body.run_id, system)

    def _read_back(self, run_id: str, system: str) -> None:
        began = dict(self.log.end_offsets([topic for topic, _ in TABLES.values()][: self.began_topics]))
        topic = f"observed.{system}.record.state.v1"
        rows = {key: row.model_copy(update={"run_id": run_id}) for key, row in self.estate.observed[system].items()}
        gone = [key for key, row in self.log.read_table(topic).items() if row.value and key not in rows]
        self.log.publish([Outbound(topic, key, Typed("Observed", row)) for key, row in rows.items()])
        self.log.publish([Outbound(topic, key, None) for key in gone])
        reason = self.incomplete.get(system)
        answer = self.estate.answer(system).model_copy(
            update={
                "run_id": run_id,
                "began": began,
                "reported": dict(self.log.end_offsets([RAW[system]])),
                "complete": reason is None,
                "reason": reason,
            }
        )
        self.log.publish([Outbound(RUN_TOPIC, run_id, Typed("SystemObserved", answer))])


@pytest.fixture
def world(make_estate: Callable[[int], Estate], memory_log: MemoryLog) -> World:
    made = World(make_estate(40), memory_log)
    made.catch_up()
    return made


def test_a_clean_run_is_recorded(world: World) -> None:
    result = reconcile(world.hub)
    assert result.finished == RunFinished(
        run_id="run1",
        conclusive=True,
        compared=2 * 40 + 2 * 20 + 2 * 4,
        drifts=0,
        in_flight=0,
        consistency_percent="100.00",
        finished_at=NOW,
    )
    assert world.sent(RUN_TOPIC)[-1] == result.finished
    assert open_drifts(world.log) == []
    assert world.paused_secs == 0


def test_drift_is_recorded_once_and_ends_with_its_cause(world: World) -> None:
    world.estate.edit(AM, 3, cost_centre="CC-X")
    first = reconcile(world.hub)
    again = reconcile(world.hub)
    (row,) = open_drifts(world.log)
    assert (first.finished.drifts, again.finished.drifts) == (1, 1)
    assert row.run_id == "run2"
    assert last_run(world.log) == (again.finished, [row])
    world.estate.edit(AM, 3, cost_centre="CC-3")
    assert reconcile(world.hub).finished.drifts == 0
    assert open_drifts(world.log) == []


def told(world: World) -> list[tuple[str, str, str | None]]:
    """Name, run and field of each drift event so far."""
    bodies = world.sent(DRIFT_EVENTS)
    drifts = [body for body in bodies if isinstance(body, DriftDetected | DriftCleared)]
    return [(type(body).__name__, body.run_id, body.drift.field) for body in drifts]


def test_the_beginning_and_the_end_of_a_drift_are_told_once(world: World) -> None:
    world.estate.edit(AM, 3, cost_centre="CC-X")
    reconcile(world.hub)
    reconcile(world.hub)
    detected = ("DriftDetected", "run1", "cost_centre")
    assert told(world) == [detected]
    world.estate.edit(AM, 3, cost_centre="CC-3")
    reconcile(world.hub)
    reconcile(world.hub)
    assert told(world) == [detected, ("DriftCleared", "run3", "cost_centre")]


def test_t38_the_cause_of_a_ghost_says_what_the_last_audit_saw(world: World) -> None:
    for native_id, asset_id, day, seen in (
        ("Q1", "a3", 1, AuditResult.VERIFIED),
        ("Q2", "a3", 9, AuditResult.NOT_FOUND),
        ("Q3", "a4", 20, AuditResult.VERIFIED),
    ):
        fields = AuditFields(
            asset_native_id="U", result=seen, audited_on=dt.date(2026, 11, day), location="L1", audited_by="e17"
        )
        row = AuditState(
            asset_id=asset_id,
            version=1,
            origin_system=AM,
            origin_native_id=native_id,
            fields=fields,
            recorded_at=NOW - dt.timedelta(days=day),  # recorded late: the day of the audit counts
        )
        key = f"{asset_id}|{AM}/{native_id}"
        world.log.publish([Outbound("asset.audit.state.v1", key, Typed("AuditState", row))])
    world.estate.remove(AM, "asset", "U3")
    result = reconcile(world.hub)
    assert result.comparison is not None
    [ghost] = [f.drift for f in result.comparison.drifts if f.drift.kind is DriftKind.GHOST]
    assert (ghost.cause or "").endswith("still hold it; the audit of 2026-11-09 did not find it at L1")


def test_a_run_of_one_system_clears_no_drift_of_another(world: World) -> None:
    world.estate.edit(ERP, 4, description="other")
    reconcile(world.hub)
    world.estate.edit(ERP, 4, description="Pump 4")
    reconcile(world.hub, [AM])
    assert told(world) == [("DriftDetected", "run1", "description")]


def test_a_run_of_one_system_leaves_the_others_rows(world: World) -> None:
    world.estate.edit(AM, 3, cost_centre="CC-X")
    world.estate.edit(ERP, 4, description="other")
    reconcile(world.hub)
    world.estate.edit(AM, 3, cost_centre="CC-3")
    world.estate.edit(ERP, 4, description="Pump 4")
    reconcile(world.hub, [AM])
    assert [row.system for row in open_drifts(world.log)] == [ERP]


@pytest.mark.parametrize("lagging", ["source-tryton", "source-unio24", "identify", "accept", "route"])
def test_the_run_waits_until_the_lagging_stage_has_passed(world: World, lagging: str) -> None:
    topics = {"source-tryton": (RAW[ERP],), "source-unio24": (RAW[AM],), **STAGES}[lagging]
    world.log.publish([Outbound(topics[-1], "k", b"bytes")])
    world.catch_up(but=[lagging])

    def pass_after_a_while() -> None:
        if world.paused_secs >= 5:
            world.catch_up()

    world.on_pause = pass_after_a_while
    result = reconcile(world.hub)
    assert result.finished.conclusive
    assert world.paused_secs == 5


def test_a_stage_that_never_passes_makes_the_run_inconclusive(world: World) -> None:
    world.log.publish([Outbound(IDENTIFIED, "k", b"bytes")])
    world.catch_up(but=["accept"])
    result = reconcile(world.hub)
    assert not result.finished.conclusive
    assert result.reason == "gave up after 60 s waiting for accept to pass hub.identified.report.v1; is it running?"


def test_an_incomplete_read_proves_nothing(world: World) -> None:
    world.estate.edit(AM, 3, cost_centre="CC-X")
    reconcile(world.hub)
    before = open_drifts(world.log)
    world.estate.observed[ERP].clear()
    world.incomplete[ERP] = "page 3 did not answer"
    console, out = world.show()
    assert run(world.hub, console) == 3
    assert "tryton was not read completely: page 3 did not answer" in out.getvalue()
    assert open_drifts(world.log) == before
    last, _ = last_run(world.log)
    assert last is not None
    assert (last.conclusive, last.drifts, last.consistency_percent) == (False, 0, "unknown")


def test_a_silent_source_makes_the_run_inconclusive(world: World) -> None:
    world.silent.add(AM)
    result = reconcile(world.hub)
    assert result.comparison is None
    assert result.reason is not None
    assert "waiting for the read-back of tryton, unio24" in result.reason


def test_a_read_that_hides_where_it_began_is_inconclusive(world: World) -> None:
    world.began_topics = 2
    result = reconcile(world.hub)
    assert result.reason == "tryton: its read does not say where it began on cost.document.state.v1/0"


def test_rows_lost_after_the_read_make_it_inconclusive(world: World) -> None:
    lost = "unio24/asset/U3"
    world.log.on_publish, answer = (lambda _: None), world.log.on_publish

    def answer_and_lose(outbounds: Sequence[Outbound]) -> None:
        answer(outbounds)
        if any(o.topic == RUN_TOPIC for o in outbounds):
            world.log.on_publish = lambda _: None
            world.log.publish([Outbound("observed.unio24.record.state.v1", lost, None)])

    world.log.on_publish = answer_and_lose
    result = reconcile(world.hub)
    assert result.reason is not None
    assert result.reason.startswith("unio24: 40 asset records were read but")


def test_a_command_beyond_the_sinks_position_is_in_flight(world: World) -> None:
    world.estate.edit(AM, 3, cost_centre="CC-X")
    console, _ = world.show()
    repair(world.hub, console)
    plan_hash = _plan_hash(world)
    assert repair(world.hub, console, apply=True, plan_hash=plan_hash) == 0
    result = reconcile(world.hub)
    assert (result.finished.drifts, result.finished.in_flight) == (0, 1)
    (finding,) = result.comparison.findings if result.comparison else ()
    assert (finding.drift.cause or "").startswith("its command waits at sink.unio24.command.v1/")
    world.catch_up()
    assert reconcile(world.hub).finished.drifts == 1


def test_a_record_written_during_the_read_is_in_flight(world: World) -> None:
    world.estate.edit(AM, 3, cost_centre="CC-X")
    answer = world.log.on_publish

    def move_meanwhile(outbounds: Sequence[Outbound]) -> None:
        answer(outbounds)
        if any(isinstance(o.value, Typed) and o.value.name == "RunRequested" for o in outbounds):
            row = world.estate.assets["a3"].row
            world.log.publish([Outbound("asset.asset.state.v1", "a3", Typed("AssetState", row))])

    world.log.on_publish = move_meanwhile
    result = reconcile(world.hub)
    assert (result.finished.drifts, result.finished.in_flight) == (0, 1)
    assert [row.kind for row in open_drifts(world.log)] == [DriftKind.IN_FLIGHT]
    assert told(world) == [], "what is under way is no drift"
    world.log.on_publish = answer
    assert reconcile(world.hub).finished.drifts == 1
    assert told(world) == [("DriftDetected", "run2", "cost_centre")]


def test_an_unknown_system_or_field_stops_before_anything_is_written(world: World) -> None:
    with pytest.raises(Stop, match="no system 'sap'; the landscape has tryton, unio24"):
        reconcile(world.hub, ["sap"])
    misspelt = Hub(world.log, world.log.publish, world.hub.landscape, {ERP: frozenset({"colour"})})
    with pytest.raises(Stop, match=r"objects\.asset\.fields names 'colour'"):
        reconcile(misspelt)
    assert world.sent(RUN_TOPIC) == []


# ---- the commands ------------------------------------------------------------------------------------------------


def _plan_hash(world: World, *, allow_removal: bool = False) -> str:
    console, out = world.show()
    repair(world.hub, console, json=True, allow_removal=allow_removal)
    return str(json.loads(out.getvalue())["plan_hash"])


def test_exit_codes_of_run_and_report(world: World) -> None:
    console, out = world.show()
    assert report(world.log, console) == 3
    assert "No run has finished yet" in out.getvalue()
    assert run(world.hub, console) == 0
    assert report(world.log, console) == 0
    world.estate.edit(AM, 3, acquisition_cost=world.estate.assets["a1"].row.fields.acquisition_cost)
    assert run(world.hub, console) == 1
    assert report(world.log, console) == 1
    assert "MISMATCH" in out.getvalue()


def test_json_is_one_document_and_says_the_same_twice(world: World) -> None:
    world.estate.edit(AM, 4, acquisition_cost=None)
    texts: list[dict[str, Any]] = []
    for _ in range(2):
        console, out = world.show()
        assert run(world.hub, console, json=True) == 1
        texts.append(json.loads(out.getvalue().replace(f"run{len(texts) + 1}", "run")))
    first, second = texts
    for document in texts:
        for answer in document["systems"].values():
            del answer["began"]  # log positions move with every run
        del document["closing_cut"]
    assert first == second
    assert [d["field"] for d in first["drifts"]] == ["acquisition_cost"]
    assert {t["unexplained"] for t in first["totals"]} == {"0.00"}


def test_a_repair_is_shown_then_sent_by_its_hash(world: World) -> None:
    world.estate.edit(AM, 3, cost_centre="CC-X", company="OTHER", location="YARD")
    world.estate.remove(AM, "asset", "U6")
    world.estate.remove(ERP, "cost-document", "M10")
    world.estate.edit_book(8, currency="JPY")
    row = world.estate.costs["c10"].row.model_copy(update={"posting_date": dt.date(2026, 4, 1)})
    world.log.publish([Outbound("cost.document.state.v1", "c10", Typed("CostState", row))])
    console, out = world.show()
    assert repair(world.hub, console) == 1
    assert world.sent(COMMANDS[AM]) == []
    shown = out.getvalue()
    assert "5 keys" not in shown
    assert "4 keys would be written" in shown
    assert repair(world.hub, console, apply=True) == 2
    assert repair(world.hub, console, apply=True, plan_hash=_plan_hash(world)) == 0
    run_id = world.sent(RUN_TOPIC)[-1]
    assert isinstance(run_id, RunFinished)
    to_am, to_erp = world.sent(COMMANDS[AM]), world.sent(COMMANDS[ERP])
    writes = {c.asset_id: c for c in to_am if isinstance(c, WriteAsset)}
    books = {c.asset_id: c for c in to_am if isinstance(c, WriteBook)}
    assert set(writes) == {"a3", "a6"}
    assert set(books) == {"a6", "a8"}
    assert writes["a3"].native_id == "U3"
    assert set(writes["a3"].writable_fields) == {"cost_centre", "company"}
    assert writes["a3"].fields == world.estate.assets["a3"].row.fields
    assert writes["a3"].dispatch.version == 3
    assert writes["a3"].effective_date == NOW.date(), "the codes of the day the record was read"
    assert writes["a3"].dispatch.command_id == f"unio24/asset/a3/3/repair-{run_id.run_id}"
    assert writes["a3"].dispatch.repair_id
    assert writes["a6"].native_id is None
    assert {"cost_centre", "asset_number"} <= set(writes["a6"].writable_fields)
    assert (books["a8"].native_id, books["a6"].native_id) == ("U8", None)
    (posting,) = to_erp
    assert isinstance(posting, PostCost)
    assert (posting.cost_doc_id, posting.asset_number) == ("c10", "N10")
    assert posting.posting_date == dt.date(2026, 4, 1), "a repair posts where the document was to be posted"


def test_a_plan_that_changed_is_refused(world: World) -> None:
    world.estate.edit(AM, 3, cost_centre="CC-X")
    plan_hash = _plan_hash(world)
    assert _plan_hash(world) == plan_hash
    world.estate.edit(AM, 3, cost_centre="CC-Y")
    console, out = world.show()
    assert repair(world.hub, console, apply=True, plan_hash=plan_hash) == 2
    assert "the plan has changed" in out.getvalue()
    assert world.sent(COMMANDS[AM]) == []


def test_a_plan_above_the_limit_is_refused_at_the_limit_it_is_not(world: World) -> None:
    for n in range(1, 4):
        world.estate.edit(AM, n, cost_centre="CC-X")
    plan_hash = _plan_hash(world)
    console, out = world.show()
    assert repair(world.hub, console, apply=True, plan_hash=plan_hash, max_keys=2) == 2
    assert "touches 3 keys; at most 2" in out.getvalue()
    assert world.sent(COMMANDS[AM]) == []
    assert repair(world.hub, console, apply=True, plan_hash=plan_hash, max_keys=3) == 0
    assert len(world.sent(COMMANDS[AM])) == 3


def test_a_surplus_record_is_removed_only_when_a_person_says_so(world: World) -> None:
    world.estate.copy_asset(AM, 5, "U-ghost")
    world.estate.copy_asset(ERP, 7, "9007")
    console, out = world.show()
    assert repair(world.hub, console) == 1
    assert "a person decides" in out.getvalue()
    cautious, willing = _plan_hash(world), _plan_hash(world, allow_removal=True)
    assert cautious != willing
    assert repair(world.hub, console, apply=True, plan_hash=cautious) == 0
    assert world.sent(COMMANDS[AM]) == []
    assert repair(world.hub, console, apply=True, plan_hash=willing, allow_removal=True) == 0
    (record,) = world.log.read_from(dict.fromkeys(world.log.end_offsets([COMMANDS[AM]]), 0))
    assert record.value is not None
    assert record.key == "unio24/asset/U-ghost"
    assert isinstance(record.value.body, RemoveRecord)
    assert (record.value.body.entity, record.value.body.native_id) == ("asset", "U-ghost")
    assert world.sent(COMMANDS[ERP]) == []


def test_what_only_the_owner_can_say_is_read_again_not_written(world: World) -> None:
    world.estate.edit(AM, 3, location="YARD")
    console, out = world.show()
    assert repair(world.hub, console) == 1
    assert "re-read" in out.getvalue()
    assert repair(world.hub, console, apply=True, plan_hash=_plan_hash(world)) == 0
    assert world.sent(COMMANDS[AM]) == []


def test_a_posting_that_differs_is_for_a_person(world: World) -> None:
    world.estate.edit_cost(10, cost_centre="CC-X")
    console, out = world.show()
    assert repair(world.hub, console, json=True) == 1
    (step,) = json.loads(out.getvalue())["steps"]
    assert (step["action"], step["commands"]) == ("person", [])


def test_what_a_system_holds_cannot_style_or_break_the_report(world: World) -> None:
    world.estate.edit(ERP, 3, description="[bold red]x[/] [/nonsense]")
    console, out = world.show()
    assert run(world.hub, console) == 1
    assert "[bold red]x[/] [/nonsense]" in " ".join(out.getvalue().split())


def test_run_ids_differ() -> None:
    assert new_run_id() != new_run_id()


def test_reports_that_wait_for_a_period_are_read_by_the_record_they_are_of(world: World) -> None:
    world.estate.hold_for_period(ERP, "10")
    [row] = world.estate.period_held.values()
    follower = row.model_copy(update={"place": 2, "reason": "waits behind a1"})
    for each in (follower, row):
        key = f"{each.lane}|{each.place:09d}"
        world.log.publish([Outbound("hub.period-hold.state.v1", key, Typed("PeriodHold", each))])
    assert gather(world.log, "run1", {}, {}).period_held == {f"{ERP}/asset/10": row}


def test_schedule_differences_stay_open_until_a_run_looks_at_schedules_again(world: World) -> None:
    hub = replace(world.hub, dialects={ERP: Dialect.LINEAR_365})
    for n in range(0, 40, 2):
        # Ten a month do not use up a cost of a thousand: no line is the reference's.
        dates = {"start_date": dt.date(2026, 1, 1), "end_date": dt.date(2026, 3, 28)}
        world.estate.edit_book(n, **dates)
        row = world.estate.observed[ERP][f"{ERP}/book/{n}|main"]
        assert row.book is not None
        world.estate.put(row.model_copy(update={"book": row.book.model_copy(update=dates)}))
    console, out = world.show()
    assert run(hub, console) == 0
    assert "20 schedules compared with the reference" in out.getvalue()
    opened = open_drifts(world.log)
    assert {(row.system, row.kind) for row in opened} == {(ERP, DriftKind.SCHEDULE)}
    assert run(hub, console, schedules=False) == 0
    assert repair(hub, console) == 0
    assert open_drifts(world.log) == opened
    assert report(world.log, console) == 0
    assert "Schedules that are not the reference" in out.getvalue()
    for row in world.estate.observed[ERP].values():
        if row.book is not None:
            world.estate.put(row.model_copy(update={"book": row.book.model_copy(update={"method": "MANUAL"})}))
    assert run(hub, console) == 0
    assert open_drifts(world.log) == []


def test_t24_a_ghost_is_found_although_its_tombstone_never_came(world: World) -> None:
    """An old row of the record stays in the observed table: only rows of this very read are evidence."""
    assert reconcile(world.hub).finished.drifts == 0
    world.estate.remove(AM, "asset", "U3")
    real = world.log.publish

    def lose_tombstones(outbounds: Sequence[Outbound]) -> None:
        observed = "observed.unio24.record.state.v1"
        real([each for each in outbounds if each.topic != observed or each.value is not None])

    world.log.publish = lose_tombstones  # type: ignore[method-assign]  # what a reader away for too long sees
    result = reconcile(replace(world.hub, publish=lose_tombstones))
    assert "unio24/asset/U3" in world.log.read_table("observed.unio24.record.state.v1")
    assert result.comparison is not None
    assert [(f.drift.kind, f.drift.native_id) for f in result.comparison.drifts] == [(DriftKind.GHOST, "U3")]

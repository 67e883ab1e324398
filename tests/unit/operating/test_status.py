"""Judgements of status and trace, without Kafka."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import cast

import pytest

from tieline.kernel.asset_records import AssetFields, AssetReport, AssetState
from tieline.kernel.book_records import DepreciationPosted
from tieline.kernel.errors import Stop
from tieline.kernel.inspecting import LogReader, Span
from tieline.kernel.landscape import Flow
from tieline.kernel.memory import (
    Conflict,
    Drift,
    DriftKind,
    LedgerEntry,
    LinkAction,
    LinkDecision,
    ParkedKey,
    PeriodHold,
    Stage,
)
from tieline.kernel.movement_records import SIDES, MovementEvent, MovementFields, MovementKind
from tieline.kernel.producing import source_of
from tieline.kernel.records import Inbound, Typed
from tieline.kernel.retention import Expiry
from tieline.kernel.vocabulary import Accepted, Money, Origin
from tieline.operating.finding import named, names
from tieline.operating.flows import FlowStatus, is_of, percentile, tally
from tieline.operating.life import tell_finding, tell_hold
from tieline.operating.processes import ProcessStatus, State, expiry_of, group_for, state_of
from tieline.operating.scene import Scene
from tieline.operating.stories import tell as tell_stories
from tieline.operating.story import Story, ago
from tieline.operating.telling import tell

NOW = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)


def secs_ago(secs: float) -> dt.datetime:
    return NOW - dt.timedelta(seconds=secs)


@pytest.mark.parametrize(
    ("waits", "moved", "age_secs", "state"),
    [
        (False, False, 0, State.IDLE),
        (True, True, 1, State.FLOWING),
        (True, True, 61, State.BEHIND),
        (True, False, 1, State.FLOWING),  # it has just arrived; nobody could have read it yet
        (True, False, 6, State.STALLED),
    ],
)
def test_state_follows_from_two_looks(waits: bool, moved: bool, age_secs: float, state: State) -> None:  # noqa: FBT001  - a table of facts
    assert state_of(waits, moved, secs_ago(age_secs), NOW) is state


def test_a_source_reads_run_requests_under_a_group_of_its_own() -> None:
    assert group_for("source-am", "recon.run.event.v1") == "tieline.source-am-requests"
    assert group_for("source-am", "src.am.raw.v1") == "tieline.source-am"


def test_a_tail_never_starts_before_what_is_kept() -> None:
    assert Span(90, 100).tail(50).start == 90
    assert not Span(90, 100).tail(50).cut
    assert Span(0, 100).tail(10).start == 90
    assert Span(0, 100).tail(10).cut
    assert Span(90, 100).since(5).start == 90


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([], 0.5, None),
        ([7.0], 0.95, 7.0),
        ([1.0, 2.0, 3.0, 4.0], 0.5, 2.0),
        ([float(n) for n in range(1, 101)], 0.95, 95.0),
        ([1.0, 2.0, 3.0], 0.5, 2.0),
    ],
)
def test_percentiles_are_nearest_rank(values: list[float], share: float, expected: float | None) -> None:
    assert percentile(values, share) == expected


def test_a_correlation_names_the_source() -> None:
    assert source_of("src.unio24.raw.v1/3/17") == "unio24"
    assert source_of("2026-05-01T12:00:00+00:00") == ""
    assert source_of(None) == ""


def entry(target: str, stage: Stage, applied: int, at: dt.datetime) -> LedgerEntry:
    return LedgerEntry(
        target=target,
        entity="asset",
        canonical_id="a",
        command_id="c",
        version=2,
        applied_version=applied,
        stage=stage,
        at=at,
    )


def test_delivered_is_what_a_target_holds_not_what_was_tried() -> None:
    parked = ParkedKey(target="erp", entity="asset", canonical_id="a", letters=(), reason="no", since=NOW)
    rows = [
        entry("erp", Stage.CONFIRMED, 2, secs_ago(9)),
        entry("erp", Stage.REJECTED, 1, secs_ago(1)),
        entry("erp", Stage.INTENT, 0, secs_ago(1)),
        entry("am", Stage.CONFIRMED, 2, secs_ago(2)),
    ]
    sums = tally(rows, [parked])
    erp = sums["asset", "erp"]
    assert (erp.delivered, erp.rejected, erp.parked, erp.last) == (2, 1, 1, secs_ago(9))
    assert sums["asset", "am"].delivered == 1


def flow_status(p95_secs: float | None, parked: int = 0) -> FlowStatus:
    flow = Flow.model_validate(
        {
            "source": "am",
            "target": "erp",
            "object": "asset",
            "interval_mins": 1,
            "latency_target_secs": 30,
            "owner": "ops",
            "on_error": "hold",
            "mode": "enabled",
        }
    )
    return FlowStatus(
        flow=flow,
        delivered=1,
        pending=0,
        pending_is_least=False,
        parked=parked,
        rejected=0,
        last_confirmed_at=None,
        samples=1,
        latency_p50_secs=p95_secs,
        latency_p95_secs=p95_secs,
        recent_p95_secs=p95_secs,
    )


def test_a_flow_needs_attention_when_it_is_late_or_parked() -> None:
    assert flow_status(31).needs_attention
    assert not flow_status(30).needs_attention
    assert not flow_status(None).needs_attention
    assert flow_status(1, parked=1).needs_attention


def test_an_asset_is_named_to_the_letter() -> None:
    fields = AssetFields(tag="T-1", serial_number="S-1", asset_number="1000")
    state = AssetState(asset_id="a", version=1, fields=fields, said_by={}, links={"am": "77"})
    assert all(names(state, text) for text in ("T-1", "S-1", "1000"))
    assert not any(names(state, text) for text in ("T-", "t-1", "100", "77", ""))


def test_the_number_of_an_asset_comes_before_the_id_another_has_somewhere() -> None:
    def asset(asset_id: str, number: str, native_id: str) -> AssetState:
        fields = AssetFields(asset_number=number)
        return AssetState(asset_id=asset_id, version=1, fields=fields, said_by={}, links={"am": native_id})

    states = [asset("a", "45", "7"), asset("b", "46", "45"), asset("c", "47", "48")]
    assert named("45", states) == "a"
    assert named("48", states) == "c"
    with pytest.raises(Stop, match="names 2 assets"):
        named("45", [*states, asset("d", "45", "9")])
    with pytest.raises(Stop, match="no asset is known"):
        named("99", states)


def test_money_is_told_with_its_currency_and_never_rounded() -> None:
    accepted = Accepted(
        version=1,
        origin_system="erp",
        origin_native_id="1",
        effective_date=NOW.date(),
        recorded_at=NOW,
        changed_fields=(),
    )
    posted = DepreciationPosted(
        asset_id="a",
        book_id="main",
        accepted=accepted,
        amount=Money(amount=Decimal("1234567890123456.7891"), currency="EUR"),
        accumulated_after=Decimal("1E+3"),
        net_book_value_after=Decimal("1E+3"),
        scheduled_date=NOW.date(),
    )
    told = tell(Typed("DepreciationPosted", posted), Inbound("t", 0, 0, b"a", b""))
    assert told.what == "main: 1234567890123456.7891 EUR for 2026-05-01, net book value 1000"


def test_a_movement_is_told_with_its_document_and_sign() -> None:
    sides = dict.fromkeys(SIDES, Decimal(0)) | {"net_book_value_change": Decimal("1E+3")}
    fields = MovementFields.model_validate(
        {
            "kind": MovementKind.REVALUATION,
            "asset_native_id": "7",
            "book_id": "main",
            "company": "ACME",
            "currency": "EUR",
            "effective_date": NOW.date(),
            **sides,
        }
    )
    accepted = Accepted(
        version=1,
        origin_system="erp",
        origin_native_id="M1",
        effective_date=NOW.date(),
        recorded_at=NOW,
        changed_fields=(),
    )
    event = MovementEvent(asset_id="a", movement_id="erp/M1", accepted=accepted, fields=fields)
    told = tell(Typed("AssetRevalued", event), Inbound("t", 0, 0, b"a", b""))
    assert (told.kind, told.system) == ("posting", "erp")
    assert told.what == "AssetRevalued main: net book value +1000 EUR of 2026-05-01, document erp/M1"


def test_differences_are_told_with_both_values() -> None:
    conflict = Conflict(
        canonical_id="a", field="tag", owner="am", system="erp", owned_value="1", foreign_value="2", detected_at=NOW
    )
    assert tell_finding(conflict) == "tag: says '2', am owns it and says '1'"
    own = conflict.model_copy(update={"field": "roll_forward.main", "system": "am"})
    assert tell_finding(own) == "roll_forward.main: 2, against 1"
    drift = Drift(
        drift_id="d",
        run_id="r",
        kind=DriftKind.MISMATCH,
        system="erp",
        entity="asset",
        field="tag",
        expected="1",
        found="2",
    )
    assert tell_finding(drift) == "MISMATCH asset tag: expected '1', found '2'"


def test_what_waits_for_a_fiscal_period_is_told_with_its_date_and_its_reason() -> None:
    origin = Origin(system="am", entity="asset", native_id="7", source_version="1", recorded_at=NOW)
    hold = PeriodHold(
        lane="asset/a",
        place=1,
        reason="period 2026-003 of ACME is closed",
        effective_date=dt.date(2026, 3, 17),
        canonical_id="a",
        asset=AssetReport(origin=origin, fields=AssetFields()),
        since=NOW,
    )
    step = tell_hold("asset/a|000000001", hold)
    assert (step.at, step.kind, step.system, step.where) == (NOW, "held", "am", "asset/a|000000001")
    assert step.what == "asset 7 of 2026-03-17: period 2026-003 of ACME is closed"


def sink_status(expiry: Expiry | None) -> ProcessStatus:
    return ProcessStatus("sink-erp", State.IDLE, 0, 0, None, None, expiry=expiry)


def expiring(expiry: Expiry | None) -> list[Story]:
    stories = tell_stories(Scene(NOW, [sink_status(expiry)], (), letters_cut=False))
    return [story for story in stories if str(story.kind) == "records-expire"]


def test_what_would_soon_be_deleted_unread_is_told_with_when() -> None:
    near = Expiry(NOW + dt.timedelta(hours=40), 0.238)
    assert sink_status(near).needs_attention
    [story] = expiring(near)
    assert story.is_fault
    assert story.next.startswith("the oldest is deleted unread at 2026-05-03 04:00 UTC")
    assert "24% of the time that its topic keeps the oldest is left" in story.what
    for calm in (Expiry(NOW, 0.25), None):
        assert not sink_status(calm).needs_attention
        assert expiring(calm) == []


def test_a_pause_is_measured_against_the_topic_of_what_waits_and_a_parked_key_against_its_letters() -> None:
    topics = {
        "sink.erp.command.v1": SimpleNamespace(configs={"retention.ms": str(7 * 86_400_000)}),
        "hub.sink-erp.dead-letter.v1": SimpleNamespace(configs={"retention.ms": str(90 * 86_400_000)}),
    }
    log = cast("LogReader", SimpleNamespace(topics=topics))

    def waiting(days: float) -> dict[tuple[str, int], Inbound]:
        written_ms = int((NOW - dt.timedelta(days=days)).timestamp() * 1000)
        return {("sink.erp.command.v1", 0): Inbound("sink.erp.command.v1", 0, 1, b"a", b"", timestamp_ms=written_ms)}

    def parked(days: float) -> list[ParkedKey]:
        since = NOW - dt.timedelta(days=days)
        return [ParkedKey(target="erp", entity="asset", canonical_id="a", letters=(), reason="no", since=since)]

    found = expiry_of(log, "sink-erp", waiting(6), [], NOW)
    assert found is not None
    assert found.at == NOW + dt.timedelta(days=1)
    assert found.share_left == pytest.approx(1 / 7)
    found = expiry_of(log, "sink-erp", waiting(1), parked(80), NOW)
    assert found is not None
    assert found.at == NOW + dt.timedelta(days=10)
    assert found.share_left == pytest.approx(10 / 90)
    assert expiry_of(log, "accept", {}, [], NOW) is None


def test_ages_are_short() -> None:
    assert [ago(secs_ago(s), NOW) for s in (5, 65, 7200, 200_000)] == ["5s", "1m", "2h", "2d"]
    assert ago(None, NOW) == "-"


def test_waiting_commands_belong_to_the_flow_of_their_source() -> None:
    one = flow_status(None).flow
    other = one.model_copy(update={"source": "crm"})
    assert is_of(("asset", "am", "erp"), one, [one, other])
    assert not is_of(("asset", "am", "erp"), other, [one, other])
    assert not is_of(("asset", "", "erp"), one, [one, other])  # of no known source: it might be either's
    assert is_of(("asset", "", "erp"), one, [one])
    assert not is_of(("book", "am", "erp"), one, [one])


def test_a_flow_of_orders_is_not_counted_as_none_delivered() -> None:
    status = flow_status(None)
    assert status.counted
    orders = status.flow.model_copy(update={"object": "purchase-order"})
    assert not replace(status, flow=orders).counted


def test_a_persons_decision_is_told_with_who_and_why() -> None:
    decision = LinkDecision(
        decision_id="d", action=LinkAction.MERGE, canonical_id="A", other_id="B", by="ann", reason="same pump", at=NOW
    )
    told = tell(Typed("LinkDecision", decision), Inbound("hub.identified.report.v1", 0, 0, b"A", b""))
    assert (told.kind, told.what) == ("decision", "MERGE by ann: same pump")

"""Status and trace on a real broker and registry: what they say is what the log holds."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from tests.parts.operators import Bench
from typer.testing import CliRunner

from tieline.kernel.asset_records import AssetEvent, AssetFields, AssetReport, AssetState
from tieline.kernel.clock import utc_now
from tieline.kernel.errors import Rejected, Stop
from tieline.kernel.memory import LinkStatus, SourcePosition, XRef
from tieline.kernel.records import Outbound, Typed
from tieline.kernel.vocabulary import Accepted, Origin
from tieline.operating.commands import status_command, trace_command
from tieline.operating.finding import find_asset
from tieline.operating.life import read_life
from tieline.operating.processes import ProcessStatus, State
from tieline.operating.status import Status, read_status

pytestmark = pytest.mark.integration


@pytest.fixture
def bench(kafka: str, registry: str) -> Iterator[Bench]:
    made = Bench(kafka, registry)
    yield made
    made.close()


def process(status: Status, name: str) -> ProcessStatus:
    return next(p for p in status.processes if p.name == name)


def test_lag_is_records_not_markers_and_goes_when_they_are_read(bench: Bench) -> None:
    name = f"source-{bench.am}"
    bench.capture("1", "2")
    before = process(read_status(bench.log), name)
    assert before.state is not State.IDLE
    assert before.lag >= 2
    assert before.oldest_waiting_at is not None
    assert before.last_event_at is not None
    bench.run_mapping(2)
    after = process(read_status(bench.log), name)
    assert (after.state, after.lag, after.oldest_waiting_at) == (State.IDLE, 0, None)
    assert not after.needs_attention


def test_work_that_nobody_does_is_stalled(bench: Bench) -> None:
    bench.command(("A", 1))
    later = utc_now().replace(year=utc_now().year + 1)
    status = read_status(bench.log, clock=lambda: later)
    sink = process(status, f"sink-{bench.erp}")
    assert sink.state is State.STALLED
    assert sink.needs_attention
    assert status.needs_attention


def test_dead_letters_and_parked_keys_are_counted(bench: Bench) -> None:
    bench.sink.answers["A"] = [Rejected("no")]
    bench.command(("A", 1), ("A", 2), ("B", 1))
    bench.run_sink(3)
    status = read_status(bench.log)
    sink = process(status, f"sink-{bench.erp}")
    assert (sink.open_letters, sink.waiting_letters, sink.parked_keys) == (1, 1, 1)
    [flow] = status.flows
    assert (flow.delivered, flow.rejected, flow.parked) == (1, 1, 1)
    assert flow.last_confirmed_at is not None
    assert flow.needs_attention


def test_latency_is_from_capture_to_confirmation(bench: Bench) -> None:
    bench.capture("1")
    [raw] = bench.read(f"src.{bench.am}.raw.v1")
    command = bench.command_record("A", 1)
    caused = Outbound(command.topic, command.key, command.value, {"ce_correlationid": raw.coordinates})
    bench.write([caused])
    [waiting] = read_status(bench.log).flows
    assert waiting.pending == 1
    bench.run_sink(1)
    [flow] = read_status(bench.log).flows
    [result] = bench.read(f"sink.{bench.erp}.result.v1")
    assert flow.pending == 0
    assert flow.samples == 1
    assert flow.latency_p50_secs == flow.latency_p95_secs == (result.timestamp_ms - raw.timestamp_ms) / 1000


def test_a_source_tells_when_it_last_read(bench: Bench) -> None:
    now = utc_now()
    row = SourcePosition(system=bench.am, cursors={}, polled_at=now)
    bench.write([Outbound(f"src.{bench.am}.position.state.v1", bench.am, Typed("SourcePosition", row))])
    assert process(read_status(bench.log), f"source-{bench.am}").last_read_at == now


def one_asset(bench: Bench) -> str:
    """An asset as the processors would have written it, with a command that was delivered and one that was not."""
    asset_id = str(uuid.uuid4())
    now = utc_now()
    fields = AssetFields(tag=f"T-{asset_id[:8]}", serial_number=f"S-{asset_id[:8]}")
    origin = Origin(system=bench.am, entity="asset", native_id="77", source_version="3", recorded_at=now)
    accepted = Accepted(
        version=1,
        origin_system=bench.am,
        origin_native_id="77",
        effective_date=now.date(),
        recorded_at=now,
        changed_fields=("tag", "serial_number"),
    )
    links = {bench.am: "77"}
    report = AssetReport(origin=origin, fields=fields)
    state = AssetState(asset_id=asset_id, version=1, fields=fields, said_by={}, links=links)
    link = XRef(
        system=bench.am,
        entity="asset",
        native_id="77",
        canonical_id=asset_id,
        status=LinkStatus.LINKED,
        rule="minted",
        match_keys=(),
        linked_at=now,
    )
    event = AssetEvent(asset_id=asset_id, accepted=accepted, fields=fields, links=links)
    bench.write([Outbound("asset.asset.report.v1", f"{bench.am}/77", Typed("AssetReport", report))])
    bench.write(
        [
            Outbound("hub.identified.report.v1", asset_id, Typed("AssetReport", report)),
            Outbound("hub.xref.state.v1", f"{bench.am}/asset/77", Typed("XRef", link)),
        ]
    )
    bench.write(
        [
            Outbound("asset.asset.event.v1", asset_id, Typed("AssetRegistered", event)),
            Outbound("asset.asset.state.v1", asset_id, Typed("AssetState", state)),
        ]
    )
    bench.command((asset_id, 1))
    bench.run_sink(1)
    bench.sink.answers[asset_id] = [Rejected("closed period", field="date")]
    bench.command((asset_id, 2))
    bench.run_sink(1)
    return asset_id


def test_an_asset_is_found_by_every_name_it_has(bench: Bench) -> None:
    asset_id = one_asset(bench)
    for name in (asset_id, f"{bench.am}/77", f"T-{asset_id[:8]}", f"S-{asset_id[:8]}"):
        assert find_asset(bench.log, name) == asset_id
    with pytest.raises(Stop, match="no asset is known as 'T-nowhere'"):
        find_asset(bench.log, "T-nowhere")


def test_the_life_of_an_asset_is_told_in_order(bench: Bench) -> None:
    asset_id = one_asset(bench)
    life = read_life(bench.log, asset_id)
    kinds = [step.kind for step in life.steps]
    assert kinds[:4] == ["report", "identified", "event", "command"]
    assert sorted(kinds[4:]) == ["command", "dead letter", "ledger", "parked", "result", "result"]
    by_kind = {step.kind: step for step in life.steps}
    assert by_kind["event"].what == "AssetRegistered v1: tag, serial_number"
    assert by_kind["dead letter"].what == "open, attempt 1: closed period"
    assert "REJECTED v2, holds v1" in by_kind["ledger"].what
    assert [(link.system, link.native_id) for link in life.links] == [(bench.am, "77")]
    [command] = [r for r in bench.read(f"sink.{bench.erp}.command.v1") if r.coordinates == by_kind["command"].where]
    assert command.key_text == asset_id
    assert [step.at for step in life.steps] == sorted(step.at for step in life.steps)


def test_the_commands_print_and_tell_by_their_exit_code(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = bench.write_landscape(tmp_path / "landscape.yaml")
    # One registry client: a process closes its own by ending, the test does not end.
    monkeypatch.setattr("tieline.wiring.ConfluentSchemaIds", lambda _: bench.ids)
    asset_id = one_asset(bench)
    app = typer.Typer()
    app.command("status")(status_command)
    app.command("trace")(trace_command)

    status = CliRunner().invoke(app, ["status", "--landscape", str(file)])
    assert status.exit_code == 1
    assert f"asset:{bench.am}>{bench.erp}" in status.output
    assert "Attention" in status.output
    document = json.loads(CliRunner().invoke(app, ["status", "--json", "--landscape", str(file)]).output)
    assert document["needs_attention"] is True
    assert {p["name"] for p in document["processes"]} >= {"identify", "accept", "route", f"sink-{bench.erp}", "views"}

    trace = CliRunner().invoke(app, ["trace", asset_id, "--landscape", str(file)])
    assert trace.exit_code == 0
    assert "AssetRegistered v1: tag, serial_number" in trace.output
    document = json.loads(CliRunner().invoke(app, ["trace", asset_id, "--json", "--landscape", str(file)]).output)
    assert document["asset_id"] == asset_id
    assert document["steps"][0]["kind"] == "report"
